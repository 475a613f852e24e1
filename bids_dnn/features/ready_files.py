"""Files of features that other programs wrote, without running anything that they hold."""

from __future__ import annotations

import pickle
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.errors import BidsDnnError, MissingInputError, UnreadableError, nearest
from bids_dnn.features.ready_ids import DELIMITERS, NAMES, as_names, read_rows

Values = NDArray[Any]
# What libraries raise for files that are not what their name says, or cut short.
BROKEN = (
    *(OSError, EOFError, ValueError, TypeError, KeyError, IndexError, RuntimeError),
    *(AttributeError, NotImplementedError, OverflowError, MemoryError, zlib.error),
    *(pickle.UnpicklingError, zipfile.BadZipFile),
)


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """An array that a file holds and that is read when it is wanted.

    Parameters
    ----------
    shape
        Stimuli first.
    dtype
        Of numpy.
    read
        Gives the array.
    files
        That it lies in.
    ids : n_stimuli
        That the file itself tells for the rows; empty where it tells none.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[], Values]
    files: tuple[Path, ...]
    ids: tuple[str, ...] = ()

    @property
    def is_layer(self) -> bool:
        """Tell whether it can be features: numbers, and several for each stimulus."""
        return self.dtype.kind in "fiub" and len(self.shape) > 1


def open_file(path: Path) -> dict[str, Stored]:
    """Return what a file holds, by the name of the layer.

    Parameters
    ----------
    path
        One of `READERS`.

    Raises
    ------
    MissingInputError
        If there is no such file.
    UnreadableError
        If its kind is unknown, it is cut short, or it holds objects that only code could read.
    """
    if not path.is_file():
        raise MissingInputError(f"There is no file {path}.", mend="Correct the path.")
    kind = path.suffix.lower()
    if kind not in READERS:
        raise UnreadableError(
            f"{path.name} has the suffix {kind!r}, which is no kind of file of features.",
            mend=nearest(kind, READERS),
        )
    with whole(path):
        return READERS[kind](path)


def npy(path: Path) -> dict[str, Stored]:
    """Return the array of a ``.npy`` file, called after the file; it stays on the disk.

    Raises
    ------
    UnreadableError
        If it holds pickled objects.
    """
    with path.open("rb") as stream:
        shape, dtype = _header(stream)
    _check_plain(path, dtype)
    read = partial(np.load, path, mmap_mode="r", allow_pickle=False)
    return {path.stem: Stored(shape, dtype, read, (path,))}


def npz(path: Path) -> dict[str, Stored]:
    """Return the arrays of a ``.npz`` file by name; the one called as in `NAMES` holds ids.

    Raises
    ------
    UnreadableError
        If one holds pickled objects.
    """
    told = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            with archive.open(member) as stream:
                told[member.removesuffix(".npy")] = _header(stream)
    for name, (_, dtype) in told.items():
        _check_plain(path, dtype, name)
    found = next((name for name in NAMES if name in told), None)
    ids = as_names(_npz_member(path, found).ravel().tolist()) if found else ()
    return {
        name: Stored(shape, dtype, partial(_npz_member, path, name), (path,), ids)
        for name, (shape, dtype) in told.items()
        if name != found
    }


def tensor(path: Path) -> dict[str, Stored]:
    """Return the tensor of a ``.pt`` file, or its tensors by name; code in it is refused.

    Raises
    ------
    UnreadableError
        If it holds anything that only code could read, or is cut short.
    """
    import torch

    from bids_dnn.features.models.weights import why_not_read

    try:
        found: object = torch.load(path, map_location="cpu", weights_only=True)
    except BROKEN as err:
        raise UnreadableError(
            f"{path} cannot be read as features: {why_not_read(err)}.",
            mend="Save it with torch.save(tensor, path); a file that holds code, or is cut short, "
            "is refused.",
        ) from err
    named = found if isinstance(found, dict) else {path.stem: found}
    made = {}
    for name, one in named.items():
        if isinstance(one, torch.Tensor):
            values = one.detach()
            plain = values.float() if values.dtype == torch.bfloat16 else values
            made[str(name)] = held(plain.numpy(), path)
    return made


def matrix(path: Path) -> dict[str, Stored]:
    """Return the numbers of a ``.txt`` file, a line a stimulus, called after the file."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*input contained no data", UserWarning)
        values = np.loadtxt(path, ndmin=2, encoding="utf-8-sig")
    return {path.stem: held(values, path)}


