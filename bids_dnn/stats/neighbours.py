"""Which units lie around each unit: spheres of voxels, disks of vertices, and who touches whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from bids_dnn.containers.mesh import Mesh
from bids_dnn.containers.space import HEMISPHERES, Grayordinates, Grid, Hemisphere, Space, Surface
from bids_dnn.errors import ConfigError, MissingInputError, SpaceError

Numbers = NDArray[np.int64]
Meshes = Mapping[Hemisphere, Mesh]
NEAR = 1e-6  # of the radius: less is rounding, and a place at the radius is inside
VOXELS_AT_ONCE = 4096
VERTICES_AT_ONCE = 256


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """The units around each center, one list after another.

    Parameters
    ----------
    indptr : (n_centers + 1,) int64
        Where the list of each center begins in `indices`, and where the last one ends.
    indices : (n_listed,) int32
        Numbers of units, rising within each list; the center is one of its own list.
    """

    indptr: Numbers
    indices: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def sizes(self) -> Numbers:
        """Units around each center (n_centers,)."""
        return np.diff(self.indptr)

    def of(self, center: int) -> NDArray[np.int32]:
        """Return the units around one center."""
        return self.indices[self.indptr[center] : self.indptr[center + 1]]


def neighbours(
    space: Space,
    radius_mm: float,
    *,
    meshes: Meshes | None = None,
    centers: Numbers | None = None,
) -> Neighbours:
    """Return the measured units within a radius of each center.

    Voxels are near by the straight line between their middles, whatever the affine; a voxel
    just at the radius is inside. Vertices are near by the shortest way along the edges of their
    mesh, over vertices that are not measured too, and never across hemispheres.

    Parameters
    ----------
    space
        Of the units.
    radius_mm
    meshes
        Of each hemisphere that has units; a mid-thickness or white surface.
    centers : (n_centers,)
        Numbers of units; None = each unit is one.

    Returns
    -------
    neighbours
        A list for each center, in their order.

    Raises
    ------
    ConfigError
        If the radius is below a voxel, or below the mean edge of a mesh.
    SpaceError
        If units have no place in space, or a mesh is of another size.
    MissingInputError
        If a hemisphere with units has no mesh.

    References
    ----------
    Kriegeskorte, Goebel & Bandettini (2006), PNAS 103:3863, doi:10.1073/pnas.0600244103.
    Oosterhof et al. (2011), NeuroImage 56:593, doi:10.1016/j.neuroimage.2010.04.270.

    Examples
    --------
    >>> space = Grid("T1w", (4, 1, 1), np.diag([3.0, 3.0, 3.0, 1.0]), np.array([0, 1, 3]))
    >>> [found.tolist() for found in map(neighbours(space, 3.0).of, range(3))]
    [[0, 1], [0, 1], [2]]
    """
    wanted = np.arange(len(space)) if centers is None else np.asarray(centers, dtype=np.int64)
    lists: list[NDArray[np.int32]] = [np.zeros(0, dtype=np.int32)] * len(wanted)
    for place, units in _parts(space, meshes):
        at = np.full(len(space), -1, dtype=np.int64)
        at[units] = np.arange(len(units))
        own = np.flatnonzero(at[wanted] >= 0)
        around = place.around(at[wanted[own]], radius_mm)
        for center, found in zip(own, around, strict=True):
            lists[center] = np.sort(units[found]).astype(np.int32)
    indptr = np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int64)
    return Neighbours(indptr, np.concatenate(lists) if lists else np.zeros(0, dtype=np.int32))


def adjacency(space: Space, *, meshes: Meshes | None = None) -> csr_array:
    """Tell which measured units touch: voxels by their faces, vertices by an edge.

    Parameters
    ----------
    space
        Of the units.
    meshes
        Of each hemisphere that has units.

    Returns
    -------
    touching : (n_units, n_units) bool
        Sparse, symmetric, and empty on its diagonal.

    Raises
    ------
    SpaceError
        If units have no place in space, or a mesh is of another size.
    MissingInputError
        If a hemisphere with units has no mesh.

    Examples
    --------
    >>> space = Grid("T1w", (2, 2, 1), np.eye(4), np.array([0, 1, 2]))
    >>> adjacency(space).toarray().astype(int).tolist()
    [[0, 1, 1], [1, 0, 0], [1, 0, 0]]
    """
    ends = [np.zeros((2, 0), dtype=np.int64)]
    for place, units in _parts(space, meshes):
        ends.append(units[place.pairs()])
    first, second = np.concatenate(ends, axis=1)
    both = np.concatenate([first, second]), np.concatenate([second, first])
    shape = (len(space), len(space))
    return csr_array(coo_array((np.ones(len(both[0]), dtype=np.bool_), both), shape=shape))


def places_mm(space: Space, *, meshes: Meshes | None = None) -> NDArray[np.float64]:
    """Return where each measured unit lies.

    Parameters
    ----------
    space, meshes
        As of `adjacency`.

    Returns
    -------
    places : (n_units, 3), mm

    Raises
    ------
    SpaceError
        If units have no place in space, or a mesh is of another size.
    MissingInputError
        If a hemisphere with units has no mesh.

    Examples
    --------
    >>> places_mm(Grid("T1w", (4, 1, 1), np.diag([3.0, 3.0, 3.0, 1.0]), np.array([3]))).tolist()
    [[9.0, 0.0, 0.0]]
    """
    places = np.empty((len(space), 3))
    for place, units in _parts(space, meshes):
        places[units] = place.points()
    return places


def check_radius(affine: NDArray[np.float64], radius_mm: float) -> None:
    """Refuse spheres that would hold their center alone.

    Parameters
    ----------
    affine : (4, 4)
        Of the grid.
    radius_mm

    Raises
    ------
    ConfigError
        If the radius is below a voxel.
    """
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    if not radius_mm >= sizes.min():
        told = " x ".join(f"{size:g}" for size in sizes)
        raise ConfigError(
            f"The searchlight radius is {radius_mm:g} mm, but voxels are {told} mm, so that "
            "each sphere would hold its center alone.",
            mend=f"Set radius_mm to {3 * sizes.max():g} (three voxels), or to "
            f"{sizes.min():g} at the least.",
        )


def check_disks(mesh: Mesh, radius_mm: float) -> tuple[Numbers, NDArray[np.float64]]:
    """Refuse disks that would mostly hold their center alone.

    Parameters
    ----------
    mesh
        Of the cortex, in mm.
    radius_mm

    Returns
    -------
    edges : (2, n_edges)
        The two vertices of each edge.
    lengths : (n_edges,), mm

    Raises
    ------
    ConfigError
        If the radius is below the mean edge of the mesh.
    """
    edges = _edges(mesh)
    lengths = np.linalg.norm(np.diff(mesh.vertices[edges], axis=0)[0], axis=1)
    if not radius_mm >= lengths.mean():
        raise ConfigError(
            f"The searchlight radius is {radius_mm:g} mm, but neighbouring vertices are "
            f"{lengths.mean():.2f} mm apart on average.",
            mend=f"Set radius_mm to {np.ceil(3 * lengths.mean()):g} or more.",
        )
    return edges, lengths


@dataclass(frozen=True, slots=True, eq=False)
class _Voxels:
    """Measured voxels of a grid."""

    ijk: Numbers  # (n, 3)
    shape: tuple[int, int, int]
    affine: NDArray[np.float64]

    def around(self, centers: Numbers, radius_mm: float) -> Iterator[Numbers]:
        check_radius(self.affine, radius_mm)
        steps = self._steps(radius_mm)
        table = self._table()
        for start in range(0, len(centers), VOXELS_AT_ONCE):
            found = self._look(table, self.ijk[centers[start : start + VOXELS_AT_ONCE]], steps)
            for row in found:
                yield row[row >= 0]

    def pairs(self) -> Numbers:
        table = self._table()
        found = self._look(table, self.ijk, np.eye(3, dtype=np.int64))  # (n, 3)
        first, axis = np.nonzero(found >= 0)
        return np.stack([first, found[first, axis]])

    def points(self) -> NDArray[np.float64]:
        made: NDArray[np.float64] = self.ijk @ self.affine[:3, :3].T + self.affine[:3, 3]
        return made

    def _steps(self, radius_mm: float) -> Numbers:
        """Return the steps in voxels (n_steps, 3) that stay within the radius."""
        turn = self.affine[:3, :3]
        most = np.floor(radius_mm * (1 + NEAR) * np.linalg.norm(np.linalg.inv(turn), axis=1))
        axes = [np.arange(-int(m), int(m) + 1) for m in most]
        steps = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        inside = np.linalg.norm(steps @ turn.T, axis=1) <= radius_mm * (1 + NEAR)
        return np.asarray(steps[inside], dtype=np.int64)

    def _table(self) -> NDArray[np.int32]:
        """Return the number of the unit at each voxel of the grid, -1 where there is none."""
        table = np.full(self.shape, -1, dtype=np.int32)
        table[tuple(self.ijk.T)] = np.arange(len(self.ijk))
        return table

    def _look(self, table: NDArray[np.int32], ijk: Numbers, steps: Numbers) -> Numbers:
        """Return the units (n, n_steps) some steps away, -1 where there is none."""
        places = ijk[:, None] + steps  # (n, n_steps, 3)
        within = (places >= 0) & (places < np.array(self.shape))
        inside: NDArray[np.bool_] = np.all(within, axis=-1)  # (n, n_steps)
        found = table[tuple(np.where(inside[..., None], places, 0).transpose(2, 0, 1))]
        return np.where(inside, found, -1).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class _Vertices:
    """Measured vertices of one mesh."""

    vertices: Numbers  # (n,)
    mesh: Mesh

    def around(self, centers: Numbers, radius_mm: float) -> Iterator[Numbers]:
        """Give the vertices of the disk around each center.

        Raises
        ------
        ConfigError
            If the radius is below the mean edge of the mesh.
        """
        edges, lengths = check_disks(self.mesh, radius_mm)
        n = len(self.mesh.vertices)
        both = np.concatenate([edges, edges[::-1]], axis=1)
        ways = csr_array(coo_array((np.tile(lengths, 2), tuple(both)), shape=(n, n)))
        at = np.full(n, -1, dtype=np.int64)
        at[self.vertices] = np.arange(len(self.vertices))
        order, found = _disks(ways, self.mesh.vertices, self.vertices[centers], radius_mm)
        lists: list[Numbers] = [at] * len(centers)
        for center, disk in zip(order, found, strict=True):
            members = at[disk]
            lists[center] = members[members >= 0]
        yield from lists

    def pairs(self) -> Numbers:
        at = np.full(len(self.mesh.vertices), -1, dtype=np.int64)
        at[self.vertices] = np.arange(len(self.vertices))
        ends = at[_edges(self.mesh)]  # (2, n_edges)
        return ends[:, (ends >= 0).all(axis=0)]

    def points(self) -> NDArray[np.float64]:
        return self.mesh.vertices[self.vertices]


def _disks(
    ways: csr_array, points: NDArray[np.float64], centers: Numbers, radius_mm: float
) -> tuple[Numbers, Iterator[Numbers]]:
    """Return the vertices within a radius of each center, and in which order they come.

    A way of some length stays within a ball of that radius: a few centers that lie together
    need only the part of the mesh around them.
    """
    reach = radius_mm * (1 + NEAR)
    order = np.asarray(cKDTree(points[centers]).indices, dtype=np.int64)

    def walk() -> Iterator[Numbers]:
        tree = cKDTree(points)
        for start in range(0, len(order), VERTICES_AT_ONCE):
            own = centers[order[start : start + VERTICES_AT_ONCE]]
            balls = tree.query_ball_point(points[own], reach)
            near = np.unique(np.concatenate([np.asarray(ball) for ball in balls]))
            part = ways[near][:, near]
            lengths = dijkstra(part, indices=np.searchsorted(near, own), limit=reach)
            for row in lengths:
                yield near[np.isfinite(row)]

    return order, walk()


def _edges(mesh: Mesh) -> Numbers:
    """Return the two ends of each edge (2, n_edges), each edge once."""
    faces = mesh.faces
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return np.unique(np.sort(ends, axis=1), axis=0).T


def _parts(space: Space, meshes: Meshes | None) -> Iterator[tuple[_Voxels | _Vertices, Numbers]]:
    """Give the voxels and the vertices of each hemisphere, with the numbers of their units."""
    if isinstance(space, Grid):
        ijk = np.stack(np.unravel_index(space.index, space.shape), axis=1)
        yield _Voxels(ijk, space.shape, space.affine), np.arange(len(space))
        return
    if not isinstance(space, Surface | Grayordinates):
        raise SpaceError(
            f"The units of {space.describe()} have no place in millimetres, so that none is "
            "near another.",
            mend="Ask for regions instead of a searchlight for these data.",
        )
    for side in HEMISPHERES:
        if isinstance(space, Surface):
            units, vertices = np.flatnonzero(space.in_hemisphere(side)), space.vertices(side)
            n = space.n_vertices[HEMISPHERES.index(side)]
        else:
            units, vertices, n = space.cortex(side)
        if len(units):
            yield _Vertices(vertices, _mesh_of(side, n, space, meshes or {})), units
    if isinstance(space, Grayordinates):
        units = np.flatnonzero(space.vertex[space.index] < 0)
        if len(units):
            yield _Voxels(space.voxel[space.index[units]], space.shape, space.affine), units


def _mesh_of(side: Hemisphere, n_vertices: int, space: Space, meshes: Meshes) -> Mesh:
    if side not in meshes:
        raise MissingInputError(
            f"There are units of hemisphere {side} of {space.describe()}, but no mesh of it.",
            mend="Give the surface (midthickness or white) of each hemisphere.",
        )
    if len(meshes[side].vertices) != n_vertices:
        raise SpaceError(
            f"The mesh of hemisphere {side} has {len(meshes[side].vertices)} vertices, "
            f"{space.name} has {n_vertices}.",
            mend="Give the surface in the space of the responses.",
        )
    return meshes[side]
