"""features.entry: what lies in the cache is data, and never code."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from bids_dnn.containers.features import FeatureGram
from bids_dnn.errors import MissingInputError, UnreadableError
from bids_dnn.features import store


class Harmful:
    """What a pickle can do when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("part", ["sums", "gram"])
def test_code_in_an_entry_is_never_run(tmp_path, part):
    """An older form of zarr knows a filter that unpickles."""
    gram = FeatureGram(("a", "b"), "small", "0", np.eye(2), 3, {"layer": "0"}, sums=np.ones(2))
    place = store.write_gram(tmp_path, "k", gram)
    folder = place / f"{part}.zarr"
    if part == "sums":
        shutil.rmtree(folder)
        folder.mkdir()
    told = {
        "zarr_format": 2,
        "shape": [1],
        "chunks": [1],
        "dtype": "|O",
        "compressor": None,
        "fill_value": None,
        "order": "C",
        "filters": [{"id": "pickle", "protocol": 5}],
    }
    (folder / ".zarray").write_text(json.dumps(told))
    (folder / "0").write_bytes(pickle.dumps(Harmful(tmp_path / "harm")))
    (folder / "zarr.json").unlink(missing_ok=True)
    if part == "sums":
        with pytest.raises(UnreadableError, match="damaged"):
            store.read_gram(tmp_path, "k")
    else:
        with pytest.raises(MissingInputError):
            store.read_gram(tmp_path, "k")
        list(store.entries(tmp_path))
    assert not (tmp_path / "harm").exists()
