"""MATLAB files of format 7.3, written as MATLAB does: HDF5 with its attributes and references."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from scipy import sparse

from bids_dnn.ingest.matfile import Opaque

HEADER = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Thu Jan  1 1970 HDF5 schema 1.00 ."
USER_BLOCK = 512
NAMES = {"f4": "single", "f8": "double", "c16": "double", "c8": "single", "b1": "logical"}


def write_mat73(path: Path, variables: dict) -> Path:
    """Write `variables` (dict, list, str, number, array, sparse array) and return `path`.

    A dict is a 1 x 1 structure, a list of dicts a 1 x n array of structures, any other list or
    object array a cell array (1 x n where it is flat), str is text, a 1-D array a row.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", userblock_size=USER_BLOCK) as file:
        for name, value in variables.items():
            _write(file, name, value)
    with path.open("r+b") as stream:
        stream.write(HEADER.ljust(116) + bytes(8) + b"\x00\x02IM")
    return path


def _write(parent, name: str, value) -> None:
    if isinstance(value, Opaque):
        node = parent.create_dataset(name, data=np.zeros((1, 6), np.uint32))
        _told(node, value.matlab_class, object_decode=np.int32(3))
    elif isinstance(value, dict):
        _structure(parent, name, value)
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        _structures(parent, name, value)
    elif isinstance(value, (list, tuple)) or (
        isinstance(value, np.ndarray) and value.dtype == object
    ):
        _cells(parent, name, value)
    elif isinstance(value, str):
        _text(parent, name, [value])
    elif isinstance(value, np.ndarray) and value.dtype.kind == "U":
        _text(parent, name, list(value))
    elif sparse.issparse(value):
        _sparse(parent, name, value)
    else:
        _numbers(parent, name, value)


def _reference(parent, value):
    """Keep a value in ``#refs#`` and return the reference to it."""
    kept = parent.file.require_group("#refs#")
    place = kept.create_group(f"r{len(kept)}")  # what lies within gets names of its own
    _write(place, "value", value)
    return place["value"].ref


def _told(node, kind: str, **attributes) -> None:
    node.attrs["MATLAB_class"] = np.bytes_(kind)
    for key, value in attributes.items():
        node.attrs[f"MATLAB_{key}"] = value


def _fields(node, names) -> None:
    letters = np.empty(len(names), dtype=object)
    for i, name in enumerate(names):
        letters[i] = np.array([c.encode() for c in name], dtype="S1")
    node.attrs.create("MATLAB_fields", letters, dtype=h5py.vlen_dtype(np.dtype("S1")))


def _empty(parent, name: str, kind: str) -> None:
    _told(parent.create_dataset(name, data=np.zeros(2, np.uint64)), kind, empty=np.uint8(1))


def _structure(parent, name: str, value: dict) -> None:
    group = parent.create_group(name)
    _told(group, "struct")
    _fields(group, list(value))
    for field, item in value.items():
        _write(group, field, item)


def _structures(parent, name: str, value: list) -> None:
    group = parent.create_group(name)
    _told(group, "struct")
    _fields(group, list(value[0]))
    for field in value[0]:
        to = np.array([[_reference(parent, item[field])] for item in value], dtype=h5py.ref_dtype)
        group.create_dataset(field, data=to, dtype=h5py.ref_dtype)


def _cells(parent, name: str, value) -> None:
    cells = np.empty((1, len(value)), dtype=object)
    if isinstance(value, np.ndarray) and value.ndim == 2:
        cells = value
    else:
        cells[0] = [None] * len(value)
        for i, item in enumerate(value):
            cells[0, i] = item
    if not cells.size:
        _empty(parent, name, "cell")
        return
    to = np.empty(cells.T.shape, dtype=h5py.ref_dtype)
    for i, j in np.ndindex(to.shape):
        to[i, j] = _reference(parent, cells[j, i])
    _told(parent.create_dataset(name, data=to, dtype=h5py.ref_dtype), "cell")


def _text(parent, name: str, lines: list[str]) -> None:
    width = max(map(len, lines), default=0)
    if not width:
        _empty(parent, name, "char")
        return
    codes = [np.frombuffer(line.ljust(width).encode("utf-16-le"), np.uint16) for line in lines]
    data = np.array(codes).T  # (n_characters, n_lines), MATLAB's axes reversed
    _told(parent.create_dataset(name, data=data), "char", int_decode=np.int32(2))


def _sparse(parent, name: str, value) -> None:
    packed = sparse.csc_array(value)
    group = parent.create_group(name)
    _told(group, "double", sparse=np.uint64(packed.shape[0]))
    if packed.nnz:
        group.create_dataset("data", data=packed.data.astype(np.float64))
        group.create_dataset("ir", data=packed.indices.astype(np.uint64))
    group.create_dataset("jc", data=packed.indptr.astype(np.uint64))


def _numbers(parent, name: str, value) -> None:
    values = np.atleast_2d(np.asarray(value))
    if values.dtype == np.int64 and not isinstance(value, np.ndarray):
        values = values.astype(np.float64)  # a number typed in MATLAB is a double
    kind = NAMES.get(values.dtype.str[1:], values.dtype.name)
    if not values.size:
        _empty(parent, name, kind)
        return
    if kind == "logical":
        data = parent.create_dataset(name, data=values.T.astype(np.uint8))
        _told(data, kind, int_decode=np.int32(1))
        return
    if values.dtype.kind == "c":
        part = np.float32 if kind == "single" else np.float64
        pair = np.empty(values.T.shape, dtype=[("real", part), ("imag", part)])
        pair["real"], pair["imag"] = values.T.real, values.T.imag
        values = pair.T
    _told(parent.create_dataset(name, data=values.T), kind)
