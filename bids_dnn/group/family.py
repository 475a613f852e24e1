"""The scores of all participants as one array, a row for each place in the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.errors import ConfigError, ShapeError, nearest
from bids_dnn.group.choices import STRONGER
from bids_dnn.stats.inference import fdr

Float = NDArray[np.float64]
# What tells rows apart within a participant, and against what the score is tested.
KEYS = {
    "decode": ("region", "comparison"),
    "encode": ("region", "network", "layer"),
    "twin": ("region", "network", "layer", "snr"),
}
APART = ("estimator", "target", "metric")  # of encoding; what else may tell its rows apart
BASES = {"decode": "chance", "encode": None, "twin": None}
FURTHER: dict[str, tuple[str, ...]] = {
    "decode": ("chance",),
    "encode": ("ceiling", "normalized"),
    "twin": (),
}


def keys_of(table: pd.DataFrame, analysis: str) -> list[str]:
    """Return the columns that tell rows apart within a participant.

    Parameters
    ----------
    table
        As `stack.stack` returns it.
    analysis
        ``decode``, ``encode`` or ``twin``.

    Raises
    ------
    ConfigError
        If there is no such analysis.
    ShapeError
        If `table` lacks a column, or holds a participant twice in one row's place.
    """
    if analysis not in KEYS:
        raise ConfigError(f"There is no analysis {analysis!r}.", mend=nearest(analysis, KEYS))
    # Which accuracy a comparison has, plain or balanced, may differ between participants.
    further = [name for name in APART if name in table] if analysis == "encode" else []
    keys = [*KEYS[analysis], *further]
    needed = ["participant", *keys, "score", *FURTHER[analysis]]
    if missing := [name for name in needed if name not in table]:
        raise ShapeError(
            f"The {analysis} table lacks the column(s) {missing}; it has {list(table.columns)}.",
            mend="Run the participant level again with this version.",
        )
    twice = table.duplicated(["participant", *keys])
    if twice.any():
        first = table.loc[twice, ["participant", *keys]].iloc[0].tolist()
        raise ShapeError(
            f"The {analysis} table holds {int(twice.sum())} row(s) twice, such as {first}.",
            mend="Give one table for each participant.",
        )
    return keys


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """Scores by place and participant.

    Parameters
    ----------
    places : n_rows rows
        Region and comparison, or layer, of each row, in the order of the table.
    labels
        Of the participants, sorted.
    columns : by name, (n_rows, n_participants)
        Numbers of the table; NaN = missing.
    above : (n_rows, n_participants)
        Scores less what is expected by chance.
    names : (n_rows,)
        Rows with the same name are corrected together.
    """

    places: pd.DataFrame
    labels: tuple[str, ...]
    columns: dict[str, Float]
    above: Float
    names: NDArray[np.object_]

    def parts(self) -> list[NDArray[np.intp]]:
        """Return the rows of each family."""
        return [np.flatnonzero(self.names == name) for name in dict.fromkeys(self.names)]


def family_of(table: pd.DataFrame, *, analysis: str, numbers: Sequence[str]) -> Family:
    """Arrange the scores of participants.

    Parameters
    ----------
    table, analysis
        As in `keys_of`.
    numbers
        Columns that are arranged, where `table` has them.

    Raises
    ------
    ConfigError, ShapeError
        As in `keys_of`.
    """
    keys = keys_of(table, analysis)
    labels = tuple(sorted(set(table["participant"])))
    grouped = table.groupby(keys, sort=False, dropna=False)
    row = grouped.ngroup().to_numpy()
    column = np.searchsorted(labels, table["participant"].to_numpy(dtype=str))
    places = table[keys].iloc[np.unique(row, return_index=True)[1]].reset_index(drop=True)
    columns = {}
    for name in numbers:
        if name in table:
            made = np.full((len(places), len(labels)), np.nan)
            made[row, column] = table[name].to_numpy(dtype=float)
            columns[name] = made
    apart = [name for name in APART if name in keys]
    told: Any = places[apart].astype(str).agg(" ".join, axis=1) if apart else [""] * len(places)
    base = BASES[analysis]
    score = columns["score"]
    return Family(
        places=places,
        labels=labels,
        columns=columns,
        above=score - columns[base] if base else score,
        names=np.array(told, dtype=object),
    )


def corrected(p: Float, stronger: Float, names: NDArray[np.object_], correct: str) -> Float:
    """Correct p within each family.

    Parameters
    ----------
    p : (n_rows,)
    stronger : (n_rows,)
        Those that are corrected by the largest t.
    names : (n_rows,)
        Of the families.
    correct
        ``fdr``, ``max``, ``tfce`` (rows of a table touch nothing, so that it is ``max``) or
        ``none``.
    """
    if correct != "fdr":
        return stronger if correct in STRONGER else p
    out = np.full(p.shape, np.nan)
    for name in dict.fromkeys(names):
        rows = names == name
        out[rows] = fdr(p[rows])
    return out
