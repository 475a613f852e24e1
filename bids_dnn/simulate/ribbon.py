"""From vertices to voxels: the cortical ribbon on a grid, and what an image shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.spatial import cKDTree

from bids_dnn.containers.space import Grid
from bids_dnn.simulate.anatomy import T1W
from bids_dnn.simulate.cortex import CENTER_MM, FRONT_MM, HALF_THICKNESS_MM, Half
from bids_dnn.simulate.meshes import normals

Array = NDArray[np.float64]
VOXEL_MM = 3.0
ORIGIN_MM = (-76.5, -81.0, -51.0)
SHAPE = (52, 29, 35)
FINE_MM = 2.0
FINE_ORIGIN_MM = (-79.0, -83.0, -55.0)
FINE_SHAPE = (80, 84, 56)
DEPTHS = (0.1, 0.3, 0.5, 0.7, 0.9)  # from white matter to pial surface
NEAR, FAR = 2 / 3, 1 / 6  # a point of a triangle that is nearest to one of its corners
FEWEST_POINTS = 10  # of about 45 in a voxel that lies within the ribbon
DEEP_RADIUS_MM = 10.0
FLUID_MM = 4.0
WHITE, GRAY, FLUID = 900.0, 600.0, 180.0
FREESURFER_NUMBERS = (0, 21, 5, 13, 7, 28, 4)  # of `cortex.PARCELS`, in FreeSurfer's table
FIRST_OF_SIDE = {"L": 1000, "R": 2000}
WHITE_NUMBER = {"L": 2, "R": 41}


@dataclass(frozen=True, slots=True, eq=False)
class Ribbon:
    """Where vertices lie among voxels.

    Parameters
    ----------
    space
        The voxels that hold cortex, and those of two balls of white matter.
    weights : (n_units, n_vertices)
        What share of a voxel's cortex belongs to each vertex, the left ones first; rows of
        voxels with cortex sum to 1, those of white matter to 0.
    """

    space: Grid
    weights: csr_array

    @property
    def is_deep(self) -> NDArray[np.bool_]:
        """Mark the units (n_units,) of white matter."""
        return np.asarray(self.weights.sum(axis=1) == 0)

    def share(self, marked: NDArray[np.bool_]) -> Array:
        """Return which share of each unit's cortex (n_units,) lies in the marked vertices."""
        return np.asarray(self.weights @ marked.astype(np.float64))


def fill(halves: Sequence[Half]) -> Ribbon:
    """Return the voxels between white matter and pial surface, in the slab that is imaged."""
    affine = _affine(VOXEL_MM, ORIGIN_MM)
    places, owners, first = [], [], 0
    for half in halves:
        points, vertices = _points(half)
        inside = half.is_covered[vertices]
        voxel = np.rint((points[inside] - ORIGIN_MM) / VOXEL_MM).astype(np.int64)
        places.append(np.ravel_multi_index(tuple(voxel.T), SHAPE))
        owners.append(vertices[inside] + first)
        first += len(half.curvature)
    place, owner = np.concatenate(places), np.concatenate(owners)
    counts = np.bincount(place, minlength=int(np.prod(SHAPE)))
    is_cortex = counts >= FEWEST_POINTS

    where = np.indices(SHAPE).reshape(3, -1).T * VOXEL_MM + ORIGIN_MM
    off_center = where - (0.0, FRONT_MM - 2 * DEEP_RADIUS_MM, 0.0)
    off_center[:, 0] = np.abs(off_center[:, 0]) - CENTER_MM
    is_deep = (np.linalg.norm(off_center, axis=1) < DEEP_RADIUS_MM) & (counts == 0)
    index = np.flatnonzero(is_cortex | is_deep).astype(np.int64)

    unit = np.full(len(counts), -1)
    unit[index] = np.arange(len(index))
    used = is_cortex[place]
    entries = (1 / counts[place[used]], (unit[place[used]], owner[used]))
    weights = csr_array(coo_array(entries, shape=(len(index), first)))
    return Ribbon(Grid(T1W, SHAPE, affine, index), weights)


def fine_grid() -> Grid:
    """Return all voxels of the grid of the anatomical image."""
    index = np.arange(np.prod(FINE_SHAPE), dtype=np.int64)
    return Grid(T1W, FINE_SHAPE, _affine(FINE_MM, FINE_ORIGIN_MM), index)


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """What an anatomical image shows, on the units of a grid.

    Parameters
    ----------
    image : (n_units,)
        Intensities as in a T1w image; 0 is outside the head.
    labels : (n_units,) int64
        FreeSurfer's number of the white matter or of the parcel; 0 elsewhere.
    """

    image: Array
    labels: NDArray[np.int64]


def scan(grid: Grid, halves: Sequence[Half]) -> Head:
    """Return what lies at each unit of `grid`.

    Parameters
    ----------
    grid
        In the scanner's coordinates.
    halves
        The hemispheres.
    """
    voxel = np.stack(np.unravel_index(grid.index, grid.shape), axis=1)
    points = voxel @ grid.affine[:3, :3].T + grid.affine[:3, 3]
    image, labels = np.zeros(len(points)), np.zeros(len(points), dtype=np.int64)
    for half in halves:
        middle = half.surfaces["midthickness"]
        _, nearest = cKDTree(middle.vertices).query(points)
        off = points - middle.vertices[nearest]
        outwards = np.einsum("ij,ij->i", off, normals(middle)[nearest])
        edges = (-HALF_THICKNESS_MM, HALF_THICKNESS_MM, FLUID_MM)
        found = np.array([WHITE, GRAY, FLUID, 0.0])[np.digitize(outwards, edges)]
        image = np.maximum(image, found)
        parcels = np.array(FREESURFER_NUMBERS)[half.parcel] + FIRST_OF_SIDE[half.hemisphere]
        labels = np.where(found == GRAY, parcels[nearest], labels)
        labels = np.where(found == WHITE, WHITE_NUMBER[half.hemisphere], labels)
    return Head(image, labels)


def _points(half: Half) -> tuple[Array, NDArray[np.int64]]:
    """Return points all over the ribbon (n, 3), and the vertex (n,) nearest to each."""
    white, pial = half.surfaces["white"], half.surfaces["pial"]
    points, vertices = [], []
    for turn in range(3):
        corners = np.roll(white.faces, turn, axis=1)
        weights = np.array([NEAR, FAR, FAR])
        inner = np.einsum("c,fcd->fd", weights, white.vertices[corners])
        outer = np.einsum("c,fcd->fd", weights, pial.vertices[corners])
        for depth in DEPTHS:
            points.append((1 - depth) * inner + depth * outer)
            vertices.append(corners[:, 0])
    return np.concatenate(points), np.concatenate(vertices)


def _affine(voxel_mm: float, origin_mm: tuple[float, float, float]) -> Array:
    affine = np.diag([voxel_mm, voxel_mm, voxel_mm, 1.0])
    affine[:3, 3] = origin_mm
    return affine
