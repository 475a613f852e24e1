"""stats.power: the noncentral t, the level under the null, pilots, refusals."""

import numpy as np
import pytest
from scipy import stats

from bids_dnn.errors import NotEnoughDataError
from bids_dnn.stats.inference import corrected_t_interval, sign_flip
from bids_dnn.stats.power import Effect, effect_of, flip_p, sd_over_runs, simulate_power

FLIPS, T = 0, 1


def exact(d, n, alpha=0.05):
    return stats.nct.sf(stats.t.isf(alpha, n - 1), n - 1, d * np.sqrt(n))


@pytest.mark.parametrize("d", [0.4, 0.9])
def test_the_t_test_has_the_power_of_the_noncentral_t(d):
    sizes = (5, 10, 20, 30)
    made = simulate_power(Effect(d * 0.1, 0.1), n_participants=sizes, n_simulations=2000)
    expected = np.array([exact(d, n) for n in sizes])
    error = np.sqrt(expected * (1 - expected) / 2000)
    assert (np.abs(made.power[T, 0] - expected) < 4 * error).all()
    assert (made.low <= made.power).all()
    assert (made.power <= made.high).all()
    # flips are about as good; with five participants their level is 1/32
    assert np.abs(made.power[FLIPS] - made.power[T])[:, 1:].max() < 0.08
    assert (made.power[FLIPS, :, 0] < made.power[T, :, 0]).all()


def test_both_tests_hold_their_level_without_an_effect():
    sizes = (3, 4, 5, 8, 15, 24)
    made = simulate_power(Effect(0.0, 1.0), n_participants=sizes, n_simulations=2000)
    assert (made.power <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 2000)).all()
    assert (made.power[FLIPS, 0, :2] == 0).all()  # floors of 1/8 and 1/16
    assert (made.low[FLIPS, 0, :2] == 0).all()
    assert made.high[FLIPS, 0, 0] == pytest.approx(1 - 0.025 ** (1 / 2000))


def test_the_flips_are_those_of_the_group_level(rng):
    for n in (6, 16):
        values = rng.normal(0.4, size=(5, n))
        expected = [sign_flip(row, 2)[0] for row in values]
        np.testing.assert_allclose(flip_p(values, 2), expected)


def test_more_runs_and_more_participants_find_more():
    effect = Effect(0.05, 0.05, 0.2)
    made = simulate_power(effect, n_participants=(6, 12, 24), n_runs=(2, 8, 32))
    for part in made.power:
        assert (np.diff(part, axis=0) >= 0).all()
        assert (np.diff(part, axis=1) >= 0).all()
    d = 0.05 / np.sqrt(0.05**2 + 0.2**2 / 8)
    assert abs(made.power[T, 1, 1] - exact(d, 12)) < 4 * np.sqrt(0.25 / 1000)


def test_units_do_not_matter():
    one = simulate_power(Effect(0.3, 0.4, 0.2), n_participants=(8,), n_runs=(3,))
    two = simulate_power(Effect(30.0, 40.0, 20.0), n_participants=(8,), n_runs=(3,))
    np.testing.assert_array_equal(one.power, two.power)


def test_the_smallest_number_stays_reached():
    sizes = tuple(range(6, 19))
    made = simulate_power(Effect(0.8, 1.0), n_participants=sizes, n_simulations=2000)
    (n,) = made.smallest("t", 0.8)
    true = min(size for size in sizes if exact(0.8, size) >= 0.8)
    assert abs(n - true) <= 1
    assert (made.power[T, 0][sizes.index(n) :] >= 0.8).all()
    assert made.smallest("sign-flip", 1.1) == [None]
    assert made.smallest("t", 0.0) == [6]


def test_a_pilot_is_split_into_its_variances(rng):
    n, n_runs = 3000, 6
    own = rng.normal(0.1, 0.05, n)
    runs = own[:, None] + rng.normal(0, 0.2, (n, n_runs))
    made = effect_of(
        runs.mean(axis=1), run_sd=runs.std(axis=1, ddof=1), n_runs=np.full(n, float(n_runs))
    )
    assert made.mean == pytest.approx(0.1, abs=0.01)
    assert made.between_sd == pytest.approx(0.05, abs=0.01)
    assert made.within_sd == pytest.approx(0.2, abs=0.005)
    assert made.sd(n_runs) == pytest.approx(runs.mean(axis=1).std(ddof=1))


def test_a_pilot_without_runs_keeps_all_variance_between(rng):
    scores = np.append(rng.normal(size=9), np.nan)
    made = effect_of(scores)
    assert made.between_sd == pytest.approx(np.nanstd(scores, ddof=1))
    assert made.within_sd == 0


def test_runs_that_vary_much_leave_nothing_between():
    made = effect_of(np.array([0.1, 0.11]), run_sd=np.ones(2), n_runs=np.full(2, 4.0))
    assert made.between_sd == 0


def test_the_sd_over_runs_is_taken_back_from_intervals(rng):
    runs = rng.normal(0.8, 0.1, size=(4, 5))
    ends = [corrected_t_interval(r, n_test=1, n_train=4, center=r.mean()) for r in runs]
    low, high = np.array(ends).T
    found = sd_over_runs(low, np.minimum(high, 1.0), runs.mean(axis=1), np.full(4, 5))
    np.testing.assert_allclose(found, runs.std(axis=1, ddof=1))
    short = sd_over_runs(np.full(2, np.nan), np.full(2, np.nan), np.ones(2), np.array([2, 5]))
    assert np.isnan(short).all()


def test_designs_of_nobody_and_effects_without_spread_are_refused():
    with pytest.raises(NotEnoughDataError, match="1 participants and 1 runs"):
        simulate_power(Effect(0.1, 0.1), n_participants=(1, 4))
    with pytest.raises(NotEnoughDataError, match="do not vary"):
        simulate_power(Effect(0.1, 0.0), n_participants=(4,))
    with pytest.raises(NotEnoughDataError, match="has 1 participants"):
        effect_of(np.array([0.1, np.nan]))


def test_same_seed_same_bytes():
    one, two = (simulate_power(Effect(0.5, 1), n_participants=(16,), seed=5) for _ in range(2))
    assert one.power.tobytes() == two.power.tobytes()
