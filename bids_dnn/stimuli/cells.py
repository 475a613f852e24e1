"""Pictures that MATLAB keeps one by one: in a cell array, or a field of a structure array."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_COLORS = 4


@dataclass(frozen=True, slots=True)
class Cells:
    """A list of arrays, shown as one array of which the first axis counts them.

    Parameters
    ----------
    items
        Arrays of numpy, or datasets of HDF5, which are read when asked for. Their lengths may
        differ, their number of axes may not.
    """

    items: tuple[Any, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Return how many there are, and the shape of the first."""
        return len(self.items), *map(int, self.items[0].shape)

    def __getitem__(self, place: tuple[Any, ...]) -> NDArray[Any]:
        """Return a part of one of them; the first entry of `place` is its number."""
        values: NDArray[Any] = self.items[place[0]][place[1:]]
        return values

    def are_pictures(self, *, is_reversed: bool) -> bool:
        """Tell whether all may be pictures: (y, x) of 8 bits, or (y, x, colors).

        Parameters
        ----------
        is_reversed
            Whether axes are shown in the reverse order.
        """
        shapes = [item.shape[::-1] if is_reversed else item.shape for item in self.items]
        if len(shapes) < 2 or any(item.dtype.kind not in "buif" for item in self.items):
            return False
        if {len(shape) for shape in shapes} == {2}:
            is_flat = all(item.dtype == np.uint8 for item in self.items)
        else:
            is_flat = all(len(s) == 3 and s[2] in (1, 3, MOST_COLORS) for s in shapes)
        return is_flat and all(min(shape[:2]) > 1 for shape in shapes)


def old_cells(value: Any, field: str = "") -> Cells | None:
    """Return the cells of an array as scipy reads it, None where it has none.

    Parameters
    ----------
    value
        A cell array, or a structure array.
    field
        Of the structure array.
    """
    names = value.dtype.names or ()
    if field and field not in names:
        return None
    cells = value[field] if field else value
    if cells.dtype != object or not cells.size:
        return None
    items = tuple(np.asarray(item) for item in cells.ravel(order="F"))
    return Cells(items)


def hdf5_cells(node: Any) -> Cells | None:
    """Return the datasets to which a dataset of references leads, None where it does not.

    Parameters
    ----------
    node
        A dataset of HDF5.
    """
    import h5py

    if h5py.check_ref_dtype(getattr(node, "dtype", np.dtype(float))) is not h5py.Reference:
        return None
    if not node.size or math.prod(node.shape) != max(node.shape):
        return None
    items = tuple(node.file[to] if to else None for to in np.ravel(node[()]))
    if not all(isinstance(item, h5py.Dataset) and not item.external for item in items):
        return None
    return Cells(items)


def texts_of(cells: Cells | None) -> tuple[str, ...]:
    """Return the texts in cells as scipy reads them, () where some are none."""
    if cells is None:
        return ()
    flat: Sequence[NDArray[Any]] = [np.ravel(item) for item in cells.items]
    if not all(item.dtype.kind == "U" and item.size == 1 for item in flat):
        return ()
    return tuple(str(item[0]).strip() for item in flat)
