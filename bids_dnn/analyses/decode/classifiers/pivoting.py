"""Support vector machines to the last digit, by turning over which samples are support vectors.

Of the dual in signed variables, ``min b'Kb / 2 - y'b`` where ``sum(b) = 0`` and ``0 <= y b <= C``,
each variable is free, or lies on one of its bounds. Given which, a linear system has the answer;
samples for which it breaks a bound or the margin are turned over, all at once, and the system is
solved again. A few turns do. Where they do not (fewer units than samples), the way leads over
problems with a penalty that falls step by step, and what is left goes to libsvm's algorithm.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.decode.classifiers.compiled import compiled
from bids_dnn.analyses.decode.classifiers.factors import factorize, substitute

Array = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]
States = NDArray[np.int8]  # of samples: 0 = free, -1 = no support vector, 1 = at the cost
Places = NDArray[np.int64]
TINY = 1e-9  # penalty, in mean diagonals: what makes a singular Gram matrix regular
CLOSE = 1e-7  # of the margin: less is rounding
TURNS = 12  # of one problem
PATIENCE = 4  # turns without fewer wrong samples; then they are turned one by one
FALL, SMALL = 4.0, 1e-5  # of the penalty from step to step, and where the last step begins
GAP = 1e-6  # between two intercepts, as scikit-learn's `tol`
MOST = 10_000_000  # steps of libsvm's algorithm
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


def solve_machines(gram: Floats, signs: Floats, c: float | Floats) -> tuple[Array, Array]:
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
    Fan, Chen & Lin (2005), J. Mach. Learn. Res. 6:1889 (libsvm's choice of pairs, the intercept).

    Examples
    --------
    >>> x = np.array([[-2.0], [-1.0], [1.0], [4.0]])
    >>> dual, intercept = solve_machines((x @ x.T)[None], np.sign(x)[None], 1.0)
    >>> (x.T @ dual[0]).round(6), bool(abs(intercept) < 1e-6)
    (array([[1.]]), True)
    """
    shape = signs.shape
    dual, intercept = np.zeros(shape), np.zeros((shape[0], 1, shape[2]))
    high = np.broadcast_to(np.asarray(c, dtype=np.float64), shape)
    told = np.asarray(signs, dtype=np.float64).transpose(0, 2, 1)
    _solve_all(
        np.ascontiguousarray(gram, dtype=np.float64),
        np.ascontiguousarray(told),
        np.ascontiguousarray(high.transpose(0, 2, 1)),
        dual,
        intercept,
    )
    return dual, intercept


@compiled
def _solve_all(gram: Array, signs: Array, high: Array, dual: Array, intercept: Array) -> None:
    """Solve ``gram`` (b, n, n) for each of ``signs`` (b, k, n) into ``dual`` (b, n, k)."""
    n = gram.shape[1]
    factor, work = np.empty((n, n)), np.empty((4, n))
    own, free = np.empty(n, np.int64), np.empty(n, np.int64)
    for b in range(gram.shape[0]):
        for k in range(signs.shape[1]):
            m = _listed(signs[b, k], own)
            kernel, bounds = np.empty((m, m)), np.empty((2, m))
            total = 0.0
            for i in range(m):
                bounds[0, i], bounds[1, i] = signs[b, k, own[i]], high[b, k, own[i]]
                total += bounds[0, i]
                for j in range(m):
                    kernel[i, j] = gram[b, own[i], own[j]]
            beta = np.zeros(m)
            if -m < total < m:
                one = Problem(kernel, bounds[0], bounds[1], beta, work, factor, free)
                intercept[b, 0, k] = _solve(one, np.zeros(m, np.int8))
            elif m > 0:  # of one class
                intercept[b, 0, k] = total / m
            for i in range(m):
                dual[b, own[i], k] = beta[i]


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
def _solve(one: Problem, state: States) -> float:
    """Write the dual variables of one machine; return its intercept."""
    spread, cost = _sizes(one)
    tiny = TINY * spread
    if spread > 0:
        _begin(one, state)
        is_done, bias = _turn(one, state, tiny, CLOSE / spread)
        if is_done:
            return bias
        state[:] = 0
        penalty = 3.0 / cost + 0.3 * spread
        while penalty > tiny:
            _turn(one, state, penalty, CLOSE / spread)
            penalty = penalty / FALL if penalty > FALL * SMALL * spread else tiny
        is_done, bias = _turn(one, state, tiny, CLOSE / spread)
        if is_done:
            return bias
    return _by_pairs(one)


