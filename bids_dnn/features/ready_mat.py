"""Features in MATLAB files of format 4 to 7.3."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.io import loadmat, whosmat
from scipy.io.matlab import MatReadError, MatReadWarning

from bids_dnn.errors import UnreadableError
from bids_dnn.features.ready_files import Stored, Values, held, whole
from bids_dnn.features.ready_hdf5 import datasets
from bids_dnn.features.ready_ids import NAMES, as_names, ids_beside

SUFFIX = re.compile(r"\.\w+$")
NUMBERS: dict[str, np.dtype[Any]] = {
    name: np.dtype(name)
    for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
} | {"single": np.dtype("f4"), "double": np.dtype("f8"), "logical": np.dtype("?")}


def variables(path: Path) -> dict[str, Stored]:
    """Return the variables of a file by name; fields of a structure as ``structure/field``.

    Parameters
    ----------
    path
        One called as in `ready_ids.NAMES` holds the ids: a cell array, or a matrix of
        characters. Where each variable is one row and all rows are of one length, or a list
        beside the file names the variables, each is a stimulus, as THINGSvision writes it; they
        are returned as one array, called after the file.

    Raises
    ------
    UnreadableError
        If it is no MATLAB file.
    """
    if h5py.is_hdf5(path):
        stored = datasets(path)
        return _by_row(path, stored, lambda names: {name: stored[name].read() for name in names})
    try:
        told = whosmat(str(path))
        ids = _ids(path, {name for name, _, _ in told})
        found: dict[str, Stored] = {}
        for name, shape, kind in told:
            if kind in NUMBERS:
                read = partial(_load, path, name)
                found[name] = Stored(tuple(shape), NUMBERS[kind], read, (path,), ids)
            elif kind == "struct":
                found |= _fields(path, name, ids)
    except (MatReadError, NotImplementedError) as err:
        raise UnreadableError(
            f"{path} is no MATLAB file that can be read ({err}).", mend="Copy it again."
        ) from err
    plain = {name: one for name, one in found.items() if name not in NAMES}
    return _by_row(path, plain, partial(_load_all, path))


def _by_row(
    path: Path,
    found: Mapping[str, Stored],
    read_all: Callable[[Sequence[str]], Mapping[str, Values]],
) -> dict[str, Stored]:
    """Join variables that are one stimulus each: all are one row, or a list beside names them."""
    shapes = {one.shape for one in found.values()}
    if len(found) < 2 or len(shapes) > 1 or any(one.ids for one in found.values()):
        return dict(found)
    listed, _ = ids_beside(path)
    stems = [SUFFIX.sub("", name) for name in listed]
    if len(set(stems)) == len(stems) and set(stems) == set(found):
        names, ids = stems, listed
    elif next(iter(shapes))[:1] == (1,):
        names, ids = list(found), tuple(found)
    else:
        return dict(found)
    first = found[names[0]]

    def read() -> Values:
        rows = read_all(names)  # at once: scipy goes through the whole file for each call
        return np.stack([rows[name].ravel() for name in names])

    shape = (len(names), math.prod(first.shape))
    return {path.stem: Stored(shape, first.dtype, read, (path,), ids)}


def _ids(path: Path, there: set[str]) -> tuple[str, ...]:
    found = next((name for name in NAMES if name in there), None)
    if found is None:
        return ()
    return _names(_load(path, found))


def _names(values: Values) -> tuple[str, ...]:
    if values.dtype == object:  # a cell array
        return tuple("".join(map(str, np.ravel(one))).strip() for one in values.ravel())
    return as_names(values.ravel().tolist())


def _fields(path: Path, name: str, ids: tuple[str, ...]) -> dict[str, Stored]:
    values = _load(path, name)
    if values.size != 1 or values.dtype.names is None:
        return {}
    inside: dict[str, Any] = {field: values[field].item() for field in values.dtype.names}
    if told := [field for field in NAMES if field in inside]:
        ids = _names(np.asarray(inside[told[0]]))
    return {
        f"{name}/{field}": held(one, path, ids)
        for field, one in inside.items()
        if isinstance(one, np.ndarray) and one.dtype.kind in "fiub" and field not in NAMES
    }


def _load(path: Path, name: str) -> Values:
    return _load_all(path, [name])[name]


def _load_all(path: Path, names: Sequence[str]) -> dict[str, Values]:
    with whole(path), warnings.catch_warnings():
        warnings.simplefilter("ignore", MatReadWarning)  # variables that we do not read
        found: dict[str, Values] = loadmat(str(path), variable_names=list(names))
    return found
