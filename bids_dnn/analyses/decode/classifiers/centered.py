"""Gram matrices of several problems, centered on their training samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def center(
    train: NDArray[np.floating[Any]], cross: NDArray[np.floating[Any]]
) -> tuple[Array, Array]:
    """Take the mean of the training samples out, of each of b problems.

    Parameters
    ----------
    train : (b, n, n)
    cross : (b, m, n)
        Other samples with the training samples.

    Returns
    -------
    train, cross
        In double precision.

    Examples
    --------
    >>> x = np.array([[1.0], [3.0], [7.0]])
    >>> train, cross = center((x[:2] @ x[:2].T)[None], (x[2:] @ x[:2].T)[None])
    >>> train[0].tolist(), cross[0].tolist()
    ([[1.0, -1.0], [-1.0, 1.0]], [[-5.0, 5.0]])
    """
    row = train.mean(axis=1, keepdims=True, dtype=np.float64)  # (b, 1, n)
    total = row.mean(axis=2, keepdims=True)
    return (
        train - row - row.mT + total,
        cross - row - cross.mean(axis=2, keepdims=True, dtype=np.float64) + total,
    )
