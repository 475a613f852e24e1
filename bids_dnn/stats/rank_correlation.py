"""Correlations of ranks, row by row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Array = NDArray[np.float64]
DIGITS = 12  # behind the point: shares that differ by rounding alone are one


def spearman(first: Array, second: Array) -> Array:
    """Correlate the ranks of each row; ties share their mean rank.

    Parameters
    ----------
    first, second : (n_rows, n)
        Of sizes around one: differences under 1e-12 are rounding.

    Returns
    -------
    rho : (n_rows,), in [-1, 1]
        NaN where either does not vary.

    References
    ----------
    Spearman (1904), Am. J. Psychol. 15:72, doi:10.2307/1412159.

    Examples
    --------
    >>> spearman(np.array([[1.0, 2.0, 4.0]]), np.array([[3.0, 2.0, 1.0]])).round(9)
    array([-1.])
    """
    ranks = (standard_ranks(np.round(rows, DIGITS)) for rows in (first, second))
    made: Array = np.prod(tuple(ranks), axis=0).sum(axis=1)
    return made


def standard_ranks(rows: Array) -> Array:
    """Return the ranks in each row, of mean zero and length one.

    The inner product of two such rows is their rank correlation.

    Parameters
    ----------
    rows : (n_rows, n)

    Returns
    -------
    ranks : (n_rows, n)
        NaN where a row does not vary.

    Examples
    --------
    >>> standard_ranks(np.array([[5.0, 7.0], [1.0, 1.0]])).round(3)
    array([[-0.707,  0.707],
           [   nan,    nan]])
    """
    ranks = rankdata(rows, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    length = np.linalg.norm(ranks, axis=1, keepdims=True)
    made: Array = np.divide(ranks, length, out=np.full_like(ranks, np.nan), where=length > 0)
    return made
