"""stats.rank_correlation: the rho of scipy, row by row."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from bids_dnn.stats.rank_correlation import spearman, standard_ranks


@pytest.mark.parametrize("ties", [1, 10])
def test_spearman_is_that_of_scipy(rng, ties):
    first, second = rng.integers(40 // ties, size=(2, 30, 8)) / 7
    expected = [spearmanr(a, b).statistic for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(spearman(first, second), expected, atol=1e-12)
    assert np.isnan(spearman(np.ones((1, 5)), np.arange(5.0)[None]))[0]


def test_what_differs_by_rounding_alone_is_a_tie():
    first = np.array([[0.3, 0.1 + 0.2, 0.5, 0.7]])
    expected = spearmanr([0.3, 0.3, 0.5, 0.7], [1, 2, 3, 4]).statistic
    assert spearman(first, np.arange(4.0)[None])[0] == pytest.approx(expected)


def test_ranks_have_length_one_and_flat_rows_none(rng):
    rows = rng.normal(size=(5, 7))
    rows[2] = 1
    ranks = standard_ranks(rows)
    assert np.isnan(ranks[2]).all()
    known = np.delete(ranks, 2, axis=0)
    np.testing.assert_allclose(np.linalg.norm(known, axis=1), 1)
    np.testing.assert_allclose(known.sum(axis=1), 0, atol=1e-12)
