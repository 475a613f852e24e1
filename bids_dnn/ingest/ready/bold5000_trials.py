"""Which picture each trial of BOLD5000 showed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from bids_dnn import imaging
from bids_dnn.errors import MissingInputError, ShapeError, UnreadableError
from bids_dnn.ingest.ready.common import sample_table, stimulus_id

TRIALS_A_RUN = 37
REPEATED = "rep_"  # before the name of a picture that was shown before
LIST = re.compile(r"CSI\d+_sess(\d+)_run(\d+)\.txt")
IMAGENET = re.compile(r"n\d{8}_\d+.*")


def trials_of_lists(paths: Sequence[Path], counts: Mapping[int, int]) -> pd.DataFrame:
    """Return the sample table by presentation lists, a file a run.

    Parameters
    ----------
    paths
        ``CSI1_sess01_run01.txt`` ..., in any order.
    counts
        Trials of the betas by session; ``{0: n}`` = of all sessions together.

    Raises
    ------
    MissingInputError
        If a session has no list.
    UnreadableError
        If a line names no picture, or one outside the data set, or a list stands twice.
    ShapeError
        If lists and betas differ in number.
    """
    by_session: dict[int, dict[int, Path]] = defaultdict(dict)
    for path in paths:
        if match := LIST.fullmatch(path.name):
            session, run = int(match[1]), int(match[2])
            if run in by_session[session]:
                raise UnreadableError(
                    f"The list {path.name} stands twice: {by_session[session][run]} and {path}.",
                    mend="Name the folder of one release only.",
                )
            by_session[session][run] = path
    wanted = sorted(by_session) if set(counts) == {0} else list(counts)
    rows: list[tuple[str, str, str]] = []
    for session in wanted:
        if session not in by_session:
            raise MissingInputError(
                f"There are betas of session {session}, but no list such as "
                f"{sorted(paths)[0].name} for it.",
                mend="Fetch all Stimuli_Presentation_Lists.",
            )
        n_before = len(rows)
        for run, path in sorted(by_session[session].items()):
            rows += [(name, f"{run:02d}", f"{session:02d}") for name in read_names(path)]
        _check(len(rows) - n_before, counts.get(session), f"session {session}")
    _check(len(rows), counts.get(0), "all sessions")
    names, runs, sessions = zip(*rows, strict=True)
    return _table(names, runs, sessions)


def trials_of_names(path: Path, counts: Mapping[int, int]) -> tuple[pd.DataFrame, list[str]]:
    """Return the sample table by the list of all trials; runs have 37 trials each.

    Parameters
    ----------
    path
        ``CSI1_imgnames.txt``.
    counts
        As in `trials_of_lists`. Sessions must be there from the first on, as the list does not
        say where one ends; of all sessions together, sessions stay unknown.

    Returns
    -------
    samples
    messages
        What a user should know.

    Raises
    ------
    MissingInputError
        If the file is not there, or an earlier session.
    UnreadableError
        If a line names a picture outside the data set.
    ShapeError
        If list and betas differ in number, or a session has no whole number of runs.
    """
    names = read_names(path)
    missing = sorted(set(range(1, max(counts) + 1)) - set(counts))
    if missing:
        raise MissingInputError(
            f"The betas of session {missing[0]} are not there, and {path} does not say how many "
            "trials it had.",
            mend="Fetch that session, or the Stimuli_Presentation_Lists.",
        )
    n = sum(counts.values())
    messages = []
    if 0 in counts:
        _check(len(names), n, "all sessions")
        messages.append(
            "Sessions are not known, so that responses cannot be z-scored within them: fetch the "
            "Stimuli_Presentation_Lists to tell them."
        )
    elif n > len(names):
        raise ShapeError(
            f"{path} names {len(names)} pictures, the betas have {n} trials.",
            mend="Fetch or copy the list again.",
        )
    elif n < len(names):
        messages.append(f"Only the first {n} of {len(names)} trials have betas.")
    runs, sessions = [], []
    for session, count in counts.items():
        if count % TRIALS_A_RUN:
            raise ShapeError(
                f"Session {session} has {count} trials; whole runs of {TRIALS_A_RUN} were "
                "expected.",
                mend="Fetch the Stimuli_Presentation_Lists, which tell the runs.",
            )
        digits = 3 if session == 0 else 2
        runs += [f"{trial // TRIALS_A_RUN + 1:0{digits}d}" for trial in range(count)]
        sessions += [f"{session:02d}" if session else ""] * count
    return _table(names[:n], runs, sessions), messages


def read_names(path: Path) -> list[str]:
    """Return the picture of each line: its first word, without the mark of repeated pictures.

    Raises
    ------
    MissingInputError
        If the file is not there or was not fetched.
    UnreadableError
        If it is no text, names no picture, or one outside the data set.
    """
    imaging.require_file(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as err:
        raise UnreadableError(f"{path} is no text ({err}).", mend="Fetch it again.") from err
    words = [line.split() for line in lines]
    while words and not words[-1]:
        words.pop()
    if empty := [number for number, word in enumerate(words, start=1) if not word]:
        raise UnreadableError(
            f"Line {empty[0]} of {path} is empty; a picture was expected.",
            mend="Fetch or copy it again.",
        )
    if not words:
        raise UnreadableError(f"{path} names no picture.", mend="Fetch or copy it again.")
    return [stimulus_id(word[0].removeprefix(REPEATED), path=path) for word in words]


def category(name: str) -> str:
    """Return where a picture comes from.

    Examples
    --------
    >>> [category(n) for n in ("COCO_train2014_1.jpg", "n01930112_19568.JPEG", "airport1.jpg")]
    ['coco', 'imagenet', 'scene']
    """
    if name.startswith("COCO_"):
        return "coco"
    return "imagenet" if IMAGENET.fullmatch(name) else "scene"


def _table(names: Sequence[str], runs: Sequence[str], sessions: Sequence[str]) -> pd.DataFrame:
    conditions = [category(name) for name in names]
    return sample_table(names, condition=conditions, run=runs, session=sessions)


def _check(found: int, expected: int | None, what: str) -> None:
    if expected is not None and found != expected:
        raise ShapeError(
            f"The lists of pictures have {found} trials of {what}, the betas {expected}.",
            mend="Fetch lists and betas of one release again.",
        )
