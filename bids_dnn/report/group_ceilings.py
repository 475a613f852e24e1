"""The section on noise ceilings over participants, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bids_dnn.containers.result import Result
from bids_dnn.report.canvas import WIDTH_IN, drawing, shorten
from bids_dnn.report.estimators import uncited
from bids_dnn.report.figures import layer_profiles
from bids_dnn.report.palette import Theme
from bids_dnn.report.parts import (
    Number,
    Picture,
    Section,
    counted,
    decimals,
    listed,
    picture,
    table_of,
)
from bids_dnn.report.shown import Shown, main_rows

ROW_IN, PANEL_IN, EDGE_IN = 0.34, 0.45, 0.6
TITLES = {"encoding": "Mean response to stimuli", "rsa": "Dissimilarities of conditions"}
_WHAT = {
    "encoding": "each region's mean response to each stimulus (Pearson's r)",
    "rsa": "its dissimilarities of conditions (1 - Pearson's r over units, of mean patterns over "
    "runs; Pearson's r of ranks)",
}


def group_ceiling_section(shown: Shown) -> Section:
    """Return the section on noise ceilings over participants.

    Parameters
    ----------
    shown
        Of the group's analysis ``ceiling``.
    """
    result = shown.result
    kinds = [str(one) for one in dict.fromkeys(result.table["kind"])]
    more = (
        ""
        if "rsa" in kinds
        else " Dissimilarities have none, as nobody left patterns (share = true under [decode])."
    )
    tables = [
        table_of(
            result.table,
            result.columns,
            caption="One row a region and kind.",
            link=shown.link,
        ),
        table_of(
            result.extras["participants"],
            result.columns | result.extra_columns["participants"],
            caption="The correlation of each participant with the others, and with all.",
        ),
    ]
    return Section(
        shown.name,
        "Noise ceilings over participants",
        "How well could one model predict all participants?",
        group_ceiling_answer(result.table),
        (_bars(shown),),
        tuple(tables),
        uncited(group_ceiling_text({"kinds": kinds})) + more,
    )


def group_ceiling_answer(table: pd.DataFrame) -> str:
    """Return the bounds of each kind, the highest regions first, and where nobody agrees."""
    said = []
    for kind, rows in table.groupby("kind", sort=False):
        known = rows[np.isfinite(rows["lower"])].sort_values("lower", ascending=False)
        apart = [str(name) for name in known.loc[known["lower"] <= 0, "region"]]
        unsure = known[(known["lower"] > 0) & ~_agree(known)]
        known = known[_agree(known)]
        told = [
            f"{row['region']} {decimals(row['lower'], 2)} to {decimals(row['upper'], 2)}"
            for _, row in known.head(4).iterrows()
        ]
        n = int(rows["n_participants"].max())
        parts = [listed(told)] if told else []
        parts += [f"whether they agree is not sure in {_named(unsure)}"] if len(unsure) else []
        parts += [f"participants do not agree in {listed(apart)}"] if apart else []
        text = "; ".join(parts) or "cannot be told"
        said.append(f"{TITLES[str(kind)]} ({counted(n, 'participant')}): {text}.")
    return " ".join(said) or "No participant left profiles."


def _agree(rows: pd.DataFrame) -> pd.Series[bool]:
    """Tell where participants agree: also the low end of the lower bound is above zero."""
    agrees: pd.Series[bool] = (rows["lower"] > 0) & ~(rows["lower_ci_low"] <= 0)
    return agrees


def _named(rows: pd.DataFrame) -> str:
    """Name regions with the interval of their lower bound, which reaches to zero."""
    return listed(
        [
            f"{row['region']} ({decimals(row['lower'], 2)}, 95 % interval "
            f"{decimals(row['lower_ci_low'], 2)} to {decimals(row['lower_ci_high'], 2)})"
            for row in rows.to_dict("records")
        ]
    )


def group_ceiling_numbers(shown: Shown) -> list[Number]:
    """Return the highest bounds of the first kind where participants agree somewhere."""
    table = shown.result.table
    known = table[_agree(table)]
    if known.empty:
        return []
    row = known.loc[known[known["kind"] == known["kind"].iloc[0]]["lower"].idxmax()]
    value = f"{decimals(row['lower'], 2)} to {decimals(row['upper'], 2)}"
    return [Number(value, f"noise ceiling over participants in {row['region']}, the highest")]


def group_ceiling_text(told: Mapping[str, Any]) -> str:
    """Return the paragraph of the methods text.

    Parameters
    ----------
    told
        ``kinds``: ``encoding``, ``rsa`` or both.
    """
    what = " and of ".join(_WHAT[kind] for kind in told["kinds"])
    return (
        f"Noise ceilings over participants were bounded by how participants agree, of {what}. "
        "The lower bound is the mean correlation of a participant with the mean of the others' "
        "standardized values, leaving each one out in turn; the upper bound that with the mean "
        "of all, which no model can exceed [@nili2014]. Intervals are 95 % t intervals over "
        "participants with the variance of the jackknife [@efron1981]."
    )


def bounds_of(result: Result) -> pd.DataFrame | None:
    """Return the bounds of what regions' mean responses can be predicted with.

    Parameters
    ----------
    result
        Of the analysis ``ceiling``; that of one participant has none.

    Returns
    -------
    bounds
        ``region``, ``lower``, ``upper``, ``lower_ci_low`` of regions where they are known.
    """
    if not {"kind", "lower", "upper"} <= set(result.table.columns):
        return None
    rows = result.table[result.table["kind"] == "encoding"]
    columns = ["region", "lower", "upper", "lower_ci_low"]
    found = rows.loc[np.isfinite(rows["lower"]), columns]
    return None if found.empty else found.reset_index(drop=True)


def bounded_pictures(shown: Shown) -> list[Picture]:
    """Draw how well layers predict regions' mean responses, beside the bounds of participants.

    Parameters
    ----------
    shown
        Of the group's analysis ``encode``; without bounds there is no picture.
    """
    if shown.bounds is None or "target" not in shown.result.table:
        return []
    rows = main_rows(shown.result.table, target="mean")
    rows = rows.merge(shown.bounds, on="region", how="left").assign(ceiling=np.nan)
    if rows["score"].isna().all():
        return []
    dots = shown.points_of("mean")
    named = "" if dots is None else " Dots: participants."
    inside = _reaching(rows)
    return [
        picture(
            f"{shown.name}_bounds",
            lambda theme: layer_profiles(
                rows, shown.colors, label="Pearson's r", points=dots, theme=theme
            ),
            alt="Lines of the score of the regions' mean responses from the first to the last "
            f"layer, with a band for the noise ceiling over participants. {inside}",
            caption="How well layers predict the mean response of each region. Band: the noise "
            "ceiling over participants, from its lower to its upper bound: how well one "
            "prediction for all of them could do. Models are fitted to each participant, so that "
            f"they may lie above it where participants differ. Lines: {shown.bars}.{named} Full "
            f"marker: the best layer. {inside}",
        )
    ]


def _reaching(rows: pd.DataFrame) -> str:
    """Say where participants agree, and in which of these regions the best layer reaches it."""
    known = rows.dropna(subset=["score", "lower"])
    best = known.loc[known.groupby("region", sort=False)["score"].idxmax()]
    agreed = best[_agree(best)]
    names = [str(name) for name in agreed.loc[agreed["score"] >= agreed["lower"], "region"]]
    unsure = [str(name) for name in best.loc[(best["lower"] > 0) & ~_agree(best), "region"]]
    apart = [str(name) for name in best.loc[best["lower"] <= 0, "region"]]
    told = f"The best layer reaches the lower bound in {listed(names)}. " if names else ""
    if len(names) < len(agreed):
        told += f"It does not in {listed([str(n) for n in agreed['region'] if n not in names])}. "
    if unsure:
        told += f"Whether participants agree is not sure in {listed(unsure)}. "
    if apart:
        told += f"Participants do not agree in {listed(apart)}."
    return told.strip()


def _bars(shown: Shown) -> Picture:
    table, points = shown.result.table, shown.result.extras["participants"]
    n = table["region"].nunique()
    return picture(
        shown.name,
        lambda theme: ceiling_bars(table, points, shown.colors, theme=theme),
        alt=f"A bar from the lower to the upper bound in {counted(n, 'region')}, with a dot for "
        "each participant.",
        caption="Bars reach from the lower to the upper bound. Dots: correlation of each "
        "participant with the mean of the others. Lines: 95 % jackknife intervals over "
        "participants, from the low end of the lower bound to the high end of the upper.",
    )


def ceiling_bars(
    table: pd.DataFrame, points: pd.DataFrame, colors: Mapping[str, str], *, theme: Theme
) -> bytes:
    """Draw a bar from the lower to the upper bound for each region, a panel for each kind.

    Parameters
    ----------
    table, points
        Of the group's result, and its extra table ``participants``.
    colors
        Of each region.
    theme
        Of paper and ink.

    Returns
    -------
    png
        The same tables give the same bytes.
    """
    parts = [(str(kind), rows) for kind, rows in table.groupby("kind", sort=False)]
    heights = [PANEL_IN + ROW_IN * len(rows) for _, rows in parts]
    with drawing(WIDTH_IN, EDGE_IN + sum(heights), theme) as (figure, stream):
        axes = figure.subplots(
            len(parts), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights}
        )[:, 0]
        for ax, (kind, rows) in zip(axes, parts, strict=True):
            y = np.arange(len(rows))
            low, high = rows["lower"].to_numpy(float), rows["upper"].to_numpy(float)
            shades = [colors[name] for name in rows["region"]]
            ax.axvline(0, color=theme.faint, lw=1, ls="--", zorder=0)
            ax.barh(y, high - low, left=low, height=0.6, color=shades, zorder=2)
            ax.hlines(
                y, rows["lower_ci_low"], rows["upper_ci_high"], color=theme.ink, lw=1.2, zorder=3
            )
            own = points[points["kind"] == kind]
            places = own["region"].map(dict(zip(rows["region"], y, strict=True)))
            ax.scatter(
                own["with_others"],
                places,
                s=14,
                facecolor=theme.paper,
                edgecolor=theme.ink,
                lw=0.7,
                zorder=5,
            )
            ax.set_yticks(y, [shorten(str(name)) for name in rows["region"]])
            ax.set_ylim(len(rows) - 0.5, -0.5)
            ax.tick_params(axis="y", length=0)
            ax.set_title(TITLES[kind], loc="left")
        axes[-1].set_xlabel("correlation")
    return stream.getvalue()
