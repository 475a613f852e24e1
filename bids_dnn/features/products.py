"""Inner products of features, cut the same way whatever the threads, the batches and the memory.

Rows are cut into groups and columns into tiles. Each product of two groups in one tile is one
call of BLAS on one thread, always of the same shape (missing rows are zeros), and the tiles are
added in their order: so the same features give the same bytes.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from bids_dnn.backend import cores
from bids_dnn.errors import NotEnoughDataError

Array = NDArray[np.float64]
Features = NDArray[np.float32]
Mask = NDArray[np.bool_]
Item = TypeVar("Item")
Key = TypeVar("Key")

SPEEDS = {256: 65, 128: 55, 64: 45, 32: 36, 16: 25}  # rows of a group: 1e9 operations/s (a Xeon)
GROUP_BYTES = 256 << 20
LEAST_OF_WIDE = 64
TILE_ELEMENTS = 8 << 20
TILES = (256, 4096)


class Columns(Protocol):
    """All rows of one layer, readable by columns."""

    def columns(self, start: int, stop: int, /) -> Features:
        """Return columns `start` to `stop`, (n, stop - start)."""


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
        """Give where each tile begins and ends."""
        for start in range(0, self.p, self.tile):
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
    Grid(parts=(1750,), p=9216, group=256, tile=4096)
    """
    allowed = [g for g in SPEEDS if 4 * g * p <= GROUP_BYTES or g <= LEAST_OF_WIDE]

    def cost(g: int) -> float:
        return math.prod(-(-n // g) * g for n in (parts[0], parts[-1])) / SPEEDS[g]

    group = min(allowed, key=cost)
    rows = sum(-(-k // group) * group for k in parts)
    least, most = TILES
    return Grid(
        tuple(parts), p, group, min(max(TILE_ELEMENTS // max(rows, 1) // 64 * 64, least), most)
    )


class Moments:
    """Running sums over training rows of some columns, for their standard deviation.

    Sums are of differences from the first training row, so that a column that does not vary is
    known exactly, and little is lost where the mean is far from zero.
    """

    def __init__(self) -> None:
        self.count = 0
        self.shift: Array | None = None
        self.sum: Array | None = None
        self.squares: Array | None = None

    def add(self, rows: Array) -> None:
        """Count `rows` (r, w), a group or what a training set has of it."""
        if not len(rows):
            return
        if self.shift is None or self.sum is None or self.squares is None:
            self.shift = rows[0].copy()
            self.sum, self.squares = np.zeros_like(self.shift), np.zeros_like(self.shift)
        away = rows - self.shift
        self.sum += away.sum(axis=0)
        np.multiply(away, away, out=away)
        self.squares += away.sum(axis=0)
        self.count += len(rows)

    def inverse(self) -> Array:
        """Return 1 / SD of each column (w,); 0 for a column that does not vary.

        Raises
        ------
        NotEnoughDataError
            If there are fewer than two rows.
        """
        if self.sum is None or self.squares is None or self.count < 2:
            raise NotEnoughDataError(
                f"Columns cannot be scaled by their deviation over {self.count} training row(s).",
                mend="Name two training stimuli at least.",
            )
        variance = (self.squares - self.sum**2 / self.count) / self.count
        varies = self.squares > 0
        made: Array = varies / np.sqrt(np.where(varies, variance, 1.0))
        return made


def empty_sums(grid: Grid, n_grams: int) -> list[Sums]:
    """Return zeros to add to: one for each way to scale the columns."""
    return [Sums(np.zeros(grid.shape), np.zeros(grid.n_rows)) for _ in range(n_grams)]


def multiply(grid: Grid, sources: Sequence[Columns], trains: Sequence[Mask]) -> list[Sums]:
    """Multiply rows with rows, all of them being at hand, tile by tile.

    Parameters
    ----------
    grid
    sources
        For each part of the grid.
    trains : each (n of the first part,) bool
        For each Gram matrix, the rows over which columns are scaled to an SD of one; none = one
        Gram matrix of the features as they are.

    Returns
    -------
    sums
        One for each of `trains`, or one.

    Raises
    ------
    NotEnoughDataError
        If a training set has fewer than two rows.
    """
    made = empty_sums(grid, max(1, len(trains)))

    spare: deque[Array] = deque()

    def calls() -> Iterator[tuple[tuple[Array, Array | None], Callable[[], Array]]]:
        last = grid.starts[1] - 1, grid.starts[-1] - 1
        for which, tile in _ahead(_scaled_tiles(grid, sources, trains, made, spare)):
            for i, j in grid.pairs():
                target = grid.target(made[which], i, j), tile if (i, j) == last else None
                yield target, partial(product, tile[grid.rows(i)], tile[grid.rows(j)])

    with threads_of_blas() as pool:
        for (target, done), found in pool.in_order(calls()):
            target += found
            if done is not None:
                spare.append(done)
    return made


def _scaled_tiles(
    grid: Grid,
    sources: Sequence[Columns],
    trains: Sequence[Mask],
    made: Sequence[Sums],
    spare: deque[Array],
) -> Iterator[tuple[int, Array]]:
    """Give each tile (n_rows, w), once for each Gram matrix, and add up its rows.

    A tile that was multiplied comes back through `spare`, and is filled anew.
    """
    for start, stop in grid.tiles():
        tile = _blank(grid, stop - start, spare)
        for first, n, source in zip(grid.starts, grid.parts, sources, strict=False):
            tile[first * grid.group :][:n] = source.columns(start, stop)
        if not trains:
            made[0].rows += tile.sum(axis=1)
            yield 0, tile
        for which, train in enumerate(trains):
            moments = Moments()
            for i in range(0, grid.parts[0], grid.group):
                moments.add(tile[i : i + grid.group][: grid.parts[0] - i][train[i:][: grid.group]])
            weights = moments.inverse()
            made[which].n_constant += int((weights == 0).sum())
            scaled = np.multiply(tile, weights, out=_blank(grid, stop - start, spare))
            made[which].rows += scaled.sum(axis=1)
            yield which, scaled
        if trains:
            spare.append(tile)


def _blank(grid: Grid, width: int, spare: deque[Array]) -> Array:
    """Return a tile (n_rows, width) of which the rows that no stimulus fills are zero."""
    while spare:
        tile = spare.popleft()
        if tile.shape[1] == width:
            return tile
    return np.zeros((grid.n_rows, width))


def product(a: Array, b: Array) -> Array:
    """Multiply two groups in one tile, (g, w) each, to (g, g)."""
    made: Array = a @ b.T
    return made


@dataclass(frozen=True, slots=True)
class Pool:
    """Threads, of which each may call BLAS.

    Parameters
    ----------
    executor
    n_threads : int
    blas
        Lets each call of BLAS use one thread while calls are made, and no longer.
    """

    executor: Executor
    n_threads: int
    blas: ThreadpoolController

    def in_order(
        self, calls: Iterable[tuple[Key, Callable[[], Item]]]
    ) -> Iterator[tuple[Key, Item]]:
        """Make the calls in the threads, and give what they return in their order."""
        waiting: deque[tuple[Key, Future[Item]]] = deque()
        with self.blas.limit(limits=1, user_api="blas"):
            for key, call in calls:
                waiting.append((key, self.executor.submit(call)))
                if len(waiting) > 2 * self.n_threads:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()


@contextmanager
def threads_of_blas() -> Iterator[Pool]:
    """Give as many threads as BLAS may use now."""
    blas = ThreadpoolController()
    allowed = [one["num_threads"] for one in blas.info() if one["user_api"] == "blas"]
    n_threads = max(allowed, default=cores())
    with ThreadPoolExecutor(n_threads) as executor:
        yield Pool(executor, n_threads, blas)


def _ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Give `items`, the next one being made meanwhile in a thread."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(next, items, None)
        while (item := future.result()) is not None:
            future = pool.submit(next, items, None)
            yield item
