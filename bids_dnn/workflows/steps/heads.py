"""What a network's head says of stimuli, noted while its layers are extracted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bids_dnn.features.passes import Passes


class WithHead:
    """Passes that note on their way what the head says of each stimulus."""

    def __init__(self, passes: Passes, asked: Sequence[str], heads: Sequence[str]) -> None:
        self._passes = passes
        self._asked = tuple(asked)
        self._heads = tuple(heads)
        self._logits: list[NDArray[np.float32]] = []

    @property
    def n(self) -> int:
        """Return the number of stimuli."""
        return self._passes.n

    @property
    def widths(self) -> Mapping[str, int]:
        """Return the number of features of each layer that was asked for."""
        return {layer: self._passes.widths[layer] for layer in self._asked}

    @property
    def batch_size(self) -> int:
        """Return the number of stimuli shown at a time."""
        return self._passes.batch_size

    def __call__(self, start: int = 0) -> Iterator[Mapping[str, NDArray[np.float32]]]:
        """Give the rows of the layers that were asked for."""
        noted: list[NDArray[np.float32]] = []
        for batch in self._passes(start):
            noted += [batch[layer] for layer in self._heads]
            yield {layer: batch[layer] for layer in self._asked}
        if start == 0:
            self._logits = noted

    def logits(self) -> NDArray[np.float32] | None:
        """Return what the head said in the last whole pass (n, n_classes), None without one."""
        return np.concatenate(self._logits) if self._logits else None
