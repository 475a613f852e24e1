"""Gram matrices of all AlexNet layers; the peer is the bare forward and the bare products."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import Device, Row, Size, time_both
from benchmarks.peak import peak_of
from benchmarks.shown import bare_forward, network_of, pictures_of
from bids_dnn.features.extract import Options, extract_features, passes_of
from bids_dnn.features.gram import LayerGram, Passes, grams_of, plan_grams
from bids_dnn.features.grid import Array, Grid, make_grid
from bids_dnn.features.probe import probe
from bids_dnn.features.products import product, threads_of_blas
from bids_dnn.features.scratch import free_disk

NAME = "alexnet"
SIZES = {"small": 96, "full": 1750}  # pictures
REPEATS = {"small": 3, "full": 2}
BATCH = 32
MEMORY = 2.0  # GB above the network's own
TARGET = 1 / 1.3
Multiply = Callable[[Grid, Array], None]
CHECKED = 24  # pictures of which the direct product is made
SCRATCH = "bids_dnn.bench."


def passes_over(n: int, device: str) -> Passes:
    """Return passes over all layers of the network."""
    network = network_of(NAME)
    options = Options(device=device, batch_size=BATCH)
    inputs = pictures_of(network, list(range(n)))
    return passes_of(network, inputs, probe(network, None), options=options)


def by_disk(passes: Passes) -> dict[str, LayerGram]:
    """Make all Gram matrices by way of the disk."""
    with tempfile.TemporaryDirectory(prefix=SCRATCH) as folder:
        free = free_disk(Path(folder))
        plan = plan_grams(passes.n, passes.widths, free_disk=free, memory=0, mode="disk")
        return grams_of(passes, plan=plan, scratch=Path(folder))


def check(device: str) -> None:
    """Compare a few pictures' Gram matrices with the direct product of each layer.

    Raises
    ------
    ArithmeticError
        If they differ by more than 1e-6 of the largest value.
    """
    passes = passes_over(CHECKED, device)
    made = by_disk(passes)
    for layer, values in extract_features(passes).items():
        wide = values.astype(np.float64)
        expected = wide @ wide.T
        off = float(np.abs(made[layer].gram - expected).max() / np.abs(expected).max())
        if not off < 1e-6:
            raise ArithmeticError(f"gram_layers: {layer} differs from X X' by {off} of it.")


def forward_alone(n: int, device: str) -> float:
    """Show the pictures and keep nothing: what memory and time the network takes itself."""
    return bare_forward(network_of(NAME), n=n, batch_size=BATCH, device=device)


def whole(n: int, device: str) -> int:
    """Make all Gram matrices; returns their number."""
    return len(by_disk(passes_over(n, device)))


def products_alone(n: int, widths: Mapping[str, int]) -> Callable[[], None]:
    """Return what makes all matrix products from tiles that are at hand, and adds nothing up.

    Of two ways to multiply a tile with itself it takes the faster one: numpy's ``A @ A.T`` with
    all threads (BLAS's syrk), or the products of groups as they are used.
    """
    grids = [make_grid((n,), p) for p in widths.values()]
    tiles = {
        (grid.n_rows, grid.tile): np.random.default_rng(0).normal(size=(grid.n_rows, grid.tile))
        for grid in grids
    }

    def multiply_all(multiply: Multiply) -> None:
        for grid in grids:
            whole = tiles[grid.n_rows, grid.tile]
            for start, stop in grid.tiles():
                multiply(grid, whole[:, : stop - start])

    groups_s, numpy_s = time_both(
        partial(by_groups, grids[0], tiles[grids[0].n_rows, grids[0].tile]),
        partial(by_numpy, grids[0], tiles[grids[0].n_rows, grids[0].tile]),
        n_repeats=3,
    )
    return partial(multiply_all, by_groups if groups_s < numpy_s else by_numpy)


def by_groups(grid: Grid, tile: Array) -> None:
    """Multiply a tile with itself, group by group, each on one thread."""
    calls = (
        (None, partial(product, tile[grid.rows(i)], tile[grid.rows(j)])) for i, j in grid.pairs()
    )
    with threads_of_blas() as pool:
        for _ in pool.in_order(calls):
            pass


def by_numpy(grid: Grid, tile: Array) -> None:
    """Multiply the filled rows of a tile with themselves in one call, on all threads."""
    rows = tile[: grid.parts[0]]
    rows @ rows.T


def run(size: Size, device: Device) -> list[Row]:
    """Compare answers, then time and memory."""
    n = SIZES[size]
    check(device)
    passes, network = passes_over(n, device), network_of(NAME)
    products = products_alone(n, passes.widths)

    def peer() -> None:
        bare_forward(network, n=n, batch_size=BATCH, device=device)
        products()

    ours_s, peer_s = time_both(partial(by_disk, passes), peer, n_repeats=REPEATS[size])
    _, own = peak_of("benchmarks.gram_layers:forward_alone", n=n, device=device)
    _, peak = peak_of("benchmarks.gram_layers:whole", n=n, device=device)
    name = f"gram_layers[{len(passes.widths)}-layers,{n}"
    return [
        Row(f"{name},time]", ours_s, peer_s, TARGET),
        Row(f"{name},memory]", (peak - own) / 1e9, MEMORY, 1.0, unit="GB"),
    ]
