"""Clusters of units whose t is high, by their size under flips of signs or exchanged groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from scipy.sparse import csr_array

from bids_dnn.containers.space import Space
from bids_dnn.errors import MissingInputError, NotEnoughDataError, SpaceError
from bids_dnn.group.clusters import label_clusters
from bids_dnn.group.flips import flips_of
from bids_dnn.group.watch import Progress
from bids_dnn.stats.designs import Design
from bids_dnn.stats.exchange import Model, freedom_of
from bids_dnn.stats.neighbours import Meshes, adjacency, places_mm

Float = NDArray[np.float64]
NEAR = 1e-6  # of a t: nearer to the threshold is rounding
COLUMNS = {
    "cluster": "number of the cluster, from 1 for the largest; as in the map of clusters",
    "n_units": "units of the cluster",
    "peak_unit": "number of the unit with the highest t, among the units of the map",
    "peak_difference": "difference at the peak",
    "peak_x_mm": "place of the peak",
    "peak_y_mm": "place of the peak",
    "peak_z_mm": "place of the peak",
    "p_fwe": "share of flips or exchanges whose largest cluster is at least as large",
}


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """Which units touch, and where they lie.

    Parameters
    ----------
    touching : (n_units, n_units)
        As `stats.neighbours.adjacency` says.
    places : (n_units, 3), mm
    """

    touching: csr_array
    places: Float


@dataclass(frozen=True, slots=True, eq=False)
class FlipClusters:
    """Clusters of a difference.

    Parameters
    ----------
    labels : (n_units,)
        Number of the cluster, from 1 for the largest; 0 = none, NaN = not tested.
    table
        One row a cluster; see `COLUMNS`.
    """

    labels: Float
    table: pd.DataFrame


def ground_of(space: Space | None, meshes: Meshes | None) -> Ground | None:
    """Return which units of a space touch and where they lie, None where that is not known.

    Parameters
    ----------
    space
    meshes
        Of each hemisphere that has vertices.
    """
    if space is None:
        return None
    try:
        return Ground(adjacency(space, meshes=meshes), places_mm(space, meshes=meshes))
    except (MissingInputError, SpaceError):
        return None


def flip_clusters(
    values: Float,
    ground: Ground,
    *,
    design: Design,
    p_unit: float,
    n_flips: int,
    seed: int,
    progress: Progress | None = None,
) -> FlipClusters:
    """Find clusters that are larger than those of flips of signs, or of exchanged groups.

    A unit is part of a cluster where its t is above that of `p_unit`, the same threshold in each
    flip. Where both directions count, each has half of `p_unit` and clusters of its own.

    Parameters
    ----------
    values : (n_units, n_participants)
        Scores less what is expected by chance, or differences; NaN = not measured.
    ground
        Of the units.
    design
        Of the participants.
    p_unit : in (0, 1)
        As of a t test, one-sided.
    n_flips : int
        Random ones, or all where there are no more.
    seed
        Of the flips.
    progress
        Told how many flips are done, and of how many.

    Returns
    -------
    found
        `p_fwe` controls the error over the whole map. Units are tested as in `tfce.tfce_p`.

    Raises
    ------
    ShapeError
        If `values` has not a row for each unit and a column for each participant.
    NotEnoughDataError
        If there are no more participants than covariates + 1, or a group has fewer than two.

    References
    ----------
    Nichols & Holmes (2002), Human Brain Mapping 15:1, doi:10.1002/hbm.1058.
    """
    n_units = ground.touching.shape[0]
    flips = flips_of(values, design, n_units=n_units, n_flips=n_flips, seed=seed)
    known, model = flips.known, flips.model
    touching = csr_array(ground.touching[known][:, known])
    least = _threshold(model, flips.design, p_unit)
    largest = np.zeros(len(flips), dtype=np.int64)
    for start, t in flips.parts(progress):
        for side in _sides(t, design):
            _, _, sizes, of_map = _clusters(side, touching, least)
            np.maximum.at(largest, start + of_map, sizes)
    found = []
    for side in _sides(flips.seen(), design):
        units, labels, sizes, _ = _clusters(side, touching, least)
        found += [(units[labels == k], side[0]) for k in np.flatnonzero(sizes)]
    found.sort(key=lambda one: (-len(one[0]), int(one[0].min())))
    p = flips.p_of(np.array([(largest >= len(units)).sum() for units, _ in found], dtype=np.intp))
    marks, estimate = np.full(n_units, np.nan), model.fit(flips.rows).estimate
    marks[known] = 0
    table = []
    for number, (units, height) in enumerate(found, start=1):
        marks[known[units]] = number
        peak = units[np.argmax(height[units])]
        where = (*ground.places[known[peak]], p[number - 1])
        table.append((number, len(units), known[peak], estimate[peak], *where))
    return FlipClusters(marks, pd.DataFrame(table, columns=[*COLUMNS]))


def _threshold(model: Model, design: Design, p_unit: float) -> float:
    df = freedom_of(model)
    share = p_unit / 2 if design.is_two_sided else p_unit
    if df < 1:
        raise NotEnoughDataError(
            f"There are {design.n} participants and {design.covariates.shape[1]} covariates.",
            mend="Leave out covariates, or add participants.",
        )
    return float(stats.t.isf(share, df))


def _sides(t: Float, design: Design) -> list[Float]:
    return [t, -t] if design.is_two_sided else [t]


def _clusters(t: Float, touching: csr_array, least: float) -> tuple[Any, Any, Any, Any]:
    """Return units (n_marked,) and the cluster of each; size and map of each cluster."""
    maps, units = np.nonzero(t > least * (1 + NEAR))
    labels, of_map = label_clusters(maps, units, touching)
    return units, labels, np.bincount(labels, minlength=len(of_map)), of_map
