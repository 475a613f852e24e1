"""What the section on searchlights over participants says of contrasts, and draws of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bids_dnn.report.canvas import shorten
from bids_dnn.report.maps import found_pictures
from bids_dnn.report.parts import Picture, Table, counted, table_of
from bids_dnn.report.shown import ALPHA, Shown

P_STATS = {  # of a contrast's p, and what they are
    "q": "p (false discovery rate)",
    "pmax": "p (corrected by the largest t)",
    "ptfce": "p (corrected by the largest cluster-enhanced t)",
    "p": "p (not corrected)",
}
HIDDEN = ["map", "highest_unit"]  # what only files explain
MOST_DRAWN = 4  # contrasts


def contrast_tables(shown: Shown) -> list[Table]:
    """Return the table of contrasts, where there are some.

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
    return [table_of(kept, told, caption="Contrasts, one row a contrast and comparison.")]


def contrast_pictures(shown: Shown) -> list[Picture]:
    """Draw where contrasts differ, those first that do so at most units.

    Parameters
    ----------
    shown
        Of the group's analysis ``searchlight``.
    """
    rows, space = _rows(shown), shown.result.space
    if rows.empty or space is None:
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
    """Return at how many units each contrast holds, in a sentence; "" where there is none.

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
        parts.append(f"{_title(row)}: {counted(n, shown.unit)}{weak}")
    return f"Contrasts (p < {ALPHA:g}): {'; '.join(parts)}." if parts else ""


def contrast_how(shown: Shown) -> list[str]:
    """Say how contrasts were tested, in a sentence or two.

    Parameters
    ----------
    shown
        Of the group's analysis ``searchlight``.
    """
    if _rows(shown).empty:
        return []
    return [
        "Contrasts are of scores less chance: signs of each participant's difference are flipped, "
        "or labels of groups exchanged under Welch's t, and p corrected over the units of each "
        "contrast. Maps under exchanged labels of conditions do not tell whether two effects "
        "differ, and serve clusters alone."
    ]


def _rows(shown: Shown) -> pd.DataFrame:
    return shown.result.extras.get("contrasts", pd.DataFrame())


def _title(row: dict[Any, Any]) -> str:
    contrast, comparison = str(row["contrast"]), row["comparison"]
    is_within = not isinstance(comparison, str) or comparison in ("", "n/a")
    return contrast if is_within else f"{contrast} ({comparison})"
