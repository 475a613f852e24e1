"""Gram matrices of all AlexNet layers; the peer is the bare forward and the bare products."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks import Device, Row, Size, time_both
from benchmarks.peak import peak_of
from benchmarks.shown import bare_forward, network_of, pictures_of
from bids_dnn.features.extract import Options, extract_features, passes_of
from bids_dnn.features.gram import LayerGram, Passes, grams_of, plan_grams
from bids_dnn.features.probe import probe
from bids_dnn.features.products import Grid, make_grid, product, threads_of_blas
from bids_dnn.features.scratch import free_disk

NAME = "alexnet"
SIZES = {"small": 96, "full": 1750}  # pictures
REPEATS = {"small": 3, "full": 1}
BATCH = 32
MEMORY = 2.0  # GB above the network's own
TARGET = 1 / 1.3
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


def products_s(n: int, widths: Mapping[str, int]) -> float:
    """Measure the seconds of the matrix products alone, with tiles that are at hand.

    As many products of a tile with itself are made as the layers have tiles, since a burst of a
    few is faster than a processor stays. Of two ways to make them the faster one counts: numpy's
    ``A @ A.T`` with all threads (BLAS's syrk), and the products of groups as they are used.
    """
    n_tiles: Counter[Grid] = Counter()
    columns: Counter[Grid] = Counter()
    for p in widths.values():
        grid = make_grid((n,), p)
        shape = replace(grid, p=min(grid.tile, p))
        n_tiles[shape] += -(-p // shape.p)
        columns[shape] += p
    return sum(
        _tiles_s(shape, count) * columns[shape] / (count * shape.p)
        for shape, count in n_tiles.items()
    )


def _tiles_s(grid: Grid, count: int) -> float:
    tile = np.random.default_rng(0).normal(size=(grid.n_rows, grid.p))
    rows = tile[: grid.parts[0]]

    def by_groups(count: int) -> None:
        calls = (
            (None, partial(product, tile[grid.rows(i)], tile[grid.rows(j)]))
            for _ in range(count)
            for i, j in grid.pairs()
        )
        with threads_of_blas() as pool:
            for _ in pool.in_order(calls):
                pass

    def by_numpy(count: int) -> None:
        for _ in range(count):
            rows @ rows.T

    groups_s, numpy_s = time_both(partial(by_groups, 1), partial(by_numpy, 1), n_repeats=3)
    best = by_groups if groups_s < numpy_s else by_numpy
    start = perf_counter()
    best(count)
    return perf_counter() - start


def run(size: Size, device: Device) -> list[Row]:
    """Compare answers, then time and memory."""
    n = SIZES[size]
    check(device)
    passes, network = passes_over(n, device), network_of(NAME)
    forward = partial(bare_forward, network, n=n, batch_size=BATCH, device=device)
    ours_s, forward_s = time_both(partial(by_disk, passes), forward, n_repeats=REPEATS[size])
    peer_s = forward_s + products_s(n, passes.widths)
    _, own = peak_of("benchmarks.gram_layers:forward_alone", n=n, device=device)
    _, peak = peak_of("benchmarks.gram_layers:whole", n=n, device=device)
    name = f"gram_layers[{len(passes.widths)}-layers,{n}"
    return [
        Row(f"{name},time]", ours_s, peer_s, TARGET),
        Row(f"{name},memory]", (peak - own) / 1e9, MEMORY, 1.0, unit="GB"),
    ]
