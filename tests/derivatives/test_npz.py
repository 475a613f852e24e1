"""derivatives.npz: named arrays there and back, same bytes, refusals."""

import numpy as np
import pytest

from bids_dnn.derivatives.npz import read_npz, write_npz
from bids_dnn.errors import MissingInputError, UnreadableError
from bids_dnn.files import read_json

HOW = {"what": "what it should", "mend": "Run it again."}


def test_arrays_come_back_and_are_described(tmp_path, rng):
    arrays = {"a": rng.random((3, 2)), "b": np.array(0.5)}
    told = {"words": {"a": "Numbers."}, "description": "A file.", "sidecar": {"Seed": 1}}
    path, sidecar = write_npz(tmp_path / "one.npz", arrays, **told)
    back = read_npz(path, dict, **HOW)
    assert list(back) == ["a", "b"]
    np.testing.assert_array_equal(back["a"], arrays["a"])
    said = read_json(sidecar)
    assert said == {
        "Description": "A file.",
        "Arrays": {"a": {"Description": "Numbers.", "Shape": [3, 2]}},
        "Seed": 1,
    }
    again = write_npz(tmp_path / "two.npz", arrays, **told)[0]
    assert again.read_bytes() == path.read_bytes()


def test_what_is_not_there_or_not_right_is_refused(tmp_path):
    with pytest.raises(MissingInputError, match=r"no file .*absent\.npz"):
        read_npz(tmp_path / "absent.npz", dict, **HOW)
    path = tmp_path / "bad.npz"
    path.write_bytes(b"no zip")
    with pytest.raises(UnreadableError, match=r"bad\.npz does not hold what it should"):
        read_npz(path, dict, **HOW)
    write_npz(path, {}, words={}, description="", sidecar={})
    with pytest.raises(UnreadableError, match="'absent'"):
        read_npz(path, lambda kept: kept["absent"], **HOW)