def table(path: Path) -> dict[str, Stored]:
    """Return the features of a ``.tsv`` or ``.csv``: the first column is the stimulus.

    A first line is a heading where it has a word above features, or counts them from 0 or 1.

    Raises
    ------
    UnreadableError
        If a cell is no number, or rows have another number of cells.
    """
    head = next(read_rows(path), [""])
    n_head = int(_is_heading(head))
    widths, names = set(), []
    for row in islice(read_rows(path), n_head, None):
        widths.add(len(row))
        names.append(row[0])
    if not names or len(head) < 2:
        return {path.stem: held(np.zeros((len(names), max(0, len(head) - 1))), path)}
    if len(widths | {len(head)}) > 1:
        raise UnreadableError(
            f"{path} has rows of {min(widths) - 1} to {max(widths) - 1} features, and a first "
            f"line of {len(head) - 1}; all must have as many.",
            mend="Write one row for each stimulus, and a value in each column.",
        )
    try:
        values: Values = np.loadtxt(
            path,
            delimiter=DELIMITERS[path.suffix.lower()],
            skiprows=n_head,
            usecols=range(1, len(head)),
            comments=None,
            quotechar='"',
            ndmin=2,
            encoding="utf-8-sig",
        )
    except ValueError as err:
        raise _no_number(path, n_head, err) from None
    return {path.stem: held(values, path, as_names(names))}


def hdf5(path: Path) -> dict[str, Stored]:
    """Return the data sets of an HDF5 file by their path; see `ready_hdf5`."""
    from bids_dnn.features.ready_hdf5 import datasets

    return datasets(path)


def matlab(path: Path) -> dict[str, Stored]:
    """Return the variables of a MATLAB file of format 4 to 7.3; see `ready_mat`."""
    from bids_dnn.features.ready_mat import variables

    return variables(path)


READERS: dict[str, Callable[[Path], dict[str, Stored]]] = {
    ".npy": npy,
    ".npz": npz,
    ".h5": hdf5,
    ".hdf5": hdf5,
    ".mat": matlab,
    ".tsv": table,
    ".csv": table,
    ".pt": tensor,
    ".txt": matrix,
}


def held(values: Values, path: Path, ids: tuple[str, ...] = ()) -> Stored:
    """Return an array that was read already."""
    return Stored(values.shape, values.dtype, lambda: values, (path,), ids)


@contextmanager
def whole(path: Path) -> Iterator[None]:
    """Turn what libraries raise while `path` is read into one error that says what is wrong.

    Raises
    ------
    UnreadableError
        If it ends early, or is not what its name says.
    """
    try:
        yield
    except BidsDnnError:
        raise
    except BROKEN as err:
        first = (str(err).strip() or type(err).__name__).splitlines()[0].rstrip(".")
        raise UnreadableError(
            f"{path} cannot be read as features ({first}), {path.stat().st_size} bytes are there.",
            mend="Fetch or copy it again, or save plain numbers; a file that holds code is "
            "refused.",
        ) from err


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and type of an array of numpy's format, without its values."""
    number = np.lib.format.read_magic(stream)
    read = (
        np.lib.format.read_array_header_1_0
        if number == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read(stream)
    return tuple(shape), dtype


def _check_plain(path: Path, dtype: np.dtype[Any], name: str = "") -> None:
    if dtype.hasobject:
        raise UnreadableError(
            f"{path}{f' ({name})' if name else ''} holds pickled objects, which could run code; "
            "numbers were expected.",
            mend="Save it as numpy.save(path, numpy.stack(rows).astype('float32')), and the ids "
            "in a table beside it.",
        )


def _npz_member(path: Path, name: str) -> Values:
    with whole(path), np.load(path, allow_pickle=False) as archive:
        values: Values = archive[name]
    return values


def _is_heading(row: Sequence[str]) -> bool:
    cells = [cell.strip() for cell in row[1:]]
    if row[0].strip().lower() in ("", *NAMES) or not all(map(_is_number, cells)):
        return True
    return len(cells) > 1 and any(
        cells == [str(start + i) for i in range(len(cells))] for start in (0, 1)
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _no_number(path: Path, n_head: int, err: ValueError) -> UnreadableError:
    """Return the error that names the first cell of a table that is no number."""
    mend = "Write numbers only; leave stimuli out that were not measured."
    for i, row in enumerate(islice(read_rows(path), n_head, None)):
        for j, cell in enumerate(row[1:]):
            if not _is_number(cell):
                told = f"{path} holds {cell!r} in column {j + 2} of data row {i + 1}"
                return UnreadableError(f"{told}; a number was expected.", mend=mend)
    return UnreadableError(f"{path} cannot be read as a table of numbers ({err}).", mend=mend)
