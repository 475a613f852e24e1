"""The null of encoding: images exchanged before the model learns, not after.

Exchanging predicted and measured images after the fit is too liberal. With k folds each image
teaches the folds of the others, so that a chance relation of two images counts twice, once in
each direction, in the score as it is, but in single, unrelated terms after the exchange: the
SD of r under pure noise is about the square root of 2 of what that null says. Here the
responses are exchanged before the fit, for training and test alike. With a fixed linear
operator from responses to predictions, the mean over units of the covariance of prediction and
response needs the responses' inner products between images only, so that each permutation
costs (number of images) squared, whatever the number of units; where a split is given, the
number of test images times that of all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.stats.folds import Fold

Array = NDArray[np.float64]
Values = NDArray[np.floating[Any]]
Rows = NDArray[np.intp] | slice
ALL = slice(None)
BLOCK = 1024
CELLS = 200_000  # of the operators that are worked on at once
FEW = 16  # units, up to which their predictions are made rather than inner products exchanged


def draw_shuffles(folds: Sequence[Fold], n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw exchanges of images within each test fold.

    Parameters
    ----------
    folds
        Each image is tested once.
    n : int
    rng

    Returns
    -------
    shuffles : (n, n_stimuli)
        Number of the image whose responses stand in the place of each.
    """
    out = np.tile(np.arange(len(folds[0].test)), (n, 1))
    for fold in folds:
        inside = np.flatnonzero(fold.test)
        out[:, inside] = rng.permuted(np.tile(inside, (n, 1)), axis=1)
    return out


def similarity(truth: Values, rows: Rows = ALL) -> Array:
    """Return the mean over units of the products of standardized responses to two images.

    Parameters
    ----------
    truth : (n_stimuli, n_units)
    rows : (n_rows,)
        Images whose products with all are wanted.

    Returns
    -------
    similarity : (n_rows, n_stimuli)
        Of all images, its trace is 1; units that do not vary are left out (all zero where none
        varies).
    """
    total = np.zeros((len(truth[rows]), len(truth)))
    count = 0
    for start in range(0, truth.shape[1], BLOCK):
        t = _standardized(truth[:, start : start + BLOCK])
        total += t[rows] @ t.T
        count += t.shape[1]
    return total / max(count, 1)


def covariances(
    operators: Sequence[Values],
    regions: Iterable[Values],
    shuffles: NDArray[np.intp],
    rows: Rows = ALL,
) -> Array:
    """Return the mean covariance of prediction and response for each exchange of images.

    Parameters
    ----------
    operators : n_layers of (n_rows, n_stimuli)
        From responses to predictions.
    regions : n_regions of (n_stimuli, n_units)
        Responses, which are standardized here. Taken one after the other.
    shuffles : (n, n_stimuli)
    rows : (n_rows,)
        Images that are predicted, and exchanged among themselves.

    Returns
    -------
    covariance : (n, n_regions, n_layers)
        Mean over the units that vary; 0 where none does.
    """
    found = [
        _of_units(operators, truth, shuffles, rows)
        if truth.shape[1] <= FEW
        else _of_products(operators, similarity(truth, rows), shuffles, rows)
        for truth in regions
    ]
    return np.stack(found, axis=1)


def _of_units(
    operators: Sequence[Values], truth: Values, shuffles: NDArray[np.intp], rows: Rows
) -> Array:
    """Predict few units anew for all exchanges at once, (n, n_layers)."""
    units = _standardized(truth).T
    found = np.zeros((len(shuffles), len(operators)))
    for unit in units:
        moved = unit[shuffles]  # (n, n_stimuli)
        for k, operator in enumerate(operators):
            told = moved @ operator.astype(np.float64, copy=False).T
            found[:, k] += np.einsum("bi,bi->b", told, moved[:, rows])
    return found / max(len(units), 1)


def _of_products(
    operators: Sequence[Values], alike: Array, shuffles: NDArray[np.intp], rows: Rows
) -> Array:
    """Exchange the inner products of responses (n_rows, n_stimuli), (n, n_layers).

    Goes by blocks of predicted images, each through all exchanges, so that beside its inputs
    little memory is needed and a block of the operators stays near the processor.
    """
    n_stimuli = shuffles.shape[1]
    predicted = np.arange(n_stimuli)[rows]
    place = np.zeros(n_stimuli, dtype=np.intp)
    place[predicted] = np.arange(len(predicted))
    step = max(1, CELLS // (n_stimuli * len(operators)))
    found = np.zeros((len(shuffles), len(operators)))
    for start in range(0, len(predicted), step):
        where = slice(start, start + step)
        block = np.stack([operator[where].ravel() for operator in operators])
        block = block.astype(np.float64, copy=False)
        for b, order in enumerate(shuffles):
            moved = alike[place[order[predicted[where]]]][:, order]
            found[b] += block @ moved.ravel()
    return found


def _standardized(truth: Values) -> Array:
    """Return the units that vary, with mean zero and length one: (n_stimuli, n_varying)."""
    t = truth.astype(np.float64)
    t = t[:, np.ptp(t, axis=0) > 0]
    t -= t.mean(axis=0)
    return np.asarray(t / np.sqrt((t**2).sum(axis=0)))
