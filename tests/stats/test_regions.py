"""stats.regions: units of regions, what is left out, refusals."""

from dataclasses import replace

import numpy as np
import pytest

from bids_dnn.errors import NotEnoughDataError, SpaceError, UnreadableError
from bids_dnn.stats.ceiling import ncsnr
from bids_dnn.stats.regions import columns_of, region_means, region_units, varies
from tests.factories.responses import make_responses, make_roi


def test_regions_keep_their_order_and_may_share_units():
    responses = make_responses(np.zeros((3, 6)))
    found = region_units(
        responses, [make_roi("b", responses, [3, 4]), make_roi("a", responses, [0, 3])]
    )
    assert [(one.name, one.units.tolist()) for one in found] == [("b", [3, 4]), ("a", [0, 3])]


def test_units_with_nan_are_left_out_and_counted():
    values = np.zeros((3, 6))
    values[1, 3] = np.nan
    responses = make_responses(values)
    (found,) = region_units(responses, [make_roi("a", responses, [2, 3, 4])])
    assert (found.units.tolist(), found.n_left_out) == ([2, 4], 1)


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_infinite_responses_are_refused_with_their_unit(bad):
    values = np.zeros((3, 6))
    values[2, [3, 5]] = bad
    values[0, 1] = np.nan
    responses = make_responses(values)
    told = r"unit 3 to sample 2 is infinite.*2 unit\(s\) of region 'all'"
    with pytest.raises(UnreadableError, match=told):
        region_units(responses, [])
    (found,) = region_units(responses, [make_roi("a", responses, [0, 1, 2])])
    assert (found.units.tolist(), found.n_left_out) == ([0, 2], 1)


def test_without_regions_all_units_are_one():
    (found,) = region_units(make_responses(np.zeros((3, 6))), [])
    assert (found.name, found.units.size) == ("all", 6)


def test_a_region_without_measured_units_is_refused():
    values = np.zeros((3, 6))
    values[:, 3] = np.nan
    responses = make_responses(values)
    with pytest.raises(NotEnoughDataError, match=r"'a' has 1 units.*3 samples"):
        region_units(responses, [make_roi("a", responses, [3])])


def test_a_region_on_another_grid_is_refused():
    responses = make_responses(np.zeros((3, 6)))
    roi = make_roi("a", responses, [3])
    other = replace(roi, space=replace(roi.space, affine=2 * np.eye(4)[::-1]))
    with pytest.raises(SpaceError, match="'a' lies on the grid"):
        region_units(responses, [other])


# --- Means over regions


def test_plain_means_are_of_the_units_as_they_are(rng):
    values = rng.normal(size=(12, 6)).astype(np.float32)
    regions = [np.array([0, 2]), np.array([2, 3, 5])]  # may share units
    expected = np.column_stack([values[:, c].astype(np.float64).mean(axis=1) for c in regions])
    found = region_means(values, regions)
    np.testing.assert_allclose(found, expected)
    assert found.dtype == np.float64


def test_what_was_not_measured_has_no_mean():
    values = np.array([[1.0, np.nan], [2.0, 3.0]])
    assert np.isnan(region_means(values, [np.array([0, 1])])[:, 0]).tolist() == [True, False]


def test_the_ceiling_of_a_mean_is_not_the_mean_of_ceilings(rng):
    signal = rng.normal(size=(200, 1))
    shown = np.repeat([f"{k:03}" for k in range(200)], 2)
    single = np.repeat(signal, 2, axis=0) + 2 * rng.normal(size=(400, 50))
    share = float(ncsnr(region_means(single, [np.arange(50)]), list(shown))[0])
    expected = 1 / (1 + 4 / 50 / 2)  # signal / (signal + noise of 50 units and 2 repeats)
    assert abs(share - expected) < 0.03
    assert ncsnr(single, list(shown)).mean() < 0.5


def test_a_region_without_units_is_refused():
    with pytest.raises(NotEnoughDataError, match="1 of 2 regions"):
        region_means(np.zeros((4, 2)), [np.array([0]), np.array([], dtype=np.intp)])


# --- Columns


def test_columns_that_follow_each_other_are_a_view(rng):
    values = rng.normal(size=(5, 9)).astype(np.float32)
    for columns in ([2, 3, 4], [0], [4, 2], [1, 3], []):
        index = np.array(columns, dtype=np.intp)
        found = columns_of(values, index)
        np.testing.assert_array_equal(found, values[:, index])
        assert np.shares_memory(found, values) == (columns in ([2, 3, 4], [0]))


def test_what_varies_is_told_of_some_rows_alone(rng):
    values = rng.normal(size=(6, 3000)).astype(np.float32)  # more than a block
    values[:4, 1234] = 2.5
    values[1, 2000] = np.nan
    rows = np.arange(6) < 4
    expected = np.ones(3000, dtype=bool)
    expected[[1234, 2000]] = False
    np.testing.assert_array_equal(varies(values, rows), expected)
    assert varies(values, np.ones(6, dtype=bool))[1234]
