"""A training set's Gram matrix taken apart once, for all penalties and targets.

Letters: `k` a centered Gram matrix of the training samples, `u` and `s` its eigenvectors and
eigenvalues, `a` a penalty.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from bids_dnn.backend import namespace, pull, put
from bids_dnn.stats.kernels import center_grams

Array = NDArray[np.float64]
PER_DECADE = 2
FREE = 0.95  # share of the rank that the smallest penalty leaves free
BOUND = 0.1  # degrees of freedom that the largest penalty leaves
LEAST = 1e-8  # smallest penalty, as a multiple of the mean diagonal: below it is rounding


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """A training set's centered Gram matrix by its eigenvectors, and test samples in them.

    Arrays are numpy's, or tensors on the device where the Gram matrix was.

    Parameters
    ----------
    values : (rank,)
        Eigenvalues above rounding error.
    vectors : (n_train, rank)
    test : (n_test, rank)
        Inner products of test samples with the training samples, both less the training mean,
        times `vectors`.
    scale
        Mean diagonal of the centered Gram matrix: the features' variance times their number.
    n_components : int
        Principal components that were asked for; 0 = all.
    """

    values: Array
    vectors: Array
    test: Array
    scale: float
    n_components: int = 0

    def cast(self, dtype: str) -> Spectrum:
        """Return the same in another precision, ``float32`` or ``float64``; values stay exact."""
        vectors = put(self.vectors, self.vectors, dtype=dtype)
        return replace(self, vectors=vectors, test=put(self.test, self.test, dtype=dtype))

    def degrees_of_freedom(self, alphas: Array) -> Array:
        """Return how many dimensions each penalty leaves free, the mean not counted.

        Parameters
        ----------
        alphas : (n_alphas,), squared units of the features

        Returns
        -------
        degrees : (n_alphas,)
            Trace of the matrix from responses to fitted responses.
        """
        s = pull(self.values)
        made: Array = (s / (s + np.asarray(alphas)[:, None])).sum(axis=1)
        return made


def decompose(train: Array, test: Array, *, n_components: int = 0) -> Spectrum:
    """Center two Gram matrices and take them apart once, for all penalties.

    Parameters
    ----------
    train : (n_train, n_train)
    test : (n_test, n_train)
    n_components : int
        Principal components of the training samples' features that are kept; 0 = all.

    Raises
    ------
    ShapeError
        If the two do not fit each other.
    """
    largest = 8 * float(train.trace()) / len(train)
    k, k_test = center_grams(train, test)
    scale = float(k.trace()) / len(k)
    s, u = namespace(k).linalg.eigh(k)
    del k
    # Centering leaves rounding errors of the size of what is taken away.
    keep = s > max(float(s[-1]), largest) * len(s) * np.finfo(np.float64).eps
    if n_components:
        keep[: max(len(s) - n_components, 0)] = False
    first = int(pull(~keep).sum())  # eigenvalues ascend, so that those kept are the last
    return Spectrum(s[first:], u[:, first:], k_test @ u[:, first:], scale, n_components)


def penalty_grid(found: Spectrum) -> Array:
    """Return the penalties that a spectrum asks for, as multiples of its mean diagonal.

    They go from where next to all dimensions of the features are free to where a tenth of one
    is, in steps of half a decade that are the same for all features, so that choices on several
    folds can be counted together.

    Parameters
    ----------
    found
        Of the training samples.

    Returns
    -------
    multiples : (n_alphas,), ascending

    Examples
    --------
    >>> gram = np.eye(4)
    >>> np.log10(penalty_grid(decompose(gram, gram))).round(2).tolist()
    [-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0]
    """
    s: Array = pull(found.values).astype(np.float64)
    if not s.size:
        return np.array([1.0])
    rank = len(s)
    low = _penalty_of(s, FREE * rank)
    high = _penalty_of(s, min(BOUND, FREE * rank))
    steps = [PER_DECADE * np.log10(max(one / found.scale, LEAST)) for one in (low, high)]
    return np.asarray(10.0 ** (np.arange(np.floor(steps[0]), np.ceil(steps[1]) + 1) / PER_DECADE))


def _penalty_of(s: Array, degrees: float) -> float:
    """Return the penalty that leaves so many degrees of freedom."""

    def gap(log_a: float) -> float:
        return float((s / (s + np.exp(log_a))).sum()) - degrees

    # Of one dimension s / (s + a) = d gives a = s (1 - d) / d: bounds for all of them.
    low = np.log(s[0]) + np.log((1 - FREE) / FREE) - 1
    high = np.log(s[-1] * len(s) / degrees) + 1
    return float(np.exp(brentq(gap, low, high)))
