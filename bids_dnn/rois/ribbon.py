"""From vertices to voxels: the cortical ribbon between white and pial surface, sampled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.mesh import Mesh
from bids_dnn.containers.space import Grid
from bids_dnn.errors import SpaceError

Array = NDArray[np.float64]
PER_VOXEL = 3  # samples along a voxel's shortest side, at least
MOST_ACROSS, MOST_DEEP = 40, 40
AT_ONCE = 500_000  # points, which bounds memory
MARGIN_MM = 5.0
MARGIN_VOXELS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Cortex:
    """One hemisphere's cortex, and which of its vertices are marked.

    Parameters
    ----------
    white, pial : Mesh
        With the same triangles, in mm.
    marked : (n_vertices,)

    Raises
    ------
    SpaceError
        If the three do not have one mesh.
    """

    white: Mesh
    pial: Mesh
    marked: NDArray[np.bool_]

    def __post_init__(self) -> None:
        sizes = len(self.white.vertices), len(self.pial.vertices), len(self.marked)
        if len(set(sizes)) != 1 or self.white.faces.shape != self.pial.faces.shape:
            raise SpaceError(
                f"White and pial surface and maps have {sizes[0]}, {sizes[1]} and {sizes[2]} "
                "vertices; one mesh was expected.",
                mend="Give surfaces and registered sphere of one run of FreeSurfer.",
            )


def share_of_ribbon(
    cortices: Sequence[Cortex], grid: Grid, *, carry: Callable[[Array], Array]
) -> Array:
    """Return how much of the cortex in each voxel is marked.

    Each triangle's prism between white and pial surface is filled with samples, closer than a
    third of a voxel, so that no voxel whose center lies in the ribbon is missed. A sample is
    marked as its nearest corner is, and counts by the volume for which it stands.

    Parameters
    ----------
    cortices
        Of both hemispheres: in a voxel on the midline each competes with the other.
    grid
        Whose voxels.
    carry
        Takes points (n_points, 3) in mm from the surfaces' space to the grid's.

    Returns
    -------
    share : (n_places,), in [0, 1]
        0 where there is no cortex, or none near what is marked.
    """
    total, hit = np.zeros(grid.n_places), np.zeros(grid.n_places)
    to_voxels = np.linalg.inv(grid.affine)
    voxel_mm = float(np.linalg.norm(grid.affine[:3, :3], axis=0).min())
    box = _box(cortices, voxel_mm)
    if box is None:
        return total
    shape = np.array(grid.shape)
    for cortex in cortices:
        for points, weights, marked in _samples(cortex, box, voxel_mm / PER_VOXEL):
            at = carry(points) @ to_voxels[:3, :3].T + to_voxels[:3, 3]
            voxel = np.rint(at).astype(np.int64)
            inside = ((voxel >= 0) & (voxel < shape)).all(axis=1)
            place = np.ravel_multi_index(tuple(voxel[inside].T), grid.shape)
            total += np.bincount(place, weights[inside], grid.n_places)
            hit += np.bincount(place, weights[inside] * marked[inside], grid.n_places)
    return np.asarray(np.divide(hit, total, out=np.zeros_like(hit), where=total > 0))


def _box(cortices: Sequence[Cortex], voxel_mm: float) -> tuple[Array, Array] | None:
    """Return the corners of a box around all marked cortex, with a margin."""
    points = np.concatenate(
        [side.vertices[c.marked] for c in cortices for side in (c.white, c.pial)]
    )
    if not len(points):
        return None
    margin = MARGIN_MM + MARGIN_VOXELS * voxel_mm
    return points.min(axis=0) - margin, points.max(axis=0) + margin


def _samples(
    cortex: Cortex, box: tuple[Array, Array], step_mm: float
) -> Iterator[tuple[Array, Array, NDArray[np.bool_]]]:
    """Give points (n, 3), the volume for which each stands, and whether it is marked."""
    near = np.zeros(len(cortex.marked), dtype=np.bool_)
    for side in (cortex.white, cortex.pial):
        near |= ((side.vertices >= box[0]) & (side.vertices <= box[1])).all(axis=1)
    faces = cortex.white.faces[near[cortex.white.faces].any(axis=1)]
    inner, outer = cortex.white.vertices[faces], cortex.pial.vertices[faces]  # (n, 3, 3)
    edge = np.maximum(_longest_edge(inner), _longest_edge(outer))
    depth = np.linalg.norm(outer - inner, axis=2).max(axis=1)
    volume = 0.5 * (_area(inner) + _area(outer)) * depth
    n_across = np.clip(np.ceil(edge / step_mm), 1, MOST_ACROSS).astype(int)
    n_deep = np.clip(np.ceil(depth / step_mm), 1, MOST_DEEP).astype(int)
    for across, deep in np.unique(np.column_stack([n_across, n_deep]), axis=0).tolist():
        rows = np.flatnonzero((n_across == across) & (n_deep == deep))
        spots = _lattice(across)  # (n_spots, 3)
        owner = spots.argmax(axis=1)
        n_each = len(spots) * deep
        for part in np.array_split(rows, -(-len(rows) * n_each // AT_ONCE)):
            low = np.einsum("sk,fkm->fsm", spots, inner[part])
            high = np.einsum("sk,fkm->fsm", spots, outer[part])
            share = ((np.arange(deep) + 0.5) / deep)[:, None, None, None]
            points = (1 - share) * low + share * high  # (deep, n_faces, n_spots, 3)
            marked = cortex.marked[faces[part]][:, owner]  # (n_faces, n_spots)
            weights = np.repeat(volume[part] / n_each, len(spots))
            yield points.reshape(-1, 3), np.tile(weights, deep), np.tile(marked.ravel(), deep)


def _lattice(n: int) -> Array:
    """Return the weights (n * n, 3) of the centers of a triangle's n * n equal parts."""
    up = [(i + 1 / 3, j + 1 / 3) for i in range(n) for j in range(n - i)]
    down = [(i + 2 / 3, j + 2 / 3) for i in range(n - 1) for j in range(n - 1 - i)]
    first = np.array(up + down) / n
    return np.column_stack([first, 1 - first.sum(axis=1)])


def _longest_edge(triangles: Array) -> Array:
    edges = triangles - np.roll(triangles, 1, axis=1)
    return np.asarray(np.linalg.norm(edges, axis=2).max(axis=1))


def _area(triangles: Array) -> Array:
    a, b = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    return np.asarray(0.5 * np.linalg.norm(np.cross(a, b), axis=1))
