"""stats.loo_ceiling: plain loops, rsatoolbox, closed forms of a simulation, what is missing."""

import numpy as np
import pytest
from scipy.stats import rankdata, t

from bids_dnn.errors import ShapeError
from bids_dnn.stats.loo_ceiling import loo_ceiling


def by_loop(profiles):
    """Return the bounds as they are defined, one participant at a time."""
    z = np.array([(row - row.mean()) / row.std() for row in profiles])
    lower = [
        np.corrcoef(z[i], np.delete(z, i, axis=0).mean(axis=0))[0, 1] for i in range(len(profiles))
    ]
    upper = [np.corrcoef(row, z.mean(axis=0))[0, 1] for row in z]
    return np.array(lower), np.array(upper)


def simulate(rng, *, n_participants=6, n_items=40, reliability=0.5):
    signal = rng.normal(size=n_items)
    noise = rng.normal(size=(n_participants, n_items)) * np.sqrt(1 / reliability - 1)
    return signal, signal + noise


@pytest.mark.parametrize("is_ranked", [False, True])
def test_bounds_are_those_of_a_plain_loop(rng, is_ranked):
    _, profiles = simulate(rng)
    made = loo_ceiling(profiles, is_ranked=is_ranked)
    lower, upper = by_loop(rankdata(profiles, axis=1) if is_ranked else profiles)
    np.testing.assert_allclose(made.with_others, lower)
    np.testing.assert_allclose(made.with_all, upper)
    np.testing.assert_allclose([made.lower, made.upper], [lower.mean(), upper.mean()])
    assert (made.n_participants, made.n_items) == (6, 40)


def test_the_upper_bound_is_the_root_of_the_mean_correlation(rng):
    _, profiles = simulate(rng)
    np.testing.assert_allclose(
        loo_ceiling(profiles).upper, np.sqrt(np.corrcoef(profiles).mean()), rtol=1e-12
    )


