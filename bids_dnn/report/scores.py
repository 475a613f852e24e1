"""The sections on decoding and encoding, for a participant and for the group alike."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bids_dnn.containers.result import Result, StatMap
from bids_dnn.report import figures
from bids_dnn.report.maps import map_pictures
from bids_dnn.report.parts import (
    Number,
    Picture,
    Section,
    counted,
    decimals,
    many,
    picture,
    table_of,
)
from bids_dnn.report.raster import Brain
from bids_dnn.report.slices import Backdrop

ALPHA = 0.05
MOST_NUMBERS = 6
_OVER = {
    "decode": "95 % corrected resampled t intervals over runs",
    "encode": "95 % corrected resampled t intervals over folds",
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
    """

    name: str
    result: Result
    colors: Mapping[str, str]
    link: str = ""
    backdrop: Backdrop | None = None
    brain: Brain | None = None

    @property
    def is_group(self) -> bool:
        """Whether the scores are means over participants."""
        return self.result.meta.get("level") == "group"

    @property
    def unit(self) -> str:
        """What a unit is called."""
        return "unit" if self.result.space is None else self.result.space.unit

    @property
    def bars(self) -> str:
        """What the error bars are."""
        return _OVER["group" if self.is_group else self.result.analysis]

    @property
    def points(self) -> pd.DataFrame | None:
        """Scores of single participants."""
        table = self.result.extras.get("participants")
        return None if table is None else main_rows(table)


def main_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose score is drawn: Pearson's r where a table holds several metrics."""
    if "metric" in table and (table["metric"] == "pearson").any():
        return table[table["metric"] == "pearson"]
    return table


def sections(shown: Shown) -> Section:
    """Return the section of a result."""
    return {"decode": decoding, "encode": encoding}[shown.result.analysis](shown)


def numbers(shown: Shown) -> list[Number]:
    """Return the few numbers of a result that matter most."""
    if shown.result.analysis == "decode":
        row = best_comparison(shown.result.table)
        return [] if row is None else [_decoded(row)]
    found = [_encoded(row) for _, row in best_layers(shown.result.table).iterrows()]
    return found[: MOST_NUMBERS - 1]


def is_significant(row: pd.Series[float]) -> bool:
    """Tell whether a row's corrected p is under 0.05; where there is none, its p."""
    p = row.get("p_corrected", row.get("p", np.nan))
    return bool(p < ALPHA)


def floor_of(table: pd.DataFrame) -> float:
    """Return the smallest p that any row can have, NaN where that is not known."""
    return float(table["p_floor"].min()) if "p_floor" in table else math.nan


def nothing_can_be(table: pd.DataFrame) -> str:
    """Say that no row can be significant where that is so, else ""."""
    floor = floor_of(table)
    if not floor >= ALPHA:
        return ""
    return f"No p can fall below {floor:.3g} here, so significance cannot be told. "


def best_comparison(table: pd.DataFrame) -> pd.Series[float] | None:
    """Return the row that lies highest between chance and perfect; None where all are NaN."""
    above = (table["score"] - table["chance"]) / (1 - table["chance"])
    return None if above.isna().all() else table.iloc[int(np.nanargmax(above.to_numpy(float)))]


def best_layers(table: pd.DataFrame) -> pd.DataFrame:
    """Return the row of the best layer of each region, in the order of regions."""
    rows = main_rows(table).dropna(subset="score")
    places = rows.groupby("region", sort=False)["score"].idxmax()
    best: pd.DataFrame = rows.loc[places]
    return best


def _p_text(row: pd.Series[float]) -> str:
    p = row.get("p_corrected", np.nan)
    if not np.isfinite(p):
        return ""
    if row.get("p_floor", 0.0) >= ALPHA:
        return f"corrected p = {p:.2g}, cannot be below {row['p_floor']:.3g}"
    return f"corrected p = {p:.2g}" + ("" if p < ALPHA else ", not significant")


def _decoded(row: pd.Series[float]) -> Number:
    chance = f"chance {row['chance']:.2f}"
    return Number(
        decimals(row["score"], 2),
        f"{_metric(row)} for {row['comparison']} in {row['region']}, the best decoded comparison",
        "; ".join(part for part in (chance, _p_text(row)) if part),
    )


def _metric(row: pd.Series[float]) -> str:
    return str(row.get("metric", "accuracy")).replace("_", " ")


