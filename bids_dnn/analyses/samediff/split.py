"""Which exemplars train, and that no pair or exemplar stands on both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from bids_dnn.errors import ConfigError, MissingInputError, NotEnoughDataError, nearest
from bids_dnn.stats.folds import Fold
from bids_dnn.stats.leakage import check

PARTS = ("train", "validation", "test")
FEWEST = 3  # exemplars of a category in a part: fewer make no ring
DEALT = 31  # tells this draw from others of the same seed


def deal_exemplars(
    categories: Mapping[str, str], *, validation: float = 0.2, test: float = 0.2, seed: int
) -> dict[str, str]:
    """Deal exemplars onto training, validation and test, the same share of each category.

    Parameters
    ----------
    categories
        Of each exemplar.
    validation, test : float
        Shares of the exemplars; at least three of each category, none where it is 0.
    seed : int
        The deal depends on it and on the names, not on their order.

    Returns
    -------
    parts
        ``train``, ``validation`` or ``test`` of each exemplar.

    Raises
    ------
    ConfigError
        If the shares are no shares, or nothing is left to train or test.
    NotEnoughDataError
        If a category has fewer exemplars than three for each part.

    Examples
    --------
    >>> parts = deal_exemplars({f"e{k}": "face" for k in range(20)}, seed=0)
    >>> [list(parts.values()).count(part) for part in PARTS]
    [12, 4, 4]
    """
    names: dict[str, list[str]] = {}
    for exemplar, category in categories.items():
        names.setdefault(category, []).append(exemplar)
    sorted_names = {category: sorted(names[category]) for category in sorted(names)}
    return deal(sorted_names, validation=validation, test=test, seed=[seed, DEALT])


def deal(
    names: Mapping[str, Sequence[str]], *, validation: float, test: float, seed: Sequence[int]
) -> dict[str, str]:
    """Deal the exemplars of each category; see `deal_exemplars`.

    Parameters
    ----------
    names
        Exemplars of each category, sorted.
    validation, test : float
        Shares.
    seed
        Words of the generator.

    Raises
    ------
    ConfigError
        If the shares are no shares, or nothing is left to train or test.
    NotEnoughDataError
        If there is no category, or one has fewer exemplars than three for each part.
    """
    if not (0 <= validation < 1 and 0 < test < 1 and validation + test < 1):
        raise ConfigError(
            f"The share of validation is {validation:g} and that of the test {test:g}; of 1, "
            "some must be left to train, and some to test.",
            mend="Type 0.2 and 0.2.",
        )
    if not names:
        raise NotEnoughDataError("There is no exemplar.", mend="Name a folder with pictures.")
    made: dict[str, str] = {}
    for number, (category, members) in enumerate(names.items()):
        n_held = [max(round(share * len(members)), FEWEST) * (share > 0)
                  for share in (validation, test)]  # fmt: skip
        least = FEWEST * (1 + sum(n > 0 for n in n_held))
        if len(members) - sum(n_held) < FEWEST:
            raise NotEnoughDataError(
                f"The category {category!r} has {len(members)} exemplars "
                f"({', '.join(members[:3])}{', ...' if len(members) > 3 else ''}); at least "
                f"{max(least, FEWEST + sum(n_held))} were expected, {FEWEST} to train, and "
                f"{FEWEST} or the share asked for in each other part.",
                mend="Add exemplars of it, leave the category out, or ask for smaller shares.",
            )
        order = np.random.default_rng([*seed, number]).permutation(np.array(members, dtype=object))
        n_train = len(members) - sum(n_held)
        words = ["train"] * n_train + ["validation"] * n_held[0] + ["test"] * n_held[1]
        made |= dict(zip(order.tolist(), words, strict=True))
    return made


def check_split(pairs: pd.DataFrame) -> None:
    """Refuse a split in which a pair, or an exemplar of it, stands on both sides.

    Copies of a pair, such as its augmentations, may be further rows.

    Parameters
    ----------
    pairs
        ``pair``, ``first``, ``second``, ``split``.

    Raises
    ------
    MissingInputError
        If there is no column ``split``.
    ConfigError
        If it holds another word than ``train``, ``validation`` and ``test``.
    NotEnoughDataError
        If there is nothing to train, or nothing to test.
    LeakageError
        If copies of a pair, or pairs with a common exemplar, stand on both sides; names them.

    Examples
    --------
    >>> check_split(pd.DataFrame({"pair": ["a ~ a", "b ~ b"], "first": ["a", "b"],
    ...                           "second": ["a", "b"], "split": ["train", "test"]}))
    """
    if "split" not in pairs:
        raise MissingInputError(
            "The table of pairs has no column split.", mend="Let exemplars be dealt."
        )
    for word in pairs["split"].unique():
        if word not in PARTS:
            raise ConfigError(
                f"The column split holds {word!r}, which is no part.",
                mend=nearest(str(word), PARTS),
            )
    found = set(pairs["split"])
    if lacking := [part for part in ("train", "test") if part not in found]:
        raise NotEnoughDataError(
            f"No pair has the split {' or '.join(map(repr, lacking))}.",
            mend="Give pairs to train and to test, whose exemplars differ.",
        )
    part = pairs["split"].to_numpy()
    folds = [
        Fold(name, np.isin(part, before), part == name)
        for name, before in (("validation", ["train"]), ("test", ["train", "validation"]))
        if name in found
    ]
    check(folds, groups=pairs["pair"].tolist(), what="pairs (their copies)")
    twice = [Fold(f.name, np.tile(f.train, 2), np.tile(f.test, 2)) for f in folds]
    check(twice, groups=[*pairs["first"], *pairs["second"]], what="exemplars")
