"""Plain data out of a pickle, read by its opcodes: nothing that the file names is imported or run.

A pickle is a program for a small stack machine. This one knows the opcodes that build plain
values, and the few names by which numpy and old protocols write arrays, bytes and sets. For each
such name it makes the value itself; any other name stops the reading.
"""

from __future__ import annotations

import io
import math
import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from bids_dnn import imaging
from bids_dnn.errors import UnreadableError

PLAIN_TYPE = re.compile(r"[biufcSUO]\d*|\?")  # text of the dtypes that hold plain values
NPY_VERSIONS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
BROKEN = (ValueError, TypeError, IndexError, KeyError, OverflowError, MemoryError, EOFError)
ARRAYS = (("numpy", "ndarray"), ("numpy", "memmap"))
MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}  # as Python 2 called them


class _NotPlainError(Exception):
    """What the file asks for is no plain data."""


@dataclass(slots=True)
class _Shell:
    """An array or dtype of which the state is still to come, and where the memo keeps it."""

    dtype: np.dtype[Any] | None
    keys: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Machine:
    """Stack, marks and memo."""

    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    n_open: int = 0  # shells without a state

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if self.marks and len(self.stack) <= self.marks[-1]:
            raise IndexError("a mark stands where a value was expected")
        return self.stack.pop()

    def since_mark(self) -> list[Any]:
        start = self.marks.pop()
        found = self.stack[start:]
        del self.stack[start:]
        return found

    def remember(self, key: int) -> None:
        value = self.stack[-1]
        self.memo[key] = value
        if isinstance(value, _Shell):
            value.keys.append(key)

    def recall(self, key: int) -> None:
        value = self.memo[key]
        if isinstance(value, _Shell):
            raise _NotPlainError("an array that holds itself")
        self.push(value)


def read_pickle_data(data: bytes, *, name: str = "The pickle") -> Any:
    """Return the plain data that a pickle holds, without running anything in it.

    Parameters
    ----------
    data
        Of protocol 0 to 5.
    name
        What the file is called in messages.

    Returns
    -------
    value
        None, bool, int, float, complex, str, bytes, list, tuple, dict, set, and numpy arrays
        (read-only) and scalars of numbers, text or such values.

    Raises
    ------
    UnreadableError
        If it names anything but plain data and numpy arrays, or is cut short.

    Examples
    --------
    >>> import pickle
    >>> read_pickle_data(pickle.dumps({"V1": [1, 2]}))
    {'V1': [1, 2]}
    """
    return _read(io.BytesIO(data), name)


def read_npy_dict(path: Path) -> dict[Any, Any]:
    """Return the dictionary that ``numpy.save`` wrote, without running anything in the file.

    Parameters
    ----------
    path
        An ``.npy`` file of one Python object.

    Raises
    ------
    MissingInputError
        If the file is not there or was not fetched.
    UnreadableError
        If it names anything but plain data and numpy arrays, is cut short, has an unknown
        version, or holds something else than one dictionary.
    """
    imaging.require_file(path)
    with path.open("rb") as stream:
        shape, dtype = _npy_header(stream, path)
        if dtype != np.dtype(object):
            raise UnreadableError(
                f"{path} holds an array of {dtype} of shape {shape}; one dictionary was expected.",
                mend="Check that it is the right file.",
            )
        found = _read(stream, str(path))
    value = found.item() if isinstance(found, np.ndarray) and found.size == 1 else found
    if not isinstance(value, dict):
        raise UnreadableError(
            f"{path} holds a {type(value).__name__}; one dictionary was expected.",
            mend="Check that it is the right file.",
        )
    return value


