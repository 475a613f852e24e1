"""group.prevalence_maps: the numbers of the few-test form, closed forms, false alarms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from bids_dnn.errors import NotEnoughDataError, ShapeError
from bids_dnn.group.clusters import ChanceMaps
from bids_dnn.group.prevalence_maps import map_prevalence
from bids_dnn.stats.prevalence import minimum_statistic

N_SAMPLES = 48


def group_of(rng, n=6, n_units=30, n_maps=40, *, lift=0.0, has=1.0):
    """Binomial counts; a share `has` of participants is higher by `lift`, in the first units."""
    made = []
    for k in range(n):
        chance = np.full(n_units, 0.5)
        chance[:5] += lift * (k < has * n)
        own = rng.binomial(N_SAMPLES, chance)
        null = rng.binomial(N_SAMPLES, 0.5, (n_maps, n_units)).astype(np.uint8)
        made.append(ChanceMaps((own / N_SAMPLES).astype(np.float32), null, 1 / N_SAMPLES))
    return made


def as_tests(people):
    observed = np.stack([one.scores for one in people], axis=1).astype(float)
    null = np.stack([one.null.T * one.share for one in people], axis=1)
    return observed, null, np.zeros(observed.shape, bool)


def test_p_and_bounds_are_those_of_few_tests(rng):
    people = group_of(rng, lift=0.25)
    made = map_prevalence(people, seed=4, n_draws=2000)
    observed, null, enumerated = as_tests(people)
    expected = minimum_statistic(observed, null, enumerated=enumerated, seed=4, n_draws=2000)
    np.testing.assert_allclose(made.p, expected.p)
    np.testing.assert_allclose(made.bound, np.nan_to_num(expected.bound), atol=1e-9)
    assert made.largest == pytest.approx(expected.largest[0])
    assert made.largest_corrected == pytest.approx(expected.largest_corrected[0])
    assert (made.bound[:5] > 0.3).all()
    # one family of alike units: by the largest minimum nearly as by the smallest p
    error = 4 * np.sqrt(0.25 / 2000)
    assert np.abs(made.p_corrected - expected.p_corrected).max() < 0.1 + error
    assert (made.p_corrected >= made.p).all()
    assert (made.bound_corrected <= made.bound).all()


def test_scores_in_other_numbers_are_the_same(rng):
    people = group_of(rng, lift=0.25)
    counted = map_prevalence(people, n_draws=500)
    as_scores = [
        ChanceMaps(one.scores, (one.null * one.share).astype(np.float32)) for one in people
    ]
    made = map_prevalence(as_scores, n_draws=500)
    for name in ("p", "p_corrected", "bound", "bound_corrected"):
        np.testing.assert_allclose(getattr(made, name), getattr(counted, name), atol=1e-12)
    twice = [
        ChanceMaps(one.scores, one.null * np.uint8(2), one.share / 2) if k == 2 else one
        for k, one in enumerate(people)
    ]
    np.testing.assert_allclose(map_prevalence(twice, n_draws=500).p_corrected, made.p_corrected)


def test_the_largest_bound_is_the_published_one():
    """Of N participants above all of m maps: (a^(1/N) - p) / (1 - p), with p = 1 / (m + 1)."""
    n, m, alpha = 12, 199, 0.05
    people = [ChanceMaps(np.ones(3), np.zeros((m, 3)))] * n
    made = map_prevalence(people, alpha=alpha, n_draws=999)
    p = 1 / (m + 1)
    expected = (alpha ** (1 / n) - p) / (1 - p)
    np.testing.assert_allclose(made.bound, expected)
    assert made.largest == pytest.approx(expected)
    np.testing.assert_allclose(made.p, p**n)
    left = (alpha - 1 / 1000) / (1 - 1 / 1000)
    np.testing.assert_allclose(made.bound_corrected, (left ** (1 / n) - p) / (1 - p))


def test_nobody_is_claimed_where_there_is_no_effect(rng):
    n, alpha = 150, 0.1
    alarms = 0
    for k in range(n):
        made = map_prevalence(group_of(rng, n=4, n_maps=30), alpha=alpha, seed=k, n_draws=200)
        alarms += bool((made.bound_corrected > 0).any())
    assert alarms <= binom.isf(1e-4, n, alpha)


def test_the_bound_covers_the_share_that_has_an_effect(rng):
    """Each bound may exceed the true share in 5 % of experiments at most."""
    n, share, wrong = 60, 0.5, np.zeros(5)
    for k in range(n):
        who = rng.random(8) < share
        lifted, plain = (group_of(rng, n=8, n_maps=60, lift=lift) for lift in (0.4, 0.0))
        people = [a if is_in else b for a, b, is_in in zip(lifted, plain, who, strict=True)]
        wrong += map_prevalence(people, seed=k, n_draws=100).bound[:5] > share
    assert (wrong <= binom.isf(1e-4 / 5, n, 0.05)).all()


def test_parts_missing_units_and_the_seed(rng, monkeypatch):
    people = group_of(rng, lift=0.3)
    gap = people[1].scores.copy()
    gap[7:9] = np.nan
    people[1] = ChanceMaps(gap, people[1].null, people[1].share)
    whole = map_prevalence(people, n_draws=300)
    assert np.flatnonzero(np.isnan(whole.p)).tolist() == [7, 8]
    assert np.flatnonzero(np.isnan(whole.bound_corrected)).tolist() == [7, 8]
    monkeypatch.setattr("bids_dnn.group.prevalence_maps.BYTES", 300 * 4)
    again = map_prevalence(people, n_draws=300)
    np.testing.assert_array_equal(whole.p_corrected, again.p_corrected)
    np.testing.assert_array_equal(whole.bound, again.bound)
    other = map_prevalence(people, n_draws=300, seed=1)
    assert (other.p_corrected != whole.p_corrected).any()


def test_what_does_not_fit_is_refused(rng):
    people = group_of(rng, n=2)
    with pytest.raises(NotEnoughDataError, match="There is 1 participant"):
        map_prevalence(people[:1])
    small = ChanceMaps(np.zeros(5), np.zeros((3, 5)))
    with pytest.raises(ShapeError, match=r"\[5, 30\] units"):
        map_prevalence([people[0], small])
