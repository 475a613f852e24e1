"""Correlate responses and predictions that come from several folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.stats.folds import Fold
from bids_dnn.stats.inference import corrected_t_interval
from bids_dnn.stats.metrics import pearson
from bids_dnn.stats.regions import varies

Array = NDArray[np.float64]
Values = NDArray[np.floating[Any]]
BLOCK = 1024
NEAR = 1e-12
N_BOOTSTRAPS = (200, 2000)  # samples
N_PRODUCTS = 10_000_000_000  # samples times images times units, above which fewer are drawn


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
        Each stimulus is tested once at most.

    Returns
    -------
    truth, guess : (n_stimuli, n_units) float64
        Zero in a fold whose prediction is constant, and for stimuli that no fold tests.
    """
    t, g = np.zeros(truth.shape), np.zeros(guess.shape)
    for fold in folds:
        own = truth[fold.test].astype(np.float64)
        t[fold.test] = own - own.mean(axis=0)
        told = guess[fold.test].astype(np.float64)
        part = told - told.mean(axis=0)
        spread = np.sqrt((part**2).mean(axis=0))
        flat = (np.ptp(told, axis=0) == 0) | (spread == 0)
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
    tested = np.any([fold.test for fold in folds], axis=0)
    for start in range(0, truth.shape[1], BLOCK):
        where = slice(start, start + BLOCK)
        flat = np.ptp(truth[tested, where], axis=0) == 0
        t, g = align_folds(truth[:, where], guess[:, where], folds)
        out[where] = np.where(flat, np.nan, pearson(t, g))
    return out


def mean_r(r: Array) -> float:
    """Return the mean of correlations through Fisher's z.

    Parameters
    ----------
    r : (n,), in [-1, 1]
        NaN is left out.

    Returns
    -------
    mean : float, in [-1, 1]
        NaN where there is none.

    References
    ----------
    Fisher (1915), Biometrika 10:507, doi:10.1093/biomet/10.4.507.

    Examples
    --------
    >>> round(mean_r(np.array([0.0, 0.8])), 3)
    0.5
    """
    known = r[np.isfinite(r)]
    if not known.size:
        return float("nan")
    within = np.clip(known, -1 + NEAR, 1 - NEAR)  # z of 1 is infinite
    return float(np.tanh(np.arctanh(within).mean()))


