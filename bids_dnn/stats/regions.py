"""Which units of the responses make up each region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.responses import Responses
from bids_dnn.containers.roi import Roi
from bids_dnn.errors import NotEnoughDataError, ShapeError, SpaceError, UnreadableError

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
    UnreadableError
        If a response of such a unit is infinite.
    """
    finite = np.asarray(np.isfinite(responses.values).all(axis=0), dtype=np.bool_)  # (n_units,)
    measured = finite
    if not finite.all():
        measured = np.logical_not(np.isnan(responses.values).any(axis=0))
    marks = {roi.name: _mark(roi, responses) for roi in rois}
    marks = marks or {EVERYWHERE: np.ones(len(responses.space), dtype=np.bool_)}
    out = []
    for name, mark in marks.items():
        units = np.flatnonzero(mark & measured)
        _check_finite(name, responses, units[~finite[units]])
        if not units.size:
            raise NotEnoughDataError(
                f"Region {name!r} has {mark.sum()} units here, and none was measured in all "
                f"{len(responses.values)} samples.",
                mend="Check that the mask overlaps the brain mask, or leave the region out with "
                "--roi naming the others.",
            )
        out.append(RegionUnits(name, units, int(mark.sum()) - units.size))
    return out


def region_means(
    values: NDArray[np.floating[Any]],
    regions: Sequence[NDArray[np.intp]],
    *,
    over: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Average responses over the units of each region.

    A mean is a target of its own: its noise ceiling is that of the mean, not the mean of its
    units' ceilings, and is estimated on the means of single samples (`stats.ceiling` of
    ``region_means(samples, regions)``).

    Parameters
    ----------
    values : (n_samples, n_units)
        Responses, of single samples or means over the repeats of a stimulus.
    regions : each (n_units_in_region,)
        Columns of `values`.
    over : (n_samples,) bool
        Training samples. Each unit is then z-scored by its mean and SD (n - 1 in the
        denominator) over these, so that units of large variance do not decide, and units that
        do not vary over them are left out. None = the plain mean of the units as they are.

    Returns
    -------
    means : (n_samples, n_regions)
        NaN where a unit was not measured, or no unit of the region varies.

    Raises
    ------
    NotEnoughDataError
        If a region has no unit, or `over` names fewer than two samples.
    ShapeError
        If `over` has another length than `values`.

    Examples
    --------
    >>> values = np.array([[1.0, 10.0], [2.0, 40.0], [3.0, 70.0]])
    >>> region_means(values, [np.array([0, 1])]).ravel().tolist()
    [5.5, 21.0, 36.5]
    >>> region_means(values, [np.array([0, 1])], over=np.ones(3, dtype=bool)).ravel().tolist()
    [-1.0, 0.0, 1.0]
    """
    if not all(len(columns) for columns in regions):
        raise NotEnoughDataError(
            f"{sum(not len(columns) for columns in regions)} of {len(regions)} regions have no "
            "unit.",
            mend="Leave them out, or check their masks against the brain mask.",
        )
    if over is not None and over.shape != values.shape[:1]:
        raise ShapeError(
            f"values have shape {values.shape}, the training samples {over.shape}.",
            mend="Give true or false for each sample.",
        )
    if over is not None and over.sum() < 2:
        raise NotEnoughDataError(
            f"{over.sum()} training sample(s) cannot tell a unit's SD.", mend="Give two at least."
        )
    made = np.full((len(values), len(regions)), np.nan)
    for k, columns in enumerate(regions):
        part = values[:, columns].astype(np.float64)
        if over is not None:
            part = part[:, np.ptp(part[over], axis=0) != 0]
            part = (part - part[over].mean(axis=0)) / part[over].std(axis=0, ddof=1)
        if part.shape[1]:
            made[:, k] = part.mean(axis=1)
    return made


def _check_finite(name: str, responses: Responses, infinite: NDArray[np.intp]) -> None:
    """Refuse units of a region that were measured, but hold infinity."""
    if infinite.size:
        sample = int(np.argmax(np.isinf(responses.values[:, infinite[0]])))
        raise UnreadableError(
            f"The response of unit {infinite[0]} to sample {sample} is infinite, and so are some "
            f"of {infinite.size} unit(s) of region {name!r}.",
            mend="Mark what was not measured with NaN; such units are left out and counted.",
        )


def _mark(roi: Roi, responses: Responses) -> NDArray[np.bool_]:
    if not roi.space.has_places_of(responses.space):
        raise SpaceError(
            f"Region {roi.name!r} lies on the grid {roi.space.describe()}, the responses on "
            f"{responses.space.describe()}.",
            mend="Read the region with rois.define.read_region, which resamples its mask.",
        )
    return roi.units_in(responses.space)
