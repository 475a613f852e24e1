"""Rows read piece by piece, columns of tables, and the space in which responses are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bids_dnn.errors import MissingInputError, nearest
from bids_dnn.ingest.events import MISSING
from bids_dnn.ingest.ready.settle import Floats, choose_standardize

CHUNK_SAMPLES = 1024  # read at once where nothing is z-scored: bounds memory


def pieces(samples: pd.DataFrame, standardize: str) -> list[slice]:
    """Return the rows to read at once: whole sessions where z-scores need them, else chunks.

    Parameters
    ----------
    samples
        With the column ``session``.
    standardize
        As asked for, ``auto`` included.

    Raises
    ------
    ConfigError
        If `standardize` is something else.
    """
    sessions = samples["session"].to_numpy(dtype=str)
    n = len(sessions)
    if choose_standardize(standardize, list(sessions)) == "none":
        return [slice(i, min(i + CHUNK_SAMPLES, n)) for i in range(0, n, CHUNK_SAMPLES)]
    starts = np.flatnonzero(np.r_[True, sessions[1:] != sessions[:-1]])
    if len(starts) > len(set(sessions)):  # sessions that come again can only be read together
        return [slice(0, n)]
    return [slice(int(a), int(b)) for a, b in zip(starts, [*starts[1:], n], strict=True)]


def read_pieces(
    parts: Sequence[tuple[int, Callable[[int, int], Floats]]], wanted: Sequence[slice]
) -> Iterator[Floats]:
    """Read rows of several arrays as if they were one.

    Parameters
    ----------
    parts
        Of each array the number of its rows, and a function from first and last row (not
        included) to (n, n_units) float32.
    wanted
        As `pieces` gives them.
    """
    for piece in wanted:
        start, found = 0, []
        for n, read in parts:
            first, last = max(piece.start - start, 0), min(piece.stop - start, n)
            if first < last:
                found.append(read(first, last))
            start += n
        yield found[0] if len(found) == 1 else np.concatenate(found)


def column_values(column: pd.Series[str]) -> list[Any]:
    """Return a column as numbers (NaN = ``n/a``) where all that it holds are, else as text."""
    if column.name in ("sample", "trial"):
        return list(column)
    known = ~column.isin(MISSING)
    numbers = pd.to_numeric(column.where(known), errors="coerce")
    return list(numbers if bool((numbers.notna() == known).all()) else column)


def require_space(asked: str | None, there: Sequence[str], *, folder: Path) -> None:
    """Refuse a space in which a data set has no responses.

    Raises
    ------
    MissingInputError
        If `asked` is none of `there`.
    """
    if asked is not None and asked not in there:
        raise MissingInputError(
            f"{folder} has no responses in the space {asked!r}.",
            mend=f"{nearest(asked, there)} Leave out --space, or name one of these.",
        )
