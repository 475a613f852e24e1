"""derivatives.extras: arrays come back with their words, in the same bytes each time."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from bids_dnn.containers.result import RowArrays
from bids_dnn.derivatives import read, write
from bids_dnn.errors import ShapeError, UnreadableError
from tests.factories.results import make_encode

ENTITIES = {"participant": "01", "task": "objects", "space": "T1w"}


def make(n=2):
    rng = np.random.default_rng(3)
    z = rng.normal(size=(n, 4, 5)).astype(np.float32)
    z[0, 0, 0] = np.nan
    kept = RowArrays({"z": z, "average": 2 * z}, {"z": "Scores.", "average": "Means."})
    return dataclasses.replace(
        make_encode(rng),
        extras={"triggered": pd.DataFrame({"region": ["V1", "V4"], "unit": [0, 3]})},
        arrays={"triggered": kept},
    )


def test_arrays_come_back(tmp_path):
    made = make()
    paths = write.write_result(made, tmp_path, entities=ENTITIES, sidecar={"Sources": ["a"]})
    (array,) = [path for path in paths if path.suffix == ".npz"]
    assert array.name == "sub-01_task-objects_space-T1w_desc-encodeTriggered_arrays.npz"
    said = json.loads(array.with_suffix(".json").read_text())
    assert said["Arrays"]["z"] == {"Description": "Scores.", "Shape": [2, 4, 5]}
    assert said["Sources"] == ["a"]
    assert "desc-encodeTriggered_scores.tsv" in said["Description"]
    back = read.read_result(paths[0]).arrays["triggered"]
    assert back.words == made.arrays["triggered"].words
    for name, values in made.arrays["triggered"].values.items():
        np.testing.assert_array_equal(back.values[name], values)


def test_the_same_arrays_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write.write_result(make(), tmp_path / name, entities=ENTITIES, sidecar={})
    first, second = (next((tmp_path / name).rglob("*.npz")).read_bytes() for name in ("a", "b"))
    assert first == second


def test_arrays_of_an_older_result_are_removed(tmp_path):
    write.write_result(make(), tmp_path, entities=ENTITIES, sidecar={})
    fewer = dataclasses.replace(make(), arrays={})
    path = write.write_result(fewer, tmp_path, entities=ENTITIES, sidecar={})[0]
    assert not list(tmp_path.rglob("*_arrays.*"))
    assert read.read_result(path).arrays == {}


def test_damaged_arrays_are_refused(tmp_path):
    path = write.write_result(make(), tmp_path, entities=ENTITIES, sidecar={})[0]
    (array,) = tmp_path.rglob("*.npz")
    array.write_bytes(array.read_bytes()[:-1])
    with pytest.raises(UnreadableError, match="is not what was written"):
        read.read_result(path)


def test_arrays_of_other_rows_are_refused():
    with pytest.raises(
        ShapeError, match="'triggered' have other rows than its table, which has 2"
    ):
        make(3)
    one = np.zeros((2, 3), dtype=np.float32)
    with pytest.raises(ShapeError, match=r"\['z'\] have \[2\] rows, and \['a'\] are described"):
        RowArrays({"z": one}, {"a": "Words."})
