"""What chance would do, and how far an accuracy may be off: over pairs of exemplars.

The two orientations of a pair, and its copies, have one label, and a network answers them alike.
So labels are exchanged, and pairs drawn again, by pair of exemplars.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import comb, factorial, prod

import numpy as np
from numpy.typing import NDArray

from bids_dnn.errors import ShapeError

Bools = NDArray[np.bool_]
Texts = NDArray[np.str_]
N_EXCHANGES = 9999
EXCHANGED = 55  # tells this draw from others of the same seed
N_BOOTSTRAPS = 2000
LEVEL = 0.95
DRAWN = 53  # tells this draw from others of the same seed


@dataclass(frozen=True, slots=True)
class Exchange:
    """What exchanging labels says of an accuracy.

    Parameters
    ----------
    chance : float
        Mean accuracy over all exchanges: what these answers would get if labels meant nothing.
    p : float, in (0, 1]
        Share of all exchanges, that of the data among them, with at least this accuracy.
    p_floor : float
        One over the number of exchanges, which answers without a mistake would get.
    """

    chance: float
    p: float
    p_floor: float


def exchange(
    says_same: Bools, is_same: Bools, *, pairs: Sequence[Hashable], strata: Sequence[Hashable]
) -> Exchange:
    """Compare an accuracy with that under every exchange of labels among pairs of a stratum.

    All exchanges are counted, not drawn: for each stratum the number of right answers has a
    distribution that is built up pair by pair.

    Parameters
    ----------
    says_same, is_same : (n,) bool
        Answers and truth.
    pairs : (n,)
        Pair of exemplars; its rows keep one label.
    strata : (n,)
        Category; labels are exchanged within.

    Returns
    -------
    exchange
        With one stratum and one row for each pair, p is that of Fisher's exact test.

    Raises
    ------
    ShapeError
        If there is no row, the lengths differ, or the rows of a pair have two labels or strata.

    References
    ----------
    Fisher (1922), J. R. Stat. Soc. 85:87, doi:10.2307/2340521.
    Good (2005), Permutation, Parametric and Bootstrap Tests of Hypotheses, doi:10.1007/b138696.

    Examples
    --------
    >>> answer = np.array([True, True, True, False, False, False])
    >>> found = exchange(answer, answer, pairs="abcdef", strata="x" * 6)
    >>> found.chance, found.p
    (0.5, 0.05)
    """
    groups = _grouped(says_same, is_same, pairs, strata)
    sums = np.zeros(1, dtype=np.intp)
    chances: NDArray[np.float64] = np.ones(1)
    floor = 1.0
    for stratum in dict.fromkeys(one.stratum for one in groups):
        own = [one for one in groups if one.stratum == stratum]
        n_same = sum(one.is_same for one in own)
        more = _distribution(own, n_same)
        floor /= comb(len(own), n_same)
        every = np.add.outer(sums, np.arange(len(more), dtype=np.intp)).ravel()
        sums, place = np.unique(every, return_inverse=True)
        both = np.outer(chances, more).ravel()
        chances = np.bincount(place, weights=both).astype(np.float64)
    observed = int((says_same == is_same).sum())
    n = len(says_same)
    return Exchange(
        chance=float(chances @ sums) / n,
        p=min(float(chances[sums >= observed].sum()), 1.0),
        p_floor=floor,
    )


def exchange_classes(
    guess: Texts,
    truth: Texts,
    *,
    pairs: Sequence[Hashable],
    tested: Bools,
    seed: int,
    n_exchanges: int = N_EXCHANGES,
) -> Exchange:
    """Compare an accuracy with that under random exchanges of classes among pairs.

    Parameters
    ----------
    guess, truth : (n,)
        Answers, and what is true.
    pairs : (n,)
        Pair of exemplars; its rows keep one class.
    tested : (n,) bool
        Rows that p is of: those of pairs that have no exemplar in common.
    seed : int
    n_exchanges : int
        That are drawn.

    Returns
    -------
    exchange
        `chance` is of all rows, over all exchanges; p of those that are tested, NaN without.

    Raises
    ------
    ShapeError
        If there is no row, the lengths differ, or the rows of a pair have two classes.

    References
    ----------
    Phipson & Smyth (2010), Stat. Appl. Genet. Mol. Biol. 9:39, doi:10.2202/1544-6115.1585.

    Examples
    --------
    >>> found = exchange_classes(
    ...     np.array(list("aabb")), np.array(list("aabb")), pairs="wxyz",
    ...     tested=np.ones(4, bool), seed=0,
    ... )
    >>> found.chance, round(found.p, 1)  # one of six exchanges is without a mistake
    (0.5, 0.2)
    """
    said, true = _counted(guess, truth, pairs)
    share = np.bincount(true, minlength=said.shape[1]) / len(true)
    chance = float((said @ share).sum() / len(guess))
    if not tested.any():
        return Exchange(chance, float("nan"), float("nan"))
    own = [pair for pair, is_own in zip(pairs, tested, strict=True) if is_own]
    said, true = _counted(guess[tested], truth[tested], own)
    rng = np.random.default_rng([seed, EXCHANGED])
    rows = np.arange(len(true))
    observed = said[rows, true].sum()
    drawn = [said[rows, rng.permutation(true)].sum() for _ in range(n_exchanges)]
    n_high = int((np.array(drawn) >= observed).sum())
    sizes = np.bincount(true).tolist()
    n_distinct = factorial(len(true)) // prod(map(factorial, sizes))
    floor = max(1 / (1 + n_exchanges), 1 / n_distinct)
    return Exchange(chance, max((1 + n_high) / (1 + n_exchanges), floor), floor)


def _counted(
    guess: Texts, truth: Texts, pairs: Sequence[Hashable]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return how often each class is answered to each pair, (n_pairs, n), and the true ones."""
    if not len(guess) or {len(truth), len(pairs)} != {len(guess)}:
        raise ShapeError(
            f"There are {len(guess)} answers, {len(truth)} classes and {len(pairs)} pairs.",
            mend="Give one of each for each row, and a row at least.",
        )
    names = sorted({*guess.tolist(), *truth.tolist()})
    order = {pair: k for k, pair in enumerate(dict.fromkeys(pairs))}
    place = np.array([order[pair] for pair in pairs], dtype=np.intp)
    codes = np.array([[names.index(one) for one in told] for told in (guess, truth)])
    said = np.zeros((len(order), len(names)), dtype=np.intp)
    np.add.at(said, (place, codes[0]), 1)
    true = np.empty(len(order), dtype=np.intp)
    true[place] = codes[1]
    if (true[place] != codes[1]).any():
        wrong = pairs[int(np.argmax(true[place] != codes[1]))]
        raise ShapeError(
            f"The rows of the pair {wrong!r} have several classes.",
            mend="Give all copies of a pair its category.",
        )
    return said, true


