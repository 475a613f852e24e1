"""stats.regions: units of regions, what is left out, refusals."""

from dataclasses import replace

import numpy as np
import pytest

from bids_dnn.errors import NotEnoughDataError, SpaceError
from bids_dnn.stats.regions import region_units
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
