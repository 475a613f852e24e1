"""Named arrays -> one .npz file with a sidecar, and back."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bids_dnn.derivatives import names
from bids_dnn.errors import MissingInputError, ShapeError, UnreadableError
from bids_dnn.files import write_json, writing

Arrays = Mapping[str, NDArray[Any]]
Made = TypeVar("Made")


def write_npz(
    path: Path,
    arrays: Arrays,
    *,
    words: Mapping[str, str],
    description: str,
    sidecar: Mapping[str, Any],
) -> list[Path]:
    """Write named arrays, with a sidecar.

    Parameters
    ----------
    path
        Ends in ``.npz``.
    arrays
        The same ones give the same bytes.
    words
        Of the arrays that the sidecar describes.
    description
        Of the file.
    sidecar
        What it says beside.

    Returns
    -------
    paths
        The arrays, then their sidecar.

    Raises
    ------
    OutputError
        If the disk is full, or the folder cannot be written.
    """
    given: dict[str, Any] = dict(arrays)
    with writing(path) as aside, aside.open("wb") as stream:
        np.savez_compressed(stream, **given)
    told = {
        name: {"Description": text, "Shape": list(arrays[name].shape)}
        for name, text in words.items()
    }
    said = {"Description": description, "Arrays": told} | dict(sidecar)
    return [path, write_json(names.sidecar_of(path), said)]


def read_npz(path: Path, make: Callable[[Arrays], Made], *, what: str, mend: str) -> Made:
    """Return what is made of the arrays of a file.

    Parameters
    ----------
    path
        The arrays.
    make
        Takes them by name.
    what
        They should be, for the message.
    mend
        What to do where they are not.

    Raises
    ------
    MissingInputError
        If there is no such file.
    UnreadableError
        If it does not hold what `make` takes.
    """
    if not path.is_file():
        raise MissingInputError(f"There is no file {path}.", mend=mend)
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as kept:
            return make({name: kept[name] for name in kept.files})
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile, ShapeError) as err:
        raise UnreadableError(f"{path} does not hold {what} ({err}).", mend=mend) from err