def _encoded(row: pd.Series[float]) -> Number:
    share = float(row.get("normalized", np.nan))
    r = f"r = {decimals(row['score'], 2)}"
    is_told = is_significant(row) or row.get("p_floor", 0.0) >= ALPHA
    if np.isfinite(share) and is_told:
        value, detail = f"{share:.2f} of ceiling", r
    else:
        value, detail = r, "" if np.isfinite(share) else "no noise ceiling"
    label = f"{row['region']}: best layer {row['layer']} of {row['network']}"
    return Number(value, label, "; ".join(part for part in (detail, _p_text(row)) if part))


def decoding(shown: Shown) -> Section:
    """Return the section on decoding: bars, confusion, table."""
    table = shown.result.table
    regions = list(dict.fromkeys(table["region"]))
    pictures = [_bars_picture(shown)]
    confusion = shown.result.extras.get("confusion")
    if confusion is not None and (confusion["comparison"] == "all").any():
        pictures.append(_confusion_picture(shown.name, confusion))
    how = _decode_how(shown) + _floor_text(table)
    return Section(
        shown.name,
        "Decoding",
        "Which conditions can be told apart, and where?",
        decoding_answer(table, regions),
        tuple(pictures),
        (table_of(ordered(table), shown.result.columns, caption="One row a region and comparison.",
                  link=shown.link),),
        how,
    )  # fmt: skip


def decoding_answer(table: pd.DataFrame, regions: list[str]) -> str:
    """Return the answer of the decoding section in a sentence or two."""
    best = best_comparison(table)
    if best is None:
        return "No score could be computed."
    told = (
        f"Best: {best['comparison']} in {best['region']}, {_metric(best)} {best['score']:.2f} "
        f"(chance {best['chance']:.2f})."
    )
    if weak := nothing_can_be(table):
        return weak + told
    hits = table[table.apply(is_significant, axis=1)]
    parts = [
        f"{(hits['region'] == name).sum()} of {(table['region'] == name).sum()} in {name}"
        for name in regions
    ]
    return f"Comparisons above chance (corrected p < {ALPHA:g}): {', '.join(parts)}. {told}"


def _decode_how(shown: Shown) -> str:
    if shown.is_group:
        return (
            "Bars are means over participants, dots are participants. Each score less its chance "
            "level was tested against zero by flipping signs; corrected p control the false "
            "discovery rate over this table."
        )
    return (
        "A linear support vector machine was trained on all runs but one and tested on that one, "
        "each run in turn. p come from exchanging labels of trials within runs; corrected p "
        "control the whole table (maximum statistic)."
    )


def _floor_text(table: pd.DataFrame) -> str:
    low = floor_of(table)
    if math.isnan(low):
        return ""
    high = float(table["p_floor"].max())
    return f" The smallest p that can come out is {low:.2g}" + (
        f" to {high:.2g}, by row." if high > low * 1.01 else "."
    )


def _bars_picture(shown: Shown) -> Picture:
    table = shown.result.table
    n_shown, n_all = len(figures.shown_comparisons(table)), table["comparison"].nunique()
    best = best_comparison(table)
    top = "" if best is None else f" Highest: {best['comparison']} in {best['region']}."
    caption = (
        f"Dashed: chance. Lines: {shown.bars}. Stars: corrected p * < 0.05, ** < 0.01, "
        "*** < 0.001. Hatched: not computed."
    )
    if n_shown < n_all:
        caption += f" The {n_shown} highest of {n_all} comparisons; all are in the table."
    return picture(
        shown.name,
        lambda theme: figures.score_bars(
            table, shown.colors, label="accuracy (share of samples)", points=shown.points,
            theme=theme,
        ),
        alt=f"Bars of decoding accuracy for {counted(n_shown, 'comparison')} in "
        f"{counted(table['region'].nunique(), 'region')}.{top}",
        caption=caption,
    )  # fmt: skip


def _confusion_picture(name: str, confusion: pd.DataFrame) -> Picture:
    rows = confusion[confusion["comparison"] == "all"]
    return picture(
        f"{name}_confusion",
        lambda theme: figures.confusion_matrices(rows, theme=theme),
        alt="Matrices of shown against named conditions, one for each region.",
        caption="All conditions at once: each row is what was shown, each column what the "
        "classifier named; rows add to one.",
    )


