"""Divide what several feature spaces explain into what each alone, and what they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.encode.banded import BandedFit, Search, fit_banded
from bids_dnn.analyses.encode.banded_search import Space
from bids_dnn.analyses.encode.solvers import BATCH
from bids_dnn.errors import ConfigError
from bids_dnn.stats.folds import Fold

Array = NDArray[np.float64]
Values = NDArray[np.floating[Any]]
FEWEST, MOST = 2, 4
JOIN = "&"


@dataclass(frozen=True, slots=True, eq=False)
class Partition:
    """Explained variance of feature spaces, alone and together.

    Parameters
    ----------
    whole
        The fit of all spaces.
    r2 : each (n_units,)
        Of each set of spaces, by its names joined with ``&``; the last is that of all.
    parts : each (n_units,)
        The R^2 that only the spaces named share: ``a`` is unique to a, ``a&b`` is told by a and
        by b alike, but by no other. Sum to the R^2 of all. May be negative, by noise or where
        spaces help each other (suppression); NaN where the responses do not vary.
    """

    whole: BandedFit
    r2: dict[str, Array]
    parts: dict[str, Array]


def partition_variance(
    grams: Mapping[str, Space],
    truth: Values,
    *,
    folds: Sequence[Fold],
    inner: Sequence[Sequence[Fold]],
    search: Search,
    teaching: Sequence[Values] | None = None,
    n_components: Mapping[str, int] | None = None,
    batch: int = BATCH,
) -> Partition:
    """Fit every set of feature spaces, and divide the R^2 of all among them.

    Parameters
    ----------
    grams
        Two to four feature spaces by name; each as in `banded.fit_banded`.
    truth, folds, inner, search, teaching, batch
        As in `banded.fit_banded`.
    n_components
        Principal components that are kept, by name of the space; 0 = all.

    Raises
    ------
    ConfigError
        If there are fewer than two spaces or more than four, a name holds ``&``, or
        `n_components` names another space.
    ShapeError
        If Gram matrices and responses do not fit each other.

    References
    ----------
    Lescroart, Stansbury & Gallant (2015), Front. Comput. Neurosci. 9:135,
    doi:10.3389/fncom.2015.00135.
    de Heer et al. (2017), J. Neurosci. 37:6539, doi:10.1523/JNEUROSCI.3267-16.2017.
    """
    names = list(grams)
    kept = dict(n_components or {})
    if not FEWEST <= len(names) <= MOST:
        raise ConfigError(
            f"There are {len(names)} feature spaces ({', '.join(names)}); the variance of "
            f"{FEWEST} to {MOST} can be divided.",
            mend="Leave some out, or join some into one space by adding their Gram matrices.",
        )
    if wrong := [name for name in names if JOIN in name] + sorted(set(kept) - set(names)):
        raise ConfigError(
            f"{wrong[0]!r} holds {JOIN!r} or is no feature space; there are {names}.",
            mend=f"Name spaces without {JOIN!r}, and components by these names.",
        )
    r2 = {}
    for size in range(1, len(names) + 1):
        for subset in combinations(names, size):
            made = fit_banded(
                [grams[name] for name in subset],
                truth,
                folds=folds,
                inner=inner,
                search=search,
                teaching=teaching,
                n_components=[kept.get(name, 0) for name in subset],
                batch=batch,
            )
            r2[JOIN.join(subset)] = made.r2
    return Partition(made, r2, divide(r2))


def divide(explained: Mapping[str, Array]) -> dict[str, Array]:
    """Divide the R^2 of all spaces into unique and shared parts, by inclusion and exclusion.

    Parameters
    ----------
    explained : each (n_units,)
        R^2 of every non-empty set of spaces, by names joined with ``&``.

    Returns
    -------
    parts : each (n_units,)
        By the same names; the R^2 of a set is the sum of all parts that name one of its spaces.

    Raises
    ------
    ConfigError
        If a set is missing.

    References
    ----------
    Mood (1971), Am. Educ. Res. J. 8:191, doi:10.3102/00028312008002191.

    Examples
    --------
    >>> r2 = {"a": np.array([0.3]), "b": np.array([0.4]), "a&b": np.array([0.5])}
    >>> {name: round(float(part[0]), 2) for name, part in divide(r2).items()}
    {'a': 0.1, 'b': 0.2, 'a&b': 0.2}
    """
    known = {frozenset(name.split(JOIN)): r2 for name, r2 in explained.items()}
    spaces = frozenset().union(*known)
    sets = [frozenset(s) for k in range(1, len(spaces) + 1) for s in combinations(spaces, k)]
    if missing := [sorted(one) for one in sets if one not in known]:
        raise ConfigError(
            f"The R^2 of {missing[0]} is missing among {sorted(explained)}.",
            mend="Give that of every non-empty set of spaces.",
        )
    whole = known[spaces]
    # Of a set's spaces alone: what the others do not tell.
    alone = {one: whole - known[spaces - one] if one != spaces else whole for one in sets}
    return {
        name: sum(
            ((-1) ** (len(members) - len(one)) * alone[one] for one in sets if one <= members),
            np.zeros_like(whole),
        )
        for name, members in ((name, frozenset(name.split(JOIN))) for name in explained)
    }
