"""Labels exchanged so that folds keep their classes: all ways where few, else random ones.

Trials are exchanged within their run and what folds leave out; what has one class throughout is
exchanged as a whole (`exchange_units`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import factorial, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Labelings:
    """Ways to label the samples.

    Parameters
    ----------
    codes : (n_labelings, n_samples) intp
        Class of each sample; the first row is the labeling as it was.
    enumerated
        Whether these are all distinct ones (then the first row is one of them); otherwise the
        rows after the first are random.
    """

    codes: Codes
    enumerated: bool

    @property
    def n_permutations(self) -> int:
        """Count the labelings a p value rests on: all of them, or those drawn."""
        return len(self.codes) if self.enumerated else len(self.codes) - 1


def count_labelings(labels: Codes, runs: Codes) -> int:
    """Count the distinct labelings that keep the number of each class in each run.

    Two labelings that differ only in the names of classes train the same classifiers and so
    give the same accuracy; classes whose numbers agree in every run can change names, and are
    counted once. (For two classes in balanced runs: up to the swap of both.)

    Parameters
    ----------
    labels, runs : (n_samples,)
        Class and run of each sample, numbered from 0.

    Examples
    --------
    >>> count_labelings(np.array([0, 1, 0, 1, 0, 1]), np.array([0, 0, 1, 1, 2, 2]))
    4
    """
    counts = _counts(labels, runs)
    ways = prod(
        factorial(int(row.sum())) // prod(factorial(int(n)) for n in row) for row in counts
    )
    _, sizes = np.unique(counts, axis=1, return_counts=True)
    return ways // prod(factorial(int(size)) for size in sizes)


def list_labelings(labels: Codes, runs: Codes) -> Codes:
    """List the distinct labelings that `count_labelings` counts; the given one comes first.

    Parameters
    ----------
    labels, runs : (n_samples,)

    Returns
    -------
    codes : (n_labelings, n_samples)
    """
    found = np.array(list(_walk(labels, runs)), dtype=np.intp)
    first = np.flatnonzero((found == labels).all(axis=1))[0]
    return np.concatenate([found[first : first + 1], np.delete(found, first, axis=0)])


def draw_labelings(labels: Codes, runs: Codes, n: int, rng: np.random.Generator) -> Codes:
    """Draw random labelings, each a shuffle within every run.

    Parameters
    ----------
    labels, runs : (n_samples,)
    n : int
    rng

    Returns
    -------
    codes : (n, n_samples)
    """
    by_run = np.argsort(runs, kind="stable")
    out = np.empty((n, len(labels)), dtype=np.intp)
    for row in out:
        row[by_run] = labels[np.lexsort((rng.random(len(labels)), runs))]
    return out


def exchange_units(
    codes: Codes,
    runs: Codes,
    *,
    trials: Codes,
    groups: Codes,
    parts: Codes | None = None,
) -> tuple[Codes, Codes]:
    """Return what the null exchanges together, and within what.

    An exchange must leave each fold with as many samples of each class, as the design gave it:
    trials are exchanged within their run, and within what folds leave out. Where folds are made by
    what has one class throughout (the stimulus, say), its samples are given a label together,
    because folds keep them together; they are exchanged within runs where each occurs in one run
    only, and freely otherwise. Where runs have one class throughout, whole runs are exchanged,
    within what folds leave out where that holds several classes; runs that share a stimulus which
    folds keep together, as one. A trial whose samples teach as well as are tested keeps one label.

    Parameters
    ----------
    codes, runs, trials, groups : (n,) intp
        Class, run, trial and group of folds of each sample.
    parts : (n,) intp
        What labels are not exchanged between: samples that teach, and that are tested; where
        each trial lies in one of them.

    Returns
    -------
    units, blocks : (n,) intp

    Examples
    --------
    >>> codes, runs = np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])
    >>> exchange_units(codes, runs, trials=np.arange(4), groups=runs)
    (array([0, 1, 2, 3]), array([0, 0, 1, 1]))
    >>> exchange_units(codes, runs, trials=np.arange(4), groups=codes)
    (array([0, 1, 0, 1]), array([0, 0, 0, 0]))
    """
    if parts is None or not _is_nested(trials, parts):
        parts = np.zeros_like(runs)
    if not _is_nested(groups, codes):
        if _is_nested(runs, codes) and _is_nested(runs, groups) and _is_nested(runs, parts):
            return numbered(runs), combined([groups, parts])
        return trials, combined([runs, groups, parts])
    within = combined([runs, parts])
    if _is_nested(runs, codes):
        joined = _joined(runs, groups)
        return joined, parts if _is_nested(joined, parts) else np.zeros_like(runs)
    if _is_nested(groups, within):
        return numbered(groups), within
    return numbered(groups), parts if _is_nested(groups, parts) else np.zeros_like(runs)


def combined(codes: Sequence[Codes]) -> Codes:
    """Return a number for each combination of several codes of a sample.

    Examples
    --------
    >>> combined([np.array([0, 0, 1]), np.array([5, 7, 5])])
    array([0, 1, 2])
    """
    return np.unique(np.stack(codes), axis=1, return_inverse=True)[1].ravel().astype(np.intp)


def numbered(values: NDArray[Any]) -> Codes:
    """Return values as numbers from 0 without gaps, in their order; objects in that of their text.

    Examples
    --------
    >>> numbered(np.array([7, 3, 7]))
    array([1, 0, 1])
    """
    known = values.astype(str) if values.dtype == object else values
    return np.unique(known, return_inverse=True)[1].ravel().astype(np.intp)


def _joined(one: Codes, other: Codes) -> Codes:
    """Return a number for all samples that are joined by chains of equal values of either code."""
    made = numbered(one)
    while True:
        before = made
        for code in (numbered(other), numbered(one)):
            least = np.full(code.max() + 1, len(made), dtype=np.intp)
            np.minimum.at(least, code, made)
            made = least[code]
        if (made == before).all():
            return numbered(made)


def _is_nested(inner: Codes, outer: Codes) -> bool:
    """Tell whether each value of `inner` goes with one value of `outer`."""
    pairs = np.unique(np.stack([inner, outer]), axis=1)
    return bool(pairs.shape[1] == len(np.unique(inner)))


def labelings(
    labels: Codes,
    runs: Codes,
    *,
    units: Codes,
    n_permutations: int,
    rng: np.random.Generator,
    enumerate_few: bool = True,
) -> Labelings:
    """Take all distinct labelings where there are at most `n_permutations`, else draw so many.

    Parameters
    ----------
    labels, runs : (n_samples,)
        Class and run of each sample, numbered from 0.
    units : (n_samples,)
        Unit of each sample, numbered from 0; the samples of a unit share class and run, and
        are given a label together.
    n_permutations : int
    rng
    enumerate_few
        False = always draw.
    """
    first = np.unique(units, return_index=True)[1]
    own, run = labels[first], runs[first]  # (n_units,)
    if enumerate_few and count_labelings(own, run) <= n_permutations:
        return Labelings(list_labelings(own, run)[:, units], enumerated=True)
    drawn = draw_labelings(own, run, n_permutations, rng)
    return Labelings(np.concatenate([own[None], drawn])[:, units], enumerated=False)


def _counts(labels: Codes, runs: Codes) -> NDArray[np.intp]:
    counts = np.zeros((runs.max() + 1, labels.max() + 1), dtype=np.intp)
    np.add.at(counts, (runs, labels), 1)
    return counts


def _walk(labels: Codes, runs: Codes) -> Iterator[list[int]]:
    """Give each labeling once: interchangeable classes first appear in the given order."""
    counts = _counts(labels, runs)
    order = [int(code) for code in dict.fromkeys(labels.tolist())]  # by first appearance
    group = np.unique(counts, axis=1, return_inverse=True)[1].ravel()
    before: dict[int, int | None] = {}  # the class that must have appeared already
    last: dict[int, int] = {}
    for code in order:
        before[code] = last.get(int(group[code]))
        last[int(group[code])] = code

    left = counts.copy()
    seen = np.zeros(len(order), dtype=np.intp)
    row: list[int] = []
    tried = [0]  # of each place, how many of the classes were tried
    while tried:
        run = runs[len(row)] if len(row) < len(labels) else -1
        if len(row) == len(labels):
            yield row.copy()
        elif tried[-1] < len(order):
            code = order[tried[-1]]
            tried[-1] += 1
            elder = before[code]
            if left[run, code] and (elder is None or seen[elder]):
                left[run, code] -= 1
                seen[code] += 1
                row.append(code)
                tried.append(0)
            continue
        tried.pop()
        if row:
            code = row.pop()
            seen[code] -= 1
            left[runs[len(row)], code] += 1
