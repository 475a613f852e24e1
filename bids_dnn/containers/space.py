"""Where units lie."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bids_dnn.errors import ShapeError


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """The places of units on a voxel grid, in a named space.

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
    >>> space = Space("T1w", (2, 2, 1), np.eye(4), np.array([0, 3]))
    >>> len(space)
    2
    """

    name: str
    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    index: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.affine.shape != (4, 4) or self.index.ndim != 1:
            raise ShapeError(
                f"affine has shape {self.affine.shape} and index has shape {self.index.shape}.",
                mend="Give a (4, 4) affine and one place for each unit.",
            )
        places = int(np.prod(self.shape))
        outside = self.index.size and (self.index.min() < 0 or self.index.max() >= places)
        if outside or np.unique(self.index).size != self.index.size:
            raise ShapeError(
                f"index holds {self.index.size} places, some outside the {places} of the grid "
                f"{self.shape} or named twice.",
                mend="Build the space from a mask with imaging.space_of_mask.",
            )

    def __len__(self) -> int:
        return int(self.index.size)

    def select(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> Space:
        """Return the space of the units that `keep` (n_units,) marks or numbers."""
        return replace(self, index=self.index[keep])

    def has_grid_of(self, other: Space, *, tolerance_mm: float = 1e-2) -> bool:
        """Tell whether both lie on the same voxels: same name, shape and affine."""
        return (
            self.name == other.name
            and self.shape == other.shape
            and bool(np.allclose(self.affine, other.affine, rtol=0, atol=tolerance_mm))
        )
