"""The numbers in a session's files of the Natural Scenes Dataset, for some units only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from bids_dnn import imaging
from bids_dnn.containers.space import HEMISPHERES, Grid, Surface
from bids_dnn.errors import ShapeError, SpaceError, UnreadableError
from bids_dnn.ingest.ready.common import dataset, hdf5
from bids_dnn.ingest.ready.images import VOLUMES, read_on_grid
from bids_dnn.ingest.ready.settle import Floats

SCALE = np.float32(300)  # betas as whole numbers are 300 times percent signal change
VERTICES = 16_384  # columns that are read at once


def read_volume_betas(path: Path, grid: Grid) -> Floats:
    """Return the betas of a session in the voxels of `grid`, (n_trials, n_units), percent.

    Parameters
    ----------
    path
        ``betas_sessionNN.hdf5`` (trials, z, y, x; as published, it keeps all trials of a voxel
        together, and only the voxels of `grid` are read) or ``.nii.gz``.
    grid
        Which voxels.

    Raises
    ------
    MissingInputError
        If the file is not there or was not fetched.
    UnreadableError
        If it is damaged, or holds other than 16-bit whole numbers.
    SpaceError
        If it has another grid.
    """
    if path.name.endswith(".nii.gz"):
        image = imaging.load(path)
        _check_type(image.header.get_data_dtype(), path)
        return read_on_grid(path, grid) / SCALE
    with hdf5(path) as file:
        array = dataset(file, "betas")
        _check_type(array.dtype, path)
        if array.shape[:0:-1] != grid.shape:
            raise SpaceError(
                f"{path} has betas on {array.shape[:0:-1]}, the brain mask lies on {grid.shape}.",
                mend="Give betas, mask and regions of one preparation, such as func1pt8mm.",
            )
        x, y, z = (axis.tolist() for axis in np.unravel_index(grid.index, grid.shape))
        if array.chunks is not None and array.chunks[1:] == (1, 1, 1):
            found = np.empty((len(grid), len(array)), dtype=np.int16)
            for unit in np.lexsort((x, y, z)):  # in the order of the file
                found[unit] = array[:, z[unit], y[unit], x[unit]]
            return np.divide(found.T, SCALE, dtype=np.float32)
        values = np.empty((len(array), len(grid)), dtype=np.float32)
        for plane in sorted(set(z)):
            units = np.flatnonzero(np.equal(z, plane))
            part = array[:, plane]
            values[:, units] = part[:, np.take(y, units), np.take(x, units)]
        return np.divide(values, SCALE, out=values)


def n_vertices(path: Path) -> int:
    """Return the vertices of the hemisphere on which a session's betas lie.

    Raises
    ------
    MissingInputError
        If the file is not there or was not fetched.
    UnreadableError
        If it is damaged.
    """
    if path.suffix == ".mgh":
        return int(_mgh(path).shape[0])
    with hdf5(path) as file:
        return int(dataset(file, "betas").shape[-1])


def read_surface_betas(left: Path, right: Path, surface: Surface) -> Floats:
    """Return the betas of a session in the vertices of `surface`, (n_trials, n_units), percent.

    Parameters
    ----------
    left, right
        ``?h.betas_sessionNN.hdf5`` (trials, vertices; whole numbers) or ``.mgh`` (percent).
    surface
        Which vertices, the left ones first.

    Raises
    ------
    MissingInputError
        If a file is not there or was not fetched.
    UnreadableError
        If one is damaged, or the HDF5 file holds other than 16-bit whole numbers.
    SpaceError
        If one has another number of vertices.
    ShapeError
        If the two differ in trials.
    """
    parts = []
    for hemisphere, path, n in zip(HEMISPHERES, (left, right), surface.n_vertices, strict=True):
        if (found := n_vertices(path)) != n:
            raise SpaceError(
                f"{path} has {found} vertices, other sessions or masks have {n}.",
                mend="Fetch the files of one surface.",
            )
        read = _of_mgh if path.suffix == ".mgh" else _of_hdf5
        parts.append(read(path, surface.vertices(hemisphere)))
    if len(parts[0]) != len(parts[1]):
        raise ShapeError(
            f"{left} has {len(parts[0])} trials, {right} has {len(parts[1])}.",
            mend="Fetch or copy both again.",
        )
    return np.concatenate(parts, axis=1)


def _of_hdf5(path: Path, vertices: NDArray[np.int64]) -> Floats:
    with hdf5(path) as file:
        array = dataset(file, "betas")
        _check_type(array.dtype, path)
        values = np.empty((len(array), len(vertices)), dtype=np.float32)
        for start in range(0, array.shape[1], VERTICES):
            here = np.flatnonzero((vertices >= start) & (vertices < start + VERTICES))
            if here.size:
                part = array[:, start : start + VERTICES]
                values[:, here] = part[:, vertices[here] - start]
        return np.divide(values, SCALE, out=values)


def _mgh(path: Path) -> NDArray[np.float32]:
    """Return what an ``.mgh`` file holds, (n_vertices, n_trials), not read yet."""
    imaging.require_file(path)
    image: Any = nib.MGHImage  # nibabel has no types for it
    with imaging.whole(path), path.open("rb") as stream:  # nibabel would leave the file open
        try:
            header = image.header_class.from_fileobj(stream)
        except TypeError as err:  # of a header that is cut short
            raise EOFError(str(err)) from err
        shape, start = tuple(map(int, header.get_data_shape())), int(header.get_data_offset())
        dtype = header.get_data_dtype()
        found = np.memmap(path, dtype=dtype, mode="r", offset=start, shape=shape, order="F")
        return found.reshape(shape[0], -1, order="F")


def _of_mgh(path: Path, vertices: NDArray[np.int64]) -> Floats:
    betas = _mgh(path)
    values = np.empty((betas.shape[1], len(vertices)), dtype=np.float32)
    for start in range(0, len(values), VOLUMES):
        values[start : start + VOLUMES] = betas[:, start : start + VOLUMES][vertices].T
    return values


def _check_type(dtype: np.dtype[Any], path: Path) -> None:
    if dtype != np.dtype(np.int16):
        raise UnreadableError(
            f"{path} holds {dtype}; 16-bit whole numbers, 300 times percent signal change, were "
            "expected.",
            mend="Give the file as the data set publishes it.",
        )
