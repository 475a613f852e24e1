"""Arrays in files of HDF5 and MATLAB: their shapes, names beside them, least and greatest."""

from __future__ import annotations

import math
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from bids_dnn.errors import UnreadableError
from bids_dnn.stimuli.cells import hdf5_cells, old_cells, texts_of

Kind = Literal["uint8", "logical", "whole", "real"]
BLOCK_BYTES = 64 * 1024**2  # read at once
MATLAB_HEADER = b"MATLAB 7.3 MAT-file"
KINDS: dict[str, Kind] = {
    **{"uint8": "uint8", "logical": "logical", "single": "real", "double": "real"},
    **{"int8": "whole", "int16": "whole", "int32": "whole", "int64": "whole"},
    **{"uint16": "whole", "uint32": "whole", "uint64": "whole"},
}  # of MATLAB's classes
MOST_AXES = 4
BROKEN = (ValueError, TypeError, KeyError, IndexError, OSError, EOFError, RuntimeError, zlib.error)


@dataclass(frozen=True, slots=True)
class Stored:
    """An array of numbers with 3 or 4 axes, or a list of pictures that counts as one.

    Parameters
    ----------
    variable
        Its name, with ``/`` between groups of HDF5, and ``.`` before a field of a structure array
        of MATLAB's older formats.
    shape
        In the order of the program that wrote it; of a list, its length and the first picture.
    kind
        Of the numbers; ``whole`` and ``real`` have no black and white of their own.
    is_matlab
        Whether MATLAB or Octave wrote it, which put the pictures last by habit.
    is_reversed
        Whether numpy shows its axes in the reverse order.
    is_list
        Whether MATLAB keeps the pictures one by one; then the first axis counts them.
    """

    variable: str
    shape: tuple[int, ...]
    kind: Kind
    is_matlab: bool = False
    is_reversed: bool = False
    is_list: bool = False


class Reader(Protocol):
    """What is asked of a file of either kind."""

    def arrays(self) -> list[Stored]:
        """Return the arrays of numbers with 3 or 4 axes, and lists of pictures."""

    def names_beside(
        self, variable: str, lengths: Collection[int], numbered: Sequence[str]
    ) -> list[tuple[str, tuple[str, ...]]]:
        """Return arrays of text beside an array, and those of numbers with certain names.

        Parameters
        ----------
        variable
            The array.
        lengths
            How many names there may be.
        numbered
            Names of arrays of which whole numbers are names too.
        """

    def extremes(self, variable: str) -> tuple[float, float]:
        """Return the least and the greatest value, NaN left out; NaN where there is none."""


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """Open a file of HDF5 (MATLAB's format 7.3 too) or of MATLAB's formats before.

    Raises
    ------
    UnreadableError
        If it is neither, or damaged; the reader's functions raise it too.
    """
    import h5py

    if not h5py.is_hdf5(path):
        yield _Old(path)
        return
    with _whole(path):
        file = h5py.File(path, "r")
    with file:
        yield _Hdf5(path, file)


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    """Turn what h5py and scipy raise for damaged files into one error."""
    from scipy.io.matlab import MatReadError

    try:
        yield
    except (*BROKEN, MatReadError) as err:
        raise UnreadableError(
            f"{path} cannot be read as a file of HDF5 or MATLAB ({err}), {path.stat().st_size} "
            "bytes are there.",
            mend="Fetch or copy it again.",
        ) from err


