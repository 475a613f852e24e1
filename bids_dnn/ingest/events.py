"""What was shown when: events become the rows of a sample table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.errors import MissingInputError, UnreadableError, nearest, run_words

COLUMNS = ("onset", "duration", "trial_type")
STIMULUS = ("stim_file", "stim_id")  # the second by BEP044
MISSING = ("", "n/a", "nan")
TOLERANCE_S = 1e-6
OWN = ("stimulus", "condition", "run", "session", "repeat", "trial", "onset_s", "duration_s")
OURS = (*OWN, "motion", "n_events")  # names that the sample table gives itself


def read_events(path: Path) -> tuple[pd.DataFrame, int]:
    """Return the events of one run, by onset, and how many have no type.

    Parameters
    ----------
    path
        A BIDS ``*_events.tsv``.

    Returns
    -------
    events
        Columns ``onset`` and ``duration`` (s; a duration of ``n/a`` is 0), ``trial_type`` and
        the others as text; events whose trial type is ``n/a`` are left out.
    n_untyped : int
        Events that were left out.

    Raises
    ------
    MissingInputError
        If the file or one of the columns onset, duration, trial_type is not there.
    UnreadableError
        If an onset is no number, a duration is negative, or the table is none.
    """
    if not path.is_file():
        raise MissingInputError(
            f"The events {path} do not exist, or were not fetched.",
            mend=f"Copy the file there, or type: datalad get {path}",
        )
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as err:
        raise UnreadableError(
            f"{path} is no tab-separated table ({err}).", mend="Mend the file, or copy it again."
        ) from err
    for column in COLUMNS:
        if column not in table:
            there = ", ".join(map(str, table.columns))
            raise MissingInputError(
                f"{path} has no column {column!r}; there are: {there}.",
                mend=f"{nearest(column, map(str, table.columns))} Rename or add the column "
                f"{column!r}; trial_type names the condition of each event.",
            )
    is_untyped = table["trial_type"].str.strip().str.lower().isin(MISSING)
    table = table[~is_untyped]
    onset = pd.to_numeric(table["onset"], errors="coerce")
    if onset.isna().any():
        wrong = str(table.loc[onset.isna(), "onset"].iloc[0])
        raise UnreadableError(
            f"{path} has the onset {wrong!r}, a number of seconds was expected.",
            mend="Mend that row of the table.",
        )
    duration = pd.to_numeric(table["duration"], errors="coerce").fillna(0.0)
    if (duration < 0).any():
        raise UnreadableError(
            f"{path} has the duration {duration[duration < 0].iloc[0]:g} s, which is negative; 0 "
            "or more was expected.",
            mend="Mend that row of the table; the duration of an impulse is 0.",
        )
    table = table.assign(onset=onset.astype(float), duration=duration.astype(float))
    events = table.sort_values("onset", kind="stable").reset_index(drop=True)
    return events, int(is_untyped.sum())


def sample_table(events: pd.DataFrame, *, session: str, run: str) -> pd.DataFrame:
    """Return one row for each event: what it showed, and when.

    Parameters
    ----------
    events
        As `read_events` returns them first.
    session, run
        Of all rows.

    Returns
    -------
    samples
        Columns ``stimulus`` (path below ``stimuli/``, "" where it is not known),
        ``condition``, ``run``, ``session``, ``repeat`` (0; see `number_repeats`), ``trial``
        (number within the run), ``onset_s`` and ``duration_s``; then the numeric columns of the
        events under the names of `numeric_columns`, NaN where a row has none, and their columns
        of text under the names of `text_columns`, "" where a row has none.

    Raises
    ------
    UnreadableError
        If a stimulus lies outside ``stimuli/``.

    Examples
    --------
    >>> events = pd.DataFrame({"onset": [0.0], "duration": [1.0], "trial_type": ["cat"]})
    >>> sample_table(events, session="", run="01").loc[0, "condition"]
    'cat'
    """
    column = next((name for name in STIMULUS if name in events), None)
    further: dict[str, NDArray[Any]] = {
        name: _numbers(events[source]) for source, name in numeric_columns(events).items()
    }
    further |= {name: _words(events[source]) for source, name in text_columns(events).items()}
    named = [""] * len(events) if column is None else events[column]
    stimulus = [
        stimulus_below(name, where=f"An event of {run_words(run, session)}") for name in named
    ]
    return pd.DataFrame(
        {
            "stimulus": pd.array(stimulus, dtype=object),
            "condition": events["trial_type"].astype(str).str.strip().to_numpy(dtype=object),
            "run": run,
            "session": session,
            "repeat": 0,
            "trial": np.arange(len(events)),
            "onset_s": events["onset"].to_numpy(dtype=np.float64),
            "duration_s": events["duration"].to_numpy(dtype=np.float64),
            **further,
        }
    )


def numeric_columns(events: pd.DataFrame) -> dict[str, str]:
    """Return the columns that hold numbers beside onset and duration, and their sample names.

    Such are response times, luminance or contrast, which analyses may take as nuisance.

    Parameters
    ----------
    events
        As `read_events` returns them first.

    Returns
    -------
    names
        Column -> name in the sample table: its own, or ``event_`` before it where that name has
        another meaning there (``trial``, ``run``, ``motion`` ...). A column counts where each
        row is a number or ``n/a``, and some row is a number.
    """
    found = {}
    for column in _others(events):
        known = ~events[column].astype(str).str.strip().str.lower().isin(MISSING)
        if known.any() and np.isfinite(_numbers(events[column])[known.to_numpy()]).all():
            found[column] = f"event_{column}" if column in OURS else column
    return found


def text_columns(events: pd.DataFrame) -> dict[str, str]:
    """Return the columns that hold text, and their sample names.

    Such are positions or orientations, by which folds are made or samples are told apart.

    Parameters
    ----------
    events
        As `read_events` returns them first.

    Returns
    -------
    names
        As of `numeric_columns`; a column counts where some row is neither a number nor ``n/a``.

    Examples
    --------
    >>> text_columns(pd.DataFrame({"side": ["left", "n/a"], "rt": ["0.5", "0.7"]}))
    {'side': 'side'}
    """
    numbers = numeric_columns(events)
    found = {}
    for column in _others(events):
        is_word = np.isnan(_numbers(events[column])) & (_words(events[column]) != "")
        if column not in numbers and is_word.any():
            found[column] = f"event_{column}" if column in OURS else column
    return found


def _others(events: pd.DataFrame) -> list[str]:
    return [c for c in map(str, events.columns) if c not in (*COLUMNS, *STIMULUS)]


def _words(column: pd.Series) -> NDArray[np.object_]:
    """Return text without what stands for missing."""
    words = column.astype(str).str.strip()
    return words.mask(words.str.lower().isin(MISSING), "").to_numpy(dtype=object)


def _common(column: pd.Series) -> float | str:
    """Return the mean of numbers, or the text that all rows share."""
    if pd.api.types.is_numeric_dtype(column):
        return float(column.mean())
    found = set(column)
    return str(found.pop()) if len(found) == 1 else ""


def _numbers(column: pd.Series) -> NDArray[np.float64]:
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)


def condition_table(trials: pd.DataFrame, *, names: Sequence[str], run: str) -> pd.DataFrame:
    """Return one row for each condition, from the rows of its events.

    Parameters
    ----------
    trials
        Rows of `sample_table` of one run, or of several that are joined.
    names : n_conditions
        In the order of the rows that are returned.
    run
        Of all rows.

    Returns
    -------
    samples
        Columns as in `sample_table`: ``stimulus`` where all events of the condition showed the
        same, else ""; ``trial`` = number of the condition; ``onset_s`` of the first event; means
        of durations and of other numbers; text that all events share, else ""; and ``n_events``.
    """
    rows = []
    for number, name in enumerate(names):
        own = trials[trials["condition"] == name]
        shown, sessions = set(own["stimulus"]), set(trials["session"])
        row: dict[str, object] = {
            "stimulus": shown.pop() if len(shown) == 1 else "",
            "condition": name,
            "run": run,
            "session": sessions.pop() if len(sessions) == 1 else "",
            "repeat": 0,
            "trial": number,
            "onset_s": own["onset_s"].min(),
            "duration_s": own["duration_s"].mean(),
        }
        row |= {str(c): _common(own[c]) for c in trials.columns if c not in OWN}
        rows.append({**row, "n_events": len(own)})
    return pd.DataFrame(rows)


def number_repeats(samples: pd.DataFrame) -> pd.DataFrame:
    """Return the table with ``repeat`` counted over showings of each stimulus, in the order given.

    Samples of one trial (volumes of a block) are one showing; where the stimulus is not known
    the number is 0.
    """
    showing = samples.drop_duplicates(["run", "trial"])
    number = showing.groupby("stimulus", sort=False).cumcount()
    number = number.where(showing["stimulus"] != "", 0)
    keys = zip(showing["run"], showing["trial"], strict=True)
    repeat = dict(zip(keys, number, strict=True))
    pairs = zip(samples["run"], samples["trial"], strict=True)
    return samples.assign(repeat=[int(repeat[pair]) for pair in pairs])


def covering(times_s: NDArray[np.float64], table: pd.DataFrame) -> NDArray[np.intp]:
    """Return which event covers each time, (n_times,), -1 = none; of two, the later one.

    Parameters
    ----------
    times_s : (n_times,) s
    table
        Columns ``onset_s`` and ``duration_s``, by onset.
    """
    found = np.full(len(times_s), -1, dtype=np.intp)
    spans = zip(table["onset_s"], table["duration_s"], strict=True)
    for row, (onset, duration) in enumerate(spans):
        start, end = onset - TOLERANCE_S, onset + duration - TOLERANCE_S
        found[(times_s >= start) & (times_s < end)] = row
    return found


def stimulus_below(value: str, *, where: str) -> str:
    """Return a stimulus as a path below ``stimuli/``, "" where none is named.

    Parameters
    ----------
    value
        As a table has it.
    where
        What names it, for the message.

    Raises
    ------
    UnreadableError
        If it is an absolute path, or leads upward.

    Examples
    --------
    >>> stimulus_below("stimuli/cat/1.png", where="An event")
    'cat/1.png'
    """
    text = value.strip().replace("\\", "/")
    if text.lower() in MISSING:
        return ""
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise UnreadableError(
            f"{where} names the stimulus {value!r}, which lies outside stimuli/.",
            mend="Name stimuli by a path below stimuli/, such as face/01.png.",
        )
    return path.relative_to("stimuli").as_posix() if path.parts[0] == "stimuli" else str(path)
