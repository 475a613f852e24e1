"""The section on decoding around each unit, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bids_dnn.containers.result import Result
from bids_dnn.report.decoders import classifier_and_folds
from bids_dnn.report.maps import map_pictures
from bids_dnn.report.parts import Picture, Section, counted, listed, many, table_of
from bids_dnn.report.raster import Brain
from bids_dnn.report.shown import ALPHA, floor_text, nothing_can_be
from bids_dnn.report.slices import Backdrop
from bids_dnn.stats.spheres import RSA

MOST_MAPS = 6
METRICS = {"balanced_accuracy": "balanced accuracy", RSA: "Spearman's rho"}


def searchlight_section(
    result: Result, behind: tuple[Backdrop | None, Brain | None], links: Mapping[str, str]
) -> Section:
    """Return the section on decoding around each unit.

    Parameters
    ----------
    result
        Of the analysis ``searchlight``.
    behind
        The anatomy on the grid, and the sampled surfaces; None = none.
    links
        Where tables lie, from the page, by analysis.
    """
    table = result.table
    is_rsa = table["metric"] == RSA
    pictures = [
        *_pictures("searchlight_maps", result, table[~is_rsa], behind),
        *_pictures("searchlight_models", result, table[is_rsa], behind),
    ]
    return Section(
        "searchlight",
        "Searchlight",
        question_of(table),
        searchlight_answer(result),
        tuple(pictures),
        (
            table_of(
                table,
                result.columns,
                caption="One row a comparison.",
                link=links.get("searchlight", ""),
            ),
        ),
        _how(result) + floor_text(table),
    )


def _pictures(
    name: str, result: Result, rows: pd.DataFrame, behind: tuple[Backdrop | None, Brain | None]
) -> list[Picture]:
    """Draw the highest of some maps, on one scale."""
    if rows.empty or result.space is None:
        return []
    scores = {one.model: one.values for one in result.maps if one.stat != "p"}
    best = rows.assign(above=rows["highest"] - rows["chance"]).sort_values(
        "above", ascending=False, kind="stable"
    )
    maps = [
        (str(row["comparison"]), scores[str(row["map"])].astype(float) - float(row["chance"]))
        for _, row in best.head(MOST_MAPS).iterrows()
    ]
    is_rsa = bool((rows["metric"] == RSA).all())
    label, what = "accuracy above chance", "Accuracy less chance"
    if is_rsa:
        label, what = "Spearman's rho", "Correlation of dissimilarities with those of models"
    more = "models" if is_rsa else "comparisons"
    more = f", the {len(maps)} highest of {len(rows)} {more}" if len(maps) < len(rows) else ""
    return map_pictures(
        name,
        maps,
        result.space,
        behind,
        label=label,
        what=f"{what}, around each {_unit(result)}{more}",
        is_signed=True,
    )


def question_of(table: pd.DataFrame) -> str:
    """Return what a searchlight answers: what is told apart, or compared, or both.

    Parameters
    ----------
    table
        With ``metric``.

    Examples
    --------
    >>> question_of(pd.DataFrame({"metric": [RSA]}))
    'Where in the brain are dissimilarities like those of models?'
    """
    if len(table) and (table["metric"] == RSA).all():
        return "Where in the brain are dissimilarities like those of models?"
    return "Where in the brain can conditions be told apart?"


def searchlight_answer(result: Result) -> str:
    """Say in a sentence or two what is told apart best, and whether that is above chance."""
    table = result.table.dropna(subset="highest")
    if table.empty:
        return "No score could be computed."
    told = ""
    for rows in (table[table["metric"] != RSA], table[table["metric"] == RSA]):
        if rows.empty:
            continue
        row = rows.iloc[int(np.argmax(rows["highest"] - rows["chance"]))]
        told += (
            f"Highest: {row['comparison']}, {METRICS.get(row['metric'], row['metric'])} "
            f"{row['highest']:.2f} around one {_unit(result)} (chance {row['chance']:.2f}, mean "
            f"over {counted(int(row['n_centers']), _unit(result))} {row['mean']:.2f}). "
        )
    if weak := nothing_can_be(table):
        return told + weak
    sure = [str(one) for one in table.loc[table["p_corrected"] < ALPHA, "comparison"]]
    if not sure:
        return told + f"No map's highest score is above chance (corrected p < {ALPHA:g})."
    return told + (
        f"Somewhere above chance (highest score of the map, corrected p < {ALPHA:g}): "
        f"{listed(sure)}."
    )


def searchlight_text(told: Mapping[str, Any], *, unit: str) -> str:
    """Describe the searchlight for the methods text, with citations.

    Parameters
    ----------
    told
        The settings of ``searchlight``, with those of ``decode`` under that name; what is
        missing is as by default.
    unit
        What a unit is called.
    """
    shape = "sphere" if unit == "voxel" else "disk along the surface"
    within = told.get("within") or ()
    where = f"each {unit}" + (f" of {listed(list(within))}" if within else " that was measured")
    n = told.get("n_maps", 100)
    text = (
        f"In a searchlight [@kriegeskorte2006], the pattern over a {shape} of "
        f"{told.get('radius_mm', 9):g} mm radius around {where} was taken. "
    )
    if told.get("comparisons", ("all",)):
        text += (
            "Conditions were decoded from it with "
            f"{classifier_and_folds(told.get('decode', {}))}; the same {n} exchanges of labels "
            "within runs (or every distinct one, where there are fewer) gave whole maps by "
            "chance. "
        )
    models = [f"layers of {name}" for name in told.get("models") or ()]
    models += [f"a model of categories ({name})" for name in told.get("categories") or ()]
    if models:
        items = {"stimulus": "stimuli", "condition": "conditions"}[told.get("items", "stimulus")]
        distance = {
            "correlation": f"1 - Pearson's r over {unit} responses",
            "euclidean": "squared Euclidean distances",
            "crossnobis": "crossnobis distances: across runs, and divided by the shrunk noise "
            f"covariance of {many(unit)} within items and runs, where that is known "
            "[@walther2016; @ledoit2004]; in layers, squared Euclidean distances",
        }[told.get("distance", "correlation")]
        text += (
            f"Dissimilarities of {items} ({distance}) were compared with those in "
            f"{listed(models)} by Spearman's rank correlation [@kriegeskorte2008]; "
            f"{n} exchanges of the models' {items} gave whole maps by chance. "
        )
    return text + (
        "From these come p of each unit, p of the highest score of a map [@nichols2002], and "
        "clusters over participants [@stelzer2013]."
    )


def _how(result: Result) -> str:
    units = many(_unit(result))
    radius = result.meta.get("radius_mm", np.nan)
    sizes = pd.Series(result.table["n_units"]).median()
    return (
        f"Around each unit, all measured {units} within {radius:g} mm make a pattern (the median "
        f"holds {sizes:g}). A score belongs to the whole sphere, not to its center: maps are as "
        "smooth as spheres are large, and reach beyond what carries the signal by their radius. "
        "p of single units are not corrected."
    )


def _unit(result: Result) -> str:
    return "unit" if result.space is None else result.space.unit
