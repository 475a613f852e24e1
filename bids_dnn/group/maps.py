"""Maps of participants in a common space -> maps of the group: means, p, overlap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.result import Result, StatMap
from bids_dnn.containers.space import Space, on_places_of_most
from bids_dnn.group.choices import Choices
from bids_dnn.group.people import People, numbers_of
from bids_dnn.group.tfce import Enhancement, enhancement_of, tfce_p
from bids_dnn.group.watch import Watch, unwatched
from bids_dnn.stats.designs import Design
from bids_dnn.stats.inference import fdr
from bids_dnn.stats.neighbours import Meshes
from bids_dnn.stats.participants import compare_with_zero

Float = NDArray[np.float64]
Numbers = NDArray[np.int64]
SCORE, Q = "pearson", "q"  # of participants' maps: what is tested, and what is counted
LEVEL = 0.05
DIGITS = 9  # of levels of chance: nearer ones are one
LEAST = 2  # participants of a group
P_MAPS = {
    "fdr": ("q", "One-sided p of flipped signs, adjusted for a false discovery rate over the map"),
    "max": ("pmax", "One-sided p of flipped signs, corrected over the map by the largest t"),
    "tfce": (
        "ptfce",
        "One-sided p of flipped signs, corrected over the map by the largest cluster-enhanced t",
    ),
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


@dataclass(frozen=True, slots=True, eq=False)
class Alike:
    """Participants whose maps lie on the same places.

    Parameters
    ----------
    results
        By label, sorted.
    space
        The places that any of them measured; None where nobody has maps.
    warnings
        Who was left out.
    """

    results: dict[str, Result] = field(default_factory=dict)
    space: Space | None = None
    warnings: tuple[str, ...] = ()

    def values(self, stats: Iterable[str], model: str) -> Float | None:
        """Return the maps of participants of one model.

        Parameters
        ----------
        stats
            What the maps are called; a participant has one of these.
        model
            Their label.

        Returns
        -------
        values : (n_units, n_participants)
            NaN where somebody has none; None where nobody has one.
        """
        if self.space is None:
            return None
        wanted, is_there = set(stats), False
        out = np.full((len(self.space), len(self.results)), np.nan)
        for k, one in enumerate(self.results.values()):
            for made in one.maps:
                if made.stat in wanted and made.model == model:
                    out[self.units_of(one), k] = made.values
                    is_there = True
        return out if is_there else None

    def units_of(self, result: Result) -> NDArray[np.intp]:
        """Return which units of `space` those of a participant are, in their order."""
        if self.space is None or result.space is None:
            return np.empty(0, dtype=np.intp)
        return np.searchsorted(self.space.index, result.space.index)


def alike_of(results: Mapping[str, Result]) -> Alike:
    """Return the participants whose maps lie on the places of most, and name others.

    Parameters
    ----------
    results
        Of participants, by label, in one space that is the same for all of them.
    """
    spaces = {name: own for name, one in sorted(results.items()) if (own := one.space) is not None}
    kept = on_places_of_most(spaces)
    if not kept:
        return Alike()
    like = spaces[kept[0]]
    warnings = tuple(
        f"Maps of sub-{name} lie on other places than those of most participants "
        f"({like.describe()}), and are left out of the group's maps."
        for name in spaces
        if name not in kept
    )
    found = np.unique(np.concatenate([spaces[name].index for name in kept]))
    return Alike({name: results[name] for name in kept}, like.at(found), warnings)


def group_maps(
    results: Mapping[str, Result],
    *,
    choices: Choices,
    people: People | None = None,
    meshes: Meshes | None = None,
    watch: Watch = unwatched,
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
    meshes
        Of each hemisphere with units, where these are vertices: needed to enhance clusters.
    watch
        Told how far the flips of a map are.

    Returns
    -------
    maps
        None with fewer than two participants who have maps. NaN = nobody has measured this unit.

    Raises
    ------
    ConfigError
        If a covariate does not exist.
    """
    alike = alike_of(results)
    if alike.space is None or len(alike.results) < LEAST:
        return GroupMaps(warnings=alike.warnings)
    covariates = numbers_of(people or {}, choices.covariates, tuple(alike.results))
    how = enhancement(alike.space, choices, meshes)
    flips = Flips(alike.space, choices, covariates, how, watch)
    made: list[StatMap] = []
    for model in dict.fromkeys(m.model for one in alike.results.values() for m in one.maps):
        if (values := alike.values([SCORE], model)) is not None:
            made.append(mean_map(values, SCORE, model, "the correlation; -1 to 1"))
            made.append(flips.p_map(values, model))
            made.append(count_map(values, model, what="correlation"))
        if (values := alike.values([Q], model)) is not None:
            made.append(overlap_map(values, model, f"q is below {LEVEL:g}"))
    said = (*alike.warnings, *unenhanced(alike.space, how, choices)) if made else alike.warnings
    return GroupMaps(tuple(made), alike.space if made else None, said)


