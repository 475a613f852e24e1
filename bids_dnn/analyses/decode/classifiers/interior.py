"""Which samples are support vectors, by an interior point method: for fewer units than samples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.decode.classifiers.factors import factorize, substitute
from bids_dnn.stats.compiled import compiled

Array = NDArray[np.float64]
States = NDArray[np.int8]
RANK = 1e-11  # of the mean diagonal: less is rounding
SHORT = 10.0  # where dual variables are shorter than a cost divided by this, nearer still
MOST = 60  # steps
REACH = 0.995  # of the way to the nearest bound


class Interior(NamedTuple):
    """A point between all bounds, and a step from it.

    Parameters
    ----------
    roots : (rank, n)
        Of the Gram matrix of samples times their classes: ``roots' roots``.
    y, c : (n,)
        Classes +1 and -1, costs.
    at : (3, n)
        Lengths of the dual variables, and the multipliers of their lower and upper bounds.
    step : (3, n)
    work : (4, n)
    inner : (rank, rank)
    short : (2, rank)
    """

    roots: Array
    y: Array
    c: Array
    at: Array
    step: Array
    work: Array
    inner: Array
    short: Array


@compiled
def approach(kernel: Array, y: Array, c: Array, state: States, near: float) -> bool:
    """Write down which samples are free (0), no support vector (-1), or at the cost (1).

    The point goes from the middle between all bounds to the optimum in ten to twenty steps of
    Mehrotra's predictor and corrector, each of which factors a matrix of the rank of the Gram
    matrix.

    Parameters
    ----------
    kernel : (n, n)
    y, c : (n,)
        Classes +1 and -1, costs.
    state : (n,) int8
        Is written.
    near
        Mean product of a variable and its multiplier, in costs, that is near enough.

    Returns
    -------
    is_near
        Whether the point came near the optimum.

    References
    ----------
    Fine & Scheinberg (2001), J. Mach. Learn. Res. 2:243.
    Mehrotra (1992), SIAM J. Optim. 2:575, doi:10.1137/0802028.
    """
    n = len(y)
    every = np.empty((n, n))
    rank = _roots(kernel, y, every)
    roots, inner, short = every[:rank], np.empty((rank, rank)), np.empty((2, rank))
    at, step, work = np.empty((3, n)), np.empty((3, n)), np.empty((4, n))
    point = Interior(roots, y, c, at, step, work, inner, short)
    for i in range(n):
        at[0, i], at[1, i], at[2, i] = 0.5 * c[i], 1.0, 1.0
        step[0, i], step[1, i], step[2, i] = 0.0, 0.0, 0.0
    bias, is_near = 0.0, False
    for _ in range(MOST):
        mean, share = _mean_product(point, 0.0), 0.0
        for i in range(n):
            share += SHORT * at[0, i] / c[i] / n
        if mean < near * min(1.0, share * share):
            is_near = True
            break
        if not _factor(point):
            break
        _aim(point, bias, 0.0, 0.0)
        ahead = _mean_product(point, _reach(point))
        turn = _aim(point, bias, (ahead / mean) ** 3 * mean, 1.0)
        reach = min(1.0, REACH * _reach(point))
        bias += reach * turn
        for k in range(3):
            for i in range(n):
                point.at[k, i] += reach * point.step[k, i]
    for i in range(n):
        low, high = point.at[0, i] / c[i], 1.0 - point.at[0, i] / c[i]
        state[i] = -1 if low < point.at[1, i] else (1 if high < point.at[2, i] else 0)
    return is_near


@compiled
def _roots(kernel: Array, y: Array, roots: Array) -> int:
    """Write roots, the largest first, until what is left is rounding; return how many."""
    n = len(y)
    left, total = np.empty(n), 0.0
    for i in range(n):
        left[i] = kernel[i, i]
        total += kernel[i, i] / n
    for k in range(n):
        p = 0
        for i in range(n):
            if left[i] > left[p]:
                p = i
        if left[p] <= RANK * total:
            return max(k, 1)
        row, size = roots[k], np.sqrt(left[p])
        for i in range(n):
            row[i] = y[i] * y[p] * kernel[p, i]
        for j in range(k):
            before = roots[j]
            for i in range(n):
                row[i] -= before[p] * before[i]
        for i in range(n):
            row[i] /= size
            left[i] -= row[i] * row[i]
        left[p] = 0.0
    return n


@compiled
def _mean_product(point: Interior, reach: float) -> float:
    """Return the mean product of variables and multipliers after a part of the step, in costs."""
    n, total = len(point.y), 0.0
    at, step = point.at, point.step
    for i in range(n):
        length = at[0, i] + reach * step[0, i]
        total += length / point.c[i] * (at[1, i] + reach * step[1, i])
        total += (1.0 - length / point.c[i]) * (at[2, i] + reach * step[2, i])
    return total / (2 * n)


@compiled
def _reach(point: Interior) -> float:
    """Return how much of the step leads to the nearest bound."""
    reach = 1e300
    for i in range(len(point.y)):
        length, step = point.at[0, i], point.step[0, i]
        if step < 0.0:
            reach = min(reach, -length / step)
        elif step > 0.0:
            reach = min(reach, (point.c[i] - length) / step)
        for k in range(1, 3):
            if point.step[k, i] < 0.0:
                reach = min(reach, -point.at[k, i] / point.step[k, i])
    return min(reach, 1.0)


@compiled
def _factor(point: Interior) -> bool:
    """Factor ``I + roots D^-1 roots'``, with D the pull of the bounds; D^-1 is kept."""
    loose, scaled = point.work[3], point.work[2]
    for i in range(len(point.y)):
        low, high = point.at[0, i], point.c[i] - point.at[0, i]
        loose[i] = 1.0 / (point.at[1, i] / low + point.at[2, i] / high)
    for a in range(len(point.roots)):
        row, into = point.roots[a], point.inner[a]
        for i in range(len(point.y)):
            scaled[i] = row[i] * loose[i]
        for b in range(a + 1):
            other, total = point.roots[b], 0.0
            for i in range(len(point.y)):
                total += scaled[i] * other[i]
            into[b] = total
        into[a] += 1.0
    return factorize(point.inner, len(point.roots))


