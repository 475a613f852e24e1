"""Ridge and least-squares classification of many labelings at once, on Gram matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpocon, dpotrf, dpotrs

from bids_dnn.analyses.decode.classifiers.shifted import Solve, solve_shifted
from bids_dnn.backend import namespace, put
from bids_dnn.stats.kernels import center_grams

Floats = NDArray[np.floating[Any]]
Numbers = NDArray[np.number[Any]]
Array = NDArray[np.float64]
CUT = 1e-10  # of the largest eigenvalue: less is rounding
SAFE = 1e-7  # reciprocal condition, above which no eigenvalue is cut


def ridge_decisions(
    train: Floats,
    cross: Floats,
    targets: Numbers,
    *,
    alpha: float,
    solve: Solve = solve_shifted,
) -> NDArray[np.float64]:
    """Predict targets by ridge regression with an intercept, of arrays or tensors.

    Parameters
    ----------
    train : (b, n, n)
        Inner products of the training samples, of each of b problems; not centered.
    cross : (b, m, n)
        Of m other samples with them.
    targets : (b, n, k)
        Of k labelings: +1 and -1 for two classes, or any numbers.
    alpha : at least 0
        Penalty, in multiples of the mean diagonal of the centered training Gram matrix; 0 = least
        squares, of all solutions the one of least norm.
    solve
        See `shifted`.

    Returns
    -------
    predictions : (b, m, k)
        Of two classes, above zero for class +1.

    References
    ----------
    Hastie, Tibshirani & Friedman (2009), The Elements of Statistical Learning, sections 3.4.1 and
    4.2.
    """
    train, cross = center_grams(train, cross)
    xp = namespace(train)
    wanted = put(targets, train, dtype="float64")
    mean = wanted.mean(axis=1, keepdims=True)  # (b, 1, k)
    size = train.diagonal(0, 1, 2).mean(-1)[:, None, None]
    if alpha:
        added = xp.where(size > 0, alpha * size, xp.ones_like(size))
        one = put(np.ones((1, 1, 1)), train)
        if targets.shape[2] < cross.shape[1]:
            few: NDArray[np.float64] = cross @ solve(train, wanted - mean, one, added) + mean
            return few
        hat = solve(train, cross.mT, one, added).mT  # (b, m, n)
    else:
        hat = _least_squares(train, cross)
    made: NDArray[np.float64] = hat @ wanted
    made += (1 - hat.sum(-1)[:, :, None]) * mean
    return made


def _least_squares(train: Array, cross: Array) -> Array:
    """Return ``cross @ pinv(train)`` of centered matrices.

    A centered matrix maps ones to zero, and so do rows of `cross`: with ones added as a further
    direction, the matrix can be inverted where it has no other null space, and the answer stays.
    """
    if namespace(train) is not np:
        inverse: Array = namespace(train).linalg.pinv(train, rcond=CUT, hermitian=True)
        return cross @ inverse
    made = np.empty(cross.shape)
    for own, seen, into in zip(train, cross, made, strict=True):
        whole = own + np.trace(own) / len(own) ** 2
        factor, failed = dpotrf(whole, lower=1)
        if not failed and dpocon(factor, np.abs(whole).sum(axis=0).max(), uplo="L")[0] > SAFE:
            into[:] = dpotrs(factor, seen.T, lower=1)[0].T
        else:
            into[:] = seen @ np.linalg.pinv(own, rcond=CUT, hermitian=True)
    return made
