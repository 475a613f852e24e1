"""Contrast maps that others computed: SPM's T and con images, z maps, of any kind of file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bids_dnn import imaging
from bids_dnn.containers.space import Space
from bids_dnn.errors import ConfigError
from bids_dnn.rois.places import CIFTI, read_places

SPM_T = re.compile(r"SPM\{T_\[(\d+\.?\d*)\]\}")
IS_Z = re.compile(r"(?:^|_)stat-z(?:_|$)|z_?(?:stat|map|score)", re.IGNORECASE)
T_CODE, Z_CODE = 3, 5  # NIfTI intents
NIFTI = (".nii", ".nii.gz", ".img", ".hdr")
SMALLEST_P = 1e-300


@dataclass(frozen=True, slots=True, eq=False)
class ContrastMap:
    """One value for each unit, and whether it is a z.

    Parameters
    ----------
    values : (n_units,) float64
        NaN where the map says nothing.
    is_z
        False for effects without a known scale: they can be ranked, not thresholded.
    """

    values: NDArray[np.float64]
    is_z: bool


def read_contrast(path: Path, *, space: Space) -> tuple[ContrastMap, list[str]]:
    """Return what a contrast map says of each unit.

    Parameters
    ----------
    path
        As `places.read_places` takes it. SPM's T images (by their header), images with the
        NIfTI intents of t and z, and files called z maps become z; all else stays as it is.
    space
        Of the responses; the map lies in the same one.

    Returns
    -------
    map
        On the units of `space`. 0 is taken as not measured, as it is written outside masks.
    warnings
        That nobody knows from which runs it comes, and those of `places.read_places`.

    Raises
    ------
    SpaceError, MissingInputError, UnreadableError, ShapeError
        As `places.read_places`.
    """
    values, warnings = read_places(path, space=space)
    values = np.where(values == 0, np.nan, values)[space.index]
    dof, is_z = _scale(path)
    warnings = [
        f"The localizer {path.name} is a finished map: from which runs it comes is not known, so "
        "that it must be known to come from others than those analyzed.",
        *warnings,
    ]
    if dof is not None:
        return ContrastMap(z_of_t(values, dof), is_z=True), warnings
    return ContrastMap(values, is_z), warnings


def require_z(found: ContrastMap, path: Path) -> None:
    """Refuse a threshold on a map whose scale is not known.

    Raises
    ------
    ConfigError
        If the map is no z map.
    """
    if not found.is_z:
        raise ConfigError(
            f"{path} is neither a T image of SPM nor a z map, so that z= and fdr= mean nothing.",
            mend="Take top=200 in their place, or give spmT_*.nii or a stat-z map.",
        )


def z_of_t(t: NDArray[np.float64], dof: float) -> NDArray[np.float64]:
    """Turn t values into z of the same one-sided p, precise in both tails.

    Parameters
    ----------
    t : any shape
        NaN stays.
    dof
        Degrees of freedom.

    Examples
    --------
    >>> z_of_t(np.array([0.0, 2.0]), 10).round(2)
    array([0.  , 1.79])
    """
    tail = np.clip(stats.t.sf(np.abs(t), dof), SMALLEST_P, None)
    z: NDArray[np.float64] = np.sign(t) * stats.norm.isf(tail)
    return z


def _scale(path: Path) -> tuple[float | None, bool]:
    """Return the degrees of freedom of a T image, and whether a map is one of z."""
    named = IS_Z.search(path.name.partition(".")[0]) is not None
    if path.name.endswith(CIFTI) or not path.name.endswith(NIFTI):
        return None, named
    header = imaging.load(path).header
    said = bytes(header["descrip"].item()).decode("latin-1")
    if found := SPM_T.search(said):
        return float(found[1]), True
    code = int(header["intent_code"])
    if code == T_CODE and float(header["intent_p1"]) > 0:
        return float(header["intent_p1"]), True
    return None, named or code == Z_CODE
