"""Where channels stand on electrode arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_dnn.errors import ShapeError


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The array, the area and the place on its array of each channel of a recording.

    Parameters
    ----------
    array : n_places
        Name of the electrode array or probe; "" = not known.
    area : n_places
        Name of the brain area; "" = not known.
    channel : (n_places,) int64
        Number within the array, from 1; 0 = not known.
    place : (n_places, 2) float64
        To the right and up on the array, in the unit of the source, the same for both; where the
        source counts rows from the top, up is minus the row. NaN = not known.

    Raises
    ------
    ShapeError
        If lengths differ, or `channel` is negative.

    Examples
    --------
    >>> made = Layout(("A", "A"), ("V1", "V1"), np.array([1, 2]), np.array([[0.0, 0], [1, 0]]))
    >>> len(made)
    2
    """

    array: tuple[str, ...]
    area: tuple[str, ...]
    channel: NDArray[np.int64]
    place: NDArray[np.float64]

    def __post_init__(self) -> None:
        n = len(self.array)
        shapes = ((len(self.area),), self.channel.shape, self.place.shape)
        if shapes != ((n,), (n,), (n, 2)):
            raise ShapeError(
                f"array, area, channel and place have the shapes {((n,), *shapes)}.",
                mend="Give (n,), (n,), (n,) and (n, 2).",
            )
        if n and self.channel.min() < 0:
            raise ShapeError(
                f"channel holds {self.channel.min()}.",
                mend="Count channels from 1; 0 = not known.",
            )

    def __len__(self) -> int:
        return len(self.array)
