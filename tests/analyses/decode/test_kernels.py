"""analyses.decode.kernels: exactly what scikit-learn's SVC predicts."""

import numpy as np
import pytest
from sklearn.svm import SVC

from bids_dnn.analyses.decode import kernels
from bids_dnn.analyses.decode.kernels import linear_gram, predict_labels
from bids_dnn.analyses.decode.permutation import draw_labelings
from bids_dnn.stats.folds import leave_one_run_out


def make(rng, n_classes, *, n_runs=4, n_each=3, n_units=30):
    labels = np.tile(np.repeat(np.arange(n_classes), n_each), n_runs)
    runs = np.repeat(np.arange(n_runs), n_classes * n_each)
    values = (
        rng.normal(size=(len(labels), n_units))
        + 0.3 * rng.normal(size=(n_classes, n_units))[labels]
    )
    codes = np.vstack([labels, draw_labelings(labels, runs, 8, rng)])
    return values.astype(np.float32), codes, leave_one_run_out(runs)


def by_svc(gram, codes, folds, c):
    guess = np.empty_like(codes)
    for row, told in zip(codes, guess, strict=True):
        for fold in folds:
            model = SVC(kernel="precomputed", C=c)
            model.fit(gram[np.ix_(fold.train, fold.train)], row[fold.train])
            told[fold.test] = model.predict(gram[np.ix_(fold.test, fold.train)])
    return guess


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("c", [1e-3, 1.0, 100.0])
def test_predictions_are_those_of_svc(rng, n_classes, c):
    values, codes, folds = make(rng, n_classes)
    gram = linear_gram(values)
    expected = by_svc(gram, codes, folds, c)
    np.testing.assert_array_equal(predict_labels(gram, codes, folds, c=c), expected)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_ties_fall_as_they_do_in_svc(rng, n_classes):
    values, codes, folds = make(rng, n_classes, n_units=1)
    gram = linear_gram(values.round())  # the same few values over and over
    expected = by_svc(gram, codes, folds, 1.0)
    np.testing.assert_array_equal(predict_labels(gram, codes, folds, c=1.0), expected)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_svc_itself_stands_in_where_libsvm_has_moved(rng, monkeypatch, n_classes):
    values, codes, folds = make(rng, n_classes)
    gram = linear_gram(values)
    expected = predict_labels(gram, codes, folds, c=1.0)

    def moved(*_):
        raise ImportError

    kernels._fitter.cache_clear()
    monkeypatch.setattr(kernels, "_fit_bare", moved)
    assert kernels._fitter() is kernels._fit_public
    np.testing.assert_array_equal(predict_labels(gram, codes, folds, c=1.0), expected)
    kernels._fitter.cache_clear()


def test_libsvm_is_used_bare_here():
    assert kernels._fitter() is kernels._fit_bare


def test_other_names_of_two_classes_give_the_same_hits(rng):
    values, codes, folds = make(rng, 2)
    gram = linear_gram(values)
    hits = predict_labels(gram, codes, folds, c=1.0) == codes
    swapped = predict_labels(gram, 1 - codes, folds, c=1.0) == 1 - codes
    np.testing.assert_array_equal(swapped, hits)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_with_its_number_of_units_the_cost_is_that_for_unit_variance(rng, n_classes):
    values, codes, folds = make(rng, n_classes)
    gram = linear_gram(10 * values + 3)
    found = predict_labels(gram, codes, folds, c=0.1, n_units=30)
    for fold in folds:
        taught = 10.0 * values[fold.train] + 3
        c = 0.1 / taught.var(axis=0).mean()
        expected = by_svc(gram, codes, [fold], c)[:, fold.test]
        np.testing.assert_array_equal(found[:, fold.test], expected)


@pytest.mark.parametrize("factor", [1e-8, 20.0, 1e6])
def test_with_its_number_of_units_the_scale_of_responses_does_not_matter(rng, factor):
    values, codes, folds = make(rng, 2)
    gram = linear_gram(values)
    once = predict_labels(gram, codes, folds, c=1.0, n_units=30)
    again = predict_labels(factor**2 * gram, codes, folds, c=1.0, n_units=30)
    np.testing.assert_array_equal(again, once)


def test_responses_that_do_not_vary_are_still_given_a_label(rng):
    _, codes, folds = make(rng, 2)
    guess = predict_labels(np.full((24, 24), 0.1), codes, folds, c=1.0, n_units=30)
    assert set(np.unique(guess)) <= {0, 1}


def test_the_gram_matrix_is_summed_in_double_precision(rng, monkeypatch):
    values = (1000 + rng.normal(size=(6, 50))).astype(np.float32)
    monkeypatch.setattr(kernels, "BLOCK", 7)
    exact = values.astype(np.float64) @ values.astype(np.float64).T
    np.testing.assert_allclose(linear_gram(values), exact, rtol=1e-14)


def test_a_sample_that_no_fold_tests_is_minus_one(rng):
    values, codes, folds = make(rng, 2)
    guess = predict_labels(linear_gram(values), codes, folds[:1], c=1.0)
    np.testing.assert_array_equal(guess[0] == -1, folds[0].train)
