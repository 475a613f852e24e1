"""Which pictures there are, and how they meet the samples that showed them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bids_dnn.errors import MissingInputError, UnreadableError
from bids_dnn.stimuli.rows import STIMULI

if TYPE_CHECKING:
    import pandas as pd

IMAGE = "_image"  # ends the stem of a stimulus file of BEP044
SUFFIXES = frozenset(
    {
        *(".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".avif"),
        *(".jp2", ".j2k", ".pbm", ".pgm", ".ppm", ".pnm"),
    }
)
STACKS = frozenset({".h5", ".hdf5", ".hdf", ".mat"})  # files that may hold pictures in arrays
TABLE = STIMULI  # of BEP044
JOIN = ";"  # between the files of one composed picture


@dataclass(frozen=True, slots=True)
class Match:
    """Who found whom when samples met pictures.

    Parameters
    ----------
    used
        Stimuli that samples showed and that have a picture, sorted.
    no_stimulus : int
        Samples that name no stimulus.
    missing
        Stimuli that samples name and that have no picture, sorted.
    unused
        Pictures that no sample showed, sorted.
    """

    used: tuple[str, ...]
    no_stimulus: int
    missing: tuple[str, ...]
    unused: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scan:
    """What lies in a folder of stimuli; paths are below it, with ``/``, and sorted.

    Parameters
    ----------
    pictures
        Path below the folder to file.
    not_fetched
        Pictures that are links to nothing, as in a DataLad data set whose content was not fetched.
    tables
        Each ``stimuli.tsv``, the outermost first.
    stacks
        Files that may hold pictures in arrays.
    """

    pictures: dict[str, Path]
    not_fetched: tuple[str, ...]
    tables: tuple[str, ...]
    stacks: tuple[str, ...]


def read_catalog(stimuli_dir: Path) -> dict[str, Path]:
    """Find every picture below a folder.

    Parameters
    ----------
    stimuli_dir
        The ``stimuli/`` folder of a data set; hidden files and folders are passed over.

    Returns
    -------
    catalog
        Stimulus id (the path below `stimuli_dir`, with ``/``, as in ``stim_file``) to file, in
        the order of the ids. Empty where the folder holds no picture.

    Raises
    ------
    MissingInputError
        If there is no such folder.
    UnreadableError
        If a folder cannot be listed, or a name in it is not UTF-8.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "cat.png").write_bytes(b"")
    ...     list(read_catalog(Path(folder)))
    ['cat.png']
    """
    return scan(stimuli_dir).pictures


def scan(stimuli_dir: Path) -> Scan:
    """List a folder of stimuli, without opening a file.

    Parameters
    ----------
    stimuli_dir
        Hidden files and folders are passed over; links to folders are followed, each folder once.

    Raises
    ------
    MissingInputError
        If there is no such folder.
    UnreadableError
        If a folder cannot be listed, or a name in it is not UTF-8.
    """
    if stimuli_dir.is_file():
        raise MissingInputError(
            f"{stimuli_dir} is a file, but no stack of pictures ({', '.join(sorted(STACKS))}).",
            mend="Give --stimuli-dir a folder of pictures, or a stack of them.",
        )
    if not stimuli_dir.is_dir():
        raise MissingInputError(
            f"There is no folder {stimuli_dir}, where the pictures of stim_file are expected.",
            mend="Put the pictures into the folder stimuli/ of the BIDS directory.",
        )
    pictures, missing, tables, stacks = {}, [], [], []
    for below, entry in _walk(stimuli_dir):
        suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122  (ten times as fast)
        if suffix in SUFFIXES:
            if entry.is_file():
                pictures[below] = Path(entry.path)
            else:
                missing.append(below)
        elif entry.name == TABLE:
            tables.append(below)
        elif suffix in STACKS and entry.is_file():
            stacks.append(below)
    tables.sort(key=lambda path: (path.count("/"), path))
    return Scan(
        dict(sorted(pictures.items())),
        tuple(sorted(missing)),
        tuple(tables),
        tuple(sorted(stacks)),
    )


def _walk(top: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Give the path below `top` of all that is no folder, and its entry; links come last."""
    todo, links = [("", str(top), os.path.realpath(top))], list[tuple[str, str, str]]()
    seen: set[str] = set()
    while todo or links:
        before, folder, real = todo.pop() if todo else links.pop(0)
        if real in seen:
            continue
        seen.add(real)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as err:
            raise UnreadableError(
                f"The folder {folder} cannot be listed ({err.strerror}).",
                mend="Give read permission, or choose another folder.",
            ) from err
        for entry in entries:
            if entry.name.startswith("."):
                continue
            below = before + entry.name
            _check_name(below, folder)
            if not entry.is_dir():
                yield below, entry
            elif entry.is_symlink():
                links.append((f"{below}/", entry.path, os.path.realpath(entry.path)))
            else:
                todo.append((f"{below}/", entry.path, f"{real}/{entry.name}"))


