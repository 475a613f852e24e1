"""Dissimilarities of stimuli, from inner products alone."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.rdm import Rdm
from bids_dnn.errors import ConfigError, NotEnoughDataError, ShapeError, nearest

Array = NDArray[np.float64]
Method = Literal["correlation", "euclidean", "cosine"]
VARIES = 1e-12  # of a row's squared length: less is rounding


def rdm_from_gram(
    gram: Array,
    *,
    method: Method = "correlation",
    n_features: int = 0,
    sums: Array | None = None,
    stimuli: Sequence[str] = (),
) -> Rdm:
    """Compare each pair of stimuli by the inner products of their features.

    The names and units are those of rsatoolbox.

    Parameters
    ----------
    gram : (n, n)
        ``X X'``, not centered.
    method
        ``correlation`` = 1 - Pearson's r over features, in [0, 2]; ``euclidean`` = squared
        distance over the number of features, in squared units of the features; ``cosine`` =
        1 - cosine of the angle, in [0, 2].
    n_features : int
        Columns of X, which ``correlation`` and ``euclidean`` need.
    sums : (n,)
        Sum of each row of X, which ``correlation`` needs.
    stimuli : n
        Ids; none = the numbers of the rows.

    Returns
    -------
    rdm
        NaN, with a warning, for pairs with a stimulus whose features are all equal
        (``correlation``) or all zero (``cosine``).

    Raises
    ------
    ConfigError
        If there is no such method, or it needs what is not given.
    ShapeError
        If `gram` is not square, or `sums` or `stimuli` has another length.
    NotEnoughDataError
        If there are fewer than two stimuli.

    References
    ----------
    Kriegeskorte, Mur & Bandettini (2008), Front. Syst. Neurosci. 2:4,
    doi:10.3389/neuro.06.004.2008.

    Examples
    --------
    >>> x = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    >>> rdm_from_gram(x @ x.T, n_features=3, sums=x.sum(axis=1)).values
    array([2.])
    """
    _check(gram, method, n_features, sums, stimuli)
    names = tuple(map(str, stimuli if len(stimuli) else range(len(gram))))
    lengths = np.diagonal(gram).astype(np.float64)
    if method == "euclidean":

        def apart(i: int) -> Array:
            made: Array = lengths[i] + lengths[i + 1 :] - 2 * gram[i, i + 1 :]
            return np.maximum(made, 0, out=made) / n_features

    else:
        means = np.zeros(len(gram)) if sums is None or method == "cosine" else sums / n_features
        power = lengths - n_features * means**2
        power = np.where(power > VARIES * lengths, power, np.nan)
        scale = 1 / np.sqrt(power)
        if np.isnan(power).any():
            warnings.warn(
                f"{int(np.isnan(power).sum())} of {len(gram)} stimuli, such as "
                f"{names[int(np.isnan(power).argmax())]!r}, have features that are all "
                f"{'zero' if method == 'cosine' else 'equal'}: their dissimilarities are NaN. "
                "The method 'euclidean' has no such case.",
                stacklevel=2,
            )

        def apart(i: int) -> Array:
            shared = gram[i, i + 1 :] - (n_features * means[i]) * means[i + 1 :]
            made: Array = 1 - shared * (scale[i] * scale[i + 1 :])
            return np.clip(made, 0, 2, out=made)

    return Rdm(_pairs(len(gram), apart), names, method)


def _pairs(n: int, apart: Callable[[int], Array]) -> Array:
    made, at = np.empty(n * (n - 1) // 2), 0
    for i in range(n - 1):
        made[at : at + n - 1 - i] = apart(i)
        at += n - 1 - i
    return made


def _check(
    gram: Array, method: str, n_features: int, sums: Array | None, stimuli: Sequence[str]
) -> None:
    known = ("correlation", "euclidean", "cosine")
    if method not in known:
        raise ConfigError(f"There is no dissimilarity {method!r}.", mend=nearest(method, known))
    if gram.ndim != 2 or gram.shape[0] != gram.shape[1]:
        raise ShapeError(
            f"The Gram matrix has shape {gram.shape}.", mend="Give one row and column a stimulus."
        )
    n = len(gram)
    if n < 2:
        raise NotEnoughDataError(
            f"{n} stimulus makes no pair to compare.", mend="Give two stimuli at least."
        )
    if len(stimuli) not in (0, n):
        raise ShapeError(
            f"{len(stimuli)} ids are given for {n} stimuli.", mend="Give one id for each row."
        )
    if method != "cosine" and n_features < 1:
        raise ConfigError(
            f"The dissimilarity {method!r} needs the number of features; it is {n_features}.",
            mend="Give n_features of the FeatureGram.",
        )
    if method == "correlation" and (sums is None or sums.shape != (n,)):
        found = "not given" if sums is None else f"of shape {sums.shape}"
        raise ConfigError(
            f"The dissimilarity 'correlation' needs the sum of each of {n} stimuli's features; "
            f"they are {found}.",
            mend="Give sums of the FeatureGram, or take method='euclidean'.",
        )
