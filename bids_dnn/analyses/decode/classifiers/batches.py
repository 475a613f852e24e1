"""Decisions of linear classifiers on many Gram matrices at once, for a searchlight."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.decode.classifiers.choice import Classifier, Kind
from bids_dnn.analyses.decode.classifiers.decisions import costs_of
from bids_dnn.analyses.decode.classifiers.lda import lda_decisions
from bids_dnn.analyses.decode.classifiers.logistic import logistic_decisions
from bids_dnn.analyses.decode.classifiers.ridge import ridge_decisions
from bids_dnn.analyses.decode.classifiers.shifted import solve_compiled
from bids_dnn.errors import ConfigError
from bids_dnn.stats.kernels import spread_of

Array = NDArray[np.float64]
Codes = NDArray[np.integer[Any]]
Signs = NDArray[np.int8]
FEW = 24  # labelings, beyond which it pays to share what they have in common
# (b, n, n) inner products of training samples, (b, m, n) of others with them, (n, k) classes
# +1 and -1 (0: no part) under k labelings, (b,) units -> decisions (b, m, k), above zero for +1
Decide = Callable[[Array, Array, Signs, Codes], Array]


def decider(classifier: Classifier) -> Decide:
    """Return what decides between two classes, in many spheres at once.

    Parameters
    ----------
    classifier
        A linear one.

    Raises
    ------
    ConfigError
        If the classifier is not linear.
    """
    if classifier.kind not in BATCHES:
        raise ConfigError(
            f"A searchlight takes linear classifiers, not {classifier.kind!r}.",
            mend=f"Type one of {', '.join(BATCHES)}.",
        )
    return partial(_by_parts, BATCHES[classifier.kind], classifier)


Batch = Callable[[Classifier, Array, Array, Signs, Codes], Array]


def _by_parts(
    batch: Batch,
    classifier: Classifier,
    train: Array,
    cross: Array,
    signs: Signs,
    n_units: Codes,
) -> Array:
    """Decide with the samples that have a class, which may differ between labelings."""
    if signs.all():
        told = np.broadcast_to(signs, (len(train), *signs.shape))
        return batch(classifier, train, cross, told, n_units)
    made = np.empty((*cross.shape[:2], signs.shape[1]))
    parts, which = np.unique(signs != 0, axis=1, return_inverse=True)
    for number, part in enumerate(parts.T):
        rows, columns = np.flatnonzero(part), np.flatnonzero(which.ravel() == number)
        own = signs[np.ix_(rows, columns)]
        seen = train.take(rows, axis=1).take(rows, axis=2)
        told = np.broadcast_to(own, (len(train), *own.shape))
        made[:, :, columns] = batch(classifier, seen, cross.take(rows, axis=2), told, n_units)
    return made


def _machines(
    classifier: Classifier, train: Array, cross: Array, signs: Signs, n_units: Codes
) -> Array:
    from bids_dnn.analyses.decode.classifiers.pivoting import solve_machines  # numba

    dual, intercept = solve_machines(train, signs, costs_of(signs, classifier), n_units=n_units)
    return cross @ dual + intercept


def _lda(
    classifier: Classifier, train: Array, cross: Array, signs: Signs, n_units: Codes
) -> Array:
    units = n_units[:, None, None]
    if classifier.shrinkage is None or signs.shape[2] > FEW:
        return lda_decisions(
            train,
            cross,
            signs,
            n_units=units,
            shrinkage=classifier.shrinkage,
            is_weighted=classifier.is_weighted,
        )
    n, weight = train.shape[1], classifier.shrinkage
    first = (signs > 0).sum(axis=1, keepdims=True)
    contrast = np.where(signs > 0, 1 / first, -1 / (n - first))  # means' difference
    share = first * (n - first) / n**2
    total = spread_of(train)[:, None, None]
    within = total - share * (contrast * (train @ contrast)).sum(axis=1, keepdims=True)
    within = np.maximum(within, 1e-12 * total)
    shift = weight * np.where(within > 0, within, 1.0) / units
    found, _ = _balanced(train, contrast, np.full((1, 1, 1), (1 - weight) / n), shift)
    seen = train @ found
    reach = (contrast * seen).sum(axis=1, keepdims=True)
    slope = cross @ found - seen.mean(axis=1, keepdims=True)
    made: Array = slope - (n - 2 * first) / (2 * n) * reach
    made /= 1 - (1 - weight) * share * reach
    return made if classifier.is_weighted else made + np.log(first / (n - first))


def _ridge(classifier: Classifier, train: Array, cross: Array, signs: Signs, _: Codes) -> Array:
    if classifier.alpha == 0 or signs.shape[2] > FEW:
        return ridge_decisions(train, cross, signs, alpha=classifier.alpha, solve=solve_compiled)
    size = spread_of(train)[:, None, None]
    shift = np.where(size > 0, classifier.alpha * size, 1.0)
    found, intercept = _balanced(train, signs, np.ones((1, 1, 1)), shift)
    return cross @ found + intercept


def _balanced(
    train: Array, right: NDArray[np.number[Any]], scale: Array, shift: Array
) -> tuple[Array, Array]:
    """Solve ``(scale train + shift I) a + b = right`` with ``sum(a) = 0``.

    The same as to solve for a centered matrix, without the time that it takes to center many.
    """
    n_right = right.shape[2]
    one = np.ones((len(train), train.shape[1], 1))
    if shift.shape[2] == 1:  # one factor serves all
        made = solve_compiled(train, np.concatenate([right, one], axis=2), scale, shift)
        plain, one = made[:, :, :n_right], made[:, :, n_right:]
    else:  # one factor serves a right side and the ones beside it
        both = np.stack([right, np.broadcast_to(one, right.shape)], axis=3)
        told = np.repeat(shift, 2, axis=2)
        made = solve_compiled(train, both.reshape(*one.shape[:2], 2 * n_right), scale, told)
        plain, one = made[:, :, ::2], made[:, :, 1::2]
    intercept = plain.sum(axis=1, keepdims=True) / one.sum(axis=1, keepdims=True)
    return plain - intercept * one, intercept


def _logistic(classifier: Classifier, train: Array, cross: Array, signs: Signs, _: Codes) -> Array:
    return logistic_decisions(train, cross, signs, costs_of(signs, classifier))


BATCHES: dict[Kind, Batch] = {
    "svm-linear": _machines,
    "lda": _lda,
    "ridge": _ridge,
    "logistic": _logistic,
}
