"""Scores under exchanged labels -> derivatives, and back."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.nulls import Nulls
from bids_dnn.derivatives import names
from bids_dnn.errors import MissingInputError, ShapeError, UnreadableError
from bids_dnn.files import write_json, writing

WORDS = {
    "region": "Name of the region of each row.",
    "comparison": "What was told apart, of each row.",
    "null": "Scores under exchanged labels, a row for each row of the table; NaN at the end where "
    "there are fewer.",
    "enumerated": "Whether a row holds every distinct exchange, the one that changes nothing "
    "among them; else random ones, without it.",
}
SHARE = "_share"  # of the name of an array: what its numbers are multiplied with
RERUN = "Run that participant and analysis again."


def write_nulls(path: Path, nulls: Nulls, *, sidecar: Mapping[str, Any]) -> list[Path]:
    """Write the nulls of a participant, with a sidecar.

    Parameters
    ----------
    path
        As `names.path_of` gives it for the kind ``null``.
    nulls
        The same ones give the same bytes.
    sidecar
        What it says beside the shapes and words of the arrays.

    Returns
    -------
    paths
        The arrays, then their sidecar.

    Raises
    ------
    OutputError
        If the disk is full, or the folder cannot be written.
    """
    values = {name: getattr(nulls, name) for name in WORDS}
    with writing(path) as aside, aside.open("wb") as stream:
        np.savez(stream, **values)
    told = {
        name: {"Description": words, "Shape": list(values[name].shape)}
        for name, words in WORDS.items()
    }
    said = {"Description": "Scores of one participant under exchanged labels.", "Arrays": told}
    return [path, write_json(names.sidecar_of(path), said | dict(sidecar))]


def read_nulls(path: Path) -> Nulls:
    """Return the nulls that `write_nulls` wrote.

    Parameters
    ----------
    path
        The arrays.

    Raises
    ------
    MissingInputError
        If there is no such file.
    UnreadableError
        If it does not hold what it should.
    """
    if not path.is_file():
        raise MissingInputError(f"There is no file {path}.", mend=RERUN)
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as kept:
            return Nulls(**{name: kept[name] for name in WORDS})
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile, ShapeError) as err:
        raise UnreadableError(
            f"{path} does not hold the arrays {', '.join(WORDS)} ({err}).", mend=RERUN
        ) from err


def write_chance_maps(
    path: Path, chance: Mapping[str, tuple[NDArray[Any], float]], *, sidecar: Mapping[str, Any]
) -> list[Path]:
    """Write a participant's maps under exchanged labels, with a sidecar.

    Parameters
    ----------
    path
        As `names.path_of` gives it for the kind ``null``.
    chance : by label of the maps
        Numbers (n_maps, n_units) in the order of the units of the maps, and what they are
        multiplied with to be scores.
    sidecar
        What it says beside the shapes and words of the arrays.

    Returns
    -------
    paths
        The arrays, then their sidecar. The same maps give the same bytes.

    Raises
    ------
    OutputError
        If the disk is full, or the folder cannot be written.
    """
    arrays: dict[str, Any] = {}
    told = {}
    for label, (null, share) in chance.items():
        arrays |= {label: null, f"{label}{SHARE}": np.float64(share)}
        words = f"Maps under exchanged labels, one a row; times {share:.9g} they are scores."
        told[label] = {"Description": words, "Shape": list(null.shape)}
    with writing(path) as aside, aside.open("wb") as stream:
        np.savez_compressed(stream, **arrays)
    said = {"Description": "Maps of one participant under exchanged labels.", "Arrays": told}
    return [path, write_json(names.sidecar_of(path), said | dict(sidecar))]


def read_chance_maps(path: Path) -> dict[str, tuple[NDArray[Any], float]]:
    """Return the maps that `write_chance_maps` wrote, by label.

    Parameters
    ----------
    path
        The arrays.

    Raises
    ------
    MissingInputError
        If there is no such file.
    UnreadableError
        If it does not hold what it should.
    """
    if not path.is_file():
        raise MissingInputError(f"There is no file {path}.", mend=RERUN)
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as kept:
            labels = [name for name in kept.files if not name.endswith(SHARE)]
            return {name: (kept[name], float(kept[f"{name}{SHARE}"])) for name in labels}
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as err:
        raise UnreadableError(
            f"{path} does not hold maps with their shares ({err}).", mend=RERUN
        ) from err
