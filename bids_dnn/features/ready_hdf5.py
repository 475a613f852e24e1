"""Features in HDF5 files, those of MATLAB's format 7.3 among them."""

from __future__ import annotations

from functools import partial
from pathlib import Path, PurePosixPath

import h5py
import numpy as np

from bids_dnn.features.ready_files import Stored, Values, whole
from bids_dnn.features.ready_ids import NAMES, as_names

CLASS = "MATLAB_class"  # the attribute that tells a file of MATLAB


def datasets(path: Path) -> dict[str, Stored]:
    """Return the data sets of a file by their path, such as ``conv1`` or ``alexnet/conv1``.

    Parameters
    ----------
    path
        Links to other files are not followed. One called as in `ready_ids.NAMES` holds the ids
        of its group and of the groups below. MATLAB's arrays are turned, so that their first
        axis comes first.

    Returns
    -------
    stored
        Those that are no ids.
    """
    found: dict[str, Stored] = {}
    ids: dict[str, tuple[str, ...]] = {}

    with h5py.File(path, "r") as file:

        def visit(name: str, item: object) -> None:
            if not isinstance(item, h5py.Dataset) or name.startswith("#"):
                return
            place = PurePosixPath(name)
            if place.name in NAMES:
                made = _ids(file, item)
                home = str(place.parent)
                if made and (home not in ids or _rank(place.name) < _rank(names[home])):
                    ids[home], names[home] = made, place.name
            elif item.shape and not _is_text(item):
                shape = item.shape[::-1] if CLASS in item.attrs else item.shape
                read = partial(_read, path, name)
                found[name] = Stored(tuple(map(int, shape)), item.dtype, read, (path,))

        names: dict[str, str] = {}
        file.visititems(visit)

    return {
        name: Stored(one.shape, one.dtype, one.read, one.files, _nearest_ids(name, ids))
        for name, one in found.items()
    }


def _rank(name: str) -> int:
    return NAMES.index(name)


def _nearest_ids(name: str, ids: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the ids of the nearest group that holds some, from the inside out."""
    homes = [str(parent) for parent in PurePosixPath(name).parents]
    return next((ids[home] for home in homes if home in ids), ())


def _read(path: Path, name: str) -> Values:
    with whole(path), h5py.File(path, "r") as file:
        values: Values = file[name][...]
        return values.T if CLASS in file[name].attrs else values


def _is_text(item: h5py.Dataset) -> bool:
    is_char = item.attrs.get(CLASS, b"") in (b"char", b"cell")
    return is_char or item.dtype.kind not in "fiub"


def _ids(file: h5py.File, item: h5py.Dataset) -> tuple[str, ...]:
    kind = item.attrs.get(CLASS, b"")
    if kind == b"cell" or h5py.check_ref_dtype(item.dtype):
        return tuple(_characters(file[one]) for one in item[...].T.ravel())
    if kind == b"char":  # a matrix, a row a name
        return tuple(map(_text, np.atleast_2d(item[...].T)))
    if h5py.check_string_dtype(item.dtype) is not None:
        return as_names(item[...].ravel().tolist())
    return as_names(item[...].T.ravel().tolist()) if item.dtype.kind in "iu" else ()


def _characters(item: h5py.Dataset) -> str:
    values = item[...]
    return _text(values.T.ravel()) if values.dtype.kind == "u" else str(values.ravel()[0])


def _text(codes: Values) -> str:
    return codes.astype("<u2").tobytes().decode("utf-16-le", "replace").strip().strip("\0")
