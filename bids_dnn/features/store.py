"""A cache of Gram matrices and features, each under the key of what it depends on."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn import files
from bids_dnn.containers.features import FeatureGram
from bids_dnn.errors import MissingInputError, ShapeError, UnreadableError
from bids_dnn.features.claims import claimed
from bids_dnn.features.entry import (
    ASIDE,
    BROKEN,
    MAIN,
    Entry,
    damaged,
    describe,
    load,
    name_of,
    read_entry,
    remove,
    write_entry,
)
from bids_dnn.features.lease import PACE, SUFFIX, Pace, is_held

ARRAY = MAIN["gram"]
# Kept beside what was made, but no part of its key: it is only known afterwards.
RECORDED = frozenset({"batch_size_used", "device_name"})
RECENT_S = 600.0  # who read an entry in the last minutes may be reading it still
ABANDONED_S = 86_400.0


@dataclass(frozen=True, slots=True, eq=False)
class CachedFeatures:
    """Features that the cache holds.

    Parameters
    ----------
    stimuli : n_stimuli
        Ids, in the order of the rows.
    values : (n_stimuli, p) float32
    identity
        What they depend on.
    """

    stimuli: tuple[str, ...]
    values: NDArray[np.float32]
    identity: dict[str, str]


def key(identity: Mapping[str, str]) -> str:
    """Return the name under which what `identity` describes is kept, 64 characters.

    What was only found while it was made (`RECORDED`) does not alter it.

    Examples
    --------
    >>> key({"layer": "a"}) == key({"layer": "b"})
    False
    >>> key({"layer": "a"}) == key({"layer": "a", "batch_size_used": "64"})
    True
    """
    return files.fingerprint_of({k: v for k, v in identity.items() if k not in RECORDED})


def write_gram(folder: Path, key: str, gram: FeatureGram) -> Path:
    """Keep a Gram matrix; an entry that is there and whole stays, a damaged one is replaced.

    Parameters
    ----------
    folder
        Of the cache; made where it is missing.
    key
        From `key`.
    gram
        What is kept: each array as a zarr array (format 3), all else as attributes.

    Returns
    -------
    entry
        The folder of this entry.

    Raises
    ------
    OutputError
        If the disk is full, or the folder cannot be written.
    """
    told = {field.name: getattr(gram, field.name) for field in fields(gram)}
    arrays = {name: value for name, value in told.items() if isinstance(value, np.ndarray)}
    plain = {name: value for name, value in told.items() if name not in arrays}
    return write_entry(folder, key, kind="gram", arrays=arrays, plain=plain)


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
    arrays, plain = read_entry(folder, key, kind="gram")
    try:
        told: dict[str, Any] = {**plain, **arrays, "stimuli": tuple(plain["stimuli"])}
        return FeatureGram(**told)
    except BROKEN as err:
        raise damaged(folder / key, str(err)) from err


def write_features(
    folder: Path,
    key: str,
    ids: Sequence[str],
    values: NDArray[np.float32],
    identity: Mapping[str, str],
) -> Path:
    """Keep features; an entry that is there and whole stays, a damaged one is replaced.

    Parameters
    ----------
    folder
        Of the cache; made where it is missing.
    key
        From `key`.
    ids : n_stimuli
        Of the rows.
    values : (n_stimuli, p)
        An array or a memory map, of which some rows are read at a time.
    identity
        What they depend on.

    Returns
    -------
    entry
        The folder of this entry.

    Raises
    ------
    ShapeError
        If there is not one id for each row.
    OutputError
        If the disk is full, or the folder cannot be written.
    """
    if values.ndim != 2 or len(ids) != len(values):
        raise ShapeError(
            f"The features have shape {values.shape}, but there are {len(ids)} stimuli.",
            mend="Give one row for each stimulus.",
        )
    plain = {"stimuli": list(ids), "identity": dict(identity)}
    return write_entry(folder, key, kind="features", arrays={"features": values}, plain=plain)


def read_features(folder: Path, key: str) -> CachedFeatures:
    """Return features that are kept under `key`, verified.

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
    arrays, plain = read_entry(folder, key, kind="features")
    return CachedFeatures(tuple(plain["stimuli"]), arrays["features"], plain["identity"])


