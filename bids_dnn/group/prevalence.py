"""How many participants have an effect, place by place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.nulls import Nulls
from bids_dnn.group.choices import ALPHA
from bids_dnn.group.family import Family
from bids_dnn.stats.prevalence import (
    TIE,
    attained_level,
    estimate_prevalence,
    minimum_statistic,
)

Columns = dict[str, NDArray[np.float64]]
FEWEST = 2  # participants
ARROW = "->"  # in names of comparisons that say who teaches and who is tested
COLUMNS = {
    "n_significant": "Participants whose own p is at most 0.05, of those whose p can be.",
    "n_able": "Participants whose own p can be as low as 0.05, also those without a covariate.",
    "prevalence": "Most likely share of the population with an effect, from n_significant (Ince "
    "2021); n/a where nobody's p can be as low as 0.05.",
    "prevalence_low": "Lower end of the 95 % highest-density interval of the prevalence.",
    "prevalence_high": "Upper end of that interval.",
    "prevalence_bound": "Prevalence that is exceeded (level 0.05, minimum statistic, Allefeld "
    "2016); n/a where not even the global null is rejected.",
    "prevalence_bound_corrected": "That bound, corrected for all rows: claims where nobody has an "
    "effect anywhere are controlled.",
    "prevalence_largest": "The largest bound that so many participants and permutations prove.",
    "p_global": "p that nobody has an effect (minimum statistic, over all combinations of the "
    "participants' permutations).",
    "p_global_corrected": "p_global corrected for all rows, over random combinations.",
}


def prevalence_columns(
    family: Family, nulls: Mapping[str, Nulls], *, analysis: str, seed: int
) -> tuple[Columns, list[str]]:
    """Estimate the prevalence in each row, and bound it where nulls are there.

    Parameters
    ----------
    family
        Scores, with the participants' own ``p`` and ``p_floor`` where their tables have them.
    nulls
        Of participants, by label.
    analysis
        ``decode`` or ``encode``.
    seed
        Of the combinations for the correction.

    Returns
    -------
    columns : by name, (n_rows,)
        Those of `COLUMNS` that could be made: none of one participant.
    warnings
        What was left out, and why.
    """
    if len(family.labels) < FEWEST:
        return {}, []  # one participant says nothing of a population; that is said elsewhere
    made: Columns = {}
    warnings = []
    if {"p", "p_floor"} <= set(family.columns):
        made |= _estimates(family)
        if np.isnan(made["prevalence"]).all():
            warnings.append(
                "No prevalence could be estimated: nobody's own p can be as low as "
                f"{ALPHA:g}, with as few permutations as there were."
            )
    have = [label for label in family.labels if label in nulls]
    if have:
        made |= _bounds(family, nulls, seed)
        if np.isnan(made["prevalence_largest"]).all():
            warnings.append(
                "Bounds of prevalence are n/a: so few participants and permutations prove none."
            )
        if lacking := [label for label in family.labels if label not in nulls]:
            warnings.append(
                "Bounds of prevalence are without "
                f"{', '.join(f'sub-{label}' for label in lacking)}, whose scores under exchanged "
                "labels are not there; run the participant level again."
            )
    elif analysis == "decode":
        warnings.append(
            "Bounds of prevalence were left out: no participant has left scores under exchanged "
            "labels (desc-decode_null.npz); run the participant level again."
        )
    else:
        warnings.append(
            "Bounds of prevalence were left out: they need scores under exchanged labels, which "
            f"{analysis} does not leave."
        )
    return made, warnings + _blanked(made, family)


def _blanked(made: Columns, family: Family) -> list[str]:
    """Blank the rows of one participant, and those of cross-decoding; say which and why."""
    crossed = _crossed(family)
    few = np.isfinite(family.columns["score"]).sum(axis=1) < FEWEST
    for values in made.values():
        values[few] = np.nan
        values[[place for place, _ in crossed]] = np.nan
    if not crossed:
        return []
    named = ", ".join(repr(name) for name in dict.fromkeys(name for _, name in crossed))
    return [
        f"The prevalence of cross-decoding ({named}) is n/a: a participant's own p is against "
        "labels that mean nothing, and small too often. The test over participants holds."
    ]


def _crossed(family: Family) -> list[tuple[int, str]]:
    """Return the rows whose classifiers are tested on other samples, with their comparisons."""
    if "comparison" not in family.places:
        return []
    names = enumerate(map(str, family.places["comparison"]))
    return [(place, name) for place, name in names if ARROW in name]


def _estimates(family: Family) -> Columns:
    names = ("n_significant", "n_able", "prevalence", "prevalence_low", "prevalence_high")
    rows = []
    is_there = np.isfinite(family.columns["score"])
    for p, floor, there in zip(
        family.columns["p"], family.columns["p_floor"], is_there, strict=True
    ):
        able = there & np.isfinite(p) & (floor <= ALPHA + TIE)
        n, n_found = int(able.sum()), int((p[able] <= ALPHA + TIE).sum())
        told = estimate_prevalence(n_found, n, alpha=attained_level(ALPHA, floor[able]))
        rows.append((n_found, n, told.mode, told.low, told.high))
    values = np.array(rows, dtype=np.float64).reshape(-1, len(names))
    return dict(zip(names, values.T, strict=True))


def _bounds(family: Family, nulls: Mapping[str, Nulls], seed: int) -> Columns:
    observed, null, enumerated = _arrays(family, nulls)
    made = minimum_statistic(observed, null, enumerated=enumerated, alpha=ALPHA, seed=seed)
    return {
        "prevalence_bound": made.bound,
        "prevalence_bound_corrected": made.bound_corrected,
        "prevalence_largest": made.largest,
        "p_global": made.p,
        "p_global_corrected": made.p_corrected,
    }


def _arrays(
    family: Family, nulls: Mapping[str, Nulls]
) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.bool_]]:
    """Bring the nulls into the order of the table: (n_rows, n_participants, n_permutations)."""
    shape = family.above.shape
    observed = np.full(shape, np.nan)
    longest = max((one.null.shape[1] for one in nulls.values()), default=0)
    null = np.full((*shape, longest), np.nan, dtype=np.float32)
    enumerated = np.zeros(shape, dtype=bool)
    places: Sequence[tuple[str, str]] = list(
        zip(family.places["region"], family.places["comparison"], strict=True)
    )
    for k, label in enumerate(family.labels):
        if label not in nulls:
            continue
        own = nulls[label]
        at = {place: i for i, place in enumerate(zip(own.region, own.comparison, strict=True))}
        for row, place in enumerate(places):
            if (i := at.get(place)) is not None:
                null[row, k, : own.null.shape[1]] = own.null[i]
                enumerated[row, k] = own.enumerated[i]
                observed[row, k] = family.columns["score"][row, k]
    return observed, null, enumerated
