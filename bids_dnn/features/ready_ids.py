"""Which stimulus each row of a file of features stands for."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from bids_dnn.errors import MissingInputError, UnreadableError

# Names of the column, variable or data set that holds the ids, the first one that is there.
NAMES = (
    "stimulus",
    "stimuli",
    "stim_file",
    "stimulus_id",
    "ids",
    "file_names",
    "filenames",
    "image_names",
)
LISTS = ("{stem}.tsv", "{stem}.csv", "{stem}.txt", "file_names.txt")
DELIMITERS = {".tsv": "\t", ".csv": ","}


def ids_beside(path: Path) -> tuple[tuple[str, ...], Path | None]:
    """Return the ids that stand in a table or list beside a file, and where they stand.

    Parameters
    ----------
    path
        Of the features; ``<stem>.tsv``, ``<stem>.csv``, ``<stem>.txt`` and ``file_names.txt``
        in its folder are looked for, in this order.

    Returns
    -------
    ids, place
        Nothing and None where there is no such file.

    Raises
    ------
    UnreadableError
        If a file is no text, or has several columns of which none is named as in `NAMES`.
    """
    for pattern in LISTS:
        place = path.parent / pattern.format(stem=path.stem)
        if place != path and place.is_file() and not _is_matrix(place):
            return read_ids(place), place
    return (), None


def read_ids(path: Path) -> tuple[str, ...]:
    """Return the ids of a table with such a column, or of a list with one id a line.

    Parameters
    ----------
    path
        A ``.tsv``, ``.csv`` or ``.txt``.

    Raises
    ------
    MissingInputError
        If there is no such file.
    UnreadableError
        If it is no text, or has several columns of which none is named as in `NAMES`.
    """
    rows = list(read_rows(path))
    head = [cell.strip().lower() for cell in rows[0]] if rows else []
    for name in NAMES:
        if name in head:
            column = head.index(name)
            return tuple(row[column].strip() if column < len(row) else "" for row in rows[1:])
    if any(len(row) > 1 for row in rows):
        raise UnreadableError(
            f"{path} has the columns {', '.join(rows[0][:8])}, but none with the ids of stimuli.",
            mend="Call that column stimulus or stim_file, or write one id a line.",
        )
    return tuple(row[0].strip() for row in rows)


def read_rows(path: Path) -> Iterator[list[str]]:
    """Give the cells of each line of a table or list that is not empty.

    Parameters
    ----------
    path
        A ``.tsv``, a ``.csv``, or anything else, of which each line is one cell.

    Raises
    ------
    MissingInputError
        If there is no such file.
    UnreadableError
        If it is no text.
    """
    if not path.is_file():
        raise MissingInputError(f"There is no file {path}.", mend="Correct the path.")
    delimiter = DELIMITERS.get(path.suffix.lower())
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = (line.strip("\r\n") for line in stream)
            rows = csv.reader(lines, delimiter=delimiter) if delimiter else ([x] for x in lines)
            yield from (row for row in rows if any(cell.strip() for cell in row))
    except (UnicodeDecodeError, csv.Error) as err:
        raise UnreadableError(
            f"{path} is no text that can be read ({err}).", mend="Save it as UTF-8."
        ) from err


def as_names(values: Sequence[object]) -> tuple[str, ...]:
    """Return ids as text: bytes are UTF-8, numbers are written out, padding is dropped."""
    return tuple(
        (one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one)).strip()
        for one in values
    )


def _is_matrix(path: Path) -> bool:
    """Tell whether a text file holds features rather than names: several numbers a line."""
    with path.open("rb") as stream:
        words = stream.readline(4096).split()
    if len(words) < 2:
        return False
    try:
        for word in words[:-1]:
            float(word)
    except ValueError:
        return False
    return True