def _npy_header(stream: BinaryIO, path: Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    try:
        version = np.lib.format.read_magic(stream)
        if version not in NPY_VERSIONS:
            raise ValueError(f"version {version} of the format, 1.0 or 2.0 was expected")
        shape, _, dtype = NPY_VERSIONS[version](stream)
    except BROKEN as err:
        raise UnreadableError(
            f"{path} is no whole .npy file ({err}).", mend="Fetch or copy it again."
        ) from err
    return shape, dtype


def _read(stream: BinaryIO, name: str) -> Any:
    machine = _Machine()
    try:
        for opcode, arg, _ in pickletools.genops(stream):
            if opcode.name not in OPCODES:
                raise _NotPlainError(f"the opcode {opcode.name}")
            OPCODES[opcode.name](machine, arg)
        if machine.n_open:
            raise _NotPlainError("an array without its numbers")
        return machine.pop()
    except _NotPlainError as err:
        raise UnreadableError(
            f"{name} holds {err}, where plain data and numpy arrays were expected; nothing in it "
            "was run.",
            mend="Do not open it with other programs before you know who wrote it; save the "
            "numbers with numpy.save or as HDF5.",
        ) from err
    except BROKEN as err:
        raise UnreadableError(
            f"{name} is no whole pickle ({err}); nothing in it was run.",
            mend="Fetch or copy it again.",
        ) from err


# --- names: what numpy and old protocols call to make values, made here instead


def _bytes_of(value: Any) -> bytes:
    return value.encode("latin-1") if isinstance(value, str) else bytes(_exactly(value, bytes))


def _exactly(value: Any, *kinds: type) -> Any:
    if not isinstance(value, (*kinds, bytearray) if bytes in kinds else kinds):
        raise TypeError(f"{type(value).__name__} where {kinds[0].__name__} was expected")
    return value


def _dtype_of(value: Any) -> np.dtype[Any]:
    dtype: np.dtype[Any] = _exactly(value, np.dtype)
    return dtype


def _shape_of(value: Any) -> tuple[int, ...]:
    shape = tuple(_exactly(n, int) for n in _exactly(value, tuple))
    if any(n < 0 for n in shape):
        raise ValueError(f"the shape {shape}")
    return shape


def _array(data: Any, dtype: np.dtype[Any], shape: tuple[int, ...], order: str) -> Any:
    n = math.prod(shape)
    if dtype.hasobject:
        if len(_exactly(data, list)) != n:
            raise ValueError(f"{len(data)} values for the shape {shape}")
        made = np.empty(n, dtype=object)
        for i, value in enumerate(data):
            made[i] = value
        return made.reshape(shape, order="F" if order == "F" else "C")
    raw = _bytes_of(data)
    if len(raw) != n * dtype.itemsize:
        raise ValueError(f"{len(raw)} bytes for the shape {shape} of {dtype}")
    flat = np.frombuffer(raw, dtype=dtype) if raw else np.zeros(n, dtype=dtype)
    return flat.reshape(shape, order="F" if order == "F" else "C")


def _make_shell(machine: _Machine, dtype: np.dtype[Any] | None) -> _Shell:
    machine.n_open += 1
    return _Shell(dtype)


def _start_array(machine: _Machine, kind: Any, *_rest: Any) -> Any:
    if kind not in ARRAYS:
        raise _NotPlainError(f"an array of the kind {kind!r}")
    return _make_shell(machine, None)


def _start_dtype(machine: _Machine, text: Any, *_rest: Any) -> Any:
    if not isinstance(text, str) or not PLAIN_TYPE.fullmatch(text):
        raise _NotPlainError(f"numbers of the type {text!r}")
    return _make_shell(machine, np.dtype(text))


def _scalar(_machine: _Machine, dtype: Any, data: Any) -> Any:
    return _array(data, _dtype_of(dtype), (1,), "C")[0]


def _from_buffer(_machine: _Machine, data: Any, dtype: Any, shape: Any, order: Any) -> Any:
    return _array(data, _dtype_of(dtype), _shape_of(shape), str(order))


def _encode(_machine: _Machine, text: Any, encoding: Any = "latin1") -> bytes:
    if str(encoding).replace("-", "").lower() not in ("latin1", "utf8", "ascii"):
        raise _NotPlainError(f"text in the encoding {encoding!r}")
    encoded: bytes = _exactly(text, str).encode(encoding)
    return encoded


def _plain_bytes(_machine: _Machine, data: Any = b"", *_encoding: Any) -> bytes:
    return _bytes_of(data)


def _keys(values: Any) -> Any:
    nested = (v for v in _exactly(values, list, tuple) if isinstance(v, tuple))
    if any(isinstance(part, tuple) for v in nested for part in v):  # their hash would recurse
        raise _NotPlainError("a key of nested tuples")
    return values


def _complex(_machine: _Machine, real: Any = 0.0, imaginary: Any = 0.0) -> complex:
    return complex(_exactly(real, float, int), _exactly(imaginary, float, int))


Make = Callable[..., Any]
MAKERS: dict[tuple[str, str], Make] = {
    ("numpy._core.multiarray", "_reconstruct"): _start_array,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
    ("numpy", "dtype"): _start_dtype,
    ("_codecs", "encode"): _encode,
    ("builtins", "bytes"): _plain_bytes,
    ("builtins", "bytearray"): _plain_bytes,
    ("builtins", "set"): lambda _, values=(): set(_keys(values)),
    ("builtins", "frozenset"): lambda _, values=(): frozenset(_keys(values)),
    ("builtins", "complex"): _complex,
    ("collections", "OrderedDict"): lambda _: {},
}


# --- opcodes


def _name(machine: _Machine, module: Any, name: Any) -> None:
    home = MODULES.get(str(module), str(module))
    home = re.sub(r"^numpy\.core\b", "numpy._core", home)
    key = (home, str(name))
    if key not in MAKERS and key not in ARRAYS:
        raise _NotPlainError(f"the name {module}.{name}")
    machine.push(key)


def _reduce(machine: _Machine, _arg: Any) -> None:
    args, function = machine.pop(), machine.pop()
    if not isinstance(function, tuple) or function not in MAKERS:
        raise _NotPlainError(f"a call of {function!r}"[:200])
    machine.push(MAKERS[function](machine, *_exactly(args, tuple)))


def _build(machine: _Machine, _arg: Any) -> None:
    state, shell = _exactly(machine.pop(), tuple), machine.pop()
    if not isinstance(shell, _Shell):
        raise _NotPlainError(f"a state for a {type(shell).__name__}")
    machine.n_open -= 1
    made: Any
    if shell.dtype is None:  # version, shape, dtype, whether Fortran order, data
        *_, shape, dtype, is_fortran, data = state
        order = "F" if is_fortran else "C"
        made = _array(data, _dtype_of(dtype), _shape_of(shape), order)
    else:  # version, byte order, sub-array, names, fields, size, alignment, flags
        _, order, *parts = state
        if len(state) != 8 or any(part is not None for part in parts[:3]):
            raise _NotPlainError("an array of records")
        made = shell.dtype.newbyteorder(order) if order in ("<", ">") else shell.dtype
    for key in shell.keys:
        machine.memo[key] = made
    machine.push(made)


def _set_items(machine: _Machine, pairs: list[Any]) -> None:
    target = _exactly(machine.stack[-1], dict)
    target.update(zip(_keys(pairs[::2]), pairs[1::2], strict=True))


def _ignore(_machine: _Machine, _arg: Any) -> None:
    pass


def _push(machine: _Machine, arg: Any) -> None:
    machine.push(arg)


def _pop_top(machine: _Machine, _arg: Any) -> None:
    if machine.marks and len(machine.stack) == machine.marks[-1]:
        machine.marks.pop()
    else:
        machine.pop()


def _last(machine: _Machine, n: int) -> tuple[Any, ...]:
    return tuple([machine.pop() for _ in range(n)][::-1])


Step = Callable[[_Machine, Any], None]
VALUES = (
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE"),
    *("BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
)
OPCODES: dict[str, Step] = {
    **dict.fromkeys(VALUES, _push),
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), _ignore),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), lambda m, arg: m.remember(int(arg))),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda m, arg: m.recall(int(arg))),
    "MEMOIZE": lambda m, _: m.remember(len(m.memo)),
    "MARK": lambda m, _: m.marks.append(len(m.stack)),
    "POP": _pop_top,
    "POP_MARK": lambda m, _: m.since_mark().clear(),
    "DUP": lambda m, _: m.push(m.stack[-1]),
    "NONE": lambda m, _: m.push(None),
    "NEWTRUE": lambda m, _: m.push(True),  # noqa: FBT003
    "NEWFALSE": lambda m, _: m.push(False),  # noqa: FBT003
    "EMPTY_LIST": lambda m, _: m.push([]),
    "EMPTY_TUPLE": lambda m, _: m.push(()),
    "EMPTY_DICT": lambda m, _: m.push({}),
    "EMPTY_SET": lambda m, _: m.push(set()),
    "LIST": lambda m, _: m.push(m.since_mark()),
    "TUPLE": lambda m, _: m.push(tuple(m.since_mark())),
    "FROZENSET": lambda m, _: m.push(frozenset(_keys(m.since_mark()))),
    "TUPLE1": lambda m, _: m.push(_last(m, 1)),
    "TUPLE2": lambda m, _: m.push(_last(m, 2)),
    "TUPLE3": lambda m, _: m.push(_last(m, 3)),
    "APPEND": lambda m, _: _exactly(m.stack[-2], list).append(m.pop()),
    "APPENDS": lambda m, _: (lambda new: _exactly(m.stack[-1], list).extend(new))(m.since_mark()),
    "ADDITEMS": lambda m, _: (lambda new: _exactly(m.stack[-1], set).update(_keys(new)))(
        m.since_mark()
    ),
    "DICT": lambda m, _: m.push(_pairs(m.since_mark())),
    "SETITEM": lambda m, _: _set_items(m, list(_last(m, 2))),
    "SETITEMS": lambda m, _: _set_items(m, m.since_mark()),
    "GLOBAL": lambda m, arg: _name(m, *str(arg).split(" ", 1)),
    "STACK_GLOBAL": lambda m, _: _name(m, *_last(m, 2)),
    "REDUCE": _reduce,
    "BUILD": _build,
}


def _pairs(values: list[Any]) -> dict[Any, Any]:
    return dict(zip(_keys(values[::2]), values[1::2], strict=True))
