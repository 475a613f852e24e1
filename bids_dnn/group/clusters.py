"""Clusters of a group's map, against maps of participants whose labels were exchanged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from bids_dnn.errors import NotEnoughDataError, ShapeError
from bids_dnn.group.watch import Progress
from bids_dnn.stats.inference import fdr

Array = NDArray[np.float64]
Numbers = NDArray[np.int64]
TOLERANCE = 1e-6  # two scores nearer than this are one: single precision, sums in another order
BYTES = 2**27  # of the scores that are held at once, three times
COLUMNS = {
    "cluster": "number of the cluster, from 1 for the largest; as in the map of clusters",
    "n_units": "units of the cluster",
    "peak_unit": "number of the unit with the highest score, among the units of the map",
    "peak_score": "mean score over participants at the peak",
    "peak_x_mm": "place of the peak",
    "peak_y_mm": "place of the peak",
    "peak_z_mm": "place of the peak",
    "p": "share of the clusters of all chance maps that are at least as large, with +1",
    "p_fdr": "p adjusted so that clusters under q have a false discovery rate of q",
    "p_fwe": "share of chance maps whose largest cluster is at least as large, with +1",
}


@dataclass(frozen=True, slots=True, eq=False)
class ChanceMaps:
    """A participant's map, and maps under exchanged labels.

    Parameters
    ----------
    scores : (n_units,)
        Of the labels as they are; NaN = not measured.
    null : (n_maps, n_units)
        In any numbers, such as counts of right answers in one byte; may lie in a file.
    share
        What `null` is multiplied with to be scores.

    Raises
    ------
    ShapeError
        If `null` has not one column for each score, or no row.
    """

    scores: NDArray[np.floating[Any]]
    null: NDArray[Any]
    share: float = 1.0

    def __post_init__(self) -> None:
        if self.null.ndim != 2 or self.null.shape[1:] != self.scores.shape or not len(self.null):
            raise ShapeError(
                f"scores have shape {self.scores.shape}, null has shape {self.null.shape}.",
                mend="Give one row for each exchange of labels and one column for each unit.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How clusters are found.

    Parameters
    ----------
    p_unit : in (0, 1)
        A unit is part of a cluster where its score is as rare among chance maps of the group.
    n_maps : int
        Chance maps of the group.
    seed
        Of what is drawn.
    is_paired : bool
        Row r of all participants is one and the same exchange, as of stimuli that all of them
        saw: the chance maps of the group are the means of these rows, and nothing is drawn.
    """

    p_unit: float = 0.001
    n_maps: int = 10_000
    seed: int = 0
    is_paired: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """Clusters of units whose scores are higher than by chance.

    Parameters
    ----------
    scores : (n_units,)
        Mean over participants; NaN where one was not measured.
    p : (n_units,)
        One-sided, of each unit for itself, with +1; NaN where `scores` is.
    threshold : (n_units,)
        Scores above are part of a cluster.
    labels : (n_units,) int32
        Number of the cluster, from 1 for the largest; 0 = none.
    table
        One row a cluster; see `COLUMNS`.
    n_null_clusters : int
        In all chance maps of the group together.
    """

    scores: Array
    p: Array
    threshold: Array
    labels: NDArray[np.int32]
    table: pd.DataFrame
    n_null_clusters: int


