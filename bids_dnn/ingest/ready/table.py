"""A plain table: an array of responses, with a table of its samples and one of its units."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn import files, imaging
from bids_dnn.containers.responses import Independence, Scale
from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Channels, Grid, Space
from bids_dnn.errors import MissingInputError, ShapeError, UnreadableError, nearest
from bids_dnn.ingest.events import MISSING
from bids_dnn.ingest.ready.common import (
    choose,
    open_array,
    read_table,
    region,
    region_name,
    sample_table,
    stimulus_id,
)
from bids_dnn.ingest.ready.electrodes import array_regions, table_layout
from bids_dnn.ingest.ready.pieces import column_values, pieces, read_pieces, require_space
from bids_dnn.ingest.ready.settle import Floats, Raw, settle
from bids_dnn.ingest.records import Ingested, Subject

LAYOUT = """
sub-01/                 one folder a participant, or the files themselves for one participant
    responses.npy       samples x units, numbers
    samples.tsv         one row a sample: stimulus or condition or both; optional run, session,
                        sample (an id of its own), trial, and further columns
    units.tsv           one row a unit: name; optional region (several joined by ;),
                        i j k (voxel, from 0) or x y z (mm); not needed where a mask is;
                        of electrodes: array, channel, and x y or row column on the array
    mask.nii.gz         optional: the units are its voxels, in their order (last axis fastest)
                        or at i j k or x y z
    responses.json      optional: Scale (beta, psc, zscore, rate, raw), Independence (sample,
                        run, none), Space, Model
