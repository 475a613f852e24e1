"""Scores of one participant under exchanged labels, for what is told over participants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.errors import ShapeError


@dataclass(frozen=True, slots=True, eq=False)
class Nulls:
    """The null of each region and comparison.

    Parameters
    ----------
    region, comparison : (n_rows,) str
        As in the table of scores.
    null : (n_rows, n_permutations) float32
        Scores under exchanged labels, in the unit of the table; NaN at the end of a row that
        has fewer. Rows whose labels were exchanged together have the same exchange at the same
        place.
    enumerated : (n_rows,) bool
        Every distinct exchange is there, the identity among them; else random ones without it.

    Raises
    ------
    ShapeError
        If the lengths differ.
    """

    region: NDArray[np.str_]
    comparison: NDArray[np.str_]
    null: NDArray[np.float32]
    enumerated: NDArray[np.bool_]

    def __post_init__(self) -> None:
        n_rows = len(self.region)
        shapes = (self.comparison.shape, self.null.shape[:1], self.enumerated.shape)
        if self.null.ndim != 2 or any(shape != (n_rows,) for shape in shapes):
            raise ShapeError(
                f"{n_rows} regions, {self.comparison.shape} comparisons, nulls of shape "
                f"{self.null.shape}, enumerated of shape {self.enumerated.shape}.",
                mend="Give each a row for each row of the table.",
            )


@dataclass(frozen=True, slots=True, eq=False)
class NullMap:
    """Maps of scores under exchanged labels, as compactly as they can be kept.

    Parameters
    ----------
    values : (n_maps, n_units)
        Whole maps, such as counts of right answers in one byte.
    share : float
        What `values` are multiplied with to be scores.

    Raises
    ------
    ShapeError
        If `values` are no rows of maps.
    """

    values: NDArray[Any]
    share: float = 1.0

    def __post_init__(self) -> None:
        if self.values.ndim != 2:
            raise ShapeError(
                f"Maps under exchanged labels have shape {self.values.shape}.",
                mend="Give one row for each exchange and one column for each unit.",
            )
