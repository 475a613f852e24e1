"""TVSD: multi-unit activity of macaques to THINGS images (Papale et al., 2025), and exports."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.containers.layout import Layout
from bids_dnn.containers.responses import Scale
from bids_dnn.containers.space import Channels
from bids_dnn.errors import ShapeError, UnreadableError
from bids_dnn.ingest.matfile import is_hdf5, read_mat, text_of
from bids_dnn.ingest.ready.common import (
    absent,
    choose,
    dataset,
    hdf5,
    is_there,
    natural,
    read_table,
    region_name,
    sample_table,
    stimulus_id,
)
from bids_dnn.ingest.ready.electrodes import named_regions, places_from
from bids_dnn.ingest.ready.pieces import pieces, read_pieces, require_space
from bids_dnn.ingest.ready.settle import Floats, Raw, settle
from bids_dnn.ingest.records import Ingested, Subject

if TYPE_CHECKING:
    import h5py

LAYOUT = """
monkeyF/, monkeyN/                       or one of these folders itself; each with
    THINGS_normMUA.mat                   format 7.3: train_MUA, test_MUA, test_MUA_reps
    _logs/things_imgs.mat                train_imgs and test_imgs with things_path
    areas.tsv                            optional: array, area (for other monkeys)
    electrodes.tsv                       optional: array, channel, and x y or row column
or, in place of THINGS_normMUA.mat,
    THINGS_exportMUA_array1.mat ... 16   format 7.3: train_MUA, test_MUA, good_chns
