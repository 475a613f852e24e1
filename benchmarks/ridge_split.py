"""Ridge on one split of many voxels in single precision; the peer is himalaya on torch.

Both begin with a Gram matrix and learn from training images, choose one of 20 penalties for each
voxel, and predict test images. With `inner` both choose on the same five folds; with `gcv` ours
takes generalized cross-validation from one eigendecomposition, which himalaya does not have.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from himalaya.backend import set_backend
from himalaya.kernel_ridge import KernelRidgeCV
from numpy.typing import NDArray

from benchmarks import Device, Row, Size, time_both
from benchmarks.peak import begin_peak, peak_of, peak_so_far
from bids_dnn.analyses.encode.choices import Choices
from bids_dnn.analyses.encode.fit import encode
from bids_dnn.analyses.encode.layer import fit_layer
from bids_dnn.analyses.encode.select import Selection
from bids_dnn.backend import on_device
from bids_dnn.containers.features import FeatureGram
from bids_dnn.containers.responses import Responses
from bids_dnn.containers.space import Channels
from bids_dnn.stats.folds import Fold, by_stimulus
from bids_dnn.stats.metrics import pearson

Array = NDArray[np.float64]
Single = NDArray[np.float32]
N_TEST = 120
SIZES = {  # training images, features, voxels
    "small": (300, 1000, 2000),
    "full": (1750, 20_000, 15_000),
}
LARGE = {"small": (500, 2000), "full": (9000, 40_000)}  # images, voxels: of the memory
REPEATS = {"small": 3, "full": 1}
ALPHAS = np.logspace(-3, 5, 20)  # multiples of the mean diagonal
TARGETS: dict[Device, dict[Selection, float]] = {
    "cpu": {"gcv": 10.0, "inner": 1.5},
    "cuda": {"gcv": 5.0, "inner": 1.2},
}
BATCHES = (None, 1000)  # of the peer: the faster one counts
WORSE = 0.002  # of the mean held-out r, that generalized cross-validation may lose
MOST = 8.0  # GB beyond the inputs


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """What both are given.

    Parameters
    ----------
    gram : (n, n) float64
    truth : (n, n_voxels) float32
    fold
        The split.
    inner
        Folds over the training images.
    """

    gram: Array
    truth: Single
    fold: Fold
    inner: list[Fold]


def make_split(n_train: int, n_features: int, n_voxels: int) -> Split:
    """Make features with a decaying spectrum, and voxels from noise to mostly signal."""
    rng = np.random.default_rng(0)
    n = n_train + N_TEST
    decay = (1 + np.arange(n_features, dtype=np.float32)) ** -0.5
    x = rng.standard_normal((n, n_features), dtype=np.float32) * decay
    signal = x @ rng.standard_normal((n_features, n_voxels), dtype=np.float32)
    signal *= np.linspace(0, 1, n_voxels, dtype=np.float32) / signal.std()
    truth = signal + rng.standard_normal(signal.shape, dtype=np.float32)
    train = np.arange(n) < n_train
    inner = by_stimulus([f"{k:05}" for k in range(n_train)], 5, rng)
    return Split((x @ x.T).astype(np.float64), truth, Fold("given", train, ~train), inner)


def ours(split: Split, select: Selection, device: Device) -> tuple[Single, Array]:
    """Predict the test images, less the training mean; and the penalties, as multiples."""
    made = fit_layer(
        on_device(split.gram, device),
        split.truth,
        folds=[split.fold],
        inner=[split.inner],
        alphas=ALPHAS,
        select=select,
    )
    return made.guess[split.fold.test], made.alpha[0]


def peer(split: Split, batch: int | None, device: Device) -> tuple[Single, Array]:
    """Do the same by five folds with himalaya on torch, in single precision."""
    set_backend("torch_cuda" if device == "cuda" else "torch")
    fold, train = split.fold, split.gram[np.ix_(split.fold.train, split.fold.train)]
    scale = (np.trace(train) - train.mean() * len(train)) / len(train)
    model: Any = KernelRidgeCV(
        alphas=ALPHAS * scale,
        kernel="precomputed",
        fit_intercept=True,
        cv=[(np.flatnonzero(one.train), np.flatnonzero(one.test)) for one in split.inner],
        solver_params={"n_targets_batch": batch},
    )
    model.fit(_single(train, device), _single(split.truth[fold.train], device))
    told = model.predict(_single(split.gram[np.ix_(fold.test, fold.train)], device))
    mean = split.truth[fold.train].mean(axis=0, dtype=np.float64)
    return (told.cpu().numpy() - mean).astype(np.float32), model.best_alphas_.cpu().numpy() / scale


def check(split: Split, device: Device) -> None:
    """Compare scores: equal on the same folds, and not lower by generalized cross-validation.

    Raises
    ------
    ArithmeticError
        If they are not.
    """
    truth = split.truth[split.fold.test].astype(np.float64)
    theirs, penalties = peer(split, BATCHES[-1], device)
    expected = float(np.nanmean(pearson(truth, theirs.astype(np.float64))))
    for select in TARGETS[device]:
        told, alpha = ours(split, select, device)
        found = float(np.nanmean(pearson(truth, told.astype(np.float64))))
        if found < expected - WORSE or (select == "inner" and abs(found - expected) > WORSE):
            raise ArithmeticError(
                f"encode_ridge: mean held-out r by {select} is {found:.4f}, himalaya's "
                f"{expected:.4f}."
            )
        if select == "inner":
            same = float(np.isclose(alpha, penalties, rtol=1e-3).mean())
            if same < 0.99:
                raise ArithmeticError(
                    f"encode_ridge: {same:.1%} of penalties are himalaya's on the same folds."
                )


def memory_beyond(n: int, n_voxels: int) -> float:
    """Encode many voxels from two layers; returns bytes beyond those of the inputs.

    All of the analysis: two folds, scores, tests of units and of the region by 1000 exchanges,
    layers chosen, identification.

    Raises
    ------
    ArithmeticError
        If a voxel has no score, or the layer with noise predicts as well as the one without.
    """
    responses, grams = _many(n, n_voxels)
    choices = Choices(
        n_folds=2,
        n_inner=2,
        alphas=None,
        ceiling="ncsnr",
        floor=0.0,
        n_permutations=1000,
        select="gcv",
        seed=0,
    )
    before = begin_peak()
    table = encode(responses, [], grams, choices=choices).table
    taken = float(peak_so_far() - before)
    units = table[table["target"] == "units"]  # the two layers, then those that were chosen
    clear, noisy, chosen = units["score"].to_numpy(dtype=np.float64)
    is_whole = (units["n_units"].to_numpy() == n_voxels).all()
    if not is_whole or not min(clear, chosen) > noisy > 0:
        raise ArithmeticError(f"encode_ridge: layers score {clear}, {noisy}, chosen {chosen}.")
    return taken


def _many(n: int, n_voxels: int) -> tuple[Responses, list[FeatureGram]]:
    """Make responses to many images, and a layer without and one with noise."""
    split = make_split(n - N_TEST, 500, n_voxels)
    names = tuple(f"{k:05}" for k in range(n))
    samples = pd.DataFrame({"stimulus": names, "condition": "", "run": "1", "session": ""})
    channels = tuple(f"{k:06}" for k in range(n_voxels))
    space = Channels("voxels", channels, np.arange(n_voxels))
    responses = Responses(split.truth, samples.assign(repeat=0), space, "beta")
    noisy = split.gram.copy()
    noisy[np.diag_indices(n)] += 10 * np.trace(split.gram) / n
    made = zip(("clear", "noisy"), (split.gram, noisy), strict=True)
    return responses, [FeatureGram(names, "net", one, gram, 500, {}) for one, gram in made]


def run(size: Size, device: Device) -> list[Row]:
    """Compare answers, then times; then measure memory."""
    split = make_split(*SIZES[size])
    check(split, device)
    rows = []
    shape = f"{SIZES[size][0]}x{SIZES[size][2]}"
    for select, target in TARGETS[device].items():
        times = [
            time_both(
                partial(ours, split, select, device),
                partial(peer, split, batch, device),
                n_repeats=REPEATS[size],
            )
            for batch in BATCHES
        ]
        taken, theirs = (min(column) for column in zip(*times, strict=True))
        rows.append(Row(f"encode_ridge[{select},{shape}]", taken, theirs, target))
    if device == "cpu":
        n, n_voxels = LARGE[size]
        taken, _ = peak_of("benchmarks.ridge_split:memory_beyond", n=n, n_voxels=n_voxels)
        rows.append(Row(f"encode_ridge[memory,{n}x{n_voxels}]", taken / 1e9, MOST, 1.0, unit="GB"))
    return rows


def _single(values: NDArray[Any], device: Device) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)).to(device)
