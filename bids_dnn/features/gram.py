"""Gram matrices of features that may not fit into memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

TILE_BYTES = 64 << 20


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


def gram_of(features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Multiply features with themselves, a tile of columns at a time.

    Parameters
    ----------
    features : (n_stimuli, p)
        An array or a memory map, of which one tile is read at a time.

    Returns
    -------
    gram : (n_stimuli, n_stimuli) float64
        ``X X'``, symmetric to the bit, summed in float64. The width of a tile follows from
        n_stimuli alone, and one thread multiplies, as the split over threads would alter the
        last bit: the same features give the same bytes.

    Examples
    --------
    >>> gram_of(np.array([[1.0, 2.0], [0.0, 3.0]], dtype=np.float32))
    array([[5., 6.],
           [6., 9.]])
    """
    n, p = features.shape
    width = max(1, TILE_BYTES // (8 * max(n, 1)))
    total = np.zeros((n, n))
    with threadpool_limits(1, user_api="blas"):
        for start in range(0, p, width):
            tile = np.asarray(features[:, start : start + width], dtype=np.float64)
            total += tile @ tile.T
    return (total + total.T) / 2
