"""NWB: spikes of sorted units, counted while stimuli were shown; read as plain HDF5."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.containers.layout import Layout
from bids_dnn.containers.space import Channels
from bids_dnn.errors import MissingInputError, ShapeError, UnreadableError
from bids_dnn.ingest.events import MISSING
from bids_dnn.ingest.ready.common import (
    choose,
    hdf5,
    natural,
    region_name,
    sample_table,
    stimulus_id,
)
from bids_dnn.ingest.ready.electrodes import named_regions
from bids_dnn.ingest.ready.pieces import pieces, require_space
from bids_dnn.ingest.ready.settle import Floats, Raw, settle
from bids_dnn.ingest.records import Ingested, Subject

if TYPE_CHECKING:
    import h5py

LAYOUT = """
sub-01/sub-01_ses-a_ecephys.nwb      or any other .nwb file, at any depth; NWB 2, HDF5; with
    /units                           spike_times; areas from a column location, or from electrodes;
                                     arrays from the group_name of their electrodes
    /intervals/<table>               start_time, stop_time (s), and one column that names what was
                                     shown: stim_file, stim_id, image_name, image_file, image,
                                     image_id, stimulus, stimulus_id, frame or stimulus_name;
                                     optional trial_type, condition or category; run or block
"""
# What names the stimulus of an interval; the tables with the first of these are read.
STIMULUS = (
    *("stim_file", "stim_id", "image_name", "image_file", "image", "image_id"),
    *("stimulus", "stimulus_id", "frame", "stimulus_name"),
)
CONDITION = ("trial_type", "condition", "category", "stimulus_category")
RUN = ("run", "block", "stimulus_block")
AREA = ("location", "area", "brain_area", "region", "ecephys_structure_acronym")
PLACES = (  # of an electrode, the first pair that is there; the sign of up
    *(("rel_x", "rel_y", 1.0), ("probe_horizontal_position", "probe_vertical_position", 1.0)),
    ("column", "row", -1.0),
)  # x, y and z of NWB are places in the brain
NO_STIMULI = ("epochs", "invalid_times")
UNKNOWN = {"", "unknown", "none", "nan", "na"}
WINDOW_S = 0.2  # after the start, where an interval has no length
SPACE = "units"


def find(
    folder: Path, *, participants: Sequence[str], space: str | None
) -> tuple[list[Subject], list[str]]:
    """Return one entry for each recording, as each has units of its own.

    Parameters
    ----------
    folder
        Laid out as `LAYOUT` says; or one file.
    participants
        Labels without ``sub-``; none = all.
    space
        ``units``, or where a participant has several recordings, ``units`` and the rest of the
        file's name in letters and digits, such as ``unitssesaecephys``; None = all of them.

    Raises
    ------
    MissingInputError
        If there is no file, or a participant or the space is not there.
    """
    paths = [folder] if folder.suffix == ".nwb" else sorted(folder.rglob("*.nwb"))
    of_label: dict[str, list[Path]] = {}
    for path in sorted(paths, key=lambda p: natural(p.as_posix())):
        of_label.setdefault(_label(path), []).append(path)
    subjects = []
    for label in choose(of_label, participants, folder=folder, layout=LAYOUT):
        for path in of_label[label]:
            rest = region_name(re.sub(r"^sub-[^_]+_?", "", path.stem))
            name = SPACE if len(of_label[label]) == 1 else f"{SPACE}{rest}"
            options = {"session": _entity(path, "ses")}
            subjects.append(Subject(label, "nwb", "", name, files=(path,), options=options))
    require_space(space, sorted({s.space for s in subjects}), folder=folder)
    return [s for s in subjects if space in (None, s.space)], []


def read_responses(subject: Subject, *, standardize: str) -> Ingested:
    """Return spikes per second of each unit during each presentation of a stimulus.

    Parameters
    ----------
    subject
        As `find` gives it.
    standardize
        ``none``, ``run``, ``session`` or ``auto``.

    Returns
    -------
    ingested
        Samples in the order of the tables' names and of their rows. Numbered stimuli are named
        by table and number, such as ``natural_scenes-12``; a negative or missing number is no
        stimulus. Spikes are counted from start to stop of each interval (0.2 s where it has no
        length). Regions are the areas of the units, and the groups of their electrodes.

    Raises
    ------
    UnreadableError
        If the file is damaged, of another version, leads to another file, or names a picture
        outside the data set.
    MissingInputError
        If there are no units with spikes, or no table of stimuli.
    ShapeError
        If columns of a table differ in length.
    ConfigError, NotEnoughDataError
        As `settle`.
    """
    path = subject.files[0]
    with hdf5(path) as file:
        _require_version(file)
        shown, facts = _presentations(file)
        names, spikes = _units(file)
        layout = _layout(file, len(names))
        values = _rates(spikes, len(names), shown)
    samples = sample_table(
        list(shown["stimulus"]),
        condition=list(shown["condition"]),
        run=list(shown["run"]),
        session=[subject.options.get("session", "")] * len(shown),
    )
    space = Channels(subject.space, names, np.arange(len(names), dtype=np.int64), layout)
    rois = named_regions(space, source=path.name)
    raw = Raw(samples, space, "rate", "sample", rois, facts)
    blocks = (values[rows] for rows in pieces(samples, standardize))
    return settle(raw, blocks, source="nwb", model="spikecount", standardize=standardize)


# --- what was shown


def _presentations(file: h5py.File) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return stimulus, condition, run, start and stop of all intervals, and facts."""
    intervals = _member(file, "intervals") if "intervals" in file else {}
    tables = {name: _member(intervals, name) for name in intervals if name not in NO_STIMULI}
    ranks = {
        name: next((rank for rank, column in enumerate(STIMULUS) if column in table), None)
        for name, table in tables.items()
    }
    known = {name: rank for name, rank in ranks.items() if rank is not None}
    if not known:
        there = "; ".join(f"{n}: {', '.join(sorted(t))}" for n, t in tables.items()) or "none"
        raise MissingInputError(
            f"{file.filename} has no table of intervals that names stimuli; there are: {there}.",
            mend=f"Add one of the columns {', '.join(STIMULUS)} to its table.",
        )
    first = min(known.values())
    chosen = [name for name, rank in known.items() if rank == first]
    parts = [
        _table(tables[name], name, STIMULUS[first], is_only=len(chosen) == 1) for name in chosen
    ]
    shown = pd.concat(parts, ignore_index=True)
    without = ~(shown["stop"] > shown["start"])
    shown.loc[without, "stop"] = shown["start"][without] + WINDOW_S
    messages = []
    if without.any():
        messages.append(
            f"{int(without.sum())} of {len(shown)} presentations have no length; spikes were "
            f"counted for {WINDOW_S:g} s after their start."
        )
    if not np.isfinite(shown["start"]).all():
        raise UnreadableError(
            f"{file.filename} has presentations without a start.", mend="Mend its table."
        )
    facts = {
        "tables": chosen,
        "tables_left_out": sorted(set(tables) - set(chosen)),
        "median_window_s": float(np.median(shown["stop"] - shown["start"])),
        "warnings": messages,
    }
    return shown, facts


