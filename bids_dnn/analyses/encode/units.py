"""Whether single units are predicted above chance: a rotation test, one null for all of them.

A permutation test of each unit costs (number of images) squared for each unit and permutation.
The score of a unit under all penalties alike is a quadratic form of its responses, with a matrix
that the features and folds fix. Rotations of the responses, in place of permutations, leave that
form a distribution that depends on the eigenvalues of the matrix alone, so that one set of draws
serves all units with as fine a p as is wanted. It is exact where the responses of a unit to the
images are independent and normal about the means of their folds under the null.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bids_dnn.stats.folds import Fold
from bids_dnn.stats.inference import fdr
from bids_dnn.stats.metrics import pearson

Array = NDArray[np.float64]
Values = NDArray[np.floating[Any]]
BLOCK = 1024
N_DRAWS = 20_000
ROWS = 500  # draws held at once


def unit_p(
    operator: Array, truth: Values, folds: Sequence[Fold], rng: np.random.Generator
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
    null = _rotations(operator, folds, rng) if len(folds) > 1 else None
    p = np.empty(truth.shape[1])
    for start in range(0, truth.shape[1], BLOCK):
        where = slice(start, start + BLOCK)
        p[where] = _block_p(operator, truth[:, where].astype(np.float64), folds, null)
    return p


def _block_p(
    operator: Array, responses: Array, folds: Sequence[Fold], null: Array | None
) -> Array:
    if null is None:
        (fold,) = folds
        teach = responses[fold.train] - responses[fold.train].mean(axis=0)
        held_out = responses[fold.test]
        r = pearson(held_out, operator[np.ix_(fold.test, fold.train)] @ teach)
        n = len(held_out)
        r = np.clip(r, -1 + 1e-15, 1 - 1e-15)
        return np.asarray(stats.t.sf(r * np.sqrt((n - 2) / (1 - r**2)), n - 2))
    for fold in folds:
        responses[fold.test] -= responses[fold.test].mean(axis=0)
    power = (responses**2).sum(axis=0)
    found = ((operator @ responses) * responses).sum(axis=0) / np.where(power > 0, power, np.nan)
    above = len(null) - np.searchsorted(null, found - 1e-12 * np.abs(null[-1]), side="left")
    return np.where(np.isfinite(found), (1 + above) / (1 + len(null)), np.nan)


def _rotations(operator: Array, folds: Sequence[Fold], rng: np.random.Generator) -> Array:
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
