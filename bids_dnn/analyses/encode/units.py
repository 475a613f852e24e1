"""Whether single units are predicted above chance: rotation tests, and correlations in folds.

A permutation test of each unit costs (number of images) squared for each unit and permutation.
The score of a unit under all penalties alike is a quadratic form of its responses, with a matrix
that the features and folds fix. Rotations of the responses, in place of permutations, leave that
form a distribution that depends on the eigenvalues of the matrix alone, so that one set of draws
serves all units with as fine a p as is wanted. It is exact where the responses of a unit to the
images are independent and normal about the means of their folds under the null.

What chooses on the responses how it predicts has no such matrix (see `exchange`). Within a fold
its predictions of the test images are what they are, so that their correlation with responses is
tested there, under the same assumption, and the p of the folds are merged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bids_dnn.analyses.encode.exchange import average_p
from bids_dnn.stats.folds import Fold
from bids_dnn.stats.inference import fdr
from bids_dnn.stats.metrics import pearson

Array = NDArray[np.float64]
Values = NDArray[np.floating[Any]]
BLOCK = 1024
N_DRAWS = 20_000
ROWS = 500  # draws held at once


def unit_p(
    operator: Values, truth: Values, folds: Sequence[Fold], rng: np.random.Generator
) -> Array:
    """Return the one-sided p of each unit's covariance of prediction and response.

    Parameters
    ----------
    operator : (n_stimuli, n_stimuli)
        From responses to predictions, zero within a fold, its predictions centered in each.
    truth : (n_stimuli, n_units)
    folds
        Several that test each image once; or one, whose test images are then exchanged with
        its predictions as they are (a t test of their correlation).
    rng
        Of the rotations.

    Returns
    -------
    p : (n_units,), in (0, 1]
        NaN where the responses or the predictions do not vary. With several folds not below
        1 / 20,001.

    References
    ----------
    Langsrud (2005), Stat. Comput. 15:53, doi:10.1007/s11222-005-4789-5.
    Wedderburn (1975), Random rotations and multivariate normal simulation, Rothamsted.
    """
    if not operator.any():
        return np.full(truth.shape[1], np.nan)
    null = None
    if len(folds) > 1:
        operator = operator.astype(np.float64, copy=False)
        null = _rotations(operator, folds, rng)
    p = np.empty(truth.shape[1])
    for start in range(0, truth.shape[1], BLOCK):
        where = slice(start, start + BLOCK)
        p[where] = _block_p(operator, truth[:, where].astype(np.float64), folds, null)
    return p


def unit_p_in_folds(truth: Values, guess: Values, folds: Sequence[Fold]) -> Array:
    """Return the one-sided p of each unit's correlation of prediction and response.

    That of a t test in each fold, whose predictions have learnt nothing from the responses to its
    test images; those of several folds, which depend on each other, are merged by twice their
    mean.

    Parameters
    ----------
    truth, guess : (n_stimuli, n_units)
    folds
        Each stimulus is tested once at most.

    Returns
    -------
    p : (n_units,), in (0, 1]
        A fold in which responses or predictions do not vary counts with a p of 1; NaN where
        this is so in all.

    References
    ----------
    Vovk & Wang (2020), Biometrika 107:791, doi:10.1093/biomet/asaa027 (twice the mean).
    """
    p = np.empty(truth.shape[1])
    for start in range(0, truth.shape[1], BLOCK):
        where = slice(start, start + BLOCK)
        found = np.array(
            [
                _p_of_r(
                    pearson(
                        truth[fold.test, where].astype(np.float64),
                        guess[fold.test, where].astype(np.float64),
                    ),
                    int(fold.test.sum()),
                )
                for fold in folds
            ]
        )
        known = np.isfinite(found)
        merged = average_p(np.where(known, found, 1.0))
        p[where] = np.where(known.any(axis=0), merged, np.nan)
    return p


def _p_of_r(r: Values, n: int) -> Array:
    """Return the one-sided p of correlations over `n` images, NaN where there is none."""
    within = np.clip(r, -1 + 1e-15, 1 - 1e-15)
    return np.asarray(stats.t.sf(within * np.sqrt((n - 2) / (1 - within**2)), n - 2))


def _block_p(
    operator: Values, responses: Array, folds: Sequence[Fold], null: Array | None
) -> Array:
    if null is None:
        (fold,) = folds
        teach = responses[fold.train] - responses[fold.train].mean(axis=0)
        held_out = responses[fold.test]
        r = pearson(held_out, operator[np.ix_(fold.test, fold.train)] @ teach)
        return _p_of_r(r, len(held_out))
    for fold in folds:
        responses[fold.test] -= responses[fold.test].mean(axis=0)
    power = (responses**2).sum(axis=0)
    found = ((operator @ responses) * responses).sum(axis=0) / np.where(power > 0, power, np.nan)
    above = len(null) - np.searchsorted(null, found - 1e-12 * np.abs(null[-1]), side="left")
    return np.where(np.isfinite(found), (1 + above) / (1 + len(null)), np.nan)


def _rotations(operator: Values, folds: Sequence[Fold], rng: np.random.Generator) -> Array:
    """Draw the quadratic form of rotated responses, sorted: (N_DRAWS,)."""
    form = (operator + operator.T) / 2
    for fold in folds:  # responses are centered in each fold
        form[fold.test] -= form[fold.test].mean(axis=0)
    for fold in folds:
        form[:, fold.test] -= form[:, fold.test].mean(axis=1, keepdims=True)
    values = np.linalg.eigvalsh(form)
    kept = np.argsort(np.abs(values))[len(folds) :]  # one direction of each fold is its mean
    values = values[np.sort(kept)]
    made = np.empty(N_DRAWS)
    for start in range(0, N_DRAWS, ROWS):
        squares = rng.standard_normal((min(ROWS, N_DRAWS - start), len(values))) ** 2
        made[start : start + ROWS] = squares @ values / squares.sum(axis=1)
    return np.sort(made)


def share_above_chance(p: Array, columns: NDArray[np.intp], *, level: float = 0.05) -> float:
    """Return the share of a region's units that are above chance.

    Parameters
    ----------
    p : (n_units,)
        Of the units of all regions, over which the false discovery rate is controlled.
    columns
        Of the region.
    level

    Returns
    -------
    share : float, in [0, 1]
        NaN where no unit of the region has a p.
    """
    own = fdr(p)[columns]
    known = np.isfinite(own)
    return float((own[known] <= level).mean()) if known.any() else float("nan")
