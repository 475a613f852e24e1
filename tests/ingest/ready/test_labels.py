"""ingest.ready.labels: regions from maps of numbers."""

from __future__ import annotations

import numpy as np
import pytest

from bids_dnn.containers.space import Channels
from bids_dnn.errors import MissingInputError, UnreadableError
from bids_dnn.ingest.ready.labels import Labels, read_names, regions_of, whole_numbers

SPACE = Channels("test", tuple("abcdefgh"), np.arange(8))


def places(rois):
    return {roi.name: roi.space.index.tolist() for roi in rois}


def test_parts_are_given_whole_as_well():
    values = np.array([0, 1, 2, 1, 3, 4, 5, -1])
    names = {1: "V1v", 2: "V1d", 3: "hV4", 4: "FFA-1", 5: "FFA-2"}
    assert places(regions_of([Labels("c", values, names, "map")], SPACE)) == {
        "V1": [1, 2, 3],
        "FFA": [5, 6],
        "V1v": [1, 3],
        "V1d": [2],
        "hV4": [4],
        "FFA1": [5],
        "FFA2": [6],
    }


def test_names_that_only_look_like_parts_stay():
    values = np.array([1, 2, 3, 4, 0, 0, 0, 0])
    names = {1: "mTL-faces", 2: "ecc4+", 3: "ecc4", 4: "OP2-3"}
    found = places(regions_of([Labels("c", values, names, "map")], SPACE))
    assert found == {"mTLfaces": [0], "ecc4plus": [1], "ecc4": [2], "OP23": [3]}


def test_a_name_that_stands_in_two_collections():
    first = Labels("prf", np.array([1, 0, 0, 0, 0, 0, 0, 0]), {1: "V1"}, "map")
    second = Labels("HCP_MMP1", np.array([0, 1, 0, 0, 0, 0, 0, 0]), {1: "V1"}, "map")
    assert places(regions_of([first, second], SPACE)) == {"V1": [0], "HCPMMP1V1": [1]}


def test_values_without_a_name_are_called_by_number():
    labels = Labels("streams", np.array([7, 0, 0, 0, 0, 0, 0, 0]), {}, "map")
    assert places(regions_of([labels], SPACE)) == {"streams7": [0]}


def test_no_collection_has_no_region():
    assert regions_of([], SPACE) == ()


def test_numbers_are_rounded_and_nan_is_none():
    found = whole_numbers(np.array([1.0000001, np.nan, -1.0, 2.9999]))
    np.testing.assert_array_equal(found, [1, 0, -1, 3])


def test_color_tables(tmp_path):
    path = tmp_path / "a.ctab"
    path.write_text("# no.  name\n0 Unknown\n\n 1   V1v   0 255 0 0\r\n-1 none\n")
    assert read_names(path) == {0: "Unknown", 1: "V1v", -1: "none"}


@pytest.mark.parametrize("line", ["V1v 1", "1", "1.5 V1v"])
def test_color_tables_that_are_none(tmp_path, line):
    path = tmp_path / "a.ctab"
    path.write_text(f"0 Unknown\n{line}\n")
    with pytest.raises(UnreadableError, match=rf"has the line '{line}'; a number and a name"):
        read_names(path)
    with pytest.raises(MissingInputError, match="does not exist"):
        read_names(tmp_path / "b.ctab")