def find_clusters(
    participants: Sequence[ChanceMaps],
    touching: csr_array,
    *,
    settings: Settings,
    places: Array | None = None,
    progress: Progress | None = None,
) -> Clusters:
    """Find clusters that are larger than those of chance maps of the group.

    A chance map of the group is the mean over participants of one of each one's maps, the one
    as it is among them, drawn with replacement: with few chance maps, means of these alone would
    be as high as by chance too seldom. Over all of them and the map as it is, each unit has a
    threshold of its own; what lies above it makes clusters, in the map as it is and in each
    chance map. Whole maps are drawn, so that clusters of chance maps are as smooth as the data.
    A participant should have about 100 chance maps: with 20, false alarms over the whole map were
    12 to 15 % in simulations at a level of 10 %, as the few maps are drawn again and again.

    Parameters
    ----------
    participants
        Over the same units.
    touching : (n_units, n_units)
        Which units touch, as `stats.neighbours.adjacency` says.
    settings
    places : (n_units, 3), mm
        For the table; None = NaN there.
    progress
        Told how many units are done, and of how many.

    Returns
    -------
    clusters
        `p_fwe` controls the error over the whole map; `p` and `p_fdr` are those of Stelzer et al.

    Raises
    ------
    NotEnoughDataError
        If there are fewer than two participants, or fewer chance maps than `p_unit` needs.
    ShapeError
        If participants, `touching` or `places` are of different units, or paired maps are not
        as many in each participant.

    References
    ----------
    Stelzer, Chen & Turner (2013), NeuroImage 65:69, doi:10.1016/j.neuroimage.2012.09.063.
    """
    n_units = _check(participants, touching, settings, places)
    stacked = np.stack([one.scores for one in participants])
    scores: Array = np.asarray(stacked.mean(axis=0, dtype=np.float64))
    known = np.flatnonzero(np.isfinite(scores))
    own_picks, picks = _draw(participants, settings)
    n_maps = picks.shape[0]
    p, threshold = np.full(n_units, np.nan), np.full(n_units, np.nan)
    maps: list[Numbers] = []
    units: list[Numbers] = []
    size = max(1, BYTES // (8 * (n_maps + 1)))
    for start in range(0, len(known), size):
        own = known[start : start + size]
        made = np.empty((n_maps + 1, len(own)))
        made[0] = scores[own]
        made[1:] = picks @ np.concatenate([one.null[:, own] for one in participants])
        made[1:] += own_picks @ stacked[:, own].astype(np.float64)
        p[own] = (made >= made[0] - TOLERANCE).mean(axis=0)
        threshold[own] = _threshold(made, settings.p_unit)
        above = np.nonzero(made > threshold[own] + TOLERANCE)
        maps.append(above[0])
        units.append(own[above[1]])
        if progress is not None:
            progress(start + len(own), len(known))
    every = np.concatenate(maps), np.concatenate(units)
    labels, of_map = label_clusters(*every, touching)
    sizes = np.bincount(labels, minlength=len(of_map))
    return _told(
        Clusters(scores, p, threshold, np.zeros(n_units, np.int32), pd.DataFrame(), 0),
        own=(every[1][every[0] == 0], labels[every[0] == 0]),
        null=(sizes[of_map > 0], of_map[of_map > 0]),
        n_maps=n_maps,
        places=np.full((n_units, 3), np.nan) if places is None else places,
    )


def label_clusters(
    maps: Numbers, units: Numbers, touching: csr_array
) -> tuple[NDArray[np.int32], Numbers]:
    """Give each cluster of many maps a number.

    Parameters
    ----------
    maps, units : (n_marked,)
        Which units of which map are marked; none twice.
    touching : (n_units, n_units)

    Returns
    -------
    labels : (n_marked,)
        Number of the cluster of each, from 0; a cluster lies in one map.
    of_map : (n_clusters,)
        In which.
    """
    n_units = touching.shape[0]
    keys = maps * n_units + units
    order = np.argsort(keys, kind="stable")
    counts = np.diff(touching.indptr)[units[order]]
    first = np.repeat(np.arange(len(order)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    there = touching.indices[touching.indptr[units[order]][first] + within]
    wanted = maps[order][first] * n_units + there
    second = np.searchsorted(keys[order], wanted)
    found = second < len(order)
    found[found] = keys[order][second[found]] == wanted[found]
    shape = (len(order), len(order))
    ends = first[found], second[found]
    graph = coo_array((np.ones(len(ends[0]), dtype=np.bool_), ends), shape=shape)
    n, sorted_labels = connected_components(graph, directed=False)
    labels = np.empty(len(order), dtype=np.int32)
    labels[order] = sorted_labels
    of_map = np.zeros(n, dtype=np.int64)
    of_map[labels] = maps
    return labels, of_map


def _check(
    participants: Sequence[ChanceMaps],
    touching: csr_array,
    settings: Settings,
    places: Array | None,
) -> int:
    if len(participants) < 2:
        raise NotEnoughDataError(
            f"There is {len(participants)} participant, and a group needs two.",
            mend="Run the participant level for more of them.",
        )
    n_units = len(participants[0].scores)
    seen = {(len(one.scores),) for one in participants} | {(n,) for n in touching.shape}
    seen |= set() if places is None else {(len(places),)}
    if len(seen) > 1:
        raise ShapeError(
            f"Maps, touching and places are of {sorted(n for (n,) in seen)} units.",
            mend="Bring all participants into one space, and take the units that all have.",
        )
    n_maps = settings.n_maps
    if settings.is_paired:
        lengths = sorted({len(one.null) for one in participants})
        if len(lengths) > 1:
            raise ShapeError(
                f"Paired maps of participants are {lengths} in number.",
                mend="Run all participants with the same number of maps.",
            )
        n_maps = lengths[0]
    fewest = int(np.ceil(1 / settings.p_unit - TOLERANCE)) - 1
    if n_maps < fewest:
        raise NotEnoughDataError(
            f"Of {n_maps} chance maps of the group none can be as rare as {settings.p_unit:g}.",
            mend=f"Ask for {fewest} or more.",
        )
    return n_units


def _draw(participants: Sequence[ChanceMaps], settings: Settings) -> tuple[csr_array, csr_array]:
    """Return what takes maps to the means that are chance maps of the group.

    Returns
    -------
    own_picks : (n_maps, n_participants)
        From the maps as they are.
    picks : (n_maps, .)
        From all chance maps, one participant after another.
    """
    lengths = np.array([len(one.null) for one in participants])
    if settings.is_paired:
        drawn = np.repeat(np.arange(1, lengths[0] + 1)[:, None], len(lengths), axis=1)
    else:
        rng = np.random.default_rng(settings.seed)
        columns = [rng.integers(n + 1, size=settings.n_maps) for n in lengths]
        drawn = np.stack(columns, axis=1)  # 0 = the map as it is
    starts = np.cumsum([0, *lengths[:-1]])
    shares = np.array([one.share for one in participants])
    own, null = np.nonzero(drawn == 0), np.nonzero(drawn)
    weights = shares[null[1]] / len(lengths)
    rows = starts[null[1]] + drawn[null] - 1
    shape = len(drawn), len(lengths)
    return (
        csr_array((np.full(len(own[0]), 1 / len(lengths)), own), shape=shape),
        csr_array((weights, (null[0], rows)), shape=(len(drawn), int(lengths.sum()))),
    )


def _threshold(made: Array, p_unit: float) -> Array:
    """Return what at most a share `p_unit` of each column lies above."""
    n_above = int(p_unit * len(made) + TOLERANCE)
    place = len(made) - 1 - n_above
    found: Array = np.partition(made, place, axis=0)[place]
    return found


def _told(
    found: Clusters,
    *,
    own: tuple[Numbers, NDArray[np.int32]],
    null: tuple[Numbers, Numbers],
    n_maps: int,
    places: Array,
) -> Clusters:
    """Put the clusters into order by size, and say how rare each is."""
    units, labels = own
    sizes, of_map = null
    largest = np.zeros(n_maps + 1, dtype=np.int64)
    np.maximum.at(largest, of_map, sizes)
    names, counts = np.unique(labels, return_counts=True)
    rows = []
    for number, place in enumerate(np.lexsort((names, -counts)), start=1):
        members = units[labels == names[place]]
        found.labels[members] = number
        peak = members[np.argmax(found.scores[members])]
        x, y, z = places[peak]
        rows.append(
            {
                "cluster": number,
                "n_units": counts[place],
                "peak_unit": peak,
                "peak_score": found.scores[peak],
                "peak_x_mm": x,
                "peak_y_mm": y,
                "peak_z_mm": z,
                "p": (1 + (sizes >= counts[place]).sum()) / (1 + len(sizes)),
                "p_fwe": (1 + (largest[1:] >= counts[place]).sum()) / (1 + n_maps),
            }
        )
    table = pd.DataFrame(rows, columns=[name for name in COLUMNS if name != "p_fdr"])
    table.insert(len(table.columns) - 1, "p_fdr", fdr(table["p"].to_numpy(float)))
    return Clusters(found.scores, found.p, found.threshold, found.labels, table, len(sizes))
