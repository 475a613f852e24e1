"""Scores under exchanged labels -> derivatives, and back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.nulls import NullMap, Nulls
from bids_dnn.derivatives.npz import Arrays, read_npz, write_npz

WORDS = {
    "region": "Name of the region of each row.",
    "comparison": "What was told apart, of each row.",
    "null": "Scores under exchanged labels, a row for each row of the table; NaN at the end where "
    "there are fewer.",
    "enumerated": "Whether a row holds every distinct exchange, the one that changes nothing "
    "among them; else random ones, without it.",
}
SHARE = "_share"  # behind the label of a map
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
    return write_npz(
        path,
        {name: getattr(nulls, name) for name in WORDS},
        words=WORDS,
        description="Scores of one participant under exchanged labels.",
        sidecar=sidecar,
    )


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
    what = f"the arrays {', '.join(WORDS)}"
    return read_npz(path, _nulls, what=what, mend=RERUN)


def _nulls(kept: Arrays) -> Nulls:
    return Nulls(**{name: kept[name] for name in WORDS})


def write_null_maps(
    path: Path, maps: Mapping[str, NullMap], *, sidecar: Mapping[str, Any]
) -> list[Path]:
    """Write the maps of a participant under exchanged labels, with a sidecar.

    Parameters
    ----------
    path
        As `names.path_of` gives it for the kind ``null``.
    maps
        By label; the same ones give the same bytes.
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
    arrays: dict[str, NDArray[Any]] = {}
    words = {}
    for label, one in maps.items():
        arrays |= {label: one.values, label + SHARE: np.array(one.share)}
        words[label] = (
            f"A row for each exchange of labels, a column for each unit of the map {label}; times "
            f"{label}{SHARE}, these are scores."
        )
    return write_npz(
        path,
        arrays,
        words=words,
        description="Maps of one participant under exchanged labels.",
        sidecar=sidecar,
    )


def read_null_maps(path: Path) -> dict[str, NullMap]:
    """Return the maps that `write_null_maps` wrote, by label.

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
    return read_npz(path, _null_maps, what="maps under exchanged labels", mend=RERUN)


def _null_maps(kept: Arrays) -> dict[str, NullMap]:
    labels = [name for name in kept if not name.endswith(SHARE)]
    return {name: NullMap(kept[name], float(kept[name + SHARE])) for name in labels}
