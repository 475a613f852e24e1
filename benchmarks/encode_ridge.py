"""Nested ridge on a Gram matrix, penalty by voxel; the peer is himalaya on the same splits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from himalaya.backend import set_backend
from himalaya.kernel_ridge import KernelRidgeCV
from numpy.typing import NDArray

from benchmarks import Device, Row, Size, ridge_split, time_both
from bids_dnn.analyses.encode.layer import fit_layer
from bids_dnn.analyses.encode.solvers import cross_validate
from bids_dnn.analyses.encode.spectrum import decompose
from bids_dnn.stats.folds import Fold, by_stimulus

Array = NDArray[np.float64]
SIZES = {  # n_stimuli, n_features, n_voxels
    "small": ((200, 1000, 2000), (400, 2000, 1000)),
    "full": ((1000, 4000, 5000), (2000, 4000, 1000)),
}
REPEATS = {"small": 3, "full": 1}
ALPHAS = np.logspace(-4, 4, 17)
N_FOLDS = 5
TARGET = 1.5
TIE = 1e-8
BATCHES = (None, 500)  # of the peer: the faster one counts


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Data and splits that both solve."""

    gram: Array  # (n_stimuli, n_stimuli)
    truth: Array  # (n_stimuli, n_voxels)
    folds: list[Fold]
    inner: list[list[Fold]]


def make_case(n_stimuli: int, n_features: int, n_voxels: int) -> Case:
    """Make responses of which some voxels follow the features and some are noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n_stimuli, n_features)) / (1 + np.arange(n_features)) ** 0.5
    signal = x @ rng.normal(size=(n_features, n_voxels))
    truth = signal / signal.std() * np.linspace(0, 1, n_voxels) + rng.normal(size=signal.shape)
    names = [f"{k:05}" for k in range(n_stimuli)]
    folds = by_stimulus(names, N_FOLDS, rng)
    inner = [
        by_stimulus([names[k] for k in np.flatnonzero(fold.train)], N_FOLDS, rng) for fold in folds
    ]
    return Case(x @ x.T, truth, folds, inner)


def ours(case: Case) -> tuple[Array, Array]:
    """Predict all images out of fold; returns predictions and penalties (multiples).

    The predictions are without the mean of the training images.
    """
    made = fit_layer(case.gram, case.truth, folds=case.folds, inner=case.inner, alphas=ALPHAS)
    return made.guess.astype(np.float64), made.alpha


def peer(case: Case, batch: int | None) -> tuple[Array, Array]:
    """Do the same with one himalaya model a fold."""
    guess, alphas = np.empty_like(case.truth), np.empty((N_FOLDS, case.truth.shape[1]))
    for f, (fold, splits) in enumerate(zip(case.folds, case.inner, strict=True)):
        train = case.gram[np.ix_(fold.train, fold.train)]
        scale = (np.trace(train) - train.mean() * len(train)) / len(train)
        model: Any = KernelRidgeCV(
            alphas=ALPHAS * scale,
            kernel="precomputed",
            fit_intercept=True,
            cv=[(np.flatnonzero(one.train), np.flatnonzero(one.test)) for one in splits],
            solver_params={"n_targets_batch": batch},
        )
        model.fit(train, case.truth[fold.train])
        guess[fold.test] = model.predict(case.gram[np.ix_(fold.test, fold.train)])
        alphas[f] = model.best_alphas_ / scale
    return guess, alphas


def check(case: Case) -> None:
    """Compare penalties and predictions of both.

    Penalties may differ where their losses on the inner folds are equal but for rounding
    (himalaya prefers the larger one of two whose losses differ by less than about 1e-10).

    Raises
    ------
    ArithmeticError
        If they differ.
    """
    (guess, alpha), (expected, expected_alpha) = ours(case), peer(case, BATCHES[0])
    for fold in case.folds:
        expected[fold.test] -= case.truth[fold.train].mean(axis=0)
    same = np.isclose(alpha, expected_alpha, rtol=1e-6)
    for f in np.flatnonzero(~same.all(axis=1)):
        gap = _loss_gap(case, int(f), alpha[f], expected_alpha[f])
        if gap > TIE:
            raise ArithmeticError(
                f"encode_ridge: penalties differ from himalaya's, and their losses by {gap}."
            )
    agreed = same.all(axis=0)
    off = float(np.abs(guess - expected)[:, agreed].max())
    if off > 1e-6 * float(np.abs(expected).max()):
        raise ArithmeticError(f"encode_ridge: predictions differ from himalaya's by {off}.")


def _loss_gap(case: Case, f: int, ours: Array, theirs: Array) -> float:
    """Return the largest relative difference of loss between two choices, in one fold."""
    fold, voxels = case.folds[f], np.flatnonzero(~np.isclose(ours, theirs, rtol=1e-6))
    train = case.gram[np.ix_(fold.train, fold.train)]
    scale = decompose(train, train).scale
    truth = case.truth[np.ix_(fold.train, voxels)]
    loss = cross_validate(train, truth, folds=case.inner[f], alphas=ALPHAS * scale)
    picked = [
        loss[
            np.abs(np.log(ALPHAS)[:, None] - np.log(alpha[voxels])).argmin(axis=0),
            range(len(voxels)),
        ]
        for alpha in (ours, theirs)
    ]
    return float(np.max(np.abs(picked[0] / picked[1] - 1)))


def run(size: Size, device: Device) -> list[Row]:
    """Compare answers, then times: nested folds (on the CPU), then one split of many voxels."""
    rows = []
    for shape in SIZES[size] if device == "cpu" else ():
        set_backend("numpy")
        case = make_case(*shape)
        check(case)
        times = [
            time_both(partial(ours, case), partial(peer, case, batch), n_repeats=REPEATS[size])
            for batch in BATCHES
        ]
        ours_s, peer_s = (min(column) for column in zip(*times, strict=True))
        name = f"encode_ridge[{shape[0]}x{shape[2]}]"
        rows.append(Row(name, ours_s, peer_s, TARGET))
    return rows + ridge_split.run(size, device)
