"""Inner products where neither memory nor disk holds all features: blocks of rows, many passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bids_dnn.errors import ShapeError
from bids_dnn.features.grid import Array, Grid, Sums
from bids_dnn.features.passes import Passes
from bids_dnn.features.products import (
    Features,
    Mask,
    Moments,
    Pool,
    empty_sums,
    product,
    threads_of_blas,
)
from bids_dnn.features.scratch import numbered

Weights = Sequence[Array]


def recompute(
    first: Passes,
    second: Passes | None,
    *,
    grids: Mapping[str, Grid],
    block: int,
    trains: Sequence[Mask],
) -> dict[str, list[Sums]]:
    """Multiply rows with rows while a block of them stays in memory and the others pass by.

    The bytes are those of `products.multiply`.

    Parameters
    ----------
    first
        Of which a block stays; each block needs a pass over the rows from it on.
    second
        What is multiplied with all of `first`; None = `first` itself.
    grids
        Of each layer.
    block : int
        Rows of a block, a multiple of each grid's group.
    trains
        As in `products.multiply`, over the rows of `first`; they need one more pass.

    Raises
    ------
    NotEnoughDataError
        If a training set has fewer than two rows.
    ShapeError
        If a pass gives another number of rows or columns than it should, or a block does not
        hold whole groups.
    """
    for layer, grid in grids.items():
        if block < 1 or (block % grid.group and block < first.n):
            raise ShapeError(
                f"A block of {block} rows does not hold whole groups of {grid.group} rows, as "
                f"layer {layer!r} has.",
                mend="Take the block of gram.plan_grams for these stimuli and layers.",
            )
    with threads_of_blas() as pool:
        weights = _weights(first, grids, trains, pool)
        made = {layer: empty_sums(grid, max(1, len(trains))) for layer, grid in grids.items()}
        for layer, scales in weights.items():
            for sums, scale in zip(made[layer], scales, strict=True):
                sums.n_constant = int((scale == 0).sum())
        for start in range(0, first.n, block):
            stop = min(start + block, first.n)
            held = {
                layer: Block(grid, (start, stop), weights.get(layer, ()), made[layer], pool=pool)
                for layer, grid in grids.items()
            }
            _pass_by(first, second, held, (start, stop))
            del held
    return made


def _pass_by(
    first: Passes, second: Passes | None, held: Mapping[str, Block], rows: tuple[int, int]
) -> None:
    """Fill a block, and multiply it with what comes after it, or with all of `second`."""
    start, stop = rows
    for row, batch in numbered(first(start), first.widths, n=first.n, start=start):
        for layer, mine in held.items():
            mine.take(row, batch[layer])
        if second is not None and row + _n_rows(batch) >= stop:
            break
    if second is not None:
        for row, batch in numbered(second(), second.widths, n=second.n):
            for layer, mine in held.items():
                mine.take_second(row, batch[layer])


def _n_rows(batch: Mapping[str, Features]) -> int:
    return len(next(iter(batch.values())))


class Block:
    """Some rows of one layer that stay, and the group that is being filled.

    Parameters
    ----------
    grid
    rows
        The first that stays, and the one after the last.
    weights : each (p,)
        Of the columns, for each Gram matrix; none = the features as they are.
    sums
        What is added to, for each Gram matrix.
    pool
    """

    def __init__(
        self,
        grid: Grid,
        rows: tuple[int, int],
        weights: Weights,
        sums: Sequence[Sums],
        *,
        pool: Pool,
    ) -> None:
        start, stop = rows
        self.grid, self.weights, self.sums, self.pool = grid, weights, sums, pool
        self.groups = range(start // grid.group, -(-stop // grid.group))
        n = grid.parts[0] if len(grid.parts) == 1 else stop
        self.rows = Filler(grid, n, n_held=len(self.groups), start=start)
        self.others = Filler(grid, grid.parts[-1])

    def take(self, start: int, rows: Features) -> None:
        """Keep or multiply rows (b, p) of the first part, the first of which is `start`."""
        for k, group in self.rows.take(start, rows):
            firsts = [i for i in self.groups if i <= k]
            if len(self.grid.parts) == 1:
                self._multiply(firsts, k, group, is_held=k in self.groups)

    def take_second(self, start: int, rows: Features) -> None:
        """Multiply rows (b, p) of the second part."""
        for k, group in self.others.take(start, rows):
            self._multiply(list(self.groups), self.grid.starts[1] + k, group, is_held=False)

    def _multiply(self, firsts: list[int], k: int, group: Features, *, is_held: bool) -> None:
        calls = (
            (None, partial(self._tile, firsts, k, group, slice(*ends)))
            for ends in self.grid.tiles()
        )
        for _, found in self.pool.in_order(calls):
            for sums, (rows, products) in zip(self.sums, found, strict=True):
                if is_held:
                    sums.rows[self.grid.rows(k)] += rows
                for i, made in zip(firsts, products, strict=True):
                    target = self.grid.target(sums, i, k)
                    target += made

    def _tile(
        self, firsts: list[int], k: int, group: Features, where: slice
    ) -> list[tuple[Array, list[Array]]]:
        """Return row sums and products with each of `firsts`, for each Gram matrix."""
        made = []
        for weight in self.weights or (None,):
            b = _scaled(group, where, weight)
            products = [
                product(b if i == k else _scaled(self.rows.held(i), where, weight), b)
                for i in firsts
            ]
            made.append((b.sum(axis=1), products))
        return made


def _scaled(rows: Features, where: slice, weight: Array | None) -> Array:
    made: Array = rows[:, where].astype(np.float64)
    return made if weight is None else made * weight[where]


class Filler:
    """Puts rows that come in batches of any size into groups.

    Parameters
    ----------
    grid
    n : int
        Rows that will come.
    n_held : int
        Groups that are kept; the others share one place.
    start : int
        First row that comes, which begins a group.
    """

    def __init__(self, grid: Grid, n: int, *, n_held: int = 0, start: int = 0) -> None:
        self.grid, self.n = grid, n
        self.first = start // grid.group
        self.kept = np.zeros((n_held, grid.group, grid.p), dtype=np.float32)
        self.passing: NDArray[np.float32] | None = None

    def held(self, k: int) -> Features:
        """Return group `k` (g, p), which is kept."""
        made: Features = self.kept[k - self.first]
        return made

    def take(self, start: int, rows: Features) -> Iterator[tuple[int, Features]]:
        """Give each group that `rows` (b, p), the first of which is `start`, make full.

        Rows that are missing in the last group are zeros.
        """
        size = self.grid.group
        end = min(start + len(rows), self.n)
        at = start
        while at < end:
            k = at // size
            stop = min((k + 1) * size, end)
            group = self._place(k)
            group[at - k * size : stop - k * size] = rows[at - start : stop - start]
            if stop == self.n:
                group[stop - k * size :] = 0
            if stop % size == 0 or stop == self.n:
                yield k, group
            at = stop

    def _place(self, k: int) -> Features:
        if 0 <= k - self.first < len(self.kept):
            return self.held(k)
        if self.passing is None:
            self.passing = np.zeros((self.grid.group, self.grid.p), dtype=np.float32)
        return self.passing


def _weights(
    passes: Passes, grids: Mapping[str, Grid], trains: Sequence[Mask], pool: Pool
) -> dict[str, list[Array]]:
    """Return 1 / SD of each layer's columns over each training set, from a pass of its own."""
    if not trains:
        return {}
    tiles = {layer: list(grid.tiles()) for layer, grid in grids.items()}
    moments = {layer: [[Moments() for _ in trains] for _ in tiles[layer]] for layer in grids}
    fillers = {layer: Filler(grid, passes.n) for layer, grid in grids.items()}
    for start, batch in numbered(passes(), passes.widths, n=passes.n):
        for layer, filler in fillers.items():
            for k, group in filler.take(start, batch[layer]):
                calls: Iterator[tuple[None, Callable[[], None]]] = (
                    (None, partial(_add, mine, group, slice(*ends), trains, k))
                    for mine, ends in zip(moments[layer], tiles[layer], strict=True)
                )
                for _ in pool.in_order(calls):
                    pass
    return {
        layer: [
            np.concatenate([mine[which].inverse() for mine in moments[layer]])
            for which in range(len(trains))
        ]
        for layer in grids
    }


def _add(
    moments: Sequence[Moments], group: Features, where: slice, trains: Sequence[Mask], k: int
) -> None:
    rows = group[:, where].astype(np.float64)
    for mine, train in zip(moments, trains, strict=True):
        chosen = train[k * len(group) :][: len(group)]
        mine.add(rows[: len(chosen)][chosen])
