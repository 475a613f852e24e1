"""One entry of the cache: a folder of arrays that tells whether it is whole."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bids_dnn import files
from bids_dnn.errors import BidsDnnError, MissingInputError, UnreadableError

Kind = Literal["gram", "features"]
Arrays = dict[str, NDArray[Any]]

FEATURES = "-features"  # after the key: one key may have products and features
MAIN: dict[Kind, str] = {"gram": "gram.zarr", "features": "features.zarr"}
USED = "used"  # an empty file whose time is that of the last use
ASIDE = ".tmp"
CHUNK_BYTES = 16 << 20
BROKEN = (OSError, RuntimeError, ValueError, TypeError, KeyError, BidsDnnError)


@dataclass(frozen=True, slots=True)
class Entry:
    """What the cache holds under one key.

    Parameters
    ----------
    key
        Name of its folder.
    kind
        Products of features, or features.
    n_bytes : int
        On disk.
    used : float, s since 1970
        Last time that it was read or written.
    identity
        What it depends on; empty where that cannot be read.
    facts
        Network, layer and numbers of stimuli and features, as text.
    """

    key: str
    kind: Kind
    n_bytes: int
    used: float
    identity: dict[str, str]
    facts: dict[str, str]


def name_of(key: str, kind: Kind) -> str:
    """Return the name of the folder of an entry."""
    return key + FEATURES if kind == "features" else key


def write_entry(
    folder: Path, key: str, *, kind: Kind, arrays: Arrays, plain: Mapping[str, Any]
) -> Path:
    """Keep arrays; an entry that is there and whole stays, a damaged one is replaced.

    Parameters
    ----------
    folder
        Of the cache; made where it is missing.
    key
        Name of the entry.
    kind
        Also the name of the main array.
    arrays
        Each with the stimuli as its first axis; of a memory map some rows are read at a time.
    plain
        All else, JSON-ready.

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

    entry = folder / name_of(key, kind)
    try:
        read_entry(folder, key, kind=kind)
    except MissingInputError:
        pass
    except UnreadableError:
        remove(folder, key, kind=kind)
    else:
        return entry
    with files.writing_folder(entry) as aside:
        for name, values in arrays.items():
            array = zarr.create_array(
                store=aside / f"{name}.zarr",
                shape=values.shape,
                chunks=_chunks(values.shape, _type_of(name).itemsize),
                dtype=_type_of(name).name,
                compressors=None,
                attributes={**plain, "sha256": _checksum(arrays, plain)} if name == kind else {},
                zarr_format=3,
            )
            for rows in _blocks(values.shape, array.chunks[0]):
                array[rows] = values[rows]
        (aside / USED).touch()
    return entry


def has_entry(folder: Path, key: str, *, kind: Kind) -> bool:
    """Tell whether there is an entry; whether it is whole only reading finds out."""
    return (folder / name_of(key, kind) / MAIN[kind] / "zarr.json").is_file()


def read_entry(folder: Path, key: str, *, kind: Kind) -> tuple[Arrays, dict[str, Any]]:
    """Return the arrays and all else of an entry, verified, and note that it was used.

    Raises
    ------
    MissingInputError
        If there is no entry.
    UnreadableError
        If the entry is damaged.
    """
    if not has_entry(folder, key, kind=kind):
        raise MissingInputError(
            f"The cache {folder} has no entry {key}.", mend="Extract the features first."
        )
    entry = folder / name_of(key, kind)
    with suppress(OSError):  # a cache that others filled may be read-only
        os.utime(entry / USED)
    return load(entry, kind)


def stamp_of(folder: Path, key: str, *, kind: Kind) -> tuple[int, int] | None:
    """Return what tells an entry from one that was made later, None where there is none."""
    try:
        told = (folder / name_of(key, kind) / MAIN[kind] / "zarr.json").stat()
    except OSError:
        return None
    return told.st_ino, told.st_mtime_ns


