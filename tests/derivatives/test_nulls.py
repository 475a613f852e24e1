"""derivatives.nulls: there and back, same bytes, refusals."""

import numpy as np
import pytest

from bids_dnn.containers.nulls import Nulls
from bids_dnn.derivatives import names
from bids_dnn.derivatives.nulls import (
    read_chance_maps,
    read_nulls,
    write_chance_maps,
    write_nulls,
)
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


def test_exchanged_maps_come_back_as_they_were(tmp_path, rng):
    path = names.path_of(tmp_path, "null", participant="01", space="T1w", analysis="searchlight")
    counts = rng.integers(0, 40, (7, 12), dtype=np.uint8)
    scores = rng.random((3, 12), dtype=np.float32)
    given = {"facevshouse": (counts, 1 / 40), "bodyvstool+2": (scores, 1.0)}
    written = write_chance_maps(path, given, sidecar={"RandomSeed": 3})
    assert written == [path, names.sidecar_of(path)]
    back = read_chance_maps(path)
    assert list(back) == list(given)
    for label, (null, share) in given.items():
        np.testing.assert_array_equal(back[label][0], null)
        assert back[label][0].dtype == null.dtype
        assert back[label][1] == share
    assert read_json(written[1])["Arrays"]["facevshouse"]["Shape"] == [7, 12]
    first = path.read_bytes()
    write_chance_maps(path, given, sidecar={})
    assert path.read_bytes() == first


def test_exchanged_maps_that_are_broken_are_refused(tmp_path):
    path = tmp_path / "sub-01_null.npz"
    with pytest.raises(MissingInputError, match="sub-01_null"):
        read_chance_maps(path)
    np.savez(path, facevshouse=np.zeros((2, 3)))
    with pytest.raises(UnreadableError, match="facevshouse_share"):
        read_chance_maps(path)
    path.write_bytes(b"no archive")
    with pytest.raises(UnreadableError, match="does not hold maps"):
        read_chance_maps(path)
