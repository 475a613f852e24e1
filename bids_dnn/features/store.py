"""A cache of Gram matrices, each under the key of what it depends on."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn import files
from bids_dnn.containers.features import FeatureGram
from bids_dnn.errors import BidsDnnError, MissingInputError, UnreadableError

ARRAY = "gram.zarr"


def key(identity: Mapping[str, str]) -> str:
    """Return the name under which what `identity` describes is kept, 64 characters.

    Examples
    --------
    >>> key({"layer": "a"}) == key({"layer": "b"})
    False
    """
    return files.fingerprint_of(dict(identity))


def has(folder: Path, key: str) -> bool:
    """Tell whether there is an entry; whether it is whole only `read_gram` finds out."""
    return (folder / key / ARRAY / "zarr.json").is_file()


def write_gram(folder: Path, key: str, gram: FeatureGram) -> Path:
    """Keep a Gram matrix; an entry that is there and whole stays, a damaged one is replaced.

    Parameters
    ----------
    folder
        Of the cache; made where it is missing.
    key
        From `key`.
    gram
        What is kept: the matrix as a zarr array (format 3), all else as its attributes.

    Returns
    -------
    entry
        The folder of this entry.

    Raises
    ------
    OutputError
        If the disk is full, or the folder cannot be written.
    """
    import zarr

    entry = folder / key
    try:
        read_gram(folder, key)
    except MissingInputError:
        pass
    except UnreadableError:
        shutil.rmtree(entry, ignore_errors=True)
    else:
        return entry
    attributes: dict[str, Any] = {
        "stimuli": list(gram.stimuli),
        "network": gram.network,
        "layer": gram.layer,
        "n_features": gram.n_features,
        "identity": gram.identity,
    }
    with files.writing_folder(entry) as aside:
        array = zarr.create_array(
            store=aside / ARRAY,
            shape=gram.gram.shape,
            chunks=tuple(max(1, min(n, 1024)) for n in gram.gram.shape),
            dtype="float64",
            attributes={**attributes, "sha256": _checksum(gram.gram, attributes)},
            zarr_format=3,
        )
        array[:] = gram.gram
    return entry


def read_gram(folder: Path, key: str) -> FeatureGram:
    """Return what is kept under `key`, verified.

    Parameters
    ----------
    folder
        Of the cache.
    key
        From `key`.

    Raises
    ------
    MissingInputError
        If there is no entry.
    UnreadableError
        If the entry is damaged: make it again and write it, which replaces it.
    """
    import zarr

    if not has(folder, key):
        raise MissingInputError(
            f"The cache {folder} has no entry {key}.", mend="Extract the features first."
        )
    try:
        array = zarr.open_array(store=folder / key / ARRAY, mode="r")
        attributes: dict[str, Any] = dict(array.attrs)
        expected = attributes.pop("sha256", None)
        values = np.asarray(array[:], dtype=np.float64)
        if _checksum(values, attributes) != expected:
            raise _damaged(folder / key, "its checksum is another")
        return FeatureGram(
            stimuli=tuple(attributes["stimuli"]),
            network=str(attributes["network"]),
            layer=str(attributes["layer"]),
            gram=values,
            n_features=int(attributes["n_features"]),
            identity={str(k): str(v) for k, v in attributes["identity"].items()},
        )
    except UnreadableError:
        raise
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, BidsDnnError) as err:
        raise _damaged(folder / key, str(err)) from err


def _checksum(values: NDArray[np.float64], attributes: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(files.json_text(dict(attributes)).encode())
    digest.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
    return digest.hexdigest()


def _damaged(entry: Path, why: str) -> UnreadableError:
    return UnreadableError(
        f"The cache entry {entry} is damaged: {why}.",
        mend="Extract the features again, or delete the entry.",
    )
