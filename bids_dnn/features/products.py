"""Inner products of features, cut the same way whatever the threads, the batches and the memory.

Rows are cut into groups and columns into tiles. Each product of two groups in one tile is one
call of BLAS on one thread, always of the same shape (missing rows are zeros), and the tiles are
added in their order: so the same features give the same bytes.
"""

from __future__ import annotations

from collections import defaultdict, deque
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
from bids_dnn.features.grid import Array, Grid, Sums

Features = NDArray[np.float32]
Mask = NDArray[np.bool_]
Item = TypeVar("Item")
Key = TypeVar("Key")


class Columns(Protocol):
    """All rows of one layer, readable by columns."""

    def columns(self, start: int, stop: int, /) -> Features:
        """Return columns `start` to `stop`, (n, stop - start)."""


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
    ((_, made),) = multiply_each([("", grid, sources)], trains)
    return made


def multiply_each(
    works: Iterable[tuple[str, Grid, Sequence[Columns]]], trains: Sequence[Mask]
) -> Iterator[tuple[str, list[Sums]]]:
    """Multiply several layers, one after the other, as `multiply` does.

    Tiles of the next layer are read while the last ones of a layer are multiplied.

    Parameters
    ----------
    works
        Name, grid and sources of each layer; the next one is asked for, in a thread, once all of
        a layer was read.
    trains
        As in `multiply`.

    Yields
    ------
    name, sums
    """
    spare: Spare = defaultdict(deque)

    def calls() -> Iterator[tuple[Added, Callable[[], Array]]]:
        for tile in _ahead(_tiles_of(works, trains, spare)):
            grid, values = tile.grid, tile.values
            last = grid.starts[1] - 1, grid.starts[-1] - 1
            for i, j in grid.pairs():
                target = grid.target(tile.sums[tile.which], i, j)
                call = partial(product, values[grid.rows(i)], values[grid.rows(j)])
                yield (target, tile if (i, j) == last else None), call

    with threads_of_blas() as pool:
        for (target, done), found in pool.in_order(calls()):
            target += found
            if done is not None:
                _keep(done.grid, done.values, spare)
                if done.is_last:
                    yield done.name, done.sums


@dataclass(frozen=True, slots=True, eq=False)
class _Tile:
    """Some columns of a layer, and where their products belong."""

    name: str
    grid: Grid
    sums: list[Sums]
    which: int
    values: Array
    is_last: bool


Kind = tuple[tuple[int, ...], int, int]  # parts, rows of a group, columns
Spare = defaultdict[Kind, deque[Array]]
Added = tuple[Array, _Tile | None]


def _kind(grid: Grid, width: int) -> Kind:
    return grid.parts, grid.group, width


def _keep(grid: Grid, tile: Array, spare: Spare) -> None:
    """Keep a tile to be filled anew; not the narrow last one of a layer."""
    if tile.shape[1] == grid.tile:
        spare[_kind(grid, grid.tile)].append(tile)


def _tiles_of(
    works: Iterable[tuple[str, Grid, Sequence[Columns]]], trains: Sequence[Mask], spare: Spare
) -> Iterator[_Tile]:
    for name, grid, sources in works:
        made = empty_sums(grid, max(1, len(trains)))
        for start, stop in grid.tiles():
            for which, values in _scaled(grid, sources, (start, stop), trains, made, spare):
                is_last = stop == grid.p and which == len(made) - 1
                yield _Tile(name, grid, made, which, values, is_last)


def _scaled(
    grid: Grid,
    sources: Sequence[Columns],
    ends: tuple[int, int],
    trains: Sequence[Mask],
    made: Sequence[Sums],
    spare: Spare,
) -> Iterator[tuple[int, Array]]:
    """Give a tile (n_rows, w), once for each Gram matrix, and add up its rows.

    A tile that was multiplied comes back through `spare`, and is filled anew.
    """
    tile = _blank(grid, ends[1] - ends[0], spare)
    for first, n, source in zip(grid.starts, grid.parts, sources, strict=False):
        tile[first * grid.group :][:n] = source.columns(*ends)
    if not trains:
        made[0].rows += tile.sum(axis=1)
        yield 0, tile
    for which, train in enumerate(trains):
        moments = Moments()
        for i in range(0, grid.parts[0], grid.group):
            moments.add(tile[i : i + grid.group][: grid.parts[0] - i][train[i:][: grid.group]])
        weights = moments.inverse()
        made[which].n_constant += int((weights == 0).sum())
        scaled = np.multiply(tile, weights, out=_blank(grid, tile.shape[1], spare))
        made[which].rows += scaled.sum(axis=1)
        yield which, scaled
    if trains:
        _keep(grid, tile, spare)


def _blank(grid: Grid, width: int, spare: Spare) -> Array:
    """Return a tile (n_rows, width) of which the rows that no stimulus fills are zero."""
    tiles = spare[_kind(grid, width)]
    return tiles.popleft() if tiles else np.zeros((grid.n_rows, width))


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
