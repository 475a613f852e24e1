"""derivatives.features: arrays that the App reads again, the same bytes each time."""

import errno
import json

import numpy as np
import pytest

from bids_dnn.derivatives.features import write_features
from bids_dnn.errors import OutputError
from bids_dnn.files import fingerprint

STIMULI = ("face/a.png", "face/b.png", "house/a.png")


def write(folder, values):
    told = {"Identity": {"weights_sha256": "0f"}}
    return write_features(
        values, STIMULI, folder, network="my-net", layer="features.8:mean", sidecar=told
    )


def test_array_rows_and_sidecar_say_the_same(tmp_path, rng):
    values = rng.normal(size=(3, 4)).astype(np.float32)
    path = write(tmp_path, values)
    assert path.relative_to(tmp_path).as_posix() == (
        "stimuli/network-myNet_layer-features8Mean_features.npy"
    )
    np.testing.assert_array_equal(np.load(path, allow_pickle=False), values)
    assert path.with_suffix(".tsv").read_text().split() == ["stimulus", *STIMULI]
    told = json.loads(path.with_suffix(".json").read_text())
    assert told["Shape"] == [3, 4]
    assert told["Layer"] == "features.8:mean"
    assert told["SHA256"] == fingerprint(path)
    assert told["Identity"] == {"weights_sha256": "0f"}


def test_the_same_features_have_the_same_bytes(tmp_path, rng):
    values = rng.normal(size=(3, 4)).astype(np.float32)
    paths = [write(tmp_path / name, np.asarray(values, order=name)) for name in "CF"]
    assert fingerprint(paths[0]) == fingerprint(paths[1])


def test_a_full_disk_is_told(tmp_path, rng, monkeypatch):
    def full(*_args, **_more):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OutputError, match="space"):
        write(tmp_path, rng.normal(size=(3, 4)).astype(np.float32))
    assert not list(tmp_path.rglob("*.npy"))
