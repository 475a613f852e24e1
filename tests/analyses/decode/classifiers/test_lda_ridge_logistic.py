"""analyses.decode.classifiers: lda, ridge and logistic against scikit-learn on the patterns."""

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier

from bids_dnn.analyses.decode.classifiers.lda import lda_decisions
from bids_dnn.analyses.decode.classifiers.logistic import logistic_decisions
from bids_dnn.analyses.decode.classifiers.ridge import ridge_decisions


@pytest.fixture(params=[8, 90])
def case(rng, request):
    """Fewer and more units than samples, far from zero, 18 of one class and 12 of the other."""
    truth = np.repeat([1, -1], [24, 16])
    x = 3 + rng.normal(size=(40, request.param))
    x += 0.3 * np.outer(truth, rng.normal(size=request.param))
    train = np.r_[:18, 24:36]
    test = np.setdiff1d(np.arange(40), train)
    signs = np.column_stack([truth[train], *(rng.permutation(truth[train]) for _ in range(7))])
    gram = x @ x.T
    own, cross = gram[np.ix_(train, train)][None], gram[np.ix_(test, train)][None]
    return x[train], x[test], own, cross, signs


@pytest.mark.parametrize("n_labelings", [2, 8])  # solved one by one, or by eigenvectors
@pytest.mark.parametrize("shrinkage", [0.05, 0.5, 1.0, None])
def test_lda_is_that_of_scikit_learn(case, shrinkage, n_labelings):
    x, other, train, cross, signs = case
    found = lda_decisions(
        train, cross, signs[None, :, :n_labelings], n_units=x.shape[1], shrinkage=shrinkage
    )
    for k in range(n_labelings):
        weight = shrinkage
        if weight is None:
            means = np.where(
                signs[:, [k]] > 0, x[signs[:, k] > 0].mean(axis=0), x[signs[:, k] < 0].mean(axis=0)
            )
            weight = ledoit_wolf_shrinkage(x - means, assume_centered=True)
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=weight).fit(x, signs[:, k])
        expected = model.decision_function(other)
        np.testing.assert_allclose(found[0, :, k], expected, atol=1e-8 * np.abs(expected).max())


def test_weighted_lda_takes_classes_for_as_likely(case):
    x, other, train, cross, signs = case
    how = {"n_units": x.shape[1], "shrinkage": 0.3}
    found = lda_decisions(train, cross, signs[None], **how, is_weighted=True)
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3).fit(x, signs[:, 0])
    prior = np.log(18 / 12)  # of the classes as they are frequent
    np.testing.assert_allclose(found[0, :, 0], model.decision_function(other) - prior, atol=1e-8)


@pytest.mark.parametrize("alpha", [0.01, 1.0])
def test_ridge_is_that_of_scikit_learn(case, alpha):
    x, other, train, cross, signs = case
    found = ridge_decisions(train, cross, signs[None], alpha=alpha)
    size = ((x - x.mean(axis=0)) ** 2).sum() / len(x)
    for k, row in enumerate(signs.T):
        model = RidgeClassifier(alpha=alpha * size).fit(x, row)
        np.testing.assert_allclose(found[0, :, k], model.decision_function(other), atol=1e-9)


def test_without_penalty_ridge_is_least_squares(case):
    x, other, train, cross, signs = case
    found = ridge_decisions(train, cross, signs[None], alpha=0)
    expected = LinearRegression().fit(x, signs).predict(other)
    np.testing.assert_allclose(found[0], expected, atol=1e-6)


@pytest.mark.parametrize("c", [1e-3, 1.0])
def test_logistic_is_that_of_scikit_learn(case, c):
    x, other, train, cross, signs = case
    found = logistic_decisions(train, cross, signs[None], c)
    for k, row in enumerate(signs.T):
        model = LogisticRegression(C=c, tol=1e-10, max_iter=10_000).fit(x, row)
        np.testing.assert_allclose(found[0, :, k], model.decision_function(other), atol=1e-4)


def test_each_sample_may_have_its_cost_in_logistic(case, rng):
    x, other, train, cross, signs = case
    costs = rng.uniform(0.1, 1, size=signs.shape)
    found = logistic_decisions(train, cross, signs[None], costs[None])
    model = LogisticRegression(tol=1e-10, max_iter=10_000)
    model.fit(x, signs[:, 3], sample_weight=costs[:, 3])
    np.testing.assert_allclose(found[0, :, 3], model.decision_function(other), atol=1e-4)


@pytest.mark.parametrize("decide", [lda_decisions, ridge_decisions, logistic_decisions])
def test_several_gram_matrices_are_decided_as_one_by_one(case, decide):
    x, _, train, cross, signs = case
    further = {
        lda_decisions: {"n_units": x.shape[1], "shrinkage": None},
        ridge_decisions: {"alpha": 0.5},
        logistic_decisions: {"c": 1.0},
    }[decide]
    trains, crosses = np.concatenate([train, 2 * train]), np.concatenate([cross, 2 * cross])
    both = decide(trains, crosses, np.stack([signs, signs[:, ::-1]]), **further)
    np.testing.assert_allclose(both[0], decide(train, cross, signs[None], **further)[0], atol=1e-9)
    second = decide(2 * train, 2 * cross, signs[None, :, ::-1], **further)
    np.testing.assert_allclose(both[1], second[0], atol=1e-9)


def test_patterns_that_do_not_vary_are_still_answered():
    train, cross, signs = (
        np.ones((1, 6, 6)),
        np.ones((1, 2, 6)),
        np.tile([1, -1], 3)[None, :, None],
    )
    for made in (
        lda_decisions(train, cross, signs, n_units=3, shrinkage=None),
        ridge_decisions(train, cross, signs, alpha=1.0),
        logistic_decisions(train, cross, signs, 1.0),
    ):
        np.testing.assert_allclose(made, 0, atol=1e-9)


@pytest.mark.parametrize("n_units", [3, 19, 20, 21, 90])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("twins", [False, True])
def test_least_squares_are_of_least_norm_whatever_the_rank(rng, n_units, scale, twins):
    """Also with twice the same sample, with few units, and where nothing varies."""
    x = scale * (5 + rng.normal(size=(2, 20, n_units)))
    if twins:
        x[0, 3] = x[0, 4]
        x[1] = x[1, :1]
    other = scale * (5 + rng.normal(size=(2, 6, n_units)))
    signs = rng.choice([-1, 1], size=(2, 20, 5))
    found = ridge_decisions(x @ x.mT, other @ x.mT, signs, alpha=0)
    for b in range(2):
        train = x[b] - x[b].mean(axis=0)
        mean = signs[b].mean(axis=0)
        varies = np.ptp(train, axis=0).max() > 1e-9 * scale
        weights = np.linalg.pinv(train, rcond=1e-5) @ (signs[b] - mean) * varies
        expected = (other[b] - x[b].mean(axis=0)) @ weights + mean
        np.testing.assert_allclose(found[b], expected, atol=1e-5)
