"""Centering, scaling, principal components and dimensionality of features by their products."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from bids_dnn.backend import on_device, pull
from bids_dnn.errors import NotEnoughDataError, ShapeError

Array = NDArray[np.float64]
Values = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]
VARIES = 1e-12  # of the mean diagonal: less is rounding
COLUMNS = 1024  # that are multiplied at once


def center_grams(train: Values, test: Values) -> tuple[Array, Array]:
    """Take the features' mean over the training samples out of two Gram matrices.

    Parameters
    ----------
    train : (..., n_train, n_train)
        Training samples with training samples, of one problem or several.
    test : (..., n_test, n_train)
        Test samples with training samples.

    Returns
    -------
    train, test
        Arrays in double precision, tensors in their own, as if the features had been centered on
        the training mean; test samples teach nothing.

    Raises
    ------
    ShapeError
        If `train` is not square, or `test` has another number of columns.

    References
    ----------
    Schoelkopf, Smola & Mueller (1998), Neural Comput. 10:1299, doi:10.1162/089976698300017467
    (appendix A).

    Examples
    --------
    >>> x = np.array([[1.0], [3.0], [7.0]])
    >>> train, test = center_grams(x[:2] @ x[:2].T, x[2:] @ x[:2].T)
    >>> train.tolist(), test.tolist()
    ([[1.0, -1.0], [-1.0, 1.0]], [[-5.0, 5.0]])
    """
    n = train.shape[-1:]
    if train.ndim < 2 or train.shape[-2:] != n + n or test.shape[-1:] != n:
        raise ShapeError(
            f"The training Gram matrix has shape {train.shape}, the test one {test.shape}.",
            mend="Give (n_train, n_train) and (n_test, n_train), in one order of samples.",
        )
    how: dict[str, Any] = {"dtype": np.float64} if isinstance(train, np.ndarray) else {}
    row = train.mean(axis=-2, keepdims=True, **how)  # (..., 1, n_train)
    total = row.mean(axis=-1, keepdims=True)
    return (
        train - row - row.mT + total,
        test - row - test.mean(axis=-1, keepdims=True, **how) + total,
    )


def spread_of(gram: Values) -> Array:
    """Return the variance of the features in all, over the samples.

    Parameters
    ----------
    gram : (..., n, n)
        Not centered, or centered on anything, of one problem or several.

    Returns
    -------
    spread : (...)
        The mean diagonal of the centered matrix; 0 where only rounding varies.

    Examples
    --------
    >>> x = np.array([[1.0], [3.0]])
    >>> float(spread_of(x @ x.T)), float(spread_of(np.ones((3, 3))))
    (1.0, 0.0)
    """
    level = np.trace(gram, axis1=-2, axis2=-1, dtype=np.float64) / gram.shape[-1]
    spread = level - gram.mean(axis=(-2, -1), dtype=np.float64)
    return np.where(spread > VARIES * level, spread, 0.0)


def centered(gram: Array, train: Mask) -> Array:
    """Take the features' mean over some samples out of the Gram matrix of all.

    Parameters
    ----------
    gram : (n, n)
        Not centered, or centered on anything.
    train : (n,) bool
        Samples whose mean becomes zero.

    Returns
    -------
    gram : (n, n)
        As if the features had been centered on the training mean; the others teach nothing.

    Raises
    ------
    ShapeError
        If `gram` is not square, or `train` has another length.
    NotEnoughDataError
        If `train` names no sample.

    Examples
    --------
    >>> x = np.array([[1.0], [3.0], [7.0]])
    >>> centered(x @ x.T, np.array([True, True, False])).tolist()
    [[1.0, -1.0, -5.0], [-1.0, 1.0, 5.0], [-5.0, 5.0, 25.0]]
    """
    if gram.ndim != 2 or gram.shape[0] != gram.shape[1] or train.shape != gram.shape[:1]:
        raise ShapeError(
            f"The Gram matrix has shape {gram.shape}, the training samples {train.shape}.",
            mend="Give (n, n), and true or false for each of the n samples.",
        )
    if not train.any():
        raise NotEnoughDataError(
            f"None of {len(train)} samples is a training sample.", mend="Name one at least."
        )
    row = gram[:, train].mean(axis=1)  # (n,)
    made: Array = gram - row - row[:, None] + row[train].mean()
    return made


def principal_scores(gram: Array, train: Mask, n_components: int | None = None) -> Array:
    """Return where all samples lie on the principal components that some of them teach.

    Parameters
    ----------
    gram : (n, n)
    train : (n,) bool
        Samples that the components are learnt on.
    n_components : int, at least 1
        Where the training features have fewer dimensions, and for None, there are as many.

    Returns
    -------
    scores : (n, n_kept)
        Centered on the training mean, variances ascending; the sign of a component is arbitrary.

    Raises
    ------
    ShapeError
        If `gram` is not square, or `train` has another length.
    NotEnoughDataError
        If `train` names no sample, or `n_components` is below one.

    References
    ----------
    Schoelkopf, Smola & Mueller (1998), Neural Comput. 10:1299, doi:10.1162/089976698300017467.

    Examples
    --------
    >>> x = np.array([[1.0], [3.0], [7.0]])
    >>> np.abs(principal_scores(x @ x.T, np.array([True, True, False]))).round(9).tolist()
    [[1.0], [1.0], [5.0]]
    """
    if n_components is not None and n_components < 1:
        raise NotEnoughDataError(
            f"{n_components} principal components are asked for.", mend="Ask for one at least."
        )
    k = centered(gram, train)
    taught = k[:, train]  # (n, n_train)
    s, u = eigh(taught[train], check_finite=False, driver="evd")
    keep = s > max(float(s[-1]), 0.0) * len(s) * np.finfo(np.float64).eps
    if n_components is not None:
        keep[: max(len(s) - n_components, 0)] = False
    made: Array = (taught @ u[:, keep]) / np.sqrt(s[keep])
    return made


def principal(gram: Array, train: Mask, n_components: int) -> Array:
    """Keep the first principal components, learnt on some samples, of the features of all.

    Parameters
    ----------
    gram, train, n_components
        As of `principal_scores`.

    Returns
    -------
    gram : (n, n)
        Inner products of the components' scores, centered on the training mean.
    """
    scores = principal_scores(gram, train, n_components)
    made: Array = scores @ scores.T
    return made


def scaled_gram(features: Values, train: Mask, *, device: str = "cpu") -> Array:
    """Multiply features with themselves, each divided by its SD over some samples.

    Parameters
    ----------
    features : (n, p)
    train : (n,) bool
        Samples that means and SDs are learnt on.
    device
        ``cpu`` or ``cuda``: where blocks of columns are multiplied.

    Returns
    -------
    gram : (n, n)
        In double precision, centered on the training mean. Features that do not vary over the
        training samples are left out.

    Raises
    ------
    ShapeError
        If `features` are no matrix, or `train` has another length.
    NotEnoughDataError
        If `train` names fewer than two samples, or a feature is not finite.

    Examples
    --------
    >>> x = np.array([[1.0, 5.0], [3.0, 5.0], [7.0, 6.0]])
    >>> scaled_gram(x, np.array([True, True, False])).round(9).tolist()
    [[0.5, -0.5, -2.5], [-0.5, 0.5, 2.5], [-2.5, 2.5, 12.5]]
    """
    if features.ndim != 2 or train.shape != features.shape[:1]:
        raise ShapeError(
            f"The features have shape {features.shape}, the training samples {train.shape}.",
            mend="Give (n, n_features), and true or false for each of the n samples.",
        )
    if int(train.sum()) < 2:
        raise NotEnoughDataError(
            f"{int(train.sum())} of {len(train)} samples are training samples.",
            mend="Name two at least: one has no SD.",
        )
    n, p = features.shape
    total = on_device(np.zeros((n, n)), device)
    for start in range(0, p, COLUMNS):
        block = features[:, start : start + COLUMNS].astype(np.float64)
        if not np.isfinite(block).all():
            raise NotEnoughDataError(
                f"Some of the features {start} to {min(start + COLUMNS, p) - 1} are not finite.",
                mend="Leave out samples or features without values.",
            )
        taught = block[train]
        varies = taught.min(axis=0) < taught.max(axis=0)
        mean = taught.mean(axis=0)
        taught -= mean
        sd = np.sqrt(np.einsum("ij,ij->j", taught, taught) / (len(taught) - 1))
        block -= mean
        block *= np.where(varies, 1 / np.where(varies, sd, 1.0), 0.0)
        there = on_device(block, device)
        total += there @ there.T
    return pull(total)


def dimensionality(gram: Array) -> float:
    """Count the dimensions that features fill, by the evenness of their variances.

    Parameters
    ----------
    gram : (n, n)
        Not centered, or centered on anything.

    Returns
    -------
    dimensions : float, in [1, n - 1]
        The participation ratio ``(sum s)^2 / sum s^2`` of the variances `s` of all principal
        components: n for n equal ones. NaN where the features do not vary.

    Raises
    ------
    ShapeError
        If `gram` is not square.
    NotEnoughDataError
        If there is no sample.

    References
    ----------
    Gao et al. (2017), bioRxiv 214262, doi:10.1101/214262.

    Examples
    --------
    >>> round(dimensionality(np.eye(5)), 6)
    4.0
    """
    k = centered(gram, np.ones(len(gram), dtype=bool))
    spread = float(np.trace(k))
    if spread <= VARIES * float(np.trace(gram)):
        return float("nan")
    return spread**2 / float((k**2).sum())
