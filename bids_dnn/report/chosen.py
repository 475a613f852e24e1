"""What was chosen on training images within the section on encoding: penalties, components."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bids_dnn.containers.readout import READOUTS
from bids_dnn.report.chosen_figures import component_dots, panel_regions, penalty_bars, percent
from bids_dnn.report.maps import map_pictures
from bids_dnn.report.parts import (
    Cell,
    Picture,
    Table,
    cell,
    counted,
    label_of,
    many,
    picture,
)
from bids_dnn.report.shown import Shown

LAYER = ["network", "layer"]
ALPHAS = {"region", *LAYER, "alpha", "count", "n_smallest", "n_largest"}
COMPONENTS = {"region", "target", *LAYER, "fold", "n_components", "most"}
PENALTIES = ("smooth", "ridge", "sparse", "channels", "places", "rate")  # of a readout
SETTINGS = {*LAYER, "unit", "fold", "setting", "loss", "is_diverged"}
HEADS = {
    "smooth": "Penalty on the squared Laplacian over space",
    "ridge": "Penalty on squares of weights",
    "sparse": "Penalty on sizes of weights (L1)",
    "channels": "Penalty on norms of channels (group sparsity)",
    "places": "Penalty on norms of places",
    "rate": "First step of Adam, as a share of the root mean square of the weights at the start",
}


def chosen_pictures(shown: Shown) -> list[Picture]:
    """Draw the penalties and numbers of components that were chosen; none where none are told.

    Parameters
    ----------
    shown
    """
    return [*_penalty_picture(shown), *_component_picture(shown)]


def unit_pictures(shown: Shown) -> list[Picture]:
    """Map in what share of folds each unit was chosen; none where all units were taken.

    Parameters
    ----------
    shown
    """
    made = [one for one in shown.result.maps if one.stat == "chosen"]
    space = shown.result.space
    if not made or space is None:
        return []
    return map_pictures(
        f"{shown.name}_units",
        [("chosen units", made[0].values.astype(float))],
        space,
        (shown.backdrop, shown.brain),
        label="share of folds",
        what=f"In what share of folds each {shown.unit} was chosen on training images",
    )


def _penalty_picture(shown: Shown) -> list[Picture]:
    table = shown.result.extras.get("alphas")
    if table is None or table.empty or not set(table) >= ALPHAS:
        return []
    known = _blanked(table, shown.result.table, estimator="ridge", value="alpha")
    rows = known.dropna(subset="alpha")
    at_end = rows[["n_smallest", "n_largest"]].sum(axis=1).groupby(rows["region"]).sum()
    fits, left_out = _fitting(known, at_end / rows.groupby("region")["count"].sum())
    answer = _ends_answer(rows, shown)
    return [
        picture(
            f"{shown.name}_alphas",
            lambda theme: penalty_bars(fits, shown.colors, theme=theme),
            alt=f"Bars of the penalties that ridge regression chose in "
            f"{counted(len(table[LAYER].drop_duplicates()), 'layer')}, in "
            f"{counted(fits['region'].nunique(), 'region')}. {answer}",
            caption=f"Penalties that ridge regression chose for each {shown.unit} and fold on "
            "training images; heights are shares. Dark, and in percent at the left and right: the "
            f"smallest or largest that was offered, which depends on the fold. {answer} Hatched: "
            f"nothing was predicted.{left_out}",
        )
    ]


def _ends_answer(rows: pd.DataFrame, shown: Shown) -> str:
    """Say how often an end of what was offered was chosen, and in which layer most often."""
    if rows.empty:
        return "No penalty was chosen."
    sums = rows.groupby(LAYER, sort=False)[["count", "n_smallest", "n_largest"]].sum()
    of_all = sums.sum()
    parts = []
    for name, word in (("n_smallest", "smallest"), ("n_largest", "largest")):
        share = float(of_all[name] / of_all["count"])
        by_layer = sums[name] / sums["count"]
        network, layer = by_layer.index[int(by_layer.to_numpy().argmax())]
        most = f" (most often in {layer} of {network}: {percent(float(by_layer.max()))})"
        parts.append(f"the {word} for {percent(share) or '0%'}{most * (share > 0)}")
    return f"Of all {many(shown.unit)} and folds, {', '.join(parts)}."


def _component_picture(shown: Shown) -> list[Picture]:
    table = shown.result.extras.get("components")
    if table is None or table.empty or not set(table) >= COMPONENTS:
        return []
    known = _blanked(table, shown.result.table, estimator="pls", value="n_components")
    is_most = known["n_components"] == known["most"]
    fits, left_out = _fitting(known, is_most.astype(float).groupby(known["region"]).mean())
    share = float(is_most[known["n_components"].notna()].mean())
    answer = (
        f"{percent(share) or 'None'} of the choices {'are' if share > 0 else 'is'} the most that "
        f"were offered ({counted(int(table['most'].max()), 'component')})."
    )
    return [
        picture(
            f"{shown.name}_components",
            lambda theme: component_dots(fits, shown.colors, theme=theme),
            alt=f"Dots of the numbers of components that were chosen in "
            f"{counted(len(table[LAYER].drop_duplicates()), 'layer')}, in "
            f"{counted(fits['region'].nunique(), 'region')}. {answer}",
            caption="Components of partial least squares that inner folds chose, a dot for each "
            f"number, the larger the more folds chose it: full for the {many(shown.unit)} of a "
            "region together, hollow for its mean. Line: the most that were offered; a dot there "
            f"has a dark edge. {answer} Hatched: nothing was predicted.{left_out}",
        )
    ]


def _blanked(
    table: pd.DataFrame, scores: pd.DataFrame, *, estimator: str, value: str
) -> pd.DataFrame:
    """Return a table whose `value` is NaN where no score of a layer in a region is known."""
    if "estimator" in scores:
        scores = scores[scores["estimator"] == estimator]
    keys = ["region", *(["target"] if {"target"} <= set(table) & set(scores) else []), *LAYER]
    has_score = scores["score"].notna().groupby([scores[key] for key in keys]).any()
    blank = has_score.index[~has_score]
    is_blank = pd.MultiIndex.from_frame(table[keys]).isin(blank)
    return table.assign(**{value: table[value].astype(np.float64).mask(is_blank)})


def _fitting(table: pd.DataFrame, weight: pd.Series[float]) -> tuple[pd.DataFrame, str]:
    """Return the rows of the regions that fit into a figure, and what is said of the others."""
    regions = list(dict.fromkeys(table["region"]))
    kept = panel_regions(regions, len(table[LAYER].drop_duplicates()), weight=weight)
    left_out = (
        f" The {len(kept)} of {len(regions)} regions with most choices at an end of what was "
        "offered; all are in the table."
    )
    return table[table["region"].isin(kept)], left_out * (len(kept) < len(regions))


def chosen_tables(shown: Shown) -> list[Table]:
    """Return a table of the settings that readouts chose, a row for each readout and layer.

    Parameters
    ----------
    shown

    Returns
    -------
    tables
        One, or none where no settings are told.
    """
    told = {
        name: table
        for name in READOUTS
        if (table := shown.result.extras.get(f"settings{name}")) is not None
        and not table.empty
        and set(table) >= SETTINGS
    }
    if not told:
        return []
    names = [
        name
        for name in PENALTIES
        if any((table[name].fillna(0) > 0).any() for table in told.values() if name in table)
    ]
    rows = [
        _row(kind, own.drop_duplicates(["unit", "fold"]), names)
        for kind, table in told.items()
        for _, own in table.groupby(LAYER, sort=False)
    ]
    heads = (
        ("readout", "Kind of readout"),
        ("network", "Name of the network"),
        ("layer", "Layer of the network"),
        (f"{many(shown.unit)} and folds", "How many were fitted"),
        *((label_of(name), HEADS[name]) for name in names),
        ("loss", "Least loss on the training images that were held out, median"),
        ("diverged", "How many trainings ended in a loss that is no number"),
    )
    return [
        Table(
            "Settings that readouts chose on a part of the training images: medians over "
            f"{many(shown.unit)} and folds, with the lowest and highest; one row a readout and "
            "layer. Each choice is in the tables encodeSettings.",
            heads,
            tuple(rows),
        )
    ]


def _row(kind: str, own: pd.DataFrame, names: list[str]) -> tuple[Cell, ...]:
    """Return the row of one layer, of whose units and folds `own` has the settings."""
    fitted = own[own["setting"].notna()]
    return (
        *(cell("", word) for word in (kind, *own[LAYER].iloc[0])),
        cell("n", len(fitted)),
        *(_span(fitted.get(name, pd.Series(dtype=float))) for name in names),
        cell("loss", float(fitted["loss"].median())),
        cell("n", int(fitted["is_diverged"].astype(bool).sum())),
    )


def _span(values: pd.Series[float]) -> Cell:
    """Return median, lowest and highest of values above zero, and how many are zero."""
    known = values.dropna().astype(np.float64)
    used = known[known > 0]
    if used.empty:
        return Cell("-", "", is_number=True)
    low, middle, high = (f"{one:.2g}" for one in (used.min(), used.median(), used.max()))
    without = percent(1 - len(used) / len(known))
    text = middle if low == high else f"{middle} ({low} to {high})"
    return Cell(
        f"{text}, none for {without}" if without else text,
        repr(float(used.median())),
        is_number=True,
    )
