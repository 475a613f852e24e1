"""Regions from masks, in the space and on the grid of the responses."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bids_dnn import imaging
from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Grayordinates, Grid, Space
from bids_dnn.errors import ConfigError, NotEnoughDataError, SpaceError
from bids_dnn.rois.places import plural, read_places

CODES = {1: "the scanner's coordinates", 3: "Talairach", 4: "MNI"}
STANDARD = ("MNI", "IXI549")
NUMBER = r"\s*([-+]?(?:\d+\.?\d*|\.\d+))\s*"
TOLERANCE_MM = 1e-6  # a center on the edge is inside
SPHERE = re.compile(rf"\({NUMBER},{NUMBER},{NUMBER}\)\s*r{NUMBER}mm")


def read_region(name: str, path: Path, *, mask_space: str, like: Space) -> tuple[Roi, list[str]]:
    """Return a region on the places of the responses.

    Parameters
    ----------
    name
        Letters and digits only, as it will stand in file names.
    path
        As `mask_places` takes it; what is neither 0 nor NaN belongs to the region.
    mask_space
        BIDS label of the space in which the mask lies.
    like
        Space of the responses.

    Returns
    -------
    region
        With all units of the mask; `left_out` takes away those that were not measured.
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
        If the mask has no unit, or none on the places of the responses.
    """
    if not (name.isalnum() and name.isascii()):
        plain = "".join(c for c in name if c.isalnum() and c.isascii())
        raise ConfigError(
            f"The region name {name!r} holds more than letters and digits.",
            mend=f"Call it {plain or 'V1'!r}: --roi {plain or 'V1'}={path}",
        )
    if mask_space != like.name:
        raise other_space(name, path, mask_space=mask_space, space=like.name)
    if not isinstance(like, Grid):
        mask, warnings = mask_places(path, mask_space=mask_space, space=like)
        there = like.at(np.flatnonzero(mask).astype(np.int64))
        return Roi(name, there, str(path), len(there)), warnings
    warnings = _check_code(f"mask of region {name!r}", path, mask_space)
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


def mask_places(
    path: Path, *, mask_space: str, space: Space
) -> tuple[NDArray[np.bool_], list[str]]:
    """Mark the places of a space that a mask's file marks.

    Parameters
    ----------
    path
        Of voxels, vertices or grayordinates, as `places.read_places` takes them; what is
        neither 0 nor NaN is marked. ``{hemi}`` stands for both hemispheres.
    mask_space
        BIDS label of the space in which the mask lies.
    space
        Of the responses.

    Returns
    -------
    mask : (n_places,) bool
        May be empty: a rule can join it with others.
    warnings
        A sentence each: the mask was resampled, or its header names another space.

    Raises
    ------
    SpaceError
        If the mask lies in another space, or is of another kind or mesh.
    MissingInputError, UnreadableError, ShapeError
        If the file is not there, damaged, or holds several maps.
    """
    if mask_space != space.name:
        raise SpaceError(
            f"The mask {path} lies in {mask_space}, the responses in {space.name}.",
            mend=_transform(mask_space, space.name, path, f"{path}@{space.name}"),
        )
    values, warnings = read_places(path, space=space)
    if isinstance(space, Grid):
        warnings = _check_code(f"mask {path.name}", path, mask_space) + warnings
    marked: NDArray[np.bool_] = (values != 0) & np.isfinite(values)
    return marked, warnings


def parse_ball(argument: str) -> tuple[float, float, float, float]:
    """Return center and radius (mm) of ``(x,y,z)rRADIUSmm``.

    Raises
    ------
    ConfigError
        If the text is of another form.
    """
    found = SPHERE.fullmatch(argument.strip())
    if found is None:
        raise ConfigError(
            f"The ball {argument!r} is not of the form (x,y,z)rRADIUSmm.",
            mend="Write, for one, sphere:(40,-50,-20)r6mm",
        )
    x, y, z, radius_mm = map(float, found.groups())
    return x, y, z, radius_mm


def sphere_places(argument: str, space: Space) -> NDArray[np.bool_]:
    """Mark the voxels (n_places,) whose centers lie in a ball.

    Parameters
    ----------
    argument
        ``(x,y,z)rRADIUSmm``: center and radius in mm of `space` (RAS).
    space
        A grid, or grayordinates, of which the voxels are marked.

    Raises
    ------
    ConfigError
        If the text is of another form.
    SpaceError
        If the space has no voxels.

    Examples
    --------
    >>> line = Grid("T1w", (5, 1, 1), np.diag([2.0, 2.0, 2.0, 1.0]), np.arange(5))
    >>> sphere_places("(4,0,0)r2mm", line)
    array([False,  True,  True,  True, False])
    """
    x, y, z, radius_mm = parse_ball(argument)
    if isinstance(space, Grid):
        voxels = np.stack(np.unravel_index(np.arange(space.n_places), space.shape), axis=1)
        is_voxel = np.ones(space.n_places, dtype=bool)
    elif isinstance(space, Grayordinates):
        voxels, is_voxel = space.voxel, space.vertex < 0
    else:
        raise SpaceError(
            f"sphere:{argument} is given in mm, but the units are those of {space.describe()}.",
            mend="Analyze in a volume, such as --space T1w, or give a mask of vertices.",
        )
    at_mm = voxels @ space.affine[:3, :3].T + space.affine[:3, 3]  # (n_places, 3)
    distance_mm = np.linalg.norm(at_mm - (x, y, z), axis=1)
    inside: NDArray[np.bool_] = is_voxel & (distance_mm <= radius_mm + TOLERANCE_MM)
    return inside


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
        mend=_transform(mask_space, space, path, f"--roi {name}={path}@{space}"),
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
            f"Region {roi.name!r} lies on {roi.space.describe()}, the responses on "
            f"{measured.describe()}.",
            mend="Read the region with rois.define.read_region, which brings it there.",
        )
    keep = np.isin(roi.space.index, measured.index)
    if not keep.any():
        raise NotEnoughDataError(
            f"None of the {len(roi.space)} {plural(measured)} of region {roi.name!r} "
            f"({roi.source}) was measured: they lie outside the brain mask, are NaN or do not "
            "vary.",
            mend="Look at the mask over the BOLD reference, or leave it out with --roi naming "
            "the others.",
        )
    return replace(roi, space=roi.space.select(keep))


def _transform(source: str, target: str, path: Path, said: str) -> str:
    otherwise = (
        f"or say where it really lies: {said}; or analyze in its own space: --space {source}."
    )
    if source.startswith("fs") and target.startswith("fs"):
        return (
            f"Bring it there with mri_surf2surf --srcsubject {source} --trgsubject {target}, or "
            f"wb_command -label-resample; {otherwise}"
        )
    if source.startswith("fs") or target.startswith("fs"):
        return f"Voxels and vertices are not turned into one another; {otherwise[3:]}"
    transform = f"from-{source}_to-{target}_mode-image_xfm.h5"
    return (
        f"Bring it there with fMRIPrep's transform (sub-*/anat/*_{transform}): "
        f"antsApplyTransforms -i {path.name} -r BOLDREF -t {transform} -n GenericLabel -o OUT; "
        f"{otherwise}"
    )


def _check_code(what: str, path: Path, space: str) -> list[str]:
    """Return a warning where the header names another space than the label; never an error."""
    code = imaging.form_code(path)
    is_standard = space.startswith(STANDARD)
    if (code == 4 and not is_standard) or (code == 1 and is_standard):
        return [
            f"The header of the {what} says {CODES[code]} (sform code {code}), "
            f"but it was taken to lie in {space}."
        ]
    return []


def _grid(path: Path) -> tuple[int, ...]:
    return imaging.read_header(path)[0][:3]
