"""Decode across participants: each is left out in turn, on the units that all of them have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.comparisons import Comparison, parse
from bids_dnn.analyses.decode.decoding import decode
from bids_dnn.analyses.decode.sharing import (
    Places,
    common_places,
    comparison_text,
    halves,
    has_all,
    stack_patterns,
)
from bids_dnn.analyses.decode.tables import COLUMNS as WITHIN
from bids_dnn.analyses.decode.tasks import conditions_of
from bids_dnn.containers.result import Result
from bids_dnn.containers.shared import SharedPatterns
from bids_dnn.containers.space import on_places_of_most
from bids_dnn.errors import NotEnoughDataError
from bids_dnn.stats.inference import fdr

ANALYSIS = "across"
PARTICIPANT = "participant"
LEAST_UNITS, LEAST_PEOPLE = 2, 2
FACTS = (
    "classifier",
    "parameters",
    "search",
    "c_unit",
    "preparation",
    "interval",
    "correct",
    "chance",
    "enumerated",
    "comparisons",
    "n_permutations",
    "seed",
)
PERMUTATION = (
    "conditions exchanged within participants, all patterns of a participant's condition together"
)
CENTERED = {
    False: "the mean over a participant's (or task's) patterns was taken out of them",
    True: "units were z-scored over a participant's (or task's) patterns",
}
COLUMNS = {
    **{name: WITHIN[name] for name in ("region", "comparison", "n_classes", "metric")},
    "score": "The metric over all patterns, each predicted by a classifier that saw nothing of "
    "its participant",
    "chance": WITHIN["chance"],
    "ci_low": "Lower end of the 95 % interval over participants: corrected resampled t (Nadeau & "
    "Bengio 2003), for the classifiers of any two share participants, or bootstrap of "
    "participants; n/a under 3 of them",
    "ci_high": "Upper end of that interval",
    "p": "One-sided permutation p: conditions are exchanged within participants, all patterns of "
    "a participant's condition together",
    "p_floor": WITHIN["p_floor"],
    "p_corrected": "p corrected for all regions and comparisons of this table (maximum statistic "
    "under exchanges that rows of the same participants share, times the number of such sets of "
    "rows; over comparisons it controls the error only where no two conditions differ)",
    "p_fdr": WITHIN["p_fdr"],
    "n_permutations": WITHIN["n_permutations"],
    "n_participants": "Participants, each left out once",
    "n_samples": "Patterns predicted: means of a condition and run",
    "n_units": "Units of the region that all these participants have",
    "n_units_most": "Units of the region of the participant who has most",
    "missing": "Participants who lack the region or a condition",
}
SINGLES = {
    PARTICIPANT: "Who was left out",
    "score": "The metric over the participant's patterns",
}
Say = Callable[[str], None]


def across_participants(
    shared: Mapping[str, SharedPatterns],
    *,
    choices: Choices,
    is_standardized: bool = False,
    progress: Say | None = None,
) -> Result:
    """Tell conditions apart in participants who were left out, from the patterns of the others.

    In each region, a classifier is trained on the mean patterns (condition by run) of all
    participants but one, on the units that all of them have, and tested on that one. Each
    participant's mean pattern is taken out of it beforehand, without labels. The null comes from
    exchanges of the conditions of a participant, all its runs alike: a participant's own
    patterns may differ between conditions as much as they like, as long as participants have
    nothing in common. All distinct exchanges are taken where they are few. In cross-decoding, a
    side is exchanged in what teaches and in what is tested at once.

    Parameters
    ----------
    shared
        By participant, on one grid of a common space.
    choices
        Those of decoding within participants, of which `folds`, `n_folds`, `average`, `nuisance`,
        `baseline` and `targets` mean nothing here; ``subsample`` neither.
    is_standardized
        Divide each unit by its SD over the participant's patterns as well.
    progress
        Told what is next.

    Returns
    -------
    result
        One row a region and comparison; `extras` holds ``participants`` (the score of each),
        ``confusion`` and ``metrics``. Who lacks a condition is left out of its comparisons, who
        lacks a region out of that; all are named.

    Raises
    ------
    ConfigError
        If a comparison names what nobody has.
    NotEnoughDataError
        If there are no two participants with two units in common, or parameters are searched
        for among two participants.
    SpaceError
        If no two participants have patterns on one grid.

    References
    ----------
    Haxby et al. (2011), Neuron 72:404, doi:10.1016/j.neuron.2011.08.026 (between-subject
    classification).
    Nadeau & Bengio (2003), Machine Learning 52:239, doi:10.1023/A:1024068626366.
    """
    alike, notes = on_one_grid(shared)
    known = sorted({name for one in alike.values() for name in conditions_of(one.responses)})
    comparisons = [one for one in parse(choices.comparisons, known) if not _names_runs(one, notes)]
    regions = list(dict.fromkeys(name for one in alike.values() for name in one.regions))
    blocks = list(_blocks(alike, regions, comparisons, notes))
    if not blocks:
        raise NotEnoughDataError(
            " ".join([f"Nothing is decoded across {len(shared)} participant(s).", *notes]),
            mend="Run the participant level for others with share = true under [decode].",
        )
    made = [_decoded(block, choices, is_standardized, progress) for block in blocks]
    table = _table(made, choices, sorted(shared))
    names = [one.name for one in comparisons]
    places = zip(table["region"], table["comparison"], strict=True)
    ranks = {k: (regions.index(r), names.index(c)) for k, (r, c) in enumerate(places)}
    said = [text for one in made for text in one.meta["warnings"]]
    extras = {
        name: pd.concat([one.extras[name] for one in made], ignore_index=True)
        for name in made[0].extras
    }
    singles = extras.pop("sessions").rename(columns={"session": PARTICIPANT})
    extras["participants"] = singles.merge(table[["region", "comparison", "chance"]])
    extras.pop("parameters", None)
    return Result(
        analysis=ANALYSIS,
        table=table.iloc[sorted(ranks, key=ranks.__getitem__)].reset_index(drop=True),
        columns=COLUMNS,
        meta=facts_of(made[0], sorted({name for block in blocks for name in block.parts}))
        | {
            "across": "participants",
            "folds": "leave one participant out",
            "chance": _joined(made, "chance"),
            "comparisons": _joined(made, "comparisons"),
            "permutation": PERMUTATION,
            "centering": CENTERED[is_standardized],
            "warnings": list(dict.fromkeys([*notes, *_uneven(blocks), *said])),
        },
        extras=extras,
        extra_columns={"participants": SINGLES},
    )


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """What is decoded from the same participants.

    Parameters
    ----------
    parts
        By participant.
    regions
        Places of each region's units, which all of them have.
    most
        Units of each region, of the participant who has most.
    comparisons
        Each of whose conditions all of them have; one alone, where it is crossed.
    """

    parts: Mapping[str, SharedPatterns]
    regions: Mapping[str, Places]
    most: Mapping[str, int]
    comparisons: Sequence[Comparison]


def on_one_grid(
    shared: Mapping[str, SharedPatterns],
) -> tuple[dict[str, SharedPatterns], list[str]]:
    """Return those whose places are those of most, and who is left out, in sentences.

    Parameters
    ----------
    shared
        By participant.
    """
    spaces = {label: shared[label].responses.space for label in sorted(shared)}
    kept = {label: shared[label] for label in on_places_of_most(spaces)}
    notes = [
        f"The patterns of sub-{label} lie on {own.describe()}, those of others on "
        f"{spaces[next(iter(kept))].describe()}; sub-{label} is left out."
        for label, own in spaces.items()
        if label not in kept
    ]
    return kept, notes


def facts_of(made: Result, people: Sequence[str]) -> dict[str, Any]:
    """Return what a result of decoding says of how, and who is in it.

    Parameters
    ----------
    made
        Of `decoding.decode`.
    people
        Labels.
    """
    return {name: made.meta[name] for name in FACTS} | {
        "level": "group",
        "participants": list(people),
        "missing_participants": [],
    }


def _names_runs(comparison: Comparison, notes: list[str]) -> bool:
    if "run" not in comparison.columns:
        return False
    notes.append(f"{comparison.name!r} names runs, which participants do not have in common.")
    return True


def _blocks(
    alike: Mapping[str, SharedPatterns],
    regions: Sequence[str],
    comparisons: Sequence[Comparison],
    notes: list[str],
) -> Iterator[Block]:
    """Give what can be decoded from the same participants; what cannot is noted."""
    with_sides: dict[frozenset[str], list[Comparison]] = {}
    for comparison in comparisons:
        own = frozenset(label for label, one in alike.items() if has_all(one, comparison))
        with_sides.setdefault(own, []).append(comparison)
        if lacking := sorted(set(alike) - own):
            verb = "lacks" if len(lacking) == 1 else "lack"
            notes.append(
                f"{comparison.name!r} is without {_named(lacking)}, who {verb} patterns of its "
                "conditions."
            )
    with_region: dict[frozenset[str], list[str]] = {}
    for region in regions:
        own = frozenset(label for label, one in alike.items() if region in one.regions)
        with_region.setdefault(own, []).append(region)
        if lacking := sorted(set(alike) - own):
            notes.append(f"{region} is without {_named(lacking)}, who did not leave it.")
    for owners, names in with_region.items():
        for havers, own_comparisons in with_sides.items():
            parts = {label: alike[label] for label in sorted(owners & havers)}
            if len(parts) < LEAST_PEOPLE:
                what = ", ".join(repr(one.name) for one in own_comparisons)
                notes.append(
                    f"{what} in {', '.join(names)}: {len(parts)} participant(s) have patterns, "
                    f"and {LEAST_PEOPLE} are needed."
                )
            elif places := _places(parts, names, notes):
                most = {name: max(len(p.regions[name]) for p in parts.values()) for name in places}
                plain = [one for one in own_comparisons if not one.is_crossed]
                crossed = [[one] for one in own_comparisons if one.is_crossed]
                for told in [plain] * bool(plain) + crossed:
                    yield Block(parts, places, most, told)


def _places(
    parts: Mapping[str, SharedPatterns], regions: Sequence[str], notes: list[str]
) -> dict[str, Places]:
    """Return the common places of those regions that have enough of them."""
    made = {name: common_places(list(parts.values()), name) for name in regions}
    for name, places in made.items():
        if len(places) < LEAST_UNITS:
            notes.append(
                f"{name}: {len(places)} unit(s) are common to {_named(list(parts))}, and "
                f"{LEAST_UNITS} are needed."
            )
    return {name: places for name, places in made.items() if len(places) >= LEAST_UNITS}


def _decoded(
    block: Block,
    choices: Choices,
    is_standardized: bool,  # noqa: FBT001
    progress: Say | None,
) -> Result:
    responses, rois = stack_patterns(
        block.parts, block.regions, column=PARTICIPANT, is_standardized=is_standardized
    )
    names = {comparison_text(one): one.name for one in block.comparisons}
    if block.comparisons[0].is_crossed:
        responses, text = halves(responses, block.comparisons[0])
        names = {text: block.comparisons[0].name}
    samples = responses.samples.assign(run=responses.samples[PARTICIPANT])
    trial = samples.groupby("condition", sort=True).ngroup()  # one of a participant
    responses = replace(responses, samples=samples.assign(trial=trial))
    own = replace(
        choices,
        comparisons=tuple(names),
        folds=PARTICIPANT,
        n_folds=None,
        average=1,
        balance="weights" if choices.balance == "weights" else "none",
        nuisance=(),
        baseline=(),
        targets=(),
        has_patterns=False,
        apart=PARTICIPANT,
    )
    made = _renamed(decode(responses, rois, choices=own, progress=progress), names)
    table = made.table.drop(columns="baseline").rename(columns={"n_runs": "n_participants"})
    table["n_units_most"] = table["region"].map(dict(block.most))
    table["missing"] = [list(block.parts)] * len(table)  # who is there, until all are known
    return replace(made, table=table, columns=COLUMNS)


def _renamed(made: Result, names: Mapping[str, str]) -> Result:
    """Return a result with the names of comparisons in place of how they were spelled."""

    def told(text: str) -> str:
        return names.get(text, text)

    def named(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(comparison=table["comparison"].map(told))

    meta = dict(made.meta)
    for key in ("chance", "comparisons"):
        meta[key] = {told(text): value for text, value in meta[key].items()}
    meta["enumerated"] = [told(text) for text in meta["enumerated"]]
    for text, name in names.items():
        meta["warnings"] = [said.replace(repr(text), repr(name)) for said in meta["warnings"]]
    return replace(
        made,
        table=named(made.table),
        meta=meta,
        extras={name: named(table) for name, table in made.extras.items()},
    )


def _table(made: Sequence[Result], choices: Choices, everyone: Sequence[str]) -> pd.DataFrame:
    """Put the tables below one another, with p over all of their rows."""
    table = pd.concat([one.table for one in made], ignore_index=True)
    table["p_corrected"] = np.minimum(1.0, len(made) * table["p_corrected"])
    if "fdr" in choices.correct:
        table["p_fdr"] = fdr(table["p"].to_numpy(dtype=np.float64))
    table["missing"] = [
        ", ".join(one for one in everyone if one not in there) for there in table["missing"]
    ]
    return table[list(COLUMNS)]


def _uneven(blocks: Sequence[Block]) -> list[str]:
    """Name participants whose conditions have different numbers of patterns."""
    people = {label: one for block in blocks for label, one in block.parts.items()}
    uneven = [
        label
        for label, one in sorted(people.items())
        if one.responses.samples["condition"].value_counts().nunique() > 1
    ]
    if not uneven:
        return []
    return [
        f"Conditions have different numbers of patterns in {_named(uneven)}, so that exchanges of "
        "them are alike only nearly: p are approximate."
    ]


def _joined(made: Sequence[Result], name: str) -> dict[str, Any]:
    return {key: value for one in made for key, value in one.meta[name].items()}


def _named(labels: Sequence[str]) -> str:
    return ", ".join(f"sub-{label}" for label in labels)
