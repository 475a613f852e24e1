"""What the readers of ready-made responses share: participants, tables, arrays, names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn import imaging
from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Space
from bids_dnn.errors import MissingInputError, ShapeError, UnreadableError, nearest
from bids_dnn.ingest.events import MISSING, number_repeats

if TYPE_CHECKING:
    import h5py

AGAIN = "Fetch or copy it again."


def choose(there: Iterable[str], wanted: Sequence[str], *, folder: Path, layout: str) -> list[str]:
    """Return the participants that are asked for, in natural order; all where none is.

    Parameters
    ----------
    there
        Labels that the data set has.
    wanted
        Labels that are asked for.
    folder, layout
        Where they were looked for, and how such a folder looks, for the message.

    Raises
    ------
    MissingInputError
        If there is none, or one that is asked for is not there.

    Examples
    --------
    >>> choose(["s10", "s2"], [], folder=Path(), layout="")
    ['s2', 's10']
    """
    known = sorted(set(there), key=natural)
    if not known:
        raise absent("any participant", folder=folder, layout=layout)
    for label in wanted:
        if label not in known:
            raise MissingInputError(
                f"{folder} has no participant {label!r}; there are: {', '.join(known)}.",
                mend=f"{nearest(label, known)} Give --participant-label one of these.",
            )
    return [label for label in known if label in wanted] if wanted else known


def natural(text: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts ``s2`` before ``s10``."""
    parts = re.split(r"(\d+)", text)
    return [(1, int(p), p) if p.isdigit() else (0, 0, p) for p in parts]


def absent(what: str, *, folder: Path, layout: str) -> MissingInputError:
    """Return the error that says what a folder lacks and how it should look."""
    return MissingInputError(
        f"{folder} does not hold {what}.",
        mend=f"Give the folder that is laid out so:\n{layout.strip()}",
    )


def is_there(path: Path) -> bool:
    """Tell whether a file stands there, be it a link whose content was not fetched."""
    return path.exists() or path.is_symlink()


def read_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Return a tab-separated table as text, blanks around the values removed.

    Parameters
    ----------
    path
        With a header line.
    columns
        That must be there.

    Raises
    ------
    MissingInputError
        If the file, or a column, is not there.
    UnreadableError
        If it is no table.
    """
    imaging.require_file(path)
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as err:
        raise UnreadableError(
            f"{path} is no tab-separated table ({err}).", mend="Mend the file, or copy it again."
        ) from err
    if missing := [name for name in columns if name not in table]:
        there = list(map(str, table.columns))
        raise MissingInputError(
            f"{path} lacks the column(s) {', '.join(missing)}; there are: {', '.join(there)}.",
            mend=f"{nearest(missing[0], there)} Add them, separated by tabs.",
        )
    return table.map(str.strip)


def open_array(path: Path, *, n_dims: Sequence[int]) -> NDArray[Any]:
    """Return the numbers of an ``.npy`` file as they lie on disk, not read yet.

    Parameters
    ----------
    path
        Written by ``numpy.save``.
    n_dims
        Numbers of axes that it may have.

    Raises
    ------
    MissingInputError
        If the file is not there or was not fetched.
    UnreadableError
        If it ends early, is no ``.npy`` file, or holds Python objects (which would be code).
    ShapeError
        If it has another number of axes.
    """
    imaging.require_file(path)
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as err:
        why = f"it ends after {path.stat().st_size} bytes" if "mmap length" in str(err) else err
        raise UnreadableError(
            f"{path} is no whole array of numbers ({why}); nothing in it was run.", mend=AGAIN
        ) from err
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
        raise UnreadableError(
            f"{path} holds no array of numbers but {getattr(array, 'dtype', type(array))}.",
            mend="Save the numbers with numpy.save.",
        )
    if array.ndim not in n_dims:
        raise ShapeError(
            f"{path} has shape {array.shape}; {' or '.join(map(str, n_dims))} axes were expected.",
            mend="Check that it is the right file.",
        )
    return array


@contextmanager
def hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading; what breaks while it is read is said in two sentences.

    Raises
    ------
    MissingInputError
        If the file is not there or was not fetched.
    UnreadableError
        If it ends early or is no HDF5 file.
    """
    import h5py

    imaging.require_file(path)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError) as err:
        if isinstance(err, MissingInputError):
            raise
        raise UnreadableError(
            f"{path} is no whole HDF5 file ({err}); {path.stat().st_size} bytes are there.",
            mend=AGAIN,
        ) from err


