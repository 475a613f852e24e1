"""Tables of text: one reader for stimuli.tsv and for tables of captions."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from pathlib import Path

import pandas as pd

from bids_dnn import imaging
from bids_dnn.errors import MissingInputError, UnreadableError, nearest

NOTHING = ("", "n/a", "nan")  # cells that say nothing, in any case
STIMULI = "stimuli.tsv"  # whose name is fixed
UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_rows(path: Path, *, known: Iterable[str] = ()) -> pd.DataFrame:
    """Read a table of text as it stands, with nothing guessed about its cells.

    Parameters
    ----------
    path
        UTF-8, with or without a byte order mark; tab-separated, or, where it ends in ``.csv``,
        separated by commas or semicolons. A cell may stand in double quotes.
    known
        Columns that are found in any case (``Category`` is `category`).

    Returns
    -------
    table
        Cells are text without blanks around them, "" for ``n/a``; the index is the number of the
        line in the file. Empty lines are left out.

    Raises
    ------
    MissingInputError
        If the file is not there, or was not fetched.
    UnreadableError
        If it is not UTF-8, holds no header, a column has no name or stands twice, or a line has
        another number of cells than the header.
    """
    lines = list(_lines(path, read_text(path)))
    if not lines:
        raise UnreadableError(
            f"{path} is empty; a line with the names of the columns was expected.",
            mend="Copy it again, or remove it.",
        )
    right = {name.lower(): name for name in known}
    header = [right.get(name.lower(), name) for name in lines[0][1]]
    _check_header(path, header)
    for number, cells in lines[1:]:
        if len(cells) != len(header):
            raise UnreadableError(
                f"{path} has {len(cells)} cells in line {number}, and {len(header)} columns.",
                mend="Mend that line; what is not known is written n/a.",
            )
    columns = list(zip_longest(*(cells for _, cells in lines[1:]))) or [()] * len(header)
    index = pd.Index([number for number, _ in lines[1:]], dtype="int64", name="line")
    named = {name: list(column) for name, column in zip(header, columns, strict=True)}
    return pd.DataFrame(named, index=index, dtype=object)


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8, less a byte order mark.

    Raises
    ------
    MissingInputError
        If the file is not there, or was not fetched.
    UnreadableError
        If it is not UTF-8.
    """
    data = imaging.require_file(path).read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        line = data.count(b"\n", 0, err.start) + 1
        kind = "UTF-16" if data.startswith(UTF16) else "LATIN1"
        raise UnreadableError(
            f"{path} is not UTF-8: line {line} holds the byte 0x{data[err.start]:02x}.",
            mend=f"Save it as UTF-8, such as with: iconv -f {kind} -t UTF-8",
        ) from err
    if "\0" in text:
        raise UnreadableError(
            f"{path} holds zero bytes; text in UTF-8 was expected.", mend="Save it as UTF-8."
        )
    return text


def column_of(table: pd.DataFrame, choices: Sequence[str], *, path: Path, what: str) -> str:
    """Return the first of some columns that a table has.

    Parameters
    ----------
    table
        As `read_rows` gives it.
    choices
        Names of columns, the best first.
    path
        Of the table, for the message.
    what
        What the column holds, for the message.

    Raises
    ------
    MissingInputError
        If it has none of them.
    """
    for name in choices:
        if name in table:
            return name
    there = [str(name) for name in table.columns]
    hints = [nearest(name, there) for name in choices]
    near = next((hint for hint in hints if hint.startswith("Did")), "")
    is_comma = len(there) == 1 and "," in there[0]
    other = "" if path.name == STIMULI else ", or name the file .csv"
    raise MissingInputError(
        f"{path} has the columns {', '.join(there)}, but none that holds {what}: "
        f"{' or '.join(choices)}.",
        mend=f"Separate the columns by tabs{other}."
        if is_comma
        else f"{near} Rename or add the column {choices[0]}.".strip(),
    )


def _lines(path: Path, text: str) -> Iterable[tuple[int, list[str]]]:
    """Give the number and the cells of each line that holds something."""
    is_csv = path.suffix.lower() == ".csv"
    first = text.partition("\n")[0]
    comma = ";" if ";" in first and "," not in first else ","
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=comma if is_csv else "\t",
        quoting=csv.QUOTE_MINIMAL if is_csv else csv.QUOTE_NONE,
    )
    clean_cell = _unquoted if '"' in text and not is_csv else _cell
    try:
        for cells in reader:
            clean = list(map(clean_cell, cells))
            if any(clean):
                yield reader.line_num, clean
    except csv.Error as err:
        raise UnreadableError(
            f"{path} cannot be read as a table ({err}), in line {reader.line_num}.",
            mend="Mend that line.",
        ) from err


def _cell(cell: str) -> str:
    text = cell.strip()
    return "" if len(text) < 4 and text.lower() in NOTHING else text


def _unquoted(cell: str) -> str:
    """Return a cell of a tab-separated table without quotes around it, as spreadsheets write."""
    text = cell.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1].replace('""', '"')
    return _cell(text)


def _check_header(path: Path, header: Sequence[str]) -> None:
    for number, name in enumerate(header, start=1):
        if not name:
            raise UnreadableError(
                f"{path} gives its column {number} no name.", mend="Name it in the first line."
            )
        if header.index(name) != number - 1:
            raise UnreadableError(
                f"{path} has the column {name!r} twice.", mend="Rename or remove one of them."
            )
