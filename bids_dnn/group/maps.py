"""Maps of participants in a common space -> maps of the group: means, p, overlap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.result import Result, StatMap
from bids_dnn.containers.space import Space
from bids_dnn.group.choices import Choices
from bids_dnn.group.people import People, numbers_of
from bids_dnn.stats.inference import fdr
from bids_dnn.stats.participants import compare_with_zero

Float = NDArray[np.float64]
SCORE, Q = "pearson", "q"  # of participants' maps: what is tested, and what is counted
LEVEL = 0.05
LEAST = 2  # participants of a group
P_MAPS = {
    "fdr": ("q", "One-sided p of flipped signs, adjusted for a false discovery rate over the map"),
    "max": ("pmax", "One-sided p of flipped signs, corrected over the map by the largest t"),
    "none": ("p", "One-sided p of flipped signs, not corrected"),
}


@dataclass(frozen=True, slots=True, eq=False)
class GroupMaps:
    """Maps over participants.

    Parameters
    ----------
    maps
        Each with as many values as `space` has units.
    space
        The places that somebody measured; None where there are no maps.
    warnings
        Sentences.
    """

    maps: tuple[StatMap, ...] = ()
    space: Space | None = None
    warnings: tuple[str, ...] = ()


def group_maps(
    results: Mapping[str, Result], *, choices: Choices, people: People | None = None
) -> GroupMaps:
    """Average and test maps of scores, and count in how many participants they are significant.

    Parameters
    ----------
    results
        Of participants, by label, in one space that is the same for all of them (MNI,
        fsaverage). Maps of correlations are averaged and tested against zero by flipping signs;
        maps of q give the overlap. Others are left alone.
    choices
        Covariates, correction and seed.
    people
        Of participants.tsv.

    Returns
    -------
    maps
        None with fewer than two participants who have maps. NaN = nobody has measured this unit.

    Raises
    ------
    ConfigError
        If a covariate does not exist.
    """
    mapped = {name: one for name, one in sorted(results.items()) if one.space is not None}
    if not mapped:
        return GroupMaps()
    like = next(iter(mapped.values())).space
    warnings = []
    alike = {}
    for name, one in mapped.items():
        if like is not None and one.space is not None and one.space.has_places_of(like):
            alike[name] = one
        else:
            warnings.append(
                f"Maps of sub-{name} lie on other places than those of the first participant, and "
                "are left out of the group's maps."
            )
    if like is None or len(alike) < LEAST:
        return GroupMaps(warnings=tuple(warnings))
    union = np.unique(np.concatenate([_index(one) for one in alike.values()]))
    covariates = numbers_of(people or {}, choices.covariates, tuple(alike))
    made: list[StatMap] = []
    for model in dict.fromkeys(m.model for one in alike.values() for m in one.maps):
        if (values := _values(alike, union, SCORE, model)) is not None:
            made += _tested(values, model, choices, covariates)
        if (values := _values(alike, union, Q, model)) is not None:
            made.append(_overlap(values, model))
    return GroupMaps(tuple(made), like.at(union) if made else None, tuple(warnings))


def _index(result: Result) -> NDArray[np.int64]:
    return np.empty(0, dtype=np.int64) if result.space is None else result.space.index


def _values(
    results: Mapping[str, Result], union: NDArray[np.int64], stat: str, model: str
) -> Float | None:
    """Return the maps of participants (n_units, n_participants); None where nobody has one."""
    out = np.full((union.size, len(results)), np.nan)
    is_there = False
    for k, one in enumerate(results.values()):
        for made in one.maps:
            if (made.stat, made.model) == (stat, model):
                out[np.searchsorted(union, _index(one)), k] = made.values
                is_there = True
    return out if is_there else None


def _tested(values: Float, model: str, choices: Choices, covariates: Float) -> list[StatMap]:
    found = compare_with_zero(
        values, covariates=covariates if covariates.shape[1] else None, seed=choices.seed
    )
    n = np.isfinite(values).sum(axis=1)
    total = np.nansum(values, axis=1)
    mean = np.where(n > 0, total / np.maximum(n, 1), np.nan)
    stat, words = P_MAPS[choices.correct]
    p = {"fdr": fdr(found.p), "max": found.p_corrected, "none": found.p}[choices.correct]
    count = np.where(n > 0, n, np.nan)
    return [
        _map(SCORE, mean, model, "Mean over participants of the correlation; -1 to 1."),
        _map(stat, p, model, f"{words}, that this mean is above zero; 0 to 1."),
        _map("nparticipants", count, model, "Participants whose correlation was measured."),
    ]


def _overlap(values: Float, model: str) -> StatMap:
    measured = np.isfinite(values).any(axis=1)
    count = np.where(measured, (values < LEVEL).sum(axis=1), np.nan)
    text = f"Participants whose own q is below {LEVEL:g}."
    return _map("overlap", count, model, text)


def _map(stat: str, values: Float, model: str, text: str) -> StatMap:
    return StatMap(stat, values.astype(np.float32), model, text)
