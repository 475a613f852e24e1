"""The tables of participants, one below the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from bids_dnn.errors import NotEnoughDataError, ShapeError


def stack(
    tables: Mapping[str, pd.DataFrame], expected: Sequence[str]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Put the tables of participants below one another, and name who is missing.

    Parameters
    ----------
    tables
        One tidy table for each participant's label, all with the same columns.
    expected
        Labels of the participants who should be there.

    Returns
    -------
    table
        Sorted by participant, with the label in a first column ``participant``.
    missing
        Labels that were expected and have no table, sorted.

    Raises
    ------
    NotEnoughDataError
        If there is no table.
    ShapeError
        If two tables differ in their columns.

    Examples
    --------
    >>> table, missing = stack({"02": pd.DataFrame({"score": [0.5]})}, ["01", "02"])
    >>> missing
    ('01',)
    """
    if not tables:
        raise NotEnoughDataError(
            f"None of the {len(expected)} participants has a finished table.",
            mend="Run the participant level first.",
        )
    labels = sorted(tables)
    columns = list(tables[labels[0]].columns)
    for label in labels:
        if set(tables[label].columns) != set(columns):
            differ = sorted(set(tables[label].columns) ^ set(columns))
            raise ShapeError(
                f"The tables of participants {labels[0]!r} and {label!r} differ in the columns "
                f"{differ}.",
                mend="Run both with the same version and settings.",
            )
    parts = [tables[label][columns].assign(participant=label) for label in labels]
    table = pd.concat(parts, ignore_index=True)[["participant", *columns]]
    return table, tuple(sorted(set(expected) - set(labels)))
