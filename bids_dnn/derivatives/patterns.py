"""Mean patterns of a participant -> derivatives, and back."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.containers.responses import REQUIRED, Responses
from bids_dnn.containers.shared import SharedPatterns
from bids_dnn.containers.space import Channels, Grayordinates, Grid, Space, Surface
from bids_dnn.derivatives import names
from bids_dnn.errors import MissingInputError, ShapeError, UnreadableError
from bids_dnn.files import write_json, writing

WORDS = {
    "values": "Mean response of each unit (column), a row for each condition and run, and value "
    "of each further column that comparisons name.",
    "condition": "Condition of each row.",
    "run": "Run of each row, with its session where there are several.",
    "session": "Session of each row, empty where there are none.",
    "columns": "Names of the further columns of the samples.",
    "cells": "Values of the further columns, a row for each row of values.",
    "region": "Name of each region.",
    "inside": "Which units belong to each region, a row for each region.",
    "scale": "beta = as the model gave it, psc = percent signal change, zscore = standard "
    "deviations, rate = spikes per second, raw = as in the image.",
    "space_kind": "What a unit is: a voxel of a Grid, a vertex of a Surface, a place of "
    "Grayordinates, one of the Channels.",
    "space_name": "Label of the space.",
    "space_index": "Place of each unit in the space: two participants with places of the same "
    "number have the same unit, where the other arrays of the space are the same.",
}
SPACES: dict[str, type[Space]] = {
    one.__name__: one for one in (Grid, Surface, Grayordinates, Channels)
}
TUPLES = ("shape", "n_vertices", "structures", "names")  # of spaces; the others are arrays
OWN = ("condition", "run", "session")
RERUN = "Run that participant again, with share = true under [decode]."


def write_patterns(
    path: Path, shared: SharedPatterns, *, sidecar: Mapping[str, Any]
) -> list[Path]:
    """Write the mean patterns of a participant, with a sidecar.

    Parameters
    ----------
    path
        As `names.path_of` gives it for the kind ``patterns``.
    shared
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
    values: dict[str, Any] = _arrays(shared)
    with writing(path) as aside, aside.open("wb") as stream:
        np.savez(stream, **values)
    told = {
        name: {
            "Description": WORDS.get(name, "Of the space: what its places are."),
            "Shape": list(one.shape),
        }
        for name, one in values.items()
    }
    said = {"Description": "Mean patterns of one participant, of each condition and run."}
    return [path, write_json(names.sidecar_of(path), said | {"Arrays": told} | dict(sidecar))]


def read_patterns(path: Path) -> SharedPatterns:
    """Return the patterns that `write_patterns` wrote.

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
            return _shared({name: kept[name] for name in kept.files})
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile, ShapeError) as err:
        raise UnreadableError(
            f"{path} does not hold the arrays {', '.join(WORDS)} ({err}).", mend=RERUN
        ) from err


def _arrays(shared: SharedPatterns) -> dict[str, NDArray[Any]]:
    made = shared.responses
    further = [name for name in map(str, made.samples.columns) if name not in REQUIRED]
    inside = np.zeros((len(shared.regions), len(made.space)), dtype=np.bool_)
    for row, columns in zip(inside, shared.regions.values(), strict=True):
        row[columns] = True
    space = {
        f"space_{one.name}": np.asarray(getattr(made.space, one.name))
        for one in fields(made.space)  # type: ignore[arg-type]  # each kind is a dataclass
        if one.name != "layout"  # where channels stand tells no two apart
    }
    return {
        "values": made.values.astype(np.float32),
        **{name: made.samples[name].to_numpy(dtype=np.str_) for name in OWN},
        "columns": np.array(further, dtype=np.str_),
        "cells": made.samples[further].to_numpy(dtype=np.str_),
        "region": np.array(list(shared.regions), dtype=np.str_),
        "inside": inside,
        "scale": np.array(made.scale),
        "space_kind": np.array(type(made.space).__name__),
        **space,
    }


def _shared(kept: Mapping[str, NDArray[Any]]) -> SharedPatterns:
    samples = pd.DataFrame({name: kept[name].astype(object) for name in OWN})
    samples = samples.assign(stimulus="", repeat=0)
    for name, column in zip(kept["columns"], kept["cells"].T, strict=True):
        samples[str(name)] = column.astype(object)
    scale: Any = str(kept["scale"])
    responses = Responses(kept["values"], samples, _space(kept), scale)
    regions = {
        str(name): np.flatnonzero(row)
        for name, row in zip(kept["region"], kept["inside"], strict=True)
    }
    return SharedPatterns(responses, regions)


def _space(kept: Mapping[str, NDArray[Any]]) -> Space:
    told: dict[str, Any] = {}
    for name, one in kept.items():
        part = name.removeprefix("space_")
        if part in (name, "kind"):
            continue
        told[part] = tuple(one.tolist()) if part in TUPLES else one
    made: Space = SPACES[str(kept["space_kind"])](**told | {"name": str(told["name"])})
    return made
