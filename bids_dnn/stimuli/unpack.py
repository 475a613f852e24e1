"""Pictures kept in arrays -> PNG files, one slice at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bids_dnn import files, imaging
from bids_dnn.containers.pictures import PictureArray, Pictures
from bids_dnn.errors import MissingInputError, ShapeError, UnreadableError, nearest
from bids_dnn.stimuli.cells import hdf5_cells, old_cells

SOURCE = ".source"  # holds a fingerprint of the arrays from which pictures were made
COMPRESSION = 6  # of PNG; fixed, so that the same picture has the same bytes


def unpack(
    pictures: Pictures,
    wanted: Collection[str],
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Path]:
    """Write pictures out of arrays as PNG files.

    Parameters
    ----------
    pictures
        Where they are.
    wanted
        Stimulus ids; each of `pictures`.
    folder
        Where the files go, as ``<id>.png``. What is there already is not made again, unless the
        arrays are others than those from which it was made (by name, size and time of their
        files, and by all that `pictures` says of them).
    progress
        Called with the number of pictures done and of all, after each.

    Returns
    -------
    paths
        Id to file, in the order of `wanted`.

    Raises
    ------
    MissingInputError
        If an id has no picture, or a file is not there or was not fetched.
    UnreadableError
        If a file is damaged, lacks its array, or an id is no path below `folder`.
    ShapeError
        If an array has other axes than told, or another number of pictures.
    OutputError
        If a file cannot be written.
    """
    places = {name: a for a, array in enumerate(pictures.arrays) for name in array.names}
    if missing := [name for name in wanted if name not in places]:
        raise MissingInputError(
            f"{len(missing)} pictures are in no array, such as {missing[0]!r}.",
            mend=nearest(missing[0], list(places)[:1000]),
        )
    paths = {name: _path(folder, name) for name in wanted}
    _forget_others(pictures, folder)
    todo = [name for name in paths if not paths[name].exists()]
    n_done = len(paths) - len(todo)
    for number, array in enumerate(pictures.arrays):
        mine = {name for name in todo if places[name] == number}
        if not mine:
            continue
        with _slices(array) as get:
            for row in (i for i, name in enumerate(array.names) if name in mine):
                _write(paths[array.names[row]], _eight_bits(get(row), array))
                n_done += 1
                if progress is not None:
                    progress(n_done, len(paths))
    return paths


def _forget_others(pictures: Pictures, folder: Path) -> None:
    """Remove pictures that were made from other arrays, and note from which they are made."""
    if not all(array.path.is_file() for array in pictures.arrays):
        return  # said where they are read
    now = files.fingerprint_of([_source(array) for array in pictures.arrays])
    note = folder / SOURCE
    if note.is_file() and note.read_text(encoding="utf-8") == now:
        return
    if folder.is_dir():
        for name in pictures.names:
            _path(folder, name).unlink(missing_ok=True)
    files.write_text(note, now)


def _source(array: PictureArray) -> list[Any]:
    state = array.path.stat()
    told = [array.variable, array.axes, array.black, array.white, list(array.names)]
    return [array.path.name, state.st_size, state.st_mtime_ns, *told]


def _path(folder: Path, name: str) -> Path:
    below = Path(name)
    if not name or below.is_absolute() or ".." in below.parts:
        raise UnreadableError(
            f"A picture is named {name!r}, which is no path below {folder}.",
            mend="Give pictures plain names.",
        )
    return folder / f"{name}.png"


@contextmanager
def _slices(array: PictureArray) -> Iterator[Callable[[int], NDArray[Any]]]:
    """Give a function from the number of a picture to its slice, (y, x) or (y, x, 3 or 4)."""
    import h5py

    imaging.require_file(array.path)
    if not h5py.is_hdf5(array.path):
        found = _read_old(array)
        _fits(found, array)
        yield lambda row: _upright(found, row, array)
        return
    with imaging.whole(array.path):
        file = h5py.File(array.path, "r")
    with file:
        with imaging.whole(array.path):
            found = file.get(array.variable)
            found = hdf5_cells(found) or found
        _fits(found, array)
        yield lambda row: _upright(found, row, array)


def _read_old(array: PictureArray) -> Any:
    """Read an array out of a MATLAB file before 7.3, which has no slices."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        with imaging.whole(array.path):
            name, _, field = array.variable.partition(".")
            found = loadmat(str(array.path), variable_names=[name]).get(name)
            cells = None if found is None else old_cells(found, field)
            return found if cells is None else cells
    except (MatReadError, TypeError, NotImplementedError) as err:
        raise UnreadableError(
            f"{array.path} cannot be read as a MATLAB file ({err}).",
            mend="Fetch or copy it again.",
        ) from err


def _fits(found: Any, array: PictureArray) -> None:
    shape = getattr(found, "shape", None)
    if shape is None:
        raise UnreadableError(
            f"{array.path} holds no array {array.variable!r}.", mend="Fetch or copy it again."
        )
    n = len(array.names)
    if len(shape) != len(array.axes) or shape[array.axes.index("n")] != n:
        raise ShapeError(
            f"{array.path} has {array.variable} of shape {shape}; the axes {array.axes!r} with "
            f"{n} pictures were expected.",
            mend="Fetch or copy it again.",
        )


def _upright(found: Any, row: int, array: PictureArray) -> NDArray[Any]:
    place = tuple(row if axis == "n" else slice(None) for axis in array.axes)
    left = array.axes.replace("n", "")
    order = [left.index(axis) for axis in "yxc" if axis in left]
    with imaging.whole(array.path):
        picture = np.asarray(found[place]).transpose(order)
    return picture[:, :, 0] if picture.shape[2:] == (1,) else picture


def _eight_bits(values: NDArray[Any], array: PictureArray) -> NDArray[np.uint8]:
    if values.dtype == np.uint8 and (array.black, array.white) == (0, 255):
        return values
    share = (values.astype(np.float64) - array.black) / (array.white - array.black)
    return np.rint(255 * np.clip(np.nan_to_num(share), 0, 1)).astype(np.uint8)


def _write(path: Path, values: NDArray[np.uint8]) -> None:
    with files.writing(path) as aside:
        image = Image.fromarray(np.ascontiguousarray(values))
        image.save(aside, format="PNG", compress_level=COMPRESSION)