def _check_name(name: str, folder: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as err:
        raise UnreadableError(
            f"The folder {folder} holds the name {name!a}, which is not UTF-8.",
            mend="Rename the file.",
        ) from err


def match(samples: pd.DataFrame, catalog: Collection[str]) -> Match:
    """Tell which stimuli of the samples have a picture, and which pictures were shown.

    Parameters
    ----------
    samples : n_samples rows
        Its column `stimulus` holds ids, "" where the sample showed no known stimulus.
    catalog
        The ids that have a picture, such as `read_catalog` gives.

    Returns
    -------
    match
        Nothing is dropped: each sample and each picture is counted in one of the fields.

    Raises
    ------
    MissingInputError
        If `samples` has no column `stimulus`.
    """
    if "stimulus" not in samples.columns:
        raise MissingInputError(
            f"The table of samples has the columns {sorted(map(str, samples.columns))}, but not "
            "'stimulus'.",
            mend="Give each event its stim_file, or read the events with ingest.events.",
        )
    named = samples["stimulus"].fillna("").astype(str)
    shown = set(named) - {""}
    known = set(catalog)
    return Match(
        used=tuple(sorted(shown & known)),
        no_stimulus=int((named == "").sum()),
        missing=tuple(sorted(shown - known)),
        unused=tuple(sorted(known - shown)),
    )


def resolve(
    names: Collection[str],
    catalog: Collection[str],
    aliases: Mapping[str, Collection[str]] | None = None,
) -> dict[str, str]:
    """Find the picture that each name in the data means.

    Parameters
    ----------
    names
        Of stimuli as a data set tells them: an id, a longer or shorter path, a file name, or a
        stem; a backslash stands for ``/``. Case counts. Several files joined by ``;`` are the
        items of one composed picture.
    catalog
        The ids that have a picture, such as `read_catalog` gives.
    aliases
        Other names of ids, such as `table.Stimuli.aliases`; those not in `catalog` are left out.

    Returns
    -------
    resolved
        Name to id, in the order of `names`: the id itself, else the one with this alias, else
        the longest one in which this path ends, else the only one that ends in this path, else
        the only one with this file name, else the only one with this stem
        (``stim-x`` also means ``stim-x_image.png``); never one in another folder than the name
        tells. Names that mean no picture, or several (see `ambiguous`), are not in it.

    Examples
    --------
    >>> resolve(["cat", "dog.png"], ["a/cat.png", "b/dog.png", "c/dog.png"])
    {'cat': 'a/cat.png'}
    >>> resolve(["house/2.png"], ["face/2.png"])
    {}
    >>> resolve(["stim-7"], ["nsd/a.png"], {"stim-7": ["nsd/a.png"]})
    {'stim-7': 'nsd/a.png'}
    """
    found = meanings(names, catalog, aliases)
    return {name: ids[0] for name, ids in found.items() if len(ids) == 1}


def ambiguous(
    names: Collection[str],
    catalog: Collection[str],
    aliases: Mapping[str, Collection[str]] | None = None,
) -> dict[str, tuple[str, ...]]:
    """Return the names that mean several pictures, and which, sorted; as `resolve` takes them."""
    found = meanings(names, catalog, aliases)
    return {name: ids for name, ids in found.items() if len(ids) > 1}


def plain_path(name: str) -> str:
    """Return a path below ``stimuli/`` in one form: ``/``, no ``./``, no blanks around.

    Examples
    --------
    >>> plain_path(" ./faces/1.png ")
    'faces/1.png'
    """
    return name.strip().replace("\\", "/").removeprefix("./")


def joined(paths: Iterable[str]) -> str:
    """Return the one name of a picture composed of several files, in their order.

    Examples
    --------
    >>> joined(["stimuli/a.png", "b.png"])
    'a.png;b.png'
    """
    return JOIN.join(plain_path(path).removeprefix("stimuli/") for path in paths)


def meanings(
    names: Collection[str],
    catalog: Collection[str],
    aliases: Mapping[str, Collection[str]] | None = None,
) -> dict[str, tuple[str, ...]]:
    """Return the pictures that fit each name in the first way in which any fits, sorted.

    Those of `resolve` (one picture) and of `ambiguous` (several) together.
    """
    known, called = set(catalog), aliases or {}
    paths = {
        name: joined(name.split(JOIN)) if JOIN in name else plain_path(name) for name in names
    }
    found: dict[str, tuple[str, ...]] = {}
    for name, path in paths.items():
        if path in known:
            found[name] = (path,)
        elif others := known.intersection(called.get(path, ())):
            found[name] = tuple(sorted(others))
        elif "/" in path and (inner := next((e for e in _tails(path) if e in known), None)):
            found[name] = (inner,)  # the longest comes first
    left = {n: path for n, path in paths.items() if path and n not in found and JOIN not in path}
    deep = {n: path for n, path in left.items() if "/" in path}
    ends = _index(known, _tails) if deep else {}
    found |= {n: tuple(sorted(ends[path])) for n, path in deep.items() if path in ends}
    left = {n: path for n, path in left.items() if n not in found}
    stems = _index(known, _stems) if left else {}
    for name, path in left.items():
        fits = [p for p in stems.get(stem(path), ()) if _agree(path, p)]
        named = [p for p in fits if _file_name(p) == _file_name(path)]
        if fits:
            found[name] = tuple(sorted(named or fits))
    return {name: found[name] for name in names if name in found}


def _index(known: Iterable[str], keys: Callable[[str], Iterable[str]]) -> dict[str, list[str]]:
    """Return the pictures of one file each by what `keys` gives of them."""
    table: dict[str, list[str]] = {}
    for picture in known:
        if JOIN in picture:
            continue
        for key in keys(picture):
            if key in table:
                table[key].append(picture)
            else:
                table[key] = [picture]
    return table


def _agree(path: str, picture: str) -> bool:
    """Tell whether folders speak against it: ``house/2.png`` is not ``face/2.png``."""
    if "/" not in path:
        return True
    one, other = path.rpartition("/")[0], picture.rpartition("/")[0]
    shorter, longer = sorted((one, other), key=len)
    return not shorter or f"/{longer}".endswith(f"/{shorter}")


def _tails(path: str) -> list[str]:
    """Return a path and the paths of two parts and more in which it ends, the longest first."""
    parts = path.split("/")
    return ["/".join(parts[i:]) for i in range(max(len(parts) - 1, 1))]


def _file_name(path: str) -> str:
    return path.rpartition("/")[2]


def stem(path: str) -> str:
    """Return the file name less its suffix, where that is one of a picture.

    Examples
    --------
    >>> stem("a/cat.png"), stem("v1.2")
    ('cat', 'v1.2')
    """
    name = path.rpartition("/")[2]
    base, dot, suffix = name.rpartition(".")
    return base if base and f"{dot}{suffix}".lower() in SUFFIXES else name


def _stems(picture: str) -> tuple[str, ...]:
    base = stem(picture)
    return (base, base.removesuffix(IMAGE)) if base.endswith(IMAGE) else (base,)
