"""Pairs of exemplars, the same one twice or two of one category, and which of them train.

What is learnt of an exemplar in training must be of no use in the test. So exemplars are dealt
first, and pairs are drawn from the exemplars of one part; copies of a pair (the other
orientation, an augmentation) can then only lie where the pair lies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Literal

import numpy as np
import pandas as pd

from bids_dnn.analyses.samediff.split import DEALT, PARTS, deal
from bids_dnn.errors import ConfigError, MissingInputError, NotEnoughDataError, nearest

LABELS = ("different", "same")
ORIENTATIONS = ("normal", "inverted")  # first upper right, second lower left; first upper left
COLUMNS = ("pair", "category", "orientation", "first", "second", "label")
BETWEEN = " ~ "
Answer = Literal["same", "category"]
ANSWERS: dict[Answer, str] = {"same": "label", "category": "category"}  # column of the truth


def names_of(pairs: pd.DataFrame, answer: Answer) -> tuple[str, ...]:
    """Return what may be answered to pairs: different and same, or their categories.

    Examples
    --------
    >>> names_of(pd.DataFrame({"category": ["face", "bike", "face"]}), "category")
    ('bike', 'face')
    """
    return LABELS if answer == "same" else tuple(sorted({str(one) for one in pairs["category"]}))


def pair_name(first: str, second: str) -> str:
    """Return what a pair is called, whichever of its exemplars comes first.

    Examples
    --------
    >>> pair_name("b", "a") == pair_name("a", "b") == "a ~ b"
    True
    """
    return BETWEEN.join(sorted((first, second)))


def draw_pairs(
    categories: Mapping[str, str],
    parts: Mapping[str, str],
    *,
    n_same: int | None = None,
    n_different: int | None = None,
    orientations: Sequence[str] = ORIENTATIONS,
    seed: int,
) -> pd.DataFrame:
    """Draw pairs of each category, such that no exemplar and no place tells the label.

    In a part, exemplars are put in a ring. A pair of the same is an exemplar twice; those that
    differ are neighbors in the ring, then next neighbors, and so on. With as many pairs of each
    label as there are exemplars, each exemplar comes first once and second once under both.

    Parameters
    ----------
    categories
        Of each exemplar.
    parts
        Of each exemplar: ``train``, ``validation`` or ``test`` (see `split.deal_exemplars`).
    n_same, n_different : int
        Pairs of each category, in all parts together, dealt onto the parts as exemplars are;
        None = one for each exemplar.
    orientations
        Of ``normal`` (first upper right, second lower left) and ``inverted`` (first upper left,
        second lower right); a pair is shown in each.
    seed : int

    Returns
    -------
    pairs
        ``pair`` (the same for both orders and orientations), ``category``, ``orientation``,
        ``first``, ``second``, ``label``, ``split``; a row is a pair in one orientation.

    Raises
    ------
    ConfigError
        If there is no such orientation, or none is asked for.
    NotEnoughDataError
        If a part has fewer than three exemplars of a category, or fewer pairs can be made of
        them than are asked for, or fewer are asked for than there are parts.

    Examples
    --------
    >>> of = {name: "face" for name in "abc"} | {name: "face" for name in "xyz"}
    >>> parts = dict(zip("abcxyz", ["train"] * 3 + ["test"] * 3, strict=True))
    >>> pairs = draw_pairs(of, parts, orientations=["normal"], seed=0)
    >>> pairs.groupby(["split", "label"]).size().tolist()
    [3, 3, 3, 3]
    """
    _check_orientations(orientations)
    used = [part for part in PARTS if part in set(parts.values())]
    rows: list[tuple[str, ...]] = []
    for number, category in enumerate(sorted(set(categories.values()))):
        members = {
            part: sorted(e for e, of in categories.items() if of == category and parts[e] == part)
            for part in used
        }
        _check_members(category, members)
        sizes = [len(one) for one in members.values()]
        same = _shared(n_same, sizes, what=f"n_same of {category!r}")
        different = _shared(n_different, sizes, what=f"n_different of {category!r}")
        for k, (part, names) in enumerate(members.items()):
            order = np.random.default_rng([seed, DEALT + 1, number, k]).permutation(names).tolist()
            made = _same(order, same[k], category) + _different(order, different[k], category)
            rows += [(category, way, *pair, part) for pair, way in product(made, orientations)]
    table = pd.DataFrame(rows, columns=["category", "orientation", "first", "second", "split"])
    return completed(table)


def completed(pairs: pd.DataFrame) -> pd.DataFrame:
    """Fill in the name and label of pairs, and the orientation where it is not told.

    Parameters
    ----------
    pairs
        ``first`` and ``second``, and any other columns.

    Returns
    -------
    pairs
        With `COLUMNS` first; a pair is ``same`` where first and second are one exemplar.

    Raises
    ------
    MissingInputError
        If ``first``, ``second`` or ``category`` lacks.
    ConfigError
        If an orientation does not exist, or a label that is given contradicts the exemplars.

    Examples
    --------
    >>> made = completed(pd.DataFrame({"first": ["a"], "second": ["a"], "category": ["x"]}))
    >>> made.iloc[0].tolist()
    ['a ~ a', 'x', 'normal', 'a', 'a', 'same']
    """
    if missing := [name for name in ("first", "second", "category") if name not in pairs]:
        raise MissingInputError(
            f"The table of pairs has the columns {list(map(str, pairs.columns))}, without "
            f"{', '.join(missing)}.",
            mend="Give first and second, ids of the exemplars, and category in each row.",
        )
    table = pairs.reset_index(drop=True).copy()
    both = list(zip(table["first"], table["second"], strict=True))
    told = pd.Series([LABELS[one == two] for one, two in both], index=table.index, dtype=object)
    if "label" in table and (wrong := table.index[table["label"] != told].tolist()):
        row = table.loc[wrong[0]]
        raise ConfigError(
            f"{len(wrong)} pairs have a label that their exemplars contradict, such as "
            f"{row['first']!r} and {row['second']!r}, which is called {row['label']!r}.",
            mend="A pair is 'same' where first and second are one exemplar, else 'different'.",
        )
    table["label"] = told
    table["pair"] = [pair_name(*one) for one in both]
    if "orientation" not in table:
        table["orientation"] = ORIENTATIONS[0]
    _check_orientations(table["orientation"].unique().tolist())
    return table[[*COLUMNS, *(name for name in table.columns if name not in COLUMNS)]]


def draw_split(
    pairs: pd.DataFrame, *, validation: float, test: float, seed: int, n_tries: int = 200
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split pairs that are given by their exemplars, so that few lie on both sides.

    Exemplars are dealt many times. Of the deals that leave pairs of each category and label in
    each part, the one that keeps most pairs is taken.

    Parameters
    ----------
    pairs
        See `completed`.
    validation, test : float
        Shares of the exemplars of each category.
    seed : int
    n_tries : int
        Deals.

    Returns
    -------
    kept
        With ``split``.
    left_out
        Pairs whose exemplars fall on both sides.

    Raises
    ------
    ConfigError, NotEnoughDataError
        As `split.deal`; or if each deal leaves a part without a category or label.
    """
    of = pairs.groupby("category", sort=True)
    names = {str(key): sorted({*one["first"], *one["second"]}) for key, one in of}
    cells = list(zip(pairs["category"], pairs["label"], strict=True))
    best: tuple[int, int] | None = None
    chosen: dict[str, str] = {}
    for k in range(n_tries):
        parts = deal(names, validation=validation, test=test, seed=[seed, DEALT, k])
        sides = zip(pairs["first"].map(parts), pairs["second"].map(parts), cells, strict=True)
        whole = [(*cell, one) for one, two, cell in sides if one == two]
        n_wanted = len(names) * len(LABELS) * len(set(parts.values()))
        found = (len(set(whole)) - n_wanted, len(whole))
        if best is None or found > best:
            best, chosen = found, parts
    if best is None or best[0] < 0:
        raise NotEnoughDataError(
            f"However the exemplars of {len(pairs)} pairs are dealt ({n_tries} tries), a part "
            "has no pair of some category and label.",
            mend="Give more pairs, or a column split of your own, or let pairs be drawn.",
        )
    return split_pairs(pairs, chosen)


