"""group.flips: t of parts is that of all, p and its floor, units that are tested."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from bids_dnn.errors import ShapeError
from bids_dnn.group import flips as module
from bids_dnn.group.flips import flips_of
from bids_dnn.stats.designs import Design


def test_t_of_all_flips_is_that_of_scipy_whatever_the_parts(rng, monkeypatch):
    values = rng.normal(size=(6, 5)) + 0.5
    values[2, 1] = np.nan
    values[4] = 1.0  # some flip leaves no variance
    flips = flips_of(values, Design(5), n_units=6, n_flips=100, seed=0)
    assert flips.known.tolist() == [0, 1, 3, 5]
    whole = np.concatenate([t for _, t in flips.parts()])
    signs = np.array(list(product([1, -1], repeat=5)))
    expected = stats.ttest_1samp(signs[:, :, None] * values[flips.known].T, 0, axis=1)[0]
    np.testing.assert_allclose(np.sort(whole, axis=0), np.sort(expected, axis=0), atol=1e-10)
    np.testing.assert_allclose(flips.seen()[0], expected[0])
    monkeypatch.setattr(module, "MOST_AT_ONCE", 12)
    seen = []
    parts = list(flips.parts(lambda *told: seen.append(told)))
    assert [start for start, _ in parts] == list(range(0, len(flips), 3))
    np.testing.assert_allclose(np.concatenate([t for _, t in parts]), whole, atol=1e-12)
    assert seen[-1] == (32, 32)


def test_p_is_at_least_its_floor(rng):
    values = rng.normal(size=(2, 9))
    drawn = flips_of(values, Design(9), n_units=2, n_flips=99, seed=0)
    np.testing.assert_allclose(drawn.p_of(np.array([0, 4])), [0.01, 0.05])
    four = flips_of(values[:, :4], Design(4, is_two_sided=True), n_units=2, n_flips=99, seed=0)
    assert four.p_of(np.array([2])).item() == 2 / 16


def test_other_shapes_are_refused(rng):
    with pytest.raises(ShapeError, match=r"shape \(2, 9\), there are 3 units and 9 participants"):
        flips_of(rng.normal(size=(2, 9)), Design(9), n_units=3, n_flips=9, seed=0)


def test_units_that_covariates_fit_in_some_flip_are_left_out(rng):
    old = np.array([0.0, 1.0] * 4)
    values = rng.normal(size=(3, 8))
    values[1] = np.where(np.arange(8) < 4, 1.0, -1.0)  # a flip makes it constant
    flips = flips_of(values, Design(8, covariates=old[:, None]), n_units=3, n_flips=500, seed=0)
    assert flips.known.tolist() == [0, 2]
    assert flips.rows.shape == (8, 2)
    assert max(np.abs(t).max() for _, t in flips.parts()) < 1e3