def test_bounds_are_those_of_rsatoolbox(rng):
    inference = pytest.importorskip("rsatoolbox.inference")
    rdms = pytest.importorskip("rsatoolbox.rdm")
    _, profiles = simulate(rng, n_participants=5, n_items=8 * 7 // 2)
    profiles -= profiles.min() - 0.1
    made = loo_ceiling(profiles)
    peer = inference.boot_noise_ceiling(rdms.RDMs(profiles), method="corr")
    np.testing.assert_allclose([made.lower, made.upper], peer, rtol=1e-9)
    ranks = rankdata(profiles, axis=1)
    made = loo_ceiling(profiles, is_ranked=True)
    peer = inference.boot_noise_ceiling(rdms.RDMs(ranks), method="corr")
    np.testing.assert_allclose([made.lower, made.upper], peer, rtol=1e-9)
    # It ranks the mean of ranks once more, so that its bound is no higher than this one.
    again = inference.boot_noise_ceiling(rdms.RDMs(profiles), method="spearman")
    assert again[1] <= made.upper
    np.testing.assert_allclose([made.lower, made.upper], again, atol=0.03)


def test_no_model_exceeds_the_upper_bound(rng):
    _, profiles = simulate(rng)
    made = loo_ceiling(profiles)
    for model in rng.normal(size=(200, 40)):
        r = [np.corrcoef(model, row)[0, 1] for row in profiles]
        assert np.mean(r) <= made.upper


def test_the_true_model_lies_between_the_bounds(rng):
    n, reliability, n_draws = 5, 0.4, 400
    found = []
    for _ in range(n_draws):
        signal, profiles = simulate(rng, n_participants=n, reliability=reliability, n_items=60)
        made = loo_ceiling(profiles)
        true = np.mean([np.corrcoef(signal, row)[0, 1] for row in profiles])
        found.append((made.lower, true, made.upper))
    lower, true, upper = np.mean(found, axis=0)
    error = 4 * np.std(found, axis=0).max() / np.sqrt(n_draws)  # false alarms under 1e-4
    root = np.sqrt(reliability)
    others = np.sqrt((n - 1) * reliability / (1 + (n - 2) * reliability))  # Spearman and Brown
    expected = [root * others, root, np.sqrt((1 + (n - 1) * reliability) / n)]
    np.testing.assert_allclose([lower, true, upper], expected, atol=error + 0.01)  # 60 items
    assert lower < true < upper


def test_scale_offset_and_order_do_not_matter(rng):
    _, profiles = simulate(rng)
    made = loo_ceiling(profiles)
    other = loo_ceiling(1e6 * profiles[:, ::-1] * np.arange(1, 7)[:, None] - 3)
    np.testing.assert_allclose(other.with_others, made.with_others, rtol=1e-9)
    np.testing.assert_allclose(other.upper_interval, made.upper_interval, rtol=1e-9)


def test_what_is_missing_is_left_out_and_stays_missing(rng):
    _, profiles = simulate(rng)
    holed = profiles.copy()
    holed[0, :3] = np.nan  # items of a participant
    holed[4] = np.nan  # a participant
    holed[5] = 2.0  # flat
    made = loo_ceiling(holed)
    plain = loo_ceiling(profiles[:4, 3:])
    np.testing.assert_allclose(made.with_others[:4], plain.with_others)
    assert np.isnan(made.with_others[4:]).all()
    assert np.isnan(made.with_all[4:]).all()
    assert (made.n_participants, made.n_items) == (4, 37)


@pytest.mark.parametrize(
    ("keep", "n_participants", "n_items"),
    [(np.s_[:1], 1, 40), (np.s_[:, :2], 6, 2), (np.s_[:0], 0, 0)],
)
def test_too_little_gives_nan(rng, keep, n_participants, n_items):
    made = loo_ceiling(simulate(rng)[1][keep])
    assert np.isnan([made.lower, made.upper, *made.lower_interval]).all()
    assert (made.n_participants, made.n_items) == (n_participants, n_items)


def test_two_who_agree_in_nothing_have_no_mean():
    profile = np.array([1.0, 2.0, 4.0])
    made = loo_ceiling(np.array([profile, -profile]))
    assert made.lower == pytest.approx(-1)
    assert np.isnan(made.upper)
    assert np.isnan(made.lower_interval).all()


def test_intervals_are_those_of_a_plain_jackknife(rng):
    _, profiles = simulate(rng, n_participants=5)
    made = loo_ceiling(profiles)
    parts = np.array([by_loop(np.delete(profiles, k, axis=0)) for k in range(5)]).mean(axis=2)
    error = np.sqrt(4 / 5 * ((parts - parts.mean(axis=0)) ** 2).sum(axis=0))
    reach = t.ppf(0.975, 4) * error
    for k, bound in enumerate(("lower", "upper")):
        value = getattr(made, bound)
        expected = np.clip([value - reach[k], value + reach[k]], -1, 1)
        np.testing.assert_allclose(getattr(made, f"{bound}_interval"), expected)


def test_intervals_cover_the_mean_bound(rng):
    """Participants are drawn anew, stimuli are not: 95 % intervals miss in about 5 %."""
    n, n_draws = 8, 500
    signal = rng.normal(size=60)
    bounds, intervals = [], []
    for _ in range(n_draws):
        made = loo_ceiling(signal + rng.normal(size=(n, 60)))
        bounds.append((made.lower, made.upper))
        intervals.append((made.lower_interval, made.upper_interval))
    low, high = np.moveaxis(np.array(intervals), 2, 0)
    truth = np.mean(bounds, axis=0)
    share = ((low <= truth) & (truth <= high)).mean(axis=0)
    assert (np.abs(share - 0.95) < 0.04).all()  # 4 Monte Carlo errors


def test_profiles_must_be_a_table():
    with pytest.raises(ShapeError, match=r"shape \(4,\)"):
        loo_ceiling(np.zeros(4))
