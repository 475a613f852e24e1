"""Comparisons in other places, as they would stand were a region and a layer unrelated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, permutations, product
from math import factorial, prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bids_dnn.stats.inference import p_floor
from bids_dnn.stats.rank_correlation import DIGITS, standard_ranks

MOST_ENUMERATED = 5040
N_RANDOM, FEWEST_RANDOM = 9999, 999
MOST_NUMBERS = 5_000_000  # random orders times comparisons
FEWEST_COMPARISONS = 4  # of a rank correlation
FEWEST_ORDERS = 20  # below, no p can reach 0.05
Exchanged = Literal["conditions", "comparisons"]
Array = NDArray[np.float64]
Sides = frozenset[frozenset[str]]


@dataclass(frozen=True, slots=True, eq=False)
class Orders:
    """Orders of comparisons, each as likely as any other where nothing joins region and layer.

    Parameters
    ----------
    order : (n_orders, n_comparisons)
        Row by row, which comparison's score stands in each place.
    enumerated
        Whether these are all distinct orders, the one that was seen among them.
    exchanged
        ``conditions`` = comparisons moved as their conditions exchanged names; ``comparisons`` =
        each comparison for itself.
    """

    order: NDArray[np.intp]
    enumerated: bool
    exchanged: Exchanged

    @property
    def floor(self) -> float:
        """The smallest p that can come out."""
        return p_floor(len(self.order), enumerated=self.enumerated)


def orders_of(comparisons: Sequence[Sides], rng: np.random.Generator) -> Orders:
    """Return the orders in which comparisons could stand as well.

    Comparisons that share a condition are no independent data, so that conditions exchange their
    names wherever the comparisons asked for allow it (as all pairs do): each comparison then
    moves with its conditions. Two conditions may exchange names where that only moves
    comparisons, and makes none that was not asked for. Where fewer than `FEWEST_ORDERS` orders
    come of it, comparisons are exchanged one by one.

    Parameters
    ----------
    comparisons : n
        The conditions of each side of each comparison; different ones.
    rng
        Draws `N_RANDOM` orders (fewer of very many comparisons) where there are more than
        `MOST_ENUMERATED`.

    Returns
    -------
    orders

    References
    ----------
    Kriegeskorte, Mur & Bandettini (2008), Front. Syst. Neurosci. 2:4,
    doi:10.3389/neuro.06.004.2008, on exchanges of conditions.

    Examples
    --------
    >>> from itertools import combinations
    >>> pairs = [frozenset({frozenset(a), frozenset(b)}) for a, b in combinations("abcd", 2)]
    >>> made = orders_of(pairs, np.random.default_rng(0))
    >>> made.order.shape, made.exchanged, round(made.floor, 3)
    ((24, 6), 'conditions', 0.042)
    """
    n = len(comparisons)
    n_random = int(np.clip(MOST_NUMBERS // max(n, 1), FEWEST_RANDOM, N_RANDOM))
    classes = _classes(comparisons)
    names = [name for one in classes for name in one]
    is_few = prod(factorial(len(one)) for one in classes) <= MOST_ENUMERATED
    if is_few:
        renamed = product(*(permutations(one) for one in classes))
        new = [[name for one in each for name in one] for each in renamed]
    else:
        drawn = (chain(*(rng.permutation(one) for one in classes)) for _ in range(n_random))
        new = [[str(name) for name in each] for each in drawn]
    made = _moved(comparisons, names, new)
    made = np.unique(made, axis=0) if is_few else made
    if len(np.unique(made[:FEWEST_RANDOM], axis=0)) >= FEWEST_ORDERS:
        return Orders(made, enumerated=is_few, exchanged="conditions")
    if factorial(min(n, 20)) <= MOST_ENUMERATED:
        every = np.array(list(permutations(range(n))), dtype=np.intp)
        return Orders(every, enumerated=True, exchanged="comparisons")
    free = rng.permuted(np.tile(np.arange(n, dtype=np.intp), (n_random, 1)), axis=1)
    return Orders(free, enumerated=False, exchanged="comparisons")


def mean_rho(brains: Array, nets: Array, order: NDArray[np.intp]) -> Array:
    """Return the mean rank correlation of each layer under each order of comparisons.

    All brains take the same order, as they saw the same conditions.

    Parameters
    ----------
    brains : (n_brains, n_comparisons)
        Scores of one region in each.
    nets : (n_brains, n_layers, n_comparisons)
        Scores of each layer, as each brain's own run of it has them; NaN = it has none.
    order : (n_orders, n_comparisons)
        Row by row, which comparison's score stands in each place of a brain.

    Returns
    -------
    rho : (n_orders, n_layers)
        Over the brains that have the layer, where both vary; NaN where there is none.
    """
    total, count = np.zeros((len(order), nets.shape[1])), np.zeros(nets.shape[1])
    for own, layers in zip(standard_ranks(np.round(brains, DIGITS)), nets, strict=True):
        told = standard_ranks(np.round(layers, DIGITS))
        known = np.isfinite(told).all(axis=1) & np.isfinite(own).all()
        total[:, known] += own[order] @ told[known].T
        count += known
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _classes(told: Sequence[Sides]) -> list[list[str]]:
    """Return groups of conditions, any two of which may exchange names."""
    known = set(told)
    classes: list[list[str]] = []
    for name in sorted({name for one in told for side in one for name in side}):
        for one in classes:
            swap = {name: one[0], one[0]: name}
            if all(_renamed(each, swap) in known for each in told):
                one.append(name)
                break
        else:
            classes.append([name])
    return classes


def _renamed(one: Sides, names: dict[str, str]) -> Sides:
    return frozenset(frozenset(names.get(name, name) for name in side) for side in one)


def _moved(
    told: Sequence[Sides], names: Sequence[str], new: Sequence[Sequence[str]]
) -> NDArray[np.intp]:
    """Return which comparison each becomes, (n_orders, n), as `names` become each of `new`."""
    number = {name: k for k, name in enumerate(names)}
    codes = np.array([[number[name] for name in each] for each in new], dtype=np.intp)
    place = {one: k for k, one in enumerate(told)}
    order = np.empty((len(codes), len(told)), dtype=np.intp)
    of_pair = np.full((len(names), len(names)), -1, dtype=np.intp)
    for one, k in place.items():
        if _is_pair(one):
            i, j = (number[name] for side in one for name in side)
            of_pair[i, j] = of_pair[j, i] = k
    for one, k in place.items():
        if _is_pair(one):
            i, j = (number[name] for side in one for name in side)
            order[:, k] = of_pair[codes[:, i], codes[:, j]]
        else:
            order[:, k] = [
                place[_renamed(one, dict(zip(names, each, strict=True)))] for each in new
            ]
    return order


def _is_pair(one: Sides) -> bool:
    return len(one) == 2 and all(len(side) == 1 for side in one)
