"""Whether a region is predicted above chance, by models that are no fixed map of responses.

Partial least squares, banded ridge and readouts choose on the responses what they predict with,
so that the null of `permutation` cannot be had from one matrix. Within a single fold it can: the
model has not seen the responses to the test images, which may be exchanged against predictions
that stay as they are. The p of the folds depend on each other in a way that is not known; twice
their mean is a p whatever it is (Vovk & Wang 2020), at the price of some power.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.stats.folds import Fold
from bids_dnn.stats.inference import max_statistic, permutation_p

Array = NDArray[np.float64]
Values = NDArray[np.floating[Any]]
BLOCK = 1024


def exchanged_scores(
    truth: Values,
    guess: Values,
    folds: Sequence[Fold],
    groups: Sequence[NDArray[np.intp]],
    shuffles: NDArray[np.intp],
) -> Array:
    """Return the mean correlation over units of each group, as it is and exchanged.

    Parameters
    ----------
    truth, guess : (n_stimuli, n_units)
        NaN in all rows of a fold, or constant predictions = nothing was predicted.
    folds
        Each stimulus is tested once at most.
    groups : n_groups of columns
    shuffles : (n, n_stimuli)
        As `permutation.draw_shuffles` draws them.

    Returns
    -------
    statistic : (n_folds, 1 + n, n_groups)
        As it is first. NaN where no unit of a group is predicted.
    """
    found = np.empty((len(folds), 1 + len(shuffles), len(groups)))
    for f, fold in enumerate(folds):
        within = np.cumsum(fold.test) - 1  # number of each image within the fold
        orders = within[shuffles[:, fold.test]]
        for k, columns in enumerate(groups):
            cells = np.ix_(fold.test, columns)
            alike = _agreement(truth[cells], guess[cells])
            found[f, 0, k] = np.trace(alike)
            found[f, 1:, k] = alike[orders, np.arange(len(alike))].sum(axis=1)
    return found


def merged_p(statistics: Array) -> tuple[Array, Array]:
    """Return p from exchanges within folds, merged over folds.

    Parameters
    ----------
    statistics : (n_folds, 1 + n, n_tests)
        As `exchanged_scores` gives them.

    Returns
    -------
    p, p_corrected : (n_tests,), in (0, 1]
        `p_corrected` for all tests (maximum statistic). NaN where nothing was predicted.

    References
    ----------
    Vovk & Wang (2020), Biometrika 107:791, doi:10.1093/biomet/asaa027 (twice the mean).
    """
    single, corrected = [], []
    for found in statistics:
        observed, null = found[0], found[1:]
        p = [
            permutation_p(float(one), null[:, k], enumerated=False)
            for k, one in enumerate(observed)
        ]
        single.append(np.asarray(p))
        corrected.append(np.maximum(max_statistic(observed, null), single[-1]))
    return average_p(np.asarray(single)), average_p(np.asarray(corrected))


def average_p(p: Array) -> Array:
    """Merge the p of several folds, whatever their dependence: twice their mean, at most 1.

    Parameters
    ----------
    p : (n_folds, n_tests)

    Returns
    -------
    p : (n_tests,)
        That of the fold where there is one only. NaN where a fold has none.

    Examples
    --------
    >>> average_p(np.array([[0.01, 0.9], [0.03, 0.7]])).tolist()
    [0.04, 1.0]
    """
    merged: Array = p[0] if len(p) == 1 else np.minimum(2 * p.mean(axis=0), 1.0)
    return merged


def _agreement(truth: Values, guess: Values) -> Array:
    """Return the mean over units of products of standardized responses and predictions.

    Returns
    -------
    agreement : (n_test, n_test)
        Its trace is the mean correlation; units whose predictions do not vary count 0. NaN
        where no unit is predicted.
    """
    total, known = np.zeros((len(truth), len(truth))), 0
    for start in range(0, truth.shape[1], BLOCK):
        t = _standardized(truth[:, start : start + BLOCK])
        g = _standardized(guess[:, start : start + BLOCK])
        known += int(((g != 0).any(axis=0) & (t != 0).any(axis=0)).sum())
        total += t @ g.T
    return total / truth.shape[1] if known else np.full_like(total, np.nan)


def _standardized(values: Values) -> Array:
    """Return columns of mean zero and length one, zero where they do not vary."""
    away = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
    flat = ~(np.ptp(values, axis=0) > 0)  # NaN too
    size = np.sqrt((away**2).sum(axis=0))
    return np.where(flat, 0.0, away / np.where(flat, 1.0, size))
