"""ingest.pickles: what pickle writes comes back; code is refused and never run."""

from __future__ import annotations

import collections
import io
import os
import pickle
import struct

import numpy as np
import pytest

from bids_dnn.errors import MissingInputError, UnreadableError
from bids_dnn.ingest.pickles import read_npy_dict, read_pickle_data

PROTOCOLS = range(6)


def plain(rng):
    shared = [1, 2]
    return {
        "none": None,
        "truths": [True, False],
        "numbers": (1, -2, 2**70, 300, 70_000, 1.5, float("inf"), 1 + 2j),
        0: "Unknown",
        ("a", 1): "flat tuple as key",
        "text": "café\n\\ '\"",
        "bytes": b"\x00\xff\n",
        "no bytes": b"",
        "array of bytes": bytearray(b"ab"),
        "sets": [{1, "a"}, frozenset({2, 3})],
        "empty": [[], (), {}, set(), ""],
        "shared": [shared, shared],
        "ordered": collections.OrderedDict(a=1, b=2),
        "floats": rng.normal(size=(3, 4, 2)).astype(np.float32),
        "fortran": np.asfortranarray(rng.normal(size=(3, 4))),
        "big endian": np.arange(5, dtype=">i2"),
        "two of one type": [np.arange(3), np.arange(4)],
        "truth": np.array([True, False]),
        "words": np.array(["V1v", "V1d"]),
        "raw words": np.array([b"a", b"bc"]),
        "nothing": np.zeros((0, 3)),
        "single": np.float32(2.5),
        "whole": np.int64(7),
        "zero axes": np.array(3.0),
        "objects": np.array([None, "a", [1, 2]], dtype=object),
        "complex": np.array([1 + 2j]),
    }


def same(a, b):
    if isinstance(a, np.ndarray):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert type(a) is type(b)
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    else:
        assert a == b


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_pickle_writes_comes_back(rng, protocol):
    value = plain(rng)
    same(value, read_pickle_data(pickle.dumps(value, protocol)))


def test_one_object_that_stands_twice_stays_one():
    shared = [1]
    first, second = read_pickle_data(pickle.dumps([shared, shared]))
    assert first is second


def test_old_names_of_numpy_are_known():
    data = pickle.dumps(np.arange(3), 2).replace(b"numpy._core", b"numpy.core")
    np.testing.assert_array_equal(read_pickle_data(data), np.arange(3))


def test_saved_dictionaries_come_back(rng, tmp_path):
    value = {"betasmd": rng.normal(size=(2, 3, 4, 5)), "names": {0: "Unknown", 1: "V1v"}}
    np.save(tmp_path / "a.npy", value)
    same(value, read_npy_dict(tmp_path / "a.npy"))


class Hostile:
    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


class Stateful:
    def __setstate__(self, state):
        raise RuntimeError("run")

    def __getstate__(self):
        return {"a": 1}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_call_of_the_system_is_refused_and_not_run(protocol, tmp_path):
    mark = tmp_path / "was-run"
    data = pickle.dumps({"a": Hostile(os.system, f"touch {mark}")}, protocol)
    with pytest.raises(UnreadableError, match=r"the name posix\.system.*nothing in it was run"):
        read_pickle_data(data)
    assert not mark.exists()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_saved_array_with_code_is_refused_and_not_run(protocol, tmp_path):
    mark = tmp_path / "was-run"
    np.save(tmp_path / "a.npy", {"a": Hostile(eval, f"open({str(mark)!r}, 'w')")})
    with pytest.raises(UnreadableError, match=r"a\.npy holds the name \w+\.eval"):
        read_npy_dict(tmp_path / "a.npy")
    assert not mark.exists()