def encoding(shown: Shown) -> Section:
    """Return the section on encoding: heat map, profiles, maps, table."""
    rows = main_rows(shown.result.table)
    pictures = [_heat_picture(shown, rows), _profile_picture(shown, rows)]
    pictures += _map_picture(shown)
    return Section(
        shown.name,
        "Encoding",
        "Which layer of which network predicts each region best, and how near its ceiling?",
        encoding_answer(shown.result.table),
        tuple(pictures),
        (table_of(ordered(shown.result.table), shown.result.columns,
                  caption="One row a region and layer.", link=shown.link),),
        _encode_how(shown) + _floor_text(shown.result.table),
    )  # fmt: skip


def encoding_answer(table: pd.DataFrame) -> str:
    """Return the answer of the encoding section in a sentence."""
    best = best_layers(table)
    if best.empty:
        return "No score could be computed."
    parts = []
    weak = nothing_can_be(table)
    for _, row in best.iterrows():
        share = row.get("normalized", np.nan)
        r = decimals(row["score"], 2)
        if not (weak or is_significant(row)):
            parts.append(f"{row['region']}: {row['layer']} (r = {r}, not significant)")
            continue
        ceiling = f", {share:.2f} of its ceiling" if np.isfinite(share) else ""
        parts.append(f"{row['region']}: {row['layer']} (r = {r}{ceiling})")
    return f"{weak}Best layers: {'; '.join(parts)}."


def _encode_how(shown: Shown) -> str:
    if shown.is_group:
        return (
            "Scores are means over participants, dots are participants. Each score was tested "
            "against zero by flipping signs; corrected p control the false discovery rate over "
            "this table."
        )
    return (
        f"Ridge regression from the features of each layer to each {shown.unit}'s mean response, "
        f"the penalty chosen for each {shown.unit} on inner folds, scored on stimuli that were in "
        "no training fold. Predictions and responses are centered, and predictions scaled to unit "
        "variance, within each test fold before they are pooled, which is close to the mean of "
        "the folds' r. The noise ceiling is the correlation that a perfect prediction could "
        "reach, estimated from repeats."
    )


def _heat_picture(shown: Shown, rows: pd.DataFrame) -> Picture:
    return picture(
        f"{shown.name}_layers",
        lambda theme: figures.layer_heat_map(rows, label="Pearson's r", theme=theme),
        alt=f"Heat map of {counted(rows['region'].nunique(), 'region')} by "
        f"{counted(rows['layer'].nunique(), 'layer')}. {encoding_answer(rows)}",
        caption=f"Correlation of prediction and response, mean over {many(shown.unit)}. Boxed: "
        "the best layer of each region. Right: noise ceiling. Hatched: not measured. Values "
        "below zero have the color of zero.",
    )


def _profile_picture(shown: Shown, rows: pd.DataFrame) -> Picture:
    return picture(
        f"{shown.name}_profile",
        lambda theme: figures.layer_profiles(
            rows, shown.colors, label="Pearson's r", points=shown.points, theme=theme
        ),
        alt="Lines of the score from the first to the last layer, one panel for each region.",
        caption=f"Gray: above the noise ceiling. Lines: {shown.bars}. Full marker: the best "
        "layer.",
    )


def _map_picture(shown: Shown) -> list[Picture]:
    chosen = best_maps(shown.result)
    if shown.result.space is None or not chosen:
        return []
    found = [(title, made.values.astype(float)) for title, made in chosen]
    return map_pictures(shown.name, found, shown.result.space, (shown.backdrop, shown.brain))


def ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table as it is shown: the corrected p before the plain one, `best` in front."""
    names = list(table.columns)
    if {"p", "p_corrected"} <= set(names):
        names.remove("p_corrected")
        names.insert(names.index("p"), "p_corrected")
    if {"best", "score"} <= set(names):
        names.remove("best")
        names.insert(names.index("score"), "best")
    return table[names]


def best_maps(result: Result, most: int = 4) -> list[tuple[str, StatMap]]:
    """Return the correlation maps of the best layers, each once, with a title."""
    by_model = {_plain(made.model): made for made in result.maps if made.stat == "pearson"}
    wanted: dict[str, list[str]] = {}
    for _, row in best_layers(result.table).iterrows():
        wanted.setdefault(f"{row['network']} {row['layer']}", []).append(row["region"])
    found = []
    for layer, regions in wanted.items():
        made = by_model.get(_plain(layer))
        if made is not None:
            found.append((f"{layer}, best in {', '.join(regions)}", made))
    return found[:most]


def _plain(label: str) -> str:
    return re.sub(r"[^0-9a-z]", "", label.lower())
