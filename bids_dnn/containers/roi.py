"""A region of interest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.space import Space
from bids_dnn.errors import NotEnoughDataError


@dataclass(frozen=True, slots=True, eq=False)
class Roi:
    """A named set of places, kept as the `Space` of its voxels.

    Parameters
    ----------
    name
        Letters and digits only, as it stands in file names.
    space
        The voxels of the region.
    source
        Where it came from: a path or a rule, for the report.
    n_before : int
        Voxels of the mask before anything was left out (NaN, outside the brain).
    is_part
        Whether it is a part of other regions that the data name, and is taken only where it is
        asked for by its name.

    Raises
    ------
    NotEnoughDataError
        If the region has no voxel.
    """

    name: str
    space: Space
    source: str
    n_before: int
    is_part: bool = False

    def __post_init__(self) -> None:
        if not len(self.space):
            raise NotEnoughDataError(
                f"Region {self.name!r} ({self.source}) has no voxel.",
                mend="Check the mask, or leave it out with --roi naming the others.",
            )

    def units_in(self, space: Space) -> NDArray[np.bool_]:
        """Mark the units of `space` (n_units,) that belong to the region; both on one grid."""
        return np.isin(space.index, self.space.index)
