"""Correlate responses and predictions that come from several folds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.stats.folds import Fold
from bids_dnn.stats.inference import corrected_t_interval
from bids_dnn.stats.metrics import pearson

Array = NDArray[np.float64]
Values = NDArray[np.floating[Any]]
BLOCK = 1024


def align_folds(truth: Values, guess: Values, folds: Sequence[Fold]) -> tuple[Array, Array]:
    """Take out what differs between folds for no other reason than that they are folds.

    In each test fold the responses are centered, and the predictions are centered and brought
    to unit variance. Both matter for the null: a fold's intercept is the mean of all other
    folds, and its penalty was chosen on them, so that a fold in which the model fails by chance
    tends to be the one that predicts most boldly. Without it, r under pure noise is negative.

    Parameters
    ----------
    truth, guess : (n_stimuli, n_units)
    folds
        Each stimulus is tested once.

    Returns
    -------
    truth, guess : (n_stimuli, n_units) float64
        Zero in a fold whose prediction is constant.
    """
    t, g = truth.astype(np.float64), guess.astype(np.float64)
    for fold in folds:
        t[fold.test] -= t[fold.test].mean(axis=0)
        flat = np.ptp(g[fold.test], axis=0) == 0
        part = g[fold.test] - g[fold.test].mean(axis=0)
        spread = np.sqrt((part**2).mean(axis=0))
        flat |= spread == 0
        g[fold.test] = np.where(flat, 0.0, part / np.where(flat, 1.0, spread))
    return t, g


def score_units(truth: Values, guess: Values, folds: Sequence[Fold]) -> Array:
    """Return Pearson's r of each unit over all out-of-fold predictions, folds aligned.

    Responses and predictions are centered, and predictions scaled to unit variance, within each
    test fold before they are pooled: close to the mean of the folds' r.

    Parameters
    ----------
    truth, guess : (n_stimuli, n_units)
    folds

    Returns
    -------
    score : (n_units,), in [-1, 1]
        Signed. NaN where the responses or the predictions do not vary.
    """
    out = np.empty(truth.shape[1])
    for start in range(0, truth.shape[1], BLOCK):
        where = slice(start, start + BLOCK)
        flat = np.ptp(truth[:, where], axis=0) == 0
        t, g = align_folds(truth[:, where], guess[:, where], folds)
        out[where] = np.where(flat, np.nan, pearson(t, g))
    return out


def score_folds(truth: Values, guess: Values, folds: Sequence[Fold]) -> Array:
    """Return the mean over units of r within each test fold.

    Parameters
    ----------
    truth, guess : (n_stimuli, n_units)
    folds

    Returns
    -------
    score : (n_folds,), in [-1, 1]
        Units whose responses do not vary in a fold are left out of it, and count 0 where their
        predictions do not vary; NaN where no unit is left.
    """
    total, known = np.zeros(len(folds)), np.zeros(len(folds))
    for start in range(0, truth.shape[1], BLOCK):
        where = slice(start, start + BLOCK)
        t, g = align_folds(truth[:, where], guess[:, where], folds)
        for f, fold in enumerate(folds):
            varies = np.ptp(truth[fold.test, where], axis=0) > 0
            r = pearson(t[np.ix_(fold.test, varies)], g[np.ix_(fold.test, varies)])
            total[f] += np.nansum(r)
            known[f] += varies.sum()
    return np.where(known > 0, total / np.maximum(known, 1), np.nan)


def score_interval(
    truth: Values, guess: Values, folds: Sequence[Fold], *, center: float
) -> tuple[float, float]:
    """Return the 95 % interval of a region's score, from the scores of its folds.

    Parameters
    ----------
    truth, guess : (n_stimuli, n_units)
        Of the region.
    folds
    center : float
        The score.

    Returns
    -------
    low, high : float, in [-1, 1]
        NaN under three folds.
    """
    n, k = len(truth), len(folds)
    low, high = corrected_t_interval(
        score_folds(truth, guess, folds), n_test=n / k, n_train=n - n / k, center=center
    )
    return float(np.clip(low, -1, 1)), float(np.clip(high, -1, 1))


def fold_errors(held_out: Values, told: Values, mean: Array) -> tuple[Array, Array]:
    """Return the squared errors of a model and of the training mean on a fold's test images.

    Parameters
    ----------
    held_out : (n_test, n_units)
        Responses.
    told : (n_test, n_units)
        Predictions less the training mean.
    mean : (n_units,)
        Of the training images.

    Returns
    -------
    sse, sst : (n_units,)
        Sums of squares, in double precision.
    """
    sse, sst = np.empty(held_out.shape[1]), np.empty(held_out.shape[1])
    for start in range(0, held_out.shape[1], BLOCK):
        where = slice(start, start + BLOCK)
        away = held_out[:, where].astype(np.float64) - mean[where]
        sst[where] = (away**2).sum(axis=0)
        sse[where] = ((away - told[:, where]) ** 2).sum(axis=0)
    return sse, sst


def share_explained(truth: Values, sse: Array, sst: Array) -> Array:
    """Return the cross-validated R^2 of each unit, ``1 - SSE / SST``.

    Parameters
    ----------
    truth : (n_stimuli, n_units)
    sse, sst : (n_units,)
        Over the test images of all folds.

    Returns
    -------
    r2 : (n_units,), at most 1
        NaN where the responses do not vary.
    """
    flat = (np.ptp(truth, axis=0) == 0) | (sst == 0)
    return np.where(flat, np.nan, 1 - sse / np.where(flat, 1.0, sst))
