"""What is known of each stimulus: its files, category, caption, split, and all else told."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from bids_dnn.errors import UnreadableError
from bids_dnn.stimuli import catalog, described
from bids_dnn.stimuli.described import Described
from bids_dnn.stimuli.rows import read_text

COLUMNS = ("category", "caption", "split")  # that each table of stimuli has
OTHER_TABLE = "stimuli.csv"
SPLITS = ("train", "test")


@dataclass(frozen=True, slots=True, eq=False)
class Stimuli:
    """The stimuli that have a picture, and what is known of them.

    Parameters
    ----------
    files
        Stimulus id to its files, sorted by id: one, or the items of a composed picture in their
        order.
    table : n_stimuli rows
        In the order of `files`; index ``stimulus``; columns `COLUMNS` ("" where nothing is told),
        then all others of ``stimuli.tsv``, as text.
    notes
        Sentences about what found no partner.
    aliases
        Other names of stimuli (``stimulus_id``), each with the ids that it means; for
        `catalog.resolve`.
    columns
        Column to what ``stimuli.json`` says of it.
    """

    files: dict[str, tuple[Path, ...]]
    table: pd.DataFrame
    notes: tuple[str, ...] = ()
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)


def read_stimuli(place: Path) -> Stimuli:
    """Read a folder of pictures and what its tables say of them.

    The id of a stimulus is the path of its picture below `place`, whether or not a table
    describes it, so that a table may be added later; only a composed picture, and a picture that
    stands under several ids, have the ``stimulus_id`` of their row as id.

    Parameters
    ----------
    place
        The ``stimuli/`` folder of a data set, with or without ``stimuli.tsv`` (and those of its
        folders, whose rows amend or replace the outer ones). Its columns: ``stimulus_id`` or
        ``stim_file`` (or both; files of one composed picture are joined by ``;``), ``category``,
        ``caption``, ``split`` and any others.

    Returns
    -------
    stimuli
        Pictures that no row names, and items of composed pictures, are there too. Without a
        column ``category``, where all pictures lie in folders, it is the outermost folder in
        which they differ; without a column ``split``, where all lie in the two folders ``train``
        and ``test``, it is these. Without a column ``caption``, it is the column ``description``.

    Raises
    ------
    MissingInputError
        If there is no such folder, or a table has neither column.
    UnreadableError
        If a table is none, a stimulus stands twice, a path leads elsewhere, a name means several
        pictures, a split is neither train nor test, or ``stimuli.json`` is damaged.
    """
    found = catalog.scan(place)
    notes = [*_not_fetched(found.not_fetched), *_stacks(place, found), *_other_tables(place)]
    if not found.tables:
        files: dict[str, tuple[Path, ...]] = {id_: (p,) for id_, p in found.pictures.items()}
        return Stimuli(files, _with_folders(blank_table(list(files))), tuple(notes))
    told = described.describe(place, found)
    return Stimuli(
        told.files,
        _table_of(told),
        (*notes, *told.notes),
        told.aliases,
        _meanings(place / catalog.TABLE),
    )


def describe_files(files: Mapping[str, Path], place: Path) -> Stimuli:
    """Join pictures that lie elsewhere, such as those of a stack, to the table of a folder.

    Parameters
    ----------
    files
        Stimulus id to file.
    place
        Folder with ``stimuli.tsv``; where it has none, the table has blanks only.

    Returns
    -------
    stimuli
        Those of `files`, sorted; rows of other stimuli are left out.

    Raises
    ------
    MissingInputError, UnreadableError
        As `read_stimuli`.
    """
    single: dict[str, tuple[Path, ...]] = {name: (path,) for name, path in files.items()}
    if not (place / catalog.TABLE).is_file():
        return Stimuli(dict(sorted(single.items())), blank_table(sorted(files)))
    found = catalog.Scan(dict(files), (), (catalog.TABLE,), ())
    told = described.describe(place, found)
    columns = _meanings(place / catalog.TABLE)
    return Stimuli(told.files, _table_of(told), (), told.aliases, columns)


def blank_table(stimuli: Sequence[str]) -> pd.DataFrame:
    """Return a table that says nothing of some stimuli.

    Examples
    --------
    >>> blank_table(["a.png"]).loc["a.png", "category"]
    ''
    """
    index = pd.Index(list(stimuli), dtype=object, name="stimulus")
    return pd.DataFrame("", index=index, columns=list(COLUMNS), dtype=object)


def ids_of(names: Collection[str], stimuli: Stimuli) -> dict[str, str]:
    """Find the stimulus that each ``stim_id`` or ``stim_file`` of events means.

    As `catalog.resolve` with the ids and the aliases of `stimuli`.
    """
    return catalog.resolve(names, stimuli.files, stimuli.aliases)


def add_composed(names: Iterable[str], stimuli: Stimuli) -> Stimuli:
    """Add the composed pictures that events name, and no table does.

    Parameters
    ----------
    names
        ``stim_file`` of events; those with several files, joined by ``;``, of which each is a
        stimulus of one file, become stimuli under their name.
    stimuli
        As `read_stimuli` gives them.

    Returns
    -------
    stimuli
        With a blank row for each new one; those that were there stay as they are.
    """
    asked = sorted({name for name in names if catalog.JOIN in name})
    known = catalog.resolve(asked, stimuli.files, stimuli.aliases)
    added: dict[str, tuple[Path, ...]] = {}
    for name in asked:
        parts = catalog.joined(name.split(catalog.JOIN)).split(catalog.JOIN)
        ids = catalog.resolve(parts, stimuli.files, stimuli.aliases)
        files = [stimuli.files[ids[part]] for part in parts if part in ids]
        if name not in known and len(files) == len(parts) and all(len(f) == 1 for f in files):
            added[catalog.joined(parts)] = tuple(path for (path,) in files)
    if not added:
        return stimuli
    table = pd.concat([stimuli.table, blank_table(list(added))]).fillna("")
    merged = dict(sorted((stimuli.files | added).items()))
    return replace(stimuli, files=merged, table=table.loc[list(merged)])


def same_pictures(sha256: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    """Find stimuli that are one picture under several names.

    Parameters
    ----------
    sha256
        Stimulus id to the SHA-256 of its file's bytes. One picture saved in two formats, or
        compressed anew, has other bytes and is not found.

    Returns
    -------
    groups
        Ids of one content, sorted, for each content that has several; sorted by the first.

    Examples
    --------
    >>> same_pictures({"b": "1f", "c": "2e", "a": "1f"})
    (('a', 'b'),)
    """
    groups: dict[str, list[str]] = {}
    for name, digest in sha256.items():
        groups.setdefault(digest, []).append(name)
    return tuple(sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1))


def same_warning(groups: Sequence[Sequence[str]]) -> str:
    """Say which pictures stand under several names, "" where none does.

    Examples
    --------
    >>> print(same_warning([("a.png", "b.png")]))
    1 picture stands under several names (2 in all): 'a.png' = 'b.png'. It counts as one stimulus.
    """
    if not groups:
        return ""
    n_names = sum(map(len, groups))
    example = " = ".join(map(repr, groups[0][:3])) + (" = ..." if len(groups[0]) > 3 else "")
    if len(groups) == 1:
        return (
            f"1 picture stands under several names ({n_names} in all): {example}. It counts as "
            "one stimulus."
        )
    return (
        f"{len(groups)} pictures stand under several names ({n_names} in all), such as {example}. "
        "Each counts as one stimulus."
    )


# --- the table


def _table_of(told: Described) -> pd.DataFrame:
    """Return the rows of the stimuli that have a picture."""
    ids = list(told.files)
    cells = [told.cells.get(name, {}) for name in ids]
    others = [name for name in told.columns if name not in COLUMNS]
    columns = [*COLUMNS, *others]
    data = {name: [row.get(name, "") for row in cells] for name in columns}
    table = pd.DataFrame(data, index=blank_table(ids).index, columns=columns, dtype=object)
    if "caption" not in told.columns and "description" in told.columns:
        table["caption"] = table["description"]
    for name, row in zip(ids, cells, strict=True):
        if row.get("split", "") not in ("", *SPLITS):
            raise UnreadableError(
                f"{catalog.TABLE} gives {name!r} the split {row['split']!r}.",
                mend="Write train, test or n/a.",
            )
    return _with_folders(table, told.columns)


def _with_folders(table: pd.DataFrame, known: Collection[str] = ()) -> pd.DataFrame:
    """Fill category and split from folders where no table tells them."""
    folders = [str(name).rpartition("/")[0] for name in table.index]
    levels = {folder: folder.split("/") if folder else [] for folder in set(folders)}
    if any(catalog.JOIN in name for name in table.index):
        return table
    if {level[0].lower() if level else "" for level in levels.values()} == set(SPLITS):
        if "split" not in known:
            table = _with(table, "split", [levels[folder][0].lower() for folder in folders])
        levels = {folder: level[1:] for folder, level in levels.items()}
    if "category" not in known:
        names = _differing(levels)
        table = _with(table, "category", [names[folder] for folder in folders])
    return table


def _with(table: pd.DataFrame, column: str, cells: Sequence[str]) -> pd.DataFrame:
    return table.assign(**{column: pd.Series(cells, index=table.index, dtype=object)})


def _differing(levels: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the outermost level in which folders differ, "" where pictures lie in none."""
    for depth in range(min(map(len, levels.values()), default=0)):
        here = {folder: level[depth] for folder, level in levels.items()}
        if len(set(here.values())) > 1:
            return here
    return dict.fromkeys(levels, "")


