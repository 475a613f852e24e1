"""MATLAB's files, of format 4 to 7.3, as plain values; nothing in them is run."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.exceptions import ComplexWarning
from numpy.typing import NDArray
from scipy import sparse

from bids_dnn import imaging
from bids_dnn.errors import MissingInputError, UnreadableError, nearest

# What scipy and h5py raise, beside scipy's own error, for files that are no MAT, or cut short.
BROKEN = (ValueError, TypeError, IndexError, KeyError, OSError, EOFError, RuntimeError, zlib.error)
DEEPEST = 64  # nested structures and cells; deeper ones can only go round in circles
CLASSES = {"logical": np.bool_, "single": np.float32, "double": np.float64}


@dataclass(frozen=True, slots=True)
class Opaque:
    """Stands for what is code or an object of MATLAB, and is not read.

    Parameters
    ----------
    matlab_class
        Such as ``function_handle``, ``table`` or ``string``.
    """

    matlab_class: str


def read_mat(
    path: Path, names: Sequence[str] | None = None, *, fields: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return the variables of a MATLAB file, the same for each format that holds the same.

    Parameters
    ----------
    path
        Written by MATLAB, Octave or another program in the format 4, 5 (``-v6``, ``-v7``) or
        7.3 (HDF5).
    names
        Of the variables that are wanted, the others are not read; None = all.
    fields
        Of these variables, where they are structures, the fields that are wanted, as far as
        they are there; None = all. Saves much time with ``SPM.mat`` of format 7.3.

    Returns
    -------
    variables
        A structure is a dict, an array of structures a list of dicts, a cell array a list; two
        axes of these are lists of rows. Text is a str, text of several rows a list of str.
        Numbers have MATLAB's class and order of axes, less the axes of length 1; a single
        number is a float, int, complex or bool; sparse ones are `scipy.sparse.csc_array`. What
        is empty is an array of shape (0,), ``""`` or ``[]``. Function handles and objects are
        `Opaque`. (Of a file of format 5 that holds complex numbers, whole numbers may have the
        smaller class in which they are stored.)

    Raises
    ------
    MissingInputError
        If the file or one of `names` is not there, or the file was not fetched.
    UnreadableError
        If it is no MATLAB file, ends early, or leads to other files.

    Examples
    --------
    >>> import tempfile
    >>> from scipy.io import savemat
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     savemat(Path(folder, "a.mat"), {"a": {"b": "text", "c": [1.0, 2.0]}})
    ...     read_mat(Path(folder, "a.mat"))
    {'a': {'b': 'text', 'c': array([1., 2.])}}
    """
    imaging.require_file(path)
    with _whole(path):
        read = _read_hdf5 if is_hdf5(path) else _read_old
        return read(path, names, None if fields is None else frozenset(fields))


def names_in(path: Path) -> tuple[str, ...]:
    """Return the names of the variables of a MATLAB file, in the order of the file.

    Raises
    ------
    MissingInputError
        If the file is not there or was not fetched.
    UnreadableError
        If it is no MATLAB file, or ends early.
    """
    from scipy.io import whosmat

    imaging.require_file(path)
    with _whole(path):
        if is_hdf5(path):
            import h5py

            with h5py.File(path, "r") as file:
                return _visible(file)
        return tuple(str(name) for name, _, _ in whosmat(str(path)))


def is_hdf5(path: Path) -> bool:
    """Tell whether a file is HDF5, as MATLAB's format 7.3 is."""
    import h5py

    return bool(h5py.is_hdf5(path))


def text_of(codes: NDArray[Any]) -> str:
    """Return the text that HDF5 holds as UTF-16 codes, whatever the shape of `codes`."""
    units = np.asarray(codes).ravel(order="A").astype("<u2")
    return units.tobytes().decode("utf-16-le", errors="replace")


# --- formats 4 and 5


def _read_old(
    path: Path, names: Sequence[str] | None, only: frozenset[str] | None
) -> dict[str, Any]:
    from scipy.io import loadmat

    wanted = None if names is None else list(names)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ComplexWarning)
            found: dict[str, Any] = loadmat(str(path), variable_names=wanted, mat_dtype=True)
    except ComplexWarning:  # with MATLAB's classes, scipy would lose the imaginary part
        found = loadmat(str(path), variable_names=wanted)
    found = {name: value for name, value in found.items() if not name.startswith("__")}
    _require(path, names, found)
    if only is not None:
        found = {name: _with_fields(value, only) for name, value in found.items()}
    return {name: _plain(value) for name, value in found.items()}