"""
RESPONSES, SAMPLES, UNITS = "responses.npy", "samples.tsv", "units.tsv"
MASK, SIDECAR = "mask.nii.gz", "responses.json"
STIMULUS, CONDITION = ("stimulus", "stim_file", "stim_id"), ("condition", "trial_type")
OWN = (*STIMULUS, *CONDITION, "run", "session", "repeat")
VOXEL, POINT = ["i", "j", "k"], ["x", "y", "z"]


@dataclass(frozen=True, slots=True)
class _Told:
    """What ``responses.json`` says."""

    scale: Scale
    independence: Independence
    space: str
    model: str


def find(
    folder: Path, *, participants: Sequence[str], space: str | None
) -> tuple[list[Subject], list[str]]:
    """Return the participants that have an array of responses.

    Parameters
    ----------
    folder
        Laid out as `LAYOUT` says.
    participants
        Labels without ``sub-``; none = all.
    space
        None, or that of ``responses.json``; where it tells none, the mask lies in this one
        (``native`` where none is asked for), and units without a mask in ``units``.

    Raises
    ------
    MissingInputError
        If there is no array, or a table, a participant or the space is not there.
    UnreadableError
        If ``responses.json`` is damaged or has a value that does not exist.
    """
    homes = {
        region_name(path.name.removeprefix("sub-")): path
        for path in [folder.resolve(), *sorted(folder.glob("sub-*"))]
        if _is_there(path / RESPONSES)
    }
    labels = choose(homes, participants, folder=folder, layout=LAYOUT)
    subjects = []
    for label in labels:
        home = homes[label]
        beside = [home / name for name in (SAMPLES, UNITS, MASK, SIDECAR)]
        there = [path for path in beside if _is_there(path)]
        needed = [SAMPLES] if home / MASK in there else [SAMPLES, UNITS]
        for name in needed:
            if home / name not in there:
                raise MissingInputError(
                    f"{home} has {RESPONSES}, but no {name}.",
                    mend=f"Write it; the folder is laid out so:\n{LAYOUT.strip()}",
                )
        name = _told(there).space
        if home / MASK in there:
            name = name or space or "native"
        name = name or "units"
        require_space(space, [name], folder=home)
        found = (home / RESPONSES, *there)
        subjects.append(Subject(label, "table", "", name, files=found))
    return subjects, []


def read_responses(subject: Subject, *, standardize: str) -> Ingested:
    """Return the responses of one participant, in the order of ``samples.tsv``.

    Parameters
    ----------
    subject
        As `find` gives it.
    standardize
        ``none``, ``run``, ``session`` or ``auto``.

    Returns
    -------
    ingested
        Further columns of ``samples.tsv`` are kept, as numbers where all are numbers.
        Regions are those of ``units.tsv``, and its arrays.

    Raises
    ------
    UnreadableError
        If a file is damaged, holds objects in place of numbers, names a picture outside the
        data set, or a sample, unit or voxel stands twice.
    ShapeError
        If the array and its tables or its mask differ in length.
    MissingInputError
        If a column is not there.
    ConfigError, NotEnoughDataError
        As `settle`.
    """
    named = {path.name: path for path in subject.files}
    told = _told(subject.files)
    array = open_array(named[RESPONSES], n_dims=(2,))
    samples = _samples(named[SAMPLES])
    units = read_table(named[UNITS], ["name"]) if UNITS in named else None
    space = _space(subject.space, named, units)
    if array.shape != (len(samples), len(space)):
        is_turned = array.shape == (len(space), len(samples))
        raise ShapeError(
            f"{named[RESPONSES]} has shape {array.shape}; {len(samples)} samples x {len(space)} "
            "units were expected.",
            mend="Save it transposed: samples first."
            if is_turned
            else "Give one row a sample of samples.tsv, and one column a unit.",
        )
    rois = () if units is None else _regions(units, space, source=named[UNITS].name)
    rois = (*rois, *_arrays(rois, space, source=UNITS))
    raw = Raw(samples, space, told.scale, told.independence, rois)

    def read(first: int, last: int) -> Floats:
        return np.asarray(array[first:last], dtype=np.float32)

    blocks = read_pieces([(len(array), read)], pieces(samples, standardize))
    return settle(raw, blocks, source="table", model=told.model, standardize=standardize)


def samples_of(subject: Subject) -> pd.DataFrame:
    """Return the rows of ``samples.tsv`` as a sample table; responses are not read.

    Parameters
    ----------
    subject
        As `find` gives it.

    Raises
    ------
    UnreadableError
        If the file is damaged, names a picture outside the data set, or has a sample twice.
    MissingInputError
        If a column is not there.
    """
    return _samples(next(path for path in subject.files if path.name == SAMPLES))


def _told(found: Sequence[Path]) -> _Told:
    paths = {path.name: path for path in found}
    value: Any = {}
    if SIDECAR in paths:
        path = imaging.require_file(paths[SIDECAR])
        try:
            value = files.read_json(path)
        except (json.JSONDecodeError, UnicodeDecodeError) as err:
            raise UnreadableError(f"{path} is no JSON ({err}).", mend="Mend the file.") from err
        if not isinstance(value, dict):
            raise UnreadableError(
                f"{path} holds a {type(value).__name__}, an object was expected.",
                mend='Write for one {"Scale": "beta"}.',
            )
    closed = {"Scale": (Scale, "raw"), "Independence": (Independence, "sample")}
    chosen = {}
    for key, (kind, otherwise) in closed.items():
        chosen[key] = value.get(key, otherwise)
        if chosen[key] not in get_args(kind):
            raise UnreadableError(
                f"{paths[SIDECAR]} has {key} = {chosen[key]!r}.",
                mend=nearest(str(chosen[key]), get_args(kind)),
            )
    return _Told(
        cast(Scale, chosen["Scale"]),
        cast(Independence, chosen["Independence"]),
        region_name(str(value.get("Space", ""))),
        str(value.get("Model", "table")),
    )


def _samples(path: Path) -> pd.DataFrame:
    table = read_table(path, [])
    stimulus, condition = (
        next((name for name in names if name in table), "") for names in (STIMULUS, CONDITION)
    )
    if not stimulus and not condition:
        raise MissingInputError(
            f"{path} has neither of the columns stimulus and condition; there are: "
            f"{', '.join(map(str, table.columns))}.",
            mend="Add at least one of them.",
        )
    if "sample" in table and table["sample"].duplicated().any():
        twice = table["sample"][table["sample"].duplicated()].iloc[0]
        raise UnreadableError(
            f"{path} has the sample {twice!r} twice.", mend="Give each sample one row."
        )
    n = len(table)
    empty = pd.Series([""] * n, dtype=object)
    shown = [stimulus_id(name, path=path) for name in (table[stimulus] if stimulus else empty)]
    kinds = ["" if k in MISSING else k for k in (table[condition] if condition else empty)]
    return sample_table(
        shown,
        condition=kinds,
        run=list(table["run"]) if "run" in table else ["01"] * n,
        session=["" if s in MISSING else s for s in table.get("session", empty)],
        more={str(k): column_values(table[k]) for k in table if k not in OWN},
    )


def _space(name: str, named: dict[str, Path], units: pd.DataFrame | None) -> Space:
    if MASK in named:
        mask = imaging.space_of_mask(named[MASK], name=name)
        has_places = units is not None and any(set(c) <= set(units) for c in (VOXEL, POINT))
        if units is not None and has_places:
            return _at_voxels(mask, units, named)
        if units is not None and len(units) != len(mask):
            raise ShapeError(
                f"{named[UNITS]} has {len(units)} units for {len(mask)} voxels of {MASK}.",
                mend="Give one row a voxel, or the columns i j k.",
            )
        return mask
    if units is None:
        raise MissingInputError("There is no units.tsv.", mend="Write it beside responses.npy.")
    twice = units["name"][units["name"].duplicated()]
    if len(twice):
        raise UnreadableError(
            f"{named[UNITS]} has the unit {twice.iloc[0]!r} twice.",
            mend="Give each unit a name of its own.",
        )
    layout = table_layout(units, path=named[UNITS])
    return Channels(name, tuple(units["name"]), np.arange(len(units), dtype=np.int64), layout)


def _at_voxels(mask: Grid, units: pd.DataFrame, named: dict[str, Path]) -> Grid:
    """Return the voxels of the mask that the units name, in the order of the units."""
    columns = VOXEL if set(VOXEL) <= set(units) else POINT
    found = units[columns].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    if columns == POINT:
        found = np.column_stack([found, np.ones(len(found))]) @ np.linalg.inv(mask.affine).T
    places = np.rint(found[:, :3])
    is_inside = ((places >= 0) & (places < mask.shape)).all(axis=1)  # NaN is not
    index = np.full(len(places), -1, dtype=np.int64)
    whole: NDArray[np.int64] = places[is_inside].astype(np.int64)
    index[is_inside] = np.ravel_multi_index(tuple(whole.T), mask.shape)
    is_known = np.isin(index, mask.index)
    if not is_known.all():
        first = int(np.flatnonzero(~is_known)[0])
        raise UnreadableError(
            f"{named[UNITS]} places {int((~is_known).sum())} units outside {named[MASK].name}, "
            f"such as row {first + 1} at {units[columns].iloc[first].tolist()}.",
            mend="Give voxels of the mask: i j k counted from 0, or x y z in mm.",
        )
    if np.unique(index).size != index.size:
        raise UnreadableError(
            f"{named[UNITS]} places {index.size - np.unique(index).size} units on a voxel that "
            "has one already.",
            mend="Give each unit a voxel of its own.",
        )
    return mask.at(index)


def _regions(units: pd.DataFrame, space: Space, *, source: str) -> tuple[Roi, ...]:
    if "region" not in units:
        return ()
    sets = [
        {region_name(name) for name in text.split(";") if text not in MISSING}
        for text in units["region"]
    ]
    names = sorted(set().union(*sets) - {""})
    marks = ((name, np.array([name in own for own in sets])) for name in names)
    found = (region(name, marked, space, source=source) for name, marked in marks)
    return tuple(roi for roi in found if roi is not None)


def _arrays(areas: tuple[Roi, ...], space: Space, *, source: str) -> tuple[Roi, ...]:
    return array_regions(space, areas, source=source) if isinstance(space, Channels) else ()


def _is_there(path: Path) -> bool:
    return path.exists() or path.is_symlink()
