"""Scores under exchanged labels -> derivatives, and back."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

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
