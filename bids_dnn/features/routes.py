"""Three routes from batches of features to inner products: by disk, by memory, by many passes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from bids_dnn.features.grid import Grid, Sums, make_grid
from bids_dnn.features.passes import Passes, steadily
from bids_dnn.features.products import Features, Mask, multiply_each
from bids_dnn.features.resident import recompute
from bids_dnn.features.scratch import Scratch, numbered, spooled

Mode = Literal["disk", "recompute"]


@dataclass(frozen=True, slots=True, eq=False)
class InMemory:
    """Features that are at hand.

    Parameters
    ----------
    values : (n, p)
    """

    values: Features

    def columns(self, start: int, stop: int, /) -> Features:
        """Return columns `start` to `stop`."""
        return self.values[:, start:stop]


def add_up(
    first: Passes,
    second: Passes | None,
    *,
    mode: Mode,
    block: int,
    scratch: Path,
    trains: Sequence[Mask],
) -> dict[str, list[Sums]]:
    """Multiply the rows of `first` with themselves, or with those of `second`.

    Parameters
    ----------
    first, second
        Features in batches.
    mode
        As in `gram.GramPlan`.
    block : int
        Rows of `first` that stay in memory where `mode` is ``recompute``.
    scratch
        Folder of the files where `mode` is ``disk``.
    trains : each (first.n,) bool
        As in `products.multiply`.

    Returns
    -------
    sums
        For each layer: one for each of `trains`, or one. The bytes do not depend on the route.

    Raises
    ------
    OutputError
        If `scratch` has too little room or cannot be written.
    ShapeError
        If a batch has another number of rows or columns than it should, or `block` does not fit.
    NotEnoughDataError
        If a training set has fewer than two rows.
    """
    both = [first] if second is None else [first, second]
    parts = [one.n for one in both]
    grids = {layer: make_grid(parts, p) for layer, p in first.widths.items()}
    if mode == "disk":
        return steadily(partial(_by_disk, both, grids, scratch, trains))
    if block >= first.n and second is None:
        held = steadily(partial(_collect, first))
        works = ((layer, grid, (InMemory(held.pop(layer)),)) for layer, grid in grids.items())
        return dict(multiply_each(works, trains))
    again = partial(recompute, first, second, grids=grids, block=block, trains=trains)
    return steadily(again)


def _by_disk(
    both: Sequence[Passes], grids: Mapping[str, Grid], scratch: Path, trains: Sequence[Mask]
) -> dict[str, list[Sums]]:
    tiles = {layer: grid.tile for layer, grid in grids.items()}
    with ExitStack() as stack:
        spools = [
            stack.enter_context(spooled(one(), one.widths, n=one.n, tiles=tiles, folder=scratch))
            for one in both
        ]

        def works() -> Iterator[tuple[str, Grid, list[Scratch]]]:
            for layer, grid in grids.items():
                there = [spool[layer] for spool in spools]
                yield layer, grid, there
                for one in there:
                    one.close()

        return dict(multiply_each(works(), trains))


def _collect(passes: Passes) -> dict[str, Features]:
    made = {layer: np.empty((passes.n, p), np.float32) for layer, p in passes.widths.items()}
    for start, batch in numbered(passes(), passes.widths, n=passes.n):
        for layer, values in made.items():
            values[start : start + len(batch[layer])] = batch[layer]
    return made
