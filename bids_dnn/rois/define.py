"""Regions from masks, in the space and on the grid of the responses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from bids_dnn import imaging
from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Grid, Space
from bids_dnn.errors import ConfigError, NotEnoughDataError, SpaceError

CODES = {1: "the scanner's coordinates", 3: "Talairach", 4: "MNI"}
STANDARD = ("MNI", "IXI549")


def read_region(name: str, path: Path, *, mask_space: str, like: Grid) -> tuple[Roi, list[str]]:
    """Return a region on the grid of the responses.

    Parameters
    ----------
    name
        Letters and digits only, as it will stand in file names.
    path
        A 3-D image; voxels that are neither 0 nor NaN belong to the region.
    mask_space
        BIDS label of the space in which the mask lies.
    like
        Grid and grid of the responses.

    Returns
    -------
    region
        With all voxels of the mask; `left_out` takes away those that were not measured.
    warnings
        A sentence each: the mask was resampled, or its header names another space.

    Raises
    ------
    ConfigError
        If the name holds anything but letters and digits.
    SpaceError
        If the mask lies in another space.
    MissingInputError, UnreadableError, ShapeError
        If the file is not there, damaged, or no single volume.
    NotEnoughDataError
        If the mask has no voxel, or none on the grid of the responses.
    """
    if not (name.isalnum() and name.isascii()):
        plain = "".join(c for c in name if c.isalnum() and c.isascii())
        raise ConfigError(
            f"The region name {name!r} holds more than letters and digits.",
            mend=f"Call it {plain or 'V1'!r}: --roi {plain or 'V1'}={path}",
        )
    if mask_space != like.name:
        raise other_space(name, path, mask_space=mask_space, space=like.name)
    warnings = _check_code(name, path, mask_space)
    found = imaging.space_of_mask(path, name=mask_space)
    n_before = len(found)
    if not found.has_places_of(like):
        found = imaging.resample_mask(path, like, name=mask_space)
        warnings.append(
            f"The mask of region {name!r} was brought from its grid {_grid(path)} to that of "
            f"the responses {like.shape} by nearest neighbor: {n_before} voxels became "
            f"{len(found)}."
        )
        n_before = len(found)
    return Roi(name, found, str(path), n_before), warnings


def other_space(name: str, path: Path, *, mask_space: str, space: str) -> SpaceError:
    """Return the refusal of a mask in another space than the responses, with the way out.

    Parameters
    ----------
    name
        Of the region.
    path
        Of its mask.
    mask_space, space
        BIDS labels: of the mask, and of the responses.
    """
    return SpaceError(
        f"The mask of region {name!r} ({path}) lies in {mask_space}, the responses in {space}.",
        mend=_transform(mask_space, space, name, path),
    )


def left_out(roi: Roi, measured: Space) -> Roi:
    """Return the region less the voxels that were not measured.

    Parameters
    ----------
    roi
        On the grid of `measured`.
    measured
        The units of the responses.

    Returns
    -------
    region
        `n_before` stays, so that the report can say how many were left out.

    Raises
    ------
    SpaceError
        If both do not lie on one grid.
    NotEnoughDataError
        If no voxel is left.
    """
    if not roi.space.has_places_of(measured):
        raise SpaceError(
            f"Region {roi.name!r} lies on the grid {roi.space.describe()}, the responses on "
            f"{measured.describe()}.",
            mend="Read the region with rois.define.read_region, which brings it there.",
        )
    keep = np.isin(roi.space.index, measured.index)
    if not keep.any():
        raise NotEnoughDataError(
            f"None of the {len(roi.space)} voxels of region {roi.name!r} ({roi.source}) was "
            "measured: they lie outside the brain mask, are NaN or do not vary.",
            mend="Look at the mask over the BOLD reference, or leave it out with --roi naming "
            "the others.",
        )
    return replace(roi, space=roi.space.select(keep))


def _transform(source: str, target: str, name: str, path: Path) -> str:
    transform = f"from-{source}_to-{target}_mode-image_xfm.h5"
    return (
        f"Bring it there with fMRIPrep's transform (sub-*/anat/*_{transform}): "
        f"antsApplyTransforms -i {path.name} -r BOLDREF -t {transform} -n GenericLabel -o OUT; "
        f"or say where it really lies: --roi {name}={path}@{target}; or analyze in its own "
        f"space: --space {source}."
    )


def _check_code(name: str, path: Path, space: str) -> list[str]:
    """Return a warning where the header names another space than the label; never an error."""
    code = imaging.form_code(path)
    is_standard = space.startswith(STANDARD)
    if (code == 4 and not is_standard) or (code == 1 and is_standard):
        return [
            f"The header of the mask of region {name!r} says {CODES[code]} (sform code {code}), "
            f"but it was taken to lie in {space}."
        ]
    return []


def _grid(path: Path) -> tuple[int, ...]:
    return imaging.read_header(path)[0][:3]
