"""ingest.ready.electrodes: arrays and areas are regions, each once; places are read."""

import numpy as np
import pandas as pd
import pytest

from bids_dnn.errors import UnreadableError
from bids_dnn.ingest.ready import electrodes
from tests.factories.electrodes import make_channels, make_layout


def regions_of(array, area):
    made = make_layout(array)
    layout = type(made)(made.array, tuple(area), made.channel, made.place)
    found = electrodes.named_regions(make_channels(layout), source="here")
    return {roi.name: roi.space.index.tolist() for roi in found}


@pytest.mark.parametrize(
    ("array", "area", "expected"),
    [
        ("aabb", ["V1", "V1", "V1", "V4"], {"V1": [0, 1, 2], "V4": [3], "a": [0, 1], "b": [2, 3]}),
        ("aabb", ["V1", "V1", "V4", "V4"], {"V1": [0, 1], "V4": [2, 3]}),  # the same twice
        ("aabb", ["b", "b", "b", ""], {"b": [0, 1, 2], "a": [0, 1], "arrayb": [2, 3]}),
        ("a", [""], {"a": [0]}),
        (["", ""], ["", ""], {}),
    ],
)
def test_areas_and_arrays_are_regions_each_once(array, area, expected):
    assert regions_of(array, area) == expected


def test_arrays_are_parts_only_where_there_are_areas():
    space = make_channels(make_layout("ab"))
    parts = {roi.name: roi.is_part for roi in electrodes.named_regions(space, source="here")}
    assert parts == {"V1": False, "a": True, "b": True}
    alone = electrodes.named_regions(make_channels(make_layout("ab", area="")), source="here")
    assert [(roi.name, roi.is_part) for roi in alone] == [("a", False), ("b", False)]


def test_without_a_layout_there_are_no_regions():
    space = type(make_channels(make_layout("a")))("units", ("x",), np.arange(1))
    assert electrodes.named_regions(space, source="here") == ()
    assert electrodes.array_regions(space, (), source="here") == ()


def test_a_table_places_units(tmp_path):
    table = pd.DataFrame(
        {"array": ["a", "n/a"], "channel": ["3", ""], "region": ["V1;early", ""],
         "x": ["1.5", "2"], "y": ["-2", "n/a"]}
    )  # fmt: skip
    layout = electrodes.table_layout(table, path=tmp_path)
    assert (layout.array, layout.area) == (("a", ""), ("V1", ""))
    assert layout.channel.tolist() == [3, 0]
    np.testing.assert_array_equal(layout.place, [[1.5, -2], [np.nan, np.nan]])
    assert electrodes.table_layout(table.drop(columns="array"), path=tmp_path) is None
    with pytest.raises(UnreadableError, match="channel = 'c3' in row 1"):
        electrodes.table_layout(table.assign(channel=["c3", ""]), path=tmp_path)
