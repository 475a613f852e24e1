"""Clusters that grow and merge as units are added from the highest down."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.stats.compiled import compiled

Float = NDArray[np.float64]
Numbers = NDArray[np.int64]


@compiled
def enhance_each(
    maps: Float, indptr: Numbers, indices: Numbers, extent: float, height: float
) -> Any:
    """Enhance maps (n_maps, n_units), one after another; see `enhance.enhanced`.

    A cluster is a tree of units. Its root holds the size, the height down to which the gain of
    the cluster is known, and that gain; what a unit gains is the sum along the way to its root.
    """
    n_maps, n = maps.shape
    made = np.zeros((n_maps, n))
    above, size = np.empty(n, np.int64), np.empty(n, np.int64)  # above: -1 = not yet added
    low, gain = np.empty(n), np.empty(n)
    for k in range(n_maps):
        values = maps[k]
        above[:] = -1
        units = np.flatnonzero(values > 0)
        order = units[np.argsort(-values[units], kind="mergesort")]
        for unit in order:
            top = values[unit]
            above[unit], size[unit], low[unit], gain[unit] = unit, 1, top, 0.0
            for other in indices[indptr[unit] : indptr[unit + 1]]:
                if above[other] >= 0:
                    _merge(unit, other, top, (above, size, low, gain), (extent, height))
        for unit in order:
            if above[unit] == unit:
                gain[unit] += _slab(size[unit], low[unit], 0.0, extent, height)
        for unit in order:
            place, total = unit, gain[unit]
            while above[place] != place:
                place = above[place]
                total += gain[place]
            made[k, unit] = total
    return made


@compiled
def _merge(unit: int, other: int, top: float, trees: Any, powers: Any) -> None:
    """Make one cluster of those of two units that touch, where the second of them is added."""
    above, size, low, gain = trees
    extent, height = powers
    one, two = _root(above, unit), _root(above, other)
    if one == two:
        return
    for root in (one, two):
        gain[root] += _slab(size[root], low[root], top, extent, height)
        low[root] = top
    if size[one] < size[two]:
        one, two = two, one
    above[two] = one
    size[one] += size[two]
    gain[two] -= gain[one]  # which is added on the way to the new root


@compiled
def _root(above: Numbers, unit: int) -> Any:
    while above[unit] != unit:
        unit = above[unit]
    return unit


@compiled
def _slab(size: int, top: float, bottom: float, extent: float, height: float) -> Any:
    """Return the integral of size^E h^H from one height to another."""
    power = height + 1
    return size**extent * (top**power - bottom**power) / power
