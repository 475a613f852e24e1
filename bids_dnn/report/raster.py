"""Triangle meshes as pixels: which vertex is seen where, from a few sides of the brain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.mesh import Mesh
from bids_dnn.containers.space import Hemisphere

Array = NDArray[np.floating[Any]]
Side = Literal["lateral", "medial", "ventral", "posterior"]
Surfaces = Mapping[Hemisphere, tuple[Mesh, Array | None]]
FINER = 2  # samples along a side of a pixel
MOST_FRAGMENTS = 400_000  # samples of triangles at once
DARKEST = 0.72  # of a surface seen edge-on

# To the right, up and towards the viewer, of the left hemisphere in RAS coordinates; x of the
# right one is mirrored, and so is its picture.
_LEFT: Mapping[Side, tuple[tuple[int, int, int], ...]] = {
    "lateral": ((0, -1, 0), (0, 0, 1), (-1, 0, 0)),
    "medial": ((0, 1, 0), (0, 0, 1), (1, 0, 0)),
    "ventral": ((0, -1, 0), (-1, 0, 0), (0, 0, -1)),
    "posterior": ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
}


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """What is seen of a hemisphere from one side.

    Parameters
    ----------
    vertex : (height, width) int64
        The vertex that each sample shows; -1 beside the brain.
    light : (height, width) float32, in [0, 1]
        How bright the surface is there.
    """

    vertex: NDArray[np.int64]
    light: NDArray[np.float32]

    def borders(self, marked: NDArray[np.bool_] | NDArray[np.int64]) -> NDArray[np.bool_]:
        """Mark the samples (height, width) at which `marked` (n_vertices,) changes."""
        inside = self.vertex >= 0
        seen = marked[np.maximum(self.vertex, 0)]
        found = np.zeros(seen.shape, dtype=bool)
        for axis in (0, 1):
            (one, two), (first, second) = _neighbors(seen, axis), _neighbors(inside, axis)
            is_edge = (one != two) & first & second
            for part in _neighbors(found, axis):
                part |= is_edge
        return found


def _neighbors(values: NDArray[Any], axis: int) -> tuple[NDArray[Any], NDArray[Any]]:
    return (values[:-1], values[1:]) if axis == 0 else (values[:, :-1], values[:, 1:])


@dataclass(frozen=True, slots=True, eq=False)
class Brain:
    """Both hemispheres, seen from all sides at one scale.

    Parameters
    ----------
    rasters
        By hemisphere and side.
    curvature : (n_vertices,) of each hemisphere
        Positive in sulci; None where it is not known.
    n_vertices
        Of each hemisphere's mesh.
    """

    rasters: Mapping[tuple[Hemisphere, Side], Raster]
    curvature: Mapping[Hemisphere, Array | None]
    n_vertices: Mapping[Hemisphere, int]


def make_brain(surfaces: Surfaces, *, widest_px: int = 300) -> Brain:
    """Sample meshes from each side.

    Parameters
    ----------
    surfaces
        Mesh (inflated ones show most) and curvature (n_vertices,) of each hemisphere.
    widest_px : pixels
        Of the widest picture; the others have its scale.

    Returns
    -------
    brain
        Each raster has `FINER` samples along a side of a pixel.
    """
    sides = tuple(_LEFT)
    turned = {
        (hemisphere, side): _turn(mesh, hemisphere, side)
        for hemisphere, (mesh, _) in surfaces.items()
        for side in sides
    }
    widest_mm = max(float(np.ptp(places[:, 0])) for places in turned.values())
    scale = widest_px * FINER / max(widest_mm, 1e-6)
    rasters = {
        key: _rasterize(places * scale, _outward(surfaces[key[0]][0]))
        for key, places in turned.items()
    }
    return Brain(
        rasters,
        {hemisphere: curvature for hemisphere, (_, curvature) in surfaces.items()},
        {hemisphere: len(mesh.vertices) for hemisphere, (mesh, _) in surfaces.items()},
    )


def _turn(mesh: Mesh, hemisphere: Hemisphere, side: Side) -> NDArray[np.float64]:
    """Return right, up and towards the viewer of each vertex, (n_vertices, 3) mm."""
    axes = np.array(_LEFT[side], dtype=np.float64)
    if hemisphere == "R":
        axes = axes * [-1, 1, 1]  # mirror the brain ...
        axes[0] = -axes[0]  # ... and its picture
    turned: NDArray[np.float64] = mesh.vertices @ axes.T
    return turned


def _outward(mesh: Mesh) -> NDArray[np.int64]:
    """Return the triangles with their corners counterclockwise as seen from outside."""
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    volume = np.einsum("ni,ni->", a - mesh.vertices.mean(axis=0), np.cross(b - a, c - a))
    return mesh.faces if volume >= 0 else mesh.faces[:, ::-1]


def _rasterize(places: NDArray[np.float64], faces: NDArray[np.int64]) -> Raster:
    """Sample triangles at whole numbers of right and up; the nearest to the viewer wins."""
    low = np.floor(places[:, :2].min(axis=0)) - 1
    flat = places[:, :2] - low
    width, height = (np.ceil(flat.max(axis=0)) + 2).astype(int)
    normals = np.cross(places[faces[:, 1]] - places[faces[:, 0]],
                       places[faces[:, 2]] - places[faces[:, 0]])  # fmt: skip
    light = _light(normals, faces, len(places))
    faces = faces[normals[:, 2] > 0]
    faces = faces[np.argsort(places[faces, 2].sum(axis=1), kind="stable")]  # from back to front
    vertex = np.full((height, width), -1, dtype=np.int64)
    for part in _parts(flat, faces):
        x, y, seen = _samples(flat, part)
        vertex[height - 1 - y, x] = seen  # where a place stands twice, the last one stays
    shade = np.where(vertex >= 0, light[np.maximum(vertex, 0)], 0)
    return Raster(vertex, shade.astype(np.float32))


def _light(
    normals: NDArray[np.float64], faces: NDArray[np.int64], n_vertices: int
) -> NDArray[np.float64]:
    """Return how bright each vertex (n_vertices,) is, by how it is turned to the viewer."""
    summed = np.stack(
        [
            sum(np.bincount(faces[:, i], normals[:, axis], n_vertices) for i in range(3))
            for axis in range(3)
        ]
    )
    length = np.maximum(np.linalg.norm(summed, axis=0), 1e-12)
    bright: NDArray[np.float64] = DARKEST + (1 - DARKEST) * np.clip(summed[2] / length, 0, 1)
    return bright


def _boxes(
    flat: NDArray[np.float64], faces: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first sample (n, 2) of each triangle's box, and how many it has (n, 2)."""
    corners = flat[faces]  # (n, 3, 2)
    first = np.ceil(corners.min(axis=1)).astype(np.int64)
    last = np.floor(corners.max(axis=1)).astype(np.int64)
    return first, np.maximum(last - first + 1, 0)


