"""Mean patterns of a participant -> derivatives, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.containers.responses import REQUIRED, Responses
from bids_dnn.containers.shared import SharedPatterns
from bids_dnn.containers.space import Channels
from bids_dnn.derivatives.npz import read_npz, write_npz
from bids_dnn.derivatives.spaces import space_arrays, space_from

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
    values = _arrays(shared)
    return write_npz(
        path,
        values,
        words={name: WORDS.get(name, "Of the space: what its places are.") for name in values},
        description="Mean patterns of one participant, of each condition and run.",
        sidecar=sidecar,
    )


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
    return read_npz(path, _shared, what=f"the arrays {', '.join(WORDS)}", mend=RERUN)


def _arrays(shared: SharedPatterns) -> dict[str, NDArray[Any]]:
    made = shared.responses
    further = [name for name in map(str, made.samples.columns) if name not in REQUIRED]
    inside = np.zeros((len(shared.regions), len(made.space)), dtype=np.bool_)
    for row, columns in zip(inside, shared.regions.values(), strict=True):
        row[columns] = True
    space = made.space
    if isinstance(space, Channels):  # where channels stand tells no two apart
        space = replace(space, layout=None)
    return {
        "values": made.values.astype(np.float32),
        **{name: made.samples[name].to_numpy(dtype=np.str_) for name in OWN},
        "columns": np.array(further, dtype=np.str_),
        "cells": made.samples[further].to_numpy(dtype=np.str_),
        "region": np.array(list(shared.regions), dtype=np.str_),
        "inside": inside,
        "scale": np.array(made.scale),
        **space_arrays(space),
    }


def _shared(kept: Mapping[str, NDArray[Any]]) -> SharedPatterns:
    samples = pd.DataFrame({name: kept[name].astype(object) for name in OWN})
    samples = samples.assign(stimulus="", repeat=0)
    for name, column in zip(kept["columns"], kept["cells"].T, strict=True):
        samples[str(name)] = column.astype(object)
    scale: Any = str(kept["scale"])
    responses = Responses(kept["values"], samples, space_from(kept), scale)
    regions = {
        str(name): np.flatnonzero(row)
        for name, row in zip(kept["region"], kept["inside"], strict=True)
    }
    return SharedPatterns(responses, regions)
