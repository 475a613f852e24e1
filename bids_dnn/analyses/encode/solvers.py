"""Ridge regression on a Gram matrix, for many penalties and targets at once.

Features enter as their inner products alone, so that their number does not matter. Letters:
`k` a centered Gram matrix of the training samples, `u` and `s` its eigenvectors and
eigenvalues, `a` a penalty.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.encode.spectrum import Spectrum, decompose
from bids_dnn.backend import dtype_name, namespace, pull, put
from bids_dnn.errors import ConfigError
from bids_dnn.stats.folds import Fold

Array = NDArray[np.float64]
Values = NDArray[np.floating[Any]]
BATCH = 4096


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
        ).cast(dtype_name(y))
        for where, teach, told in _batches(y, fold, found, batch):
            for a, guess in enumerate(_predictions(found, teach, alphas)):
                loss[a, where] += pull(column_squares(told - guess)) / len(told)
    return loss / len(folds)


def lesson_of(truth: Values, teaching: Sequence[Values] | None, place: int) -> Values:
    """Return the responses from which a fold learns.

    Parameters
    ----------
    truth : (n_stimuli, n_units)
    teaching : n_folds of (n_stimuli, n_units)
        For each fold, the responses less the nuisance as its training samples teach it. None =
        `truth` for all.
    place : int
        Of the fold.
    """
    return truth if teaching is None else teaching[place]


def column_squares(values: Values) -> Values:
    """Return the sum of squares of each column: (n, n_targets) -> (n_targets,)."""
    made: Values = namespace(values).einsum("ij,ij->j", values, values)
    return made


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
) -> tuple[Values, Array]:
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
        Less the mean of the training samples, as precise as `y`.
    mean : (n_targets,) float64
        Of the training samples: what a constant model predicts.
    """
    guess = np.empty((int(fold.test.sum()), y.shape[1]), dtype=y.dtype)
    mean = np.empty(y.shape[1])
    own = found.cast(dtype_name(y))
    for start in range(0, y.shape[1], batch):
        where = slice(start, start + batch)
        teach, mean[where] = centered_block(y, fold, where, found)
        guess[:, where] = predict_block(own, own.vectors.T @ teach, alpha[where])
    return guess, mean


def predict_block(own: Spectrum, z: Values, alpha: Array) -> Values:
    """Predict the test samples from responses in the directions of the spectrum.

    Parameters
    ----------
    own
        As precise as the responses.
    z : (rank, n_block)
    alpha : (n_block,), squared units of the features

    Returns
    -------
    guess : (n_test, n_block)
        Less the mean of the training samples.
    """
    values = put(own.values, z, dtype=dtype_name(z))
    penalties = put(alpha, z, dtype=dtype_name(z))
    return pull(own.test @ (z / (values[:, None] + penalties)))


def centered_block(y: Values, fold: Fold, where: slice, found: Spectrum) -> tuple[Values, Array]:
    """Return training responses less their mean, where the spectrum is, and that mean.

    Parameters
    ----------
    y : (n_samples, n_targets)
        At rest; the mean is taken in double precision, and the difference is as precise as `y`.
    fold
    where
        Columns.
    found
        Whose library and device are taken.

    Returns
    -------
    teach : (n_train, n_block)
    mean : (n_block,) float64
    """
    teach = y[fold.train, where].astype(np.float64)
    mean = teach.mean(axis=0)
    teach -= mean
    return put(teach, found.vectors, dtype=dtype_name(y)), mean


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
    power, values = pull((test**2).sum(axis=0)), pull(found.values)  # (rank,)
    weights = np.zeros_like(values)
    for a in alphas:
        shrink = 1 / (values + a)
        norm = np.sqrt((power * shrink**2).sum() / len(test))
        weights += shrink / (norm if norm > 0 else np.inf)
    operator = pull((test * put(weights / len(alphas), test)) @ found.vectors.T)
    return operator.astype(np.float64, copy=False)


def _batches(
    y: Values, fold: Fold, found: Spectrum, batch: int
) -> Iterator[tuple[slice, Values, Values]]:
    """Give targets in blocks: where, training rows and test rows, less the training mean."""
    for start in range(0, y.shape[1], batch):
        where = slice(start, start + batch)
        teach, mean = centered_block(y, fold, where, found)
        told = y[fold.test, where].astype(np.float64) - mean
        yield where, teach, put(told, teach, dtype=dtype_name(teach))


def _predictions(found: Spectrum, teach: Values, alphas: Array) -> Iterator[Values]:
    """Predict the test samples under each penalty, (n_test, n_targets) each.

    Two ways to multiply the same three matrices: the cheaper one for the shapes at hand.
    """
    n_test, rank = found.test.shape
    n_train, n_targets = teach.shape
    first_right = n_train * rank * n_targets + len(alphas) * n_test * rank * n_targets
    first_left = len(alphas) * n_test * n_train * (rank + n_targets)
    shrinks = [put(1 / (pull(found.values) + a), teach, dtype=dtype_name(teach)) for a in alphas]
    if first_right <= first_left:
        z = found.vectors.T @ teach  # (rank, n_targets)
        for shrink in shrinks:
            yield (found.test * shrink) @ z
    else:
        for shrink in shrinks:
            yield ((found.test * shrink) @ found.vectors.T) @ teach
