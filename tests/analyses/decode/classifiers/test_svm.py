"""analyses.decode.classifiers.svm: the machines of libsvm, many at once."""

import numpy as np
import pytest
from sklearn.svm import SVC

from bids_dnn.analyses.decode.classifiers import svm
from bids_dnn.analyses.decode.classifiers.svm import fit_exactly, fit_machines


def make(rng, *, n=40, n_units=100, k=12, effect=0.3):
    """Make inner products of training and test samples, and labelings of the former."""
    truth = np.where(np.arange(n + 10) % 2, 1.0, -1.0)
    x = rng.normal(size=(n + 10, n_units)) + effect * np.outer(truth, rng.normal(size=n_units))
    signs = np.column_stack([truth[:n], *(rng.permutation(truth[:n]) for _ in range(k - 1))])
    gram = x @ x.T
    return gram[:n, :n], gram[n:, :n], signs


def by_svc(train, cross, signs, c, *, weights=None):
    made = []
    for k, row in enumerate(signs.T):
        own = row != 0
        model = SVC(kernel="precomputed", C=c, tol=1e-6)
        weight = None if weights is None else weights[own, k]
        model.fit(train[np.ix_(own, own)], row[own], sample_weight=weight)
        made.append(model.decision_function(cross[:, own]))
    return np.array(made).T


def decisions(machines, cross):
    return cross @ machines.dual[0] + machines.intercept[0]


@pytest.mark.parametrize("n_units", [5, 30, 100, 400])
@pytest.mark.parametrize("c", [1e-4, 1e-2, 1.0])
def test_decisions_are_those_of_svc(rng, n_units, c):
    train, cross, signs = make(rng, n_units=n_units)
    expected = by_svc(train, cross, signs, c)
    found = decisions(fit_machines(train[None], signs[None], c), cross)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)
    exact = decisions(fit_exactly(train[None], signs[None], c), cross)
    np.testing.assert_allclose(exact, expected, rtol=0, atol=1e-6)


def test_samples_that_are_no_part_of_a_labeling_teach_nothing(rng):
    train, cross, signs = make(rng)
    signs[rng.random(signs.shape) < 0.3] = 0
    found = fit_machines(train[None], signs[None], 1.0)
    expected = by_svc(train, cross, signs, 1.0)
    np.testing.assert_allclose(decisions(found, cross), expected, rtol=0, atol=1e-3)
    assert (found.dual[0][signs == 0] == 0).all()


def test_each_sample_may_have_its_cost(rng):
    train, cross, signs = make(rng, n_units=20)
    costs = rng.uniform(0.05, 2, size=signs.shape)
    found = fit_machines(train[None], signs[None], costs[None])
    expected = by_svc(train, cross, signs, 1.0, weights=costs)
    np.testing.assert_allclose(decisions(found, cross), expected, rtol=0, atol=1e-3)


def test_several_gram_matrices_are_fitted_as_one_by_one(rng):
    parts = [make(rng, n_units=n, k=3) for n in (20, 60, 200)]
    grams, signs = (np.stack([part[place] for part in parts]) for place in (0, 2))
    found = fit_machines(grams, signs, 0.5)
    for place, (train, cross, own) in enumerate(parts):
        made = cross @ found.dual[place] + found.intercept[place]
        np.testing.assert_allclose(made, by_svc(train, cross, own, 0.5), rtol=0, atol=1e-3)


def test_the_optimum_fulfills_its_conditions(rng):
    train, _, signs = make(rng, n_units=15)
    c = 0.3
    found = fit_machines(train[None], signs[None], c)
    dual, intercept = found.dual[0], found.intercept[0, 0]
    np.testing.assert_allclose(dual.sum(axis=0), 0, atol=1e-3 * c)
    margin = signs * (train @ dual + intercept)
    size = np.abs(dual)
    assert (size <= c * (1 + 1e-6)).all()
    assert (signs * dual >= -1e-9).all()
    np.testing.assert_allclose(margin[(size > 1e-3 * c) & (size < 0.999 * c)], 1, atol=1e-3)
    assert (margin[size == 0] >= 1 - 1e-3).all()
    assert (margin[size >= c * (1 - 1e-9)] <= 1 + 1e-3).all()


def test_without_a_free_support_vector_the_intercept_is_the_middle_as_in_libsvm():
    x = np.array([[0.0], [0.1], [1.0], [1.1]])
    signs = np.array([1.0, 1.0, -1.0, -1.0])[:, None]
    c = 0.01  # all samples lie at the bound
    found = fit_machines((x @ x.T)[None], np.repeat(signs, 6, axis=1)[None], c)
    model = SVC(kernel="linear", C=c, tol=1e-6).fit(x, signs[:, 0])
    np.testing.assert_allclose(np.abs(found.dual), c)
    np.testing.assert_allclose(found.intercept, model.intercept_[0], atol=1e-6)


def test_a_labeling_of_one_class_answers_with_it(rng):
    train, cross, _ = make(rng)
    signs = np.zeros((40, 3))
    signs[:, 0], signs[5:, 1] = 1, -1
    found = decisions(fit_machines(train[None], signs[None], 1.0), cross)
    expected = np.broadcast_to([1.0, -1.0, 0.0], found.shape)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_what_steps_do_not_reach_is_left_to_libsvm(rng, monkeypatch):
    train, cross, signs = make(rng, n_units=5)
    expected = by_svc(train, cross, signs, 1.0)
    for name in ("ROUGH", "FINE"):
        monkeypatch.setattr(svm, name, 1)
    called = []
    monkeypatch.setattr(svm, "_by_libsvm", lambda *a, **k: called.append(0) or by_libsvm(*a, **k))
    found = decisions(fit_machines(train[None], signs[None], 1.0), cross)
    assert called
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)


by_libsvm = svm._by_libsvm


def test_what_libsvm_does_not_finish_is_fitted_all_the_same(rng, monkeypatch):
    train, cross, signs = make(rng, n_units=5, k=3)
    expected = by_svc(train, cross, signs, 1.0)
    monkeypatch.setattr(svm, "MOST", 5)
    found = decisions(fit_exactly(train[None], signs[None], 1.0), cross)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_the_unit_of_patterns_does_not_matter(rng, factor):
    train, cross, signs = make(rng)
    once = decisions(fit_machines(train[None], signs[None], 1.0), cross)
    again = fit_machines(factor * train[None], signs[None], 1.0 / factor)
    np.testing.assert_allclose(decisions(again, factor * cross), once, rtol=0, atol=1e-3)


def test_samples_that_do_not_vary_are_still_answered():
    found = fit_machines(np.zeros((1, 6, 6)), np.tile([1.0, -1.0], 3)[None, :, None], 1.0)
    assert np.isfinite(found.intercept).all()
    np.testing.assert_allclose(found.intercept, 0, atol=1e-6)