@compiled
def _sizes(one: Problem) -> tuple[float, float]:
    """Return the mean diagonal of the centered matrix, and the mean cost.

    The first is 0 where nothing varies but rounding.
    """
    n = len(one.y)
    diagonal, total, cost = 0.0, 0.0, 0.0
    for i in range(n):
        diagonal += one.kernel[i, i] / n
        cost += one.c[i] / n
        for j in range(n):
            total += one.kernel[i, j] / n
    spread = diagonal - total / n
    return spread if spread > ROUNDING * diagonal else 0.0, cost


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
    elif not -CLOSE < total / one.c[0] < CLOSE:
        return False, 0.0
    bias = _share(one, n_free, total)
    for i in range(len(one.y)):
        one.work[SLACK, i] = bias
        if state[i] != 0:
            left = one.y[i] - penalty * one.beta[i]
            one.work[SLACK, i] = left - _product(one.kernel[i], one.beta)
    return True, bias if n_free > 0 else _middle(one, bias, 0.0)


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


@compiled
def _by_pairs(one: Problem) -> float:
    """Solve by exchanges between two variables, as libsvm does; return the intercept.

    Rows of the work space: 0 where a variable may rise (fall), else a number beyond all.
    """
    n = len(one.y)
    rise, fall, slack = one.work[ONE], one.work[RIGHT], one.work[SLACK]
    for k in range(n):
        one.beta[k], slack[k] = 0.0, one.y[k]
        rise[k] = 0.0 if one.y[k] > 0 else -HUGE
        fall[k] = 0.0 if one.y[k] < 0 else HUGE
    for _ in range(MOST):
        i, j, gap = _pair(one)
        if gap < GAP:
            break
        top = one.c[i] if one.y[i] > 0 else 0.0
        bottom = 0.0 if one.y[j] > 0 else -one.c[j]
        room_i, room_j = top - one.beta[i], one.beta[j] - bottom
        step = min((slack[i] - slack[j]) / _bend(one.kernel, i, j), min(room_i, room_j))
        one.beta[i] = top if step == room_i else one.beta[i] + step
        one.beta[j] = bottom if step == room_j else one.beta[j] - step
        rise[i], fall[i] = -HUGE if step == room_i else 0.0, 0.0
        fall[j], rise[j] = HUGE if step == room_j else 0.0, 0.0
        up, down = one.kernel[i], one.kernel[j]
        for k in range(n):
            slack[k] -= step * (up[k] - down[k])
    return _level(one)


@compiled
def _pair(one: Problem) -> tuple[int, int, float]:
    """Return the variable that should rise most, with whom it gains most, and the gap."""
    rise, fall, slack = one.work[ONE], one.work[RIGHT], one.work[SLACK]
    i, j, highest, lowest, best = 0, 0, -HUGE, HUGE, -1.0
    for k in range(len(one.y)):
        if slack[k] + rise[k] > highest:
            i, highest = k, slack[k] + rise[k]
    for k in range(len(one.y)):
        lowest = min(lowest, slack[k] + fall[k])
        apart = max(highest - slack[k] - fall[k], 0.0)
        gain = apart * apart / _bend(one.kernel, i, k)
        if gain > best:
            j, best = k, gain
    return i, j, highest - lowest


@compiled
def _bend(kernel: Array, i: int, j: int) -> float:
    apart: float = kernel[i, i] + kernel[j, j] - 2 * kernel[i, j]
    return max(apart, ROUNDING)


@compiled
def _level(one: Problem) -> float:
    """Return the intercept: the mean over free variables, or the middle of what is allowed."""
    rise, fall, slack = one.work[ONE], one.work[RIGHT], one.work[SLACK]
    n, total, top, bottom = 0, 0.0, -HUGE, HUGE
    for k in range(len(one.y)):
        if rise[k] == 0.0 and fall[k] == 0.0:
            n += 1
            total += slack[k]
        elif rise[k] == 0.0:
            top = max(top, slack[k])
        else:
            bottom = min(bottom, slack[k])
    return total / n if n > 0 else 0.5 * (top + bottom)
