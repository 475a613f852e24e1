"""Support vector machines to the last digit, by turning over which samples are support vectors.

Of the dual in signed variables, ``min b'Kb / 2 - y'b`` where ``sum(b) = 0`` and ``0 <= y b <= C``,
each variable is free, or lies on one of its bounds. Given which, a linear system has the answer;
samples for which it breaks a bound or the margin are turned over, all at once, and the system is
solved again. A few turns do, from where least squares lies between the bounds, or, at low costs,
from all samples at theirs. Where they would not (fewer units than samples), an interior point
method says where to begin, and what is left (next to nothing) goes to libsvm.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC

from bids_dnn.analyses.decode.classifiers.interior import approach
from bids_dnn.analyses.decode.classifiers.sharing import are_bound, solve_shared
from bids_dnn.analyses.decode.classifiers.turns import (
    CLOSE,
    Problem,
    begin,
    is_weak,
    spread_of,
    turn,
)
from bids_dnn.stats.compiled import compiled

Array = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]
Places = NDArray[np.int64]
States = NDArray[np.int8]
TINY = 1e-9  # penalty, in mean diagonals: what makes a singular Gram matrix regular
ENOUGH = 0.75  # units for a sample, where turns end of themselves
MANY = 8  # labelings of a Gram matrix, from which on it pays to share its inverse
NEAR = (1e-9, 1e-12)  # the optimum, of interior points: at first, and where that was too far off
GAP, LAST = 1e-6, 10_000_000  # tolerance of libsvm, and steps


def solve_machines(
    gram: Floats,
    signs: NDArray[Any],
    c: float | Floats,
    *,
    n_units: int | NDArray[np.integer[Any]] | None = None,
) -> tuple[Array, Array]:
    """Fit a support vector machine to each labeling of each problem, one after another.

    Parameters
    ----------
    gram : (b, n, n)
        Inner products of the training samples, of each of b problems. Their mean should be taken
        out of the responses, which alters no decision and saves digits.
    signs : (b, n, k)
        +1 and -1: the classes, for each of k labelings; 0: the sample is no part of this one.
        A labeling of one class answers with it.
    c : above 0; or what can be broadcast to (b, n, k)
        Cost.
    n_units : int, or (b,)
        Units that the inner products sum over. It alters no answer but by rounding: where there
        are fewer than samples, a way is taken that is faster then. None = many.

    Returns
    -------
    dual : (b, n, k)
        Weights of the training samples; decisions are ``cross @ dual + intercept``, above zero
        for class +1, and within 1e-4 of those of ``SVC(kernel="precomputed", tol=1e-6)``.
    intercept : (b, 1, k)
        Where no support vector is free, the middle of what the optimum allows, as libsvm's.

    References
    ----------
    Judice & Pires (1994), Comput. Oper. Res. 21:587, doi:10.1016/0305-0548(94)90106-6.
    Fan, Chen & Lin (2005), J. Mach. Learn. Res. 6:1889 (the intercept).

    Examples
    --------
    >>> x = np.array([[-2.0], [-1.0], [1.0], [4.0]])
    >>> dual, intercept = solve_machines((x @ x.T)[None], np.sign(x)[None], 1.0)
    >>> (x.T @ dual[0]).round(6), bool(abs(intercept) < 1e-6)
    (array([[1.]]), True)
    """
    shape = signs.shape
    dual, intercept = np.zeros(shape), np.zeros((shape[0], 1, shape[2]))
    left = np.ones((shape[0], shape[2]), dtype=np.bool_)
    told = np.asarray(signs, dtype=np.float64).transpose(0, 2, 1)
    high = np.broadcast_to(np.asarray(c, dtype=np.float64), shape).transpose(0, 2, 1)
    many = shape[1] if n_units is None else n_units
    _solve_all(
        np.require(gram, np.float64, ("C", "W")),
        np.require(told, np.float64, ("C", "W")),
        np.require(high, np.float64, ("C", "W")),
        np.broadcast_to(many, shape[:1]).astype(np.int64),
        dual,
        intercept,
        left,
    )
    for b, k in np.argwhere(left):
        dual[b, :, k], intercept[b, 0, k] = by_libsvm(gram[b], told[b, k], high[b, k])
    return dual, intercept


def by_libsvm(gram: Floats, signs: Array, cost: Array) -> tuple[Array, float]:
    """Let libsvm fit a machine.

    Parameters
    ----------
    gram : (n, n)
    signs, cost : (n,)
        +1, -1 and 0 = no part; above 0.

    Returns
    -------
    dual : (n,)
    intercept
    """
    own = np.flatnonzero(signs)
    model: Any = SVC(kernel="precomputed", C=1.0, tol=GAP, max_iter=LAST)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # nothing else is left to try
        model.fit(gram[np.ix_(own, own)], signs[own], sample_weight=cost[own])
    dual = np.zeros(len(signs))
    dual[own[model.support_]] = model.dual_coef_[0]
    return dual, float(model.intercept_[0])


@compiled
def _solve_all(
    gram: Array,
    signs: Array,
    high: Array,
    n_units: Places,
    dual: Array,
    intercept: Array,
    left: NDArray[np.bool_],
) -> None:
    """Solve ``gram`` (b, n, n) for each of ``signs`` (b, k, n) into ``dual`` (b, n, k).

    ``left`` (b, k): false is written where that is done.
    """
    n = gram.shape[1]
    factor, work = np.empty((n, n)), np.empty((4, n))
    own, free = np.empty(n, np.int64), np.empty(n, np.int64)
    states = np.zeros((signs.shape[1], n), np.int8)
    for b in range(gram.shape[0]):
        if signs.shape[1] >= MANY and n_units[b] >= n and _are_whole(signs[b]):
            given = gram[b], signs[b], high[b], TINY
            solve_shared(*given, dual[b], intercept[b, 0], left[b], states)
        else:
            states[:] = 0
        for k in range(signs.shape[1]):
            if not left[b, k]:
                continue
            m = listed(signs[b, k], own)
            kernel, lines = np.empty((m, m)), np.empty((3, m))
            total = take_part(gram[b], signs[b, k], high[b, k], own, kernel, lines)
            if not -m < total < m:  # of one class, or of no sample
                intercept[b, 0, k], left[b, k] = total / max(m, 1), False
                continue
            one = Problem(kernel, lines[0], lines[1], lines[2], work, factor, free)
            is_done, bias = fit(one, states[k, :m], n_units[b])
            intercept[b, 0, k], left[b, k] = bias, not is_done
            for i in range(m):
                dual[b, own[i], k] = one.beta[i]


@compiled
def fit(one: Problem, state: States, n_units: int) -> tuple[bool, float]:
    """Turn samples over from one beginning after the other; tell whether done, the intercept.

    Parameters
    ----------
    one
        Whose dual variables are written.
    state : (n,)
        All free, or a first beginning where most are not; is written.
    n_units
    """
    spread, is_done, bias = spread_of(one), False, 0.0
    if spread <= 0:
        return False, 0.0
    penalty, rounding = TINY * spread, CLOSE / spread
    if is_weak(one, spread):
        state[:] = 1
    if are_bound(state):
        is_done, bias = turn(one, state, penalty, rounding)
    if not is_done and n_units >= ENOUGH * len(state):
        begin(one, state)
        is_done, bias = turn(one, state, penalty, rounding)
    for near in NEAR:
        if not is_done and approach(one.kernel, one.y, one.c, state, near):
            is_done, bias = turn(one, state, penalty, rounding)
    return is_done, bias


@compiled
def fit_near(one: Problem, state: States, n_units: int) -> tuple[bool, float]:
    """Do the same, beginning with what some other machine ended with.

    Parameters
    ----------
    one, n_units
    state : (n,)
        Of the other machine; is written.
    """
    spread = spread_of(one)
    if spread <= 0:
        return False, 0.0
    is_done, bias = turn(one, state, TINY * spread, CLOSE / spread)
    if is_done:
        return True, bias
    state[:] = 0
    return fit(one, state, n_units)


@compiled
def _are_whole(signs: Array) -> bool:
    """Tell whether each sample has a class in each labeling, and each labeling both classes."""
    for k in range(signs.shape[0]):
        total = 0.0
        for i in range(signs.shape[1]):
            if signs[k, i] == 0.0:
                return False
            total += signs[k, i]
        if not -signs.shape[1] < total < signs.shape[1]:
            return False
    return True


@compiled
def listed(signs: Array, own: Places) -> int:
    """Write down which are not zero, and count them.

    Parameters
    ----------
    signs, own : (n,)
    """
    m = 0
    for i in range(len(signs)):
        if signs[i] != 0.0:
            own[m] = i
            m += 1
    return m


@compiled
def take_part(
    gram: Array, signs: Array, high: Array, own: Places, kernel: Array, lines: Array
) -> float:
    """Write down part of a problem; return the sum of its classes.

    Parameters
    ----------
    gram : (n, n)
    signs, high : (n,)
        Classes, costs.
    own : (at least m,)
        Numbers of the samples that are taken.
    kernel : (m, m)
    lines : (3, m)
        Are written: classes, costs, zeros.
    """
    total = 0.0
    for i in range(len(kernel)):
        lines[0, i], lines[1, i], lines[2, i] = signs[own[i]], high[own[i]], 0.0
        total += signs[own[i]]
        for j in range(len(kernel)):
            kernel[i, j] = gram[own[i], own[j]]
    return total
