"""Means of single responses over the repeats of a stimulus, and how they vary about them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Array = NDArray[np.floating[Any]]
BLOCK = 1024


def averages(
    which: NDArray[np.intp], n_groups: int, *, keep: NDArray[np.bool_] | None = None
) -> csr_array:
    """Return the matrix that takes samples to the means of their groups.

    Parameters
    ----------
    which : (n_samples,)
        Group of each sample, from 0.
    n_groups : int
    keep : (n_samples,) bool
        Samples that count; all of them by default.

    Returns
    -------
    matrix : (n_groups, n_samples), sparse
        Rows of groups without a sample are empty.

    Examples
    --------
    >>> averages(np.array([0, 1, 0]), 2) @ np.array([1.0, 5.0, 3.0])
    array([2., 5.])
    """
    columns = np.arange(len(which)) if keep is None else np.flatnonzero(keep)
    rows = which[columns]
    weights = 1 / np.bincount(rows, minlength=n_groups)[rows]
    return csr_array((weights, (rows, columns)), shape=(n_groups, len(which)))


def variances(
    values: Array, which: NDArray[np.intp], n_stimuli: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return how single responses vary, over all and over the repeats of a stimulus.

    Parameters
    ----------
    values : (n_samples, n_units)
        Single responses.
    which : (n_samples,)
        Stimulus of each, from 0; one at least repeats.
    n_stimuli : int
        Some may have no sample.

    Returns
    -------
    total : (n_units,)
        Unbiased variance over all samples.
    noise : (n_units,)
        Mean unbiased variance over the repeats of a stimulus that has several.
    within : (n_units,)
        Mean squared distance of a sample from the mean of its stimulus.

    Examples
    --------
    >>> values = np.array([[1.0], [3.0], [5.0], [5.0]])
    >>> [float(one[0].round(3)) for one in variances(values, np.array([0, 0, 1, 1]), 2)]
    [3.667, 1.0, 0.5]
    """
    counts = np.bincount(which, minlength=n_stimuli)
    several = counts > 1
    unbiased = (counts / np.maximum(counts - 1, 1))[several, None]
    average = averages(which, n_stimuli)
    total, noise, within = (np.empty(values.shape[1]) for _ in range(3))
    for start in range(0, values.shape[1], BLOCK):
        part = slice(start, start + BLOCK)
        block = np.asarray(values[:, part], dtype=np.float64)
        squares = (block - (average @ block)[which]) ** 2
        total[part] = block.var(axis=0, ddof=1)
        noise[part] = ((average @ squares)[several] * unbiased).mean(axis=0)
        within[part] = squares.mean(axis=0)
    return total, noise, within