@compiled
def _aim(point: Interior, bias: float, wanted: float, bend: float) -> float:
    """Write down the step towards products of ``wanted`` costs; return that of the intercept.

    ``bend`` = how much of what the step before has bent is taken back.
    """
    y, c, at, step = point.y, point.c, point.at, point.step
    right, ones, scaled = point.work[0], point.work[1], point.work[2]
    _seen(point, at[0], scaled)
    off = 0.0
    for i in range(len(y)):
        low, high = at[0, i], c[i] - at[0, i]
        bent = bend * step[0, i]
        down = (wanted * c[i] - bent * step[1, i]) / low - at[1, i]
        up = (wanted * c[i] + bent * step[2, i]) / high - at[2, i]
        right[i] = 1.0 - scaled[i] - y[i] * bias + at[1, i] - at[2, i] + down - up
        ones[i] = y[i]
        off -= y[i] * low
        step[1, i], step[2, i] = down, up
    _solve(point, right, ones)
    above, below = -off, 0.0
    for i in range(len(y)):
        above += y[i] * right[i]
        below += y[i] * ones[i]
    turn = above / below
    for i in range(len(y)):
        low, high = at[0, i], c[i] - at[0, i]
        step[0, i] = right[i] - turn * ones[i]
        step[1, i] -= at[1, i] / low * step[0, i]
        step[2, i] += at[2, i] / high * step[0, i]
    return turn


@compiled
def _seen(point: Interior, x: Array, into: Array) -> None:
    """Write ``roots' roots x``."""
    for i in range(len(x)):
        into[i] = 0.0
    for a in range(len(point.roots)):
        row, total = point.roots[a], 0.0
        for i in range(len(x)):
            total += row[i] * x[i]
        for i in range(len(x)):
            into[i] += total * row[i]


@compiled
def _solve(point: Interior, x: Array, y: Array) -> None:
    """Solve ``roots' roots + D`` for two right sides, in place."""
    loose, first, second = point.work[3], point.short[0], point.short[1]
    for i in range(len(x)):
        x[i] *= loose[i]
        y[i] *= loose[i]
    for a in range(len(point.roots)):
        row = point.roots[a]
        first[a], second[a] = 0.0, 0.0
        for i in range(len(x)):
            first[a] += row[i] * x[i]
            second[a] += row[i] * y[i]
    substitute(point.inner, len(point.roots), first, second)
    for a in range(len(point.roots)):
        row = point.roots[a]
        for i in range(len(x)):
            x[i] -= first[a] * row[i] * loose[i]
            y[i] -= second[a] * row[i] * loose[i]