def obtain(
    folder: Path,
    identities: Mapping[str, Mapping[str, str]],
    make: Callable[[tuple[str, ...]], Iterable[FeatureGram]],
    *,
    say: Callable[[str], None] | None = None,
    pace: Pace = PACE,
) -> dict[str, FeatureGram]:
    """Return Gram matrices of layers: from the cache, from another process, or newly made.

    Parameters
    ----------
    folder
        Of the cache; made where it is missing.
    identities
        By the layer's name: what its Gram matrix depends on.
    make
        Makes those of the layers that it is given, in that order; each is kept as it comes.
        Called at most once, and only for what is not there or damaged.
    say
        Told whom we wait for.
    pace
        Seconds, see `lease.leases`.

    Returns
    -------
    grams
        In the order of `identities`, each with the layer's name that was asked for, whatever
        it was called when it was made.

    Raises
    ------
    OutputError
        If the disk is full, or the folder cannot be written.
    """
    keys = {layer: key(identity) for layer, identity in identities.items()}
    found: dict[str, FeatureGram] = {}  # by key

    def check(name: str) -> bool:
        with suppress(MissingInputError, UnreadableError):
            found[name] = read_gram(folder, name)
        return name in found

    while missing := {name: layer for layer, name in keys.items() if name not in found}:
        with claimed(folder, [*missing], kind="gram", check=check, say=say, pace=pace) as ours:
            if ours:
                made = make(tuple(missing[name] for name in ours))
                for name, gram in zip(ours, made, strict=True):
                    write_gram(folder, name, gram)
                    found[name] = gram
    return {layer: replace(found[name], layer=layer) for layer, name in keys.items()}


def entries(folder: Path) -> list[Entry]:
    """List what a cache holds, the most recently used first.

    Parameters
    ----------
    folder
        Of the cache.

    Raises
    ------
    MissingInputError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise MissingInputError(
            f"There is no folder {folder}.",
            mend="Name the folder of --cache-dir; without that option it is features/ in the "
            "work directory.",
        )
    found = [
        describe(one, kind)
        for one in folder.iterdir()
        for kind, main in MAIN.items()
        if one.suffix != ASIDE and (one / main).is_dir()
    ]
    return sorted(found, key=lambda entry: (-entry.used, entry.key))


def prune(
    folder: Path, *, max_bytes: int | None = None, unused_for_s: float | None = None
) -> list[Entry]:
    """Remove entries, the least recently used first, until the cache is small enough.

    What a process is making, or read within the last 10 minutes, stays. What killed processes
    left behind a day ago is removed as well.

    Parameters
    ----------
    folder
        Of the cache.
    max_bytes : int
        That may stay; None = any size.
    unused_for_s : float
        Entries that nobody used for so long are removed, whatever the size; None = keep them.

    Returns
    -------
    removed
        What was removed.

    Raises
    ------
    MissingInputError
        If there is no such folder.
    """
    there = entries(folder)
    now = time.time()
    for left in folder.glob(f"*{ASIDE}"):
        with suppress(OSError):
            if now - left.stat().st_mtime > ABANDONED_S:
                shutil.rmtree(left, ignore_errors=True)
    total = sum(entry.n_bytes for entry in there)
    removed = []
    for entry in reversed(there):
        idle_s = now - entry.used
        is_old = unused_for_s is not None and idle_s > unused_for_s
        is_over = max_bytes is not None and total > max_bytes
        if not (is_old or is_over) or abs(idle_s) < RECENT_S:
            continue
        name = name_of(entry.key, entry.kind)
        if is_held(folder / f"{name}{SUFFIX}"):
            continue
        if remove(folder, entry.key, kind=entry.kind):
            total -= entry.n_bytes
            removed.append(entry)
    return removed


def problem(folder: Path, entry: Entry) -> str:
    """Return what is wrong with an entry, "" where it is whole; its time of use stays.

    Parameters
    ----------
    folder
        Of the cache.
    entry
        Of `entries`.
    """
    place = folder / name_of(entry.key, entry.kind)
    try:
        _, plain = load(place, entry.kind)
    except (MissingInputError, UnreadableError) as err:
        return err.what
    if key(plain["identity"]) != entry.key:
        return f"The cache entry {place} has the name of another."
    return ""