def score_folds(truth: Values, guess: Values, folds: Sequence[Fold]) -> Array:
    """Return the mean over units of r within each test fold, through Fisher's z.

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
            own = varies(truth[:, where], fold.test)
            r = pearson(t[np.ix_(fold.test, own)], g[np.ix_(fold.test, own)])
            total[f] += np.nansum(np.arctanh(np.clip(r, -1 + NEAR, 1 - NEAR)))
            known[f] += own.sum()
    return np.where(known > 0, np.tanh(total / np.maximum(known, 1)), np.nan)


@dataclass(frozen=True, slots=True)
class Intervals:
    """What a score may be with other images.

    Parameters
    ----------
    low, high : float, in [-1, 1]
        With several folds, a corrected resampled t interval of the folds' scores: other images
        train and test. NaN with two folds. With one fold, as the bootstrap.
    boot_low, boot_high : float, in [-1, 1]
        The middle 95 % of the scores of bootstrap samples of test images, drawn within folds:
        other images are tested, the models are what they are.
    """

    low: float
    high: float
    boot_low: float
    boot_high: float


def score_intervals(
    truth: Values, guess: Values, folds: Sequence[Fold], *, center: float, seed: int
) -> Intervals:
    """Return the 95 % intervals of a region's score.

    Parameters
    ----------
    truth, guess : (n_stimuli, n_units)
        Of the region.
    folds
    center : float
        The score.
    seed
        Of the bootstrap.

    Returns
    -------
    intervals
        NaN where `center` is.

    References
    ----------
    Nadeau & Bengio (2003), Machine Learning 52:239, doi:10.1023/A:1024068626366.
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, doi:10.1007/978-1-4899-4541-9.
    """
    if not np.isfinite(center):
        return Intervals(*(float("nan"),) * 4)
    tested = np.any([fold.test for fold in folds], axis=0)
    # others have no score in `center` either
    known = np.isfinite(guess).all(axis=0, where=tested[:, None])
    if not known.all():
        truth, guess = truth[:, known], guess[:, known]
    drawn = bootstrap_scores(truth, guess, folds, np.random.default_rng([seed, 4]))
    low, high = (float(one) for one in np.nanquantile(drawn, (0.025, 0.975)))
    if len(folds) == 1:
        return Intervals(low, high, low, high)
    n, k = len(truth), len(folds)
    ends = corrected_t_interval(
        score_folds(truth, guess, folds), n_test=n / k, n_train=n - n / k, center=center
    )
    of_folds = [float(np.clip(one, -1, 1)) for one in ends]
    return Intervals(of_folds[0], of_folds[1], low, high)


def bootstrap_scores(
    truth: Values,
    guess: Values,
    folds: Sequence[Fold],
    rng: np.random.Generator,
    *,
    n: int | None = None,
) -> Array:
    """Return the mean r over units (through Fisher's z) of bootstrap samples of test images.

    Parameters
    ----------
    truth, guess : (n_stimuli, n_units)
    folds
        Images are drawn within the test images of each.
    rng
        Draws the images, the same for all units.
    n : int
        Samples. None = 2000, fewer where images times units are above five million, and 200 at
        least.

    Returns
    -------
    score : (n,), in [-1, 1]
        NaN where no unit varies in a sample.
    """
    tested = np.any([fold.test for fold in folds], axis=0)
    n = n or int(np.clip(N_PRODUCTS // max(tested.sum() * truth.shape[1], 1), *N_BOOTSTRAPS))
    weights = np.empty((n, int(tested.sum())))
    for fold in folds:
        size = int(fold.test.sum())
        drawn = rng.multinomial(size, np.full(size, 1 / size), size=n)
        weights[:, fold.test[tested]] = drawn / tested.sum()
    total, known = np.zeros(n), np.zeros(n)
    for start in range(0, truth.shape[1], BLOCK):
        where = slice(start, start + BLOCK)
        t, g = (one[tested] for one in align_folds(truth[:, where], guess[:, where], folds))
        means = weights @ t, weights @ g
        product = weights @ (t * g) - means[0] * means[1]
        power = (weights @ t**2 - means[0] ** 2) * (weights @ g**2 - means[1] ** 2)
        is_real = power > NEAR * (t**2).mean(axis=0) * (g**2).mean(axis=0)
        r = np.where(is_real, product / np.sqrt(np.where(is_real, power, 1.0)), 0.0)
        total += np.arctanh(np.clip(r, -1 + NEAR, 1 - NEAR)).sum(axis=1)
        known += is_real.sum(axis=1)
    return np.where(known > 0, np.tanh(total / np.maximum(known, 1)), np.nan)


def score_r2(truth: Values, guess: Values, folds: Sequence[Fold], means: Sequence[Array]) -> Array:
    """Return the cross-validated R^2 of each unit, ``1 - SSE / SST``.

    Parameters
    ----------
    truth : (n_stimuli, n_units)
    guess : (n_stimuli, n_units)
        Predictions less the mean of the training stimuli.
    folds
        Each stimulus is tested once at most.
    means : n_folds of (n_units,)
        Of the training stimuli, against which SST is taken.

    Returns
    -------
    r2 : (n_units,), at most 1
        NaN where the responses do not vary over the tested stimuli, or are not predicted.
    """
    sse, sst = np.zeros(truth.shape[1]), np.zeros(truth.shape[1])
    for fold, mean in zip(folds, means, strict=True):
        for start in range(0, truth.shape[1], BLOCK):
            where = slice(start, start + BLOCK)
            away = truth[fold.test, where].astype(np.float64) - mean[where]
            sst[where] += (away**2).sum(axis=0)
            sse[where] += ((away - guess[fold.test, where]) ** 2).sum(axis=0)
    flat = ~varies(truth, np.any([fold.test for fold in folds], axis=0))
    return np.where(flat, np.nan, 1 - sse / np.where(flat, 1.0, sst))
