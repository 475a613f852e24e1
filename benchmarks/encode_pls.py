"""PLS2 by nested folds, every number of components; the peer is scikit-learn on features."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sklearn.cross_decomposition import PLSRegression

from benchmarks import Device, Row, Size, time_both
from bids_dnn.analyses.encode.pls_fit import fit_groups
from bids_dnn.stats.folds import Fold, by_stimulus

Array = NDArray[np.float64]
SIZES = {  # n_stimuli, n_features, n_voxels
    "small": ((150, 500, 60),),
    "full": ((1000, 5000, 500),),
}
REPEATS = {"small": 3, "full": 1}
N_COMPONENTS = {"small": 10, "full": 25}
N_FOLDS = 3
TARGETS = {"small": 3.0, "full": 10.0}
TIE = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Data and splits that both solve."""

    x: Array  # (n_stimuli, n_features)
    truth: Array  # (n_stimuli, n_voxels)
    folds: list[Fold]
    inner: list[list[Fold]]
    n_components: int


def make_case(n_stimuli: int, n_features: int, n_voxels: int, *, n_components: int) -> Case:
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
    return Case(x, truth, folds, inner, n_components)


def ours(case: Case) -> tuple[Array, list[int]]:
    """Predict all images out of fold; returns predictions and numbers of components.

    The Gram matrix is part of it. The predictions are without the mean of the training images.
    """
    gram = case.x @ case.x.T
    made = fit_groups(
        gram, case.truth, folds=case.folds, inner=case.inner, n_components=case.n_components
    )
    return made.guess.astype(np.float64), made.n_components[:, 0].tolist()


def peer(case: Case, *, exact: bool = False) -> tuple[Array, list[int]]:
    """Do the same with one scikit-learn model a fold, of the most components.

    Models of fewer components are the first ones of that model, as scikit-learn users can have
    them too; nothing is fitted twice. `exact` takes the direction of each component from a
    singular value decomposition, in place of power iterations that stop at a tolerance.
    """
    guess, chosen = np.empty_like(case.truth), []
    for fold, splits in zip(case.folds, case.inner, strict=True):
        x, y = case.x[fold.train], case.truth[fold.train]
        loss = np.zeros(case.n_components)
        for one in splits:
            steps = _steps(case, x[one.train], y[one.train], x[one.test], exact=exact)
            left = y[one.test] - y[one.train].mean(axis=0)
            for k, step in enumerate(steps):
                left -= np.outer(*step)
                loss[k] += (left**2).sum() / len(left)
        chosen.append(int(loss.argmin()) + 1)
        steps = _steps(case, x, y, case.x[fold.test], exact=exact)
        guess[fold.test] = sum(np.outer(*step) for step in steps[: chosen[-1]])
    return guess, chosen


def _steps(
    case: Case, x: Array, y: Array, test: Array, *, exact: bool
) -> list[tuple[Array, Array]]:
    """Return test scores and loadings of each component."""
    model = PLSRegression(case.n_components, scale=False)
    model.algorithm = "svd" if exact else "nipals"  # as its base class takes it
    model.fit(x, y)
    scores = (test - x.mean(axis=0)) @ model.x_rotations_
    return list(zip(scores.T, model.y_loadings_.T, strict=True))


def check(case: Case) -> None:
    """Compare numbers of components and predictions of both, the peer iterating nowhere.

    Raises
    ------
    ArithmeticError
        If they differ.
    """
    (guess, chosen), (expected, told) = ours(case), peer(case, exact=True)
    if chosen != told:
        raise ArithmeticError(f"encode_pls: {chosen} components, scikit-learn's are {told}.")
    off = float(np.abs(guess - expected).max() / np.abs(expected).max())
    if off > TIE:
        raise ArithmeticError(f"encode_pls: predictions differ from scikit-learn's by {off}.")


def run(size: Size, device: Device) -> list[Row]:  # noqa: ARG001 no GPU path yet
    """Compare answers, then times; timed, the peer is as it comes: power iterations."""
    rows = []
    for shape in SIZES[size]:
        case = make_case(*shape, n_components=N_COMPONENTS[size])
        check(case)
        times = time_both(partial(ours, case), partial(peer, case), n_repeats=REPEATS[size])
        rows.append(Row(f"encode_pls[{shape[0]}x{shape[2]}]", *times, TARGETS[size]))
    return rows
