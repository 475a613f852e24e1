"""Rows of stimuli.tsv meet pictures: which files each row names, and which none names."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bids_dnn.errors import UnreadableError
from bids_dnn.stimuli import catalog
from bids_dnn.stimuli.catalog import JOIN, Scan, joined, plain_path
from bids_dnn.stimuli.rows import column_of, read_rows

IDS = ("stimulus_id", "stim_id", "stimulus")
FILE = "stim_file"
OURS = ("category", "caption", "split", "type", "present", "description")
PICTURE_TYPES = ("image",)
OTHERS = "{} of type audio or video {} passed over"
WITHHELD = "{} {} told not to be present, and not there"
UNTOLD = "{} in no row of stimuli.tsv {} kept, with nothing known of them"
ABSENT = ("false", "0", "no")
UNREAD = (".svg", ".eps", ".pdf", ".psd", ".heic")  # pictures of no fixed size, or others


@dataclass(frozen=True, slots=True)
class Described:
    """Pictures with what tables say of them.

    Parameters
    ----------
    files
        Stimulus id to files, sorted by id; those of rows, and each picture that no row names
        alone, be it an item of composed ones or in no row.
    cells
        Stimulus id to column to cell, for those that a row names.
    columns
        Of all tables, in the order of the files.
    aliases
        Other names to the ids that they mean.
    notes
        What found no partner.
    """

    files: dict[str, tuple[Path, ...]]
    cells: dict[str, dict[str, str]]
    columns: tuple[str, ...]
    aliases: dict[str, tuple[str, ...]]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    """A stimulus as tables tell it; `home` = the folder of the innermost, "" or with ``/``."""

    cells: dict[str, str]
    home: str
    table: str
    line: int

    @property
    def where(self) -> str:
        return f"line {self.line} of {self.table}"


def describe(folder: Path, found: Scan) -> Described:
    """Join the tables of a folder to its pictures.

    Parameters
    ----------
    folder
        Of stimuli.
    found
        What lies in it.

    Raises
    ------
    MissingInputError
        If a table has no column that names stimuli.
    UnreadableError
        If a table is none, a stimulus stands twice, a path leads elsewhere, or a name means
        several pictures.
    """
    exact = {unicodedata.normalize("NFC", path): path for path in found.pictures}
    rows, columns = _read(folder, found.tables, exact)
    by_id = _pictures_by_id(rows, found)
    paths = {name: _paths_of(name, row, by_id, exact) for name, row in rows.items()}
    shown = {name: own for name, own in paths.items() if _is_shown(rows[name], own, found)}
    named = {path for own in shown.values() for path in own}
    alone = {own[0] for own in shown.values() if len(own) == 1}
    rest = [path for path in found.pictures if path not in alone]  # items of others among them
    untold = [path for path in rest if path not in named]
    ids = _ids(shown, rest)
    files = {ids[name]: tuple(found.pictures[p] for p in own) for name, own in shown.items()}
    files |= {path: (found.pictures[path],) for path in rest}
    absent = {name: (rows[name], own) for name, own in paths.items() if name not in shown}
    return Described(
        dict(sorted(files.items())),
        {ids[name]: rows[name].cells for name in shown},
        columns,
        _aliases({n: own for n, own in shown.items() if by_id.get(n) != ids[n]}, ids, files),
        (*_absent_notes(absent, found), *_note(untold, UNTOLD)),
    )


def _is_shown(row: _Row, paths: Sequence[str], found: Scan) -> bool:
    is_picture = not row.cells.get("type") or row.cells["type"].lower() in PICTURE_TYPES
    return is_picture and bool(paths) and all(map(found.pictures.__contains__, paths))


# --- tables


def _read(
    folder: Path, tables: Sequence[str], exact: Mapping[str, str]
) -> tuple[dict[str, _Row], tuple[str, ...]]:
    """Read tables, the outermost first: inner rows amend or replace outer ones."""
    rows: dict[str, _Row] = {}
    columns: dict[str, None] = {}
    for table in tables:
        home = table.removesuffix(catalog.TABLE)
        path = folder / table
        read = read_rows(path, known=(*IDS, FILE, *OURS))
        key = column_of(read, (*IDS, FILE), path=path, what="ids or files of stimuli")
        names = [str(name) for name in read.columns]
        columns |= dict.fromkeys(names)
        own: dict[str, int] = {}
        for line, *cells in read.itertuples(name=None):
            row = _Row(dict(zip(names, cells, strict=True)), home, table, line)
            name = _name(row, key, exact)
            if name in own:
                raise UnreadableError(
                    f"{path} names the stimulus {name!r} in the lines {own[name]} and {line}.",
                    mend="Give each stimulus one row, with an id of its own.",
                )
            own[name] = row.line
            rows[name] = _amended(rows.get(name), row, name)
    return rows, tuple(columns)


def _name(row: _Row, key: str, exact: Mapping[str, str]) -> str:
    text = row.cells[key]
    if not text:
        raise UnreadableError(
            f"The column {key} is empty in {row.where}.",
            mend="Write there which stimulus the row is about, or remove the row.",
        )
    if "split" in row.cells:
        row.cells["split"] = row.cells["split"].lower()
    return text if key in IDS else joined(_whole(row, exact))


def _amended(outer: _Row | None, row: _Row, name: str) -> _Row:
    if outer is None:
        return row
    if not row.home.startswith(outer.home):
        raise UnreadableError(
            f"The stimulus {name!r} stands in {outer.where} and in {row.where}, of which neither "
            "lies above the other.",
            mend="Remove one of them.",
        )
    told = {column: cell for column, cell in row.cells.items() if cell}
    return _Row(outer.cells | told, row.home, row.table, row.line)


def _below(path: str, row: _Row) -> str:
    """Return a path of a table as one below the folder of stimuli."""
    text = plain_path(path)
    pure = PurePosixPath(text)
    if not text or pure.is_absolute() or ".." in pure.parts or ":" in pure.parts[0]:
        raise UnreadableError(
            f"The stim_file {row.cells.get(FILE, path)!r} in {row.where} is no path below "
            "stimuli/.",
            mend="Name files by a path below stimuli/, such as face/01.png.",
        )
    return unicodedata.normalize("NFC", text.removeprefix("stimuli/"))


# --- files


def _pictures_by_id(rows: Mapping[str, _Row], found: Scan) -> dict[str, str]:
    """Find the picture of each row that names none by its path."""
    asked = [name for name, row in rows.items() if not row.cells.get(FILE)]
    fits = catalog.meanings(asked, found.pictures)
    for name, paths in fits.items():
        if len(paths) > 1:
            raise UnreadableError(
                f"The stimulus {name!r} in {rows[name].where} has several pictures: "
                f"{', '.join(paths[:3])}.",
                mend="Remove all but one, or name the right one in a column stim_file.",
            )
    return {name: path for name, (path,) in fits.items()}


def _paths_of(
    name: str, row: _Row, by_id: Mapping[str, str], exact: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the paths that a row means, as they stand on disk where they do."""
    if row.cells.get(FILE):
        return _whole(row, exact)
    return (by_id[name],) if name in by_id else ()


