"""Where units lie, on disk: one form of file for each kind of `Space`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn import imaging
from bids_dnn.containers.layout import Layout
from bids_dnn.containers.result import StatMap
from bids_dnn.containers.space import (
    HEMISPHERES,
    Channels,
    Grayordinates,
    Grid,
    Hemisphere,
    Space,
    Surface,
)
from bids_dnn.derivatives import names
from bids_dnn.derivatives.tables import table_text
from bids_dnn.errors import ShapeError, UnreadableError
from bids_dnn.files import write_text

Array = NDArray[np.floating[Any]]
FORMS: Mapping[type[Space], str] = {  # what a kind in `names.TEMPLATES` ends in
    Grid: "",
    Surface: "_surface",
    Grayordinates: "_grayordinates",
    Channels: "_channels",
}
DENSITIES = {91282: "91k", 170494: "170k"}
INSIDE = {0: "outside", 1: "inside"}
NEEDED = ("unit", "inside")
UNIT_COLUMNS = {
    "unit": "Name of the unit, as in its source.",
    "inside": "Whether the unit belongs to what the file stands for; all units are listed, in "
    "the order of the source.",
    "array": "Electrode array or probe that the unit was recorded with.",
    "area": "Brain area of the unit.",
    "channel": "Number of the channel within its array, from 1; 0 = not known.",
    "x": "Place of the electrode on its array, to the right, in the unit of the source.",
    "y": "Place of the electrode on its array, up, in the unit of the source; minus the row where "
    "the source counts rows from the top.",
}


def hemispheres_of(space: Surface) -> tuple[Hemisphere, ...]:
    """Return the hemispheres that have a mesh."""
    return tuple(h for h, n in zip(HEMISPHERES, space.n_vertices, strict=True) if n)


def density_of(space: Grayordinates) -> str:
    """Return the ``den-`` label of a CIFTI-2 file: ``91k``, ``170k``, or the very number."""
    return DENSITIES.get(space.n_places, str(space.n_places))


def paths_of(out_dir: Path, kind: str, space: Space, /, **entities: str) -> tuple[Path, ...]:
    """Return where places or values in this kind of space are written.

    Parameters
    ----------
    out_dir
        Root of the output data set.
    kind
        ``statmap``, ``units`` or ``region``, or ``group_statmap`` or ``group_units``.
    space
        Decides on the form; its name must be the ``space`` among the entities.
    entities
        As for `names.path_of`.

    Returns
    -------
    paths
        One file; on surfaces one for each hemisphere that has a mesh, the left one first.

    Raises
    ------
    ConfigError
        If an entity is missing or holds a character that BIDS does not allow, or the kind has
        no file in such a space.
    """
    kind = kind + FORMS[type(space)]
    if isinstance(space, Surface):
        return tuple(
            names.path_of(out_dir, kind, **entities, hemi=h) for h in hemispheres_of(space)
        )
    if isinstance(space, Grayordinates):
        return (names.path_of(out_dir, kind, **entities, den=density_of(space)),)
    return (names.path_of(out_dir, kind, **entities),)


def extra_fields(space: Space) -> dict[str, Any]:
    """Return what a sidecar must say of this kind of space beyond its reference."""
    if isinstance(space, Grayordinates):
        return {"Density": f"{space.n_places} grayordinates: {', '.join(space.structures)}."}
    return {}


def write_places(paths: Sequence[Path], space: Space) -> None:
    """Write which places of a space have a unit: a mask, labels, or a table of names.

    Raises
    ------
    OutputError
        If the disk is full, or the folder cannot be written.
    """
    match space:
        case Grid():
            imaging.write_mask(paths[0], space)
        case Surface():
            for path, hemisphere in zip(paths, hemispheres_of(space), strict=True):
                labels = np.zeros(_n_vertices(space, hemisphere), dtype=np.int64)
                labels[space.vertices(hemisphere)] = 1
                imaging.write_labels(path, labels, INSIDE, hemisphere)
        case Grayordinates():
            ones = np.ones(len(space), dtype=np.int64)
            imaging.write_cifti_labels(paths[0], ones, {1: INSIDE[1]}, space)
        case Channels():
            write_text(paths[0], table_text(channel_table(space)))


def read_places(paths: Sequence[Path], *, name: str) -> Space:
    """Return the space whose units were written by `write_places`.

    Parameters
    ----------
    paths
        All files of it.
    name
        BIDS label of the space.

    Returns
    -------
    space
        Units in the order of places, whatever their order was.

    Raises
    ------
    MissingInputError
        If a file is not there.
    UnreadableError
        If a file ends early or is of another kind, or two stand for one hemisphere.
    """
    first = paths[0].name
    if first.endswith(".label.gii"):
        return _read_surface(paths, name)
    if first.endswith(".dlabel.nii"):
        whole = imaging.space_of_cifti(paths[0], name=name)
        labels, _ = imaging.read_cifti_labels(paths[0])
        return whole.at(np.flatnonzero(labels).astype(np.int64))
    if first.endswith(".tsv"):
        table = pd.read_csv(paths[0], sep="\t", dtype=str, keep_default_na=False)
        if missing := sorted(set(NEEDED) - set(table.columns)):
            raise UnreadableError(
                f"{paths[0]} lacks the columns {missing}.",
                mend="Run that participant again; what is complete is not computed twice.",
            )
        inside = np.flatnonzero((table["inside"] == "true").to_numpy(dtype=bool))
        return Channels(name, tuple(table["unit"]), inside.astype(np.int64), _layout_of(table))
    return imaging.space_of_mask(paths[0], name=name)


def _read_surface(paths: Sequence[Path], name: str) -> Surface:
    found: dict[str, NDArray[np.int64]] = {}
    for path in paths:
        hemisphere = names.entities_of(path).get("hemi", "")
        if hemisphere not in HEMISPHERES or hemisphere in found:
            raise UnreadableError(
                f"{path} stands for hemisphere {hemisphere!r}; one file for L and one for R "
                "were expected.",
                mend="Run that participant again; what is complete is not computed twice.",
            )
        found[hemisphere] = imaging.read_labels(path)[0]
    none = np.zeros(0, dtype=np.int64)
    left, right = found.get("L", none), found.get("R", none)
    index = np.flatnonzero(np.concatenate([left, right])).astype(np.int64)
    return Surface(name, (left.size, right.size), index)


def write_values(paths: Sequence[Path], values: Array, space: Space, *, name: str) -> None:
    """Write one value for each unit, (n_units,); NaN elsewhere.

    Parameters
    ----------
    paths
        As `paths_of` returns them.
    values
        In the order of `space`.
    space
        Any kind but `Channels`, whose maps are columns of one table.
    name
        Of the map, within the file.

    Raises
    ------
    ShapeError
        If the space is one of channels.
    OutputError
        If the disk is full, or the folder cannot be written.
    """
    match space:
        case Grid():
            imaging.write_map(paths[0], values, space)
        case Surface():
            for path, hemisphere in zip(paths, hemispheres_of(space), strict=True):
                row = np.full(_n_vertices(space, hemisphere), np.nan, dtype=np.float32)
                row[space.vertices(hemisphere)] = values[space.in_hemisphere(hemisphere)]
                imaging.write_shape(path, row, hemisphere, name=name)
        case Grayordinates():
            imaging.write_cifti_map(paths[0], values, space, name=name)
        case _:
            raise ShapeError(
                f"A map of {space.describe()} has no image.",
                mend="Write it as a column of `channel_table`.",
            )


def read_values(paths: Sequence[Path], space: Space, *, column: str = "") -> NDArray[np.float32]:
    """Return one value for each unit of `space`, (n_units,), as `write_values` wrote them.

    Parameters
    ----------
    paths
        All files of the map.
    space
        Where its units lie.
    column
        Of the table, where units are channels.

    Raises
    ------
    MissingInputError
        If a file is not there.
    UnreadableError
        If a file ends early or is of another kind.
    SpaceError
        If a file has other places than `space`.
    """
    rows: NDArray[np.float32]
    match space:
        case Surface():
            by_hemisphere = {names.entities_of(path)["hemi"]: path for path in paths}
            left, right = by_hemisphere.get("L"), by_hemisphere.get("R")
            rows = imaging.read_surface_units(left, right, space)
        case Grayordinates():
            rows = imaging.read_cifti_units(paths[0], space)
        case Grid():
            rows = imaging.read_units(paths[0], space)
        case _:
            table = pd.read_csv(paths[0], sep="\t", na_values="n/a", dtype={"unit": str})
            rows = table[[column]].to_numpy(np.float32).T[:, space.index]
    first: NDArray[np.float32] = rows[0]
    return first


def channel_table(space: Channels, maps: Sequence[StatMap] = ()) -> pd.DataFrame:
    """Return one row a channel: name, whether it is a unit, where it stands, value of each map.

    Parameters
    ----------
    space
        Its units have values.
    maps
        A column each, named by `column_of`.

    Returns
    -------
    table
        NaN where a channel is no unit or was not measured.
    """
    inside = np.zeros(space.n_places, dtype=bool)
    inside[space.index] = True
    columns: dict[str, Any] = {"unit": list(space.names), "inside": inside}
    if space.layout is not None:
        columns |= {"array": list(space.layout.array), "area": list(space.layout.area)}
        columns |= {"channel": space.layout.channel}
        columns |= dict(zip("xy", space.layout.place.T, strict=True))
    for made in maps:
        column = np.full(space.n_places, np.nan, dtype=np.float32)
        column[space.index] = made.values
        columns[column_of(made)] = column
    return pd.DataFrame(columns)


def _layout_of(table: pd.DataFrame) -> Layout | None:
    """Return where channels stand, from a table of text; None where it does not tell."""
    if not {"array", "area", "channel", "x", "y"} <= set(table.columns):
        return None
    array, area = (tuple(table[name].replace("n/a", "")) for name in ("array", "area"))
    place = table[["x", "y"]].replace("n/a", "nan").to_numpy(dtype=np.float64)
    return Layout(array, area, table["channel"].to_numpy(dtype=np.int64), place)


def column_of(made: StatMap) -> str:
    """Return the column of a map in the table of channels.

    Examples
    --------
    >>> column_of(StatMap("pearson", np.zeros(1, np.float32), "alexnet+features0", ""))
    'pearson_alexnet+features0'
    """
    return f"{made.stat}_{made.model}" if made.model else made.stat


def _n_vertices(space: Surface, hemisphere: Hemisphere) -> int:
    return space.n_vertices[HEMISPHERES.index(hemisphere)]