def split_pairs(
    pairs: pd.DataFrame, parts: Mapping[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the pairs whose exemplars lie in one part, with their split, and the others.

    Parameters
    ----------
    pairs
        See `completed`.
    parts
        Of each exemplar.

    Examples
    --------
    >>> table = pd.DataFrame({"first": list("aab"), "second": list("abb"), "category": "x"})
    >>> kept, left_out = split_pairs(completed(table), {"a": "train", "b": "test"})
    >>> kept["split"].tolist(), left_out["pair"].tolist()
    (['train', 'test'], ['a ~ b'])
    """
    first, second = (pairs[side].map(parts) for side in ("first", "second"))
    is_whole = (first == second).to_numpy()
    kept = pairs[is_whole].assign(split=first[is_whole])
    return kept.reset_index(drop=True), pairs[~is_whole].reset_index(drop=True)


def unbalanced(pairs: pd.DataFrame) -> list[str]:
    """Name the exemplars that one label shows relatively more often than the other.

    An answer to single exemplars could pass for one to sameness, or against it, and exchanges of
    labels would not know: p may then be too small.

    Parameters
    ----------
    pairs
        Of one part of the split; copies of a pair count once.

    Returns
    -------
    exemplars
        Sorted; none of pairs that were drawn with as many of both labels.

    Examples
    --------
    >>> table = pd.DataFrame({"first": list("aab"), "second": list("abb"), "category": "x"})
    >>> unbalanced(completed(table)), unbalanced(completed(table[:2]))
    ([], ['a', 'b'])
    """
    once = pairs.drop_duplicates("pair")
    shown = once.melt("label", ["first", "second"], value_name="exemplar")
    counts = pd.crosstab(shown["exemplar"], shown["label"]).reindex(
        columns=list(LABELS), fill_value=0
    )
    n_different, n_same = counts.sum()
    differs = counts[LABELS[0]] * n_same != counts[LABELS[1]] * n_different
    return [str(name) for name in counts.index[differs]]


def _check_orientations(asked: Sequence[str]) -> None:
    if not asked:
        raise ConfigError("No orientation is asked for.", mend="Type normal, inverted or both.")
    for one in asked:
        if one not in ORIENTATIONS:
            raise ConfigError(
                f"There is no orientation {one!r}.", mend=nearest(str(one), ORIENTATIONS)
            )


def _check_members(category: str, members: Mapping[str, Sequence[str]]) -> None:
    for part, names in members.items():
        if len(names) < 3:
            raise NotEnoughDataError(
                f"The category {category!r} has {len(names)} exemplars in {part}; three were "
                "expected, so that as many pairs differ as do not.",
                mend="Add exemplars of it, or leave the category out.",
            )


def _shared(n: int | None, sizes: Sequence[int], *, what: str) -> list[int]:
    """Deal `n` pairs onto parts in proportion to their exemplars, at least one each."""
    if n is None:
        return list(sizes)
    if n < len(sizes):
        raise NotEnoughDataError(
            f"{what} is {n}, fewer than the {len(sizes)} parts that pairs are split into.",
            mend=f"Ask for {len(sizes)} or more.",
        )
    exact = np.array(sizes) * n / sum(sizes)
    made = np.maximum(np.floor(exact).astype(int), 1)
    while made.sum() != n:  # at most a few steps of one
        gap = exact - made
        if made.sum() < n:
            made[int(gap.argmax())] += 1
        else:
            made[int(np.where(made > 1, gap, np.inf).argmin())] -= 1
    return [int(k) for k in made]


def _same(order: Sequence[str], n: int, category: str) -> list[tuple[str, str]]:
    if n > len(order):
        raise NotEnoughDataError(
            f"{n} pairs of the same exemplar of {category!r} are asked for in a part that has "
            f"{len(order)} exemplars.",
            mend=f"Ask for a smaller n_same, or add exemplars of {category!r}.",
        )
    return [(name, name) for name in order[:n]]


def _different(order: Sequence[str], n: int, category: str) -> list[tuple[str, str]]:
    size = len(order)
    if n > size * (size - 1) // 2:
        raise NotEnoughDataError(
            f"{n} pairs of different exemplars of {category!r} are asked for in a part whose "
            f"{size} exemplars make {size * (size - 1) // 2}.",
            mend=f"Ask for a smaller n_different, or add exemplars of {category!r}.",
        )
    if 3 <= n < size:  # a smaller ring, so that each of these exemplars comes on both sides
        return [(order[i], order[(i + 1) % n]) for i in range(n)]
    made = []
    for step in range(1, size // 2 + 1):
        twice = 2 * step == size  # the other half of the ring gives the same pairs
        n_own = size // 2 if twice else size
        made += [(order[i], order[(i + step) % size]) for i in range(n_own)]
    return made[:n]
