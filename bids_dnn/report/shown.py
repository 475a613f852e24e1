"""A result as it is shown, and what its table says of significance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from bids_dnn.containers.result import EVERY, Result
from bids_dnn.report.raster import Brain
from bids_dnn.report.slices import Backdrop

ALPHA = 0.05
PLACES = ("region", "comparison", "estimator", "network", "layer", "snr", "target", "metric")
_OVER = {
    "decode": "95 % corrected resampled t intervals over runs",
    "encode": "95 % corrected resampled t intervals over folds",
    "split": "95 % bootstrap intervals over test images",
    "group": "95 % t intervals of the mean over participants",
}


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A result, and what is needed to show it.

    Parameters
    ----------
    name
        Of the result on the page, such as ``decode``.
    result
        Of one participant, or of the group.
    colors
        Of each region.
    link
        Where the table lies, from the page; "" = nowhere.
    backdrop
        Anatomy behind maps of voxels; None = none.
    brain
        Surfaces on which maps of vertices are drawn; None = none.
    settings
        Of the analysis, as they were asked for.
    bounds
        Noise ceilings over participants of the regions' mean responses: ``region``, ``lower``,
        ``upper``; None = not known.
    """

    name: str
    result: Result
    colors: Mapping[str, str]
    link: str = ""
    backdrop: Backdrop | None = None
    brain: Brain | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    bounds: pd.DataFrame | None = None

    @property
    def is_group(self) -> bool:
        """Whether the scores are means over participants."""
        return self.result.meta.get("level") == "group"

    @property
    def has_split(self) -> bool:
        """Whether the stimuli that train and test were given, in place of folds."""
        return self.result.meta.get("folds") == "split given"

    @property
    def unit(self) -> str:
        """What a unit is called."""
        return "unit" if self.result.space is None else self.result.space.unit

    @property
    def bars(self) -> str:
        """What the error bars are."""
        if self.is_group:
            return _OVER["group"]
        if self.settings.get("interval") == "bootstrap":
            return "95 % bootstrap intervals over what folds left out"
        return _OVER["split" if self.has_split else self.result.analysis]

    @property
    def points(self) -> pd.DataFrame | None:
        """Scores of single participants, of those who are in the row of the table."""
        return self.points_of()

    def points_of(self, target: str = "units") -> pd.DataFrame | None:
        """Return the scores that are drawn as dots, of those who are in the row of the table.

        Parameters
        ----------
        target
            Of encoding: ``units``, or ``mean`` for the regions' mean responses.
        """
        table, rows = self.result.extras.get("participants"), self.result.table
        if table is None:
            return None
        if "missing" in rows:
            keys = [name for name in PLACES if name in table and name in rows]
            told = table[keys].merge(rows[[*keys, "missing"]], how="left", on=keys)["missing"]
            pairs = zip(table["participant"].astype(str), told.fillna(""), strict=True)
            table = table[[name not in str(out).split(", ") for name, out in pairs]]
        return main_rows(table, target=target)


def by_estimator(table: pd.DataFrame, *, target: str = "units") -> dict[str, pd.DataFrame]:
    """Return the rows that are drawn for each estimator, by its name; "" where there is none.

    Those are Pearson's r of units (or of the regions' means) by single layers, where the table has
    such.
    """
    if "target" in table:
        table = table[table["target"] == target]
    if "network" in table and (table["network"] != EVERY).any():
        table = table[table["network"] != EVERY]
    if "metric" in table and (table["metric"] == "pearson").any():
        table = table[table["metric"] == "pearson"]
    if "estimator" not in table or table.empty:
        return {"": table}
    return {str(name): rows for name, rows in table.groupby("estimator", sort=False, dropna=False)}


def main_rows(table: pd.DataFrame, *, target: str = "units") -> pd.DataFrame:
    """Return the rows that are drawn first: those of the first estimator."""
    return next(iter(by_estimator(table, target=target).values()))


def is_significant(row: pd.Series[float]) -> bool:
    """Tell whether a row's corrected p is under 0.05; where there is none, its p."""
    return bool(corrected_of(row) < ALPHA)


def corrected_of(row: pd.Series[float]) -> float:
    """Return the corrected p of a row: of the maximum statistic, else of the false discoveries.

    Where neither is in the table, its p.
    """
    p = float(row.get("p_corrected", row.get("p", np.nan)))
    return float(row.get("p_fdr", np.nan)) if math.isnan(p) else p


def floor_of(table: pd.DataFrame) -> float:
    """Return the smallest p that any row can have, NaN where that is not known."""
    return float(table["p_floor"].min()) if "p_floor" in table else math.nan


def nothing_can_be(table: pd.DataFrame) -> str:
    """Say that no row can be significant where that is so, else ""."""
    floor = floor_of(table)
    if not floor >= ALPHA:
        return ""
    return f"No p can fall below {floor:.3g} here, so significance cannot be told. "


def floor_text(table: pd.DataFrame) -> str:
    """Return a sentence on the smallest p that can come out, "" where that is not known."""
    low = floor_of(table)
    if math.isnan(low):
        return ""
    high = float(table["p_floor"].max())
    return f" The smallest p that can come out is {low:.2g}" + (
        f" to {high:.2g}, by row." if high > low * 1.01 else "."
    )


def ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table as it is shown: the corrected p before the plain one, `best` in front."""
    names = list(table.columns)
    if {"p", "p_corrected"} <= set(names):
        names.remove("p_corrected")
        names.insert(names.index("p"), "p_corrected")
    if {"p_fdr", "p"} <= set(names):
        names.remove("p_fdr")
        names.insert(names.index("p"), "p_fdr")
    if {"best", "score"} <= set(names):
        names.remove("best")
        names.insert(names.index("score"), "best")
    return table[names]
