"""Arrays of electrodes: where channels stand on them, and the regions that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.containers.layout import Layout
from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Channels
from bids_dnn.errors import UnreadableError
from bids_dnn.ingest.events import MISSING
from bids_dnn.ingest.ready.common import read_table, region, region_name

# Columns that place an electrode on its array, the first pair that is there; and the sign of up.
PLACES = (("x", "y", 1.0), ("column", "row", -1.0))


def named_regions(space: Channels, *, source: str) -> tuple[Roi, ...]:
    """Return the areas of a recording, then its arrays, as regions, see `array_regions`.

    Parameters
    ----------
    space
        With a layout; none = no region.
    source
        Where it came from, for the report.
    """
    if space.layout is None:
        return ()
    area = np.array(space.layout.area, dtype=str)
    names = sorted(set(area.tolist()) - {""})
    found = (region(name, area == name, space, source=source) for name in names)
    areas = tuple(roi for roi in found if roi is not None)
    return (*areas, *array_regions(space, areas, source=source))


def array_regions(space: Channels, areas: Sequence[Roi], *, source: str) -> tuple[Roi, ...]:
    """Return the arrays of a recording as regions, parts of the areas where there are such.

    Parameters
    ----------
    space
        With a layout; none = no region.
    areas
        Regions that are there already.
    source
        Where it came from, for the report.

    Returns
    -------
    rois
        An array with the channels of an area, no more and no less, is that area and does not
        stand twice; one with a name that is taken is called ``array`` and that name.
    """
    if space.layout is None:
        return ()
    array = np.array(space.layout.array, dtype=str)
    taken = {roi.name: roi.units_in(space) for roi in areas}
    made = []
    for name in dict.fromkeys(array.tolist()):
        own = array == name
        if not name or any(np.array_equal(own, other) for other in taken.values()):
            continue
        while name in taken:
            name = f"array{name}"
        taken[name] = own
        roi = region(name, own, space, source=source)
        made += [] if roi is None else [replace(roi, is_part=bool(areas))]
    return tuple(made)


def places_of(table: pd.DataFrame, *, path: Path) -> NDArray[np.float64]:
    """Return where the electrodes of a table stand on their arrays.

    Parameters
    ----------
    table
        Of text; ``x`` (to the right) and ``y`` (up), or ``column`` and ``row`` (from the top).
    path
        Of its file, for the message.

    Returns
    -------
    place : (n, 2)
        To the right and up; NaN where it is missing, or the table has no such columns.

    Raises
    ------
    UnreadableError
        If a place is neither a number nor missing.
    """
    for right, up, sign in PLACES:
        if {right, up} <= set(table.columns):
            place = np.column_stack([_numbers(table[name], path) for name in (right, up)])
            place[np.isnan(place).any(axis=1)] = np.nan
            return place * [1.0, sign]
    return np.full((len(table), 2), np.nan)


def table_layout(table: pd.DataFrame, *, path: Path) -> Layout | None:
    """Return where the units of a table stand, None where it names no arrays.

    Parameters
    ----------
    table
        Of text, one row a unit; ``array``, optional ``channel`` (within it, from 1), ``region``
        (the first of several joined by ; is the area), and places as `places_of` reads them.
    path
        Of its file, for the message.

    Raises
    ------
    UnreadableError
        If a place, or the number of a channel, is neither a number nor missing.
    """
    if "array" not in table:
        return None
    place, empty = places_of(table, path=path), pd.Series([""] * len(table), dtype=object)
    array, area = (
        tuple("" if text in MISSING else region_name(text.split(";")[0]) for text in column)
        for column in (table["array"], table.get("region", empty))
    )
    number = np.nan_to_num(_numbers(table.get("channel", empty), path)).astype(np.int64)
    return Layout(array, area, np.maximum(number, 0), place)


def places_from(path: Path, channels: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """Return where channels stand on their arrays, as ``electrodes.tsv`` says.

    Parameters
    ----------
    path
        A table of ``array`` and ``channel`` (both numbers), and places as `places_of` reads them.
    channels
        Number of array and of the channel in it, from 1.

    Returns
    -------
    place : (n_channels, 2)
        NaN for those that the table does not name.

    Raises
    ------
    MissingInputError
        If the table, or a column, is not there.
    UnreadableError
        If a number is none, or an electrode stands twice.
    """
    table = read_table(path, ["array", "channel"])
    numbers = np.column_stack([_numbers(table[name], path) for name in ("array", "channel")])
    rows = {(int(a), int(c)): i for i, (a, c) in enumerate(np.nan_to_num(numbers, nan=-1))}
    if len(rows) < len(table):
        raise UnreadableError(
            f"{path} has {len(table)} rows for {len(rows)} electrodes: some stand twice, or have "
            "no number.",
            mend="Give each channel of an array one row.",
        )
    place = np.vstack([places_of(table, path=path), [np.nan, np.nan]])
    return place[[rows.get(channel, -1) for channel in channels]]


def _numbers(column: pd.Series[str], path: Path) -> NDArray[np.float64]:
    is_missing = column.isin(MISSING)
    found = pd.to_numeric(column.mask(is_missing), errors="coerce").to_numpy(dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(found) & ~is_missing.to_numpy())
    if wrong.size:
        raise UnreadableError(
            f"{path} has {column.name} = {column.iloc[wrong[0]]!r} in row {wrong[0] + 1}.",
            mend="Give a number, or n/a where it is not known.",
        )
    return found
