"""analyses.decode.classifiers.shifted: numpy's solutions, shared factors, no positive matrix."""

import numpy as np
import pytest

from bids_dnn.analyses.decode.classifiers.shifted import solve_compiled, solve_shifted


@pytest.mark.parametrize("solve", [solve_shifted, solve_compiled])
@pytest.mark.parametrize("n", [1, 6, 13])
def test_solutions_fulfill_their_equations(rng, solve, n):
    x = rng.normal(size=(4, n, 5))
    gram, right = x @ x.mT, rng.normal(size=(4, n, 6))
    scale = rng.uniform(0.1, 2, size=(4, 1, 6))
    shift = rng.uniform(0.1, 2, size=(4, 1, 6))
    scale[:, :, 2:5], shift[:, :, 2:5] = scale[:, :, :1], shift[:, :, :1]  # share a factor
    kept = right.copy()
    found = solve(gram, right, scale, shift)
    for k in range(6):
        matrix = scale[:, :, [k]] * gram + shift[:, :, [k]] * np.eye(n)
        np.testing.assert_allclose((matrix @ found[:, :, [k]])[..., 0], right[:, :, k], atol=1e-9)
    np.testing.assert_array_equal(right, kept)
    one = np.ones((1, 1, 1))
    same = solve(gram, right, one, one)
    np.testing.assert_allclose((gram + np.eye(n)) @ same, right, atol=1e-9)


def test_what_is_not_positive_is_nan():
    one = np.ones((2, 1, 1))
    gram = np.stack([np.eye(3), -5 * np.eye(3)])
    found = solve_compiled(gram, np.ones((2, 3, 3)), one, one)
    np.testing.assert_allclose(found[0], 0.5)
    assert np.isnan(found[1]).all()
