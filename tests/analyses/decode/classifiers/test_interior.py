"""analyses.decode.classifiers.interior: the support vectors of libsvm."""

import numpy as np
import pytest
from sklearn.svm import SVC

from bids_dnn.analyses.decode.classifiers.interior import approach


@pytest.mark.parametrize("n_units", [1, 6, 30, 90])
@pytest.mark.parametrize("c", [0.01, 1.0, 50.0])
def test_support_vectors_are_those_of_libsvm(rng, n_units, c):
    x = rng.normal(size=(60, n_units))
    x -= x.mean(axis=0)
    y = np.tile([1.0, -1.0], 30)
    state = np.zeros(60, dtype=np.int8)
    assert approach(x @ x.T, y, np.full(60, c), state, 1e-9)
    model = SVC(kernel="linear", C=c, tol=1e-6).fit(x, y)
    length = np.zeros(60)
    length[model.support_] = np.abs(model.dual_coef_[0])
    expected = np.where(length <= 1e-7 * c, -1, np.where(length >= c * (1 - 1e-7), 1, 0))
    assert (state != expected).sum() <= 2  # a sample may lie just at a bound


def test_each_sample_has_its_own_cost(rng):
    x = rng.normal(size=(50, 8))
    y = np.tile([1.0, -1.0], 25)
    c = rng.uniform(0.05, 2.0, size=50)
    state = np.zeros(50, dtype=np.int8)
    assert approach(x @ x.T, y, c, state, 1e-9)
    model = SVC(kernel="linear", tol=1e-6).fit(x, y, sample_weight=c)
    length = np.zeros(50)
    length[model.support_] = np.abs(model.dual_coef_[0])
    assert (state != np.where(length <= 1e-7, -1, np.where(length >= c - 1e-7, 1, 0))).sum() <= 2


def test_what_is_no_gram_matrix_is_not_answered():
    nothing, signs = np.full((4, 4), np.nan), np.array([1.0, -1, 1, -1])
    assert not approach(nothing, signs, np.ones(4), np.zeros(4, dtype=np.int8), 1e-9)


def test_short_dual_variables_are_told_apart_at_a_high_cost(rng):
    x = rng.normal(size=(44, 30))  # can just be told apart: no variable comes near its cost
    y = np.tile([1.0, -1.0], 22)
    state = np.zeros(44, dtype=np.int8)
    assert approach(x @ x.T, y, np.full(44, 1e5), state, 1e-9)
    model = SVC(kernel="linear", C=1e5, tol=1e-6).fit(x, y)
    assert np.abs(model.dual_coef_).max() < 1e4
    np.testing.assert_array_equal(np.flatnonzero(state == 0), np.sort(model.support_))
    assert (np.delete(state, model.support_) == -1).all()
