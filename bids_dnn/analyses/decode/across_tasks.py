"""Decode across tasks: learnt on one task of a participant, tested on another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, compress, permutations
from typing import Any

import numpy as np
import pandas as pd

from bids_dnn.analyses.decode.across import (
    ANALYSIS,
    CENTERED,
    LEAST_UNITS,
    PARTICIPANT,
    Say,
    facts_of,
)
from bids_dnn.analyses.decode.across import COLUMNS as OVER_PARTICIPANTS
from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.comparisons import Comparison, parse
from bids_dnn.analyses.decode.decoding import decode
from bids_dnn.analyses.decode.sharing import (
    common_places,
    has_all,
    sides_text,
    stack_patterns,
)
from bids_dnn.analyses.decode.tasks import conditions_of
from bids_dnn.containers.result import Result
from bids_dnn.containers.shared import SharedPatterns
from bids_dnn.errors import ConfigError, NotEnoughDataError
from bids_dnn.stats.inference import fdr, t_interval
from bids_dnn.stats.metrics import within_range
from bids_dnn.stats.participants import compare_with_zero

TASK = "task"
KEYS = ["region", "comparison", "trained_on", "tested_on"]
OWN = ("p", "p_floor", "n_samples", "n_units")  # of single participants
COLUMNS = {
    **{name: OVER_PARTICIPANTS[name] for name in ("region", "comparison")},
    "trained_on": "Task whose patterns teach",
    "tested_on": "Task whose patterns are tested",
    "n_classes": OVER_PARTICIPANTS["n_classes"],
    "metric": OVER_PARTICIPANTS["metric"] + "; several where participants differ",
    "score": "Mean over participants of the metric over the patterns of the task that is tested",
    "chance": OVER_PARTICIPANTS["chance"],
    "ci_low": "Lower end of the 95 % t interval of the mean over participants, cut to what the "
    "metric can be; n/a under two",
    "ci_high": "Upper end of that interval",
    "p": "One-sided p over participants: signs of scores less chance are flipped",
    "p_floor": "The smallest p that so many participants allow",
    "p_corrected": "p corrected for all rows of this table, by the largest t of each flip",
    "p_fdr": OVER_PARTICIPANTS["p_fdr"],
    "n_participants": "Participants with a score here",
    "missing": "Participants without a score here",
}
SINGLES = {
    PARTICIPANT: "The participant",
    "score": "The metric over the participant's patterns of the task that is tested",
    "p": "One-sided permutation p of this participant alone: labels of both tasks are exchanged "
    "within runs. A region whose two patterns differ in the task that is tested, in whatever "
    "direction, has a small p too often; what holds over participants is the p of the main table",
    "n_samples": "Patterns predicted: means of a condition and run",
    "n_units": "Units of the region that both tasks have",
}
Parts = Mapping[str, SharedPatterns]


def across_tasks(
    shared: Mapping[str, Parts],
    *,
    choices: Choices,
    is_standardized: bool = False,
    progress: Say | None = None,
) -> Result:
    """Tell conditions apart in one task by what was learnt on another, within participants.

    In each region a classifier is trained on a participant's mean patterns (condition by run) of
    one task and tested on those of another, and the reverse, for each pair of tasks that have
    conditions of one name. The mean pattern of each task is taken out of it beforehand. Over
    participants, scores less chance are tested by flipping signs.

    Parameters
    ----------
    shared
        By participant, then by task.
    choices
        Those of decoding within tasks, as for `across.across_participants`. Comparisons that say
        themselves who teaches and who is tested are left out.
    is_standardized
        Divide each unit by its SD over the task's patterns as well.
    progress
        Told what is next.

    Returns
    -------
    result
        One row a region, comparison and direction; `extras` holds ``participants`` (the score of
        each, with p) and ``confusion`` (summed over participants). Who lacks a task, a region
        or a condition is named as missing.

    Raises
    ------
    ConfigError
        If the metric does not go with a comparison.
    NotEnoughDataError
        If no participant has two tasks with two conditions and two units in common.

    References
    ----------
    Kaplan, Man & Greening (2015), Front. Hum. Neurosci. 9:151, doi:10.3389/fnhum.2015.00151
    (cross-classification).
    Nichols & Holmes (2002), Human Brain Mapping 15:1, doi:10.1002/hbm.1058.
    """
    notes: list[str] = []
    if choices.search:
        notes.append("Parameters are not searched for: what teaches is one task.")
    made = [
        one
        for pair in _pairs(shared)
        for one in _of_pair(shared, pair, _Way(choices, is_standardized, progress), notes)
    ]
    if not made:
        raise NotEnoughDataError(
            " ".join(["Nothing is decoded across tasks.", *notes]),
            mend="Run the participant level for tasks that have two conditions of one name, with "
            "share = true under [decode].",
        )
    singles = pd.concat([one.table for one in made], ignore_index=True)
    confusion = pd.concat([one.extras["confusion"] for one in made], ignore_index=True)
    people = sorted(set(singles[PARTICIPANT]))
    table = _over_people(singles, people, sorted(shared), choices)
    if len(people) < 2:
        notes.append(
            f"Only sub-{people[0]} has a score: no interval over participants, and no p below 0.5."
        )
    said = [text for one in made for text in one.meta["warnings"] if "p cannot" not in text]
    return Result(
        analysis=ANALYSIS,
        table=table,
        columns=COLUMNS,
        meta=facts_of(made[0], people)
        | {
            "across": "tasks",
            "folds": "train on one task, test on another",
            "chance": {row["comparison"]: row["chance"] for row in table.to_dict("records")},
            "comparisons": {
                name: sides for one in made for name, sides in one.meta["comparisons"].items()
            },
            "permutation": "signs of participants' scores less chance flipped; of single "
            "participants, labels exchanged within runs",
            "enumerated": [],
            "correct": list(choices.correct),
            "centering": CENTERED[is_standardized],
            "missing_participants": sorted(set(shared) - set(people)),
            "warnings": list(dict.fromkeys([*notes, *said])),
        },
        extras={
            "participants": singles[[*KEYS, PARTICIPANT, "metric", "score", "chance", *OWN]],
            "confusion": confusion.groupby([*KEYS, "truth", "guess"], sort=False)["count"]
            .sum()
            .reset_index(),
        },
        extra_columns={"participants": SINGLES},
    )


@dataclass(frozen=True, slots=True)
class _Way:
    """How each participant is decoded."""

    choices: Choices
    is_standardized: bool
    progress: Say | None


def _pairs(shared: Mapping[str, Parts]) -> list[tuple[str, str]]:
    return list(combinations(sorted({task for one in shared.values() for task in one}), 2))


def _of_pair(
    shared: Mapping[str, Parts], pair: tuple[str, str], way: _Way, notes: list[str]
) -> Iterator[Result]:
    """Decode each participant who has both tasks; what cannot be is noted."""
    both = {
        label: {task: one[task] for task in pair}
        for label, one in sorted(shared.items())
        if set(pair) <= set(one)
    }
    if not both:
        notes.append(f"Nobody has patterns of both {_told(pair)}.")
        return
    known = sorted({name for one in both.values() for name in _common(one)})
    comparisons = list(_parsed(way.choices.comparisons, known, pair, notes))
    for label, parts in both.items():
        own = [one for one in comparisons if all(has_all(p, one) for p in parts.values())]
        why = _why_not(parts)
        if comparisons and len(own) < len(comparisons):
            lacking = [repr(one.name) for one in comparisons if one not in own]
            what = ", ".join(lacking)
            notes.append(f"sub-{label} lacks conditions of {what} in the {_told(pair)}.")
        if why:
            notes.append(f"sub-{label}: the {_told(pair)} {why}.")
        elif own:
            try:
                yield _decoded(label, parts, own, way)
            except NotEnoughDataError as err:
                notes.append(f"sub-{label}, the {_told(pair)}: {err.what}")


def _told(pair: tuple[str, str]) -> str:
    return f"tasks {pair[0]} and {pair[1]}"


def _common(parts: Parts) -> set[str]:
    return set.intersection(*(set(conditions_of(one.responses)) for one in parts.values()))


def _parsed(
    texts: Sequence[str], known: Sequence[str], pair: tuple[str, str], notes: list[str]
) -> Iterator[Comparison]:
    """Read the comparisons whose conditions both tasks have."""
    if len(known) < 2:
        notes.append(f"The {_told(pair)} share {len(known)} condition(s) {list(known)}.")
        return
    found: dict[str, Comparison] = {}
    for text in texts:
        try:
            found |= {one.name: one for one in parse([text], known)}
        except (ConfigError, NotEnoughDataError) as err:
            notes.append(f"{text!r} is not decoded across the {_told(pair)}: {err.what}")
    told: set[object] = set()
    for one in found.values():
        same = frozenset(members for _, members in one.sides)
        if one.is_crossed:
            notes.append(f"{one.name!r} says itself who teaches, and is not decoded across tasks.")
        elif same not in told:
            told.add(same)
            yield one


def _why_not(parts: Parts) -> str:
    """Say why two tasks of a participant cannot be decoded, "" where they can."""
    one, two = parts.values()
    if not one.responses.space.has_places_of(two.responses.space):
        return (
            f"lie on {one.responses.space.describe()} and on {two.responses.space.describe()}, "
            "which are not the same places"
        )
    if not _places(parts):
        names = [", ".join(sorted(own.regions)) for own in (one, two)]
        return (
            f"have no region with {LEAST_UNITS} units in common (regions: {names[0]}; and "
            f"{names[1]})"
        )
    return ""


def _places(parts: Parts) -> dict[str, Any]:
    one, two = parts.values()
    found = {name: common_places([one, two], name) for name in one.regions if name in two.regions}
    return {name: places for name, places in found.items() if len(places) >= LEAST_UNITS}


def _decoded(label: str, parts: Parts, comparisons: Sequence[Comparison], way: _Way) -> Result:
    """Decode both directions of a pair of tasks in one participant."""
    responses, rois = stack_patterns(
        parts, _places(parts), column=TASK, is_standardized=way.is_standardized
    )
    directions = {
        f"{text} @ task={first} -> @ task={second}": (one, first, second)
        for one in comparisons
        for first, second in permutations(parts)
        for text in [" ".join(sides_text(one).split())]
    }
    choices = replace(
        way.choices,
        comparisons=tuple(directions),
        folds=TASK,
        n_folds=None,
        average=1,
        balance="weights" if way.choices.balance == "weights" else "none",
        nuisance=(),
        baseline=(),
        targets=(),
        has_patterns=False,
        correct=("fdr",),
        search={},
    )
    made = decode(responses, rois, choices=choices, progress=way.progress)
    told = pd.DataFrame(
        [(one.name, first, second) for one, first, second in directions.values()],
        index=list(directions),
        columns=KEYS[1:],
    )
    table, confusion = (
        one.drop(columns="comparison").join(told.loc[one["comparison"]].reset_index(drop=True))
        for one in (made.table, made.extras["confusion"])
    )
    sides = {one.name: made.meta["comparisons"][text] for text, (one, _, _) in directions.items()}
    return Result(
        ANALYSIS,
        table.assign(**{PARTICIPANT: label}),
        dict.fromkeys([*table.columns, PARTICIPANT], ""),
        meta=made.meta | {"comparisons": sides},
        extras={"confusion": confusion},
    )


def _over_people(
    singles: pd.DataFrame, people: Sequence[str], everyone: Sequence[str], choices: Choices
) -> pd.DataFrame:
    """Make a row of each region, comparison and direction, tested over participants."""
    grouped = singles.groupby(KEYS, sort=False)
    rows = singles.drop_duplicates(KEYS)[[*KEYS, "n_classes"]].reset_index(drop=True)
    place, column = grouped.ngroup().to_numpy(), singles[PARTICIPANT].map(list(people).index)
    scores, chances = np.full((2, len(rows), len(people)), np.nan)
    scores[place, column] = singles["score"]
    chances[place, column] = singles["chance"]
    found = compare_with_zero(scores - chances, seed=choices.seed)
    metrics = grouped["metric"].agg(lambda names: ", ".join(sorted(set(names)))).to_list()
    ends = np.array(
        [
            within_range(t_interval(row), metric)
            for row, metric in zip(scores, metrics, strict=True)
        ]
    )
    is_there = np.isfinite(scores)
    return rows.assign(
        metric=metrics,
        score=grouped["score"].mean().to_numpy(),
        chance=grouped["chance"].mean().to_numpy(),
        ci_low=ends[:, 0],
        ci_high=ends[:, 1],
        p=found.p,
        p_floor=found.p_floor,
        p_corrected=found.p_corrected if "max" in choices.correct else np.nan,
        p_fdr=fdr(found.p) if "fdr" in choices.correct else np.nan,
        n_participants=is_there.sum(axis=1),
        missing=[
            ", ".join(sorted(set(everyone) - set(compress(people, row)))) for row in is_there
        ],
    )[list(COLUMNS)]
