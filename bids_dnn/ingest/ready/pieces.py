"""Rows read piece by piece, and the one space in which a data set has its responses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bids_dnn.errors import MissingInputError, nearest
from bids_dnn.ingest.ready.settle import choose_standardize

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