@pytest.mark.parametrize(
    "value", [Stateful(), collections.Counter("ab"), np.random.default_rng(0), pytest.raises, int]
)
def test_objects_of_other_kinds_are_refused(value):
    with pytest.raises(UnreadableError, match=r"holds the name .*, where plain data"):
        read_pickle_data(pickle.dumps([value]))


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"ios\nsystem\n.", "opcode INST"),
        (b"(cos\nsystem\no.", "name os.system"),
        (b"Pabc\n.", "opcode PERSID"),
        (b"\x80\x02\x82\x01.", "opcode EXT1"),
        (b"]q\x00R.", "no whole pickle"),
        (b"(lp0\n(lp1\nR.", "call of"),
        (b"]}b.", "no whole pickle"),
        (b"](K\x01K\x02tb.", "state for a list"),
        (b"}((((ttttK\x01s.", "key of nested tuples"),
        (b"\x80\x05\x97.", "opcode NEXT_BUFFER"),
        (b"h\x05.", "no whole pickle"),
        (b"0.", "no whole pickle"),
        (b"", "no whole pickle"),
        (b"not a pickle", "no whole pickle"),
        (b"\x8e" + struct.pack("<Q", 2**60) + b"a.", "no whole pickle"),
    ],
)
def test_hand_made_programs_are_refused(data, found):
    with pytest.raises(UnreadableError, match=found):
        read_pickle_data(data)


def test_records_of_numbers_are_refused():
    table = np.zeros(2, dtype=[("a", "f8"), ("b", "i4")])
    with pytest.raises(UnreadableError, match=r"type 'V12'|array of records"):
        read_pickle_data(pickle.dumps(table))


def test_an_array_that_holds_itself_is_refused():
    ring = np.empty(1, dtype=object)
    ring[0] = [ring]
    with pytest.raises(UnreadableError, match="array that holds itself"):
        read_pickle_data(pickle.dumps(ring))


def test_an_array_of_another_length_is_refused():
    data = pickle.dumps(np.arange(4, dtype=np.int8), 2).replace(b"K\x04\x85", b"K\x05\x85")
    with pytest.raises(UnreadableError, match=r"4 bytes for the shape \(5,\)"):
        read_pickle_data(data)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_file_cut_short_is_refused(rng, protocol):
    data = pickle.dumps({"a": rng.normal(size=9), "b": [1, 2]}, protocol)
    for end in range(0, len(data), 7):
        with pytest.raises(UnreadableError, match="no whole pickle"):
            read_pickle_data(data[:end])


def test_random_changes_give_values_or_our_error(rng):
    data = pickle.dumps(plain(rng), 4)
    refused = 0
    for _ in range(300):
        changed = bytearray(data)
        changed[rng.integers(len(data))] = rng.integers(256)
        try:
            read_pickle_data(bytes(changed))
        except UnreadableError:
            refused += 1
    assert 0 < refused < 300


def test_other_npy_files_are_refused(tmp_path):
    np.save(tmp_path / "numbers.npy", np.arange(3))
    with pytest.raises(UnreadableError, match=r"array of int64 of shape \(3,\); one dictionary"):
        read_npy_dict(tmp_path / "numbers.npy")
    np.save(tmp_path / "list.npy", np.array([1, "a"], dtype=object))
    with pytest.raises(UnreadableError, match="holds a ndarray; one dictionary"):
        read_npy_dict(tmp_path / "list.npy")
    stream = io.BytesIO()
    np.save(stream, {"a": 1})
    (tmp_path / "new.npy").write_bytes(stream.getvalue().replace(b"NUMPY\x01", b"NUMPY\x09"))
    with pytest.raises(UnreadableError, match=r"version \(9, 0\)"):
        read_npy_dict(tmp_path / "new.npy")
    (tmp_path / "empty.npy").write_bytes(b"")
    with pytest.raises(UnreadableError, match=r"no whole \.npy file"):
        read_npy_dict(tmp_path / "empty.npy")
    with pytest.raises(MissingInputError, match="does not exist"):
        read_npy_dict(tmp_path / "none.npy")