def dataset(file: h5py.File, name: str) -> h5py.Dataset:
    """Return a named array of an open HDF5 file, not read yet.

    Raises
    ------
    UnreadableError
        If it is not there, or is a group.
    """
    import h5py

    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        raise UnreadableError(
            f"{file.filename} holds no array {name!r}; there are: {', '.join(sorted(file))}.",
            mend="Check that it is the right file, or fetch it again.",
        )
    return found


def stimulus_id(text: str, *, path: Path) -> str:
    """Return the name of a picture as a relative path with forward slashes; "" = none.

    Parameters
    ----------
    text
        As the data set names it.
    path
        Of the list that holds it, for the message.

    Raises
    ------
    UnreadableError
        If it is an absolute path, or leads upward.

    Examples
    --------
    >>> stimulus_id("COCO/1.jpg", path=Path())
    'COCO/1.jpg'
    """
    name = text.strip().replace("\\", "/")
    if name.lower() in MISSING:
        return ""
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or ":" in pure.parts[0]:
        raise UnreadableError(
            f"{path} names the picture {text!r}, which lies outside the data set.",
            mend="Name pictures by a path below stimuli/, or by file name alone.",
        )
    return str(pure)


def sample_table(
    stimulus: Sequence[str],
    *,
    condition: Sequence[str] | None = None,
    run: Sequence[str],
    session: Sequence[str],
    more: Mapping[str, Sequence[Any]] | None = None,
) -> pd.DataFrame:
    """Return one row a sample with all required columns; repeats are counted in this order.

    Parameters
    ----------
    stimulus : n_samples
        Names of pictures, "" = none.
    condition : n_samples
        None, or "" for a sample: its stimulus.
    run, session : n_samples
        `run` is made unique across sessions here: ``03x01``.
    more
        Further columns.

    Raises
    ------
    ShapeError
        If the columns differ in length.
    """
    columns = {"run": run, "session": session, **(more or {})}
    columns |= {} if condition is None else {"condition": condition}
    for name, column in columns.items():
        if len(column) != len(stimulus):
            raise ShapeError(
                f"There are {len(stimulus)} stimuli, but {len(column)} values of {name}.",
                mend="Give one value a sample.",
            )
    named = stimulus if condition is None else condition
    pairs = list(zip(stimulus, named, strict=True))
    runs = [f"{s}x{r}" if s else str(r) for s, r in zip(session, run, strict=True)]
    table = pd.DataFrame(
        {
            "stimulus": pd.array(list(stimulus), dtype=object),
            "condition": pd.array([c or s for s, c in pairs], dtype=object),
            "run": pd.array(runs, dtype=object),
            "session": pd.array(list(map(str, session)), dtype=object),
            "repeat": 0,
        }
    )
    table["trial"] = table.groupby("run", sort=False).cumcount()
    return number_repeats(table.assign(**{k: list(v) for k, v in (more or {}).items()}))


def region_name(*words: str) -> str:
    """Return a region's name as it may stand in file names: letters and digits only.

    Examples
    --------
    >>> region_name("FFA-1"), region_name("ecc4+")
    ('FFA1', 'ecc4plus')
    """
    text = "".join(words).replace("+", "plus")
    return "".join(c for c in text if c.isalnum() and c.isascii())


def region(name: str, marked: NDArray[np.bool_], space: Space, *, source: str) -> Roi | None:
    """Return the region of the units that `marked` (n_units,) marks; None where it has none.

    Parameters
    ----------
    name
        Turned into letters and digits.
    marked : (n_units,)
    space
        Of the responses.
    source
        Where it came from, for the report.
    """
    n = int(marked.sum())
    return Roi(region_name(name), space.select(marked), source, n) if n else None
