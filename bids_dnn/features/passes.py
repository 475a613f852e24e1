"""What features of many stimuli look like to those who take them in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Passes(Protocol):
    """Features of stimuli in batches, as often as they are asked for."""

    @property
    def n(self) -> int:
        """Return the number of stimuli."""

    @property
    def widths(self) -> Mapping[str, int]:
        """Return the number of features of each layer, in the order of the layers."""

    @property
    def batch_size(self) -> int:
        """Return the number of stimuli shown at a time, as used."""

    def __call__(self, start: int = 0) -> Iterator[Mapping[str, NDArray[np.float32]]]:
        """Give all rows from `start` on, in order: for each layer a batch (b, p).

        An array that was given is not altered afterwards; it may be kept.
        """
