"""How rows and columns of features are cut for their products: by their numbers alone.

Rows are cut into groups and columns into tiles, whatever the threads, the batches and the memory,
so that the same features give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SPEEDS = {  # rows of a group: 1e9 operations/s (an EPYC)
    512: 68, 448: 68, 384: 67, 320: 66, 256: 65, 192: 60, 128: 55, 64: 45, 32: 36, 16: 25,
}  # fmt: skip
GROUP_BYTES = 384 << 20
LEAST_OF_WIDE = 64
TILE_ELEMENTS = 8 << 20
TILES = (256, 4096)


@dataclass(slots=True, eq=False)
class Sums:
    """What the tiles add up to.

    Parameters
    ----------
    products : float64
        Filled for the pairs of a grid, of its shape.
    rows : (n_rows,) float64
        Sum of each row.
    n_constant : int
        Columns left out, as they do not vary over the training rows.
    """

    products: Array
    rows: Array
    n_constant: int = 0


@dataclass(frozen=True, slots=True)
class Grid:
    """How rows and columns are cut, from their numbers alone.

    Parameters
    ----------
    parts
        Rows of each set of stimuli; a set begins with a group of its own.
    p : int
        Columns.
    group : int
        Rows of a group.
    tile : int
        Columns of a tile.
    """

    parts: tuple[int, ...]
    p: int
    group: int
    tile: int

    @property
    def starts(self) -> tuple[int, ...]:
        """Return the first group of each part, and the number of groups."""
        groups = [-(-n // self.group) for n in self.parts]
        return tuple(int(sum(groups[:k])) for k in range(len(groups) + 1))

    @property
    def n_rows(self) -> int:
        """Return the number of rows, with those of zeros that fill the last groups."""
        return self.starts[-1] * self.group

    @property
    def shape(self) -> tuple[int, int]:
        """Return the shape of the products: the part with itself, or the first with the second."""
        rows = [self.group * -(-n // self.group) for n in self.parts]
        return rows[0], rows[-1]

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Give the pairs of groups to be multiplied.

        The first not after the second for one part; for two, one group of each.
        """
        is_one, end = len(self.parts) == 1, self.starts[-1]
        for i in range(self.starts[1]):
            for j in range(i if is_one else self.starts[1], end):
                yield i, j

    def target(self, sums: Sums, i: int, j: int) -> Array:
        """Return where the product of groups `i` and `j` is added, a view (g, g)."""
        if len(self.parts) > 1:
            j -= self.starts[1]
        return sums.products[self.rows(i), self.rows(j)]

    def rows(self, k: int) -> slice:
        """Return the rows of group `k`."""
        return slice(k * self.group, (k + 1) * self.group)

    def whole(self, sums: Sums) -> Array:
        """Return the products of the one part with itself (n, n), symmetric to the bit."""
        n = self.parts[0]
        made: Array = sums.products[:n, :n].copy()
        for start in range(0, n, self.group):
            stop = start + self.group
            made[stop:, start:stop] = made[start:stop, stop:].T
            square = made[start:stop, start:stop]
            square[:] = np.triu(square) + np.triu(square, 1).T
        return made

    def tiles(self) -> Iterator[tuple[int, int]]:
        """Give where each tile begins and ends; one of no width where there are no columns."""
        for start in range(0, max(self.p, 1), self.tile):
            yield start, min(start + self.tile, self.p)


def make_grid(parts: Sequence[int], p: int) -> Grid:
    """Choose groups and tiles: large enough for speed, small enough for memory.

    Parameters
    ----------
    parts
        Rows of each set of stimuli.
    p : int
        Columns.

    Examples
    --------
    >>> make_grid((1750,), 9216)
    Grid(parts=(1750,), p=9216, group=448, tile=4096)
    """

    def cost(g: int) -> float:
        return math.prod(-(-n // g) * g for n in (parts[0], parts[-1])) / SPEEDS[g]

    group = min(SPEEDS, key=cost)
    while 4 * group * p > GROUP_BYTES and group > LEAST_OF_WIDE:
        group //= 2  # so that groups of a narrower layer hold whole ones of a wider layer
    rows = sum(-(-k // group) * group for k in parts)
    least, most = TILES
    return Grid(
        tuple(parts), p, group, min(max(TILE_ELEMENTS // max(rows, 1) // 64 * 64, least), most)
    )
