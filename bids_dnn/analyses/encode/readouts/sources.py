"""Where feature maps come from: an array, or a network that makes them anew each time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from bids_dnn.errors import ShapeError, UnreadableError

Index = NDArray[np.intp]
MEMORY = 2 << 30  # bytes of features that are kept on the device
SPAN = 16  # stimuli in a row that are read together where not all are kept
READ = 256  # stimuli read at once


class FeatureSource(Protocol):
    """Feature maps of one layer for the stimuli of an analysis.

    `n` stimuli of `shape` (C, H, W) each; `span` stimuli in a row should be read together (1 =
    any order costs the same).
    """

    @property
    def n(self) -> int:
        """Return the number of stimuli."""
        ...

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (C, H, W)."""
        ...

    @property
    def span(self) -> int:
        """Return how many stimuli in a row are best read together."""
        ...

    def rows(self, index: Index) -> torch.Tensor:
        """Return the maps (len(index), C, H, W) float32 of stimuli, on the device."""
        ...


class ArraySource:
    """Feature maps that lie in an array, a memory map or a zarr array.

    Where all of them fit into `memory`, they are read once and kept on the device; else stretches
    of rows are read each time.

    Parameters
    ----------
    values : (n_rows, C, H, W)
        Anything with a shape that gives rows when sliced.
    order : (n,) index
        Rows of the stimuli, which `values` must then give by an index; None = as they are. Where
        not all are kept, no more than those that are asked for are copied.
    device
        Of torch.
    memory : int, bytes
        Most that is kept on the device.

    Raises
    ------
    ShapeError
        If it has not four axes, or one of them is empty.
    """

    def __init__(
        self,
        values: Any,
        *,
        order: Index | None = None,
        device: str = "cpu",
        memory: int = MEMORY,
    ) -> None:
        shape = tuple(int(k) for k in values.shape)
        if order is not None:
            shape = (len(order), *shape[1:])
        if len(shape) != 4 or not all(shape):
            raise ShapeError(
                f"Feature maps have shape {shape}; a readout takes (n, C, H, W), none of them 0.",
                mend="Choose a layer with a map over space, such as a convolution.",
            )
        self._values, self._order, self._device = values, order, device
        self._shape = shape
        self._kept: torch.Tensor | None = None
        if 4 * int(np.prod(shape)) <= memory:
            self._kept = torch.empty(shape, dtype=torch.float32, device=device)
            for start in range(0, shape[0], READ):
                self._kept[start : start + READ] = self._stretch(start, start + READ)

    @property
    def n(self) -> int:
        """Return the number of stimuli."""
        return self._shape[0]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (C, H, W)."""
        return self._shape[1], self._shape[2], self._shape[3]

    @property
    def span(self) -> int:
        """Return 1 where all maps are kept."""
        return SPAN if self._kept is None else 1

    def rows(self, index: Index) -> torch.Tensor:
        """Return the maps (len(index), C, H, W) float32 of stimuli, on the device."""
        if self._kept is not None:
            return self._kept[torch.as_tensor(index, device=self._device)]
        order = np.argsort(index, kind="stable")
        rising = index[order]
        cuts = np.flatnonzero(np.diff(rising) != 1) + 1
        parts = [self._stretch(int(part[0]), int(part[-1]) + 1) for part in np.split(rising, cuts)]
        made = torch.empty((len(index), *self.shape), dtype=torch.float32)
        made[torch.as_tensor(order)] = torch.cat(parts)
        return made.to(self._device)

    def _stretch(self, start: int, stop: int) -> torch.Tensor:
        """Read rows in a row, on the host."""
        where = slice(start, stop) if self._order is None else self._order[start:stop]
        return torch.tensor(np.asarray(self._values[where], dtype=np.float32))


class NetworkSource:
    """Feature maps that a network makes of 8-bit images each time they are asked for.

    Parameters
    ----------
    images : (n, h, w, 3) uint8
        Anything with a shape that gives rows when sliced; kept as it is.
    order : (n,) index
        Rows of the stimuli; None = as they are.
    extract
        From uint8 images (b, h, w, 3) on the device to maps (b, C, H, W); the network in
        evaluation mode.
    device
        Of torch.
    batch : int
        Images shown at a time.

    Raises
    ------
    ShapeError
        If the images are not (n, h, w, 3) uint8, or what is made of one has not four axes.
    """

    def __init__(
        self,
        images: Any,
        extract: Callable[[torch.Tensor], torch.Tensor],
        *,
        order: Index | None = None,
        device: str = "cpu",
        batch: int = 64,
    ) -> None:
        shape = tuple(images.shape)
        if len(shape) != 4 or shape[3] != 3 or images.dtype != np.uint8 or not all(shape):
            raise ShapeError(
                f"Images have shape {shape} and type {images.dtype}; (n, h, w, 3) uint8 are "
                "shown.",
                mend="Give the cache of 8-bit images.",
            )
        self._images, self._extract, self._device, self._batch = images, extract, device, batch
        self._order = np.arange(shape[0]) if order is None else order
        first = self._made(np.zeros(1, dtype=np.intp))
        if first.ndim != 4:
            raise ShapeError(
                f"Features of one image have shape {tuple(first.shape)}; a readout takes "
                "(n, C, H, W).",
                mend="Choose a layer with a map over space, such as a convolution.",
            )
        self._shape = (int(first.shape[1]), int(first.shape[2]), int(first.shape[3]))

    @property
    def n(self) -> int:
        """Return the number of stimuli."""
        return len(self._order)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (C, H, W)."""
        return self._shape

    @property
    def span(self) -> int:
        """Return how many stimuli in a row are best read together."""
        return 1 if isinstance(self._images, np.ndarray) else SPAN

    def rows(self, index: Index) -> torch.Tensor:
        """Return the maps (len(index), C, H, W) float32 of stimuli, on the device."""
        made = torch.empty((len(index), *self._shape), dtype=torch.float32, device=self._device)
        for start in range(0, len(index), self._batch):
            made[start : start + self._batch] = self._made(index[start : start + self._batch])
        return made

    @torch.no_grad()
    def _made(self, index: Index) -> torch.Tensor:
        rows = self._order[index]
        if isinstance(self._images, np.ndarray):
            shown = self._images[rows]
        else:
            shown = np.stack([np.asarray(self._images[int(k)]) for k in rows])
        return self._extract(torch.tensor(shown, device=self._device))


def finite_rows(source: FeatureSource, index: Index) -> torch.Tensor:
    """Return the maps of stimuli, all of which must be finite.

    Raises
    ------
    UnreadableError
        If a value is not finite; names the first such stimulus by its index.
    ShapeError
        If the source gives another shape than it promised.
    """
    maps = source.rows(index)
    if tuple(maps.shape) != (len(index), *source.shape):
        raise ShapeError(
            f"The source of features gave {tuple(maps.shape)} for {len(index)} stimuli of shape "
            f"{source.shape}.",
            mend="Its rows must be (len(index), C, H, W).",
        )
    is_whole = torch.isfinite(maps).flatten(1).all(dim=1)
    if not bool(is_whole.all()):
        bad = np.asarray(index)[~is_whole.cpu().numpy()]
        raise UnreadableError(
            f"Features of {len(bad)} stimuli hold NaN or infinite values, first of the stimulus "
            f"at index {int(bad[0])}.",
            mend="Look at that image and layer; extract its features anew, in float32.",
        )
    return maps


def stretches(index: Index, size: int = READ) -> list[Index]:
    """Cut an index into parts that are read at once."""
    return [index[start : start + size] for start in range(0, len(index), size)]
