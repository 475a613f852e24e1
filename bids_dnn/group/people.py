"""What participants.tsv says of participants: numbers, and who belongs to which group."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bids_dnn.errors import ConfigError, nearest

People = Mapping[str, Mapping[str, str]]  # text by participant's label and column
UNKNOWN = ("", "n/a")
ALONE = (  # one sentence for all analyses, which a page says once
    "One participant only: there is no interval, difference of groups or ceiling over "
    "participants, no p can be below 0.5, and maps are this participant's own."
)


def columns_of(people: People) -> list[str]:
    """Return the columns that are known of somebody, in order."""
    return list(dict.fromkeys(name for row in people.values() for name in row))


def texts_of(people: People, column: str, labels: Sequence[str]) -> list[str]:
    """Return what a column says of each participant.

    Parameters
    ----------
    people
        Of participants.tsv.
    column
        Its name.
    labels
        Of participants.

    Returns
    -------
    texts
        "" where it says nothing.

    Raises
    ------
    ConfigError
        If there is no such column.

    Examples
    --------
    >>> texts_of({"01": {"group": "patient"}, "02": {"group": "n/a"}}, "group", ["01", "02"])
    ['patient', '']
    """
    known = columns_of(people)
    if column not in known:
        raise ConfigError(
            f"participants.tsv has no column {column!r}.", mend=nearest(column, known)
        )
    texts = [people.get(label, {}).get(column, "").strip() for label in labels]
    return ["" if text in UNKNOWN else text for text in texts]


def numbers_of(
    people: People, columns: Sequence[str], labels: Sequence[str]
) -> NDArray[np.float64]:
    """Return the numbers in columns of participants.tsv.

    Parameters
    ----------
    people, labels
        As in `texts_of`.
    columns
        Names.

    Returns
    -------
    numbers : (n_participants, n_columns)
        NaN where a column says nothing.

    Raises
    ------
    ConfigError
        If there is no such column, or it holds what is no number.
    """
    out = np.full((len(labels), len(columns)), np.nan)
    for j, column in enumerate(columns):
        for i, text in enumerate(texts_of(people, column, labels)):
            if not text:
                continue
            try:
                value = float(text)
            except ValueError:
                value = math.nan
            if not math.isfinite(value):
                raise ConfigError(
                    f"The covariate {column!r} is {text!r} for sub-{labels[i]}, which is no "
                    "number.",
                    mend="Write numbers, such as 0 and 1 for two groups, or n/a, in that column.",
                )
            out[i, j] = value
    return out
