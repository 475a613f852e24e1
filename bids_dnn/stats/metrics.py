"""Scores of predictions: one a target, or one for a set of labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.errors import ShapeError
from bids_dnn.stats.ceiling import fev

Array = NDArray[np.floating[Any]]
Labels = NDArray[Any]
Interval = tuple[float, float]
UNBOUNDED = (-np.inf, np.inf)
RANGES = dict.fromkeys(("accuracy", "balanced_accuracy", "auc"), (0.0, 1.0)) | dict.fromkeys(
    ("pearson", "spearman"), (-1.0, 1.0)
)


def pearson(truth: Array, guess: Array) -> Array:
    """Correlate each column of `guess` with the same column of `truth`.

    Parameters
    ----------
    truth, guess : (n_samples, n_targets)
        In any unit: the score is free of offset and scale.

    Returns
    -------
    score : (n_targets,), in [-1, 1]
        NaN where either column does not vary, so that a dead voxel cannot pass for a voxel
        without effect.

    Raises
    ------
    ShapeError
        If the two shapes differ.

    References
    ----------
    Pearson (1895), Proc. R. Soc. London 58:240, doi:10.1098/rspl.1895.0041.

    Examples
    --------
    >>> truth = np.array([[0.0, 5.0], [1.0, 5.0], [2.0, 5.0]])
    >>> pearson(truth, -truth)
    array([-1., nan])
    """
    _same_shape(truth, guess)
    t = truth - truth.mean(axis=0)  # (n_samples, n_targets)
    g = guess - guess.mean(axis=0)
    flat = (np.ptp(truth, axis=0) == 0) | (np.ptp(guess, axis=0) == 0)
    norm = np.sqrt((t**2).sum(axis=0) * (g**2).sum(axis=0))  # (n_targets,)
    flat |= norm == 0
    score = (t * g).sum(axis=0) / np.where(flat, 1.0, norm)
    return np.where(flat, np.nan, np.clip(score, -1.0, 1.0))


def r2(truth: Array, guess: Array, *, baseline: Array) -> Array:
    """Return how much of the squared error of a constant model the predictions remove.

    Parameters
    ----------
    truth, guess : (n_samples, n_targets)
        Held-out values and their predictions, in one unit.
    baseline : (n_samples, n_targets), or broadcastable to it
        What a constant model says of each sample: the mean of its training fold.

    Returns
    -------
    score : (n_targets,), at most 1
        1 - SSE / SST. Negative where the constant model is better; NaN where `truth` does not
        vary.

    Raises
    ------
    ShapeError
        If the shapes differ, or `baseline` does not broadcast to them.

    Examples
    --------
    >>> truth = np.array([[1.0], [3.0]])
    >>> r2(truth, truth, baseline=np.array([2.0]))
    array([1.])
    """
    _same_shape(truth, guess)
    try:
        constant = np.broadcast_to(baseline, truth.shape)
    except ValueError as err:
        raise ShapeError(
            f"baseline has shape {np.shape(baseline)}, truth has shape {truth.shape}.",
            mend="Give one constant for each target, or one for each sample and target.",
        ) from err
    sse = ((truth - guess) ** 2).sum(axis=0)
    sst = ((truth - constant) ** 2).sum(axis=0)
    flat = (np.ptp(truth, axis=0) == 0) | (sst == 0)
    return np.where(flat, np.nan, 1 - sse / np.where(flat, 1.0, sst))


def accuracy(truth: Labels, guess: Labels) -> float:
    """Return the share of labels that are right.

    Parameters
    ----------
    truth, guess : (n_samples,)

    Returns
    -------
    score : float, in [0, 1]
        NaN where there is no sample.

    Raises
    ------
    ShapeError
        If the two lengths differ.

    Examples
    --------
    >>> accuracy(np.array(["a", "b", "b"]), np.array(["a", "b", "a"]))
    0.6666666666666666
    """
    _same_shape(truth, guess)
    return float(np.mean(truth == guess)) if truth.size else float("nan")


def balanced_accuracy(truth: Labels, guess: Labels) -> float:
    """Return the mean over classes of the share of a class's samples that are right.

    Parameters
    ----------
    truth, guess : (n_samples,)

    Returns
    -------
    score : float, in [0, 1]
        Chance is 1 / number of classes, however many samples each class has; NaN where there
        is no sample.

    Raises
    ------
    ShapeError
        If the two lengths differ.

    Examples
    --------
    >>> balanced_accuracy(np.array(["a", "b", "b"]), np.array(["a", "b", "a"]))
    0.75
    """
    _same_shape(truth, guess)
    if not truth.size:
        return float("nan")
    right = truth == guess
    return float(np.mean([right[truth == label].mean() for label in np.unique(truth)]))


def fev_explained(truth: Array, guess: Array, stimuli: Sequence[str]) -> NDArray[np.float64]:
    """Return the fraction of explainable variance that predictions explain.

    ``(total - error) / (total - noise)``: variance over all samples, mean squared error of
    single responses, and mean variance over the repeats of a stimulus.

    Parameters
    ----------
    truth : (n_samples, n_targets)
        Single responses.
    guess : (n_samples, n_targets)
        Predicted, the same for each repeat of a stimulus.
    stimuli : (n_samples,)

    Returns
    -------
    score : (n_targets,), about 1 where the signal is predicted, below 0 where worse than the mean
        NaN where nothing repeats, or repeats differ as much as stimuli.

    Raises
    ------
    ShapeError
        If shapes differ.

    References
    ----------
    Cadena et al. (2019), PLOS Comput. Biol. 15:e1006897, doi:10.1371/journal.pcbi.1006897.
    """
    _same_shape(truth, guess)
    share = fev(truth, stimuli)
    total = truth.var(axis=0, ddof=1, dtype=np.float64)
    error = ((truth - guess) ** 2).mean(axis=0, dtype=np.float64)
    explainable = share * total
    known = np.isfinite(share) & (explainable > 0)
    return np.where(known, (total - error) / np.where(known, explainable, 1.0), np.nan)


def within_range(interval: Interval, metric: str) -> Interval:
    """Cut an interval of a score to what the score can be.

    Parameters
    ----------
    interval
        Low and high end.
    metric
        Name of what is scored, or several, joined by a comma: cut is what all of them cannot be.

    Returns
    -------
    low, high : float
        As they were for a metric without bounds, such as d'.

    Examples
    --------
    >>> within_range((0.87, 1.01), "accuracy")
    (0.87, 1.0)
    >>> within_range((-0.2, 1.4), "dprime")
    (-0.2, 1.4)
    """
    bounds = [RANGES.get(name, UNBOUNDED) for name in metric.split(", ")]
    lowest, highest = min(low for low, _ in bounds), max(high for _, high in bounds)
    low, high = (float(np.clip(end, lowest, highest)) for end in interval)
    return low, high


def finite_mean(values: Array) -> float:
    """Return the mean of what was measured.

    Parameters
    ----------
    values : any shape
        NaN and infinite ones are left out.

    Returns
    -------
    mean : float
        NaN where none is left.

    Examples
    --------
    >>> finite_mean(np.array([1.0, np.nan, 3.0]))
    2.0
    """
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def _same_shape(truth: Labels, guess: Labels) -> None:
    if truth.shape != guess.shape:
        raise ShapeError(
            f"truth has shape {truth.shape}, guess has shape {guess.shape}.",
            mend="Both must have the same shape, samples first and in the same order.",
        )
