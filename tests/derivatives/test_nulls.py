"""derivatives.nulls: there and back, same bytes, refusals."""

import numpy as np
import pytest

from bids_dnn.containers.nulls import NullMap, Nulls
from bids_dnn.derivatives import names
from bids_dnn.derivatives.nulls import read_null_maps, read_nulls, write_null_maps, write_nulls
from bids_dnn.errors import MissingInputError, UnreadableError
from bids_dnn.files import read_json


@pytest.fixture
def nulls(rng):
    null = rng.random((3, 4)).astype(np.float32)
    null[2, 2:] = np.nan
    return Nulls(
        np.array(["V1", "V1", "LOC"]),
        np.array(["face vs house", "all", "all"]),
        null,
        np.array([False, False, True]),
    )


def test_nulls_come_back_as_they_were(tmp_path, nulls):
    path = names.path_of(tmp_path, "null", participant="01", space="T1w", analysis="decode")
    assert path.name == "sub-01_space-T1w_desc-decode_null.npz"
    written = write_nulls(path, nulls, sidecar={"RandomSeed": 3})
    assert written == [path, names.sidecar_of(path)]
    back = read_nulls(path)
    for name in ("region", "comparison", "null", "enumerated"):
        np.testing.assert_array_equal(getattr(back, name), getattr(nulls, name))
    assert back.null.dtype == np.float32
    told = read_json(written[1])
    assert told["RandomSeed"] == 3
    assert told["Arrays"]["null"]["Shape"] == [3, 4]


def test_the_same_nulls_give_the_same_bytes(tmp_path, nulls):
    one, two = (
        write_nulls(tmp_path / f"{n}_null.npz", nulls, sidecar={})[0].read_bytes() for n in "ab"
    )
    assert one == two


def test_what_is_not_there_or_broken_is_refused(tmp_path, nulls):
    path = tmp_path / "sub-01_null.npz"
    with pytest.raises(MissingInputError, match="sub-01_null"):
        read_nulls(path)
    write_nulls(path, nulls, sidecar={})
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UnreadableError, match="sub-01_null"):
        read_nulls(path)
    np.savez(path, region=nulls.region)
    with pytest.raises(UnreadableError, match="comparison"):
        read_nulls(path)


@pytest.fixture
def maps(rng):
    counts = rng.integers(0, 9, size=(5, 7)).astype(np.uint8)
    return {"avsb": NullMap(counts, 0.125), "all": NullMap(rng.random((5, 7), np.float32))}


def test_maps_come_back_as_they_were(tmp_path, maps):
    path = names.path_of(tmp_path, "null", participant="01", space="T1w", analysis="searchlight")
    written = write_null_maps(path, maps, sidecar={"RandomSeed": 3})
    back = read_null_maps(path)
    assert list(back) == list(maps)
    for label, one in maps.items():
        assert (back[label].share, back[label].values.dtype) == (one.share, one.values.dtype)
        np.testing.assert_array_equal(back[label].values, one.values)
    told = read_json(written[1])
    assert told["RandomSeed"] == 3
    assert told["Arrays"]["avsb"]["Shape"] == [5, 7]
    again = write_null_maps(tmp_path / "again.npz", maps, sidecar={})[0]
    assert again.read_bytes() == path.read_bytes()


def test_what_holds_no_maps_is_refused(tmp_path, nulls):
    with pytest.raises(MissingInputError, match=r"no file .*absent\.npz"):
        read_null_maps(tmp_path / "absent.npz")
    path = write_nulls(tmp_path / "other.npz", nulls, sidecar={})[0]
    with pytest.raises(UnreadableError, match=r"other\.npz does not hold maps"):
        read_null_maps(path)
