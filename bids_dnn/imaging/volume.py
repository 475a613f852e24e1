"""NIfTI images <-> (array, `Grid`)."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_dnn import files
from bids_dnn.containers.space import Grid
from bids_dnn.errors import (
    NotEnoughDataError,
    ShapeError,
    SpaceError,
)
from bids_dnn.imaging.guard import load, whole

CHUNK_VOLUMES = 32  # read at once: bounds memory, and is fixed so that sums repeat


def read_header(path: Path) -> tuple[tuple[int, ...], NDArray[np.float64], float]:
    """Return what a NIfTI header says: shape, affine (4, 4) and seconds between volumes.

    Returns
    -------
    shape : 3 or 4 lengths
    affine : (4, 4)
    t_r_s : s
        0 for a single volume.

    Raises
    ------
    MissingInputError
        If the file is not there or was not fetched.
    UnreadableError
        If it is no NIfTI image.
    """
    image = load(path)
    zooms = image.header.get_zooms()
    t_r_s = float(zooms[3]) if len(zooms) > 3 else 0.0
    units = getattr(image.header, "get_xyzt_units", None)  # not in Analyze images
    unit = units()[1] if units else "sec"
    scale = {"msec": 1e-3, "usec": 1e-6}.get(unit, 1.0)
    return tuple(image.shape), np.asarray(image.affine, dtype=np.float64), t_r_s * scale


def form_code(path: Path) -> int:
    """Return the NIfTI code of the space that the affine leads to: 1 scanner ... 4 MNI, 0 unknown.

    Raises
    ------
    MissingInputError
        If the file is not there or was not fetched.
    UnreadableError
        If it is no NIfTI image.
    """
    header = load(path).header
    if "sform_code" not in header:  # Analyze
        return 0
    return int(header["sform_code"]) or int(header["qform_code"])


def read_volume(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a 3-D image (x, y, z) as it stands, and its affine (4, 4).

    Raises
    ------
    MissingInputError
        If the file is not there or was not fetched.
    UnreadableError
        If it ends early or is no NIfTI image.
    ShapeError
        If it holds more than one volume.
    """
    image = load(path)
    with whole(path):
        values = np.asarray(image.dataobj, dtype=np.float64)
    if values.ndim > 3 and values.shape[3:] == (1,) * (values.ndim - 3):
        values = values.reshape(values.shape[:3])
    if values.ndim != 3:
        raise ShapeError(
            f"{path} has shape {values.shape}, one volume was expected.",
            mend="Give a 3-D image.",
        )
    return values, np.asarray(image.affine, dtype=np.float64)


def space_of_mask(path: Path, *, name: str) -> Grid:
    """Return the places of a mask's voxels, those that are neither 0 nor NaN.

    Parameters
    ----------
    path
        A 3-D image.
    name
        BIDS label of the space in which it lies.

    Raises
    ------
    MissingInputError, UnreadableError, ShapeError
        As `read_volume`.
    NotEnoughDataError
        If no voxel is marked.
    """
    values, affine = read_volume(path)
    index = np.flatnonzero((values != 0) & np.isfinite(values))
    if not index.size:
        raise NotEnoughDataError(
            f"The mask {path} has no voxel: all its {values.size} values are 0.",
            mend="Make the mask anew, or leave it out.",
        )
    return Grid(name, _three(values.shape), affine, index.astype(np.int64))


def read_units(path: Path, space: Grid) -> NDArray[np.float32]:
    """Return what the units of `space` hold in each volume of an image, (n_volumes, n_units).

    Parameters
    ----------
    path
        A 4-D image, or a 3-D one (then n_volumes is 1), on the grid of `space`.
    space
        Which voxels are read.

    Raises
    ------
    MissingInputError
        If the file is not there or was not fetched.
    UnreadableError
        If it ends early or is no NIfTI image.
    SpaceError
        If it lies on another grid.
    """
    image = load(path)
    shape = tuple(image.shape)
    if shape[:3] != space.shape or not np.allclose(image.affine, space.affine, rtol=0, atol=1e-2):
        raise SpaceError(
            f"{path} has the grid {shape[:3]} with first voxel at "
            f"{_corner(image.affine)} mm, the units lie on {space.shape} with first voxel at "
            f"{_corner(space.affine)} mm.",
            mend="Bring both to one grid, for one with the same --output-spaces of fMRIPrep.",
        )
    n_volumes = int(np.prod(shape[3:], dtype=np.int64)) if len(shape) > 3 else 1
    values = np.empty((n_volumes, len(space)), dtype=np.float32)
    with whole(path):
        if len(shape) != 4:
            block = np.asarray(image.dataobj, dtype=np.float32).reshape(-1, n_volumes)
            values[:] = block[space.index].T
            return values
        for start in range(0, n_volumes, CHUNK_VOLUMES):
            part = np.asarray(image.dataobj[..., start : start + CHUNK_VOLUMES], dtype=np.float32)
            block = part.reshape(-1, part.shape[3])  # (x * y * z, n_chunk)
            values[start : start + CHUNK_VOLUMES] = block[space.index].T
    return values


