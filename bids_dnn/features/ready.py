"""Features that were made elsewhere, joined with stimuli by their ids."""

from __future__ import annotations

import hashlib
import logging
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bids_dnn import files
from bids_dnn.containers.features import FeatureGram
from bids_dnn.errors import (
    ConfigError,
    MissingInputError,
    NotEnoughDataError,
    ShapeError,
    UnreadableError,
    nearest,
)
from bids_dnn.features.gram import gram_of
from bids_dnn.features.identity import EXTRACTION
from bids_dnn.features.ready_files import Stored, open_file, whole
from bids_dnn.features.ready_folder import open_folder
from bids_dnn.features.ready_ids import ids_beside

log = logging.getLogger(__name__)

ALL = "*"
BLOCK_BYTES = 64 << 20
SHOWN = 12


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """Features of one layer that were made elsewhere.

    Parameters
    ----------
    ids : n
        Names of stimuli as the file tells them, none twice.
    values : (n, p) float32
        All finite; an array or a memory map.
    sha256
        Of the bytes of the file, or of the hashes of several files.
    source
        Name of the file or folder.

    Raises
    ------
    ShapeError
        If there is not one id for each row, or one stands twice.
    """

    ids: tuple[str, ...]
    values: NDArray[np.float32]
    sha256: str
    source: str = ""

    def __post_init__(self) -> None:
        if self.values.shape[:1] != (len(self.ids),) or len(set(self.ids)) != len(self.ids):
            raise ShapeError(
                f"The features have shape {self.values.shape}, with {len(self.ids)} ids, "
                f"{len(set(self.ids))} of them different.",
                mend="Give one row for each stimulus, and each stimulus once.",
            )


def read_ready(path: Path, *, layers: Sequence[str] = ()) -> dict[str, Ready]:
    """Read features from a file or folder that another program wrote; nothing in it is run.

    Parameters
    ----------
    path
        ``.npy``, ``.npz``, ``.h5``, ``.hdf5``, ``.mat``, ``.tsv``, ``.csv``, ``.pt``, ``.txt``,
        or a folder of THINGSvision (see `ready_folder`). Ids stand in the file, or beside it
        (see `ready_ids`).
    layers
        Names of arrays, data sets, variables or folders; none = the only one; ``*`` = all.

    Returns
    -------
    ready
        By layer, in the order of `layers`. Features of several axes, such as maps, are
        flattened, the last axis fastest.

    Raises
    ------
    MissingInputError
        If there is no such file, or no id is told.
    ConfigError
        If a layer is unknown, or there are several and none was chosen.
    ShapeError
        If the number of ids and of rows differ, or an array has one axis.
    UnreadableError
        If a file is cut short, holds objects that only code could read, values that are no
        numbers, NaN or infinite values, or an id twice.
    """
    found = open_folder(path) if path.is_dir() else open_file(path)
    return {name: _ready(path, name, found[name]) for name in _chosen(path, found, tuple(layers))}


def grams(
    ready: Mapping[str, Ready], resolved: Mapping[str, str], *, network: str
) -> list[FeatureGram]:
    """Multiply features that were made elsewhere with themselves, for the stimuli of a data set.

    Parameters
    ----------
    ready
        From `read_ready`, by layer.
    resolved
        Id in the file to stimulus, as ``stimuli.catalog.resolve`` tells; rows whose id is not
        in it are left out, which is logged.
    network
        Name in the tables.

    Returns
    -------
    grams
        One for each layer, with all that it depends on.

    Raises
    ------
    MissingInputError
        If no row is a stimulus of the data set.
    NotEnoughDataError
        If two rows are the same stimulus.
    """
    return [_gram(one, layer, network, resolved) for layer, one in ready.items()]


def rows_of(ready: Ready, resolved: Mapping[str, str]) -> NDArray[np.float32]:
    """Return the features that are of stimuli, in the order that `grams` gives them.

    Parameters
    ----------
    ready
        Of one layer.
    resolved
        As in `grams`, which refuses what it must.
    """
    places = [row for row, name in enumerate(ready.ids) if name in resolved]
    return ready.values if len(places) == len(ready.ids) else ready.values[places]


# --- reading


def _chosen(path: Path, found: Mapping[str, Stored], layers: tuple[str, ...]) -> tuple[str, ...]:
    usable = [name for name, one in found.items() if one.is_layer] or list(found)
    if not found:
        raise UnreadableError(
            f"{path} holds no array of numbers.", mend="Save the features as (stimuli, features)."
        )
    if layers == (ALL,):
        return tuple(usable)
    if not layers and len(usable) > 1:
        told = ", ".join(usable[:SHOWN]) + (
            f" and {len(usable) - SHOWN} more" if len(usable) > SHOWN else ""
        )
        raise ConfigError(
            f"{path} holds {len(usable)} layers ({told}), and none was chosen.",
            mend=f"Choose some, as in --network features:{path}@{usable[0]}, or all of them "
            f"with @{ALL}.",
        )
    for name in layers:
        if name not in found:
            raise ConfigError(f"{path} holds no layer {name!r}.", mend=nearest(name, usable))
    return layers or tuple(usable)


