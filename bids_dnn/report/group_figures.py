"""Pictures of a group: how many have an effect, and how large differences are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from bids_dnn.report.forest_figures import Panel, forest
from bids_dnn.report.palette import OKABE_ITO
from bids_dnn.report.parts import Picture, counted, picture
from bids_dnn.report.shown import Shown, is_significant, main_rows
from bids_dnn.report.twin_figures import noise_of

MOST_ROWS = 24
PLACES = ("region", "network", "layer", "snr", "comparison")  # what names a line
PLAIN = OKABE_ITO[0]


def prevalence_pictures(shown: Shown) -> list[Picture]:
    """Draw the prevalence of effects with intervals and bounds, where the group has them."""
    table = shown.result.table
    if not shown.is_group or "prevalence" not in table:
        return []
    rows = main_rows(table).dropna(subset="prevalence")
    if rows.empty:
        return []
    taken = _highest(rows, rows["prevalence"] + 1e-3 * rows["score"])
    panels = [
        Panel(str(region), _prevalence_lines(part), shown.colors.get(str(region), PLAIN))
        for region, part in taken.groupby("region", sort=False)
    ]
    has_bounds = "prevalence_bound_corrected" in table
    marks = " Triangles: the share that is exceeded (minimum statistic, corrected)." * has_bounds
    return [
        picture(
            f"{shown.name}_prevalence",
            lambda theme: forest(
                panels, label="share of the population", theme=theme, limits=(-0.02, 1.02)
            ),
            alt=f"Shares of the population with an effect, for {counted(len(taken), 'row')} of "
            "the table.",
            caption="How many have an effect. Dots: most likely share, from who is significant "
            f"alone; lines: 95 % highest-density intervals.{marks}{_left_out(taken, rows)}",
        )
    ]


def contrast_pictures(shown: Shown, *, of: str = "") -> list[Picture]:
    """Draw differences with their intervals, a panel for each contrast.

    Parameters
    ----------
    shown
        Of the group.
    of
        What is compared; "" = scores, of decoding less chance.
    """
    table = shown.result.extras.get("contrasts")
    if table is None:
        return []
    rows = main_rows(table).dropna(subset="difference")
    if rows.empty:
        return []
    taken = _highest(rows, -rows["p"].fillna(1.0))
    panels = [
        Panel(str(text), _contrast_lines(part), PLAIN)
        for text, part in taken.groupby("contrast", sort=False)
    ]
    return [
        picture(
            f"{shown.name}_contrasts",
            lambda theme: forest(panels, label=f"difference of {of or 'scores'}", theme=theme),
            alt=f"Differences with intervals for {counted(len(panels), 'contrast')}.",
            caption=f"Differences of mean {of or 'scores (decoding less chance)'}. Lines: 95 % t "
            f"intervals. Stars: corrected p < 0.05.{_left_out(taken, rows)}",
        )
    ]


def _highest(rows: pd.DataFrame, by: pd.Series[float]) -> pd.DataFrame:
    """Return the rows that lie highest, in the order of the table."""
    kept = by.sort_values(ascending=False, kind="stable").index[:MOST_ROWS]
    return rows.loc[rows.index.isin(kept)]


def _left_out(taken: pd.DataFrame, rows: pd.DataFrame) -> str:
    if len(taken) == len(rows):
        return ""
    return f" The {len(taken)} clearest of {len(rows)} rows; all are in the table."


def _prevalence_lines(part: pd.DataFrame) -> pd.DataFrame:
    made = pd.DataFrame(
        {
            "name": _names(part.drop(columns="region")),
            "value": part["prevalence"],
            "low": part["prevalence_low"],
            "high": part["prevalence_high"],
            "star": "",
        }
    )
    if "prevalence_bound_corrected" in part:
        made["bound"] = part["prevalence_bound_corrected"]
    return made


def _contrast_lines(part: pd.DataFrame) -> pd.DataFrame:
    stars = ["*" if is_significant(row) else "" for _, row in part.iterrows()]
    columns: Mapping[str, str] = {"value": "difference", "low": "ci_low", "high": "ci_high"}
    made = pd.DataFrame({name: part[column] for name, column in columns.items()})
    return made.assign(name=_names(part), star=stars)


def _names(part: pd.DataFrame) -> list[str]:
    """Return what each row is of, without what is the same in all of them and empty."""
    known = [name for name in PLACES if name in part]
    named = [name for name in known if part[name].nunique() > 1] or known[-1:]
    words = part[named].astype(object).where(part[named].notna(), "")
    if "snr" in words:
        words["snr"] = [noise_of(float(text)) if text != "" else "" for text in words["snr"]]
    return [" ".join(filter(None, map(str, row))) for row in np.asarray(words)]
