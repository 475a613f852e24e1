"""Ridge regression on a Gram matrix, for many penalties and targets at once.

Features enter as their inner products alone, so that their number does not matter. Letters:
`k` a centered Gram matrix of the training samples, `u` and `s` its eigenvectors and
eigenvalues, `a` a penalty.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from bids_dnn.errors import ConfigError
from bids_dnn.stats.folds import Fold
from bids_dnn.stats.kernels import center_grams

Array = NDArray[np.float64]
Values = NDArray[np.floating[Any]]
BATCH = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """A training set's centered Gram matrix by its eigenvectors, and test samples in them.

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
    """

    values: Array
    vectors: Array
    test: Array
    scale: float


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
    k, k_test = center_grams(train, test)
    s, u = eigh(k, check_finite=False, driver="evd")
    # Centering leaves rounding errors of the size of what is taken away.
    largest = max(float(s[-1]), 8 * float(np.trace(train)) / len(s))
    keep = s > largest * len(s) * np.finfo(np.float64).eps
    if n_components:
        keep[: max(len(s) - n_components, 0)] = False
    u = np.ascontiguousarray(u[:, keep])
    return Spectrum(s[keep], u, k_test @ u, float(np.trace(k)) / len(k))


def solve_kernel_ridge(gram: Array, y: Array, *, alpha: Array) -> Array:
    """Solve ``(k + alpha) dual = y - mean(y)`` with one `alpha` for each target.

    Parameters
    ----------
    gram : (n_samples, n_samples)
        Not centered.
    y : (n_samples, n_targets)
    alpha : (n_targets,), squared units of the features

    Returns
    -------
    dual : (n_samples, n_targets)
        A centered test row times `dual`, plus the mean of `y`, is the prediction.

    Raises
    ------
    ShapeError
        If `gram` is not square.

    References
    ----------
    Saunders, Gammerman & Vovk (1998), ICML, 515-521.
    """
    found = decompose(gram, gram)
    y0 = y - y.mean(axis=0)
    z = found.vectors.T @ y0  # (rank, n_targets)
    dual: Array = found.vectors @ (z / (found.values[:, None] + alpha) - z / alpha) + y0 / alpha
    return dual


def cross_validate(
    gram: Array,
    y: Values,
    *,
    folds: Sequence[Fold],
    alphas: Array,
    n_components: int = 0,
    batch: int = BATCH,
) -> Array:
    """Return the mean squared error of each penalty and target on held-out samples.

    Parameters
    ----------
    gram : (n_samples, n_samples)
    y : (n_samples, n_targets)
    folds
        Over the samples.
    alphas : (n_alphas,), squared units of the features
    n_components : int
        Principal components that are kept, learnt anew on each fold's training samples; 0 = all.
    batch : int
        Targets worked on at once.

    Returns
    -------
    loss : (n_alphas, n_targets)
        Mean over folds of a fold's mean squared error.

    Raises
    ------
    ShapeError
        If `gram` is not square.
    """
    loss = np.zeros((len(alphas), y.shape[1]))
    for fold in folds:
        found = decompose(
            gram[np.ix_(fold.train, fold.train)],
            gram[np.ix_(fold.test, fold.train)],
            n_components=n_components,
        )
        for where, teach, told in _batches(y, fold, batch):
            for a, guess in enumerate(_predictions(found, teach, alphas)):
                np.subtract(told, guess, out=guess)
                loss[a, where] += np.einsum("ij,ij->j", guess, guess) / len(told)
    return loss / len(folds)


def choose_alpha(loss: Array, alphas: Array) -> Array:
    """Return each target's penalty of least loss; of equal ones the largest.

    Parameters
    ----------
    loss : (n_alphas, n_targets)
    alphas : (n_alphas,)

    Returns
    -------
    alpha : (n_targets,)

    Raises
    ------
    ConfigError
        If there is no penalty, or one is not above zero.

    Examples
    --------
    >>> choose_alpha(np.array([[1.0, 2.0], [1.0, 3.0]]), np.array([0.1, 10.0]))
    array([10. ,  0.1])
    """
    if not alphas.size or not (alphas > 0).all():
        raise ConfigError(
            f"The penalties are {alphas.tolist()}; there must be one, and all above zero.",
            mend="Set encode.alphas in analysis.toml, such as [0.01, 0.1, 1.0, 10.0].",
        )
    falling = np.argsort(alphas, kind="stable")[::-1]
    chosen: Array = alphas[falling][np.argmin(loss[falling], axis=0)]
    return chosen


def predict_fold(
    found: Spectrum, y: Values, fold: Fold, *, alpha: Array, batch: int = BATCH
) -> tuple[Array, Array]:
    """Learn from a fold's training samples, and predict its test samples.

    Parameters
    ----------
    found
        Of the fold's training and test samples.
    y : (n_samples, n_targets)
    fold
    alpha : (n_targets,), squared units of the features
    batch : int
        Targets worked on at once.

    Returns
    -------
    guess : (n_test, n_targets)
    mean : (n_targets,)
        Of the training samples: what a constant model predicts.
    """
    guess = np.empty((int(fold.test.sum()), y.shape[1]))
    mean = np.empty(y.shape[1])
    for start in range(0, y.shape[1], batch):
        where = slice(start, start + batch)
        teach = y[fold.train, where].astype(np.float64)
        mean[where] = teach.mean(axis=0)
        z = found.vectors.T @ (teach - mean[where])
        guess[:, where] = found.test @ (z / (found.values[:, None] + alpha[where])) + mean[where]
    return guess, mean


def mix_penalties(found: Spectrum, alphas: Array) -> Array:
    """Return the operator that predicts with all penalties at once, each in equal measure.

    For a score that must not know which penalty the responses chose: the mean over `alphas` of
    the operators from training responses to test predictions, each divided by its root mean
    square over rows of unit variance. The predictions have mean zero over the test samples.

    Parameters
    ----------
    found
        Of a fold's training and test samples.
    alphas : (n_alphas,), squared units of the features

    Returns
    -------
    operator : (n_test, n_train)
        Zero where the features do not vary.
    """
    test = found.test - found.test.mean(axis=0)  # (n_test, rank)
    power = (test**2).sum(axis=0)  # (rank,)
    weights = np.zeros_like(found.values)
    for a in alphas:
        shrink = 1 / (found.values + a)
        norm = np.sqrt((power * shrink**2).sum() / len(test))
        weights += shrink / (norm if norm > 0 else np.inf)
    operator: Array = (test * (weights / len(alphas))) @ found.vectors.T
    return operator


def _batches(y: Values, fold: Fold, batch: int) -> Iterator[tuple[slice, Array, Array]]:
    """Give targets in blocks: where, training rows and test rows, less the training mean."""
    for start in range(0, y.shape[1], batch):
        where = slice(start, start + batch)
        teach = y[fold.train, where].astype(np.float64)
        mean = teach.mean(axis=0)
        yield where, teach - mean, y[fold.test, where].astype(np.float64) - mean


def _predictions(found: Spectrum, teach: Array, alphas: Array) -> Iterator[Array]:
    """Predict the test samples under each penalty, (n_test, n_targets) each.

    Two ways to multiply the same three matrices: the cheaper one for the shapes at hand.
    """
    n_test, rank = found.test.shape
    n_train, n_targets = teach.shape
    first_right = n_train * rank * n_targets + len(alphas) * n_test * rank * n_targets
    first_left = len(alphas) * n_test * n_train * (rank + n_targets)
    if first_right <= first_left:
        z = found.vectors.T @ teach  # (rank, n_targets)
        for a in alphas:
            yield (found.test / (found.values + a)) @ z
    else:
        for a in alphas:
            yield ((found.test / (found.values + a)) @ found.vectors.T) @ teach
