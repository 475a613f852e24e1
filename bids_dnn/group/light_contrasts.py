"""Contrasts of searchlights: differences of maps within participants, and between groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.containers.result import StatMap, distinct, model_label
from bids_dnn.errors import NotEnoughDataError
from bids_dnn.group.choices import Choices
from bids_dnn.group.contrasts import Contrast, parse_contrasts
from bids_dnn.group.flip_clusters import COLUMNS as OF_CLUSTERS
from bids_dnn.group.flip_clusters import FlipClusters, Ground, flip_clusters
from bids_dnn.group.lights import Part
from bids_dnn.group.maps import LEVEL, P_MAPS, count_map, stat_map
from bids_dnn.group.people import numbers_of, texts_of
from bids_dnn.group.tests import About
from bids_dnn.group.tfce import Enhancement, tfce_p
from bids_dnn.group.watch import Progress, Watch, unwatched
from bids_dnn.stats.designs import Design
from bids_dnn.stats.inference import fdr
from bids_dnn.stats.participants import compare_groups, compare_with_zero

Float = NDArray[np.float64]
WHAT = "comparison"  # what is compared within participants
COLUMNS = {
    "contrast": "The contrast: > one-sided, != two-sided.",
    "comparison": "What was told apart by both groups; empty where two comparisons are compared.",
    "map": "Label of its maps, in the names of their files.",
    "n_participants": "Participants with both maps, or of both groups.",
    "n_first": "Participants of the first group; n/a within participants.",
    "n_units": "Units that were tested.",
    "highest": "Largest difference of score less chance (of != the one furthest from zero) among "
    "them, at the mean of the covariates where there are some.",
    "highest_unit": "Number of the unit where it is, among the units of the map; -1 = nowhere.",
    "n_significant": "Units whose p (corrected, if that is asked for) is below 0.05.",
    "p_lowest": "Lowest of these p.",
    "p_floor": "Smallest p of a unit for itself that so many participants can give.",
    "n_clusters": "Clusters of units with a t above that of p_unit; -1 = none were looked for.",
    "n_clusters_significant": "Those with p_fwe < 0.05; -1 = none were looked for.",
    "missing": "Participants who are not in, for want of a map, a group or a covariate.",
}
NAMES = ("contrast", "comparison", "map")
CLUSTERS = {name: COLUMNS[name] for name in NAMES} | {
    name: f"{words[0].upper()}{words[1:]}." for name, words in OF_CLUSTERS.items()
}
CORRECTED = {
    "fdr": ", adjusted for a false discovery rate over the map",
    "max": ", corrected over the map by the largest t",
    "tfce": ", corrected over the map by the largest cluster-enhanced t",
    "none": ", not corrected",
}


@dataclass(frozen=True, slots=True, eq=False)
class Contrasted:
    """Contrasts of maps.

    Parameters
    ----------
    maps
        ``difference``, p, ``nparticipants`` and ``cluster`` of each, on the units of the group.
    table
        One row a contrast and comparison; see `COLUMNS`.
    clusters
        One row a cluster; see `CLUSTERS`.
    warnings
        Sentences.
    """

    maps: tuple[StatMap, ...] = ()
    table: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=[*COLUMNS]))
    clusters: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=[*CLUSTERS]))
    warnings: tuple[str, ...] = ()

    def extras(self) -> dict[str, pd.DataFrame]:
        """Return the tables that have rows, by the names of extra ones."""
        both = {"contrasts": self.table, "contrastClusters": self.clusters}
        return {name: table for name, table in both.items() if len(table)}


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    """One contrast of one comparison, or of two of them."""

    contrast: Contrast
    comparison: str
    label: str  # of its maps, before they are made distinct
    labels: tuple[str, ...]  # of its participants
    values: Float  # (n_units, n_participants), differences or scores, less chance
    is_first: NDArray[np.bool_] | None  # (n_participants,), between groups


def contrast_maps(
    parts: Sequence[Part],
    *,
    how: Enhancement | None,
    ground: Ground | None,
    choices: Choices,
    about: About,
    watch: Watch = unwatched,
) -> Contrasted:
    """Test differences of maps, at each unit, over participants.

    Scores are taken less what is expected by chance in each participant. Between two comparisons,
    signs of each participant's difference are flipped; between two groups, their labels are
    exchanged. Clusters are compared with those of flips or exchanges. Maps under exchanged
    labels of conditions do not serve here: they tell what is found where neither side has an
    effect, not where both have the same.

    Parameters
    ----------
    parts
        Comparisons of the participants, on the units of the group.
    how
        Clusters are enhanced, where that is asked for; None = the largest t of each flip.
    ground
        Which units touch; None = that is not known, and no clusters are looked for.
    choices
        Contrasts, covariates, correction, flips and seed.
    about
        Who should be there, and what participants.tsv says of them.
    watch
        Told how far the flips of a map are.

    Raises
    ------
    ConfigError
        If a contrast cannot be read, or names a column, group or covariate that does not exist.
    NotEnoughDataError
        If covariates tell two groups apart by themselves.
    """
    found, warnings = [], []
    for contrast in parse_contrasts(choices.contrasts, about.people):
        if contrast.is_within and contrast.what != WHAT:
            continue
        made, why = (
            _within(contrast, parts) if contrast.is_within else _between(contrast, parts, about)
        )
        found += made
        warnings += [f"The contrast {contrast.text!r} of searchlights: {why}"] if why else []
    everyone = {*about.expected, *(name for part in parts for name in part.labels)}
    about = replace(about, expected=sorted(everyone))
    taken = [part.model for part in parts]
    labels = distinct([*taken, *(one.label for one in found)])[len(taken) :]
    maps: list[StatMap] = []
    rows, tables = [], []
    for one, label in zip(found, labels, strict=True):
        own, row = _tested(one, label, how, choices, about, watch)
        clusters = _clusters(one, label, ground, choices, about, watch)
        maps += own
        if clusters is not None:
            words = (
                "Number of the cluster, as in the table of clusters; 0 = none. NaN: not tested."
            )
            maps.append(stat_map("cluster", clusters.labels, label, words))
            tables.append(clusters.table.assign(**{name: row[name] for name in NAMES}))
        rows.append(row | _counts(clusters))
    joined = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    return Contrasted(
        tuple(maps),
        pd.DataFrame(rows, columns=[*COLUMNS]),
        joined.reindex(columns=[*CLUSTERS]),
        tuple(warnings),
    )


def _clusters(
    one: _Compared,
    label: str,
    ground: Ground | None,
    choices: Choices,
    about: About,
    watch: Watch,
) -> FlipClusters | None:
    """Return the clusters, None where it is not known what touches, or too few are there."""
    if ground is None:
        return None
    try:
        return flip_clusters(
            one.values,
            ground,
            design=_design(one, choices, about),
            p_unit=choices.p_unit,
            n_flips=choices.n_flips,
            seed=choices.seed,
            progress=watch(f"flips of {label} for clusters"),
        )
    except NotEnoughDataError:
        return None


def _counts(found: FlipClusters | None) -> dict[str, int]:
    names = ("n_clusters", "n_clusters_significant")
    if found is None:
        return dict.fromkeys(names, -1)
    p = found.table["p_fwe"]
    return dict(zip(names, (len(p), int((p < LEVEL).sum())), strict=True))


def _design(one: _Compared, choices: Choices, about: About) -> Design:
    numbers = numbers_of(about.people, choices.covariates, one.labels)
    return Design(len(one.labels), one.is_first, numbers, one.contrast.is_two_sided)


def _within(contrast: Contrast, parts: Sequence[Part]) -> tuple[list[_Compared], str]:
    """Return the difference of two comparisons, or why there is none."""
    by_name = {part.comparison: part for part in parts}
    sides = (contrast.first, contrast.second)
    if missing := [side for side in sides if side not in by_name]:
        return [], f"there is no searchlight of {' and '.join(map(repr, missing))}."
    first, second = (by_name[side] for side in sides)
    if first.is_paired != second.is_paired:
        return [], "an accuracy and a correlation of dissimilarities do not compare."
    both = [name for name in first.labels if name in second.labels]
    if len(both) < 2:
        return [], f"{len(both)} participant(s) have both, and two are needed."
    at = [[part.labels.index(name) for name in both] for part in (first, second)]
    above = [_above(part)[:, own] for part, own in zip((first, second), at, strict=True)]
    label = model_label(f"{contrast.what} {contrast.first}", contrast.second)
    return [_Compared(contrast, "", label, tuple(both), above[0] - above[1], None)], ""


def _between(
    contrast: Contrast, parts: Sequence[Part], about: About
) -> tuple[list[_Compared], str]:
    """Return the two groups in each comparison, or why there are none."""
    codes, made, few = {contrast.first: 1, contrast.second: 0}, [], []
    for part in parts:
        texts = texts_of(about.people, contrast.what, part.labels)
        group = np.array([codes.get(text, -1) for text in texts], dtype=np.intp)
        keep = group >= 0
        if min((group == 1).sum(), (group == 0).sum()) < 2:
            few.append(part.comparison)
            continue
        sides = f"{contrast.what} {contrast.first} {contrast.second}"
        labels = tuple(np.array(part.labels)[keep])
        made.append(
            _Compared(
                contrast,
                part.comparison,
                model_label(sides, part.comparison),
                labels,
                _above(part)[:, keep],
                group[keep] == 1,
            )
        )
    why = f"a group has fewer than two participants in {', '.join(few)}." if few else ""
    return made, why


def _above(part: Part) -> Float:
    above: Float = part.values - part.base
    return above


def _tested(
    one: _Compared,
    label: str,
    how: Enhancement | None,
    choices: Choices,
    about: About,
    watch: Watch,
) -> tuple[list[StatMap], dict[str, Any]]:
    """Return the maps of a contrast, and its row."""
    design = _design(one, choices, about)
    made, correct = None, choices.correct
    if how is not None:
        made = _by_enhanced(one, design, how, choices, watch(f"flips of {label}"))
    if made is None and correct == "tfce":
        correct = "max"
    draws = "flips" if one.is_first is None else "exchanges"
    difference, p, floor = made or _by_rows(
        one, design, choices, correct, watch(f"units of {label} under {draws}")
    )
    known = np.isfinite(p)
    size = np.where(known, np.abs(difference) if design.is_two_sided else difference, -np.inf)
    place = int(size.argmax()) if known.any() else -1
    there = np.isfinite(one.values).any(axis=0) & design.who
    known_by = {one.labels[k] for k in np.flatnonzero(there)}
    row = {
        "contrast": one.contrast.text,
        "comparison": one.comparison,
        "map": label,
        "n_participants": int(there.sum()),
        "n_first": np.nan if one.is_first is None else int((there & one.is_first).sum()),
        "n_units": int(known.sum()),
        "highest": float(difference[place]) if place >= 0 else np.nan,
        "highest_unit": place,
        "n_significant": int((p[known] < LEVEL).sum()),
        "p_lowest": float(p[known].min()) if known.any() else np.nan,
        "p_floor": floor,
        "missing": ", ".join(name for name in about.expected if name not in known_by),
    }
    return _maps(one, label, difference, p, correct), row


def _maps(one: _Compared, label: str, difference: Float, p: Float, correct: str) -> list[StatMap]:
    of = f" in {one.comparison}" if one.comparison else ""
    sides = "Two" if one.contrast.is_two_sided else "One"
    draws = "flipped signs" if one.is_first is None else "exchanged labels of groups"
    means = "Mean over participants of the" if one.is_first is None else "Difference of means:"
    told = f"{one.contrast.text}{of}"
    return [
        stat_map("difference", difference, label, f"{means} score less chance, {told}; -1 to 1."),
        stat_map(
            P_MAPS[correct][0],
            p,
            label,
            f"{sides}-sided p of {draws}{CORRECTED[correct]}, of {told}; 0 to 1.",
        ),
        count_map(one.values, label, what="score or difference"),
    ]


def _by_enhanced(
    one: _Compared,
    design: Design,
    how: Enhancement,
    choices: Choices,
    progress: Progress,
) -> tuple[Float, Float, float] | None:
    """Return difference, p and the floor of p; None where covariates are too many."""
    own = design.known()
    try:
        model = own.model()
    except NotEnoughDataError:
        return None
    draws = {"n_flips": choices.n_flips, "seed": choices.seed}
    p = tfce_p(one.values, how, design=design, **draws, progress=progress)
    y = one.values[:, design.who].T
    difference = np.full(len(p), np.nan)
    whole = np.isfinite(y).all(axis=0)
    difference[whole] = model.fit(y[:, whole]).estimate
    floor = own.draws(choices.n_flips, choices.seed).floor(is_two_sided=own.is_two_sided)
    return difference, p, floor


def _by_rows(
    one: _Compared, design: Design, choices: Choices, correct: str, progress: Progress
) -> tuple[Float, Float, float]:
    told: Mapping[str, Any] = {
        "covariates": design.covariates if choices.covariates else None,
        "seed": choices.seed,
        "is_two_sided": design.is_two_sided,
        "progress": progress,
    }
    if one.is_first is None:
        found = compare_with_zero(one.values, **told)
    else:
        found = compare_groups(one.values, one.is_first, **told)
    p = {"fdr": fdr(found.p), "max": found.p_corrected, "none": found.p}[correct]
    known = np.isfinite(found.p_floor)
    return found.estimate, p, float(found.p_floor[known].min()) if known.any() else np.nan