def enhancement(
    space: Space | None, choices: Choices, meshes: Meshes | None
) -> Enhancement | None:
    """Return how clusters are enhanced, None where that is not asked for or cannot be."""
    return enhancement_of(space, meshes) if choices.correct == "tfce" else None


def unenhanced(space: Space | None, how: Enhancement | None, choices: Choices) -> tuple[str, ...]:
    """Say that maps are not corrected as is asked for, where that is so."""
    if choices.correct != "tfce" or space is None or how is not None:
        return ()
    return (
        "Clusters are enhanced (correct = 'tfce') among voxels, and among vertices whose mesh is "
        f"at hand; maps of {space.name} are corrected by the largest t of each flip (stat-pmax).",
    )


def mean_map(values: Float, stat: str, model: str, what: str) -> StatMap:
    """Return the mean over those participants who have a value.

    Parameters
    ----------
    values : (n_units, n_participants)
        NaN = not measured.
    stat, model
        Labels of the map.
    what
        What is averaged, with its range.
    """
    n = np.isfinite(values).sum(axis=1)
    mean = np.where(n > 0, np.nansum(values, axis=1) / np.maximum(n, 1), np.nan)
    return stat_map(stat, mean, model, f"Mean over participants of {what}.")


def count_map(values: Float, model: str, *, what: str) -> StatMap:
    """Return how many participants have a value (`values` as in `mean_map`); NaN = nobody."""
    n = np.isfinite(values).sum(axis=1)
    count = np.where(n > 0, n, np.nan)
    return stat_map("nparticipants", count, model, f"Participants whose {what} was measured.")


@dataclass(frozen=True, slots=True, eq=False)
class Flips:
    """How maps are tested by flips of signs.

    Parameters
    ----------
    space
        Of the units.
    choices
        Correction and seed.
    covariates : (n_participants, n_covariates)
    how
        Clusters are enhanced; None = they are not.
    watch
        Told how far the flips of a map are.
    """

    space: Space
    choices: Choices
    covariates: Float
    how: Enhancement | None = None
    watch: Watch = unwatched

    def p_map(self, values: Float, model: str, *, base: Float | float = 0.0) -> StatMap:
        """Return the p that the mean is above chance, corrected as the choices say.

        Parameters
        ----------
        values
            As in `mean_map`.
        model
            Label of the map.
        base : () or (n_participants,)
            Score expected by chance, of all or of each.
        """
        further = self.covariates if self.covariates.shape[1] else None
        correct, seed = self.choices.correct, self.choices.seed
        if correct == "tfce":
            correct = "tfce" if self._is_enhanced() else "max"
        if correct == "tfce" and self.how is not None:
            design = Design(values.shape[1], covariates=self.covariates)
            n_flips = self.choices.n_flips
            told = self.watch(f"flips of {model}")
            p = tfce_p(
                values - base, self.how, design=design, n_flips=n_flips, seed=seed, progress=told
            )
        else:
            told = self.watch(f"units of {model} under flips")
            found = compare_with_zero(values - base, covariates=further, seed=seed, progress=told)
            p = {"fdr": fdr(found.p), "max": found.p_corrected, "none": found.p}[correct]
        stat, words = P_MAPS[correct]
        levels = np.unique(np.asarray(base, dtype=np.float64).round(DIGITS))
        above = f"above {levels[0]:.3g}" if levels[0] else "above zero"
        above = above if len(levels) == 1 else "above chance"
        missing = " NaN: somebody has no score, or a flip leaves none that differ."
        missing = missing if correct == "tfce" else ""
        return stat_map(stat, p, model, f"{words}, that this mean is {above}; 0 to 1.{missing}")

    def _is_enhanced(self) -> bool:
        """Tell whether clusters can be, with enough participants for the covariates."""
        n = np.isfinite(self.covariates).all(axis=1).sum()
        return self.how is not None and bool(n > self.covariates.shape[1] + 1)


def overlap_map(values: Float, model: str, what: str) -> StatMap:
    """Return in how many participants a p or q is below its level (`values` as in `mean_map`).

    Parameters
    ----------
    values, model
    what
        What is so in them, such as ``q is below 0.05``.
    """
    measured = np.isfinite(values).any(axis=1)
    count = np.where(measured, (values < LEVEL).sum(axis=1), np.nan)
    return stat_map("overlap", count, model, f"Participants whose own {what}.")


def stat_map(stat: str, values: Float, model: str, text: str) -> StatMap:
    """Return a map in single precision."""
    return StatMap(stat, values.astype(np.float32), model, text)
