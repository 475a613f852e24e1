"""Memory for features that is used again."""

from __future__ import annotations

import math
import sys

import numpy as np
import torch
from numpy.typing import NDArray


class Memory:
    """Gives memory on the CPU, and gives it again once nobody holds what was in it.

    Fresh memory costs as much time as copying features into it. An array that was given stays
    as it is while anything refers to it.

    Examples
    --------
    >>> memory = Memory()
    >>> one = memory.empty(torch.Size([2, 3]), torch.device("cpu"))
    >>> place = one.data_ptr()
    >>> memory.empty(torch.Size([2, 3]), torch.device("cpu")).data_ptr() == place
    False
    >>> del one
    >>> memory.empty(torch.Size([3, 2]), torch.device("cpu")).data_ptr() == place
    True
    """

    def __init__(self) -> None:
        self._kept: list[NDArray[np.float32]] = []

    def empty(self, shape: torch.Size, device: torch.device) -> torch.Tensor:
        """Return float32 of any values.

        Parameters
        ----------
        shape
            Of the tensor.
        device
            Memory of a GPU is torch's, which keeps it itself.
        """
        if device.type != "cpu":
            return torch.empty(shape, dtype=torch.float32, device=device)
        size = math.prod(shape)
        for at in range(len(self._kept)):
            # An array that only this list holds counts as one that was just put into a list.
            if self._kept[at].size == size and _holders(self._kept, at) == _holders([object()], 0):
                return torch.from_numpy(self._kept[at]).view(shape)
        self._kept.append(np.empty(size, np.float32))  # numpy asks for huge pages
        return torch.from_numpy(self._kept[-1]).view(shape)

    def clear(self) -> None:
        """Let go of all that was given; what others hold stays theirs."""
        self._kept.clear()


def _holders(things: list[NDArray[np.float32]] | list[object], at: int) -> int:
    return sys.getrefcount(things[at])
