"""rois.overlap: shared units are counted."""

import numpy as np
import pytest

from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Surface
from bids_dnn.errors import SpaceError
from bids_dnn.rois.overlap import COLUMNS, overlap_warnings, overlaps


def region(name, index, n=20):
    return Roi(name, Surface("fsnative", (n, n), np.array(index)), name, len(index))


def test_shared_units_are_counted():
    table = overlaps([region("A", range(10)), region("B", range(5, 25)), region("C", [30])])
    assert table.columns.tolist() == list(COLUMNS)
    assert table.to_numpy().tolist() == [["A", "B", 5, 0.5, 0.25]]
    assert overlap_warnings(table) == ["Regions A and B share 5 units (50 % of A, 25 % of B)."]


def test_order_of_units_does_not_count(rng):
    index = rng.choice(40, 12, replace=False)
    one = overlaps([region("A", index), region("B", range(20))])
    two = overlaps([region("A", rng.permutation(index)), region("B", range(20))])
    assert one.equals(two)


@pytest.mark.parametrize("rois", [[], [region("A", [1])], [region("A", [1]), region("B", [2])]])
def test_no_overlap_is_an_empty_table(rois):
    table = overlaps(rois)
    assert table.empty
    assert table.columns.tolist() == list(COLUMNS)
    assert overlap_warnings(table) == []


def test_regions_of_other_places_are_refused():
    with pytest.raises(SpaceError, match=r"'A' lies on fsnative \(40 .*'B' on fsnative \(60"):
        overlaps([region("A", [1]), region("B", [1], n=30)])
