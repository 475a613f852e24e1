"""Logs of Presentation (Neurobehavioral Systems) -> events."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.errors import ConfigError, NotEnoughDataError, UnreadableError, nearest
from bids_dnn.files import write_text
from bids_dnn.imaging import require_file

Mode = Literal["stimulus", "trial", "block", "cycle"]
TICKS_PER_S = 1e4  # Presentation counts tenths of a millisecond
NEEDED = ("Event Type", "Trial", "Time", "Code")
CATEGORY, ORIENTATION = "category(str)", "orientation(str)"
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
END = r"(?:^|[^a-z])end(?:[^a-z]|$)"  # as a word: "block_end", but not "friend"
TWO = 2  # conditions, without which there is nothing to tell apart


@dataclass(frozen=True, slots=True)
class Timing:
    """How rows of a log become events.

    Parameters
    ----------
    mode
        ``stimulus`` = each picture for as long as the log says; ``trial`` = each picture for
        `trial_s`; ``block`` = pictures of one type in a row as one event, from the first onset
        to the end of the last trial; ``cycle`` = blocks with a name of their own, such as
        ``face_run1_3``.
    trial_s, rest_s : s
        Duration of a trial, and of rest.
    rest
        Type of rest.
    relabel
        New name of each type, such as ``female -> face``.
    conditions
        Types (after relabeling) that are kept; empty = all.
    """

    mode: Mode = "trial"
    trial_s: float = 1.5
    rest_s: float = 20.0
    rest: str = "rest"
    relabel: Mapping[str, str] | None = None
    conditions: tuple[str, ...] = ()


def read_log(path: Path) -> pd.DataFrame:
    """Return the events of a log as it has them, one row each.

    Parameters
    ----------
    path
        Written by Presentation: a head of a few lines, then a table separated by tabs.

    Returns
    -------
    table
        The columns of the log as text, with ``time_s`` (s since the first scanner pulse of the
        run) and ``duration_s`` (s, NaN where the log has none).

    Raises
    ------
    MissingInputError
        If the file is not there.
    UnreadableError
        If there is no such table in it, it lacks a column, a time is no number, or it has no
        scanner pulse.
    """
    text = _decoded(require_file(path).read_bytes())
    lines = text.splitlines()
    starts = [i for i, line in enumerate(lines) if "Event Type" in line.split("\t")]
    if not starts:
        raise UnreadableError(
            f"{path} has no table with the column 'Event Type' among its {len(lines)} lines.",
            mend="Give the .log file that Presentation wrote.",
        )
    body = lines[starts[0] :]
    rows = [body[0]]
    for line in body[1:]:
        if not line.strip():
            if len(rows) > 1:  # a second table, of single stimuli, may follow
                break
            continue
        rows.append(line)
    table = pd.read_csv(
        io.StringIO("\n".join(rows)), sep="\t", dtype=str, keep_default_na=False, index_col=False
    )
    table.columns = [str(name).strip() for name in table.columns]
    if missing := [name for name in NEEDED if name not in table]:
        raise UnreadableError(
            f"{path} lacks the columns {', '.join(missing)}; there are: "
            f"{', '.join(map(str, table.columns))}.",
            mend="Write the log with Presentation's standard columns.",
        )
    times = pd.to_numeric(table["Time"], errors="coerce").to_numpy(dtype=np.float64)
    if bad := int(np.isnan(times).sum()):
        row = int(np.flatnonzero(np.isnan(times))[0])
        raise UnreadableError(
            f"{path} has {bad} times that are no numbers, such as {table['Time'].iloc[row]!r} in "
            f"row {row + 1}.",
            mend="Copy the log again: it may end early.",
        )
    pulse = (table["Event Type"] == "Pulse") & (table["Trial"].str.strip() != "0")
    if not pulse.any():
        raise UnreadableError(
            f"{path} has no scanner pulse (Event Type 'Pulse' in a trial), so onsets cannot be "
            "told.",
            mend="Record pulses in Presentation (pulses_per_scan), or give another log.",
        )
    zero = times[pulse.to_numpy()][0]
    given = table["Duration"] if "Duration" in table else pd.Series([""] * len(table))
    durations = pd.to_numeric(given, errors="coerce").to_numpy(dtype=np.float64)
    seconds = (times - zero) / TICKS_PER_S
    return table.assign(time_s=seconds, duration_s=durations / TICKS_PER_S)


def events_of(table: pd.DataFrame, timing: Timing, *, run: str = "1") -> pd.DataFrame:
    """Return the events of one run.

    Parameters
    ----------
    table
        From `read_log`.
    timing
        How rows become events.
    run
        Label, for the names of ``cycle``.

    Returns
    -------
    events
        ``onset`` and ``duration`` (s), ``trial_type``, and where the log has them
        ``orientation`` and ``stim_file`` (codes that are files of pictures; not of blocks).
        Practice and rows whose type holds the word ``end`` are left out.

    Raises
    ------
    ConfigError
        If the mode does not exist, a relabeled or kept type is not in the log, or relabeling
        leaves some types at another level.
    NotEnoughDataError
        If fewer than two conditions are left.
    """
    if timing.mode not in get_args(Mode):
        raise ConfigError(
            f"The mode is {timing.mode!r}, which does not exist.",
            mend=nearest(timing.mode, get_args(Mode)),
        )
    shown = _shown(table, timing)
    events = pd.DataFrame(
        {
            "onset": shown["time_s"].to_numpy(),
            "duration": _durations(shown, timing),
            "trial_type": shown["type"].to_numpy(),
        }
    )
    if ORIENTATION in shown:
        events["orientation"] = shown[ORIENTATION].str.strip().replace("", "n/a").to_numpy()
    codes = shown["Code"].str.strip().str.replace("\\", "/", regex=False)
    is_picture = codes.str.lower().str.endswith(PICTURES)
    if is_picture.any():
        names = [PurePosixPath(code).name for code in codes]
        events["stim_file"] = np.where(is_picture, names, "n/a")
    if timing.mode in ("block", "cycle"):
        events = _blocks(events)
    if timing.mode == "cycle":
        number = events.groupby("trial_type").cumcount() + 1
        is_rest = events["trial_type"] == timing.rest
        unique = events["trial_type"] + f"_run{run}_" + number.astype(str)
        events["trial_type"] = events["trial_type"].where(is_rest, unique)
    return events.round({"onset": 4, "duration": 4})


def _shown(table: pd.DataFrame, timing: Timing) -> pd.DataFrame:
    """Return the rows that are events, with their ``type``, relabeled and chosen."""
    named = table[CATEGORY] if CATEGORY in table else table["Code"]
    types = named.str.strip()
    lower = types.str.lower()
    wanted = table["Event Type"].isin(["Picture", "Sound", "Video"]) & (types != "")
    wanted &= ~lower.str.contains("practice") & ~lower.str.contains(END, regex=True)
    shown = table[wanted & (table["time_s"] >= 0)].assign(type=types[wanted])
    there = [str(name) for name in shown["type"].unique()]
    relabel = dict(timing.relabel or {})
    for name in relabel:
        if name not in there:
            raise ConfigError(
                f"The type {name!r} is not in the log, which has: {', '.join(there)}.",
                mend=nearest(name, there),
            )
    shown["type"] = shown["type"].replace(relabel)
    after = [str(name) for name in shown["type"].unique()]
    for name in timing.conditions:
        if name not in after:
            raise ConfigError(
                f"The condition {name!r} is not among {', '.join(after)}.",
                mend=nearest(name, after),
            )
    if timing.conditions:
        shown = shown[shown["type"].isin([*timing.conditions, timing.rest])]
    kept = sorted(set(shown["type"]) - {timing.rest})
    left = [name for name in kept if name not in relabel.values()]
    if relabel and left:
        raise ConfigError(
            f"Relabeling makes {', '.join(sorted(set(relabel.values())))}, but leaves "
            f"{', '.join(left)}: conditions of two levels cannot stand in one table.",
            mend="Relabel all types, or name those to keep with --condition.",
        )
    if len(kept) < TWO:
        raise NotEnoughDataError(
            f"The log has {len(kept)} condition(s) besides {timing.rest!r}: "
            f"{', '.join(kept) or 'none'}; at least two are needed.",
            mend="Check --condition and --relabel.",
        )
    return shown


def _durations(shown: pd.DataFrame, timing: Timing) -> NDArray[np.float64]:
    logged = shown["duration_s"].to_numpy(dtype=np.float64)
    if timing.mode == "stimulus":
        made = np.where(np.isnan(logged), timing.trial_s, logged)
    else:
        made = np.full(len(shown), timing.trial_s)
    return np.where(shown["type"] == timing.rest, timing.rest_s, made)


def _blocks(events: pd.DataFrame) -> pd.DataFrame:
    """Join events of one type in a row: from the first onset to the end of the last."""
    change = events["trial_type"] != events["trial_type"].shift()
    ends = events["onset"] + events["duration"]
    grouped = events.assign(end=ends, block=change.cumsum()).groupby("block", sort=True)
    keep = [name for name in ("trial_type", "orientation") if name in events]
    joined = grouped[["onset", *keep]].first()
    joined.insert(1, "duration", grouped["end"].last() - joined["onset"])
    return joined.reset_index(drop=True)


def _decoded(raw: bytes) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def write_events(logs: Sequence[Path], timing: Timing, out: Path) -> list[Path]:
    """Write the events of one log a run as tables.

    Parameters
    ----------
    logs
        In the order of runs, which are numbered from 1.
    timing
        How rows become events.
    out
        ``events.tsv``; ``{run}`` in it stands for the number of the run, else several logs make
        one table with a column ``run``.

    Returns
    -------
    paths

    Raises
    ------
    MissingInputError, UnreadableError, ConfigError, NotEnoughDataError
        As `read_log` and `events_of`; then nothing was written.
    OutputError
        If a file cannot be written.
    """
    made = {
        f"{number:02d}": events_of(read_log(log), timing, run=str(number))
        for number, log in enumerate(logs, start=1)
    }
    if "{run}" in str(out):
        tables = {Path(str(out).replace("{run}", run)): table for run, table in made.items()}
    elif len(made) == 1:
        tables = {out: next(iter(made.values()))}
    else:
        parts = [table.assign(run=run) for run, table in made.items()]
        tables = {out: pd.concat(parts, ignore_index=True)}
    for path, table in tables.items():
        write_text(path, table.to_csv(sep="\t", index=False, na_rep="n/a", lineterminator="\n"))
    return list(tables)
