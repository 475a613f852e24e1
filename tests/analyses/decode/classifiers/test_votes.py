"""analyses.decode.classifiers: choices, decisions for labelings of their own samples, votes."""

import numpy as np
import pytest
from sklearn.multiclass import OneVsOneClassifier
from sklearn.svm import SVC

from bids_dnn.analyses.decode.classifiers.choice import Classifier, candidates
from bids_dnn.analyses.decode.classifiers.decisions import costs_of, decide
from bids_dnn.analyses.decode.classifiers.votes import guess_classes, shares_of
from bids_dnn.errors import ConfigError

KINDS = ("svm-linear", "lda", "ridge", "logistic")


def make(rng, n_classes, *, n_each=8, n_units=40, k=6):
    codes = np.tile(np.arange(n_classes), n_each + 3)
    x = rng.normal(size=(len(codes), n_units))
    x += 0.5 * rng.normal(size=(n_classes, n_units))[codes]
    n = n_classes * n_each
    labelings = np.stack([codes[:n], *(rng.permutation(codes[:n]) for _ in range(k - 1))])
    return x[:n], x[n:], labelings


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("c", [1e-3, 1.0])
def test_votes_are_those_of_svc(rng, n_classes, c):
    x, other, codes = make(rng, n_classes)
    made = guess_classes(
        x @ x.T, other @ x.T, codes, Classifier(c=c), n_classes=n_classes, n_units=40
    )
    for row, found in zip(codes, made.guess, strict=True):
        expected = SVC(kernel="linear", C=c, tol=1e-6).fit(x, row).predict(other)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("c", [0.05, 1.0])
def test_votes_of_weighted_classes_are_those_of_svc(rng, c):
    n_each = [4, 9, 16]
    codes = np.repeat([0, 1, 2], n_each)
    labelings = np.stack([codes, *(rng.permutation(codes) for _ in range(5))])
    x = rng.normal(size=(len(codes) + 20, 30))
    x[: len(codes)] += 0.4 * rng.normal(size=(3, 30))[codes]
    x, other = x[: len(codes)], x[len(codes) :]
    made = guess_classes(
        x @ x.T,
        other @ x.T,
        labelings,
        Classifier(c=c, is_weighted=True),
        n_classes=3,
        n_units=30,
    )
    for k, row in enumerate(labelings):
        model = SVC(
            kernel="linear",
            C=c,
            tol=1e-8,
            class_weight="balanced",
            decision_function_shape="ovo",
        ).fit(x, row)
        np.testing.assert_allclose(
            made.values[:, k], model.decision_function(other).T, rtol=0, atol=1e-4
        )
        np.testing.assert_array_equal(made.guess[k], model.predict(other))


def test_shares_are_one_where_a_pair_are_all_classes():
    codes = np.array([[0, 0, 1, -1], [1, 1, 1, -1], [-1, -1, -1, -1]])
    np.testing.assert_array_equal(shares_of(codes, (0, 1))[:1], 1)
    assert np.isfinite(shares_of(codes, (0, 1))).all()
    np.testing.assert_array_equal(shares_of(codes[2:], (0, 1)), 1)
    np.testing.assert_array_equal(shares_of(np.empty((2, 0), dtype=int), (0, 1)), 1)