def _table(table: Any, name: str, column: str, *, is_only: bool) -> pd.DataFrame:
    start = _column(table, "start_time").astype(np.float64)
    n = len(start)
    stop = np.full(n, np.nan)
    if "stop_time" in table:
        stop = _column(table, "stop_time", n).astype(np.float64)
    path = Path(table.file.filename)
    short = name.removesuffix("_presentations")
    shown = _column(table, column, n)
    if shown.dtype == object:
        stimuli = [stimulus_id(str(text), path=path) for text in shown]
    else:
        stimuli = [f"{short}-{v:g}" if np.isfinite(v) and v >= 0 else "" for v in shown]
    kinds = next((_column(table, c, n) for c in CONDITION if c in table), None)
    if kinds is None and "stimulus_name" in table and column != "stimulus_name":
        blank = _column(table, "stimulus_name", n)
        kinds = np.array([s or f"{b} blank" for s, b in zip(stimuli, blank, strict=True)], object)
    condition = [""] * n if kinds is None else ["" if k in MISSING else str(k) for k in kinds]
    runs = next((_column(table, c, n) for c in RUN if c in table), None)
    label = "01" if is_only else region_name(short)
    run = [label] * n if runs is None else [_text(r) for r in runs]
    return pd.DataFrame(
        {"stimulus": stimuli, "condition": condition, "run": run, "start": start, "stop": stop}
    )


# --- units


def _units(file: h5py.File) -> tuple[tuple[str, ...], Iterator[NDArray[np.float64]]]:
    """Return names and sorted spike times (s, read one by one) of units."""
    units = _member(file, "units") if "units" in file else {}
    needed = ("spike_times", "spike_times_index")
    if any(name not in units for name in needed) or not len(units["spike_times_index"]):
        raise MissingInputError(
            f"{file.filename} has no units with spike_times.",
            mend="Give files of sorted units, /units/spike_times.",
        )
    times = _member(units, "spike_times")
    ends = _column(units, "spike_times_index").astype(np.int64)
    n = len(ends)
    if n and (ends[-1] > len(times) or (np.diff(ends) < 0).any()):
        raise ShapeError(
            f"{file.filename} has {len(times)} spikes, its units end at {ends[-1]}.",
            mend="Fetch or copy it again.",
        )
    starts = np.concatenate([[0], ends[:-1]])
    spikes = (
        np.sort(np.asarray(times[a:b], dtype=np.float64))
        for a, b in zip(starts, ends, strict=True)
    )
    numbers = _column(units, "id", n) if "id" in units else np.arange(n)
    names = tuple(f"unit{_text(number)}" for number in numbers)
    return names, spikes


