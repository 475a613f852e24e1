"""Linear support vector machines on a Gram matrix, for many labelings of the same samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.svm import SVC

from bids_dnn.stats.folds import Fold
from bids_dnn.stats.nuisance import removal

Codes = NDArray[np.intp]
Gram = NDArray[np.float64]
BLOCK = 8192
TOLERANCE = 1e-3  # that of SVC
CACHE_MB = 200.0
VARIES = 1e-12  # of the mean diagonal: less is rounding


@dataclass(frozen=True, slots=True, eq=False)
class Machine:
    """A fitted support vector machine, one against one.

    Parameters
    ----------
    support : (n_support,)
        Numbers of the support vectors among the training samples, class by class.
    n_support : (n_classes,)
        How many of them each class has.
    dual : (n_classes - 1, n_support) float64
    intercept : (n_pairs,) float64
        Of the pairs (0, 1), (0, 2) ... (1, 2) ...; the first of a pair is right above zero.
    """

    support: NDArray[np.int32]
    n_support: NDArray[np.int32]
    dual: NDArray[np.float64]
    intercept: NDArray[np.float64]


def linear_gram(values: NDArray[np.float32]) -> Gram:
    """Return the inner products of samples, summed in double precision.

    Parameters
    ----------
    values : (n_samples, n_units)

    Returns
    -------
    gram : (n_samples, n_samples)
    """
    gram = np.zeros((len(values), len(values)))
    for start in range(0, values.shape[1], BLOCK):
        block = values[:, start : start + BLOCK].astype(np.float64)
        gram += block @ block.T
    return gram


def predict_labels(
    gram: Gram,
    codes: Codes,
    folds: Sequence[Fold],
    *,
    c: float,
    n_units: int | None = None,
    nuisance: NDArray[np.float64] | None = None,
) -> Codes:
    """Predict the class of each sample in the fold that leaves it out, for each labeling.

    The predictions are those of ``SVC(kernel="precomputed", C=c)``, to the last tie. With
    `n_units`, those of ``C = c * n_units / spread``, where spread is the mean diagonal of the
    centered training Gram matrix, so that the unit of the responses does not matter.

    Parameters
    ----------
    gram : (n_samples, n_samples)
    codes : (n_labelings, n_samples)
        Classes 0 to n_classes - 1; every class in each training set.
    folds
        Each sample is tested in one of them.
    c
        Cost.
    n_units : int
        Units that `gram` sums over: where given, `c` is the cost for units of variance one on
        average over the training samples. None = `c` is taken as it is.
    nuisance : (n_samples, n_nuisance)
        Regressed out of the responses, with slopes learnt on the training samples of each fold.

    Returns
    -------
    guess : (n_labelings, n_samples)
        -1 for a sample that no fold tests.
    """
    fit = _fitter()
    n_classes = int(codes.max()) + 1
    guess = np.full(codes.shape, -1, dtype=np.intp)
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        for fold in folds:
            own = gram
            if nuisance is not None and nuisance.shape[1]:
                clean = removal(nuisance, fold.train)
                own = clean @ gram @ clean.T
            train = np.ascontiguousarray(own[np.ix_(fold.train, fold.train)])
            test = np.ascontiguousarray(own[np.ix_(fold.test, fold.train)])
            if n_units is not None:  # a cost times a factor is a Gram matrix times that factor
                factor = n_units / (_spread(train) or n_units)
                train, test = factor * train, factor * test
            taught = np.ascontiguousarray(codes[:, fold.train], dtype=np.float64)
            told = np.array([predict(fit(train, row, c), test, n_classes) for row in taught])
            guess[:, fold.test] = told
    return guess


def _spread(gram: Gram) -> float:
    """Return the mean diagonal of the centered matrix; 0 where nothing varies but rounding."""
    spread = float(np.trace(gram) / len(gram) - gram.mean())
    return spread if spread > VARIES * np.trace(gram) / len(gram) else 0.0


def predict(machine: Machine, gram: Gram, n_classes: int) -> Codes:
    """Predict classes as libsvm does: by votes of all pairs, the first class winning ties.

    The sums run in libsvm's order, so that not even a value at the boundary falls otherwise.

    Parameters
    ----------
    machine
    gram : (n_test, n_train)
    n_classes : int

    Returns
    -------
    guess : (n_test,)
    """
    kernel = gram[:, machine.support]  # (n_test, n_support)
    if n_classes == 2:
        value = np.cumsum(machine.dual[0] * kernel, axis=1)[:, -1] + machine.intercept[0]
        return np.where(value > 0, 0, 1)
    weights = _pair_weights(machine, n_classes)  # (n_pairs, n_support)
    values = np.cumsum(weights[:, None] * kernel, axis=2)[..., -1]  # (n_pairs, n_test)
    values += machine.intercept[:, None]
    votes = np.zeros((n_classes, len(gram)), dtype=np.intp)
    for (first, second), value in zip(combinations(range(n_classes), 2), values, strict=True):
        votes[first] += value > 0
        votes[second] += value <= 0
    guess: Codes = votes.argmax(axis=0)
    return guess


def _pair_weights(machine: Machine, n_classes: int) -> NDArray[np.float64]:
    owner = np.repeat(np.arange(n_classes), machine.n_support)
    pairs = list(combinations(range(n_classes), 2))
    weights = np.zeros((len(pairs), len(owner)))
    for row, (first, second) in zip(weights, pairs, strict=True):
        row[owner == first] = machine.dual[second - 1, owner == first]
        row[owner == second] = machine.dual[first, owner == second]
    return weights


Fit = Callable[[Gram, NDArray[np.float64], float], Machine]


@cache
def _fitter() -> Fit:
    """Choose libsvm without scikit-learn's checks of each call, where it answers as SVC does.

    The checks cost several times the fit of a small training set. libsvm's own entry is no
    public name of scikit-learn: where a release moves or changes it, SVC itself is used.
    """
    x = np.array([[0.0, 1.0], [1.0, 0.5], [2.0, 0.1], [3.0, 2.0], [4.0, 1.0], [5.0, 4.0]])
    gram, labels = x @ x.T, np.array([0.0, 1.0, 1.0, 2.0, 0.0, 2.0])
    expected = _fit_public(gram, labels, 1.0)  # also silences libsvm
    try:
        found = _fit_bare(gram, labels, 1.0)
    except (ImportError, AttributeError, TypeError, ValueError):
        return _fit_public
    agree = all(
        np.array_equal(getattr(found, name), getattr(expected, name))
        for name in Machine.__dataclass_fields__
    )
    return _fit_bare if agree else _fit_public


def _fit_bare(gram: Gram, labels: NDArray[np.float64], c: float) -> Machine:
    from sklearn.svm import _libsvm

    support, _, n_support, dual, intercept, *_ = _libsvm.fit(
        gram,
        labels,
        svm_type=0,
        kernel="precomputed",
        C=c,
        tol=TOLERANCE,
        cache_size=CACHE_MB,
    )
    return Machine(support, n_support, dual, intercept)


def _fit_public(gram: Gram, labels: NDArray[np.float64], c: float) -> Machine:
    model: Any = SVC(kernel="precomputed", C=c, tol=TOLERANCE, cache_size=CACHE_MB)
    model.fit(gram, labels)
    sign = -1.0 if len(model.classes_) == 2 else 1.0  # SVC turns the sign for two classes
    return Machine(
        model.support_, model.n_support_, sign * model.dual_coef_, sign * model.intercept_
    )
