"""Which pictures there are, and how they meet the samples that showed them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from bids_dnn.errors import MissingInputError

if TYPE_CHECKING:
    import pandas as pd

IMAGE = "_image"  # ends the stem of a stimulus file of BEP044
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})


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

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "cat.png").write_bytes(b"")
    ...     list(read_catalog(Path(folder)))
    ['cat.png']
    """
    if not stimuli_dir.is_dir():
        raise MissingInputError(
            f"There is no folder {stimuli_dir}, where the pictures of stim_file are expected.",
            mend="Put the pictures into the folder stimuli/ of the BIDS directory.",
        )
    found = {}
    for path in stimuli_dir.rglob("*"):
        below = path.relative_to(stimuli_dir)
        hidden = any(part.startswith(".") for part in below.parts)
        if path.suffix.lower() in SUFFIXES and not hidden and path.is_file():
            found[below.as_posix()] = path
    return dict(sorted(found.items()))


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


def resolve(names: Collection[str], catalog: Collection[str]) -> dict[str, str]:
    """Find the picture that each name in the data means.

    Parameters
    ----------
    names
        Of stimuli as a data set tells them: an id, a longer or shorter path, a file name, or a
        stem; a backslash stands for ``/``. Case counts.
    catalog
        The ids that have a picture, such as `read_catalog` gives.

    Returns
    -------
    resolved
        Name to id, in the order of `names`: the id itself, else the longest one in which this
        path ends, else the only one that ends in this path, else the only one with this file
        name, else the only one with this stem
        (``stim-x`` also means ``stim-x_image.png``); never one in another folder than the name
        tells. Names that mean no picture, or several (see `ambiguous`), are not in it.

    Examples
    --------
    >>> resolve(["cat", "dog.png"], ["a/cat.png", "b/dog.png", "c/dog.png"])
    {'cat': 'a/cat.png'}
    >>> resolve(["house/2.png"], ["face/2.png"])
    {}
    """
    found = _candidates(names, catalog)
    return {name: ids[0] for name, ids in found.items() if len(ids) == 1}


def ambiguous(names: Collection[str], catalog: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return the names that mean several pictures, and which, sorted; as `resolve` takes them."""
    return {name: ids for name, ids in _candidates(names, catalog).items() if len(ids) > 1}


def _candidates(names: Collection[str], catalog: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return the pictures that fit each name in the first way in which any fits."""
    known = set(catalog)
    tables = [(key, _index(known, keys)) for key, keys in _WAYS]
    found = {}
    for name in names:
        path = name.replace("\\", "/").removeprefix("./")
        inner = (end for end in _tails(path) if end in known)  # the longest first
        ids: tuple[str, ...] = tuple(islice(inner, 1))
        for key, table in tables:
            ids = ids or tuple(sorted(p for p in table.get(key(path), ()) if _agree(path, p)))
        if path and ids:
            found[name] = ids
    return found


def _index(known: Iterable[str], keys: Callable[[str], set[str]]) -> dict[str, set[str]]:
    table: dict[str, set[str]] = {}
    for picture in known:
        for key in keys(picture):
            table.setdefault(key, set()).add(picture)
    return table


def _agree(path: str, picture: str) -> bool:
    """Tell whether folders speak against it: ``house/2.png`` is not ``face/2.png``."""
    one, other = path.rpartition("/")[0], picture.rpartition("/")[0]
    shorter, longer = sorted((one, other), key=len)
    return not shorter or f"/{longer}".endswith(f"/{shorter}")


def _tails(path: str) -> list[str]:
    """Return a path and the paths of two parts and more in which it ends, the longest first."""
    parts = path.split("/")
    return ["/".join(parts[i:]) for i in range(max(len(parts) - 1, 1))]


def _ends(picture: str) -> set[str]:
    return set(_tails(picture))


def _file_name(path: str) -> str:
    return path.rpartition("/")[2]


def _stem(path: str) -> str:
    """Return the file name less its suffix, where that is one of a picture."""
    pure = PurePosixPath(path)
    return pure.stem if pure.suffix.lower() in SUFFIXES else pure.name


def _stems(picture: str) -> set[str]:
    return {_stem(picture), _stem(picture).removesuffix(IMAGE)}


# What of a name is looked up, and under what a picture is found, in the order of preference.
_WAYS: tuple[tuple[Callable[[str], str], Callable[[str], set[str]]], ...] = (
    (str, _ends),
    (_file_name, lambda picture: {_file_name(picture)}),
    (_stem, _stems),
)
