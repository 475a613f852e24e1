"""What the section on searchlights over participants says of contrasts, and draws of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bids_dnn.report.canvas import shorten
from bids_dnn.report.maps import found_pictures
from bids_dnn.report.parts import Picture, Table, counted, table_of, units
from bids_dnn.report.shown import ALPHA, Shown

P_STATS = {  # of a contrast's p, and what they are
    "q": "p (false discovery rate)",
    "pmax": "p (corrected by the largest t)",
    "ptfce": "p (corrected by the largest cluster-enhanced t)",
    "p": "p (not corrected)",
}
HIDDEN = ["map", "highest_unit"]  # what only files explain
MOST_DRAWN = 4  # contrasts
MOST_CLUSTERS = 60  # rows of the table on the page


def contrast_tables(shown: Shown) -> list[Table]:
    """Return the tables of contrasts and of their clusters, where there are some.

    Parameters
    ----------
    shown
        Of the group's analysis ``searchlight``.
    """
    rows = _rows(shown)
    if rows.empty:
        return []
    told = shown.result.columns | shown.result.extra_columns.get("contrasts", {})
    kept = rows.drop(columns=HIDDEN)
    if (rows["n_clusters"] < 0).all():
        kept = kept.drop(columns=["n_clusters", "n_clusters_significant"])
    made = [table_of(kept, told, caption="Contrasts, one row a contrast and comparison.")]
    clusters = shown.result.extras.get("contrastClusters")
    if clusters is not None:
        told = shown.result.columns | shown.result.extra_columns.get("contrastClusters", {})
        order = clusters.sort_values("p_fwe", kind="stable").drop(columns=["map", "peak_unit"])
        n = len(order)
        more = "" if n <= MOST_CLUSTERS else f" The {MOST_CLUSTERS} rarest of {n}."
        caption = f"Clusters of contrasts, one row a cluster, the rarest first.{more}"
        made.append(table_of(order[:MOST_CLUSTERS], told, caption=caption))
    return made


def contrast_pictures(shown: Shown) -> list[Picture]:
    """Draw where contrasts differ, those first that do so at most units; none where none does.

    Parameters
    ----------
    shown
        Of the group's analysis ``searchlight``.
    """
    rows, space = _rows(shown), shown.result.space
    if space is None or rows.empty or not (rows["n_significant"] > 0).any():
        return []
    order = rows["n_significant"].to_numpy().argsort(kind="stable")[::-1][:MOST_DRAWN]
    chosen = rows.iloc[np.sort(order)].to_dict("records")
    drawn, stats = [], set()
    for row in chosen:
        own = {one.stat: one.values for one in shown.result.maps if one.model == row["map"]}
        stat = next(name for name in P_STATS if name in own)
        stats.add(P_STATS[stat])
        values = np.where(own[stat] < ALPHA, own["difference"], np.nan).astype(np.float64)
        drawn.append((shorten(_title(row), 90), values))
    is_signed = any(" != " in row["contrast"] for row in chosen)
    more = "" if len(drawn) == len(rows) else f", {len(drawn)} of {len(rows)} contrasts"
    return found_pictures(
        f"{shown.name}_contrasts",
        drawn,
        space,
        (shown.backdrop, shown.brain),
        label="difference of scores",
        what=f"Differences where {' or '.join(sorted(stats))} is below {ALPHA:g}{more}",
        is_signed=is_signed,
    )


def contrast_answer(shown: Shown) -> str:
    """Return at how many units and in how many clusters each contrast holds, in a sentence.

    Parameters
    ----------
    shown
        Of the group's analysis ``searchlight``.
    """
    parts = []
    for row in _rows(shown).to_dict("records"):
        n, weak = int(row["n_significant"]), ""
        if row["p_floor"] >= ALPHA:
            weak = f", no p can fall below {row['p_floor']:.3g}"
        n_clusters = int(row["n_clusters_significant"])
        found = "" if n_clusters < 0 else f" and {counted(n_clusters, 'cluster')}"
        parts.append(f"{_title(row)}: {units(n, shown.unit)}{found}{weak}")
    return f"Contrasts (p < {ALPHA:g}): {'; '.join(parts)}." if parts else ""


def contrast_how(shown: Shown) -> list[str]:
    """Say how contrasts were tested, in a sentence or two.

    Parameters
    ----------
    shown
        Of the group's analysis ``searchlight``.
    """
    rows, told = _rows(shown), shown.result.meta
    if rows.empty:
        return []
    corrected = "" if told["correction"] == "none" else ", and p corrected over its units"
    parts = [
        "Contrasts are of scores less chance: in each, signs of each participant's difference are "
        f"flipped, or labels of groups exchanged under Welch's t{corrected}."
    ]
    if (rows["n_clusters"] >= 0).any():
        parts.append(
            f"Clusters of contrasts are units with a t above that of p = {told['p_unit']:g}, and "
            "are called significant by the largest cluster of each flip or exchange (Nichols and "
            "Holmes, 2002)."
        )
    return parts


def _rows(shown: Shown) -> pd.DataFrame:
    return shown.result.extras.get("contrasts", pd.DataFrame())


def _title(row: dict[Any, Any]) -> str:
    contrast, comparison = str(row["contrast"]), row["comparison"]
    is_within = not isinstance(comparison, str) or comparison in ("", "n/a")
    return contrast if is_within else f"{contrast} ({comparison})"