@pytest.mark.parametrize("kind", KINDS)
def test_labelings_of_their_own_samples_are_decided_as_one_by_one(rng, kind):
    x, other, codes = make(rng, 3, k=9)
    signs = ((codes == 0).astype(np.int8) - (codes == 2)).T  # class 1 is no part
    classifier = Classifier(kind=kind)
    train, cross = x @ x.T, other @ x.T
    found = decide(train, cross, signs, classifier, n_units=40)
    for k in range(signs.shape[1]):
        own = signs[:, k] != 0
        one = decide(
            train[np.ix_(own, own)], cross[:, own], signs[own][:, [k]], classifier, n_units=40
        )
        np.testing.assert_allclose(found[:, k], one[:, 0], atol=1e-3 if "svm" in kind else 1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_other_names_of_two_classes_turn_the_sign(rng, kind):
    x, other, codes = make(rng, 2)
    signs = (1 - 2 * codes).astype(np.int8).T
    args = x @ x.T, other @ x.T
    how = {"classifier": Classifier(kind=kind), "n_units": 40}
    found, turned = (decide(*args, one, **how) for one in (signs, -signs))
    np.testing.assert_allclose(found, -turned, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_one_class_alone_is_the_answer(rng, kind):
    x, other, _ = make(rng, 2)
    signs = np.zeros((len(x), 3), dtype=np.int8)
    signs[:4, 0], signs[:, 1] = 1, -1
    made = decide(x @ x.T, other @ x.T, signs, Classifier(kind=kind), n_units=40)
    np.testing.assert_array_equal(made, np.broadcast_to([1.0, -1.0, 0.0], made.shape))


def test_weighted_classes_are_those_of_scikit_learn(rng):
    x, other, codes = make(rng, 2)
    row = codes[0].copy()
    row[:5] = 0  # more of one than of the other
    signs = (1 - 2 * row).astype(np.int8)[:, None]
    classifier = Classifier(c=0.01, is_weighted=True)
    found = decide(x @ x.T, other @ x.T, signs, classifier, n_units=40)
    model = SVC(kernel="linear", C=0.01, class_weight="balanced", tol=1e-6).fit(x, signs[:, 0])
    np.testing.assert_allclose(found[:, 0], model.decision_function(other), atol=1e-4)
    costs = costs_of(signs[None], classifier)
    np.testing.assert_allclose(costs.sum(), 0.01 * len(x))


def test_several_classes_of_lda_vote_as_one_against_one(rng):
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    x, other, codes = make(rng, 4)
    model = OneVsOneClassifier(LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.4))
    classifier = Classifier(kind="lda", shrinkage=0.4)
    made = guess_classes(x @ x.T, other @ x.T, codes, classifier, n_classes=4, n_units=40)
    decided = model.fit(x, codes[0])
    votes = np.zeros((len(other), 4))
    for pair, (one, values) in enumerate(zip(decided.estimators_, made.values, strict=True)):
        first, second = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)][pair]
        np.testing.assert_allclose(values[0], -one.decision_function(other), atol=1e-5)
        votes[:, first] += values[0] > 0
        votes[:, second] += values[0] <= 0
    np.testing.assert_array_equal(made.guess[0], votes.argmax(axis=1))


def test_candidates_keep_the_order_of_the_grid():
    grid = {"gamma": (0.1, 1.0), "c": (1.0, 10.0)}
    found = [(one.c, one.gamma) for one in candidates(Classifier(kind="svm-rbf"), grid)]
    assert found == [(1.0, 0.1), (1.0, 1.0), (10.0, 0.1), (10.0, 1.0)]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"kind": "svm"}, "no classifier 'svm'"),
        ({"c": 0.0}, "c is 0.0"),
        ({"shrinkage": 1.5}, "shrinkage is 1.5"),
        ({"alpha": -1.0}, "alpha is -1.0"),
        ({"kind": "ridge", "is_weighted": True}, "'ridge' cannot weight"),
    ],
)
def test_what_a_classifier_cannot_be_is_refused(told, words):
    with pytest.raises(ConfigError, match=words):
        Classifier(**told)


def test_a_parameter_that_a_classifier_lacks_cannot_be_searched():
    with pytest.raises(ConfigError, match="search names 'gamma' with 1 value"):
        candidates(Classifier(), {"gamma": (1.0,)})


@pytest.mark.parametrize("c", [1.0, 100.0])
def test_a_mean_that_all_patterns_share_does_not_matter(rng, c):
    x, other, codes = make(rng, 2, n_units=100)
    signs = (1 - 2 * codes).astype(np.int8).T
    classifier = Classifier(c=c)
    plain = decide(x @ x.T, other @ x.T, signs, classifier, n_units=100)
    far, near = x + 100, other + 100
    moved = decide(far @ far.T, near @ far.T, signs, classifier, n_units=100)
    np.testing.assert_allclose(moved, plain, atol=1e-3)
