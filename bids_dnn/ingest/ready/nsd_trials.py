"""Which picture each trial of the Natural Scenes Dataset showed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bids_dnn.errors import MissingInputError, ShapeError, UnreadableError
from bids_dnn.ingest.matfile import read_mat
from bids_dnn.ingest.ready.common import read_table, sample_table

N_TRIALS = 750
RUN_LENGTHS = (63, 62) * 6  # trials of a session's runs
N_PICTURES = 73_000
COLUMNS = ("SESSION", "RUN", "TRIAL", "73KID")


def trials_of_responses(path: Path, sessions: Sequence[int]) -> pd.DataFrame:
    """Return the sample table by ``responses.tsv``, in the order of the betas.

    Parameters
    ----------
    path
        Of one participant, all sessions.
    sessions
        Whose betas are there, in this order.

    Returns
    -------
    samples
        Stimuli are called ``nsd-00013``: the number of the picture from 0, in five digits.
        ``reaction_time_s`` is NaN where no button was pressed.

    Raises
    ------
    MissingInputError
        If the file, a column, or a session is not there.
    UnreadableError
        If a number is none, a trial stands twice, or a picture does not exist.
    ShapeError
        If a session has not 750 trials.
    """
    table = read_table(path, COLUMNS)
    numbers = table[list(COLUMNS)].apply(pd.to_numeric, errors="coerce")
    if numbers.isna().any(axis=None):
        row = int(np.flatnonzero(numbers.isna().any(axis=1))[0])
        shown = ", ".join(table[list(COLUMNS)].iloc[row])
        raise UnreadableError(
            f"{path} has {shown} in row {row + 2}; whole numbers were expected.",
            mend="Fetch or copy it again.",
        )
    trials = numbers.astype(np.int64)
    if (twice := trials[trials.duplicated(["SESSION", "RUN", "TRIAL"])]).size:
        row = twice.iloc[0]
        raise UnreadableError(
            f"{path} has trial {row['TRIAL']} of run {row['RUN']} in session {row['SESSION']} "
            "twice.",
            mend="Fetch or copy it again.",
        )
    seconds = pd.Series(np.nan, index=table.index)
    if "RT" in table:
        seconds = pd.to_numeric(table["RT"], errors="coerce") / 1000
    trials = trials.assign(seconds=seconds).sort_values(["SESSION", "RUN", "TRIAL"])
    rows = []
    for session in sessions:
        here = trials[trials["SESSION"] == session]
        if here.empty:
            raise MissingInputError(
                f"{path} has no session {session}, of which there are betas.",
                mend="Fetch or copy it again.",
            )
        if len(here) != N_TRIALS:
            raise ShapeError(
                f"{path} has {len(here)} trials of session {session}, its betas {N_TRIALS}.",
                mend="Fetch or copy it again.",
            )
        rows.append(here)
    joined = pd.concat(rows)
    return _table(
        joined["73KID"],
        joined["RUN"],
        joined["SESSION"],
        path=path,
        more={"reaction_time_s": joined["seconds"].astype(float)},
    )


def trials_of_design(path: Path, participant: str, sessions: Sequence[int]) -> pd.DataFrame:
    """Return the sample table by ``nsd_expdesign.mat``, in the order of the betas.

    Parameters
    ----------
    path
        Of all participants.
    participant
        ``subj01`` to ``subj08``.
    sessions
        Whose betas are there, in this order.

    Raises
    ------
    MissingInputError
        If the file, or one of its variables, is not there.
    UnreadableError
        If it is damaged or names pictures that do not exist.
    ShapeError
        If it has too few trials, or no such participant.
    """
    names = ("masterordering", "subjectim")
    found: dict[str, Any] = read_mat(path, names)
    order = np.asarray(found["masterordering"], dtype=np.int64).reshape(-1)
    pictures = np.asarray(found["subjectim"], dtype=np.int64)
    number = int(participant.removeprefix("subj"))
    if pictures.ndim != 2 or not 1 <= number <= len(pictures):
        raise ShapeError(
            f"{path} has pictures of shape {pictures.shape} (participants, pictures), but "
            f"{participant} was expected among them.",
            mend="Fetch or copy it again.",
        )
    if order.size < N_TRIALS * max(sessions):
        raise ShapeError(
            f"{path} has {order.size} trials, session {max(sessions)} ends at "
            f"{N_TRIALS * max(sessions)}.",
            mend="Fetch or copy it again.",
        )
    if order.min() < 1 or order.max() > pictures.shape[1]:
        raise UnreadableError(
            f"{path} numbers pictures from {order.min()} to {order.max()}; 1 to "
            f"{pictures.shape[1]} was expected.",
            mend="Fetch or copy it again.",
        )
    rows = np.concatenate([np.arange(N_TRIALS) + N_TRIALS * (s - 1) for s in sessions])
    runs = [run for run, n in enumerate(RUN_LENGTHS, start=1) for _ in range(n)]
    return _table(
        pd.Series(pictures[number - 1, order[rows] - 1]),
        pd.Series(runs * len(sessions)),
        pd.Series(np.repeat(sessions, N_TRIALS)),
        path=path,
        more={},
    )


def _table(
    pictures: pd.Series[int],
    runs: pd.Series[int],
    sessions: pd.Series[int],
    *,
    path: Path,
    more: dict[str, pd.Series[float]],
) -> pd.DataFrame:
    if pictures.min() < 1 or pictures.max() > N_PICTURES:
        raise UnreadableError(
            f"{path} names the pictures {pictures.min()} to {pictures.max()}; 1 to {N_PICTURES} "
            "was expected.",
            mend="Fetch or copy it again.",
        )
    return sample_table(
        [f"nsd-{picture - 1:05d}" for picture in pictures],
        run=[f"{run:02d}" for run in runs],
        session=[f"{session:02d}" for session in sessions],
        more={name: list(column) for name, column in more.items()},
    )
