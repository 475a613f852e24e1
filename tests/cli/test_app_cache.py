"""The App on a cache: damaged, read-only, or of limited size."""

import errno
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bids_dnn.features import store
from bids_dnn.features.ready import read_ready
from tests.factories.pictures import write_pictures

pytestmark = pytest.mark.whole


@pytest.fixture
def tree(tmp_path, rng):
    """Responses of ready-made kind `table` to pictures of two categories."""
    return write_pictures(tmp_path, rng)


def rows(tables):
    """Return what single layers say of the units of regions."""
    (table,) = tables.values()
    of_layers = (table["target"] == "units") & (table["network"] != "*")
    return table[of_layers].reset_index(drop=True)


def test_damaged_features_that_are_kept_are_made_again(app, tree, tmp_path):
    raw, given = tree
    more = '[networks.kept]\nnetwork = "tiny.py:build"\nlayers = ["1"]\nkeep_features = true\n'
    app(raw, *given, analysis="encode", more=more)
    cache, written = tmp_path / "work" / "features", tmp_path / "out" / "stimuli"
    (entry,) = cache.glob("*-features")
    before = store.read_features(cache, entry.name[:64]).values
    chunk = next(path for path in entry.rglob("c/*/*") if path.is_file())
    chunk.write_bytes(bytes(chunk.stat().st_size))
    shutil.rmtree(tmp_path / "out")
    app(raw, *given, analysis="encode", more=more)
    np.testing.assert_array_equal(store.read_features(cache, entry.name[:64]).values, before)
    (again,) = read_ready(written / "network-kept_layer-1_features.npy").values()
    np.testing.assert_array_equal(again.values, before)


@pytest.mark.parametrize("estimator", ["ridge", "factorized"])
def test_a_small_cache_is_shrunk_when_nothing_needs_it(
    app, tree, tmp_path, monkeypatch, estimator
):
    """As if each extraction took longer than what was just read is spared for."""
    raw, given = tree
    monkeypatch.setattr(store, "RECENT_S", 0.0)
    more = '[networks.second]\nnetwork = "tiny.py:build"\ntransform = ["grey()"]\n'
    options = ("--estimator", estimator, "--cache-size", "1K")
    found = rows(app(raw, *given, *options, analysis="encode", more=more))
    assert set(found["network"]) == {"tiny", "second"}
    assert sum(one.n_bytes for one in store.entries(tmp_path / "work" / "features")) <= 1000


@pytest.mark.parametrize("text", ['{"keys": ["a', ""])
def test_a_damaged_index_of_the_cache_is_made_again(app, tree, tmp_path, text):
    raw, given = tree
    before = rows(app(raw, *given, analysis="encode"))
    (index,) = (tmp_path / "work" / "features").glob("*-cpu.json")
    whole = index.read_text()
    index.write_text(text)
    shutil.rmtree(tmp_path / "out")
    after = rows(app(raw, *given, analysis="encode"))
    pd.testing.assert_frame_equal(after, before)
    assert index.read_text() == whole


def test_a_filled_cache_that_is_read_only_serves_another_output(app, tree, tmp_path, monkeypatch):
    raw, given = tree
    shared = ("--cache-dir", tmp_path / "cache")
    before = rows(app(raw, *given, *shared, analysis="encode"))
    for path in (tmp_path / "cache").glob("*-cpu.json"):
        path.unlink()
    made = {path.name for path in (tmp_path / "cache").iterdir()}
    for folder in ("out", "work"):
        shutil.rmtree(tmp_path / folder)
    write = Path.write_text

    def write_text(path, *given, **more):
        if path.parent == tmp_path / "cache":
            raise OSError(errno.EROFS, "Read-only file system")
        return write(path, *given, **more)

    monkeypatch.setattr(Path, "write_text", write_text)
    after = rows(app(raw, *given, *shared, analysis="encode"))
    pd.testing.assert_frame_equal(after, before)
    assert {path.name for path in (tmp_path / "cache").iterdir()} == made


def test_damaged_maps_for_readouts_are_made_again(app, tree, tmp_path):
    raw, given = tree
    readout = ("--estimator", "ridge", "--estimator", "factorized")
    more = '[networks.other]\nnetwork = "tiny.py:build"\nlayers = ["0:mean", "1:mean"]\n'
    before = rows(app(raw, *given, *readout, analysis="encode", more=more))
    assert set(before.loc[before["estimator"] == "ridge", "layer"]) == {"0", "0:mean", "1:mean"}
    assert set(before.loc[before["estimator"] == "factorized", "layer"]) == {"0"}
    (entry,) = (tmp_path / "work" / "features").glob("*-features")
    chunk = next(path for path in entry.rglob("c/*/*") if path.is_file())
    chunk.write_bytes(bytes(chunk.stat().st_size))
    shutil.rmtree(tmp_path / "out")
    after = rows(app(raw, *given, *readout, analysis="encode", more=more))
    pd.testing.assert_frame_equal(before, after)