def resample_mask(path: Path, like: Grid, *, name: str) -> Grid:
    """Return a mask's voxels on the grid of `like`, each taking its nearest neighbor's value.

    Parameters
    ----------
    path
        A 3-D image on any grid of the space `name`.
    like
        Whose grid is wanted.
    name
        BIDS label of the space of the mask, which must be that of `like`.

    Raises
    ------
    SpaceError
        If `like` lies in another space.
    MissingInputError, UnreadableError, ShapeError
        As `read_volume`.
    NotEnoughDataError
        If no voxel is left on that grid.
    """
    if name != like.name:
        raise SpaceError(
            f"The mask {path} lies in {name}, the responses in {like.name}.",
            mend=f"Transform the mask to {like.name} first.",
        )
    values, affine = read_volume(path)
    inside = ((values != 0) & np.isfinite(values)).astype(np.uint8)
    there = np.linalg.inv(affine) @ like.affine  # voxel of `like` -> voxel of the mask
    found = ndimage.affine_transform(
        inside, there[:3, :3], there[:3, 3], output_shape=like.shape, order=0, mode="constant"
    )
    index = np.flatnonzero(found)
    if not index.size:
        raise NotEnoughDataError(
            f"The mask {path} has {int(inside.sum())} voxels on its own grid, but no voxel on "
            f"that of the responses {like.shape}.",
            mend="Make the mask on the grid of the responses, or leave it out.",
        )
    return Grid(name, like.shape, like.affine, index.astype(np.int64))


def write_map(path: Path, values: NDArray[np.floating], space: Grid) -> Path:
    """Write one value for each unit, (n_units,), as a 3-D float32 image; NaN elsewhere.

    Raises
    ------
    ShapeError
        If `values` has another length than `space`.
    OutputError
        If the file cannot be written.
    """
    _fits(values.shape, (len(space),))
    volume = np.full(space.shape, np.nan, dtype=np.float32)
    volume.reshape(-1)[space.index] = values
    return _save(path, volume, space)


def write_series(path: Path, values: NDArray[np.floating], space: Grid, *, t_r_s: float) -> Path:
    """Write (n_volumes, n_units) as a 4-D float32 image; 0 elsewhere.

    Parameters
    ----------
    path
        Ends in ``.nii`` or ``.nii.gz``.
    values : (n_volumes, n_units)
    space
        Where the units lie.
    t_r_s : s
        Between volumes.

    Raises
    ------
    ShapeError
        If `values` has another number of units than `space`.
    OutputError
        If the file cannot be written.
    """
    _fits(values.shape, (len(values), len(space)))
    volume = np.zeros((*space.shape, len(values)), dtype=np.float32)
    volume.reshape(-1, len(values))[space.index] = values.T
    return _save(path, volume, space, t_r_s=t_r_s)


def write_mask(path: Path, space: Grid) -> Path:
    """Write the units of `space` as 1, all else as 0, in a 3-D uint8 image.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    volume = np.zeros(space.shape, dtype=np.uint8)
    volume.reshape(-1)[space.index] = 1
    return _save(path, volume, space)


def _save(path: Path, volume: NDArray[Any], space: Grid, *, t_r_s: float | None = None) -> Path:
    nifti: Any = nib.Nifti1Image  # nibabel has no types for it
    image = nifti(volume, space.affine)
    code = 4 if space.name.startswith("MNI") else 1
    image.header.set_xyzt_units("mm", "sec")
    image.set_sform(space.affine, code)
    image.set_qform(space.affine, code)
    if t_r_s is not None:
        image.header.set_zooms((*image.header.get_zooms()[:3], t_r_s))
    raw = image.to_bytes()
    packed = gzip.compress(raw, 6, mtime=0) if path.suffix == ".gz" else raw
    with files.writing(path) as aside:
        aside.write_bytes(packed)
    return path


def _three(shape: tuple[int, ...]) -> tuple[int, int, int]:
    x, y, z = shape
    return x, y, z


def _corner(affine: NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(round(float(v), 2) for v in affine[:3, 3])


def _fits(found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if found != expected:
        raise ShapeError(
            f"values have shape {found}, {expected} was expected.",
            mend="Give one value for each unit of the space.",
        )
