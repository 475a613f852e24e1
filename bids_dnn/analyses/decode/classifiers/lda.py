"""Linear discriminant analysis of many labelings at once, on Gram matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.backend import namespace, pull, put
from bids_dnn.stats.kernels import center_grams

Array = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]
Numbers = NDArray[np.number[Any]]
FEW = 4  # labelings of a Gram matrix, for which its eigenvectors do not pay
LEAST = 1e-4  # shrinkage, so that the covariance can be inverted
TINY = 1e-12  # of the variance of all samples: less within classes is rounding


def lda_decisions(
    train: Floats,
    cross: Floats,
    signs: Numbers,
    *,
    n_units: int | NDArray[np.integer[Any]],
    shrinkage: float | None,
    is_weighted: bool = False,
) -> Array:
    """Tell two classes apart by their means, in the metric of the covariance within classes.

    All may be arrays, or tensors.

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
    n_units : int, or (b, 1, 1)
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
    train, cross = center_grams(train, cross)
    xp, n = namespace(train), train.shape[1]
    is_first = put(pull(signs) > 0, train, dtype="float64")  # 1 and 0
    n_first = is_first.sum(axis=1, keepdims=True)  # (b, 1, k)
    n_second = n - n_first
    share = n_first * n_second / n**2
    contrast = is_first * (1 / n_first + 1 / n_second)  # (b, n, k): makes the means' difference
    contrast -= 1 / n_second
    diagonal = train.diagonal(0, 1, 2)
    total = diagonal.sum(-1)[:, None, None]
    axes = _Axes.of(train) if contrast.shape[2] > FEW else None
    loads = None if axes is None else axes.vectors.mT @ contrast
    seen = train @ contrast if axes is None or shrinkage is None else None
    apart = (  # squared distance of the means
        (contrast * seen).sum(axis=1, keepdims=True)
        if axes is None or loads is None
        else axes.squares(loads)
    )
    one = xp.ones_like(apart)
    spread = xp.maximum(total / n - share * apart, TINY * total / n * one)  # trace within classes
    spread = xp.where(spread > 0, spread, one)
    weight = one * (0.0 if shrinkage is None else shrinkage)
    if seen is not None and shrinkage is None:
        residual = is_first - n_first / n
        lengths = diagonal[:, :, None] - 2 * residual * seen
        lengths = lengths + residual**2 * apart  # squared, of the residuals
        size = (train**2).sum(axis=(1, 2))[:, None, None] / n**2
        size = size - 2 * share * (seen**2).sum(axis=1, keepdims=True) / n + (share * apart) ** 2
        rest = size - spread**2 / n_units
        noise = ((lengths**2).sum(axis=1, keepdims=True) / n - size) / n
        weight = xp.clip(noise / xp.where(rest > 0, rest, one), LEAST, 1.0)
        weight = xp.where(rest > 0, weight, one)
    ridge = weight * spread / n_units
    how = {"weights": (1 - weight) / n, "ridge": ridge}
    if axes is None or loads is None:
        slope, reach = _solved(train, cross, contrast, **how)
    else:
        slope, reach = axes.solved(cross, loads, **how)
    middle = (n_second - n_first) / (2 * n) * reach
    decisions: Array = (slope - middle) / (1 - (1 - weight) * share * reach)
    return decisions if is_weighted else decisions + xp.log(n_first / n_second)


@dataclass(frozen=True, slots=True, eq=False)
class _Axes:
    """Eigenvectors of centered Gram matrices, which all labelings share.

    Parameters
    ----------
    values : (b, 1, n)
    vectors : (b, n, n)
    """

    values: Array
    vectors: Array

    @classmethod
    def of(cls, gram: Array) -> _Axes:
        """Decompose Gram matrices (b, n, n)."""
        values, vectors = namespace(gram).linalg.eigh(gram)
        return cls(values.clip(0)[:, None, :], vectors)

    def squares(self, loads: Array) -> Array:
        """Return the squared lengths (b, 1, k) of what has these loads (b, n, k)."""
        return self.values @ loads**2

    def solved(
        self, cross: Array, loads: Array, *, weights: Array, ridge: Array
    ) -> tuple[Array, Array]:
        """Solve as `_solved` does, for the contrast of these loads."""
        scaled = self.values.mT * weights
        scaled += ridge
        namespace(loads).divide(loads, scaled, out=scaled)
        slope = (cross @ self.vectors) @ scaled
        scaled *= loads
        return slope, self.values @ scaled


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
    xp, slopes, reaches = namespace(train), [], []
    identity = put(np.eye(train.shape[1]), train)
    for k in range(contrast.shape[2]):
        matrix = weights[:, :, k, None] * train
        matrix += ridge[:, :, k, None] * identity
        found = xp.linalg.solve(matrix, contrast[:, :, k, None])  # (b, n, 1)
        slopes.append(cross @ found)
        reaches.append(contrast[:, None, :, k] @ (train @ found))
    return xp.concatenate(slopes, axis=2), xp.concatenate(reaches, axis=2)
