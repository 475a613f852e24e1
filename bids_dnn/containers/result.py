"""What an analysis leaves."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from bids_dnn.errors import ShapeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from bids_dnn.containers.nulls import NullMap, Nulls
    from bids_dnn.containers.shared import SharedPatterns
    from bids_dnn.containers.space import Space

EVERY = "*"  # network of a row that is of all of them together
CHOSEN = "chosen layer"  # layer of a row: what units chose on training images


def model_label(network: str, layer: str, estimator: str = "ridge") -> str:
    """Return the ``model-`` label: letters and digits of network, layer and estimator.

    Ridge regression on a layer has no more than these two.

    Examples
    --------
    >>> model_label("early_net", "features.10"), model_label("net", "conv1", "pls")
    ('earlynet+features10', 'net+conv1+pls')
    """
    names = (network, layer, "" if estimator == "ridge" else estimator)
    plain = (re.sub(r"[^0-9A-Za-z]", "", name) for name in names)
    return "+".join(name for name in plain if name)


def distinct(labels: Sequence[str]) -> list[str]:
    """Return labels as they are, but with a number where they came before.

    Parameters
    ----------
    labels

    Examples
    --------
    >>> distinct(["abvsc", "avsb", "abvsc"])
    ['abvsc', 'avsb', 'abvsc+2']
    """
    seen: Counter[str] = Counter()
    made = []
    for label in labels:
        seen[label] += 1
        made.append(label if seen[label] == 1 else f"{label}+{seen[label]}")
    return made


@dataclass(frozen=True, slots=True, eq=False)
class StatMap:
    """One value for each unit.

    Parameters
    ----------
    stat
        Label of the ``stat-`` entity, such as ``pearson``.
    values : (n_units,) float32
        NaN where nothing was measured.
    model
        Label of the ``model-`` entity (see `model_label`), "" where there is none.
    description
        One sentence for the sidecar: what the value means, its unit and range.
    """

    stat: str
    values: NDArray[np.float32]
    model: str
    description: str


@dataclass(frozen=True, slots=True, eq=False)
class RowArrays:
    """Arrays that have a row for each row of an extra table.

    Parameters
    ----------
    values : by name, (n_rows, ...) float32
        NaN = not known.
    words
        Of each array, by its name: what it holds, its unit and range.

    Raises
    ------
    ShapeError
        If the arrays have other numbers of rows, or one of them is not described.
    """

    values: dict[str, NDArray[np.float32]]
    words: dict[str, str]

    def __post_init__(self) -> None:
        lengths = {len(one) for one in self.values.values()}
        if len(lengths) > 1 or set(self.words) != set(self.values):
            raise ShapeError(
                f"Arrays {sorted(self.values)} have {sorted(lengths)} rows, and "
                f"{sorted(self.words)} are described.",
                mend="Give each array the rows of the table, and words for each.",
            )


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """A tidy table, maps, extra tables and arrays, and how they were made.

    Parameters
    ----------
    analysis
        Its name, such as ``decode``.
    table
        One row an observation.
    columns
        Description of each column of `table`, for the sidecar.
    maps
        Each with as many values as `space` has units.
    space
        Of the maps; None where there are none.
    meta
        JSON-ready facts for the sidecar: folds, chance, permutations, seed, left-out counts.
    extras
        Further tidy tables by name, such as ``confusion``.
    extra_columns
        Description of columns of `extras`, by name of the table, where it differs from `columns`.
    arrays
        Of the rows of `extras`, by name of the table.
    nulls
        Scores under exchanged labels, for what is told over participants; None = none.
    null_maps
        Maps under exchanged labels, by label of the map; over the units of `space`.
    shared
        Mean patterns, for what is decoded across participants and tasks; None = none.

    Raises
    ------
    ShapeError
        If a map has another length than `space`, `columns` misses a column of `table`, or arrays
        have other rows than their table.
    """

    analysis: str
    table: pd.DataFrame
    columns: dict[str, str]
    maps: tuple[StatMap, ...] = ()
    space: Space | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    extras: dict[str, pd.DataFrame] = field(default_factory=dict)
    extra_columns: dict[str, dict[str, str]] = field(default_factory=dict)
    arrays: dict[str, RowArrays] = field(default_factory=dict)
    nulls: Nulls | None = None
    null_maps: Mapping[str, NullMap] = field(default_factory=dict)
    shared: SharedPatterns | None = None

    def __post_init__(self) -> None:
        n_units = 0 if self.space is None else len(self.space)
        for made in self.maps:
            if made.values.shape != (n_units,):
                raise ShapeError(
                    f"Map {made.stat!r} has shape {made.values.shape}, its space has "
                    f"{n_units} units.",
                    mend="Give one value for each unit.",
                )
        if missing := sorted(set(self.table.columns) - set(self.columns)):
            raise ShapeError(
                f"The columns {missing} of the {self.analysis} table are not described.",
                mend="Describe each column in `columns`.",
            )
        for name, kept in self.arrays.items():
            n_rows = len(self.extras[name]) if name in self.extras else 0
            if any(len(one) != n_rows for one in kept.values.values()):
                raise ShapeError(
                    f"Arrays of {name!r} have other rows than its table, which has {n_rows}.",
                    mend="Give a row for each row of the table.",
                )