def _whole(row: _Row, exact: Mapping[str, str]) -> tuple[str, ...]:
    """Return the paths of ``stim_file``, from the folder of the table or of all stimuli."""
    parts = [_below(part, row) for part in row.cells[FILE].split(JOIN)]
    inner = [f"{row.home}{part}" for part in parts]
    whole = inner if all(part in exact for part in inner) else parts
    return tuple(exact.get(part, part) for part in whole)


def _ids(shown: Mapping[str, tuple[str, ...]], rest: Sequence[str]) -> dict[str, str]:
    """Return the id of each row: the path of its one picture, else the name in the table."""
    owners = Counter(shown.values())
    ids = {
        name: paths[0] if len(paths) == 1 and owners[paths] == 1 else name
        for name, paths in shown.items()
    }
    times = Counter([*ids.values(), *rest])
    if twice := [name for name, id_ in ids.items() if times[id_] > 1]:
        raise UnreadableError(
            f"stimuli.tsv calls a stimulus {twice[0]!r}, which is the path of another picture.",
            mend="Give it another stimulus_id.",
        )
    return ids


def _aliases(
    shown: Mapping[str, tuple[str, ...]], ids: Mapping[str, str], files: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Return other names of stimuli: the id in the table, and their files."""
    found: dict[str, set[str]] = {}
    for name, paths in shown.items():
        for other in {name, joined(paths)} - {ids[name]}:
            if other not in files:
                found.setdefault(other, set()).add(ids[name])
    return {name: tuple(sorted(found[name])) for name in sorted(found)}


# --- notes


def _note(names: Sequence[str], text: str) -> list[str]:
    if not names:
        return []
    one = len(names) == 1
    phrase = text.format(
        f"{len(names)} {'stimulus' if one else 'stimuli'}", "is" if one else "are"
    )
    return [f"{phrase}, such as {names[0]!r}."]


def _absent_notes(absent: Mapping[str, tuple[_Row, tuple[str, ...]]], found: Scan) -> list[str]:
    """Say which stimuli have no picture, and why."""
    others, withheld, missing = [], [], []
    for name, (row, paths) in absent.items():
        if row.cells.get("type", "").lower() not in ("", *PICTURE_TYPES):
            others.append(name)
        elif row.cells.get("present", "").lower() in ABSENT:
            withheld.append(name)
        else:
            missing.append(next((path for path in paths if path not in found.pictures), name))
    return [
        *_missing_note(missing, found.pictures),
        *_note(others, OTHERS),
        *_note(withheld, WITHHELD),
    ]


def _missing_note(missing: Sequence[str], pictures: Iterable[str]) -> list[str]:
    """Name stimuli without a picture, and what is wrong with the first of them."""
    if not missing:
        return []
    what, folded = missing[0], {path.casefold(): path for path in pictures}
    said = f"{len(missing)} stimuli of stimuli.tsv have no picture, such as {what!r}"
    suffix = PurePosixPath(what).suffix.lower()
    if what.casefold() in folded:
        return [f"{said}. The file is called {folded[what.casefold()]!r}: case counts."]
    if suffix in UNREAD:
        return [f"{said}; {suffix} is not read: save it as PNG."]
    return [f"{said}."]
