"""CIFTI-2 files <-> (array, `Grayordinates`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from bids_dnn import files
from bids_dnn.containers.space import Grayordinates
from bids_dnn.errors import ShapeError, SpaceError, UnreadableError
from bids_dnn.imaging.guard import load, require_file, whole

_CIFTI: Any = nib.cifti2  # nibabel has no types for it


def read_cifti_shape(path: Path) -> tuple[int, int]:
    """Return the rows (volumes, maps) and columns (grayordinates) of a CIFTI-2 file.

    Only the NIfTI header is read, which is fast.

    Raises
    ------
    MissingInputError
        If the file is not there or was not fetched.
    UnreadableError
        If it is no CIFTI file of rows and columns.
    """
    require_file(path)
    nifti: Any = nib.Nifti2Image  # nibabel has no types for it
    with whole(path):
        shape = tuple(nifti.from_filename(path).shape)
    if len(shape) != 6:
        raise UnreadableError(
            f"{path} has the shape {shape}, a CIFTI-2 file of rows and columns was expected.",
            mend="Give a .dtseries.nii, .dscalar.nii or .dlabel.nii file.",
        )
    return int(shape[4]), int(shape[5])


def read_cifti_step(path: Path) -> float:
    """Return the seconds between the rows of a ``dtseries``; 0 where the file does not tell.

    Raises
    ------
    MissingInputError
        If the file is not there or was not fetched.
    UnreadableError
        If it is no CIFTI file.
    """
    image = _cifti(path)
    with whole(path):
        axis = image.header.get_axis(0)
    in_time = isinstance(axis, _CIFTI.SeriesAxis) and axis.unit == "SECOND"
    return float(axis.step) if in_time else 0.0


def space_of_cifti(path: Path, *, name: str) -> Grayordinates:
    """Return all grayordinates of a CIFTI-2 file (dtseries, dscalar, dlabel).

    Parameters
    ----------
    path
        The file.
    name
        BIDS label of the space, such as ``fsLR``.

    Raises
    ------
    MissingInputError
        If the file is not there or was not fetched.
    UnreadableError
        If it ends early, or is no CIFTI file with a brain model along its columns.
    """
    image = _cifti(path)
    with whole(path):
        axis = image.header.get_axis(1)
    if not isinstance(axis, _CIFTI.BrainModelAxis):
        raise UnreadableError(
            f"{path} has a {type(axis).__name__} along its columns, brain models were expected.",
            mend="Give a .dtseries.nii, .dscalar.nii or .dlabel.nii file.",
        )
    names = tuple(dict.fromkeys(axis.name.tolist()))
    number = {structure: i for i, structure in enumerate(names)}
    n = len(axis.name)
    return Grayordinates(
        name,
        names,
        tuple(int(axis.nvertices.get(structure, 0)) for structure in names),
        np.array([number[s] for s in axis.name], dtype=np.int64),
        np.asarray(axis.vertex, dtype=np.int64),
        np.asarray(axis.voxel, dtype=np.int64).reshape(n, 3),
        _three(axis.volume_shape),
        np.eye(4) if axis.affine is None else np.asarray(axis.affine, dtype=np.float64),
        np.arange(n, dtype=np.int64),
    )


def read_cifti_units(path: Path, space: Grayordinates) -> NDArray[np.float32]:
    """Return what the units of `space` hold in each row of a file, (n_rows, n_units).

    Raises
    ------
    SpaceError
        If the file lists other grayordinates.
    MissingInputError, UnreadableError
        As `space_of_cifti`.
    """
    found = space_of_cifti(path, name=space.name)
    if not found.has_places_of(space):
        raise SpaceError(
            f"{path} lists {found.n_places} grayordinates of {len(found.structures)} structures, "
            f"those of the responses are {space.n_places} of {len(space.structures)}, or in "
            "another order.",
            mend="Give files of one density (91k or 170k), made by one program.",
        )
    with whole(path):
        values = np.asarray(_cifti(path).dataobj, dtype=np.float32)
    return values[:, space.index]


def read_cifti_labels(path: Path) -> tuple[NDArray[np.int64], dict[int, str]]:
    """Return the label of each grayordinate (n_places,) of a ``dlabel``, and the labels' names.

    Raises
    ------
    MissingInputError
        If the file is not there or was not fetched.
    UnreadableError
        If it ends early, or is no ``dlabel``.
    """
    image = _cifti(path)
    with whole(path):
        axis = image.header.get_axis(0)
        values = np.asarray(image.dataobj)
    if not isinstance(axis, _CIFTI.LabelAxis):
        raise UnreadableError(
            f"{path} has a {type(axis).__name__} along its rows, labels were expected.",
            mend="Give a .dlabel.nii file.",
        )
    names = {int(key): str(name) for key, (name, _) in axis.label[0].items()}
    return np.rint(values[0]).astype(np.int64), names


def write_cifti_map(
    path: Path, values: NDArray[np.floating[Any]], space: Grayordinates, *, name: str = "map"
) -> Path:
    """Write one value for each unit, (n_units,), as ``dscalar.nii``; NaN elsewhere.

    Raises
    ------
    ShapeError
        If `values` has another length than `space`.
    OutputError
        If the file cannot be written.
    """
    _fits(values.shape, space)
    row = np.full((1, space.n_places), np.nan, dtype=np.float32)
    row[0, space.index] = values
    return _save(path, row, _CIFTI.ScalarAxis([name]), space)


def write_cifti_series(
    path: Path, values: NDArray[np.floating[Any]], space: Grayordinates, *, t_r_s: float
) -> Path:
    """Write (n_volumes, n_units) as ``dtseries.nii``; 0 elsewhere.

    Raises
    ------
    ShapeError
        If `values` has another number of units than `space`.
    OutputError
        If the file cannot be written.
    """
    _fits(values.shape[1:], space)
    rows = np.zeros((len(values), space.n_places), dtype=np.float32)
    rows[:, space.index] = values
    return _save(path, rows, _CIFTI.SeriesAxis(0.0, t_r_s, len(values)), space)


def write_cifti_labels(
    path: Path,
    labels: NDArray[np.integer[Any]],
    names: Mapping[int, str],
    space: Grayordinates,
) -> Path:
    """Write the label of each unit, (n_units,), as ``dlabel.nii``; 0 elsewhere.

    Raises
    ------
    ShapeError
        If `labels` has another length than `space`.
    OutputError
        If the file cannot be written.
    """
    _fits(labels.shape, space)
    row = np.zeros((1, space.n_places), dtype=np.float32)
    row[0, space.index] = labels
    table = {key: (name, (0.5, 0.5, 0.5, float(key != 0))) for key, name in names.items()}
    return _save(
        path, row, _CIFTI.LabelAxis(["labels"], [{0: ("???", (0, 0, 0, 0))} | table]), space
    )


def _save(path: Path, rows: NDArray[np.float32], axis: Any, space: Grayordinates) -> Path:
    image = _CIFTI.Cifti2Image(
        rows,
        (
            axis,
            _CIFTI.BrainModelAxis(
                np.array(space.structures)[space.structure],
                voxel=space.voxel,
                vertex=space.vertex,
                affine=space.affine if any(space.shape) else None,
                volume_shape=space.shape if any(space.shape) else None,
                nvertices={
                    s: n for s, n in zip(space.structures, space.n_vertices, strict=True) if n
                },
            ),
        ),
    )
    image.update_headers()
    image.nifti_header.set_data_dtype(np.float32)
    with files.writing(path) as aside:
        aside.write_bytes(image.to_bytes())
    return path


def _cifti(path: Path) -> Any:
    image = load(path)
    if not isinstance(image, _CIFTI.Cifti2Image):
        raise UnreadableError(
            f"{path} is a {type(image).__name__}, a CIFTI-2 file was expected.",
            mend="Give a .dtseries.nii, .dscalar.nii or .dlabel.nii file.",
        )
    return image


def _fits(found: tuple[int, ...], space: Grayordinates) -> None:
    if found != (len(space),):
        raise ShapeError(
            f"values have shape {found}, there are {len(space)} units.",
            mend="Give one value for each unit of the space.",
        )


def _three(shape: tuple[int, ...] | None) -> tuple[int, int, int]:
    x, y, z = (0, 0, 0) if shape is None else map(int, shape)
    return x, y, z
