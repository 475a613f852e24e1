"""The section on decoding, and the numbers of each result that matter most."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bids_dnn.report import figures
from bids_dnn.report.across import across_numbers, across_section
from bids_dnn.report.chosen import unit_pictures
from bids_dnn.report.decoded import further_tables, pattern_pictures
from bids_dnn.report.decoders import METRICS, decoded_how
from bids_dnn.report.encoding import best_layers, encoding
from bids_dnn.report.estimators import chosen_text
from bids_dnn.report.group_ceilings import group_ceiling_numbers, group_ceiling_section
from bids_dnn.report.group_figures import contrast_pictures, prevalence_pictures
from bids_dnn.report.group_searchlight import searchlight, searchlight_numbers
from bids_dnn.report.group_twin import group_twin_numbers, group_twin_section
from bids_dnn.report.over_participants import contrast_tables, group_how
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
from bids_dnn.report.shown import (
    ALPHA,
    Shown,
    corrected_of,
    floor_text,
    is_significant,
    nothing_can_be,
    ordered,
)

MOST_NUMBERS = 6


def sections(shown: Shown) -> Section:
    """Return the section of a result."""
    made = {
        "decode": decoding,
        "encode": encoding,
        "searchlight": searchlight,
        "across": across_section,
        "ceiling": group_ceiling_section,
        "twin": group_twin_section,
    }
    return made[shown.result.analysis](shown)


def numbers(shown: Shown) -> list[Number]:
    """Return the few numbers of a result that matter most."""
    if shown.result.analysis == "searchlight":
        return searchlight_numbers(shown)
    if shown.result.analysis == "decode":
        row = best_comparison(shown.result.table)
        return [] if row is None else [_decoded(row)]
    if shown.result.analysis == "across":
        return across_numbers(shown)
    if shown.result.analysis == "ceiling":
        return group_ceiling_numbers(shown)
    if shown.result.analysis == "twin":
        return group_twin_numbers(shown)
    found = [_encoded(row) for _, row in best_layers(shown.result.table).iterrows()]
    return found[: MOST_NUMBERS - 1]


def best_comparison(table: pd.DataFrame) -> pd.Series[float] | None:
    """Return the row that lies highest between chance and perfect; None where all are NaN."""
    above = (table["score"] - table["chance"]) / (1 - table["chance"])
    return None if above.isna().all() else table.iloc[int(np.nanargmax(above.to_numpy(float)))]


def _p_text(row: pd.Series[float]) -> str:
    p = corrected_of(row)
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
    pictures += [*unit_pictures(shown), *pattern_pictures(shown)]
    pictures += [*prevalence_pictures(shown), *contrast_pictures(shown)]
    tables = [
        table_of(
            ordered(table),
            shown.result.columns,
            caption="One row a region and comparison.",
            link=shown.link,
        )
    ]
    tables += [*further_tables(shown), *contrast_tables(shown)]
    how = _decode_how(shown) + floor_text(table)
    return Section(
        shown.name,
        "Decoding",
        "Which conditions can be told apart, and where?",
        decoding_answer(table, regions),
        tuple(pictures),
        tuple(tables),
        how,
    )


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
        how = group_how(shown, less="its chance level")
        return f"Bars are means over participants, dots are these participants. {how}"
    chosen = shown.result.meta.get("units")
    told = f"Patterns are of {chosen_text(chosen, units=many(shown.unit))}. " if chosen else ""
    settings = {**shown.settings, "feature_spaces": shown.result.meta.get("feature_spaces", ())}
    return told + decoded_how(settings, units=many(shown.unit))


def _axis(table: pd.DataFrame) -> str:
    """Return what the axis of scores is called."""
    names = list(dict.fromkeys(table["metric"])) if "metric" in table else ["accuracy"]
    return METRICS.get(str(names[0]), str(names[0])) if len(names) == 1 else "accuracy"


def _bars_picture(shown: Shown) -> Picture:
    table = shown.result.table
    n_shown, n_all = len(figures.shown_comparisons(table)), table["comparison"].nunique()
    best = best_comparison(table)
    top = "" if best is None else f" Highest: {best['comparison']} in {best['region']}."
    caption = (
        f"Dashed: chance. Lines: {shown.bars}. Stars: corrected p * < 0.05, ** < 0.01, "
        "*** < 0.001. Hatched: not computed."
    )
    if "baseline" in table and table["baseline"].notna().any():
        caption += " Thick marks: baseline."
    if n_shown < n_all:
        caption += f" The {n_shown} highest of {n_all} comparisons; all are in the table."
    return picture(
        shown.name,
        lambda theme: figures.score_bars(
            table, shown.colors, label=_axis(table), points=shown.points,
            theme=theme,
        ),
        alt=f"Bars of {_axis(table)} for {counted(n_shown, 'comparison')} in "
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
