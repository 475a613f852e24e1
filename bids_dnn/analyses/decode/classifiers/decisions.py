"""Decisions of any classifier between two classes, for many labelings of the same samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.classifiers.lda import lda_decisions
from bids_dnn.analyses.decode.classifiers.logistic import logistic_decisions
from bids_dnn.analyses.decode.classifiers.ridge import ridge_decisions
from bids_dnn.stats.kernels import center_grams

Array = NDArray[np.float64]
Signs = NDArray[np.int8]
BLOCK = 2**25  # numbers of the Gram matrices that are held at once


def decide(
    train: Array,
    cross: Array,
    signs: Signs,
    classifier: Classifier,
    *,
    n_units: int,
    shares: Array | None = None,
) -> Array:
    """Decide between two classes, for each labeling.

    Parameters
    ----------
    train : (n, n)
        Inner products of the training samples; of radial basis functions, their values.
    cross : (m, n)
        Of m other samples with them.
    signs : (n, k) int8
        +1 and -1: the classes, for each of k labelings; 0: the sample is no part of this one.
    classifier
    n_units
        Units that the inner products sum over.
    shares : (k,)
        By how much the costs of each labeling are multiplied, as `costs_of` takes them.

    Returns
    -------
    decisions : (m, k)
        Above zero for class +1. Where one class alone has samples, +1 or -1; 0 where none has.
    """
    is_part = np.asarray(signs != 0)
    if is_part.all() and (np.abs(signs.sum(axis=0, dtype=np.intp)) < len(signs)).all():
        one = train[None], cross[None], signs[None]
        each = None if shares is None else shares[None, None]
        alone: Array = _decided(*one, classifier, n_units, each)[0]
        return alone
    both = np.asarray((signs > 0).any(axis=0) & (signs < 0).any(axis=0))
    made = np.broadcast_to(np.sign(signs.sum(axis=0, dtype=np.float64)), (len(cross), len(both)))
    made = made.copy()
    is_mixed = classifier.kind.startswith("svm") and classifier.device is None
    for columns in _alike(is_part, both, is_mixed=is_mixed):
        rows = is_part[:, columns].any(axis=1)
        if (is_part[rows][:, columns]).all() or is_mixed:
            part = train[np.ix_(rows, rows)][None], cross[:, rows][None]
            own = signs[np.ix_(rows, columns)][None]
            each = None if shares is None else shares[None, None, columns]
            made[:, columns] = _decided(*part, own, classifier, n_units, each)[0]
            continue
        size = max(1, BLOCK // rows.sum() ** 2)
        for start in range(0, len(columns), size):  # each labeling with samples of its own
            some = columns[start : start + size]
            where = np.array([np.flatnonzero(is_part[:, k]) for k in some])  # (k, n_part)
            part = (
                train[where[:, :, None], where[:, None, :]],
                cross[:, where].transpose(1, 0, 2),
            )
            own = np.take_along_axis(signs[:, some].T, where, axis=1)[:, :, None]
            each = None if shares is None else shares[some, None, None]
            made[:, some] = _decided(*part, own, classifier, n_units, each)[:, :, 0].T
    return made


def _alike(
    is_part: NDArray[np.bool_], both: NDArray[np.bool_], *, is_mixed: bool
) -> list[NDArray[np.intp]]:
    """Group labelings that can be decided together: of as many samples; all where mixed."""
    columns = np.flatnonzero(both)
    if not columns.size:
        return []
    if is_mixed:
        return [columns]
    counts = is_part[:, columns].sum(axis=0)
    return [columns[counts == n] for n in np.unique(counts)]


def _decided(
    train: Array,
    cross: Array,
    signs: Signs,
    classifier: Classifier,
    n_units: int,
    shares: Array | None,
) -> Array:
    """Decide for labelings of several Gram matrices: (b, n, n), (b, m, n), (b, n, k)."""
    if classifier.device is not None:
        from bids_dnn.analyses.decode.classifiers.tensors import decide_on  # torch

        costs = costs_of(signs, classifier, shares)
        return decide_on(train, cross, signs, classifier, n_units=n_units, costs=costs)
    if classifier.kind == "ridge":
        return ridge_decisions(train, cross, signs, alpha=classifier.alpha)
    if classifier.kind == "lda":
        return lda_decisions(
            train,
            cross,
            signs,
            n_units=n_units,
            shrinkage=classifier.shrinkage,
            is_weighted=classifier.is_weighted,
        )
    costs = costs_of(signs, classifier, shares)
    if classifier.kind == "logistic":
        return logistic_decisions(train, cross, signs, costs)
    train, cross = center_grams(train, cross)  # the sum of weights is 0: decisions stay
    from bids_dnn.analyses.decode.classifiers.pivoting import solve_machines  # numba

    rank = n_units if classifier.kind == "svm-linear" else None  # of other kernels: unknown
    dual, intercept = solve_machines(train, signs, costs, n_units=rank)
    return cross @ dual + intercept


def costs_of(signs: Signs, classifier: Classifier, shares: Array | None = None) -> float | Array:
    """Return the cost of each sample: where classes are weighted, by how many it stands for.

    Parameters
    ----------
    signs : (b, n, k)
    classifier
    shares : (b, 1, k), or what can be broadcast to it
        Where these are two among several classes: by how much the costs are multiplied, so that
        all classes count alike.
    """
    if not classifier.is_weighted:
        return classifier.c
    n_first = (signs > 0).sum(axis=1, keepdims=True)
    n_second = (signs < 0).sum(axis=1, keepdims=True)
    own = np.where(signs > 0, n_first, n_second)
    weights: Array = (n_first + n_second) / (2 * np.maximum(own, 1))
    return classifier.c * (weights if shares is None else weights * shares)