@dataclass(frozen=True, slots=True)
class _Group:
    """The rows of a pair of exemplars."""

    stratum: Hashable
    is_same: bool
    n: int
    n_says_same: int


def _grouped(
    says_same: Bools, is_same: Bools, pairs: Sequence[Hashable], strata: Sequence[Hashable]
) -> list[_Group]:
    n = len(says_same)
    if not n or {len(is_same), len(pairs), len(strata)} != {n}:
        raise ShapeError(
            f"There are {n} answers, {len(is_same)} labels, {len(pairs)} pairs and "
            f"{len(strata)} strata.",
            mend="Give one of each for each row, and a row at least.",
        )
    rows: dict[Hashable, list[int]] = {}
    for k, pair in enumerate(pairs):
        rows.setdefault(pair, []).append(k)
    made = []
    for pair, own in rows.items():
        told = {(bool(is_same[k]), strata[k]) for k in own}
        if len(told) > 1:
            raise ShapeError(
                f"The rows of the pair {pair!r} have several labels or strata: {sorted(told)!r}.",
                mend="Give all copies of a pair its label and category.",
            )
        label, stratum = next(iter(told))
        made.append(_Group(stratum, label, len(own), int(says_same[own].sum())))
    return made


def _distribution(groups: Sequence[_Group], n_same: int) -> NDArray[np.float64]:
    """Return the chance of each number of right answers, when `n_same` groups are the same."""
    n_rows = sum(one.n for one in groups)
    state = np.zeros((n_same + 1, n_rows + 1))  # groups called same so far, right answers so far
    state[0, 0] = 1
    for k, one in enumerate(groups):
        taken = (n_same - np.arange(n_same + 1)) / (len(groups) - k)  # chance that it is same
        taken = np.clip(taken, 0, 1)[:, None]
        grown = np.zeros_like(state)
        n_no = one.n - one.n_says_same
        grown[:, n_no:] += (state * (1 - taken))[:, : n_rows + 1 - n_no]
        hit = (state * taken)[:-1, : n_rows + 1 - one.n_says_same]
        grown[1:, one.n_says_same :] += hit
        state = grown
    made: NDArray[np.float64] = state[n_same]
    return made


def interval(
    is_right: Bools, *, pairs: Sequence[Hashable], strata: Sequence[Hashable], seed: int
) -> tuple[float, float]:
    """Return the bootstrap interval of an accuracy, pairs of exemplars drawn within strata.

    Parameters
    ----------
    is_right : (n,) bool
    pairs : (n,)
        Pair of exemplars; its rows are drawn together.
    strata : (n,)
        Such as category and label: of each, as many pairs are drawn as there are.
    seed : int

    Returns
    -------
    low, high : float
        95 %, percentiles; NaN where no stratum has two pairs.

    References
    ----------
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, ISBN 978-0-412-04231-7.

    Examples
    --------
    >>> right = np.array([True] * 6 + [False] * 2)
    >>> interval(right, pairs=range(8), strata="x" * 8, seed=0)
    (0.5, 1.0)
    """
    names = list(dict.fromkeys(zip(strata, pairs, strict=True)))
    place = {name: k for k, name in enumerate(names)}
    code = np.array([place[one] for one in zip(strata, pairs, strict=True)], dtype=np.intp)
    right = np.bincount(code, weights=is_right.astype(float), minlength=len(names))
    n = np.bincount(code, minlength=len(names)).astype(float)
    members: dict[Hashable, list[int]] = {}
    for k, (stratum, _) in enumerate(names):
        members.setdefault(stratum, []).append(k)
    if max(map(len, members.values())) < 2:
        return float("nan"), float("nan")
    rng = np.random.default_rng([seed, DRAWN])
    drawn = np.concatenate(
        [rng.choice(own, size=(N_BOOTSTRAPS, len(own))) for own in members.values()], axis=1
    )
    accuracy = right[drawn].sum(axis=1) / n[drawn].sum(axis=1)
    low, high = np.quantile(accuracy, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
