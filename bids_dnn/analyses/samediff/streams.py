"""Modules that see both crops of a pair by one stream: a siamese classifier, and a distance."""

from __future__ import annotations

import torch
from torch import nn

N_HIDDEN = 512
N_EMBEDDED = 128
DROPOUT = (0.25, 0.5)
TINY = 1e-12  # under the root of a distance, whose slope at 0 is not known
KERNEL = 3


class Feedback(nn.Module):
    """From maps over the periphery to a picture that is added to what the fovea sees.

    A 3 x 3 convolution of widely padded maps, ReLU, and pooling that halves: the maps land in
    the middle of the picture, which is the fovea. Around them lies the bias alone, so that only
    the middle is computed.

    Parameters
    ----------
    n_channels, side : int
        Of the maps.
    size_px : int
        Side of the picture.
    """

    def __init__(self, n_channels: int, side: int, size_px: int) -> None:
        super().__init__()
        wide = 2 * size_px - side % 2  # so that the padding is the same on both sides
        self.conv = nn.Conv2d(n_channels, 3, KERNEL)
        self.margin = (wide - side - KERNEL + 1) // 2
        self.pool = nn.MaxPool2d(KERNEL, stride=2, padding=1)

    @property
    def padding(self) -> int:
        """Return the padding of the whole convolution, of which the middle is computed."""
        return self.margin + KERNEL - 1

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return a picture (n, 3, size, size), of maps (n, n_channels, side, side)."""
        middle = nn.functional.conv2d(maps, self.conv.weight, padding=KERNEL - 1)
        padded = nn.functional.pad(middle, (self.margin,) * 4)
        made: torch.Tensor = self.pool((padded + self.bias()).relu())
        return made

    def bias(self) -> torch.Tensor:
        """Return the bias, (3, 1, 1)."""
        if self.conv.bias is None:
            return torch.zeros(3, 1, 1)
        return self.conv.bias[:, None, None]


def pooled(maps: torch.Tensor) -> torch.Tensor:
    """Return the mean and the maximum over space, (n, 2 * n_channels), of maps (n, c, h, w)."""
    return torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1)


class Siamese(nn.Module):
    """One stream for both peripheral crops, and a foveal one that hears of them.

    Parameters
    ----------
    peripheral
        Pictures (n, 3, size, size) to maps (n, n_channels, side, side).
    foveal
        The same, of its own weights; None = there is no foveal stream.
    n_channels, side, size_px : int
        See `Feedback`.
    n_classes : int
        Of answers.
    """

    def __init__(
        self,
        peripheral: nn.Module,
        foveal: nn.Module | None,
        *,
        n_channels: int,
        side: int,
        size_px: int,
        n_classes: int = 2,
    ) -> None:
        super().__init__()
        self.peripheral, self.foveal = peripheral, foveal
        self.feedback = None if foveal is None else Feedback(2 * n_channels, side, size_px)
        n_pooled = 2 * n_channels * (2 if foveal is None else 3)
        self.head = nn.Sequential(
            nn.BatchNorm1d(n_pooled),
            nn.Dropout(DROPOUT[0]),
            nn.Linear(n_pooled, N_HIDDEN),
            nn.ReLU(),
            nn.BatchNorm1d(N_HIDDEN),
            nn.Dropout(DROPOUT[1]),
            nn.Linear(N_HIDDEN, n_classes),
        )

    def forward(
        self, first: torch.Tensor, second: torch.Tensor, fovea: torch.Tensor
    ) -> torch.Tensor:
        """Return logits (n, n_classes), as of different and same, of (n, 3, size, size) each."""
        maps = _both(self.peripheral, first, second)
        if self.foveal is not None and self.feedback is not None:
            heard = self.foveal(fovea + self.feedback(maps))
            maps = torch.cat([maps, heard], dim=1)
        made: torch.Tensor = self.head(pooled(maps))
        return made


class Distance(nn.Module):
    """One stream for both crops, and a projection in which the same lies near.

    Parameters
    ----------
    peripheral
        Pictures (n, 3, size, size) to maps (n, n_channels, side, side).
    n_channels : int
    """

    def __init__(self, peripheral: nn.Module, *, n_channels: int) -> None:
        super().__init__()
        self.peripheral = peripheral
        self.head = nn.Sequential(
            nn.BatchNorm1d(2 * n_channels),
            nn.Dropout(DROPOUT[0]),
            nn.Linear(2 * n_channels, N_EMBEDDED),
        )

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Return the Euclidean distance (n,) of pictures (n, 3, size, size)."""
        maps = self.peripheral(torch.cat([first, second]))
        one, two = self.head(pooled(maps)).chunk(2)
        made: torch.Tensor = ((one - two).square().sum(dim=1) + TINY).sqrt()
        return made


def _both(stream: nn.Module, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Return the maps of both pictures, one set of channels after the other."""
    return torch.cat(stream(torch.cat([first, second])).chunk(2), dim=1)