def _parts(flat: NDArray[np.float64], faces: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Split triangles, in their order, into parts of a bounded number of samples."""
    _, n = _boxes(flat, faces)
    counts = n.prod(axis=1)
    faces, counts = faces[counts > 0], counts[counts > 0]
    part = np.cumsum(counts) // MOST_FRAGMENTS
    yield from np.split(faces, np.flatnonzero(np.diff(part)) + 1)


def _samples(
    flat: NDArray[np.float64], faces: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return x, y and nearest corner of all samples within triangles, in their order."""
    first, n = _boxes(flat, faces)
    counts = n.prod(axis=1)
    of = np.repeat(np.arange(len(faces)), counts)
    local = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    x = first[of, 0] + local % n[of, 0]
    y = first[of, 1] + local // n[of, 0]
    a, b, c = (flat[faces[:, i]] for i in range(3))
    area = _cross(b - a, c - a)
    inverse = 1 / np.where(area == 0, 1.0, area)
    to_b, to_c = (b - a)[of], (c - a)[of]
    from_a = np.stack([x, y], axis=1) - a[of]
    at_b = _cross(from_a, to_c) * inverse[of]
    at_c = _cross(to_b, from_a) * inverse[of]
    weights = np.stack([1 - at_b - at_c, at_b, at_c])  # of each corner
    inside = (weights >= -1e-9).all(axis=0)
    nearest = weights[:, inside].argmax(axis=0)
    return x[inside], y[inside], faces[of[inside], nearest]


def _cross(one: NDArray[np.float64], two: NDArray[np.float64]) -> NDArray[np.float64]:
    crossed: NDArray[np.float64] = one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]
    return crossed


def pixels(raster: Raster, colors: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return a picture of a hemisphere, averaged over the samples of each pixel.

    Parameters
    ----------
    raster
        What is seen.
    colors : (n_vertices, 3) or (height, width, 3), in [0, 1]
        Of each vertex, or of each sample.

    Returns
    -------
    picture : (height / FINER, width / FINER, 4), in [0, 1]
        The last channel is how much of the pixel the brain covers.
    """
    inside = raster.vertex >= 0
    own = colors[np.maximum(raster.vertex, 0)] if colors.ndim == 2 else colors
    lit = own * raster.light[..., None] * inside[..., None]
    whole = np.concatenate([lit, inside[..., None]], axis=2)
    height, width = (-(-n // FINER) * FINER for n in inside.shape)
    padded = np.zeros((height, width, 4))
    padded[: inside.shape[0], : inside.shape[1]] = whole
    mean = padded.reshape(height // FINER, FINER, width // FINER, FINER, 4).mean(axis=(1, 3))
    covered = np.maximum(mean[..., 3:], 1e-9)
    return np.concatenate([mean[..., :3] / covered, mean[..., 3:]], axis=2).clip(0, 1)


def montage(
    pictures: Sequence[Sequence[NDArray[np.float64]]], *, gap_px: int = 14, top_px: int = 26
) -> tuple[NDArray[np.float64], list[list[tuple[float, float]]]]:
    """Lay pictures out in rows and columns, each in the middle of its cell.

    Parameters
    ----------
    pictures
        (height, width, 4) each, by row and column.
    gap_px, top_px : pixels
        Between cells, and above each row for its titles.

    Returns
    -------
    canvas : (height, width, 4)
    tops
        Middle (x) and upper edge (y) of each cell, for its title.
    """
    n_columns = max(len(row) for row in pictures)
    widths = [max(row[i].shape[1] for row in pictures if i < len(row)) for i in range(n_columns)]
    heights = [max(one.shape[0] for one in row) for row in pictures]
    canvas = np.zeros(
        (sum(heights) + len(heights) * top_px + gap_px, sum(widths) + gap_px * (n_columns - 1), 4)
    )
    tops: list[list[tuple[float, float]]] = []
    y = 0
    for row, tall in zip(pictures, heights, strict=True):
        y += top_px
        x = 0
        tops.append([])
        for one, wide in zip(row, widths, strict=False):
            down, right = y + (tall - one.shape[0]) // 2, x + (wide - one.shape[1]) // 2
            canvas[down : down + one.shape[0], right : right + one.shape[1]] = one
            tops[-1].append((x + wide / 2, float(y)))
            x += wide + gap_px
        y += tall
    return canvas, tops
