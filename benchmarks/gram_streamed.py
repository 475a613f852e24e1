"""Gram matrix of VGG-19's first convolution, 3.2 million features, within a bound of memory."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks import Device, Row, Size
from benchmarks.peak import peak_of
from benchmarks.shown import network_of, pictures_of
from bids_dnn.features.extract import Options, extract_features, passes_of
from bids_dnn.features.gram import Passes, grams_of, plan_grams
from bids_dnn.features.probe import probe
from bids_dnn.features.scratch import free_disk

Array = NDArray[np.float64]
Mode = Literal["disk", "recompute"]
MODES: tuple[Mode, ...] = ("disk", "recompute")
NAME, LAYER = "torchvision:vgg19", "features.0"
SIZES = {"small": 80, "full": 1000}  # pictures
BATCH = 8
MOST = 4.0  # GB, of the whole process
FOR_BLOCKS = 2.2e9  # bytes, for what is multiplied
N_CHECKED = 16  # pictures of which the direct product is made
COLUMNS = 1 << 18  # of the direct product, at a time


def passes_over(rows: list[int], device: str) -> Passes:
    """Return passes over the layer for pictures `rows`."""
    network = network_of(NAME)
    options = Options(device=device, batch_size=BATCH)
    return passes_of(network, pictures_of(network, rows), probe(network, [LAYER]), options=options)


def block_of(mode: Mode, n: int, memory: float, device: str) -> list[list[float]]:
    """Make the Gram matrix, and return the block of a few pictures."""
    passes = passes_over(list(range(n)), device)
    with tempfile.TemporaryDirectory(prefix="bids_dnn.bench.") as folder:
        there = Path(folder)
        free = free_disk(there)
        plan = plan_grams(n, passes.widths, free_disk=free, memory=int(memory), mode=mode)
        made = grams_of(passes, plan=plan, scratch=there)[LAYER].gram
    rows = checked(n)
    found: list[list[float]] = made[np.ix_(rows, rows)].tolist()
    return found


def checked(n: int) -> list[int]:
    """Return the pictures of which the direct product is made, spread over all groups."""
    found: list[int] = np.unique(np.linspace(0, n - 1, N_CHECKED).astype(int)).tolist()
    return found


def direct(rows: list[int], device: str) -> Array:
    """Multiply all features of a few pictures, held in memory, block by block of columns."""
    values = next(iter(extract_features(passes_over(rows, device)).values()))
    total = np.zeros((len(rows), len(rows)))
    for start in range(0, values.shape[1], COLUMNS):
        wide = values[:, start : start + COLUMNS].astype(np.float64)
        total += wide @ wide.T
    return total


def check(found: Array, expected: Array, mode: Mode) -> None:
    """Compare the block with the direct product.

    Raises
    ------
    ArithmeticError
        If a value differs by more than 1e-6 of itself.
    """
    off = float(np.abs(found / expected - 1).max())
    if not off < 1e-6:
        raise ArithmeticError(f"gram_streamed: {mode} differs from the direct product by {off}.")


def run(size: Size, device: Device) -> list[Row]:
    """Compare answers, then memory with its bound."""
    n = SIZES[size]
    expected = direct(checked(n), device)
    rows = []
    for mode in MODES:
        found, peak = peak_of(
            "benchmarks.gram_streamed:block_of",
            mode=mode,
            n=n,
            memory=FOR_BLOCKS,
            device=device,
        )
        check(np.array(found), expected, mode)
        rows.append(Row(f"gram_streamed[{mode},{n},memory]", peak / 1e9, MOST, 1.0, unit="GB"))
    return rows
