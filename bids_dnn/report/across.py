"""The section on decoding across participants or tasks, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bids_dnn.report import figures
from bids_dnn.report.decoders import METRICS, classifier_and_folds
from bids_dnn.report.estimators import uncited
from bids_dnn.report.parts import (
    Number,
    Picture,
    Section,
    Table,
    counted,
    decimals,
    picture,
    table_of,
)
from bids_dnn.report.shown import (
    ALPHA,
    Shown,
    floor_text,
    is_significant,
    nothing_can_be,
    ordered,
)

Told = Mapping[str, Any]
TITLES = {
    "participants": (
        "Decoding across participants",
        "Are conditions told apart in a participant by the patterns of the others?",
    ),
    "tasks": (
        "Decoding across tasks",
        "Are conditions told apart in one task by patterns of another?",
    ),
}
TABLES = {
    "participants": "The score of each participant.",
    "metrics": "Every metric of the labels as they are.",
}
_PREPARED = {
    "center": "The mean pattern of each {part} was taken out beforehand",
    "zscore": "Each unit was z-scored over the patterns of each {part} beforehand",
}
DIRECTION = ["trained_on", "tested_on"]
MOST_DIRECTIONS = 6  # pictures
_LEAVING = ", leaving one run out"


def across_section(shown: Shown) -> Section:
    """Return the section of a result across participants, or tasks.

    Parameters
    ----------
    shown
        Its settings are those of `across_text`.
    """
    result = shown.result
    kind = str(result.meta["across"])
    table = result.table
    title, question = TITLES[kind]
    tables = [
        table_of(
            ordered(table),
            result.columns,
            caption="One row a region and comparison"
            + (", and direction." if kind == "tasks" else "."),
            link=shown.link,
        )
    ]
    return Section(
        shown.name,
        title,
        question,
        across_answer(table),
        (*_pictures(shown), *_confusion(shown)),
        (*tables, *_further(shown)),
        _how(kind, shown.settings) + floor_text(table),
    )


def across_answer(table: pd.DataFrame) -> str:
    """Return the answer of the section in a sentence or two.

    Parameters
    ----------
    table
        Of the result.
    """
    best = _best(table)
    if best is None:
        return "No score could be computed."
    told = (
        f"Best: {_what(best)} in {best['region']}, {_metric(best)} {best['score']:.2f} "
        f"(chance {best['chance']:.2f})."
    )
    if weak := nothing_can_be(table):
        return weak + told
    parts = [
        f"{int(rows.apply(is_significant, axis=1).sum())} of {len(rows)} in {region}"
        for region, rows in table.groupby("region", sort=False)
    ]
    return f"Rows above chance (corrected p < {ALPHA:g}): {', '.join(parts)}. {told}"


def across_numbers(shown: Shown) -> list[Number]:
    """Return the one number of a result that matters most.

    Parameters
    ----------
    shown
    """
    row = _best(shown.result.table)
    if row is None:
        return []
    label = (
        f"{_metric(row)} for {_what(row)} in {row['region']}, the best across "
        f"{shown.result.meta['across']}"
    )
    detail = f"chance {row['chance']:.2f}" + (
        "" if is_significant(row) else ", not significant (corrected)"
    )
    return [Number(decimals(row["score"], 2), label, detail)]


def _best(table: pd.DataFrame) -> pd.Series[Any] | None:
    above = ((table["score"] - table["chance"]) / (1 - table["chance"])).to_numpy(dtype=np.float64)
    return table.iloc[int(np.nanargmax(above))] if np.isfinite(above).any() else None


def _what(row: pd.Series[Any]) -> str:
    """Name what was told apart, with who taught and who was tested where it is tasks."""
    if "trained_on" not in row:
        return str(row["comparison"])
    return f"{row['comparison']} ({row['trained_on']} to {row['tested_on']})"


def _metric(row: pd.Series[Any]) -> str:
    return str(row["metric"]).replace("_", " ")


def across_text(told: Told) -> str:
    """Describe decoding across participants or tasks for the methods text, with citations.

    Parameters
    ----------
    told
        ``across`` (``participants`` or ``tasks``), ``patterns`` (``center`` or ``zscore``) and
        the settings of ``decode``.
    """
    kind, decode = str(told["across"]), dict(told.get("decode", {}))
    n = decode.get("permutations", 1000)
    classifier = _classifier(decode)
    prepared = _prepared(kind, told)
    if kind == "tasks":
        return (
            "Conditions were decoded across tasks [@kaplan2015]: in each participant and region, "
            f"{classifier} learnt from the mean patterns (condition by run) of one task and was "
            f"tested on those of another, and the reverse. {prepared}. Over participants, scores "
            "less chance were tested one-sided by flipping signs [@nichols2002], corrected over "
            f"all rows by {_corrections(decode, 'largest t of each flip')}; intervals are 95 % t "
            "intervals over participants."
        )
    interval = (
        "95 % bootstrap intervals over participants, of classifiers as they were trained "
        "[@efron1993]"
        if decode.get("interval") == "bootstrap"
        else "95 % corrected resampled t intervals over participants, whose training sets overlap "
        "[@nadeau2003]"
    )
    return (
        "Conditions were decoded across participants [@haxby2011]: in each region, "
        f"{classifier} learnt from the mean patterns (condition by run) of all participants but "
        "one, on the units that all of them have, and was tested on that one, for each "
        f"participant in turn. {prepared}. The null distribution came from exchanging the "
        f"conditions of each participant, all its runs alike ({n} times, or every distinct way "
        "where there are fewer), so that patterns of a participant's own are no evidence; p "
        "counts the labeling as observed among them [@phipson2010]. p were corrected over regions "
        f"and comparisons by {_corrections(decode, 'maximum statistic')}; intervals are "
        f"{interval}."
    )


def _corrections(decode: Told, statistic: str) -> str:
    ways = {
        "max": f"the {statistic} [@westfall1993]",
        "fdr": "the false discovery rate [@benjamini1995]",
    }
    return " and by ".join(ways[name] for name in ways if name in decode.get("correct", ways))


def _classifier(decode: Told) -> str:
    """Name the classifier, without folds."""
    own = {key: value for key, value in decode.items() if key not in ("folds", "n_folds")}
    return classifier_and_folds(own).removesuffix(_LEAVING)


def _prepared(kind: str, told: Told) -> str:
    part = "task" if kind == "tasks" else "participant"
    return _PREPARED[str(told.get("patterns", "center"))].format(part=part) + ", without labels"


def _how(kind: str, told: Told) -> str:
    prepared = f"Classifier: {_classifier(told.get('decode', {}))}. {_prepared(kind, told)}."
    if kind == "tasks":
        rest = (
            "Bars are means over participants, dots are participants; signs of scores less chance "
            "were flipped. A score below chance says that conditions differ the other way round "
            "in the two tasks."
        )
    else:
        rest = (
            "Bars are scores over all patterns, dots are the participants who were left out. "
            "Conditions were exchanged within participants, all runs of one alike. Training sets "
            "of any two participants overlap, so that no test takes their scores as independent."
        )
    return uncited(f"{prepared} {rest}")


def _pictures(shown: Shown) -> list[Picture]:
    """Draw the scores, a picture for each direction of tasks."""
    table, singles = shown.result.table, shown.result.extras["participants"]
    if "trained_on" not in table:
        return [_bars(shown, table, singles, lines="95 % intervals over participants")]
    made = []
    directions = list(table.drop_duplicates(DIRECTION)[DIRECTION].itertuples(index=False))
    for number, direction in enumerate(directions[:MOST_DIRECTIONS], start=1):
        own, points = (
            one[(one[DIRECTION] == list(direction)).all(axis=1)] for one in (table, singles)
        )
        of_all = f" {number} of {len(directions)} directions." if len(directions) > 2 else ""
        made.append(
            _bars(
                shown,
                own,
                points,
                lines="95 % t intervals of the mean over participants",
                name=f"{shown.name}_{number}",
                lead=f"Learnt on {direction[0]}, tested on {direction[1]}.{of_all} ",
            )
        )
    return made


def _bars(
    shown: Shown,
    table: pd.DataFrame,
    points: pd.DataFrame,
    *,
    lines: str,
    name: str = "",
    lead: str = "",
) -> Picture:
    n_shown, n_all = len(figures.shown_comparisons(table)), table["comparison"].nunique()
    metrics = list(dict.fromkeys(table["metric"]))
    label = METRICS.get(str(metrics[0]), "accuracy") if len(metrics) == 1 else "accuracy"
    caption = (
        f"{lead}Dots: participants. Dashed: chance. Lines: {lines}. Stars: corrected p * < 0.05, "
        "** < 0.01, *** < 0.001."
    )
    if n_shown < n_all:
        caption += f" The {n_shown} highest of {n_all} comparisons; all are in the table."
    return picture(
        name or shown.name,
        lambda theme: figures.score_bars(
            table, shown.colors, label=label, points=points, theme=theme
        ),
        alt=f"{lead}Bars of {label} for {counted(n_shown, 'comparison')} in "
        f"{counted(table['region'].nunique(), 'region')}, with a dot for each participant.",
        caption=caption,
    )


def _confusion(shown: Shown) -> list[Picture]:
    """Draw which condition was taken for which: of all at once, or of the only comparison."""
    rows = shown.result.extras["confusion"]
    names = list(dict.fromkeys(rows["comparison"]))
    chosen = "all" if "all" in names else names[0] if len(names) == 1 else None
    if chosen is None:
        return []
    own = rows[rows["comparison"] == chosen]
    summed = ", summed over directions and participants" if "trained_on" in own else ""
    what = "All conditions at once" if chosen == "all" else chosen
    return [
        picture(
            f"{shown.name}_confusion",
            lambda theme: figures.confusion_matrices(own, theme=theme),
            alt="Matrices of shown against named conditions, one for each region.",
            caption=f"{what}{summed}: each row is what was shown, each column what the classifier "
            "named; rows add to one.",
        )
    ]


def _further(shown: Shown) -> list[Table]:
    made = []
    for name, caption in TABLES.items():
        if (table := shown.result.extras.get(name)) is not None:
            told = shown.result.columns | shown.result.extra_columns.get(name, {})
            made.append(table_of(table, told, caption=caption))
    return made