"""
RESPONSES, PICTURES = "THINGS_normMUA.mat", "_logs/things_imgs.mat"
AREAS_TABLE, PLACES_TABLE = "areas.tsv", "electrodes.tsv"
EXPORT = re.compile(r"THINGS_exportMUA_array(\d+)\.mat$")
SPACE = "electrodes"
PER_ARRAY = 64
# Arrays of each monkey, first and last, by area.
ARRAYS = {
    "F": {"V1": (1, 8), "IT": (9, 13), "V4": (14, 16)},
    "N": {"V1": (1, 8), "V4": (9, 12), "IT": (13, 16)},
}
NUMBERED = {"train": "train/THINGS_train/{:05d}.bmp", "test": "val/test/{:05d}.bmp"}
NORMALIZED = (
    "The data set normalized the responses of each day with the mean and standard deviation of "
    "that day's test images: training responses carry statistics of test images."
)
AVERAGED = (
    "Responses to test images are averages over showings, made by the data set: noise ceilings "
    "cannot be computed from them."
)

Reader = tuple[int, Callable[[int, int], Floats]]


@dataclass(frozen=True, slots=True, eq=False)
class _Recording:
    """What one of the two layouts holds."""

    channels: list[tuple[int, int]]  # array and channel in it, from 1
    train: Reader
    tests: list[tuple[NDArray[np.intp], Floats]]  # of each repetition: images, and their rows
    n_test: int
    is_averaged: bool
    scale: Scale
    facts: dict[str, Any]


def find(
    folder: Path, *, participants: Sequence[str], space: str | None
) -> tuple[list[Subject], list[str]]:
    """Return the monkeys that are there, each named as its folder.

    Parameters
    ----------
    folder
        Laid out as `LAYOUT` says.
    participants
        Such as ``monkeyF``; none = all.
    space
        None or ``electrodes``.

    Raises
    ------
    MissingInputError
        If there is no monkey, or one that is asked for, the space, or the list of pictures of
        ``THINGS_normMUA.mat`` is not there.
    """
    homes = {}
    for home in [folder, *sorted(path for path in folder.glob("*") if path.is_dir())]:
        if files := _files(home):
            homes[region_name(home.resolve().name)] = (home, files)
    labels = choose(homes, participants, folder=folder, layout=LAYOUT)
    require_space(space, [SPACE], folder=folder)
    subjects, notes = [], []
    for label in labels:
        home, files = homes[label]
        is_norm = files[0].name == RESPONSES
        tables = (PICTURES, AREAS_TABLE, PLACES_TABLE)
        beside = [home / name for name in tables if is_there(home / name)]
        if is_norm and home / PICTURES not in beside:
            raise absent(
                f"{PICTURES} in {home.name}, which names the pictures of {RESPONSES}",
                folder=folder,
                layout=LAYOUT,
            )
        if home / PICTURES not in beside:
            notes.append(
                f"{label}: without {PICTURES}, pictures are named by number, such as "
                f"{NUMBERED['train'].format(1)}."
            )
        options = {"layout": "norm" if is_norm else "export"}
        every = (*files, *beside)
        subjects.append(Subject(label, "tvsd", "", SPACE, files=every, options=options))
    return subjects, notes


def read_responses(subject: Subject, *, standardize: str) -> Ingested:
    """Return the responses of one monkey's channels: training images, then test images.

    Parameters
    ----------
    subject
        As `find` gives it.
    standardize
        ``none``, ``run``, ``session`` or ``auto``; the data set has normalized each channel.

    Returns
    -------
    ingested
        Where the repetitions of test images are there, each showing is a sample: all images of
        the first, then all of the second ... The condition of an image of THINGS is its
        object. Regions are the areas V1, V4 and IT, and the arrays.

    Raises
    ------
    UnreadableError
        If a file is damaged or lacks an array, or names a picture outside the data set.
    ShapeError
        If arrays differ in images or channels, or from the list of pictures.
    ConfigError, NotEnoughDataError
        As `settle`.
    """
    responses = [path for path in subject.files if path.name.startswith("THINGS_")]
    with ExitStack() as stack:
        opened = {path: stack.enter_context(hdf5(path)) for path in responses}
        is_norm = subject.options["layout"] == "norm"
        held = _norm(opened) if is_norm else _exports(opened)
        samples = _samples(subject, held)
        names = tuple(f"array{a:02d}channel{c:02d}" for a, c in held.channels)
        layout, told_by, untold = _layout(subject, held.channels)
        space = Channels(subject.space, names, np.arange(len(names), dtype=np.int64), layout)
        rois = named_regions(space, source=told_by)
        messages = [NORMALIZED, *([AVERAGED] if held.is_averaged else []), *untold]
        facts = {**held.facts, "warnings": [*messages, *held.facts.get("warnings", ())]}
        raw = Raw(samples, space, held.scale, "sample", rois, facts)
        parts = [held.train, *(_rows(values) for _, values in held.tests)]
        blocks = read_pieces(parts, pieces(samples, standardize))
        return settle(raw, blocks, source="tvsd", model="mua", standardize=standardize)


# --- the two layouts


def _files(home: Path) -> list[Path]:
    """Return the files with responses in a folder, the public release first."""
    if is_there(home / RESPONSES):
        return [home / RESPONSES]
    found = (path for path in home.glob("THINGS_exportMUA_array*.mat") if EXPORT.match(path.name))
    return sorted(found, key=lambda path: natural(path.name))


def _norm(opened: dict[Path, h5py.File]) -> _Recording:
    ((path, file),) = opened.items()
    train = dataset(file, "train_MUA")
    n_train, n_channels = _shape(train, 2, path=path)
    channels = [(c // PER_ARRAY + 1, c % PER_ARRAY + 1) for c in range(n_channels)]
    facts: dict[str, Any] = {}
    if "reliab" in file:
        by_channel = np.atleast_2d(dataset(file, "reliab")[()]).mean(axis=0)
        finite = by_channel[np.isfinite(by_channel)]
        facts["median_reliability"] = float(np.median(finite)) if finite.size else None
    is_averaged = "test_MUA_reps" not in file
    name = "test_MUA" if is_averaged else "test_MUA_reps"
    repeats = np.asarray(dataset(file, name)[()], dtype=np.float32)
    if repeats.ndim != 3 - is_averaged or repeats.shape[-1] != n_channels:
        raise ShapeError(
            f"{path} has {name} of shape {repeats.shape} for {n_channels} channels.",
            mend="Fetch or copy it again.",
        )
    repeats = repeats[None] if is_averaged else repeats
    tests, n_missing = _shown(repeats)
    if n_missing:
        facts["warnings"] = [f"{n_missing} showings of test images have no response."]
    return _Recording(
        channels=channels,
        train=(n_train, _reader(train)),
        tests=tests,
        n_test=repeats.shape[1],
        is_averaged=is_averaged,
        scale="zscore",
        facts=facts,
    )


def _shown(repeats: Floats) -> tuple[list[tuple[NDArray[np.intp], Floats]], int]:
    """Return, of each repetition (n_repeats, n_images, n_channels), what was recorded."""
    is_finite = np.isfinite(repeats)
    alive = is_finite.any(axis=(0, 1))
    recorded = np.asarray(is_finite[:, :, alive].any(axis=2))  # (n_repeats, n_images)
    tests = [(np.flatnonzero(rows), repeats[i][rows]) for i, rows in enumerate(recorded)]
    return tests, int((~recorded).sum())


def _exports(opened: dict[Path, h5py.File]) -> _Recording:
    trains: list[Reader] = []
    tests: list[Floats] = []
    channels: list[tuple[int, int]] = []
    empty: list[str] = []
    for path, file in opened.items():
        match = EXPORT.match(path.name)
        number = int(match[1]) if match else 0
        train, test = dataset(file, "train_MUA"), dataset(file, "test_MUA")
        if train.ndim < 2:  # MATLAB's empty arrays hold their size
            empty.append(str(number))
            continue
        n_train, n = _shape(train, 2, path=path)
        n_test, n_too = _shape(test, 2, path=path)
        _same(n_too, n, what="channels of test_MUA and train_MUA", path=path)
        good = np.asarray(dataset(file, "good_chns")[()]).ravel() if "good_chns" in file else None
        own = np.arange(1, n + 1) if good is None else good.astype(np.int64)
        _same(len(own), n, what="good_chns and channels of train_MUA", path=path)
        if trains:
            _same(n_train, trains[0][0], what="training images, as in the first array", path=path)
            _same(n_test, len(tests[0]), what="test images, as in the first array", path=path)
        trains.append((n_train, _reader(train)))
        tests.append(_reader(test)(0, n_test))
        channels += [(number, int(c)) for c in own]
    if not trains:
        raise UnreadableError(
            f"{', '.join(p.name for p in opened)} hold no channel.",
            mend="Check that they are the right files, or fetch them again.",
        )
    facts = {"arrays_without_channels": empty} if empty else {}
    n_test = len(tests[0])
    return _Recording(
        channels=channels,
        train=_beside(trains),
        tests=[(np.arange(n_test), np.concatenate(tests, axis=1))],
        n_test=n_test,
        is_averaged=True,
        scale="raw",
        facts=facts,
    )


def _reader(array: h5py.Dataset) -> Callable[[int, int], Floats]:
    def read(first: int, last: int) -> Floats:
        return np.asarray(array[first:last], dtype=np.float32).reshape(last - first, -1)

    return read


def _rows(values: Floats) -> Reader:
    return len(values), lambda first, last: values[first:last]


def _beside(parts: list[Reader]) -> Reader:
    """Put the channels of several arrays side by side."""

    def read(first: int, last: int) -> Floats:
        return np.concatenate([get(first, last) for _, get in parts], axis=1)

    return parts[0][0], read


def _shape(array: h5py.Dataset, n_axes: int, *, path: Path) -> tuple[int, ...]:
    """Return the first axes of an array whose further ones have length 1."""
    if array.ndim < n_axes or any(n != 1 for n in array.shape[n_axes:]):
        raise ShapeError(
            f"{path} has {array.name[1:]} of shape {array.shape}, {n_axes} axes were expected.",
            mend="Fetch or copy it again.",
        )
    return tuple(int(n) for n in array.shape[:n_axes])


def _same(found: int, expected: int, *, what: str, path: Path) -> None:
    if found != expected:
        raise ShapeError(
            f"{path} has {found} and {expected} {what}.", mend="Fetch or copy it again."
        )


# --- pictures, samples, areas


def _samples(subject: Subject, held: _Recording) -> pd.DataFrame:
    train = _pictures(subject, "train", held.train[0])
    test = _pictures(subject, "test", held.n_test)
    shown, runs = list(train), ["train"] * len(train)
    for i, (images, _) in enumerate(held.tests, start=1):
        shown += [test[image] for image in images]
        runs += ["test" if held.is_averaged else f"test{i:02d}"] * len(images)
    # images of THINGS lie in a folder of their object; numbered ones do not
    is_named = any(path.name == Path(PICTURES).name for path in subject.files)
    objects = [name.split("/")[-2] if is_named and "/" in name else "" for name in shown]
    return sample_table(shown, condition=objects, run=runs, session=[""] * len(shown))


def _pictures(subject: Subject, kind: str, n: int) -> list[str]:
    """Return the names of the pictures of ``train`` or ``test``."""
    lists = [path for path in subject.files if path.name == Path(PICTURES).name]
    if not lists:
        return [NUMBERED[kind].format(i) for i in range(1, n + 1)]
    texts = _texts(lists[0], f"{kind}_imgs")
    if len(texts) != n:
        raise ShapeError(
            f"{lists[0]} names {len(texts)} {kind} images, there are responses to {n}.",
            mend="Give the list of the same monkey and release.",
        )
    return [stimulus_id(text, path=lists[0]) for text in texts]


def _texts(path: Path, group: str) -> list[str]:
    field = "things_path"
    if not is_hdf5(path):
        found = read_mat(path, [group])[group]
        rows = found if isinstance(found, list) else [found]
        if not all(isinstance(row, dict) and field in row for row in rows):
            raise _without(path, group)
        return [str(row[field]) for row in rows]
    with hdf5(path) as file:
        if f"{group}/{field}" not in file:
            raise _without(path, group)
        references = dataset(file, f"{group}/{field}")[()]
        return [text_of(file[to][()]) for to in references.ravel()]


def _without(path: Path, group: str) -> UnreadableError:
    return UnreadableError(
        f"{path} has no things_path in {group}.", mend="Fetch or copy it again."
    )


def _layout(subject: Subject, channels: list[tuple[int, int]]) -> tuple[Layout, str, list[str]]:
    """Return where channels stand, who says in which area, and what is not known of areas."""
    named = {path.name: path for path in subject.files}
    if AREAS_TABLE in named:
        of_array, source = _read_areas(named[AREAS_TABLE]), AREAS_TABLE
    else:
        known = ARRAYS.get(subject.participant.removeprefix("monkey"), {})
        of_array = {n: area for area, (a, b) in known.items() for n in range(a, b + 1)}
        source = f"arrays of {subject.participant}"
    place = np.full((len(channels), 2), np.nan)
    if PLACES_TABLE in named:
        place = places_from(named[PLACES_TABLE], channels)
    layout = Layout(
        tuple(f"array{number:02d}" for number, _ in channels),
        tuple(region_name(of_array.get(number, "")) for number, _ in channels),
        np.array([own for _, own in channels], dtype=np.int64),
        place,
    )
    untold = (
        f"The areas of {subject.participant}'s arrays are not known: name its folder monkeyF or "
        f"monkeyN, or write {AREAS_TABLE} with the columns array and area beside its files."
    )
    return layout, source, [] if any(layout.area) else [untold]


def _read_areas(path: Path) -> dict[int, str]:
    table = read_table(path, ["array", "area"])
    if not table["array"].str.fullmatch(r"\d+").all() or table["array"].duplicated().any():
        raise UnreadableError(
            f"{path} has arrays that are no numbers, or stand twice: {list(table['array'])}.",
            mend="Give each array, 1 to 16, one row.",
        )
    return dict(zip(table["array"].astype(int), table["area"], strict=True))
