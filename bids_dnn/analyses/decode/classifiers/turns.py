"""Turn over which samples are support vectors, until none is wrong: the parts of `pivoting`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.decode.classifiers.factors import factorize, substitute
from bids_dnn.stats.compiled import compiled

Array = NDArray[np.float64]
States = NDArray[np.int8]  # of samples: 0 = free, -1 = no support vector, 1 = at the cost, OUT
Places = NDArray[np.int64]
CLOSE = 1e-7  # of the margin: less is rounding
TURNS = 12  # of one problem
PATIENCE = 4  # turns without fewer wrong samples; then they are turned one by one
WEAK = 6.0  # cost x mean diagonal x root of samples: below, most samples lie at their cost
OUT = 2  # state of a sample that is left out: its cost is 0, and nothing is asked of its margin
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


@compiled
def spread_of(one: Problem) -> float:
    """Return the mean diagonal of the centered matrix, 0 where nothing varies but rounding."""
    n, diagonal, total = len(one.y), 0.0, 0.0
    for i in range(n):
        diagonal += one.kernel[i, i] / n
        for j in range(n):
            total += one.kernel[i, j] / n
    spread = diagonal - total / n
    return spread if spread > ROUNDING * diagonal else 0.0


@compiled
def is_weak(one: Problem, spread: float) -> bool:
    """Tell whether costs are so low that most samples lie at theirs; where to begin, then."""
    n, total = len(one.y), 0.0
    for i in range(n):
        total += one.c[i] / n
    return bool(total * spread * np.sqrt(n) < WEAK)


@compiled
def begin(one: Problem, state: States) -> None:
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
def turn(one: Problem, state: States, penalty: float, near: float) -> tuple[bool, float]:
    """Turn wrong samples over until none is left; return whether so, and the intercept."""
    n, bias = len(one.y), 0.0
    wanted = one.work[WANTED]
    fewest, patience = n + 1, PATIENCE
    for _ in range(TURNS):
        is_fine, bias = _settle(one, state, penalty)
        if not is_fine:
            return False, bias
        n_wrong = wrong(one, state, bias, near)
        if n_wrong == 0:
            return True, middle(one, bias, near)
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
            right[a] -= product(row, one.beta)
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
            one.work[SLACK, i] = left - product(one.kernel[i], one.beta)
    return True, bias if n_free > 0 else middle(one, bias, 0.0)


@compiled
def _let_go(one: Problem, state: States, total: float) -> None:
    """Free the sample at its cost, of the class with too much, that is farthest on its side."""
    chosen, least = -1, HUGE
    for i in range(len(one.y)):
        if state[i] > 0 and one.y[i] * total > 0:
            short = one.y[i] * (one.y[i] - product(one.kernel[i], one.beta))
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
def product(a: Array, b: Array) -> float:
    """Return the inner product of the first ``len(b)`` numbers."""
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
def middle(one: Problem, bias: float, near: float) -> float:
    """Return the intercept; where all variables lie at bounds, the middle of what is allowed."""
    top, bottom = -HUGE, HUGE
    for i in range(len(one.y)):
        length, room = one.y[i] * one.beta[i], min(near, CLOSE * one.c[i])
        if one.c[i] <= 0.0:
            continue
        if room < length < one.c[i] - room:
            return bias
        if (length > room) == (one.y[i] > 0):
            bottom = min(bottom, one.work[SLACK, i])
        else:
            top = max(top, one.work[SLACK, i])
    return 0.5 * (top + bottom)


@compiled
def wrong(one: Problem, state: States, bias: float, near: float) -> int:
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
            if (should < 0 and short > CLOSE) or (should == 1 and short < -CLOSE):
                should = 0
        wanted[i] = should
        n_wrong += should != state[i]
    return n_wrong
