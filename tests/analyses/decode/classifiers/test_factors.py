"""analyses.decode.classifiers.factors: numpy's factors and solutions, in part of a matrix."""

import numpy as np
import pytest

from bids_dnn.analyses.decode.classifiers.factors import factorize, invert_factor, substitute


@pytest.mark.parametrize("n", [1, 2, 3, 8, 13, 40])
def test_factors_and_solutions_are_those_of_numpy(rng, n):
    x = rng.normal(size=(n, n + 3))
    matrix = np.full((n + 2, n + 2), np.nan)
    matrix[:n, :n] = x @ x.T
    right = rng.normal(size=(2, n + 1))
    expected = np.linalg.solve(matrix[:n, :n], right[:, :n].T).T
    factor = np.linalg.cholesky(matrix[:n, :n])
    assert factorize(matrix, n)
    np.testing.assert_allclose(np.tril(matrix[:n, :n]), factor, atol=1e-10)
    kept = right[:, n].copy()
    substitute(matrix, n, *right)
    np.testing.assert_allclose(right[:, :n], expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(right[:, n], kept)


@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_what_is_not_positive_has_no_factor(n):
    assert not factorize(-np.eye(n), n)
    assert not factorize(np.full((n, n), np.nan), n)
    bad = np.eye(n)
    bad[-1, -1] = 0.0
    assert not factorize(bad, n)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 12, 41])
def test_the_inverse_of_a_factor_is_that_of_numpy(rng, n):
    x = rng.normal(size=(n, n + 3))
    matrix, found = x @ x.T, np.full((n, n), np.nan)
    expected = np.linalg.inv(matrix)
    assert factorize(matrix, n)
    invert_factor(matrix, n, found)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9)
