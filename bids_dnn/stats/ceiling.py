"""How reliable responses are, and the highest correlation that their noise allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from bids_dnn.errors import ShapeError
from bids_dnn.stats.repeats import averages, variances

Array = NDArray[np.floating[Any]]
BLOCK = 1024


def ceiling_of(reliability: Array) -> NDArray[np.float64]:
    """Return the highest Pearson r that a prediction can reach with responses so reliable.

    Parameters
    ----------
    reliability : (n_units,), at most 1
        Share of the variance of the mean over repeats that is signal; an estimate can fall
        below zero.

    Returns
    -------
    ceiling : (n_units,), in (0, 1]
        The square root; NaN where the reliability is NaN or not above zero.

    Examples
    --------
    >>> ceiling_of(np.array([0.81, -0.1, np.nan]))
    array([0.9, nan, nan])
    """
    share = np.asarray(reliability, dtype=np.float64)
    above = share > 0
    return np.where(above, np.sqrt(np.where(above, share, 0.0)), np.nan)


def ncsnr(values: Array, stimuli: Sequence[str]) -> NDArray[np.float64]:
    """Return the reliability of the mean over repeats from signal and noise variance.

    The two variances are the components of a one-way analysis of variance (stimulus as random
    factor), for any number of repeats of each stimulus. With s = SD of signal / SD of noise
    (the ncsnr), the share of signal variance in the mean over n repeats is
    s^2 / (s^2 + 1/n), and a perfect prediction of the signal correlates with that mean at the
    square root of it. Where stimuli differ in repeats, 1/n is its mean over stimuli.

    Parameters
    ----------
    values : (n_samples, n_units)
        Single responses, in any unit.
    stimuli : (n_samples,)
        Stimulus of each sample.

    Returns
    -------
    reliability : (n_units,), in [-1, 1]
        Share of signal in the variance of the mean over repeats; below zero where the
        estimated signal variance is, by the same formula on its size, so that the mean over
        units of noise is zero. NaN where nothing repeats or nothing varies.

    Raises
    ------
    ShapeError
        If there is not one stimulus for each row of `values`.

    References
    ----------
    Allen et al. (2022), Nat. Neurosci. 25:116, doi:10.1038/s41593-021-00962-x (ncsnr).
    Searle, Casella & McCulloch (1992), Variance Components, doi:10.1002/9780470316856
    (section 3.6, unequal numbers).

    Examples
    --------
    >>> values = np.array([[1.0, 0.0], [1.0, 1.0], [5.0, 1.0], [5.0, 0.0]])
    >>> ncsnr(values, ["a", "a", "b", "b"])
    array([ 1. , -0.5])
    """
    signal, within, counts = _components(values, stimuli)
    if not signal.size:
        return np.full(values.shape[1], np.nan)
    total = np.abs(signal) + within * (1 / counts).mean()
    return signal / np.where(total > 0, total, np.nan)


def signal_to_noise(values: Array, stimuli: Sequence[str]) -> NDArray[np.float64]:
    """Return the noise ceiling signal-to-noise ratio (ncsnr) of each unit.

    SD of the signal / SD of the noise of single responses, from the components of `ncsnr`.

    Parameters
    ----------
    values : (n_samples, n_units)
        Single responses, in any unit.
    stimuli : (n_samples,)

    Returns
    -------
    ratio : (n_units,), at least 0
        0 where the estimated signal variance is not above zero; NaN where nothing repeats or
        nothing varies.

    Raises
    ------
    ShapeError
        If there is not one stimulus for each row of `values`.

    References
    ----------
    Allen et al. (2022), Nat. Neurosci. 25:116, doi:10.1038/s41593-021-00962-x.

    Examples
    --------
    >>> signal_to_noise(np.array([[1.0], [3.0], [5.0], [7.0]]), ["a", "a", "b", "b"]).round(3)
    array([1.871])
    """
    signal, within, _ = _components(values, stimuli)
    if not signal.size:
        return np.full(values.shape[1], np.nan)
    ratio = np.maximum(signal, 0) / np.where(within > 0, within, np.nan)
    return np.where((within == 0) & (signal > 0), np.inf, np.sqrt(ratio))


def reliability_of(ratio: Array, repeats: Sequence[int]) -> NDArray[np.float64]:
    """Return the reliability of means over repeats from the ncsnr: NSD's noise ceiling.

    ``ncsnr^2 / (ncsnr^2 + mean(1 / n))`` over images with n repeats each; for A, B and C images
    of 1, 2 and 3 repeats, mean(1 / n) = (A + B / 2 + C / 3) / (A + B + C).

    Parameters
    ----------
    ratio : (n_units,)
        From `signal_to_noise`.
    repeats : (n_images,)
        Repeats of each image that is averaged.

    Returns
    -------
    reliability : (n_units,), in [0, 1]

    References
    ----------
    Allen et al. (2022), Nat. Neurosci. 25:116, doi:10.1038/s41593-021-00962-x.

    Examples
    --------
    >>> reliability_of(np.array([1.0]), [3, 3])
    array([0.75])
    """
    power = np.asarray(ratio, dtype=np.float64) ** 2
    share = (1 / np.asarray(repeats, dtype=np.float64)).mean()
    finite = np.where(np.isinf(power), 0.0, power)
    return np.where(np.isinf(power), 1.0, finite / (finite + share))


def fev(values: Array, stimuli: Sequence[str]) -> NDArray[np.float64]:
    """Return the fraction of explainable variance of single responses.

    1 - (mean variance over the repeats of a stimulus) / (variance over all samples), both
    unbiased; stimuli that were shown once count in the latter only.

    Parameters
    ----------
    values : (n_samples, n_units)
        Single responses, in any unit.
    stimuli : (n_samples,)

    Returns
    -------
    fraction : (n_units,), at most 1
        Below zero by chance where there is no signal; NaN where nothing repeats or varies.

    Raises
    ------
    ShapeError
        If there is not one stimulus for each row of `values`.

    References
    ----------
    Cadena et al. (2019), PLOS Comput. Biol. 15:e1006897, doi:10.1371/journal.pcbi.1006897.

    Examples
    --------
    >>> fev(np.array([[1.0], [1.0], [5.0], [5.0]]), ["a", "a", "b", "b"])
    array([1.])
    """
    which, counts = _groups(values, stimuli)
    if len(counts) < 2 or not (counts > 1).any():
        return np.full(values.shape[1], np.nan)
    total, noise, _ = variances(values, which, len(counts))
    made: NDArray[np.float64] = 1 - noise / np.where(total > 0, total, np.nan)
    return made


def by_fev(values: Array, stimuli: Sequence[str]) -> NDArray[np.float64]:
    """Return the reliability of the mean over repeats from the fraction of explainable variance.

    ``f / (f + (1 - f) mean(1 / n))``, and by the same formula on its size below zero.

    Parameters
    ----------
    values : (n_samples, n_units)
    stimuli : (n_samples,)

    Returns
    -------
    reliability : (n_units,), in [-1, 1]
        NaN where `fev` is.

    Raises
    ------
    ShapeError
        If there is not one stimulus for each row of `values`.
    """
    single = fev(values, stimuli)
    _, counts = _groups(values, stimuli)
    size = np.abs(single)
    stepped: NDArray[np.float64] = single / (size + (1 - size) * (1 / counts).mean())
    return stepped


def _components(
    values: Array, stimuli: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64 | np.intp]]:
    """Return signal and noise variance (n_units,), empty where nothing repeats, and counts."""
    which, counts = _groups(values, stimuli)
    n, k = len(which), len(counts)
    if k < 2 or n == k:
        return np.zeros(0), np.zeros(0), counts
    n0 = (n - (counts**2).sum() / n) / (k - 1)
    average = averages(which, k)
    signal, noise = np.empty(values.shape[1]), np.empty(values.shape[1])
    for start in range(0, values.shape[1], BLOCK):
        part = slice(start, start + BLOCK)
        block = np.asarray(values[:, part], dtype=np.float64)
        means = average @ block  # (k, n_block)
        noise[part] = ((block - means[which]) ** 2).sum(axis=0) / (n - k)
        between = (counts[:, None] * (means - block.mean(axis=0)) ** 2).sum(axis=0) / (k - 1)
        signal[part] = (between - noise[part]) / n0
    return signal, noise, counts


def split_half(
    values: Array, stimuli: Sequence[str], rng: np.random.Generator, *, n_splits: int = 50
) -> NDArray[np.float64]:
    """Return the reliability of the mean over repeats from how well their halves agree.

    The repeats of each stimulus that was shown more than once are split at random into two
    halves of the same size (one repeat is left over where their number is odd); the
    correlation of the two halves over stimuli, averaged over splits, is stepped up to all
    repeats by Spearman and Brown's formula.

    Parameters
    ----------
    values : (n_samples, n_units)
        Single responses, in any unit.
    stimuli : (n_samples,)
        Stimulus of each sample.
    rng
        Draws the halves.
    n_splits : int

    Returns
    -------
    reliability : (n_units,), in [-1, 1]
        Share of signal in the variance of the mean over repeats; below zero where the halves
        disagree, by the same formula on the size, so that the mean over units of noise is zero.
        NaN where fewer than three stimuli repeat.

    Raises
    ------
    ShapeError
        If there is not one stimulus for each row of `values`.

    References
    ----------
    Spearman (1910), Br. J. Psychol. 3:271, doi:10.1111/j.2044-8295.1910.tb00206.x.

    Examples
    --------
    >>> values = np.array([[1.0], [1.0], [5.0], [5.0], [2.0], [2.0]])
    >>> split_half(values, list("aabbcc"), np.random.default_rng(0))
    array([1.])
    """
    which, counts = _groups(values, stimuli)
    half = counts // 2
    n_units = values.shape[1]
    if (half > 0).sum() < 3:
        return np.full(n_units, np.nan)
    splits = [_halves(which, half, rng) for _ in range(n_splits)]
    total = np.empty(n_units)
    for start in range(0, n_units, BLOCK):
        block = np.asarray(values[:, start : start + BLOCK], dtype=np.float64)
        sums = np.zeros(block.shape[1])
        for first, second in splits:
            sums += _agreement(first @ block, second @ block)
        total[start : start + BLOCK] = sums / n_splits
    step = (1 / half[half > 0]).mean() / (1 / counts).mean()
    full: NDArray[np.float64] = step * total / (1 + (step - 1) * np.abs(total))
    return full


def _groups(
    values: Array, stimuli: Sequence[str]
) -> tuple[NDArray[np.intp], NDArray[np.float64 | np.intp]]:
    if values.ndim != 2 or len(stimuli) != len(values):
        raise ShapeError(
            f"values have shape {values.shape}, but there are {len(stimuli)} stimuli.",
            mend="Give one stimulus for each row of values.",
        )
    _, which, counts = np.unique(
        np.asarray(stimuli, dtype=object).astype(str), return_inverse=True, return_counts=True
    )
    return which, counts


def _halves(
    which: NDArray[np.intp], half: NDArray[Any], rng: np.random.Generator
) -> tuple[csr_array, csr_array]:
    """Draw two halves of the repeats: what averages each, over the stimuli that repeat."""
    order = np.lexsort((rng.random(len(which)), which))
    rank = np.empty_like(which)  # random, among the samples of a stimulus
    rank[order] = np.arange(len(which)) - np.searchsorted(which[order], which[order])
    size = half[which]
    repeats = np.flatnonzero(half)
    first = averages(which, len(half), keep=rank < size)
    second = averages(which, len(half), keep=(rank >= size) & (rank < 2 * size))
    return first[repeats], second[repeats]


def _agreement(a: Array, b: Array) -> NDArray[np.float64]:
    """Correlate the means of two halves over stimuli, (n_units,); 0 where one is flat."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    product = np.einsum("ij,ij->j", a, b)
    norm = np.sqrt(np.einsum("ij,ij->j", a, a) * np.einsum("ij,ij->j", b, b))
    r: NDArray[np.float64] = product / np.where(norm > 0, norm, 1.0)
    return r
