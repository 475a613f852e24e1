"""Mean patterns that a participant leaves, and those of several stacked on common units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.comparisons import ALL, Comparison, parse_known
from bids_dnn.analyses.decode.samples import averaged, named_columns, texts, with_condition
from bids_dnn.analyses.decode.tasks import conditions_of
from bids_dnn.containers.responses import REQUIRED, Responses
from bids_dnn.containers.roi import Roi
from bids_dnn.containers.shared import SharedPatterns
from bids_dnn.errors import ShapeError, SpaceError
from bids_dnn.stats.regions import region_units

Places = NDArray[np.int64]
VARIES = 1e-6  # of the largest size of a unit: a smaller SD is rounding of single precision


def share_patterns(
    responses: Responses, rois: Sequence[Roi], *, choices: Choices
) -> SharedPatterns:
    """Return the mean pattern of each condition and run, over the units of each region.

    Parameters
    ----------
    responses, rois
        As they are decoded.
    choices
        Of them, the comparisons: samples that differ in a column that one of them names are
        averaged apart.

    Raises
    ------
    ConfigError
        If a comparison names what does not exist.
    NotEnoughDataError
        If there are fewer than two conditions, or a region without units.
    SpaceError
        If a region lies on another grid.
    """
    regions = region_units(responses, rois)
    own = with_condition(responses)
    found, _ = parse_known(choices.comparisons, conditions_of(own))
    columns = {
        name: values
        for name, values in named_columns(found, own).items()
        if name not in ("condition", "run", "session")
    }
    samples = own.samples[["stimulus", "condition", "run", "session", "repeat"]]
    if "trial" in own.samples:
        samples = samples.assign(trial=own.samples["trial"])
    own = Responses(own.values, samples.assign(**columns), own.space, own.scale)
    means = averaged(own, max(2, len(samples)), columns=list(columns))
    every = np.unique(np.concatenate([region.units for region in regions]))
    kept = means.samples.assign(stimulus="", repeat=0, session=texts(means.samples["session"]))
    return SharedPatterns(
        Responses(
            means.values[:, every],
            kept[[*REQUIRED, *columns]],
            means.space.select(every),
            means.scale,
        ),
        {region.name: np.searchsorted(every, region.units) for region in regions},
    )


def common_places(parts: Sequence[SharedPatterns], region: str) -> Places:
    """Return the places (n_units,) of a region that all have, ascending.

    Parameters
    ----------
    parts
        Each with the region.
    region
        Its name.
    """
    return reduce(np.intersect1d, [one.places(region) for one in parts])


def stack_patterns(
    parts: Mapping[str, SharedPatterns],
    regions: Mapping[str, Places],
    *,
    column: str,
    is_standardized: bool = False,
) -> tuple[Responses, list[Roi]]:
    """Put the patterns of participants or tasks below one another, on the units of all.

    Only conditions that all of them have are taken. The mean pattern of each part is taken out of
    it beforehand, which needs no labels.

    Parameters
    ----------
    parts
        By label.
    regions
        Places of each region's units, which all parts have.
    column
        Of the sample table, for the labels; ``run`` is made unique with them.
    is_standardized
        Divide each unit of a part by its SD over the part's patterns as well.

    Returns
    -------
    responses
        Parts in the order of their labels.
    rois
        The regions, on the same units.

    Raises
    ------
    ShapeError
        If a part has not all units.
    SpaceError
        If two parts lie on other places.
    """
    labels = sorted(parts)
    first = parts[labels[0]].responses
    every = reduce(np.union1d, regions.values())
    shared = set.intersection(*(set(conditions_of(one.responses)) for one in parts.values()))
    values, tables = [], []
    for label in labels:
        made = parts[label].responses
        if not made.space.has_places_of(first.space):
            raise SpaceError(
                f"The patterns of {column} {label!r} lie on {made.space.describe()}, those of "
                f"{labels[0]!r} on {first.space.describe()}.",
                mend="Give patterns in a common space, on one grid.",
            )
        rows = made.samples["condition"].isin(shared).to_numpy(dtype=np.bool_)
        own = made.select(rows)
        values.append(_prepared(own.values[:, _columns_at(own, every, label)], is_standardized))
        runs = [f"{label} {run}" for run in own.samples["run"]]
        tables.append(own.samples.assign(**{"run": runs, column: label}))
    samples = pd.concat(tables, ignore_index=True)
    scale = "zscore" if is_standardized else first.scale
    space = first.space.at(every)
    rois = [
        Roi(name, space.at(places), "units that all have", len(places))
        for name, places in regions.items()
    ]
    return Responses(np.concatenate(values), samples, space, scale), rois


def halves(responses: Responses, comparison: Comparison) -> tuple[Responses, str]:
    """Return what teaches above what is tested, with sides as conditions.

    So a side is one condition in both halves, and can be exchanged in both at once: what is
    common to the two halves of one participant alone is then no evidence.

    Parameters
    ----------
    responses
        With the columns that the comparison names.
    comparison
        One that says who teaches and who is tested.

    Returns
    -------
    responses
        With a column ``half``; what teaches and is tested stands in both.
    text
        The comparison of the two halves.
    """
    samples = responses.samples
    rows, tables = [], []
    for half, side_of, where in (
        ("taught", comparison.side_of, comparison.taught_where),
        ("tested", comparison.tested_side_of, comparison.tested_where),
    ):
        is_in = samples["condition"].isin(list(side_of))
        for column, value in where:
            is_in &= samples[column] == value
        own = samples[is_in]
        sides = [comparison.labels[side_of[name]] for name in own["condition"]]
        rows.append(np.flatnonzero(is_in))
        tables.append(own.assign(condition=sides, half=half))
    text = f"{' vs '.join(comparison.labels)} @ half=taught -> @ half=tested"
    values = responses.values[np.concatenate(rows)]
    return replace(responses, values=values, samples=pd.concat(tables, ignore_index=True)), text


def comparison_text(comparison: Comparison) -> str:
    """Return a comparison as it is typed, so that `comparisons.parse` gives it again.

    Parameters
    ----------
    comparison
    """
    is_named = comparison.name == ALL or comparison.is_crossed
    return comparison.name if is_named else sides_text(comparison)


def sides_text(comparison: Comparison) -> str:
    """Return the sides of a comparison as they are typed.

    Parameters
    ----------
    comparison

    Examples
    --------
    >>> sides = (("animal", ("cat", "dog")), ("car", ("car",)))
    >>> sides_text(Comparison("animal vs car", sides))
    'animal:cat+dog vs car'
    """
    return " vs ".join(
        name if members == (name,) else f"{name}:{'+'.join(members)}"
        for name, members in comparison.sides
    )


def has_all(shared: SharedPatterns, comparison: Comparison) -> bool:
    """Tell whether there are patterns of all conditions that a comparison names.

    Parameters
    ----------
    shared, comparison
    """
    samples = shared.responses.samples
    for side_of, where in (
        (comparison.side_of, comparison.taught_where),
        (comparison.tested_side_of, comparison.tested_where),
    ):
        here = samples
        for column, value in where:
            here = here[here[column] == value] if column in here else here.iloc[:0]
        if not set(side_of) <= set(here["condition"]):
            return False
    return True


def _prepared(values: NDArray[np.float32], is_standardized: bool) -> NDArray[np.float32]:  # noqa: FBT001
    """Take the mean pattern out, and divide each unit by its SD where asked for."""
    made = values.astype(np.float64)
    made -= made.mean(axis=0)
    if is_standardized:
        spread = made.std(axis=0)
        varies = spread > VARIES * np.abs(values).max(axis=0, initial=0)
        made = np.where(varies, made / np.where(varies, spread, 1.0), 0.0)
    return made.astype(np.float32)


def _columns_at(responses: Responses, places: Places, label: str) -> NDArray[np.intp]:
    """Return the columns of the units at some places."""
    order = np.argsort(responses.space.index, kind="stable")
    index = responses.space.index[order]
    found = np.minimum(np.searchsorted(index, places), len(index) - 1)
    absent = int((index[found] != places).sum())
    if absent:
        raise ShapeError(
            f"{label!r} lacks {absent} of {len(places)} units.",
            mend="Give the units that all have (common_places).",
        )
    columns: NDArray[np.intp] = order[found]
    return columns
