"""analyses.decode.classifiers.turns: what is wrong is turned over, and sums stay whole."""

import numpy as np
import pytest

from bids_dnn.analyses.decode.classifiers.turns import Problem, begin, spread_of, turn


def problem_of(gram, signs, c):
    n = len(gram)
    lines = np.stack([signs, np.full(n, c), np.zeros(n)])
    return Problem(gram, *lines, np.empty((4, n)), np.empty((n, n)), np.empty(n, np.int64))


@pytest.mark.parametrize("first", ["least squares", "all free", "all at the cost", "none"])
def test_the_optimum_does_not_hang_on_where_turns_begin(rng, first):
    x = rng.normal(size=(21, 60))
    signs = np.where(np.arange(21) % 3, 1.0, -1.0)  # 14 and 7: no sum of zero with all at the cost
    one = problem_of(x @ x.T, signs, 0.02)
    spread = spread_of(one)
    assert spread == pytest.approx(((x - x.mean(axis=0)) ** 2).sum() / 21)
    states = {"all free": 0, "all at the cost": 1, "none": -1}
    state = np.full(21, states.get(first, 0), dtype=np.int8)
    if first == "least squares":
        begin(one, state)
    is_done, bias = turn(one, state, 1e-9 * spread, 1e-7 / spread)
    assert is_done or first == "none"
    if not is_done:
        return
    margin = signs * (x @ x.T @ one.beta + bias)
    length = signs * one.beta
    assert abs(one.beta.sum()) < 1e-9
    assert (margin[length < 1e-9] > 1 - 1e-6).all()
    assert (margin[length > 0.02 - 1e-9] < 1 + 1e-6).all()
    np.testing.assert_allclose(margin[(length > 1e-9) & (length < 0.02 - 1e-9)], 1, atol=1e-6)


def test_what_does_not_vary_has_no_spread():
    assert spread_of(problem_of(np.full((4, 4), 3.0), np.ones(4), 1.0)) == 0
