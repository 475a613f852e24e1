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
        t = truth[:, start : start + BLOCK].astype(np.float64)
        varies = np.ptp(t, axis=0) > 0
        t = t[:, varies] - t[:, varies].mean(axis=0)
        t /= np.sqrt((t**2).sum(axis=0))
        total += t[rows] @ t.T
        count += int(varies.sum())
    return total / max(count, 1)


def covariances(
    operators: Sequence[Array],
    similarities: Iterable[Array],
    shuffles: NDArray[np.intp],
    rows: Rows = ALL,
) -> Array:
    """Return the mean covariance of prediction and response for each exchange of images.

    Parameters
    ----------
    operators : n_layers of (n_rows, n_stimuli)
        From responses to predictions.
    similarities : n_regions of (n_rows, n_stimuli)
        Taken one after the other, so that one at a time need be in memory.
    shuffles : (n, n_stimuli)
    rows : (n_rows,)
        Images that are predicted, and exchanged among themselves.

    Returns
    -------
    covariance : (n, n_regions, n_layers)
    """
    n_stimuli = shuffles.shape[1]
    predicted = np.arange(n_stimuli)[rows]
    place = np.zeros(n_stimuli, dtype=np.intp)
    place[predicted] = np.arange(len(predicted))
    flat = [one.ravel() for one in operators]  # views, of n_rows x n_stimuli each
    found = []
    for one in similarities:
        values = one.ravel()
        own = np.empty((len(shuffles), len(operators)))
        for b, order in enumerate(shuffles):
            first = place[order[predicted]][:, None] * n_stimuli
            moved = values[(first + order).ravel()]
            own[b] = [operator @ moved for operator in flat]
        found.append(own)
    return np.stack(found, axis=1)
