"""Which units of the responses make up each region."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.responses import Responses
from bids_dnn.containers.roi import Roi
from bids_dnn.errors import NotEnoughDataError, SpaceError, UnreadableError

EVERYWHERE = "all"
BLOCK = 1024
# A step that learns which units of each region to take: from the samples that train, (n_samples,)
# bool, to marks of the units of each region, (n_units_in_region,) bool, in the order of
# `region_units`. Responses to other samples must not move it.
UnitLearner = Callable[[NDArray[np.bool_]], Sequence[NDArray[np.bool_]]]


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


def shares_taken(
    places: Sequence[NDArray[np.intp]], marks: Sequence[NDArray[np.bool_]], n_units: int
) -> NDArray[np.float32]:
    """Return in what share of folds each unit was taken; of several regions, the most.

    Parameters
    ----------
    places : n_regions of (n_units_in_region,)
        Of the units of each region, among all.
    marks : n_regions of (n_folds, n_units_in_region) bool
    n_units : int
        All.

    Returns
    -------
    shares : (n_units,), in [0, 1]

    Examples
    --------
    >>> marks = [np.array([[True, False], [True, True]]), np.array([[True], [False]])]
    >>> shares_taken([np.array([0, 1]), np.array([0])], marks, 3).tolist()
    [1.0, 0.5, 0.0]
    """
    shares = np.zeros(n_units, dtype=np.float32)
    for own, mark in zip(places, marks, strict=True):
        shares[own] = np.maximum(shares[own], mark.mean(axis=0))
    return shares


def columns_of(
    values: NDArray[np.floating[Any]], columns: NDArray[np.intp]
) -> NDArray[np.floating[Any]]:
    """Return some columns: a view where they follow each other, else a copy.

    Parameters
    ----------
    values : (n, n_columns)
    columns : (n_taken,)

    Examples
    --------
    >>> values = np.arange(6.0).reshape(2, 3)
    >>> np.shares_memory(columns_of(values, np.array([1, 2])), values)
    True
    >>> columns_of(values, np.array([2, 0])).tolist()
    [[2.0, 0.0], [5.0, 3.0]]
    """
    if len(columns) and (np.diff(columns) == 1).all():
        return values[:, columns[0] : columns[-1] + 1]
    return values[:, columns]


def varies(values: NDArray[np.floating[Any]], rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the columns that vary over some rows; goes by blocks of columns.

    Parameters
    ----------
    values : (n, n_columns)
    rows : (n,) bool

    Returns
    -------
    marks : (n_columns,)
        False where a value of these rows is NaN.

    Examples
    --------
    >>> varies(np.array([[1.0, 1.0], [1.0, 2.0], [3.0, 2.0]]), np.array([True, True, False]))
    array([False,  True])
    """
    marks = np.empty(values.shape[1], dtype=np.bool_)
    for start in range(0, len(marks), BLOCK):
        where = slice(start, start + BLOCK)
        marks[where] = np.ptp(values[rows, where], axis=0) > 0
    return marks


def region_means(
    values: NDArray[np.floating[Any]], regions: Sequence[NDArray[np.intp]]
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

    Returns
    -------
    means : (n_samples, n_regions)
        NaN where a unit was not measured.

    Raises
    ------
    NotEnoughDataError
        If a region has no unit.

    Examples
    --------
    >>> values = np.array([[1.0, 10.0], [2.0, 40.0], [3.0, 70.0]])
    >>> region_means(values, [np.array([0, 1])]).ravel().tolist()
    [5.5, 21.0, 36.5]
    """
    if not all(len(columns) for columns in regions):
        raise NotEnoughDataError(
            f"{sum(not len(columns) for columns in regions)} of {len(regions)} regions have no "
            "unit.",
            mend="Leave them out, or check their masks against the brain mask.",
        )
    made = np.empty((len(values), len(regions)))
    for k, columns in enumerate(regions):
        made[:, k] = columns_of(values, columns).mean(axis=1, dtype=np.float64)
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