def _with_fields(value: Any, only: frozenset[str]) -> Any:
    fields = getattr(value, "dtype", np.dtype(float)).names
    if fields is None or _hidden(value) is not None:
        return value
    return value[[name for name in fields if name in only]]


def _plain(value: Any) -> Any:
    """Return what scipy read as plain values."""
    if (hidden := _hidden(value)) is not None:
        return hidden
    if sparse.issparse(value):
        return sparse.csc_array(value)
    if isinstance(value, np.ndarray):
        return _array(value)
    return np.zeros(0) if value is None else value  # a cell that was never filled


def _hidden(value: Any) -> Opaque | None:
    """Return what stands for code or an object, None for data."""
    from scipy.io.matlab import MatlabFunction, MatlabObject, MatlabOpaque

    if isinstance(value, MatlabFunction):
        return Opaque("function_handle")
    if isinstance(value, MatlabObject):
        return Opaque(str(value.classname))
    if isinstance(value, MatlabOpaque):
        has_name = "s2" in (value.dtype.names or ()) and value.size
        kind = value["s2"].ravel()[0] if has_name else "object"
        return Opaque(kind.decode() if isinstance(kind, bytes) else str(kind))
    return None


def _array(value: NDArray[Any]) -> Any:
    fields = value.dtype.names
    if fields is not None:
        rows = _each(value, lambda item: {name: _plain(item[name]) for name in fields})
        return rows.item() if rows.size == 1 else _lists(rows)
    if value.dtype == object:
        return _lists(_each(value, _plain))
    if value.dtype.kind in "US":
        lines = [str(line) for line in value.ravel()]
        return lines[0] if len(lines) == 1 else (lines or "")
    return _number(value)


# --- format 7.3


def _read_hdf5(
    path: Path, names: Sequence[str] | None, only: frozenset[str] | None
) -> dict[str, Any]:
    import h5py

    with h5py.File(path, "r") as file:
        _require(path, names, _visible(file))
        wanted = _visible(file) if names is None else names
        return {name: _node(_member(file, name), 0, only) for name in wanted}


def _visible(file: Any) -> tuple[str, ...]:
    return tuple(name for name in file if not name.startswith("#"))


def _member(group: Any, name: str) -> Any:
    """Return a member of a group, never one that another file holds."""
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise UnreadableError(
            f"{group.file.filename} keeps {name!r} as a link to another place.",
            mend="Save the variables themselves: save(FILE, '-v7.3') in MATLAB.",
        )
    return group[name]


def _node(node: Any, depth: int, only: frozenset[str] | None = None) -> Any:
    """Return a group or dataset as plain values; of a structure, only some fields."""
    import h5py

    if depth > DEEPEST:
        raise UnreadableError(
            f"{node.file.filename} holds structures over {DEEPEST} deep, or going in circles.",
            mend="Save its variables again in MATLAB.",
        )
    kind = _kind(node)
    is_object = "MATLAB_object_decode" in node.attrs and kind not in (*CLASSES, "char", "cell")
    if kind == "function_handle" or (is_object and kind != "struct"):
        return Opaque(kind or "object")
    if isinstance(node, h5py.Group):
        return _sparse(node) if "MATLAB_sparse" in node.attrs else _structure(node, depth, only)
    if h5py.check_ref_dtype(node.dtype) is not None:
        return _lists(_references(node, depth))
    return _dataset(node, kind)


def _dataset(node: Any, kind: str) -> Any:
    """Return text or numbers, or what is empty."""
    import h5py

    if _attribute(node, "MATLAB_empty", 0):
        empty: dict[str, Any] = {"char": "", "cell": [], "struct": []}
        return empty.get(kind, np.zeros(0, dtype=_dtype(kind, np.dtype(np.float64))))
    if kind == "char":
        rows = [text_of(row) for row in np.atleast_2d(np.asarray(node[()]).T)]
        return rows[0] if len(rows) == 1 else rows
    if h5py.check_string_dtype(node.dtype) is not None:
        return _lists(_each(np.asarray(node.asstr()[()], dtype=object).T, str))
    values = np.asarray(node[()])
    if values.dtype.names is not None:
        values = values["real"] + 1j * values["imag"]
    return _number(values.T.astype(_dtype(kind, values.dtype), copy=False))


