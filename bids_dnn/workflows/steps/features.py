"""Stimuli and a network -> Gram matrices of its layers, in the cache."""

from __future__ import annotations

from pathlib import Path

from bids_dnn.backend import choose_device
from bids_dnn.containers.features import FeatureGram
from bids_dnn.errors import MissingInputError, UnreadableError
from bids_dnn.features import store
from bids_dnn.features.extract import extract_grams
from bids_dnn.features.models import load_network
from bids_dnn.files import read_json, write_json
from bids_dnn.stimuli.load import load_picture


def features_step(manifest: Path, *, out_dir: Path) -> Path:
    """Extract every layer in one pass, or take what the cache has; write where it lies."""
    told = read_json(manifest)
    cache = Path(told["cache"])
    made = out_dir / "features.json"
    device = choose_device(told["device"])
    index = cache / f"{told['key']}-{device}.json"  # GPU and CPU differ in the last bits
    keys = _known(cache, index)
    if keys is None:
        weights = told["weights"]
        network = load_network(
            told["network"], weights=weights, layers=told["layers"] or None, seed=told["seed"]
        )
        files = {name: Path(path) for name, path in told["stimuli"].items()}
        grams = extract_grams(
            network,
            told["stimulus_sha256"],
            lambda name: load_picture(files[name], network.card),
            layers=network.card.layers,
            device=device,
            scratch=out_dir / "scratch",
        )
        keys = [store.key(gram.identity) for gram in grams]
        for key, gram in zip(keys, grams, strict=True):
            store.write_gram(cache, key, gram)
        write_json(index, keys)
    return write_json(made, {"cache": str(cache), "name": told["name"], "keys": keys})


def load_grams(index: Path) -> list[FeatureGram]:
    """Return the Gram matrices that a `features_step` wrote or found.

    Raises
    ------
    MissingInputError
        If an entry of the cache was removed.
    UnreadableError
        If an entry of the cache is damaged.
    """
    told = read_json(index)
    return [store.read_gram(Path(told["cache"]), key) for key in told["keys"]]


def _known(cache: Path, index: Path) -> list[str] | None:
    if not index.is_file():
        return None
    keys: list[str] = read_json(index)
    try:
        for name in keys:
            store.read_gram(cache, name)
    except (MissingInputError, UnreadableError):
        return None
    return keys
