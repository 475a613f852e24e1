"""The numbers in a file of GLMsingle, of each of its three formats."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.space import Grid
from bids_dnn.errors import ShapeError, SpaceError, UnreadableError
from bids_dnn.ingest.pickles import read_npy_dict
from bids_dnn.ingest.ready.common import dataset, hdf5
from bids_dnn.ingest.ready.settle import Floats

TRIALS, PLANES = 64, 8  # read at once from MATLAB's and from Python's HDF5: bounds memory


def read_betas(path: Path, grid: Grid | None, *, n_trials: int) -> Floats:
    """Return the single-trial betas of one file, (n_trials, n_units).

    Parameters
    ----------
    path
        ``.npy`` or ``.hdf5`` of Python (``betasmd``), or ``.mat`` of MATLAB (``modelmd``).
    grid
        Which voxels; None = all units of the file, volumes with the last axis fastest.
    n_trials
        That the sample table names.

    Raises
    ------
    MissingInputError
        If the file is not there or was not fetched.
    UnreadableError
        If it is damaged, lacks the betas, or holds code.
    ShapeError
        If it has another number of trials, or neither two nor four axes.
    SpaceError
        If it has another grid.
    """
    if path.suffix == ".npy":
        betas = read_npy_dict(path).get("betasmd")
        if not isinstance(betas, np.ndarray) or betas.dtype.kind not in "fiu":
            raise UnreadableError(
                f"{path} holds no array of numbers 'betasmd'.",
                mend="Give the file that GLMsingle wrote.",
            )
        _check(betas.shape, path, grid, n_trials=n_trials)
        flat = betas.reshape(-1, n_trials)
        index = slice(None) if grid is None else grid.index
        return np.ascontiguousarray(flat[index].T, dtype=np.float32)
    with hdf5(path) as file:
        if path.suffix == ".hdf5":
            array = dataset(file, "betasmd")
            _check(array.shape, path, grid, n_trials=n_trials)
            planes = list(_by_planes(array, grid))
            return np.ascontiguousarray(np.concatenate(planes).T)
        array = dataset(file, "modelmd")
        _check(array.shape[::-1], path, grid, n_trials=n_trials)
        return np.concatenate(list(_by_trials(array, grid)))


def _by_planes(array: Any, grid: Grid | None) -> Iterator[Floats]:
    """Give (n_units, n_trials) of some planes of the first axis, trials being the last."""
    marked = _marked(array.shape[:-1], grid)
    for start in range(0, len(array), PLANES):
        part = np.asarray(array[start : start + PLANES], dtype=np.float32)
        yield part.reshape(-1, array.shape[-1])[marked[start : start + PLANES].reshape(-1)]


def _by_trials(array: Any, grid: Grid | None) -> Iterator[Floats]:
    """Give (n, n_units) of some trials of a (trials, z, y, x) array, as MATLAB's files have it."""
    backward = (0, *range(array.ndim - 1, 0, -1))
    index = slice(None) if grid is None else grid.index
    for start in range(0, len(array), TRIALS):
        part = np.asarray(array[start : start + TRIALS], dtype=np.float32)
        yield part.transpose(backward).reshape(len(part), -1)[:, index]


def _marked(shape: tuple[int, ...], grid: Grid | None) -> NDArray[np.bool_]:
    marked = np.full(shape, grid is None)
    if grid is not None:
        marked.reshape(-1)[grid.index] = True
    return marked


def _check(shape: tuple[int, ...], path: Path, grid: Grid | None, *, n_trials: int) -> None:
    if len(shape) not in (2, 4):
        raise ShapeError(
            f"{path} has betas of shape {shape}; (x, y, z, trials) or (units, trials) was "
            "expected.",
            mend="Give the file that GLMsingle wrote.",
        )
    if shape[-1] != n_trials:
        raise ShapeError(
            f"{path} has {shape[-1]} trials, the sample table beside it names {n_trials}.",
            mend="Give one row a trial, in the order of the betas.",
        )
    if grid is not None and shape[:-1] != grid.shape:
        raise SpaceError(
            f"{path} has betas on {shape[:-1]}, mask.nii.gz lies on {grid.shape}.",
            mend="Give the mask on the grid on which GLMsingle ran.",
        )