def _not_fetched(paths: Sequence[str]) -> list[str]:
    if not paths:
        return []
    return [
        f"{len(paths)} pictures of the stimuli are links to nothing, such as {paths[0]!r}. In a "
        "DataLad data set, type: datalad get stimuli"
    ]


def _stacks(place: Path, found: catalog.Scan) -> list[str]:
    if found.pictures or not found.stacks:
        return []
    return [
        f"{place} holds no picture, but {len(found.stacks)} files that may hold pictures in "
        f"arrays. To use one, type: --stimuli-dir {place / found.stacks[0]}"
    ]


def _other_tables(place: Path) -> list[str]:
    other = place / OTHER_TABLE
    if not other.is_file():
        return []
    return [f"{other} is not read: save it, separated by tabs, as {catalog.TABLE}."]


def _meanings(table: Path) -> dict[str, str]:
    """Return what ``stimuli.json`` says of the columns; {} where there is none."""
    path = table.with_suffix(".json")
    if not path.exists():
        return {}
    try:
        told = json.loads(read_text(path))
    except json.JSONDecodeError as err:
        raise UnreadableError(
            f"{path} is no JSON: {err.msg} in line {err.lineno}.", mend="Mend or remove it."
        ) from err
    if not isinstance(told, dict):
        raise UnreadableError(
            f"{path} holds a {type(told).__name__}; an object with a key for each column was "
            "expected.",
            mend="Mend or remove it.",
        )
    found = {}
    for column, meaning in told.items():
        text = meaning.get("Description") if isinstance(meaning, dict) else meaning
        if isinstance(text, str):
            found[unicodedata.normalize("NFC", column)] = text
    return found