def load(entry: Path, kind: Kind) -> tuple[Arrays, dict[str, Any]]:
    """Return the arrays and all else of an entry, verified.

    Raises
    ------
    UnreadableError
        If the entry is damaged.
    """
    import zarr

    try:
        main = zarr.open_array(store=entry / MAIN[kind], mode="r", zarr_format=3)
        plain: dict[str, Any] = dict(main.attrs)
        expected = plain.pop("sha256", None)
        arrays: Arrays = {}
        for part in sorted(entry.glob("*.zarr")):
            array = zarr.open_array(store=part, mode="r", zarr_format=3)
            arrays[part.stem] = np.asarray(array[:], dtype=_type_of(part.stem))
        if _checksum(arrays, plain) != expected:
            raise damaged(entry, "its checksum is another")
    except UnreadableError:
        raise
    except BROKEN as err:
        raise damaged(entry, str(err)) from err
    return arrays, plain


def _checksum(arrays: Mapping[str, NDArray[Any]], plain: Mapping[str, Any]) -> str:
    """Hash values and attributes, some rows at a time."""
    digest = hashlib.sha256(files.json_text(dict(plain)).encode())
    for name, values in sorted(arrays.items()):
        kind = _type_of(name)
        digest.update(f"{name} {values.shape}\n".encode())
        for rows in _blocks(values.shape, _chunks(values.shape, kind.itemsize)[0]):
            digest.update(np.ascontiguousarray(values[rows], dtype=kind).data)
    return digest.hexdigest()


def _type_of(name: str) -> np.dtype[Any]:
    """Return how an array is kept: features in single precision, sums over them in double."""
    return np.dtype("<f4" if name == "features" else "<f8")


def _chunks(shape: tuple[int, ...], n_bytes: int) -> tuple[int, ...]:
    """Return the shape of chunks of whole rows, as many as `CHUNK_BYTES` hold."""
    widths = tuple(max(1, min(n, CHUNK_BYTES // n_bytes)) for n in shape[1:])
    rows = CHUNK_BYTES // (n_bytes * int(np.prod(widths)))
    return max(1, min(shape[0], rows)), *widths


def _blocks(shape: tuple[int, ...], n_rows: int) -> Iterator[slice]:
    for start in range(0, shape[0], n_rows):
        yield slice(start, min(start + n_rows, shape[0]))


def describe(place: Path, kind: Kind) -> Entry:
    """Return what an entry says of itself; its values are not read."""
    from zarr import open_array

    identity: dict[str, str] = {}
    facts: dict[str, str] = {}
    with suppress(*BROKEN):
        array = open_array(store=place / MAIN[kind], mode="r", zarr_format=3)
        told: dict[str, Any] = dict(array.attrs)
        identity = {str(k): str(v) for k, v in told["identity"].items()}
        facts = {
            "network": str(told.get("network", identity.get("network", ""))),
            "layer": str(told.get("layer", identity.get("layer", ""))),
            "n_stimuli": str(array.shape[0]),
            "n_features": str(told.get("n_features", array.shape[-1])),
        }
    there = [path.stat() for path in place.rglob("*") if path.is_file()]
    times = [(place / USED).stat()] if (place / USED).is_file() else there
    used = max((one.st_mtime for one in times), default=0.0)
    key = place.name.removesuffix(FEATURES)
    return Entry(key, kind, sum(one.st_size for one in there), used, identity, facts)


def remove(folder: Path, key: str, *, kind: Kind) -> bool:
    """Remove an entry at once, so that nobody finds half of it; tell whether it was there."""
    name = name_of(key, kind)
    aside = folder / f"{name}.{uuid.uuid4().hex[:12]}{ASIDE}"
    try:
        (folder / name).rename(aside)
    except OSError:
        return False
    shutil.rmtree(aside, ignore_errors=True)
    return True


def damaged(entry: Path, why: str) -> UnreadableError:
    """Return the error for an entry that is not whole."""
    return UnreadableError(
        f"The cache entry {entry} is damaged: {why}.",
        mend="Extract the features again, or delete the entry.",
    )
