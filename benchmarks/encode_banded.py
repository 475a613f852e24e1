"""Banded ridge on four spaces; the peer is himalaya on the same folds, candidates, penalties."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from himalaya.backend import set_backend
from himalaya.kernel_ridge import (
    predict_weighted_kernel_ridge,
    solve_multiple_kernel_ridge_random_search,
)
from numpy.typing import NDArray

from benchmarks import Device, Row, Size, time_both
from bids_dnn.analyses.encode.banded import Search, fit_banded
from bids_dnn.analyses.encode.banded_search import draw_weights
from bids_dnn.stats.folds import Fold, by_stimulus
from bids_dnn.stats.kernels import center_grams

Array = NDArray[np.float64]
Precision = Literal["float32", "float64"]
SIZES = {  # n_stimuli, n_voxels, n_candidates; GCV wants some hundred stimuli
    "small": ((300, 600, 15),),
    "full": ((600, 3000, 50),),
}
REPEATS = {"small": 2, "full": 1}
WIDTHS = (30, 100, 300, 1000)  # features of each space
ALPHAS = np.logspace(-4, 4, 20)
N_FOLDS = 5
N_OUTER = 2  # folds that are fitted: each costs the same
FEW = 3  # times as many candidates for the peer as for us with refinement
BATCHES = (None, 500)  # of the peer: the faster one counts
PRECISIONS: tuple[Precision, ...] = ("float32", "float64")
TARGET = 1.0
LESS = 1e-3  # of mean held-out R^2 that may be lost


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Data and splits that both solve."""

    grams: list[Array]  # each (n_stimuli, n_stimuli)
    truth: Array  # (n_stimuli, n_voxels)
    folds: list[Fold]
    inner: list[list[Fold]]
    n_candidates: int


def make_case(n_stimuli: int, n_voxels: int, n_candidates: int) -> Case:
    """Make responses that follow four spaces in different measure, some hardly any."""
    rng = np.random.default_rng(0)
    truth = np.zeros((n_stimuli, n_voxels))
    grams = []
    for k, width in enumerate(WIDTHS):
        x = rng.normal(size=(n_stimuli, width)) / (1 + np.arange(width)) ** 0.5
        x /= np.sqrt((x**2).sum(axis=1).mean())
        truth += x @ rng.normal(size=(width, n_voxels)) * rng.random(n_voxels) ** 3
        grams.append(100.0**k * (x @ x.T))  # their scales differ
    truth /= truth.std(axis=0)
    truth += rng.normal(size=truth.shape) * 2 * rng.random(n_voxels)
    names = [f"{k:05}" for k in range(n_stimuli)]
    folds = by_stimulus(names, N_FOLDS, rng)[:N_OUTER]
    inner = [
        by_stimulus([names[k] for k in np.flatnonzero(fold.train)], N_FOLDS, rng) for fold in folds
    ]
    return Case(grams, truth, folds, inner, n_candidates)


def ours(case: Case, search: Search) -> Array:
    """Predict the test images of each fold, less the training mean."""
    made = fit_banded(case.grams, case.truth, folds=case.folds, inner=case.inner, search=search)
    tested = np.concatenate([np.flatnonzero(fold.test) for fold in case.folds])
    told: Array = made.guess[tested].astype(np.float64)
    return told


def peer(case: Case, n_candidates: int, batch: int | None, precision: Precision) -> Array:
    """Do the same with himalaya's random search, on normalized and centered Gram matrices."""
    candidates = draw_weights(len(case.grams), n_candidates, np.random.default_rng(0))
    guess = []
    for fold, splits in zip(case.folds, case.inner, strict=True):
        train, test = [], []
        for gram in case.grams:
            k, k_test = center_grams(
                gram[np.ix_(fold.train, fold.train)], gram[np.ix_(fold.test, fold.train)]
            )
            scale = np.trace(k) / len(k)
            train.append(k / scale)
            test.append(k_test / scale)
        y = case.truth[fold.train] - case.truth[fold.train].mean(axis=0)
        with np.errstate(divide="ignore"):  # the logarithm of a weight of zero
            found: Any = solve_multiple_kernel_ridge_random_search(
                np.stack(train).astype(precision),
                y.astype(precision),
                n_iter=candidates.astype(precision),
                alphas=ALPHAS.astype(precision),
                cv=[(np.flatnonzero(one.train), np.flatnonzero(one.test)) for one in splits],
                fit_intercept=True,
                return_weights="dual",
                n_targets_batch=batch,
                n_targets_batch_refit=batch,
                progress_bar=False,
            )
        deltas, dual, _, _ = found
        told = predict_weighted_kernel_ridge(
            np.stack(test).astype(precision), dual, deltas, n_targets_batch=batch
        )
        guess.append(np.asarray(told, dtype=np.float64))
    return np.concatenate(guess)


def held_out(case: Case, guess: Array) -> float:
    """Return the mean over voxels of R^2 on the tested images, against the training mean."""
    told = np.concatenate(
        [case.truth[fold.test] - case.truth[fold.train].mean(axis=0) for fold in case.folds]
    )
    return float(np.mean(1 - ((told - guess) ** 2).sum(axis=0) / (told**2).sum(axis=0)))


def searches(case: Case) -> dict[str, Search]:
    """Return what is compared: the same search, one refined from fewer candidates, and GCV."""
    n = case.n_candidates
    return {
        "same": Search(ALPHAS, n_candidates=n, refine=False),
        "refined": Search(ALPHAS, n_candidates=max(n // FEW, 1 + len(WIDTHS))),
        "gcv": Search(ALPHAS, n_candidates=n, select="gcv", refine=False),
    }


def check(case: Case, search: Search, told: Array, *, name: str) -> None:
    """Compare held-out R^2 with that of the predictions `told` by himalaya.

    Raises
    ------
    ArithmeticError
        If ours is lower by more than `LESS`.
    """
    mine = held_out(case, ours(case, search))
    theirs = held_out(case, told)
    if mine < theirs - LESS:
        raise ArithmeticError(
            f"encode_banded[{name}]: held-out R^2 is {mine:.4f}, himalaya's {theirs:.4f}."
        )


def run(size: Size, device: Device) -> list[Row]:  # noqa: ARG001 no GPU path yet
    """Compare answers, then times with the fastest setting of the peer."""
    set_backend("numpy")
    rows = []
    for shape in SIZES[size]:
        case = make_case(*shape)
        settings = [(batch, precision) for batch in BATCHES for precision in PRECISIONS]
        fastest = min(settings, key=lambda one: _seconds(partial(peer, case, shape[2], *one)))
        told = peer(case, shape[2], None, "float64")
        for name, search in searches(case).items():
            check(case, search, told, name=name)
            ours_s, peer_s = time_both(
                partial(ours, case, search),
                partial(peer, case, shape[2], *fastest),
                n_repeats=REPEATS[size],
            )
            label = f"encode_banded[{name}:{shape[0]}x{shape[1]}]"
            rows.append(Row(label, ours_s, peer_s, TARGET))
    return rows


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
