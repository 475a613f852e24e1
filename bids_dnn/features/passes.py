"""What features of many stimuli look like to those who take them in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from bids_dnn.errors import BidsDnnError

Made = TypeVar("Made")


class BatchHalvedError(BidsDnnError, RuntimeError):
    """Memory ran out after rows were given: all are to be taken anew, in smaller batches."""


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

        Raises
        ------
        BatchHalvedError
            If memory ran out after rows were given, in this call or one before; see `steadily`.
        """


def steadily(take: Callable[[], Made]) -> Made:
    """Take rows of passes in batches of one size: from the beginning where memory runs out.

    The last bits of a row depend on the batch in which it was computed, and only the size that
    was used last is kept with what is made.

    Parameters
    ----------
    take
        Goes through passes, as often as it likes, and makes something of them.
    """
    while True:
        try:
            return take()
        except BatchHalvedError:
            continue
