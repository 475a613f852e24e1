"""features.store: what goes in comes out, and a damaged entry is found out."""

import json

import numpy as np
import pytest

from bids_dnn.containers.features import FeatureGram
from bids_dnn.errors import MissingInputError, OutputError, UnreadableError
from bids_dnn.features import store
from bids_dnn.features.extract import identity_of
from tests.factories.networks import small_network


@pytest.fixture
def gram(rng):
    x = rng.normal(size=(5, 3))
    ids = ("a.png", "b/ü.png", "c.png", "d.png", "e.png")
    return FeatureGram(ids, "small", "0", x @ x.T, 3, {"layer": "0", "weights": "random (seed 0)"})


def files_of(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_what_goes_in_comes_out(gram, tmp_path):
    assert not store.has(tmp_path, "k")
    store.write_gram(tmp_path, "k", gram)
    assert store.has(tmp_path, "k")
    back = store.read_gram(tmp_path, "k")
    np.testing.assert_array_equal(back.gram, gram.gram)
    for name in ("stimuli", "network", "layer", "n_features", "identity"):
        assert getattr(back, name) == getattr(gram, name)


def test_the_same_gram_gives_the_same_bytes_in_format_3(gram, tmp_path):
    for name in ("one", "two"):
        store.write_gram(tmp_path / name, "k", gram)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")
    told = json.loads((tmp_path / "one" / "k" / store.ARRAY / "zarr.json").read_text())
    assert told["zarr_format"] == 3
    assert told.get("consolidated_metadata") is None


def test_the_key_changes_with_pixel_weight_layer_and_preprocessing():
    stimuli = {"a.png": "1", "b.png": "2"}
    network = small_network()
    keys = {
        store.key(identity_of(network, "0", stimuli, device="cpu")),
        store.key(identity_of(network, "2", stimuli, device="cpu")),
        store.key(identity_of(network, "0", {**stimuli, "b.png": "3"}, device="cpu")),
        store.key(identity_of(small_network(seed=1), "0", stimuli, device="cpu")),
        store.key(identity_of(small_network(size_px=16), "0", stimuli, device="cpu")),
    }
    assert len(keys) == 5
    assert store.key(identity_of(network, "0", stimuli, device="cpu")) in keys


def test_an_absent_entry_is_refused(tmp_path):
    with pytest.raises(MissingInputError, match="no entry abc"):
        store.read_gram(tmp_path, "abc")


@pytest.mark.parametrize("harm", ["flip", "cut", "absent", "attribute", "json"])
def test_a_damaged_entry_is_found_out_and_replaced(gram, tmp_path, harm):
    entry = store.write_gram(tmp_path, "k", gram)
    meta = entry / store.ARRAY / "zarr.json"
    chunk = next(p for p in entry.rglob("c/**/*") if p.is_file())
    raw = chunk.read_bytes()
    if harm == "flip":
        chunk.write_bytes(raw[:-9] + bytes([raw[-9] ^ 1]) + raw[-8:])
    elif harm == "cut":
        chunk.write_bytes(raw[: len(raw) // 2])
    elif harm == "absent":
        chunk.unlink()
    elif harm == "attribute":
        meta.write_text(meta.read_text().replace("c.png", "x.png"))
    else:
        meta.write_text(meta.read_text()[:100])
    with pytest.raises(UnreadableError, match="damaged"):
        store.read_gram(tmp_path, "k")
    store.write_gram(tmp_path, "k", gram)
    np.testing.assert_array_equal(store.read_gram(tmp_path, "k").gram, gram.gram)


def test_a_whole_entry_stays(gram, tmp_path):
    entry = store.write_gram(tmp_path, "k", gram)
    before = (entry / store.ARRAY / "zarr.json").stat().st_mtime_ns
    store.write_gram(tmp_path, "k", gram)
    assert (entry / store.ARRAY / "zarr.json").stat().st_mtime_ns == before
    assert [p.name for p in tmp_path.iterdir()] == ["k"]


def test_a_full_disk_is_told(gram, tmp_path, monkeypatch):
    import errno

    import zarr

    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(zarr, "create_array", full)
    with pytest.raises(OutputError, match="No space left"):
        store.write_gram(tmp_path, "k", gram)
    assert not list(tmp_path.iterdir())
