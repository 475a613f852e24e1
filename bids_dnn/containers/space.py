"""Where units lie: voxels of a grid, vertices of two meshes, both at once, or named channels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.layout import Layout
from bids_dnn.errors import ShapeError

Hemisphere = Literal["L", "R"]
HEMISPHERES: tuple[Hemisphere, ...] = ("L", "R")


class Space(ABC):
    """Places of units in a named space; one of `Grid`, `Surface`, `Grayordinates`, `Channels`.

    Attributes
    ----------
    name
        BIDS label of the space, such as ``T1w``, ``fsnative`` or ``fsLR``.
    index : (n_units,) int64
        Place of each unit among all `n_places` of the space; no place twice.
    """

    __slots__ = ()

    name: str
    index: NDArray[np.int64]

    @property
    @abstractmethod
    def n_places(self) -> int:
        """Places that the space has, measured or not."""

    @abstractmethod
    def has_places_of(self, other: Space) -> bool:
        """Tell whether both number the same places in the same way, in a space of one name."""

    @property
    @abstractmethod
    def unit(self) -> str:
        """What a unit is called: ``voxel``, ``vertex``, ``grayordinate`` or ``channel``."""

    def describe(self) -> str:
        """Return name and extent in words, such as ``fsaverage5 (20484 vertex places)``."""
        return f"{self.name} ({self.n_places} {self.unit} places)"

    def __len__(self) -> int:
        return int(self.index.size)

    @abstractmethod
    def at(self, index: NDArray[np.int64]) -> Self:
        """Return the same space with units at these places (n_units,)."""

    def select(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """Return the space of the units that `keep` (n_units,) marks or numbers."""
        return self.at(self.index[keep])

    def whole(self) -> Self:
        """Return the space with a unit at each of its places."""
        return self.at(np.arange(self.n_places, dtype=np.int64))

    def _check_index(self) -> None:
        index, places = self.index, self.n_places
        if index.ndim != 1:
            raise ShapeError(
                f"index has shape {index.shape}.", mend="Give one place for each unit."
            )
        outside = index.size and (index.min() < 0 or index.max() >= places)
        if outside or np.unique(index).size != index.size:
            raise ShapeError(
                f"index holds {index.size} places, some outside the {places} of {self.name} or "
                "named twice.",
                mend="Build the space from its file with imaging.",
            )


@dataclass(frozen=True, slots=True, eq=False)
class Grid(Space):
    """Voxels of a grid.

    Parameters
    ----------
    name
        BIDS label of the space, such as ``T1w`` or ``MNI152NLin2009cAsym``.
    shape : (x, y, z)
        Voxels of the whole grid.
    affine : (4, 4) float64
        From voxel indices to millimetres.
    index : (n_units,) int64
        Place of each unit in the grid, flattened with the last axis fastest; no place twice.

    Raises
    ------
    ShapeError
        If `affine` is not 4 x 4, or `index` repeats a place or points outside the grid.

    Examples
    --------
    >>> space = Grid("T1w", (2, 2, 1), np.eye(4), np.array([0, 3]))
    >>> len(space)
    2
    """

    name: str
    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    index: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.affine.shape != (4, 4):
            raise ShapeError(
                f"affine has shape {self.affine.shape}.", mend="Give a (4, 4) affine."
            )
        self._check_index()

    @property
    def n_places(self) -> int:
        """Voxels of the whole grid."""
        return int(np.prod(self.shape))

    @property
    def unit(self) -> str:
        """``voxel``."""
        return "voxel"

    def describe(self) -> str:
        """Return name, shape and first voxel in words."""
        x, y, z = self.shape
        corner = ", ".join(f"{v:.1f}" for v in self.affine[:3, 3])
        return f"{self.name} ({x} x {y} x {z} voxels from {corner} mm)"

    def at(self, index: NDArray[np.int64]) -> Grid:
        """Return the grid with units at these voxels."""
        return replace(self, index=index)

    def has_places_of(self, other: Space, *, tolerance_mm: float = 1e-2) -> bool:
        """Tell whether both lie on the same voxels: same name, shape and affine."""
        return (
            isinstance(other, Grid)
            and self.name == other.name
            and self.shape == other.shape
            and bool(np.allclose(self.affine, other.affine, rtol=0, atol=tolerance_mm))
        )


@dataclass(frozen=True, slots=True, eq=False)
class Surface(Space):
    """Vertices of the two hemispheres of a mesh, the left ones first.

    Parameters
    ----------
    name
        BIDS label of the mesh, such as ``fsnative`` or ``fsaverage5``.
    n_vertices : (left, right)
        Of each hemisphere's whole mesh; 0 where a hemisphere is not there.
    index : (n_units,) int64
        Vertex of each unit; those of the right hemisphere are numbered from ``n_vertices[0]``.

    Raises
    ------
    ShapeError
        If `index` repeats a vertex or points outside the meshes.

    Examples
    --------
    >>> space = Surface("fsaverage5", (10242, 10242), np.array([5, 10242]))
    >>> space.vertices("R")
    array([0])
    """

    name: str
    n_vertices: tuple[int, int]
    index: NDArray[np.int64]

    def __post_init__(self) -> None:
        self._check_index()

    @property
    def n_places(self) -> int:
        """Vertices of both hemispheres."""
        return sum(self.n_vertices)

    @property
    def unit(self) -> str:
        """``vertex``."""
        return "vertex"

    def at(self, index: NDArray[np.int64]) -> Surface:
        """Return the meshes with units at these vertices."""
        return replace(self, index=index)

    def has_places_of(self, other: Space) -> bool:
        """Tell whether both have the same name and number of vertices in each hemisphere."""
        return (
            isinstance(other, Surface)
            and self.name == other.name
            and self.n_vertices == other.n_vertices
        )

    def in_hemisphere(self, hemisphere: Hemisphere) -> NDArray[np.bool_]:
        """Mark the units (n_units,) of one hemisphere."""
        is_left: NDArray[np.bool_] = self.index < self.n_vertices[0]
        return is_left if hemisphere == "L" else ~is_left

    def vertices(self, hemisphere: Hemisphere) -> NDArray[np.int64]:
        """Return the vertex numbers, within its own mesh, of the units of one hemisphere."""
        offset = 0 if hemisphere == "L" else self.n_vertices[0]
        return self.index[self.in_hemisphere(hemisphere)] - offset


@dataclass(frozen=True, slots=True, eq=False)
class Grayordinates(Space):
    """Cortical vertices and subcortical voxels, in the order of a CIFTI-2 file.

    Parameters
    ----------
    name
        BIDS label of the space, such as ``fsLR``.
    structures
        CIFTI names, such as ``CIFTI_STRUCTURE_CORTEX_LEFT``, in the order of the file.
    n_vertices : n_structures
        Vertices of each structure's whole mesh, 0 for those made of voxels.
    structure : (n_places,) int64
        Number of the structure of each grayordinate.
    vertex : (n_places,) int64
        Vertex in the mesh of its structure; -1 for a voxel.
    voxel : (n_places, 3) int64
        Voxel indices; -1 for a vertex.
    shape : (x, y, z)
        Of the voxel grid; zeros where there is none.
    affine : (4, 4) float64
        Of the voxel grid, to millimetres.
    index : (n_units,) int64
        Grayordinate of each unit.

    Raises
    ------
    ShapeError
        If lengths differ, or `index` repeats a place or points outside.
    """

    name: str
    structures: tuple[str, ...]
    n_vertices: tuple[int, ...]
    structure: NDArray[np.int64]
    vertex: NDArray[np.int64]
    voxel: NDArray[np.int64]
    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    index: NDArray[np.int64]

    def __post_init__(self) -> None:
        n = len(self.structure)
        if self.vertex.shape != (n,) or self.voxel.shape != (n, 3):
            raise ShapeError(
                f"structure, vertex and voxel have the shapes {self.structure.shape}, "
                f"{self.vertex.shape} and {self.voxel.shape}.",
                mend="Give (n,), (n,) and (n, 3).",
            )
        self._check_index()

    @property
    def n_places(self) -> int:
        """Grayordinates of the file."""
        return len(self.structure)

    @property
    def unit(self) -> str:
        """``grayordinate``."""
        return "grayordinate"

    def at(self, index: NDArray[np.int64]) -> Grayordinates:
        """Return the same grayordinates with units at these."""
        return replace(self, index=index)

    def has_places_of(self, other: Space) -> bool:
        """Tell whether both list the same vertices and voxels in the same order."""
        return (
            isinstance(other, Grayordinates)
            and (self.name, self.structures) == (other.name, other.structures)
            and self.n_vertices == other.n_vertices
            and np.array_equal(self.structure, other.structure)
            and np.array_equal(self.vertex, other.vertex)
            and np.array_equal(self.voxel, other.voxel)
        )

    def cortex(self, hemisphere: Hemisphere) -> tuple[NDArray[np.intp], NDArray[np.int64], int]:
        """Return the units (n,), their vertices (n,) and the mesh size of one cortex."""
        name = f"CIFTI_STRUCTURE_CORTEX_{'LEFT' if hemisphere == 'L' else 'RIGHT'}"
        if name not in self.structures:
            none = np.zeros(0, dtype=np.int64)
            return none, none, 0
        number = self.structures.index(name)
        units = np.flatnonzero(self.structure[self.index] == number)
        return units, self.vertex[self.index[units]], self.n_vertices[number]


@dataclass(frozen=True, slots=True, eq=False)
class Channels(Space):
    """Units without a place in space: electrodes, sorted neurons, rows of a table.

    Parameters
    ----------
    name
        BIDS label, such as ``electrodes``.
    names : n_places
        Of each unit, as in its file; no name twice.
    index : (n_units,) int64
        Place of each unit among `names`.
    layout
        Where the channels stand on electrode arrays; None = not known.

    Raises
    ------
    ShapeError
        If a name stands twice, `layout` is of another number of channels, or `index` repeats a
        place or points outside.
    """

    name: str
    names: tuple[str, ...]
    index: NDArray[np.int64]
    layout: Layout | None = None

    def __post_init__(self) -> None:
        if self.layout is not None and len(self.layout) != len(self.names):
            raise ShapeError(
                f"The layout is of {len(self.layout)} channels, there are {len(self.names)}.",
                mend="Give one array, area, channel and place for each name.",
            )
        if len(set(self.names)) != len(self.names):
            raise ShapeError(
                f"{len(self.names) - len(set(self.names))} of {len(self.names)} unit names "
                "stand twice.",
                mend="Give each unit a name of its own.",
            )
        self._check_index()

    @property
    def n_places(self) -> int:
        """Channels of the recording."""
        return len(self.names)

    @property
    def unit(self) -> str:
        """``channel``."""
        return "channel"

    def at(self, index: NDArray[np.int64]) -> Channels:
        """Return the same channels with units at these."""
        return replace(self, index=index)

    def has_places_of(self, other: Space) -> bool:
        """Tell whether both name the same channels in the same order."""
        return (
            isinstance(other, Channels) and self.name == other.name and self.names == other.names
        )


def on_places_of_most(spaces: Mapping[str, Space]) -> list[str]:
    """Return the labels of those that lie on one set of places: that of most, or the first such.

    Parameters
    ----------
    spaces
        Of participants, by label.

    Examples
    --------
    >>> one, other = (Surface(name, (9, 9), np.arange(3)) for name in ("one", "other"))
    >>> on_places_of_most({"01": one, "02": other, "03": other})
    ['02', '03']
    """
    alike = {
        label: [name for name, one in spaces.items() if one.has_places_of(own)]
        for label, own in spaces.items()
    }
    return max(alike.values(), key=len, default=[])
