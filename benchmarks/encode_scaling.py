"""How the cost of ridge grows: memory with the square of the images, time linearly in voxels.

No peer: memory is held against what a few matrices of images by images and the predictions take,
and the time of many voxels against the time of half as many, doubled.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from benchmarks import Device, Row, Size
from benchmarks.peak import begin_peak, peak_of, peak_so_far
from benchmarks.ridge_split import N_TEST, Split, make_split
from bids_dnn.analyses.encode.layer import fit_layer
from bids_dnn.stats.folds import by_stimulus

IMAGES = {"small": (500, 1000, 2000), "full": (1000, 2000, 4000, 8000)}
VOXELS_OF_MEMORY = {"small": 500, "full": 5000}
VOXELS = {"small": (1000, 2000, 4000, 8000), "full": (5000, 10_000, 20_000, 40_000)}
IMAGES_OF_TIME = {"small": 300, "full": 1000}
N_FEATURES = 500
N_MATRICES = 8  # of images by images, double, that may be held at once
SPARE_GB = 0.2  # blocks of voxels, libraries
SLOWER = 0.8  # than in proportion: times vary
REPEATS = 3
N_COMPARED = 200  # voxels


def fitted(split: Split) -> NDArray[np.float32]:
    """Predict each image from the half that does not hold it.

    Raises
    ------
    ArithmeticError
        If an image is not predicted.
    """
    n = len(split.gram)
    folds = by_stimulus([f"{k:05}" for k in range(n)], 2, np.random.default_rng(1))
    made = fit_layer(
        split.gram, split.truth, folds=folds, inner=[[], []], alphas=None, select="gcv"
    )
    if not np.isfinite(made.guess).all():
        raise ArithmeticError("encode_scaling: an image was not predicted.")
    return made.guess


def memory_of(n: int, n_voxels: int) -> float:
    """Return the bytes that a fit takes beyond its inputs, at its peak."""
    split = make_split(n - N_TEST, N_FEATURES, n_voxels)
    before = begin_peak()
    fitted(split)
    return float(peak_so_far() - before)


def of_voxels(split: Split, n_voxels: int) -> Split:
    """Return the problem with some of its voxels, spread over all."""
    some = np.linspace(0, split.truth.shape[1] - 1, n_voxels).astype(np.intp)
    return Split(split.gram, np.ascontiguousarray(split.truth[:, some]), split.fold, split.inner)


def check(split: Split) -> None:
    """Compare the predictions of some voxels with those that they have among all.

    Raises
    ------
    ArithmeticError
        If they differ by more than single precision lets them.
    """
    whole = of_voxels(Split(split.gram, fitted(split), split.fold, split.inner), N_COMPARED)
    alone = fitted(of_voxels(split, N_COMPARED))
    off = float(np.abs(alone - whole.truth).max() / np.abs(whole.truth).max())
    if not off < 1e-4:
        raise ArithmeticError(f"encode_scaling: voxels alone are predicted otherwise, by {off}.")


def run(size: Size, device: Device) -> list[Row]:  # noqa: ARG001 no GPU path
    """Measure memory for more and more images, then time for more and more voxels."""
    rows = []
    n_voxels = VOXELS_OF_MEMORY[size]
    for n in IMAGES[size]:
        taken, _ = peak_of("benchmarks.encode_scaling:memory_of", n=n, n_voxels=n_voxels)
        bound = (8 * N_MATRICES * n**2 + 4 * n * n_voxels) / 1e9 + SPARE_GB
        name = f"encode_scaling[memory,{n}x{n_voxels}]"
        rows.append(Row(name, taken / 1e9, bound, 1.0, unit="GB"))
    n, counts = IMAGES_OF_TIME[size], VOXELS[size]
    split = make_split(n - N_TEST, N_FEATURES, counts[-1])
    check(split)
    splits = [of_voxels(split, count) for count in counts]
    times = np.full(len(counts), np.inf)
    for _ in range(REPEATS):
        for k, one in enumerate(splits):
            start = time.perf_counter()
            fitted(one)
            times[k] = min(times[k], time.perf_counter() - start)
    for k, count in enumerate(counts[1:], start=1):
        in_proportion = float(times[k - 1] * count / counts[k - 1])
        name = f"encode_scaling[time,{n}x{count}]"
        rows.append(Row(name, float(times[k]), in_proportion, SLOWER))
    return rows