def _ready(path: Path, layer: str, stored: Stored) -> Ready:
    told = f"Layer {layer!r} of {path}"
    if stored.dtype.kind not in "fiub":
        raise UnreadableError(
            f"{told} holds values of type {stored.dtype}; numbers were expected.",
            mend="Save the features as float32, and the ids beside them.",
        )
    ids, place = stored.ids, stored.files[0]
    if not ids and not path.is_dir():
        ids, beside = ids_beside(path)
        place = beside or place
    _check_axes(told, stored.shape)
    with whole(stored.files[0]), np.errstate(over="ignore"):  # too large is infinite, see below
        flat = stored.read().reshape(stored.shape[0], math.prod(stored.shape[1:]))
        values = flat.astype(np.float32, copy=False)
    _check_ids(told, stored.shape, ids, path)
    _check_finite(told, values, ids)
    if doubled := _doubled(ids):
        raise UnreadableError(
            f"{place} names {doubled[0]!r} twice, and {len(doubled)} id(s) in all more than once.",
            mend="Give each stimulus one row.",
        )
    hashes = [files.fingerprint(one) for one in stored.files]
    sha256 = hashes[0] if len(hashes) == 1 else files.fingerprint_of(hashes)
    return Ready(ids, values, sha256, path.name)


def _check_axes(told: str, shape: tuple[int, ...]) -> None:
    if len(shape) < 2:
        raise ShapeError(
            f"{told} has shape {shape}; (stimuli, features) was expected.",
            mend="Save values[:, None] where it is one number for each stimulus, values[None] "
            "where it is one stimulus.",
        )
    if not math.prod(shape):
        raise ShapeError(
            f"{told} has shape {shape}: there is nothing in it.", mend="Save it anew."
        )


def _check_ids(told: str, shape: tuple[int, ...], ids: tuple[str, ...], path: Path) -> None:
    if not ids:
        raise MissingInputError(
            f"{told} has {shape[0]} rows, but nothing tells which stimuli they are.",
            mend=f"Write {path.stem + '.tsv' if path.is_file() else 'file_names.txt'} beside it, "
            f"with a column stimulus of {shape[0]} lines.",
        )
    if len(ids) == shape[0]:
        return
    if len(shape) == 2 and len(ids) == shape[1]:
        raise ShapeError(
            f"{told} has shape {shape}, and there are {len(ids)} ids: stimuli are its columns.",
            mend="Save the transpose, (stimuli, features).",
        )
    raise ShapeError(
        f"{told} has shape {shape}, but there are {len(ids)} ids.",
        mend="Give one id for each row, in the order of the rows.",
    )


def _check_finite(told: str, values: NDArray[np.float32], ids: tuple[str, ...]) -> None:
    for rows in _blocks(values):
        if not np.isfinite(values[rows]).all():
            bad = ~np.isfinite(values[rows])
            row = int(np.argmax(bad.any(axis=1)))
            raise UnreadableError(
                f"{told} has {int(bad[row].sum())} NaN or infinite values among "
                f"{values.shape[1]} for {ids[rows.start + row]!r}; finite ones were expected.",
                mend="Leave that stimulus out, or make its features again.",
            )


def _doubled(ids: Sequence[str]) -> list[str]:
    return [name for name, n in Counter(ids).items() if n > 1]


def _blocks(values: NDArray[np.float32]) -> Iterator[slice]:
    n_rows = max(1, BLOCK_BYTES // (4 * max(1, values.shape[1])))
    for start in range(0, len(values), n_rows):
        yield slice(start, start + n_rows)


# --- products


def _rows(ready: Ready, layer: str, resolved: Mapping[str, str]) -> dict[str, int]:
    """Return the row of each stimulus, in the order of the rows."""
    rows: dict[str, int] = {}
    unknown = [name for name in ready.ids if name not in resolved]
    for row, name in enumerate(ready.ids):
        if name not in resolved:
            continue
        stimulus = resolved[name]
        if stimulus in rows:
            raise NotEnoughDataError(
                f"{ready.ids[rows[stimulus]]!r} and {name!r} in {ready.source} are both "
                f"{stimulus!r}; each stimulus was expected once.",
                mend="Remove one of the rows, or name stimuli by longer paths.",
            )
        rows[stimulus] = row
    if not rows:
        raise MissingInputError(
            f"None of the {len(ready.ids)} ids in {ready.source}, such as {ready.ids[0]!r}, is a "
            "stimulus of this data set.",
            mend="Name rows as the files in stimuli/, with or without folder and suffix.",
        )
    if unknown:
        log.warning(
            "%s, %s: %d of %d rows are no stimulus of this data set, such as %r; left out.",
            *(ready.source, layer, len(unknown), len(ready.ids), unknown[0]),
        )
    return rows


def _gram(ready: Ready, layer: str, network: str, resolved: Mapping[str, str]) -> FeatureGram:
    rows, values = _rows(ready, layer, resolved), rows_of(ready, resolved)
    joined = "".join(f"{stimulus}\0{row}\n" for stimulus, row in rows.items())
    identity = {
        "network": network,
        "weights": f"features made elsewhere, {ready.source}",
        "weights_sha256": ready.sha256,
        "layer": layer,
        "preprocessing": "",
        "transforms": "",
        "stimuli": f"{len(rows)}, sha256 {hashlib.sha256(joined.encode()).hexdigest()}",
        "precision": "float32, Gram in float64",
        "extraction": EXTRACTION,
    }
    sums = [values[block].sum(axis=1, dtype=np.float64) for block in _blocks(values)]
    return FeatureGram(
        tuple(rows),
        network,
        layer,
        gram_of(values),
        values.shape[1],
        identity,
        sums=np.concatenate(sums),
    )