def _structure(group: Any, depth: int, only: frozenset[str] | None) -> Any:
    """Return a structure, or an array of them, of which each field holds one reference each."""
    import h5py

    fields = [name for name in _fields(group) if only is None or name in only]
    members = {name: _member(group, name) for name in fields}
    is_array = bool(members) and all(
        isinstance(m, h5py.Dataset) and h5py.check_ref_dtype(m.dtype) is not None and not _kind(m)
        for m in members.values()
    )
    if not is_array:
        return {name: _node(member, depth + 1) for name, member in members.items()}
    columns = {name: _references(member, depth) for name, member in members.items()}
    shapes = {column.shape for column in columns.values()}
    if len(shapes) > 1:
        raise UnreadableError(
            f"{group.file.filename} has fields of {group.name} with the shapes {sorted(shapes)}.",
            mend="Save its variables again in MATLAB.",
        )
    rows = np.empty(shapes.pop(), dtype=object)
    for place in np.ndindex(rows.shape):
        rows[place] = {name: column[place] for name, column in columns.items()}
    return rows.item() if rows.size == 1 else _lists(rows)


def _fields(group: Any) -> list[str]:
    """Return the fields of a structure in MATLAB's order."""
    told = group.attrs.get("MATLAB_fields", ())
    order = [b"".join(np.atleast_1d(name)).decode() for name in told]
    return [n for n in order if n in group] + [n for n in group if n not in order]


def _references(node: Any, depth: int) -> NDArray[np.object_]:
    """Return what a dataset of references leads to, in MATLAB's order of axes."""
    file = node.file
    return _each(
        np.asarray(node[()], dtype=object).T,
        lambda to: _node(file[to], depth + 1) if to else np.zeros(0),
    )


def _sparse(group: Any) -> Any:
    n_rows, starts = int(group.attrs["MATLAB_sparse"]), np.asarray(group["jc"][()], dtype=np.int64)
    kind = _kind(group)
    if "data" in group:
        data = np.asarray(group["data"][()])
        if data.dtype.names is not None:
            data = data["real"] + 1j * data["imag"]
        rows = np.asarray(group["ir"][()], dtype=np.int64)
    else:
        data, rows = np.zeros(0), np.zeros(0, dtype=np.int64)
    data = data.astype(_dtype(kind, data.dtype), copy=False)
    return sparse.csc_array((data, rows, starts), shape=(n_rows, len(starts) - 1))


def _kind(node: Any) -> str:
    kind = _attribute(node, "MATLAB_class", b"")
    return kind.decode() if isinstance(kind, bytes) else str(kind)


def _attribute(node: Any, name: str, otherwise: Any) -> Any:
    attributes = node.attrs
    if name not in attributes:  # `get` would raise and catch, which takes twice as long
        return otherwise
    return attributes[name]


def _dtype(kind: str, otherwise: np.dtype[Any]) -> np.dtype[Any]:
    """Return MATLAB's class as a dtype; complex and integers are stored as what they are."""
    if otherwise.kind == "c":
        return otherwise
    if kind.startswith(("int", "uint")):
        return np.dtype(kind)
    return np.dtype(CLASSES.get(kind, otherwise))


# --- both


def _each(values: NDArray[Any], make: Callable[[Any], Any]) -> NDArray[np.object_]:
    made = np.empty(values.shape, dtype=object)
    for place in np.ndindex(values.shape):
        made[place] = make(values[place])
    return made


def _lists(values: NDArray[np.object_]) -> list[Any]:
    """Return lists of lists, less the axes of length 1."""
    if not values.size:
        return []
    lists: list[Any] = np.atleast_1d(values.squeeze()).tolist()
    return lists


def _number(values: NDArray[Any]) -> Any:
    if not values.size:
        return np.zeros(0, dtype=values.dtype)
    return values.item() if values.size == 1 else values.squeeze()


def _require(path: Path, names: Sequence[str] | None, there: Any) -> None:
    if missing := [name for name in names or () if name not in there]:
        known = tuple(there) or names_in(path)
        raise MissingInputError(
            f"{path} holds no variable {missing[0]!r}.", mend=nearest(missing[0], known)
        )


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    """Turn what libraries raise while `path` is read into one error that says what is wrong."""
    from scipy.io.matlab import MatReadError

    try:
        yield
    except (MissingInputError, UnreadableError):
        raise
    except NotImplementedError as err:  # scipy, of a header that promises HDF5
        raise UnreadableError(
            f"{path} begins as a MATLAB file of format 7.3, but is no HDF5 file: it may end "
            "early.",
            mend="Fetch or copy it again.",
        ) from err
    except (*BROKEN, MatReadError) as err:
        raise UnreadableError(
            f"{path} cannot be read as a MATLAB file ({err}), {path.stat().st_size} bytes are "
            "there.",
            mend="Fetch or copy it again.",
        ) from err
