"""Linear discriminant analysis of many labelings at once, on Gram matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.decode.classifiers.centered import center

Array = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]
Numbers = NDArray[np.number[Any]]
FEW = 4  # labelings of a Gram matrix, for which its eigenvectors do not pay
LEAST = 1e-4  # shrinkage, so that the covariance can be inverted


def lda_decisions(
    train: Floats,
    cross: Floats,
    signs: Numbers,
    *,
    n_units: int,
    shrinkage: float | None,
    is_weighted: bool = False,
) -> Array:
    """Tell two classes apart by their means, in the metric of the covariance within classes.

    The covariance S within classes is shrunk towards a scaled identity,
    ``(1 - l) S + l tr(S) / n_units I``. As the covariance of all samples is S plus a matrix of
    rank one, the same eigenvectors serve all labelings, and no matrix of units is made.

    Parameters
    ----------
    train : (b, n, n)
        Inner products of the training samples, of each of b problems; not centered.
    cross : (b, m, n)
        Of m other samples with them.
    signs : (b, n, k)
        +1 and -1: the classes, for each of k labelings; both in each labeling.
    n_units
        Units that the inner products sum over.
    shrinkage : in (0, 1]
        None = as Ledoit & Wolf estimate it, for each labeling anew.
    is_weighted
        Both classes are taken for as likely; otherwise as likely as they are frequent.

    Returns
    -------
    decisions : (b, m, k)
        Above zero for class +1: the log of the ratio of probabilities, if responses are normal.

    References
    ----------
    Ledoit & Wolf (2004), J. Multivar. Anal. 88:365, doi:10.1016/S0047-259X(03)00096-4.
    Hastie, Tibshirani & Friedman (2009), The Elements of Statistical Learning, section 4.3.
    """
    train, cross = center(train, cross)
    n = train.shape[1]
    is_first = np.asarray(signs) > 0
    n_first = is_first.sum(axis=1, keepdims=True)  # (b, 1, k)
    n_second = n - n_first
    contrast = np.where(is_first, 1 / n_first, -1 / n_second)  # (b, n, k): means' difference
    share = n_first * n_second / n**2
    seen = train @ contrast
    apart = (contrast * seen).sum(axis=1, keepdims=True)  # squared distance of the means
    total = np.trace(train, axis1=1, axis2=2)[:, None, None]
    spread = np.maximum(total / n - share * apart, 1e-12 * total / n)  # trace within classes
    spread = np.where(spread > 0, spread, 1.0)
    if shrinkage is None:
        residual = np.where(is_first, n_second / n, -n_first / n)
        lengths = np.diagonal(train, axis1=1, axis2=2)[:, :, None] - 2 * residual * seen
        lengths = lengths + residual**2 * apart  # squared, of the residuals
        size = (train**2).sum(axis=(1, 2))[:, None, None] / n**2
        size = size - 2 * share * (seen**2).sum(axis=1, keepdims=True) / n + (share * apart) ** 2
        rest = np.maximum(size - spread**2 / n_units, 0)
        noise = ((lengths**2).sum(axis=1, keepdims=True) / n - size) / n
        weight = np.clip(noise / np.where(rest > 0, rest, 1.0), LEAST, 1.0)
        weight = np.where(rest > 0, weight, 1.0)
    else:
        weight = np.full_like(apart, shrinkage)
    ridge = weight * spread / n_units
    slope, reach = _solved(train, cross, contrast, weights=(1 - weight) / n, ridge=ridge)
    middle = (n_second - n_first) / (2 * n) * reach
    decisions: Array = (slope - middle) / (1 - (1 - weight) * share * reach)
    return decisions if is_weighted else decisions + np.log(n_first / n_second)


def _solved(
    train: Array, cross: Array, contrast: Array, *, weights: Array, ridge: Array
) -> tuple[Array, Array]:
    """Solve ``(weights train + ridge I) a = contrast``.

    Returns
    -------
    slope : (b, m, k)
        ``cross @ a``.
    reach : (b, 1, k)
        ``contrast' train a``.
    """
    if contrast.shape[2] > FEW:
        values, vectors = np.linalg.eigh(train)
        values = np.maximum(values, 0)[:, :, None]  # (b, n, 1)
        loads = vectors.mT @ contrast
        scaled = loads / (weights * values + ridge)
        return (cross @ vectors) @ scaled, (values * loads * scaled).sum(axis=1, keepdims=True)
    slopes, reaches = [], []
    for k in range(contrast.shape[2]):
        matrix = weights[:, :, k, None] * train
        matrix += ridge[:, :, k, None] * np.eye(train.shape[1])
        found = np.linalg.solve(matrix, contrast[:, :, k, None])  # (b, n, 1)
        slopes.append(cross @ found)
        reaches.append(contrast[:, None, :, k] @ (train @ found))
    return np.concatenate(slopes, axis=2), np.concatenate(reaches, axis=2)
