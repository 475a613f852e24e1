"""ingest.ready.common: names, tables and arrays of ready-made responses."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from bids_dnn.containers.space import Channels
from bids_dnn.errors import MissingInputError, ShapeError, UnreadableError
from bids_dnn.ingest.ready.common import (
    absent,
    choose,
    dataset,
    hdf5,
    natural,
    open_array,
    read_table,
    region,
    region_name,
    sample_table,
    stimulus_id,
)

HERE = Path("data")


def test_participants_are_those_asked_for_in_natural_order():
    there = ["subj10", "subj02", "subj1"]
    assert choose(there, [], folder=HERE, layout="") == ["subj1", "subj02", "subj10"]
    assert choose(there, ["subj10", "subj1"], folder=HERE, layout="") == ["subj1", "subj10"]


def test_participants_that_are_not_there_are_named():
    with pytest.raises(
        MissingInputError, match=r"data has no participant '03'; there are: 01, 02"
    ):
        choose(["02", "01"], ["03"], folder=HERE, layout="")
    with pytest.raises(MissingInputError, match=r"(?s)does not hold any participant.*a/b\.npy"):
        choose([], [], folder=HERE, layout="\n  a/b.npy\n")


def test_numbers_in_names_sort_as_numbers():
    names = ["ses-10", "ses-2", "a1b10", "a1b9", "12", "x"]
    assert sorted(names, key=natural) == ["12", "a1b9", "a1b10", "ses-2", "ses-10", "x"]


def test_what_is_absent_shows_the_layout():
    assert str(absent("x.npy", folder=HERE, layout="\n L \n")).startswith(
        "data does not hold x.npy. Give the folder that is laid out so:\nL"
    )


def test_tables_are_text_without_blanks(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_bytes("\ufeffstimulus\trun\n a.png\t01 \nn/a\t\n".encode())
    table = read_table(path, ["stimulus"])
    assert table.to_dict("list") == {"stimulus": ["a.png", "n/a"], "run": ["01", ""]}


@pytest.mark.parametrize(
    ("content", "error", "match"),
    [
        (
            b"stim\trun\na\tb\n",
            MissingInputError,
            r"lacks the column\(s\) stimulus; .*: stim, run",
        ),
        (b"", UnreadableError, "no tab-separated table"),
        (b"stimulus\na\tb\tc\nd\n\xff", UnreadableError, "no tab-separated table"),
        (b"stimulus\na\nb\tc\n", UnreadableError, "no tab-separated table"),
    ],
)
def test_tables_that_are_none(tmp_path, content, error, match):
    path = tmp_path / "a.tsv"
    path.write_bytes(content)
    with pytest.raises(error, match=match):
        read_table(path, ["stimulus"])


def test_arrays_stay_on_disk(tmp_path, rng):
    path = tmp_path / "a.npy"
    values = rng.normal(size=(3, 4))
    np.save(path, values)
    found = open_array(path, n_dims=[2])
    assert isinstance(found, np.memmap)
    np.testing.assert_array_equal(found, values)


def test_arrays_that_are_none(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((3, 4)))
    with pytest.raises(ShapeError, match=r"shape \(3, 4\); 1 or 3 axes"):
        open_array(path, n_dims=[1, 3])
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(UnreadableError, match="no whole array of numbers"):
        open_array(path, n_dims=[2])
    path.write_bytes(b"")
    with pytest.raises(UnreadableError, match="no whole array of numbers"):
        open_array(path, n_dims=[2])
    np.save(path, np.array([{"a": 1}]))
    with pytest.raises(UnreadableError, match="nothing in it was run"):
        open_array(path, n_dims=[1])
    np.save(path, np.array(["a"]))
    with pytest.raises(UnreadableError, match="no array of numbers but <U1"):
        open_array(path, n_dims=[1])
    with pytest.raises(MissingInputError, match="does not exist"):
        open_array(tmp_path / "b.npy", n_dims=[1])


def test_hdf5_files(tmp_path):
    path = tmp_path / "a.hdf5"
    with h5py.File(path, "w") as file:
        file["group/x"] = np.arange(1000)
    with hdf5(path) as file:
        assert dataset(file, "group/x")[3] == 3
        with pytest.raises(UnreadableError, match="no array 'betas'; there are: group"):
            dataset(file, "betas")
        with pytest.raises(UnreadableError, match="no array 'group'"):
            dataset(file, "group")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UnreadableError, match="no whole HDF5 file"), hdf5(path):
        pass
    with pytest.raises(MissingInputError, match="does not exist"), hdf5(tmp_path / "b.hdf5"):
        pass


def test_errors_of_ours_pass_through_hdf5(tmp_path):
    path = tmp_path / "a.hdf5"
    h5py.File(path, "w").close()
    with pytest.raises(MissingInputError, match="what we say"), hdf5(path):
        raise MissingInputError("what we say.", mend="")


@pytest.mark.parametrize(
    ("text", "name"), [("a\\b.png", "a/b.png"), (" x ", "x"), ("n/a", ""), ("", ""), ("./a", "a")]
)
def test_names_of_pictures(text, name):
    assert stimulus_id(text, path=HERE) == name


@pytest.mark.parametrize(
    "text", ["/a.png", "../a.png", "a/../../b.png", "C:\\a.png", "\\\\host\\a"]
)
def test_pictures_outside_are_refused(text):
    with pytest.raises(UnreadableError, match=r"data names the picture .* outside the data set"):
        stimulus_id(text, path=HERE)


def test_a_sample_table_counts_repeats_over_sessions():
    table = sample_table(
        ["a", "b", "a", "", "a", ""],
        condition=["x", "", "x", "rest", "", ""],
        run=["1", "1", "2", "2", "1", "1"],
        session=["s", "s", "s", "s", "", ""],
        more={"seconds": [0.5] * 6},
    )
    assert list(table["condition"]) == ["x", "b", "x", "rest", "a", ""]
    assert list(table["run"]) == ["sx1", "sx1", "sx2", "sx2", "1", "1"]
    assert list(table["repeat"]) == [0, 0, 1, 0, 2, 0]
    assert list(table["trial"]) == [0, 1, 0, 1, 0, 1]
    assert list(table["seconds"]) == [0.5] * 6


def test_columns_of_another_length_are_refused():
    with pytest.raises(ShapeError, match="2 stimuli, but 1 values of run"):
        sample_table(["a", "b"], run=["1"], session=["", ""])


def test_regions_without_units_are_none():
    space = Channels("test", ("a", "b"), np.arange(2))
    assert region("V1", np.array([False, False]), space, source="") is None
    made = region("FFA-1", np.array([False, True]), space, source="map")
    assert (made.name, made.n_before, made.source) == ("FFA1", 1, "map")
    np.testing.assert_array_equal(made.space.index, [1])
    assert region_name("HCP_MMP1", "ecc4+") == "HCPMMP1ecc4plus"
