"""analyses.decode.classifiers.leaving: libsvm's decisions in every fold, edges of classes."""

import numpy as np
import pytest
from sklearn.svm import SVC

from bids_dnn.analyses.decode.classifiers import leaving
from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.classifiers.leaving import decide_left_out
from bids_dnn.stats.folds import Fold, leave_one_run_out

RUNS = np.repeat(np.arange(6), 9)
FOLDS = leave_one_run_out(RUNS.astype(str).astype(object))
N_LABELINGS = 8


def make_case(rng, n_units, *, scale=1.0, is_even=True):
    """Return patterns without their mean, and labelings with samples of their own."""
    n = len(RUNS)
    x = rng.normal(size=(n, n_units)) + rng.normal(size=(n, 3)) @ rng.normal(size=(3, n_units))
    x = scale * (x - x.mean(axis=0))
    classes = np.tile(np.repeat([1, -1, 0], 3 if is_even else [5, 2, 2]), 6).reshape(6, -1)
    signs = np.array([rng.permuted(classes, axis=1).ravel() for _ in range(N_LABELINGS)])
    return x, signs


def by_sklearn(x, signs, folds, *, costs, is_weighted=False):
    """Return the decisions of one machine after another; those of all samples in a test set."""
    made = np.zeros(signs.shape)
    for k, own in enumerate(signs):
        for fold, cost in zip(folds, costs, strict=True):
            rows = np.flatnonzero(fold.train & (own != 0))
            weights = "balanced" if is_weighted else None
            model = SVC(kernel="linear", C=cost, tol=1e-7, class_weight=weights)
            model.fit(x[rows], own[rows])
            made[k, fold.test] = model.decision_function(x[fold.test])
    return made


CASES = [
    (120, 1.0, 1.0),
    (120, 0.1, 1.0),  # many support vectors at the cost
    (120, 30.0, 1.0),  # none
    (38, 1.0, 1.0),  # about as many units as samples
    (30, 1.0, 0.3),  # fewer
    (8, 0.5, 1.0),
    (60, 1.0, 0.03),
]
ALL_AT_THE_COST = (120, 0.02, 1.0)  # of unequal costs, libsvm's rounding decides the intercept


@pytest.mark.parametrize(
    ("n_units", "scale", "c", "is_weighted"),
    [(*case, is_weighted) for case in CASES for is_weighted in (False, True)]
    + [(*ALL_AT_THE_COST, False)],
)
def test_decisions_are_those_of_libsvm(rng, n_units, scale, c, is_weighted):
    x, signs = make_case(rng, n_units, scale=scale, is_even=not is_weighted)
    factors = rng.uniform(0.7, 1.4, size=len(FOLDS))
    found = decide_left_out(
        x @ x.T,
        factors,
        FOLDS,
        signs,
        np.ones(signs.shape, dtype=bool),
        Classifier(c=c, is_weighted=is_weighted),
        n_units=n_units,
    )
    # of inner products that are f times as large, a cost is as one of f times that on these
    expected = by_sklearn(x, signs, FOLDS, costs=c * factors, is_weighted=is_weighted)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_folds_may_leave_any_samples_out_and_test_others(rng):
    x, signs = make_case(rng, 90)
    folds = []
    for number in range(3):  # what two of them test is decided by the last
        test = rng.random(len(RUNS)) < 0.3
        folds.append(Fold(str(number), ~test & (rng.random(len(RUNS)) < 0.8), test))
    told = rng.random(signs.shape) < 0.8
    found = decide_left_out(x @ x.T, np.ones(3), folds, signs, told, Classifier(), n_units=90)
    expected = by_sklearn(x, signs, folds, costs=np.ones(3))
    np.testing.assert_allclose(found, np.where(told, expected, 0), rtol=0, atol=1e-4)


def test_a_fold_without_two_classes_answers_with_the_one_it_has(rng):
    x, signs = make_case(rng, 60)
    of_one, of_none = signs.copy(), np.zeros_like(signs)
    of_one[(signs < 0) & (RUNS != 2)] = 0  # the second class in one run only
    both = np.concatenate([of_one, of_none])
    found = decide_left_out(
        x @ x.T, np.ones(6), FOLDS, both, np.ones(both.shape, bool), Classifier(), n_units=60
    )
    assert (found[:N_LABELINGS, RUNS == 2] == 1).all()
    assert (found[N_LABELINGS:] == 0).all()
    rest = RUNS != 2
    expected = by_sklearn(x, of_one, [fold for fold in FOLDS if fold.test[0]], costs=[1.0])
    np.testing.assert_allclose(
        found[:N_LABELINGS, RUNS == 0], expected[:, RUNS == 0], rtol=0, atol=1e-4
    )
    assert np.isfinite(found[:, rest]).all()


def test_copies_among_the_samples_are_decided_as_by_libsvm(rng):
    x, signs = make_case(rng, 70)
    x[9:18] = x[:9]
    x[:, 5] = 0
    told = np.ones(signs.shape, dtype=bool)
    found = decide_left_out(x @ x.T, np.ones(6), FOLDS, signs, told, Classifier(), n_units=70)
    expected = by_sklearn(x, signs, FOLDS, costs=np.ones(6))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_patterns_that_do_not_vary_are_answered_as_by_libsvm(rng):
    _, signs = make_case(rng, 5)
    gram, told = np.ones((len(RUNS), len(RUNS))), np.ones(signs.shape, dtype=bool)
    found = decide_left_out(gram, np.ones(6), FOLDS, signs, told, Classifier(), n_units=60)
    expected = by_sklearn(np.ones((len(RUNS), 1)), signs, FOLDS, costs=np.ones(6))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_ordinary_patterns_need_no_libsvm(rng, monkeypatch):
    monkeypatch.setattr(leaving, "by_libsvm", lambda *_: pytest.fail("handed to libsvm"))
    x, signs = make_case(rng, 100)
    told = np.ones(signs.shape, dtype=bool)
    found = decide_left_out(x @ x.T, np.ones(6), FOLDS, signs, told, Classifier(), n_units=100)
    assert (found != 0).all()
