"""Correlate responses and predictions that come from several folds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.stats.folds import Fold
from bids_dnn.stats.inference import percentiles
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


def bootstrap_mean(
    truth: Values, guess: Values, folds: Sequence[Fold], *, counts: Array
) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean r over units, images resampled.

    Parameters
    ----------
    truth, guess : (n_stimuli, n_units)
    folds
    counts : (n_bootstraps, n_stimuli)
        How often each image was drawn; rows sum to n_stimuli.

    Returns
    -------
    low, high : float
        NaN where no unit has a score.
    """
    n = truth.shape[0]
    total, known = np.zeros(len(counts)), np.zeros(len(counts))
    for start in range(0, truth.shape[1], BLOCK):
        where = slice(start, start + BLOCK)
        t, g = align_folds(truth[:, where], guess[:, where], folds)
        t_sum, g_sum = counts @ t, counts @ g  # (n_bootstraps, n_units in block)
        cross = counts @ (t * g) - t_sum * g_sum / n
        power = (counts @ t**2 - t_sum**2 / n) * (counts @ g**2 - g_sum**2 / n)
        varies = power > 0
        r = np.where(varies, cross / np.sqrt(np.where(varies, power, 1.0)), 0.0)
        total += r.sum(axis=1)
        known += varies.sum(axis=1)
    return percentiles(np.where(known > 0, total / np.maximum(known, 1), np.nan))


def draw_counts(n_stimuli: int, n_bootstraps: int, rng: np.random.Generator) -> Array:
    """Draw images with replacement: how often each came, (n_bootstraps, n_stimuli)."""
    even = np.full(n_stimuli, 1 / n_stimuli)
    return rng.multinomial(n_stimuli, even, size=n_bootstraps).astype(np.float64)
