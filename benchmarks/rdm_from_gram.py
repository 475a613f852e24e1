"""RDM of many stimuli from a Gram matrix; the peer is rsatoolbox on the features themselves."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import Device, Row, Size, time_both
from bids_dnn.analyses.rsa.dissimilarity import rdm_from_gram
from bids_dnn.features.gram import gram_of

Array = NDArray[np.float64]
SIZES = {"small": ((600, 4096),), "full": ((2000, 4096),)}  # n_stimuli, n_features
REPEATS = {"small": 3, "full": 3}
TARGET = 50.0


def ours(gram: Array, sums: Array, n_features: int) -> Array:
    """Compare stimuli by inner products."""
    return rdm_from_gram(gram, method="correlation", n_features=n_features, sums=sums).values


def peer(x: Array) -> Array:
    """Compare stimuli by their features."""
    rsatoolbox: Any = import_module("rsatoolbox")  # whose types do not name what it exports
    data = rsatoolbox.data.Dataset(x)
    found: Array = rsatoolbox.rdm.calc_rdm(data, method="correlation").dissimilarities[0]
    return found


def check(answer: Array, expected: Array) -> None:
    """Compare both RDMs.

    Raises
    ------
    ArithmeticError
        If they differ.
    """
    off = float(np.abs(answer - expected).max())
    if not off < 1e-6:
        raise ArithmeticError(f"rdm_from_gram: values differ from rsatoolbox's by {off}.")


def run(size: Size, device: Device) -> list[Row]:  # noqa: ARG001 nothing here is for a GPU
    """Compare answers, then times."""
    rows = []
    for n, p in SIZES[size]:
        x = np.random.default_rng(0).normal(size=(n, p)).astype(np.float32)
        wide = x.astype(np.float64)
        told = (gram_of(x), wide.sum(axis=1), p)
        check(ours(*told), peer(wide))
        times = time_both(partial(ours, *told), partial(peer, wide), n_repeats=REPEATS[size])
        rows.append(Row(f"rdm_from_gram[{n}x{p}]", *times, TARGET))
    return rows
