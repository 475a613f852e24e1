"""stats.prevalence: closed forms, all combinations, coverage, numeric integration, refusals."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from bids_dnn.errors import NotEnoughDataError, ShapeError
from bids_dnn.stats.prevalence import attained_level, estimate_prevalence, minimum_statistic

RANDOM, EVERY = False, True


def minimum(observed, null, *, has_all=RANDOM, **choices):
    enumerated = np.full(observed.shape, has_all)
    return minimum_statistic(observed, null, enumerated=enumerated, **choices)


@pytest.mark.parametrize(("n", "n_permutations"), [(5, 19), (12, 99), (24, 999)])
def test_participants_above_all_of_their_null_prove_the_most(n, n_permutations):
    """The closed form of the paper, with all participants at the top of 1 + n permutations."""
    made = minimum(np.ones((1, n)), np.zeros((1, n, n_permutations)))
    p1 = 1 / (n_permutations + 1)
    expected = (0.05 ** (1 / n) - p1) / (1 - p1)
    np.testing.assert_allclose(made.p, p1**n, rtol=1e-9)
    np.testing.assert_allclose(made.bound, expected)
    np.testing.assert_allclose(made.largest, expected)
    least = max(1 / 10_001, p1**n)
    left = (0.05 - least) / (1 - least)
    np.testing.assert_allclose(made.largest_corrected, (left ** (1 / n) - p1) / (1 - p1))


def test_p_is_that_of_all_combinations(rng):
    null = rng.normal(size=(1, 4, 5))
    observed = null[:, :, 0] + 0.7
    whole = np.concatenate([observed[..., None], null], axis=2)[0]
    lowest = np.array([min(one) for one in product(*whole)])  # 6^4 combinations
    np.testing.assert_allclose(
        minimum(observed, null).p, np.mean(lowest >= observed.min() - 1e-12)
    )


def test_the_correction_is_that_of_all_combinations(rng):
    """Enumerated permutations of three participants in two tests, one of another scale."""
    scale = np.array([1.0, 50.0])[:, None, None]
    null = rng.normal(size=(2, 3, 8)) * scale + scale
    observed = null[:, :, 3]  # the identity may stand anywhere
    made = minimum(observed, null, has_all=EVERY, n_draws=40_000)
    lowest = np.array([null[:, range(3), one].min(axis=1) for one in product(range(8), repeat=3)])
    p = np.array([(lowest >= one - 1e-9).mean(axis=0) for one in lowest])  # (512, 2)
    expected = [(p.min(axis=1) <= own + 1e-9).mean() for own in made.p]
    assert (made.p_corrected >= made.p).all()
    error = 4 * np.sqrt(np.array(expected) * (1 - np.array(expected)) / 40_000)
    assert (np.abs(made.p_corrected - expected) <= error + 1 / 40_000).all()


def test_one_test_needs_no_correction(rng):
    null = rng.normal(size=(1, 6, 50))
    made = minimum(null[:, :, 0] + 0.4, null, n_draws=20_000)
    assert abs(made.p_corrected - made.p)[0] < 4 * np.sqrt(made.p[0] / 20_000) + 1e-4


def test_the_scale_of_a_test_does_not_matter(rng):
    null = rng.normal(size=(3, 5, 20))
    observed = rng.normal(1.5, size=(3, 5))
    scale = np.array([1.0, 1e3, 30.0])[:, None]
    one = minimum(observed, null)
    two = minimum(observed * scale + 7, null * scale[..., None] + 7)
    tiny = minimum(observed * 1e-9, null * 1e-9)
    np.testing.assert_allclose(tiny.p, one.p)
    np.testing.assert_allclose(two.p_corrected, one.p_corrected)
    np.testing.assert_allclose(two.bound_corrected, one.bound_corrected)


def test_single_precision_makes_no_score_surprising():
    """A score that all permutations reach has p = 1, however its digits were kept."""
    null = np.full((1, 4, 9), 19 / 30, dtype=np.float32)
    made = minimum(np.full((1, 4), 0.633333334), null)
    assert made.p == 1
    assert np.isnan(made.bound)
    assert np.isfinite(made.largest)


def test_what_is_missing_is_no_part_of_a_test(rng):
    null = rng.normal(size=(1, 5, 20))
    observed = rng.normal(2, size=(1, 5))
    holed, short = observed.copy(), null.copy()
    holed[0, 1] = np.nan
    short[0, 3] = np.nan
    made = minimum(holed, short)
    alone = minimum(observed[:, [0, 2, 4]], null[:, [0, 2, 4]])
    assert made.n_participants == 3
    np.testing.assert_allclose(made.p, alone.p)
    np.testing.assert_allclose(made.bound, alone.bound)
    nothing = minimum(np.full((1, 5), np.nan), null)
    assert nothing.n_participants == 0
    assert np.isnan([nothing.p, nothing.p_corrected, nothing.bound, nothing.largest]).all()


def test_fewer_permutations_stand_padded(rng):
    null = rng.normal(size=(1, 4, 30))
    null[0, 2, 10:] = np.nan
    observed = np.full((1, 4), 9.0)
    np.testing.assert_allclose(minimum(observed, null).p, 1 / (31**3 * 11), rtol=1e-9)


def test_order_and_seed(rng):
    null, observed = rng.normal(size=(2, 6, 40)), rng.normal(1, size=(2, 6))
    one, two = minimum(observed, null, seed=4), minimum(observed, null, seed=4)
    np.testing.assert_array_equal(one.p_corrected, two.p_corrected)
    mixed = minimum(observed[:, ::-1], null[:, ::-1], seed=4)
    np.testing.assert_allclose(mixed.p, one.p)
    np.testing.assert_allclose(mixed.bound, one.bound)


@pytest.mark.parametrize("prevalence", [0.0, 0.3, 0.7])
def test_the_bound_covers(prevalence):
    """Of 600 experiments, at most 5 % (and the Monte Carlo error) claim too much."""
    rng = np.random.default_rng(0)
    n_sets, n, n_permutations = 600, 8, 49
    has_effect = rng.random((n_sets, n)) < prevalence
    observed = rng.normal(size=(n_sets, n)) + 6 * has_effect
    null = rng.normal(size=(n_sets, n, n_permutations))
    made = minimum(observed, null, n_draws=1)  # bounds one by one
    wrong = np.mean(made.bound > prevalence)  # NaN claims nothing
    assert wrong <= 0.05 + 3.8 * np.sqrt(0.05 * 0.95 / n_sets)
    if prevalence == 0.7:
        assert np.mean(made.bound > 0.1) > 0.2  # and it does claim something


@pytest.mark.parametrize("prevalence", [0.0, 0.4])
def test_corrected_bounds_hold_for_all_tests_without_and_for_each_with_effects(prevalence):
    rng = np.random.default_rng(1)
    n_sets, n_tests, n = 300, 5, 8
    wrong = np.zeros((n_sets, n_tests), dtype=bool)
    for one in wrong:
        has_effect = rng.random((n_tests, n)) < prevalence
        observed = rng.normal(size=(n_tests, n)) + 6 * has_effect
        made = minimum(observed, rng.normal(size=(n_tests, n, 49)), n_draws=300)
        one[:] = made.bound_corrected > prevalence
    rate = wrong.mean() if prevalence else wrong.any(axis=1).mean()
    assert rate <= 0.05 + 3.8 * np.sqrt(0.05 * 0.95 / n_sets)


def test_unlike_participants_do_not_make_the_bound_liberal():
    """Where some reach the minimum easily, the geometric mean of the paper would claim more."""
    null = np.zeros((1, 4, 99))
    null[0, 0, :60] = 2.0  # a broad null
    made = minimum(np.ones((1, 4)), null)
    shares = np.array([0.61, 0.01, 0.01, 0.01])
    mean = shares.prod() ** (1 / 4)
    assert made.bound < (0.05 ** (1 / 4) - mean) / (1 - mean)
    np.testing.assert_allclose(np.prod((1 - made.bound) * shares + made.bound), 0.05)


def test_shapes_and_empty_nulls_are_refused():
    with pytest.raises(ShapeError, match=r"\(2, 3\).*\(2, 4, 5\)"):
        minimum(np.zeros((2, 3)), np.zeros((2, 4, 5)))
    with pytest.raises(NotEnoughDataError, match="no permutation"):
        minimum(np.zeros((2, 3)), np.zeros((2, 3, 0)))


# --- the Bayesian estimate


@pytest.mark.parametrize(
    ("k", "n", "alpha"),
    [(0, 12, 0.05), (1, 30, 0.05), (7, 12, 0.01), (12, 12, 0.05), (20, 21, 0.04)],
)
def test_the_posterior_agrees_with_numeric_integration(k, n, alpha):
    share = np.linspace(0, 1, 200_001)
    density = stats.binom.pmf(k, n, alpha + (1 - alpha) * share)
    density /= density.sum()
    made = estimate_prevalence(k, n, alpha=alpha)
    assert made.mean == pytest.approx(density @ share, abs=1e-4)
    assert made.mode == pytest.approx(share[density.argmax()], abs=1e-4)
    order = np.argsort(-density, kind="stable")
    inside = share[order[: np.searchsorted(density[order].cumsum(), 0.95) + 1]]
    assert made.low == pytest.approx(inside.min(), abs=1e-4)
    assert made.high == pytest.approx(inside.max(), abs=1e-4)


def test_the_interval_covers_as_often_as_it_says():
    """Over the prior, 95 % of intervals hold the truth, by the meaning of a posterior."""
    rng = np.random.default_rng(2)
    n, n_sets = 15, 2000
    made = [estimate_prevalence(k, n, alpha=0.05) for k in range(n + 1)]
    truth = rng.random(n_sets)
    counts = rng.binomial(n, 0.05 + 0.95 * truth)
    inside = [made[k].low <= g <= made[k].high for k, g in zip(counts, truth, strict=True)]
    assert abs(np.mean(inside) - 0.95) < 4 * np.sqrt(0.95 * 0.05 / n_sets)


def test_more_significant_participants_mean_more_prevalence():
    made = [estimate_prevalence(k, 20, alpha=0.05) for k in range(21)]
    for name in ("mode", "mean", "low", "high"):
        values = [getattr(one, name) for one in made]
        assert np.all(np.diff(values) >= -1e-9)
        assert values[0] >= 0
        assert values[-1] <= 1


def test_nobody_tells_nothing():
    assert np.isnan(estimate_prevalence(0, 0, alpha=0.05).mode)
    assert np.isnan(estimate_prevalence(0, 5, alpha=np.nan).high)
    with pytest.raises(ShapeError, match="6 of 5"):
        estimate_prevalence(6, 5, alpha=0.05)


def test_levels_are_those_that_permutations_can_attain():
    assert attained_level(0.05, np.array([1 / 1000])) == pytest.approx(0.05)
    assert attained_level(0.05, np.array([1 / 16])) != attained_level(0.05, np.array([1 / 20]))
    assert np.isnan(attained_level(0.05, np.array([1 / 16])))
    assert attained_level(0.05, np.array([1 / 64])) == 3 / 64
