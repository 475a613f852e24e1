"""Which units of the responses make up each region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.responses import Responses
from bids_dnn.containers.roi import Roi
from bids_dnn.errors import NotEnoughDataError, SpaceError

EVERYWHERE = "all"


@dataclass(frozen=True, slots=True, eq=False)
class RegionUnits:
    """The measured units of a region.

    Parameters
    ----------
    name
        Of the region; ``all`` where no region was given.
    units : (n_units_in_region,) intp
        Columns of the responses, ascending.
    n_left_out : int
        Units of the region that hold NaN in some sample.
    """

    name: str
    units: NDArray[np.intp]
    n_left_out: int


def region_units(responses: Responses, rois: Sequence[Roi]) -> list[RegionUnits]:
    """Find the units of each region that were measured in every sample.

    Parameters
    ----------
    responses
        On the grid of the regions.
    rois
        Where there is none, all units are one region called ``all``.

    Returns
    -------
    regions
        One a region, in the order of `rois`.

    Raises
    ------
    SpaceError
        If a region lies on another grid.
    NotEnoughDataError
        If no unit of a region was measured in every sample.
    """
    measured = np.logical_not(np.isnan(responses.values).any(axis=0))  # (n_units,)
    marks = {roi.name: _mark(roi, responses) for roi in rois}
    marks = marks or {EVERYWHERE: np.ones(len(responses.space), dtype=np.bool_)}
    out = []
    for name, mark in marks.items():
        units = np.flatnonzero(mark & measured)
        if not units.size:
            raise NotEnoughDataError(
                f"Region {name!r} has {mark.sum()} units here, and none was measured in all "
                f"{len(responses.values)} samples.",
                mend="Check that the mask overlaps the brain mask, or leave the region out with "
                "--roi naming the others.",
            )
        out.append(RegionUnits(name, units, int(mark.sum()) - units.size))
    return out


def _mark(roi: Roi, responses: Responses) -> NDArray[np.bool_]:
    if not roi.space.has_places_of(responses.space):
        raise SpaceError(
            f"Region {roi.name!r} lies on the grid {roi.space.describe()}, the responses on "
            f"{responses.space.describe()}.",
            mend="Read the region with rois.define.read_region, which resamples its mask.",
        )
    return roi.units_in(responses.space)
