"""Decisions of linear classifiers on many Gram matrices at once, for a searchlight."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.decode.classifiers.choice import Classifier, Kind
from bids_dnn.analyses.decode.classifiers.decisions import costs_of
from bids_dnn.analyses.decode.classifiers.lda import lda_decisions
from bids_dnn.analyses.decode.classifiers.logistic import logistic_decisions
from bids_dnn.analyses.decode.classifiers.ridge import ridge_decisions
from bids_dnn.errors import ConfigError

Array = NDArray[np.float64]
Codes = NDArray[np.intp]
Signs = NDArray[np.int8]
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
    made = np.empty((*cross.shape[:2], signs.shape[1]))
    parts, which = np.unique(signs != 0, axis=1, return_inverse=True)
    for number, part in enumerate(parts.T):
        rows, columns = np.flatnonzero(part), np.flatnonzero(which.ravel() == number)
        own = signs[np.ix_(rows, columns)]
        seen = train if part.all() else train.take(rows, axis=1).take(rows, axis=2)
        shown = cross if part.all() else cross.take(rows, axis=2)
        told = np.broadcast_to(own, (len(train), *own.shape))
        made[:, :, columns] = batch(classifier, seen, shown, told, n_units)
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
    return lda_decisions(
        train,
        cross,
        signs,
        n_units=n_units[:, None, None],
        shrinkage=classifier.shrinkage,
        is_weighted=classifier.is_weighted,
    )


def _ridge(classifier: Classifier, train: Array, cross: Array, signs: Signs, _: Codes) -> Array:
    return ridge_decisions(train, cross, signs, alpha=classifier.alpha)


def _logistic(classifier: Classifier, train: Array, cross: Array, signs: Signs, _: Codes) -> Array:
    return logistic_decisions(train, cross, signs, costs_of(signs, classifier))


BATCHES: dict[Kind, Batch] = {
    "svm-linear": _machines,
    "lda": _lda,
    "ridge": _ridge,
    "logistic": _logistic,
}
