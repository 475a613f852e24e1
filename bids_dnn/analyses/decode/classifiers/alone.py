"""LDA and ridge of labelings that have samples of their own, each by one compiled factor."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.classifiers.factors import factorize, substitute
from bids_dnn.analyses.decode.classifiers.lda import LEAST, TINY
from bids_dnn.analyses.decode.classifiers.pivoting import listed
from bids_dnn.analyses.decode.classifiers.turns import product
from bids_dnn.stats.compiled import compiled
from bids_dnn.stats.folds import Fold
from bids_dnn.stats.kernels import VARIES

Array = NDArray[np.float64]
Codes = NDArray[np.integer[Any]]
Marks = NDArray[np.bool_]
Places = NDArray[np.int64]
ESTIMATED = -1.0  # in place of a shrinkage: as Ledoit & Wolf estimate it
CONTRAST, RIGHT, SEEN, MEANS, ONES = range(5)  # rows of the work space


def decide_alone(
    gram: Array,
    fold: Fold,
    signs: Codes,
    told: Marks,
    classifier: Classifier,
    *,
    n_units: int,
) -> Array:
    """Decide between two classes in a fold, for labelings with samples of their own.

    Parameters
    ----------
    gram : (n, n)
        Inner products of all samples.
    fold
        Masks over the samples.
    signs : (k, n)
        +1 and -1: the classes, for each of k labelings; 0: the sample does not teach.
    told : (k, n) bool
        For which samples there is to be a decision, if the fold tests them.
    classifier
        LDA, or ridge with a penalty.
    n_units
        Units that inner products sum over.

    Returns
    -------
    decisions : (k, n)
        As of `lda_decisions` and `ridge_decisions`. Where the fold has one class to learn from, +1
        or -1; 0 where it has none, and where it does not test a sample.
    """
    decisions = np.zeros(signs.shape)
    _decide_each(
        np.require(gram, np.float64, ("C", "W")),
        np.require(np.where(fold.train, signs, 0), np.float64, ("C", "W")),
        np.require(told & fold.test, np.bool_, ("C", "W")),
        classifier.kind == "lda",
        _weight_of(classifier),
        n_units,
        classifier.is_weighted,
        decisions,
    )
    return decisions


def decide_spheres(
    gram: Array,
    taught: Codes,
    tested: Codes,
    signs: Codes,
    classifier: Classifier,
    *,
    n_units: Codes,
) -> Array:
    """Decide between two classes in many spheres, as `decide_alone` does in one fold.

    Parameters
    ----------
    gram : (b, n, n)
        Inner products of all samples, of each sphere.
    taught : (t,)
        Numbers of the samples that teach.
    tested : (m,)
        Of those that are told.
    signs : (t, k)
        +1 and -1: the classes, for each of k labelings; 0: the sample does not teach.
    classifier
    n_units : (b,)

    Returns
    -------
    decisions : (b, m, k)
    """
    n_spheres, n = gram.shape[:2]
    whole = np.zeros((signs.shape[1], n))
    whole[:, taught] = signs.T
    told = np.zeros(whole.shape, dtype=np.bool_)
    told[:, tested] = True
    decisions = np.zeros((n_spheres, *whole.shape))
    _decide_many(
        np.require(gram, np.float64, ("C", "W")),
        whole,
        told,
        classifier.kind == "lda",
        _weight_of(classifier),
        n_units.astype(np.int64),
        classifier.is_weighted,
        decisions,
    )
    return decisions[:, :, tested].mT


def _weight_of(classifier: Classifier) -> float:
    weight = classifier.shrinkage if classifier.kind == "lda" else classifier.alpha
    return ESTIMATED if weight is None else float(weight)


@compiled
def _decide_many(
    gram: Array,
    signs: Array,
    told: Marks,
    is_lda: bool,  # noqa: FBT001
    weight: float,
    n_units: Places,
    is_weighted: bool,  # noqa: FBT001
    decisions: Array,
) -> None:
    """Write ``decisions`` (b, k, n) of each sphere."""
    for b in range(len(gram)):
        _decide_each(gram[b], signs, told, is_lda, weight, n_units[b], is_weighted, decisions[b])


@compiled
def _decide_each(
    gram: Array,
    signs: Array,
    told: Marks,
    is_lda: bool,  # noqa: FBT001
    weight: float,
    n_units: int,
    is_weighted: bool,  # noqa: FBT001
    decisions: Array,
) -> None:
    """Write ``decisions`` (k, n), for the samples ``told`` (k, n)."""
    n = len(gram)
    own, work = np.empty(n, np.int64), np.empty((5, n))
    kernel, factor = np.empty((n, n)), np.empty((n, n))
    for k in range(len(signs)):
        m = listed(signs[k], own)
        n_first = 0
        for i in own[:m]:
            n_first += signs[k, i] > 0.0
        slope, offset = 1.0, float((n_first > 0) - (n_first < m))
        work[RIGHT] = 0.0
        if 0 < n_first < m:
            trace = _take(gram, own[:m], kernel, work)
            for i in range(m):
                is_first = signs[k, own[i]] > 0.0
                work[CONTRAST, i] = 1.0 / n_first if is_first else -1.0 / (m - n_first)
            if is_lda:
                slope, offset = _fit_lda(kernel, work, factor, m, n_first, trace, weight, n_units)
                offset += 0.0 if is_weighted else np.log(n_first / (m - n_first))
            else:
                offset = _fit_ridge(kernel, work, factor, m, trace, weight)
        _tell(gram, own[:m], told[k], work[RIGHT], slope, offset, decisions[k])


@compiled
def _tell(
    gram: Array,
    own: Places,
    told: Marks,
    weights: Array,
    slope: float,
    offset: float,
    decisions: Array,
) -> None:
    """Write the decisions for the samples that are told."""
    for j in range(len(told)):
        if told[j]:
            total, row = 0.0, gram[j]
            for i in range(len(own)):
                total += row[own[i]] * weights[i]
            decisions[j] = slope * total + offset


@compiled
def _take(gram: Array, own: Places, kernel: Array, work: Array) -> float:
    """Take part of a matrix, and the means of its rows; return its trace without means."""
    m, total, raw = len(own), 0.0, 0.0
    for i in range(m):
        row, into, mean = gram[own[i]], kernel[i], 0.0
        for j in range(m):
            into[j] = row[own[j]]
        for j in range(m):
            mean += into[j]
        work[MEANS, i] = mean / m
        total += mean / m
        raw += into[i]
    trace = raw - total
    return trace if trace > VARIES * raw else 0.0


@compiled
def _solve(kernel: Array, work: Array, factor: Array, m: int, scale: float, shift: float) -> float:
    """Solve ``(scale kernel + shift I) a + b 1 = right``, ``sum a = 0``, in place; return ``b``.

    ``a`` is as if the kernel had no means; zeros where there is no factor.
    """
    for i in range(m):
        into, row = factor[i], kernel[i]
        for j in range(i + 1):
            into[j] = scale * row[j]
        into[i] += shift
    if not factorize(factor, m):
        work[RIGHT] = 0.0
        return 0.0
    right, ones, above, below = work[RIGHT], work[ONES], 0.0, 0.0
    ones[:] = 1.0
    substitute(factor, m, right, ones)
    for i in range(m):
        above += right[i]
        below += ones[i]
    for i in range(m):
        right[i] -= above / below * ones[i]
    return above / below


@compiled
def _fit_ridge(
    kernel: Array, work: Array, factor: Array, m: int, trace: float, alpha: float
) -> float:
    """Write the weights of the samples; return the intercept."""
    for i in range(m):
        work[RIGHT, i] = 1.0 if work[CONTRAST, i] > 0 else -1.0
    return _solve(kernel, work, factor, m, 1.0, alpha * trace / m if trace > 0 else 1.0)


@compiled
def _fit_lda(
    kernel: Array,
    work: Array,
    factor: Array,
    m: int,
    n_first: int,
    trace: float,
    weight: float,
    n_units: int,
) -> tuple[float, float]:
    """Write the weights of the samples; return what they are multiplied by, and the intercept."""
    share, apart = n_first * (m - n_first) / m**2, 0.0
    mean = product(work[MEANS], work[CONTRAST, :m])
    for i in range(m):
        work[SEEN, i] = product(kernel[i], work[CONTRAST, :m]) - mean
        apart += work[SEEN, i] * work[CONTRAST, i]
    spread = max(trace / m - share * apart, TINY * trace / m)
    spread = spread if spread > 0 else 1.0
    if weight == ESTIMATED:
        weight = _shrinkage(kernel, work, m, share, apart, spread, n_units)
    work[RIGHT] = work[CONTRAST]
    _solve(kernel, work, factor, m, (1 - weight) / m, weight * spread / n_units)
    reach = product(work[SEEN], work[RIGHT, :m])
    slope = 1.0 / (1.0 - (1.0 - weight) * share * reach)
    middle = (m - 2 * n_first) / (2 * m) * reach + product(work[MEANS], work[RIGHT, :m])
    return slope, -slope * middle


@compiled
def _shrinkage(
    kernel: Array, work: Array, m: int, share: float, apart: float, spread: float, n_units: int
) -> float:
    """Estimate the shrinkage as `lda_decisions` does."""
    means = work[MEANS]
    size, lengths, grand = (share * apart) ** 2, 0.0, means[:m].mean()
    for i in range(m):
        seen, contrast, row, total = work[SEEN, i], work[CONTRAST, i], kernel[i], 0.0
        mean = means[i] - grand
        for j in range(m):
            total += (row[j] - mean - means[j]) ** 2
        size += total / m**2 - 2 * share * seen**2 / m
        residual = share * m * contrast
        length = row[i] - mean - means[i] - 2 * residual * seen + residual**2 * apart
        lengths += length**2
    rest = max(size - spread**2 / n_units, 0.0)
    if rest <= 0.0:
        return 1.0
    return min(max((lengths / m - size) / m / rest, LEAST), 1.0)