def _layout(file: h5py.File, n: int) -> Layout:
    """Return areas of units, and of their first electrode its group and place; "" = unknown."""
    units, table = _member(file, "units"), file.get("general/extracellular_ephys/electrodes")
    known = {} if table is None else table
    ids = _column(known, "id") if "id" in known else np.zeros(0)
    rows = _electrode_rows(units, ids, n)

    def text(column: str) -> list[str]:
        if column not in known:
            return [""] * n
        found = _column(known, column)
        return [_text(found[row]) if 0 <= row < len(found) else "" for row in rows]

    own = next((column for column in AREA if column in units), None)
    area = text("location") if own is None else [str(one) for one in _column(units, own, n)]
    cleaned = [[region_name(one) for one in names] for names in (text("group_name"), area)]
    array, area = [["" if x.lower() in UNKNOWN else x for x in names] for names in cleaned]
    place = np.full((n, 2), np.nan)
    for right, up, sign in PLACES:
        if right in known and up in known:
            columns = [pd.to_numeric(pd.Series(text(one)), errors="coerce") for one in (right, up)]
            place = np.column_stack(columns) * [1.0, sign]
            place[~np.isfinite(place).all(axis=1)] = np.nan
            if np.isfinite(place).any():
                break
    return Layout(tuple(array), tuple(area), np.zeros(n, dtype=np.int64), place)


def _electrode_rows(units: Any, ids: NDArray[Any], n: int) -> list[int]:
    """Return the row of each unit's first electrode, -1 = none."""
    if "electrodes" in units and "electrodes_index" in units:
        rows = _column(units, "electrodes").astype(np.int64)
        ends = _column(units, "electrodes_index", n).astype(np.int64)
        starts = np.concatenate([[0], ends[:-1]])
        return [int(rows[a]) if a < b else -1 for a, b in zip(starts, ends, strict=True)]
    if "peak_channel_id" in units:
        row_of = {int(number): row for row, number in enumerate(ids)}
        return [row_of.get(int(c), -1) for c in _column(units, "peak_channel_id", n)]
    return [-1] * n


def _rates(spikes: Iterator[NDArray[np.float64]], n_units: int, shown: pd.DataFrame) -> Floats:
    """Return spikes per second, (n_presentations, n_units)."""
    start, stop = (shown[column].to_numpy(dtype=np.float64) for column in ("start", "stop"))
    rates = np.empty((len(shown), n_units), dtype=np.float32)
    for unit, times in enumerate(spikes):
        counts = np.searchsorted(times, stop) - np.searchsorted(times, start)
        rates[:, unit] = counts / (stop - start)
    return rates


# --- files


def _require_version(file: h5py.File) -> None:
    version = _text(file.attrs.get("nwb_version", ""))
    if not version.startswith("2."):
        found = f"of NWB {version}" if version else "no NWB file"
        raise UnreadableError(
            f"{file.filename} is {found}; NWB 2 was expected.",
            mend="Convert it to NWB 2, or give a plain table (see docs/ready_made.md).",
        )


def _member(group: Any, name: str) -> Any:
    """Return a member of a group, never one that another file holds."""
    import h5py

    is_elsewhere = isinstance(group.get(name, getlink=True), h5py.ExternalLink)
    if is_elsewhere or group[name].file.filename != group.file.filename:
        raise UnreadableError(
            f"{group.file.filename} keeps {name!r} in another file.",
            mend="Export it with all that it links to (NWBHDF5IO.export).",
        )
    return group[name]


def _column(table: Any, name: str, n: int | None = None) -> NDArray[Any]:
    """Return a column as numbers, or as an object array of text."""
    import h5py

    if name not in table:
        raise UnreadableError(
            f"{table.file.filename} has no {name} in {table.name}.", mend="Fetch it again."
        )
    node = _member(table, name)
    if not isinstance(node, h5py.Dataset) or node.ndim != 1 or (n is not None and len(node) != n):
        raise ShapeError(
            f"{table.file.filename} has {table.name}/{name} of shape "
            f"{getattr(node, 'shape', 'of a group')}, {'one value a row' if n is None else (n,)} "
            "was expected.",
            mend="Fetch or copy it again.",
        )
    if h5py.check_string_dtype(node.dtype) is not None:
        return np.array([_text(value) for value in node[()]], dtype=object)
    return np.asarray(node[()])


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return f"{value:g}" if isinstance(value, (float, np.floating)) else str(value)


def _entity(path: Path, key: str) -> str:
    found = re.search(rf"(?:^|_){key}-([^_.]+)", path.name)
    return region_name(found[1]) if found else ""


def _label(path: Path) -> str:
    above = next((p.name for p in path.parents if p.name.startswith("sub-")), "")
    label = _entity(path, "sub") or region_name(above.removeprefix("sub-"))
    return label or region_name(path.stem)
