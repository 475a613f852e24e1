"""Support vector machines of all folds of one labeling, from what the folds share.

As in `sharing`, samples on bounds have multipliers of their own, of which a turn factors a matrix.
A sample that a fold leaves out is one more of them: its dual variable is zero whatever its
margin, and its multiplier says how far its decision is from its class. So one inverse serves all
folds of a labeling, and each begins with the support vectors of all folds together. That pays
where labelings have samples of their own (two conditions among several that are exchanged), and
where there are fewer units than samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.classifiers.decisions import costs_of
from bids_dnn.analyses.decode.classifiers.pivoting import (
    TINY,
    by_libsvm,
    fit,
    fit_near,
    listed,
    take_part,
)
from bids_dnn.analyses.decode.classifiers.sharing import guess_states, invert, turn_shared
from bids_dnn.analyses.decode.classifiers.turns import (
    CLOSE,
    OUT,
    SLACK,
    Problem,
    middle,
    product,
    spread_of,
)
from bids_dnn.stats.compiled import compiled
from bids_dnn.stats.folds import Fold

Array = NDArray[np.float64]
Codes = NDArray[np.integer[Any]]
Marks = NDArray[np.bool_]
Places = NDArray[np.int64]
States = NDArray[np.int8]


class Folded(NamedTuple):
    """What all labelings share.

    Parameters
    ----------
    gram : (n, n)
    train, test : (n_folds, n)
    costs : (k, n_folds)
    is_weighted
        Both classes count alike.
    n_units : int
    """

    gram: Array
    train: Marks
    test: Marks
    costs: Array
    is_weighted: bool
    n_units: int


class Labeling(NamedTuple):
    """The samples of a labeling, and what its folds share.

    Parameters
    ----------
    one
        The machine of all of its m samples.
    own : (at least m,)
        Their numbers.
    place : (n,)
        Of each sample, its place among them; -1 = none.
    whole : (m, m)
    level, start : (m,)
        As in `sharing`; of use where `is_shared`.
    guess : (m,)
        States of the machine that learns from all of them.
    is_shared
    near
        Of the duals: less is rounding.
    """

    one: Problem
    own: Places
    place: Places
    whole: Array
    level: Array
    start: Array
    guess: States
    is_shared: bool
    near: float


def decide_left_out(
    gram: Array,
    factors: Array,
    folds: Sequence[Fold],
    signs: Codes,
    told: Marks,
    classifier: Classifier,
    *,
    n_units: int,
    shares: Array | None = None,
) -> Array:
    """Decide between two classes in all folds, for labelings with samples of their own.

    Parameters
    ----------
    gram : (n, n)
        Inner products of all samples. Their mean should be taken out of the responses.
    factors : (n_folds,)
        In each fold, inner products are so many times those of `gram`.
    folds
        Masks over the samples.
    signs : (k, n)
        +1 and -1: the classes, for each of k labelings; 0: the sample does not teach.
    told : (k, n) bool
        For which samples there is to be a decision, in the folds that test them.
    classifier
        A linear support vector machine.
    n_units
        Units that inner products sum over. It alters no answer but by rounding.
    shares : (k, n_folds)
        By how much the costs of each labeling are multiplied, as `costs_of` takes them.

    Returns
    -------
    decisions : (k, n)
        Above zero for class +1; within 1e-4 of libsvm's with ``tol=1e-6``. Where a fold has one
        class to learn from, +1 or -1; 0 where it has none, and where no fold tests a sample.
    """
    decisions = np.zeros(signs.shape)
    left = np.zeros((len(signs), len(folds)), dtype=np.bool_)
    train, test = (np.array([getattr(fold, part) for fold in folds]) for part in ("train", "test"))
    labels = np.require(signs, np.float64, ("C", "W"))
    costs = np.ones((len(signs), 1)) * factors * classifier.c
    if shares is not None:
        costs *= shares
    shared = Folded(
        np.require(gram, np.float64, ("C", "W")),
        train,
        test,
        costs,
        classifier.is_weighted,
        n_units,
    )
    _solve_each(shared, labels, np.ascontiguousarray(told), decisions, left)
    for k, f in np.argwhere(left):
        y = np.where(train[f], labels[k], 0.0)
        weights = costs_of(y[None, :, None], classifier)
        weights = np.broadcast_to(weights, (1, len(y), 1))[0, :, 0]
        cost = weights * (costs[k, f] / classifier.c)
        dual, intercept = by_libsvm(gram, y, cost)
        rows = np.flatnonzero(test[f] & told[k])
        decisions[k, rows] = gram[rows] @ dual + intercept
    return decisions


@compiled
def _solve_each(shared: Folded, signs: Array, told: Marks, decisions: Array, left: Marks) -> None:
    """Decide for each of ``signs`` (k, n); ``left`` (k, n_folds): true where it could not."""
    n = len(shared.gram)
    own, place = np.empty(n, np.int64), np.empty(n, np.int64)
    for k in range(len(signs)):
        m = listed(signs[k], own)
        if m > 0:
            labeling = _begin(shared, k, signs[k], own, place, m)
            for f in range(len(shared.train)):
                left[k, f] = not _decide_fold(shared, labeling, k, f, told[k], decisions[k])


@compiled
def _begin(shared: Folded, k: int, signs: Array, own: Places, place: Places, m: int) -> Labeling:
    """Take the part of a labeling, and fit a machine to all of its samples."""
    kernel, factor, lines = np.empty((m, m)), np.empty((m, m)), np.empty((3, m))
    take_part(shared.gram, signs, signs, own, kernel, lines)
    place[:] = -1
    for i in range(m):
        place[own[i]] = i
    free = np.empty(m, np.int64)
    one = Problem(kernel, lines[0], lines[1], lines[2], np.empty((4, m)), factor, free)
    whole, level, start = np.empty((m, m)), np.empty(m), np.empty(m)
    guess, spread = np.zeros(m, np.int8), spread_of(one)
    is_shared = spread > 0 and m <= shared.n_units
    if is_shared:
        is_shared = invert(kernel, TINY * spread, whole, level, factor)
    near = CLOSE / spread if spread > 0 else 0.0
    n_first, n_second = _weigh(
        one, own, np.ones(len(signs), np.bool_), shared, shared.costs[k].mean()
    )
    if is_shared:
        for i in range(m):
            start[i] = product(whole[i], one.y)
        guess_states(one, start, guess)
        turn_shared(one, guess, whole, level, start, near)
    elif n_first > 0 and n_second > 0:
        fit(one, guess, shared.n_units)
    return Labeling(one, own, place, whole, level, start, guess, is_shared, near)


@compiled
def _weigh(
    one: Problem, own: Places, train: Marks, shared: Folded, cost: float
) -> tuple[int, int]:
    """Write down the costs, 0 of what does not teach; count what teaches of each class."""
    n_first, n_second = 0, 0
    for i in range(len(one.y)):
        if train[own[i]]:
            n_first += one.y[i] > 0
            n_second += one.y[i] < 0
    for i in range(len(one.y)):
        one.c[i] = cost if train[own[i]] else 0.0
        if shared.is_weighted and train[own[i]]:
            one.c[i] *= (n_first + n_second) / (2 * (n_first if one.y[i] > 0 else n_second))
    return n_first, n_second


@compiled
def _decide_fold(
    shared: Folded, labeling: Labeling, k: int, f: int, told: Marks, decisions: Array
) -> bool:
    """Decide for what a fold tests; false where there is no solution."""
    one, rows, n_rows = labeling.one, np.empty(len(told), np.int64), 0
    for j in range(len(told)):
        if shared.test[f, j] and told[j]:
            rows[n_rows] = j
            n_rows += 1
    n_first, n_second = _weigh(one, labeling.own, shared.train[f], shared, shared.costs[k, f])
    if n_rows == 0 or n_first == 0 or n_second == 0:
        for j in rows[:n_rows]:
            decisions[j] = (n_first > 0) - (n_second > 0)
        return True
    is_done, bias = _leave_out(labeling)
    by_slack = is_done
    if not is_done:
        is_done, bias = _fit_part(shared, labeling, n_first + n_second)
    for j in rows[:n_rows]:
        i = labeling.place[j]
        if by_slack and i >= 0:
            decisions[j] = one.y[i] - one.work[SLACK, i] + bias
            continue
        decisions[j] = bias
        for a in range(len(one.y)):
            decisions[j] += shared.gram[j, labeling.own[a]] * one.beta[a]
    return is_done


@compiled
def _leave_out(labeling: Labeling) -> tuple[bool, float]:
    """Fit to the samples that have a cost, by the inverse of all; false where that fails."""
    if not labeling.is_shared:
        return False, 0.0
    one, state = labeling.one, labeling.guess.copy()
    for i in range(len(state)):
        if one.c[i] == 0.0:
            state[i] = OUT
    is_done, bias = turn_shared(
        one, state, labeling.whole, labeling.level, labeling.start, labeling.near
    )
    return is_done, middle(one, bias, labeling.near) if is_done else 0.0


@compiled
def _fit_part(shared: Folded, labeling: Labeling, n: int) -> tuple[bool, float]:
    """Fit a machine to the samples that teach alone, beginning with the states of all."""
    one = labeling.one
    kernel, lines, state = np.empty((n, n)), np.empty((3, n)), np.empty(n, np.int8)
    rows, a = np.empty(n, np.int64), 0
    for i in range(len(one.y)):
        one.beta[i] = 0.0
        if one.c[i] > 0.0:
            rows[a] = i
            a += 1
    take_part(one.kernel, one.y, one.c, rows, kernel, lines)
    for a in range(n):
        state[a] = labeling.guess[rows[a]]
    part = Problem(kernel, lines[0], lines[1], lines[2], one.work, one.factor, one.free)
    is_done, bias = fit_near(part, state, shared.n_units)
    for a in range(n):
        one.beta[rows[a]] = part.beta[a]
    return is_done, bias
