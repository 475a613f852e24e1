"""Images whose voxels are matched by number, as their own affine cannot be trusted."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bids_dnn import imaging
from bids_dnn.containers.space import Grid
from bids_dnn.errors import ShapeError, SpaceError
from bids_dnn.ingest.ready.settle import Floats

VOLUMES = 32  # trials that are read at once of an image


def read_on_grid(path: Path, grid: Grid) -> Floats:
    """Return what the voxels of `grid` hold in each volume, whatever place the image claims.

    Betas of published data sets may carry another affine than their own masks; voxels are
    matched by number, and the mask says where they lie.

    Raises
    ------
    MissingInputError
        If the file is not there or was not fetched.
    UnreadableError
        If it ends early or is no image.
    ShapeError
        If it has not four axes.
    SpaceError
        If it has another number of voxels along an axis.
    """
    image = imaging.load(path)
    shape = tuple(image.shape)
    if len(shape) != 4:
        raise ShapeError(
            f"{path} has shape {shape}; (x, y, z, trials) was expected.",
            mend="Give the image of all trials of a session.",
        )
    if shape[:3] != grid.shape:
        raise SpaceError(
            f"{path} has betas on {shape[:3]}, the mask lies on {grid.shape}.",
            mend="Give betas and mask of one preparation of one participant.",
        )
    values = np.empty((shape[3], len(grid)), dtype=np.float32)
    with imaging.whole(path):
        for start in range(0, shape[3], VOLUMES):
            part = np.asarray(image.dataobj[..., start : start + VOLUMES], dtype=np.float32)
            block = part.reshape(-1, part.shape[3])
            values[start : start + VOLUMES] = block[grid.index].T
    return values
