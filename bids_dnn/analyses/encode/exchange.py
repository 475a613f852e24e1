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


def exchange_p(
    truth: Values,
    guesses: Sequence[Values],
    folds: Sequence[Fold],
    groups: Sequence[NDArray[np.intp]],
    *,
    n_permutations: int,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """Return p of each model and group of units, from exchanges of the test images of each fold.

    The statistic is the mean over the units of a group of the correlation within the fold.

    Parameters
    ----------
    truth : (n_stimuli, n_units)
    guesses : n_models of (n_stimuli, n_units)
        NaN in all rows of a fold, or constant predictions = nothing was predicted.
    folds
        Each stimulus is tested once at most.
    groups : n_groups of columns
    n_permutations : int
    rng
        Draws the exchanges, the same for all models and groups.

    Returns
    -------
    p, p_corrected : (n_models, n_groups), in (0, 1]
        `p_corrected` for all models and groups (maximum statistic). NaN where nothing was
        predicted.

    References
    ----------
    Vovk & Wang (2020), Biometrika 107:791, doi:10.1093/biomet/asaa027 (twice the mean).
    """
    n_tests = len(guesses) * len(groups)
    single, corrected = np.empty((len(folds), n_tests)), np.empty((len(folds), n_tests))
    for f, fold in enumerate(folds):
        orders = rng.permuted(
            np.tile(np.arange(int(fold.test.sum())), (n_permutations, 1)), axis=1
        )
        found = np.empty((1 + n_permutations, n_tests))
        for k, (guess, columns) in enumerate((g, c) for g in guesses for c in groups):
            alike = _agreement(
                truth[np.ix_(fold.test, columns)], guess[np.ix_(fold.test, columns)]
            )
            place = np.arange(len(alike))
            found[0, k] = np.trace(alike)
            found[1:, k] = alike[orders, place].sum(axis=1)
        observed = found[0]
        single[f] = [
            permutation_p(float(one), found[1:, k], enumerated=False)
            for k, one in enumerate(observed)
        ]
        corrected[f] = np.maximum(max_statistic(observed, found[1:]), single[f])
    shape = len(guesses), len(groups)
    return average_p(single).reshape(shape), average_p(corrected).reshape(shape)


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
