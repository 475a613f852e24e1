"""From one registered sphere to another: in which triangle each vertex of the other lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from bids_dnn.containers.mesh import Mesh
from bids_dnn.errors import SpaceError

Array = NDArray[np.float64]
AT_ONCE = 8  # triangles looked at for each vertex, nearest centers first
AT_LAST = 64
INSIDE = -1e-6  # least weight of a corner, for rounding on edges


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """Where the vertices of a target sphere lie on a source sphere.

    Parameters
    ----------
    corners : (n_targets, 3) int64
        Source vertices of the triangle that holds each target vertex.
    weights : (n_targets, 3) float64
        Of these corners; they sum to 1.
    nearest : (n_targets,) int64
        Source vertex at the smallest angle.
    n_sources : int
        Vertices of the source sphere.
    """

    corners: NDArray[np.int64]
    weights: Array
    nearest: NDArray[np.int64]
    n_sources: int


def locate(source: Mesh, target: Array) -> Lookup:
    """Find the triangle of a source sphere that the direction of each target vertex meets.

    Parameters
    ----------
    source
        A sphere around the origin, of any radius.
    target : (n_targets, 3)
        Vertices of a sphere that is registered to it, of any radius.

    Returns
    -------
    lookup
        A target vertex that no triangle holds (a hole in the mesh) has its nearest vertex alone.

    Raises
    ------
    SpaceError
        If one of the two is no sphere around the origin.
    """
    points, wanted = _directions(source.vertices, "source"), _directions(target, "target")
    trees: Any = cKDTree
    nearest = trees(points, balanced_tree=False, compact_nodes=False).query(wanted)[1]
    corners = np.repeat(nearest[:, None], 3, axis=1).astype(np.int64)
    weights = np.tile([1.0, 0.0, 0.0], (len(wanted), 1))
    triangles = points[source.faces]  # (n_faces, 3 corners, 3)
    centers = trees(triangles.mean(axis=1), balanced_tree=False, compact_nodes=False)
    left = np.arange(len(wanted))
    done = 0
    for n_looked in (1, AT_ONCE, AT_LAST):
        n_near = min(n_looked, len(source.faces))
        near = centers.query(wanted[left], k=n_near)[1].reshape(len(left), n_near)
        for k in range(done, n_near):
            found = _weights(triangles[near[:, k]], wanted[left])
            inside = found.min(axis=1) >= INSIDE
            rows = left[inside]
            corners[rows] = source.faces[near[inside, k]]
            weights[rows] = np.maximum(found[inside], 0)
            left, near = left[~inside], near[~inside]
        done = n_near
        if not left.size:
            break
    weights /= weights.sum(axis=1, keepdims=True)
    return Lookup(corners, weights, nearest.astype(np.int64), len(points))


def interpolate(lookup: Lookup, values: Array, inside: NDArray[np.bool_]) -> Array:
    """Bring values to the target, linear among the corners that count.

    Parameters
    ----------
    lookup
        As `locate` gives it.
    values : (n_sources,) or (n_sources, n_maps)
        What is brought.
    inside : (n_sources,)
        Which source vertices count; the weights of others are given to those that do.

    Returns
    -------
    brought : (n_targets,) or (n_targets, n_maps)
        NaN where neither a corner nor the nearest vertex counts; the nearest one's value where
        no corner counts.
    """
    table = values.reshape(lookup.n_sources, -1)
    weights = lookup.weights * inside[lookup.corners]  # (n_targets, 3)
    total = weights.sum(axis=1)
    some = total > 0
    brought = np.full((len(weights), table.shape[1]), np.nan)
    kept = np.where(inside[:, None], table, 0.0)
    share = weights[some] / total[some, None]
    brought[some] = np.einsum("tk,tkm->tm", share, kept[lookup.corners[some]])
    alone = ~some & inside[lookup.nearest]
    brought[alone] = table[lookup.nearest[alone]]
    return brought.reshape(len(weights), *values.shape[1:])


def interpolate_angle(lookup: Lookup, angle_deg: Array, inside: NDArray[np.bool_]) -> Array:
    """Bring angles to the target as `interpolate` does, on the circle.

    Returns
    -------
    angle_deg : (n_targets,), in [-180, 180]
        NaN as of `interpolate`.
    """
    radians = np.radians(angle_deg)
    unit = interpolate(lookup, np.column_stack([np.sin(radians), np.cos(radians)]), inside)
    turned: Array = np.degrees(np.arctan2(unit[:, 0], unit[:, 1]))
    return turned


def _directions(points: Array, which: str) -> Array:
    """Return unit vectors (n, 3) of the vertices of a sphere."""
    length = np.linalg.norm(points, axis=1)
    low, high = float(length.min()), float(length.max())
    if not (low > 0 and high < 1.05 * low):
        raise SpaceError(
            f"The {which} mesh of {len(points)} vertices is no sphere around the origin: its "
            f"vertices lie {low:.1f} to {high:.1f} mm from it.",
            mend="Give ?h.sphere.reg, or fMRIPrep's desc-reg_sphere.surf.gii.",
        )
    return np.asarray(points / length[:, None], dtype=np.float64)


def _weights(triangles: Array, directions: Array) -> Array:
    """Return the weights (n, 3) of the corners where each direction meets its triangle's plane."""
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    volumes = np.column_stack(
        [np.einsum("ij,ij->i", directions, _cross(p, q)) for p, q in ((b, c), (c, a), (a, b))]
    )
    total = volumes.sum(axis=1, keepdims=True)
    missed = np.full(volumes.shape, -1.0)
    return np.asarray(np.divide(volumes, total, out=missed, where=total != 0))


def _cross(p: Array, q: Array) -> Array:
    """Return cross products (n, 3), faster than numpy's for long lists of short vectors."""
    (px, py, pz), (qx, qy, qz) = p.T, q.T
    return np.column_stack([py * qz - pz * qy, pz * qx - px * qz, px * qy - py * qx])
