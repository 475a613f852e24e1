"""The grids, the brain, where the regions lie, and a phantom to show them on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_dnn.containers.space import Grid
from bids_dnn.simulate.truth import N_VOXELS, PLAN

T1W = "T1w"
MNI = "MNI152NLin2009cAsym"
VOXEL_MM = 3.0
SHAPE = (16, 18, 12)
ORIGIN_MM = (-22.5, -27.5, -16.5)
MNI_SHAPE = (18, 20, 13)
MNI_ORIGIN_MM = (-25.5, -78.0, -24.0)
MNI_SHIFT = (1, 1, 0)  # the same voxels, a step further in
CENTER = (7.5, 8.5, 5.5)
RADII = (7.4, 8.4, 5.4)
FINE = 2  # voxels of the anatomical image along one functional voxel


def _affine(voxel_mm: float, origin_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    affine = np.diag([voxel_mm, voxel_mm, voxel_mm, 1.0])
    affine[:3, 3] = origin_mm
    return affine


def brain() -> Grid:
    """Return the voxels of an ellipsoid on the T1w grid, at the resolution of the BOLD images."""
    where = np.indices(SHAPE).reshape(3, -1).T  # (n_places, 3)
    inside = (((where - CENTER) / RADII) ** 2).sum(axis=1) <= 1
    index = np.flatnonzero(inside).astype(np.int64)
    return Grid(T1W, SHAPE, _affine(VOXEL_MM, ORIGIN_MM), index)


def regions(whole: Grid, rng: np.random.Generator) -> dict[str, NDArray[np.intp]]:
    """Return the units of `whole` that form each region: the nearest to a jittered center.

    No voxel belongs to two regions.
    """
    where = np.stack(np.unravel_index(whole.index, whole.shape), axis=1)  # (n_units, 3)
    free = np.ones(len(whole), dtype=bool)
    found = {}
    for plan in PLAN:
        center = np.asarray(plan.center) + rng.integers(-1, 2, size=3) / 2
        far = np.where(free, ((where - center) ** 2).sum(axis=1), np.inf)
        chosen = np.sort(np.argsort(far, kind="stable")[:N_VOXELS])
        free[chosen] = False
        found[plan.region] = chosen
    return found


def to_mni(space: Grid) -> Grid:
    """Return the same voxels on the grid of the MNI images."""
    where = np.unravel_index(space.index, space.shape)
    moved = tuple(axis + shift for axis, shift in zip(where, MNI_SHIFT, strict=True))
    index = np.ravel_multi_index(moved, MNI_SHAPE).astype(np.int64)
    return Grid(MNI, MNI_SHAPE, _affine(VOXEL_MM, MNI_ORIGIN_MM), index)


def fine(space: Grid) -> Grid:
    """Return the whole field of view of `space`, each voxel divided along each axis."""
    shape = tuple(FINE * length for length in space.shape)
    corner = space.affine[:3, 3] - VOXEL_MM / 2 + VOXEL_MM / FINE / 2
    affine = _affine(VOXEL_MM / FINE, (corner[0], corner[1], corner[2]))
    return Grid(
        space.name,
        (shape[0], shape[1], shape[2]),
        affine,
        np.arange(np.prod(shape), dtype=np.int64),
    )


def phantom(space: Grid, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a T1w-like image of an ellipsoid with folds, (n_places,), on ``fine(space)``.

    Parameters
    ----------
    space
        The brain, on either grid.
    """
    grid = fine(space)
    shift = np.zeros(3) if space.name == T1W else np.asarray(MNI_SHIFT)
    where = (np.indices(grid.shape).reshape(3, -1).T + 0.5) / FINE - 0.5 - shift
    depth = 1 - np.sqrt((((where - CENTER) / RADII) ** 2).sum(axis=1))  # 0 at the surface
    rough = ndimage.gaussian_filter(rng.normal(size=grid.shape), 1.6).reshape(-1)
    folded = depth + 0.12 * rough / rough.std()
    image = np.where(folded > 0.22, 900.0, 600.0)  # white and grey matter
    image[np.linalg.norm((where - CENTER) / (1.2, 2.2, 1.0), axis=1) < 1] = 250.0  # ventricles
    image[depth < 0] = np.where(depth[depth < 0] > -0.1, 180.0, 0.0)
    inside = image > 0
    image[inside] += rng.normal(scale=15.0, size=int(inside.sum()))
    return np.asarray(image.round())


def brain_on(grid: Grid, whole: Grid) -> Grid:
    """Return the brain on a finer grid of the same field of view."""
    volume = np.zeros(whole.shape, dtype=bool)
    volume.reshape(-1)[whole.index] = True
    for axis in range(3):
        volume = np.repeat(volume, FINE, axis=axis)
    return replace(grid, index=np.flatnonzero(volume).astype(np.int64))
