"""Mean patterns of one participant, for what is decoded across participants and tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.responses import Responses
from bids_dnn.errors import ShapeError


@dataclass(frozen=True, slots=True, eq=False)
class SharedPatterns:
    """The mean pattern of each condition and run, over the units of some regions.

    Parameters
    ----------
    responses
        One row a condition and run, and value of each column that comparisons name; those units
        that some region has.
    regions : by name, (n_units_in_region,) intp
        Columns of `responses`.

    Raises
    ------
    ShapeError
        If a region names a column that is not there.
    """

    responses: Responses
    regions: Mapping[str, NDArray[np.integer[Any]]]

    def __post_init__(self) -> None:
        n_units = self.responses.values.shape[1]
        for name, columns in self.regions.items():
            if columns.size and not 0 <= columns.min() <= columns.max() < n_units:
                raise ShapeError(
                    f"Region {name!r} has columns {columns.min()} to {columns.max()}, the "
                    f"patterns have {n_units} units.",
                    mend="Give the columns of the patterns that belong to each region.",
                )

    def places(self, region: str) -> NDArray[np.int64]:
        """Return the places of a region's units in their space, ascending."""
        places: NDArray[np.int64] = np.sort(self.responses.space.index[self.regions[region]])
        return places
