"""Support vector machines of many labelings of one Gram matrix, from an inverse that they share.

With K the Gram matrix and all samples free, the dual variables are ``P y``, with P the inverse of
K where they sum to zero. Samples R that lie on bounds t have multipliers g of their own:
``P_RR g = (P y)_R - t`` and ``b = P (y - g)``. A turn then factors a matrix of as many rows as
samples lie on bounds; where most do, turns of `turns` go on, with the matrix of the free ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.decode.classifiers.factors import factorize, invert_factor, substitute
from bids_dnn.analyses.decode.classifiers.turns import (
    CLOSE,
    PATIENCE,
    RIGHT,
    SLACK,
    TURNS,
    WANTED,
    Problem,
    is_weak,
    middle,
    product,
    spread_of,
    wrong,
)
from bids_dnn.stats.compiled import compiled

Array = NDArray[np.float64]
States = NDArray[np.int8]
EXACT = 1e-6  # of the margin: what rounding may leave


@compiled
def solve_shared(
    gram: Array,
    signs: Array,
    high: Array,
    tiny: float,
    dual: Array,
    intercept: Array,
    left: NDArray[np.bool_],
    states: States,
) -> None:
    """Solve ``gram`` (n, n) for each of ``signs`` (k, n), without zeros, into ``dual`` (n, k).

    Parameters
    ----------
    gram : (n, n)
    signs, high : (k, n)
        Classes +1 and -1, costs.
    tiny
        Penalty, in mean diagonals.
    dual : (n, k)
    intercept, left : (k,)
        ``left``: what is to be solved; false is written where it is.
    states : (k, n)
        Is written: where turns ended; all free where they did not begin.
    """
    n = len(gram)
    factor, work, free = np.empty((n, n)), np.empty((4, n)), np.empty(n, np.int64)
    guess, whole, level = np.empty((n, n)), np.empty((n, n)), np.empty(n)
    lines, start = np.empty((2, n)), np.empty(n)
    states[:] = 0
    cost = 0.0
    for i in range(n):
        cost += high[0, i] / n
    for k in range(len(signs)):
        one = Problem(gram, signs[k], high[k], lines[0], work, factor, free)
        if k == 0:
            spread = spread_of(one)
            if spread <= 0 or not invert(gram, 1.0 / cost, guess, level, factor):
                return
            if not invert(gram, tiny * spread, whole, level, factor):
                return
        if is_weak(one, spread):
            continue
        for i in range(n):
            length = signs[k, i] * product(guess[i], signs[k])
            states[k, i] = -1 if length < 0 else (1 if length > high[k, i] else 0)
            start[i] = product(whole[i], signs[k])
        is_done, bias = turn_shared(one, states[k], whole, level, start, CLOSE / spread)
        if is_done:
            intercept[k], left[k] = middle(one, bias, CLOSE / spread), False
            for i in range(n):
                dual[i, k] = one.beta[i]


@compiled
def guess_states(one: Problem, start: Array, state: States) -> None:
    """Guess which samples are free: those that would be between the bounds if all were.

    Parameters
    ----------
    one
    start : (n,)
        Dual variables if all were free.
    state : (n,)
        Is written.
    """
    for i in range(len(state)):
        length = one.y[i] * start[i]
        state[i] = -1 if length < 0 else (1 if length > one.c[i] else 0)


@compiled
def are_bound(state: States) -> bool:
    """Tell whether most samples lie on bounds: few are free, then, and their matrix is small."""
    n_bound = 0
    for i in range(len(state)):
        n_bound += state[i] != 0
    return 2 * n_bound > len(state)


@compiled
def invert(gram: Array, penalty: float, into: Array, level: Array, factor: Array) -> bool:
    """Write the inverse of ``gram + penalty I`` where numbers sum to zero; false if there is none.

    Parameters
    ----------
    gram : (n, n)
    penalty
    into : (n, n)
        Is written.
    level : (n,)
        Is written: ``level' (y - g)`` is the intercept.
    factor : (n, n)
        Work space.
    """
    n = len(gram)
    for i in range(n):
        for j in range(i + 1):
            factor[i, j] = gram[i, j]
        factor[i, i] += penalty
    if not factorize(factor, n):
        return False
    invert_factor(factor, n, into)
    total = _sum_rows(into, level)
    for i in range(n):
        for j in range(n):
            into[i, j] -= level[i] * level[j] / total
    for i in range(n):
        level[i] /= total
    return True


@compiled
def _sum_rows(matrix: Array, into: Array) -> float:
    total = 0.0
    for i in range(len(matrix)):
        into[i] = 0.0
        for j in range(len(matrix)):
            into[i] += matrix[i, j]
        total += into[i]
    return total


@compiled
def turn_shared(
    one: Problem, state: States, whole: Array, level: Array, start: Array, near: float
) -> tuple[bool, float]:
    """Turn wrong samples over until none is left; return whether so, and the intercept.

    Parameters
    ----------
    one
        Whose dual variables and slack are written.
    state : (n,)
        Where to begin; is written.
    whole, level : (n, n), (n,)
        As `invert` makes them.
    start : (n,)
        ``whole @ y``.
    near
        Of the dual variables: less is rounding.
    """
    n, wanted = len(one.y), one.work[WANTED]
    fewest, patience = n + 1, PATIENCE
    for _ in range(TURNS):
        if are_bound(state) or not _settle(one, state, whole, start):
            return False, 0.0
        n_wrong = wrong(one, state, 0.0, near)
        if n_wrong == 0:
            bias = product(level, one.y) - product(level, one.work[SLACK])
            return _is_exact(one, bias), bias
        patience = PATIENCE if n_wrong < fewest else patience - 1
        fewest = min(fewest, n_wrong)
        for i in range(n - 1, -1, -1):
            if wanted[i] != state[i]:
                state[i] = np.int8(wanted[i])
                if patience <= 0:
                    break
    return False, 0.0


@compiled
def _settle(one: Problem, state: States, whole: Array, start: Array) -> bool:
    """Solve for the multipliers of the samples on bounds, then for the free variables."""
    n, m = len(one.y), 0
    right, slack = one.work[RIGHT], one.work[SLACK]
    for i in range(n):
        one.beta[i], slack[i] = start[i], 0.0
        if state[i] != 0:
            one.free[m] = i
            m += 1
    if m == n:
        return False
    for a in range(m):
        i = one.free[a]
        row, into = whole[i], one.factor[a]
        right[a] = start[i] - (one.c[i] * one.y[i] if state[i] > 0 else 0.0)
        for b in range(a + 1):
            into[b] = row[one.free[b]]
    if not factorize(one.factor, m):
        return False
    substitute(one.factor, m, right, one.work[WANTED])
    for a in range(m):
        row, pull = whole[one.free[a]], right[a]
        slack[one.free[a]] = pull
        for i in range(n):
            one.beta[i] -= row[i] * pull
    for a in range(m):
        i = one.free[a]
        one.beta[i] = one.c[i] * one.y[i] if state[i] > 0 else 0.0
    return True


@compiled
def _is_exact(one: Problem, bias: float) -> bool:
    """Tell whether rounding left the margins as they are told; slack becomes what it is."""
    slack = one.work[SLACK]
    for i in range(len(one.y)):
        slack[i] += bias
        left = one.y[i] - product(one.kernel[i], one.beta) - slack[i]
        if not -EXACT < left < EXACT:
            return False
    return True
