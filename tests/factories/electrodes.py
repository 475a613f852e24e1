"""Recordings of electrode arrays whose places are known."""

from __future__ import annotations

import numpy as np

from bids_dnn.containers.layout import Layout
from bids_dnn.containers.space import Channels

CORNERS = {(0, 0), (0, 9), (9, 0), (9, 9)}


def make_layout(array, *, area: str = "V1", channel=None, place=None) -> Layout:
    """Fill in what is not told."""
    array = tuple(array)
    n = len(array)
    return Layout(
        array,
        (area,) * n,
        np.zeros(n, dtype=np.int64) if channel is None else np.asarray(channel, dtype=np.int64),
        np.full((n, 2), np.nan) if place is None else np.asarray(place, dtype=float),
    )


def make_channels(layout: Layout, index=None) -> Channels:
    """Name channels by their number; all are units where `index` is None."""
    n = len(layout)
    names = tuple(f"c{i}" for i in range(n))
    index = np.arange(n) if index is None else np.asarray(index, dtype=np.int64)
    return Channels("electrodes", names, index, layout)


def make_utah(seed: int = 0) -> tuple[Channels, np.ndarray]:
    """An array of 96 electrodes in mixed order; returns it, and row and column of each."""
    grid = [(r, c) for r in range(10) for c in range(10) if (r, c) not in CORNERS]
    at = np.random.default_rng(seed).permutation(np.array(grid))
    place = np.column_stack([400.0 * at[:, 1], -400.0 * at[:, 0]])
    return make_channels(make_layout(["utah"] * 96, area="V4", place=place)), at


def make_arrays(n_arrays: int = 15, n: int = 64) -> Channels:
    """Arrays of numbered channels without places; each lacks its second channel."""
    held = [(a, c) for a in range(1, n_arrays + 1) for c in range(1, n + 1) if c != 2]
    layout = make_layout([f"array{a:02d}" for a, _ in held], channel=[c for _, c in held])
    return make_channels(layout)