class _Hdf5:
    """HDF5; links to other files are never followed."""

    def __init__(self, path: Path, file: Any) -> None:
        self.path, self.file = path, file
        with path.open("rb") as stream:
            is_73 = stream.read(len(MATLAB_HEADER)) == MATLAB_HEADER
        self.is_matlab = is_73 or path.suffix.lower() == ".mat"

    def arrays(self) -> list[Stored]:
        import h5py

        found: list[Stored] = []

        def visit(name: str, node: Any) -> None:
            if not isinstance(node, h5py.Dataset) or name.startswith("#"):
                return
            cells = hdf5_cells(node)
            if cells is not None and cells.are_pictures(is_reversed=True):
                shape = (cells.shape[0], *cells.shape[:0:-1])
                matlab = {"is_matlab": True, "is_reversed": True, "is_list": True}
                found.append(Stored(name, shape, _kind(*cells.items), **matlab))
            elif _is_stack(node):
                is_matlab = self.is_matlab or "MATLAB_class" in node.attrs
                shape = node.shape[::-1] if is_matlab else node.shape
                lengths = tuple(int(n) for n in shape)
                found.append(Stored(name, lengths, _kind(node), is_matlab, is_matlab))

        with _whole(self.path):
            self.file.visititems(visit)
        return found

    def names_beside(
        self, variable: str, lengths: Collection[int], numbered: Sequence[str]
    ) -> list[tuple[str, tuple[str, ...]]]:
        import h5py

        found = []
        with _whole(self.path):
            group = self.file[variable].parent
            for name in group:
                if isinstance(group.get(name, getlink=True), h5py.HardLink):
                    names = self._names(group[name], lengths, is_numbered=name in numbered)
                    found += [(name, names)] if names else []
        return found

    def _names(self, node: Any, lengths: Collection[int], *, is_numbered: bool) -> tuple[str, ...]:
        import h5py

        if not isinstance(node, h5py.Dataset) or node.external or node.is_virtual:
            return ()
        if _class(node) == "char":  # one row of text for each picture
            is_long = len(node.shape) == 2 and node.shape[1] in lengths
            return tuple(map(_utf16, np.asarray(node[()]).T)) if is_long else ()
        if not _is_list(node.shape, lengths):
            return ()
        if h5py.check_string_dtype(node.dtype) is not None:
            return tuple(str(one) for one in np.asarray(node.asstr()[()]).ravel())
        if h5py.check_ref_dtype(node.dtype) is not None:
            told = [self._text(to) for to in np.asarray(node[()]).ravel()]
            texts = tuple(text for text in told if text is not None)
            return texts if len(texts) == len(told) else ()
        return _numbers(np.asarray(node[()])) if is_numbered and node.dtype.kind in "uif" else ()

    def _text(self, to: Any) -> str | None:
        node = self.file[to] if to else None
        return None if node is None or _class(node) != "char" else _utf16(np.asarray(node[()]))

    def extremes(self, variable: str) -> tuple[float, float]:
        node = self.file[variable]
        if (cells := hdf5_cells(node)) is not None:
            with _whole(self.path):
                return _extremes(item[()] for item in cells.items)
        row = max(1, node.dtype.itemsize * math.prod(node.shape[1:]))
        step = max(1, BLOCK_BYTES // row)
        rows = (slice(i, i + step) for i in range(0, node.shape[0], step))
        with _whole(self.path):
            return _extremes(node[at] for at in (node.iter_chunks() if node.chunks else rows))


class _Old:
    """MATLAB's formats before 7.3, in which an array can be read as a whole only."""

    def __init__(self, path: Path) -> None:
        from scipy.io import whosmat

        self.path = path
        with _whole(path):
            self.stored = [(str(n), tuple(map(int, s)), str(c)) for n, s, c in whosmat(str(path))]

    def arrays(self) -> list[Stored]:
        found = []
        for name, shape, what in self.stored:
            if what in KINDS and len(shape) in (3, MOST_AXES) and 0 not in shape:
                found.append(Stored(name, shape, KINDS[what], is_matlab=True))
            elif what in ("cell", "struct") and math.prod(shape) > 1:
                value = self._read(name)
                for field in value.dtype.names or ("",):
                    cells = old_cells(value, field)
                    if cells is not None and cells.are_pictures(is_reversed=False):
                        full = f"{name}.{field}" if field else name
                        kind = _kind(*cells.items)
                        found.append(Stored(full, cells.shape, kind, is_matlab=True, is_list=True))
        return found

    def names_beside(
        self, variable: str, lengths: Collection[int], numbered: Sequence[str]
    ) -> list[tuple[str, tuple[str, ...]]]:
        name, _, own = variable.partition(".")
        if own:
            value = self._read(name)
            fields = [field for field in value.dtype.names if field != own]
            told = [(field, texts_of(old_cells(value, field))) for field in fields]
            return [(field, names) for field, names in told if len(names) in lengths]
        found = []
        for name, shape, what in self.stored:
            names: tuple[str, ...] = ()
            if what == "char" and shape and shape[0] in lengths:
                names = tuple(str(row).strip() for row in np.ravel(self._read(name)))
            elif what == "cell" and _is_list(shape, lengths):
                names = texts_of(old_cells(self._read(name)))
            elif name in numbered and what in KINDS and _is_list(shape, lengths):
                names = _numbers(self._read(name))
            found += [(name, names)] if names else []
        return found

    def extremes(self, variable: str) -> tuple[float, float]:
        name, _, field = variable.partition(".")
        value = self._read(name)
        cells = old_cells(value, field)
        return _extremes([value] if cells is None else cells.items)

    def _read(self, name: str) -> Any:
        from scipy.io import loadmat

        with _whole(self.path):
            return loadmat(str(self.path), variable_names=[name])[name]


def _is_stack(node: Any) -> bool:
    is_array = len(node.shape) in (3, MOST_AXES) and 0 not in node.shape
    return is_array and node.dtype.kind in "buif" and not node.external and not node.is_virtual


def _kind(*nodes: Any) -> Kind:
    kinds = {node.dtype.kind for node in nodes}
    if kinds == {"b"} or all(_class(node) == "logical" for node in nodes):
        return "logical"
    if "f" in kinds:
        return "real"
    return "uint8" if all(node.dtype == np.uint8 for node in nodes) else "whole"


def _class(node: Any) -> str:
    """Return MATLAB's class, "" where none is told."""
    told = getattr(node, "attrs", {}).get("MATLAB_class", b"")
    return told.decode() if isinstance(told, bytes) else str(told)


def _is_list(shape: Sequence[int], lengths: Collection[int]) -> bool:
    return bool(shape) and max(shape) in lengths and math.prod(shape) == max(shape)


def _utf16(codes: Any) -> str:
    units = np.ravel(codes).astype("<u2")
    return units.tobytes().decode("utf-16-le", errors="replace").strip()


def _numbers(values: Any) -> tuple[str, ...]:
    """Return whole numbers as names, () where one is none."""
    flat = np.ravel(values).astype(np.float64)
    if not np.isfinite(flat).all() or (flat != np.rint(flat)).any():
        return ()
    return tuple(str(int(value)) for value in flat)


def _extremes(blocks: Any) -> tuple[float, float]:
    low, high = math.nan, math.nan
    for block in blocks:
        known = np.asarray(block)[~np.isnan(block)]
        if known.size and not np.iscomplexobj(known):
            low = float(np.fmin(low, known.min()))
            high = float(np.fmax(high, known.max()))
    return low, high
