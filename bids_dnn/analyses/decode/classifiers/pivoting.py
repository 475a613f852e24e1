"""Support vector machines to the last digit, by turning over which samples are support vectors.

Of the dual in signed variables, ``min b'Kb / 2 - y'b`` where ``sum(b) = 0`` and ``0 <= y b <= C``,
each variable is free, or lies on one of its bounds. Given which, a linear system has the answer;
samples for which it breaks a bound or the margin are turned over, all at once, and the system is
solved again. A few turns do. Where they would not (fewer units than samples), an interior point
method says where to begin, and what is left (next to nothing) goes to libsvm.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.svm import SVC

from bids_dnn.analyses.decode.classifiers.compiled import compiled
from bids_dnn.analyses.decode.classifiers.factors import factorize, substitute
from bids_dnn.analyses.decode.classifiers.interior import approach

Array = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]
States = NDArray[np.int8]  # of samples: 0 = free, -1 = no support vector, 1 = at the cost
Places = NDArray[np.int64]
TINY = 1e-9  # penalty, in mean diagonals: what makes a singular Gram matrix regular
CLOSE = 1e-7  # of the margin: less is rounding
TURNS = 12  # of one problem
PATIENCE = 4  # turns without fewer wrong samples; then they are turned one by one
ENOUGH = 0.75  # units for a sample, where turns end of themselves
GAP = 1e-6  # of libsvm
HUGE = 1e300
ROUNDING = 1e-12
ONE, RIGHT, SLACK, WANTED = range(4)  # rows of the work space


class Problem(NamedTuple):
    """One machine that is being fitted.

    Parameters
    ----------
    kernel : (n, n)
    y, c, beta : (n,)
        Classes +1 and -1, costs, dual variables.
    work : (4, most)
    factor : (most, most)
    free : (most,)
        Work spaces.
    """

    kernel: Array
    y: Array
    c: Array
    beta: Array
    work: Array
    factor: Array
    free: Places


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
    left = np.zeros((shape[0], shape[2]), dtype=np.bool_)
    told = np.asarray(signs, dtype=np.float64).transpose(0, 2, 1)
    high = np.broadcast_to(np.asarray(c, dtype=np.float64), shape).transpose(0, 2, 1)
    many = shape[1] if n_units is None else n_units
    _solve_all(
        np.ascontiguousarray(gram, dtype=np.float64),
        np.ascontiguousarray(told),
        np.ascontiguousarray(high),
        np.broadcast_to(many, shape[:1]).astype(np.int64),
        dual,
        intercept,
        left,
    )
    for b, k in np.argwhere(left):
        dual[b, :, k], intercept[b, 0, k] = _by_libsvm(gram[b], told[b, k], high[b, k])
    return dual, intercept


def _by_libsvm(gram: Floats, signs: Array, cost: Array) -> tuple[Array, float]:
    own = np.flatnonzero(signs)
    model: Any = SVC(kernel="precomputed", C=1.0, tol=GAP)
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
    """Solve ``gram`` (b, n, n) for each of ``signs`` (b, k, n) into ``dual`` (b, n, k)."""
    n = gram.shape[1]
    factor, work = np.empty((n, n)), np.empty((4, n))
    own, free, state = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int8)
    for b in range(gram.shape[0]):
        for k in range(signs.shape[1]):
            m = _listed(signs[b, k], own)
            kernel, lines = np.empty((m, m)), np.empty((3, m))
            total = _take(gram[b], signs[b, k], high[b, k], own, kernel, lines)
            if not -m < total < m:  # of one class, or of no sample
                intercept[b, 0, k] = total / max(m, 1)
                continue
            one = Problem(kernel, lines[0], lines[1], lines[2], work, factor, free)
            spread, is_done, bias = _spread(one), False, 0.0
            if spread > 0 and n_units[b] >= ENOUGH * m:
                _begin(one, state)
                is_done, bias = _turn(one, state, TINY * spread, CLOSE / spread)
            if spread > 0 and not is_done and approach(kernel, one.y, one.c, state):
                is_done, bias = _turn(one, state, TINY * spread, CLOSE / spread)
            intercept[b, 0, k], left[b, k] = bias, not is_done
            for i in range(m):
                dual[b, own[i], k] = one.beta[i]


@compiled
def _listed(signs: Array, own: Places) -> int:
    """Write down which are not zero, and count them."""
    m = 0
    for i in range(len(signs)):
        if signs[i] != 0.0:
            own[m] = i
            m += 1
    return m


@compiled
def _take(
    gram: Array, signs: Array, high: Array, own: Places, kernel: Array, lines: Array
) -> float:
    """Write down the part of a problem that has a class; return the sum of the classes."""
    total = 0.0
    for i in range(len(kernel)):
        lines[0, i], lines[1, i], lines[2, i] = signs[own[i]], high[own[i]], 0.0
        total += signs[own[i]]
        for j in range(len(kernel)):
            kernel[i, j] = gram[own[i], own[j]]
    return total


@compiled
def _spread(one: Problem) -> float:
    """Return the mean diagonal of the centered matrix, 0 where nothing varies but rounding."""
    n, diagonal, total = len(one.y), 0.0, 0.0
    for i in range(n):
        diagonal += one.kernel[i, i] / n
        for j in range(n):
            total += one.kernel[i, j] / n
    spread = diagonal - total / n
    return spread if spread > ROUNDING * diagonal else 0.0


@compiled
def _begin(one: Problem, state: States) -> None:
    """Guess which samples are free: those that least squares puts between the bounds."""
    n = len(one.y)
    ones, right = one.work[ONE], one.work[RIGHT]
    for i in range(n):
        for j in range(i + 1):
            one.factor[i, j] = one.kernel[i, j]
        one.factor[i, i] += 1.0 / one.c[i]
        ones[i], right[i] = 1.0, one.y[i]
    if not factorize(one.factor, n):
        return
    substitute(one.factor, n, ones, right)
    above, below = 0.0, 0.0
    for i in range(n):
        above += right[i]
        below += ones[i]
    for i in range(n):
        length = one.y[i] * (right[i] - above / below * ones[i])
        state[i] = -1 if length < 0 else (1 if length > one.c[i] else 0)


@compiled
def _turn(one: Problem, state: States, penalty: float, near: float) -> tuple[bool, float]:
    """Turn wrong samples over until none is left; return whether so, and the intercept."""
    n, bias = len(one.y), 0.0
    wanted = one.work[WANTED]
    fewest, patience = n + 1, PATIENCE
    for _ in range(TURNS):
        is_fine, bias = _settle(one, state, penalty)
        if not is_fine:
            return False, bias
        n_wrong = _wrong(one, state, bias, near)
        if n_wrong == 0:
            return True, _middle(one, bias, near)
        patience = PATIENCE if n_wrong < fewest else patience - 1
        fewest = min(fewest, n_wrong)
        for i in range(n - 1, -1, -1):
            if wanted[i] != state[i]:
                state[i] = np.int8(wanted[i])
                if patience <= 0:
                    break
    return False, bias


@compiled
def _settle(one: Problem, state: States, penalty: float) -> tuple[bool, float]:
    """Solve for the free variables and the intercept, and write down the slack of the others."""
    n_free, n_high, total = _part(one, state)
    if n_free == 0 and not -CLOSE < total / one.c[0] < CLOSE:
        _let_go(one, state, total)
        n_free, n_high, total = _part(one, state)
    ones, right = one.work[ONE], one.work[RIGHT]
    for a in range(n_free):
        row, into = one.kernel[one.free[a]], one.factor[a]
        ones[a], right[a] = 1.0, one.y[one.free[a]]
        if n_high > 0:
            right[a] -= _product(row, one.beta)
        for b in range(a + 1):
            into[b] = row[one.free[b]]
        into[a] += penalty
    if n_free > 0:
        if not factorize(one.factor, n_free):
            return False, 0.0
        substitute(one.factor, n_free, ones, right)
    bias = _share(one, n_free, total)
    for i in range(len(one.y)):
        one.work[SLACK, i] = bias
        if state[i] != 0:
            left = one.y[i] - penalty * one.beta[i]
            one.work[SLACK, i] = left - _product(one.kernel[i], one.beta)
    return True, bias if n_free > 0 else _middle(one, bias, 0.0)


@compiled
def _let_go(one: Problem, state: States, total: float) -> None:
    """Free the sample at its cost, of the class with too much, that is farthest on its side."""
    chosen, least = -1, HUGE
    for i in range(len(one.y)):
        if state[i] > 0 and one.y[i] * total > 0:
            short = one.y[i] * (one.y[i] - _product(one.kernel[i], one.beta))
            if short < least:
                chosen, least = i, short
    state[chosen] = 0


@compiled
def _part(one: Problem, state: States) -> tuple[int, int, float]:
    """Put the variables onto their bounds; return how many are free, how many at their cost."""
    n_free, n_high, total = 0, 0, 0.0
    for i in range(len(one.y)):
        one.beta[i] = 0.0
        if state[i] == 0:
            one.free[n_free] = i
            n_free += 1
        elif state[i] > 0:
            one.beta[i] = one.c[i] * one.y[i]
            total += one.beta[i]
            n_high += 1
    return n_free, n_high, total


@compiled
def _product(a: Array, b: Array) -> float:
    total = 0.0
    for k in range(len(b)):
        total += a[k] * b[k]
    return total


@compiled
def _share(one: Problem, n_free: int, total: float) -> float:
    """Write down the free variables, whose sum the others ask for; return the intercept."""
    ones, right = one.work[ONE], one.work[RIGHT]
    below = 0.0
    for a in range(n_free):
        total += right[a]
        below += ones[a]
    bias = total / below if n_free > 0 else 0.0
    for a in range(n_free):
        one.beta[one.free[a]] = right[a] - bias * ones[a]
    return bias


@compiled
def _middle(one: Problem, bias: float, near: float) -> float:
    """Return the intercept; where all variables lie at bounds, the middle of what is allowed."""
    top, bottom = -HUGE, HUGE
    for i in range(len(one.y)):
        length, room = one.y[i] * one.beta[i], min(near, CLOSE * one.c[i])
        if room < length < one.c[i] - room:
            return bias
        if (length > room) == (one.y[i] > 0):
            bottom = min(bottom, one.work[SLACK, i])
        else:
            top = max(top, one.work[SLACK, i])
    return 0.5 * (top + bottom)


@compiled
def _wrong(one: Problem, state: States, bias: float, near: float) -> int:
    """Write down what each sample should be, and count those that are something else."""
    n_wrong = 0
    slack, wanted = one.work[SLACK], one.work[WANTED]
    for i in range(len(one.y)):
        should = int(state[i])
        if should == 0:
            length, room = one.y[i] * one.beta[i], min(near, CLOSE * one.c[i])
            should = -1 if length < -room else (1 if length > one.c[i] + room else 0)
        else:
            short = one.y[i] * (slack[i] - bias)  # of the margin
            if (should < 0 and short > CLOSE) or (should > 0 and short < -CLOSE):
                should = 0
        wanted[i] = should
        n_wrong += should != state[i]
    return n_wrong
