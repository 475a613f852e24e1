"""features.claims: what is missing or damaged is made by one process."""

import threading

import numpy as np

from bids_dnn.features import store
from bids_dnn.features.claims import claimed, is_whole
from bids_dnn.features.lease import Pace

IDENTITY = {"layer": "0"}
PACE = Pace(beat_s=0.05, stale_s=5.0, poll_s=0.01)


def write(folder, key):
    return store.write_features(folder, key, ["a", "b"], np.ones((2, 3), "f4"), IDENTITY)


def damage(place):
    chunk = next(path for path in place.rglob("c/*/*") if path.is_file())
    chunk.write_bytes(bytes(chunk.stat().st_size))


def test_what_is_missing_or_damaged_is_ours(tmp_path):
    write(tmp_path, "whole")
    damage(write(tmp_path, "torn"))
    keys = ("torn", "whole", "absent")
    assert [is_whole(tmp_path, key, "features") for key in keys] == [False, True, False]
    with claimed(tmp_path, keys, kind="features") as ours:
        assert ours == ("torn", "absent")
        for key in ours:
            write(tmp_path, key)
    with claimed(tmp_path, keys, kind="features") as ours:
        assert ours == ()
    assert not list(tmp_path.glob("*.lease"))


def test_of_two_who_find_it_damaged_one_makes_it(tmp_path):
    damage(write(tmp_path, "torn"))
    begun, told, found = threading.Event(), [], []

    def second():
        begun.wait(10)
        with claimed(tmp_path, ("torn",), kind="features", say=told.append, pace=PACE) as ours:
            found.append(ours)

    other = threading.Thread(target=second)
    other.start()
    with claimed(tmp_path, ("torn",), kind="features", pace=PACE) as ours:
        assert ours == ("torn",)
        begun.set()
        other.join(0.5)
        assert found == []
        write(tmp_path, "torn")
    other.join(10)
    assert found == [()]
    assert len(told) == 1
    assert is_whole(tmp_path, "torn", "features")
