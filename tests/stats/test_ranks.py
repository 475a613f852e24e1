"""stats.ranks: scipy, all signs, ties and zeros, uniform p under noise."""

import numpy as np
import pytest
from scipy import stats

from bids_dnn.stats.inference import sign_flip
from bids_dnn.stats.ranks import signed_rank


@pytest.mark.parametrize("n", [1, 2, 5, 12, 30, 49])
def test_p_is_the_exact_one_of_scipy(rng, n):
    values = rng.normal(0.3, size=n)
    expected = stats.wilcoxon(values, alternative="greater", method="exact").pvalue
    assert signed_rank(values)[0] == pytest.approx(expected)


def test_ties_are_counted_over_all_signs():
    """Where ranks are shared, the p is that of flipping the signs of the shared ranks."""
    values = np.array([0.1, 0.1, -0.1, 0.2, 0.2, 0.3, -0.3, 0.4])
    ranks = np.sign(values) * stats.rankdata(np.abs(values))
    assert signed_rank(values) == pytest.approx(sign_flip(ranks, 0))


def test_zeros_are_left_out(rng):
    values = np.array([0.0, 0.5, np.nan, 0.25, 0.0, -0.1])
    assert signed_rank(values) == signed_rank(np.array([0.5, 0.25, -0.1])) == (0.25, 0.125)
    expected = stats.wilcoxon(
        [0.0, 0.5, 0.25, 0.0, -0.1],
        alternative="greater",
        zero_method="wilcox",
        method=stats.PermutationMethod(n_resamples=np.inf),
    )
    assert signed_rank(values)[0] == pytest.approx(expected.pvalue)


def test_rounding_does_not_part_ties():
    values = np.array([0.6 - 0.5, 0.7 - 0.6, -(0.9 - 0.8), 0.35])
    assert signed_rank(values) == signed_rank(np.array([0.1, 0.1, -0.1, 0.35]))


def test_scale_and_order_do_not_matter(rng):
    values = rng.normal(0.5, size=9)
    for scale in (3.0, 1e-12, 1e9):
        assert signed_rank(scale * values[::-1]) == signed_rank(values)


def test_many_agree_with_the_normal_approximation(rng):
    values = rng.normal(0.1, size=300)
    expected = stats.wilcoxon(values, alternative="greater", method="asymptotic").pvalue
    assert signed_rank(values)[0] == pytest.approx(expected, rel=0.02)


def test_p_is_uniform_under_noise(rng):
    p = np.array([signed_rank(row)[0] for row in rng.normal(size=(400, 10))])
    for level in (0.1, 0.25, 0.5):
        assert np.mean(p <= level) <= level + 3.5 * np.sqrt(level * (1 - level) / 400)
        assert np.mean(p <= level) >= level - 0.03 - 3.5 * np.sqrt(level * (1 - level) / 400)


def test_nothing_tells_nothing():
    assert np.isnan(signed_rank(np.array([np.nan]))).all()
    assert signed_rank(np.zeros(3)) == (1.0, 1.0)
