"""stats.spheres: patterns of spheres, whatever is taken with them; p of maps; rows."""

import numpy as np
import pytest

from bids_dnn.containers.space import Grid
from bids_dnn.stats.neighbours import neighbours
from bids_dnn.stats.spheres import lay_out, p_of_maps, row_of


@pytest.fixture
def around():
    space = Grid("T1w", (5, 4, 3), np.diag([3.0, 3, 3, 1]), np.arange(60))
    return neighbours(space, 4.0)


def test_patterns_are_those_of_the_units_around(rng, around):
    values = rng.normal(size=(6, 60)).astype(np.float32)
    values[2, 5] = np.nan
    less = rng.normal(size=60)
    patterns = lay_out(values, around, less=less)
    taken, n_units = patterns.take(0, 60)
    for center in (0, 5, 31):
        own = [u for u in around.of(center) if u != 5]
        assert n_units[center] == len(own)
        kept = taken[center][np.any(taken[center] != 0, axis=1)]
        np.testing.assert_allclose(kept, (values[:, own] - less[own]).T, atol=1e-6)
    part, _ = patterns.take(30, 33)
    np.testing.assert_array_equal(part, taken[30:33])


def test_p_is_that_of_a_plain_count(rng):
    scores = rng.random(50).astype(np.float32)
    under = rng.random((19, 50)).astype(np.float32)
    scores[3] = under[:, 3] = np.nan
    p, p_corrected = p_of_maps(scores, under)
    expected = (1 + (under >= scores).sum(axis=0)) / 20
    expected[3] = np.nan
    np.testing.assert_allclose(p, expected, rtol=1e-6)
    tops = np.nanmax(under, axis=1) >= np.nanmax(scores)
    assert p_corrected == pytest.approx((1 + tops.sum()) / 20)


def test_the_family_keeps_its_level(rng):
    hits = sum(
        p_of_maps(one[0].astype(np.float32), one[1:].astype(np.float32))[1] <= 0.1
        for one in rng.normal(size=(1000, 20, 30))
    )
    assert abs(hits / 1000 - 0.1) < 4 * np.sqrt(0.09 / 1000)  # two of twenty orders


def test_rows_leave_out_what_is_not_known():
    scores = np.array([0.5, np.nan, 0.8], dtype=np.float32)
    row = row_of(scores, np.array([3, 0, 5]))
    assert (row["n_centers"], row["n_units"], row["highest_unit"]) == (2, 4.0, 2)
    assert row["mean"] == pytest.approx(0.65)
    nothing = np.full(2, np.nan, dtype=np.float32)
    none = row_of(nothing, np.zeros(2, np.int64))
    assert (none["n_centers"], none["highest_unit"]) == (0, -1)
    assert np.isnan(none["highest"])
    assert np.isnan(p_of_maps(nothing, [])[1])
