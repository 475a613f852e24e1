"""The Algonauts 2023 challenge (Gifford et al., 2023) -> `Responses`.

References
----------
Gifford et al. (2023), arXiv:2301.03198.
Allen et al. (2022), Nature Neuroscience 25:116, doi:10.1038/s41593-021-00962-x.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.containers.space import Channels, Space, Surface
from bids_dnn.errors import MissingInputError, ShapeError, UnreadableError
from bids_dnn.ingest.pickles import read_npy_dict
from bids_dnn.ingest.ready.common import absent, choose, is_there, open_array, sample_table
from bids_dnn.ingest.ready.labels import Labels, regions_of, whole_numbers
from bids_dnn.ingest.ready.pieces import pieces, require_space
from bids_dnn.ingest.ready.settle import Floats, Raw, choose_standardize, settle
from bids_dnn.ingest.records import Ingested, Subject

LAYOUT = """
FOLDER/
  subj01/
    training_split/training_fmri/{lh,rh}_training_fmri.npy     (images, vertices)
    training_split/training_images/train-0001_nsd-00013.png ...
    test_split/test_fmri/{lh,rh}_test_fmri.npy                 optional, as published later
    test_split/test_images/test-0001_nsd-00845.png ...         needed with it
    roi_masks/{lh,rh}.all-vertices_fsaverage_space.npy         without: channels, no surface
    roi_masks/{lh,rh}.prf-visualrois_challenge_space.npy ...   optional
    roi_masks/mapping_prf-visualrois.npy ...                   names of the regions
"""
HEMISPHERES = ("lh", "rh")
SURFACE, CHANNELS = "fsaverage", "challenge"  # the two spaces
SPLITS = {"train": "training", "test": "test"}  # prefix of the pictures -> name of the split
PICTURE = re.compile(r"(train|test)-(\d+)_(nsd-\d+)\.(png|jpe?g)")
AVERAGED = (
    "Each response is an average over up to 3 showings in several sessions, z-scored within "
    "sessions before, made by the data set: noise ceilings cannot be computed from it."
)


def find(
    folder: Path, *, participants: Sequence[str], space: str | None
) -> tuple[list[Subject], list[str]]:
    """Return the participants whose training responses are there.

    Parameters
    ----------
    folder
        Of all participants, see `LAYOUT`.
    participants
        ``subj01`` ...; empty = all.
    space
        ``fsaverage`` where the masks of all vertices are there; else ``challenge``, channels.

    Raises
    ------
    MissingInputError
        If a participant, the space, a hemisphere, or the pictures are not there.
    """
    labels = [path.parent.name for path in folder.glob("subj*/training_split")]
    subjects = []
    for label in choose(labels, participants, folder=folder, layout=LAYOUT):
        home = folder / label
        masks = _pair(home / "roi_masks", "{}.all-vertices_fsaverage_space.npy")
        there = [SURFACE, CHANNELS] if masks else [CHANNELS]
        require_space(space, there, folder=home)
        chosen = space or there[0]
        files = [*_responses(home, "train"), *_responses(home, "test")]
        if not _responses(home, "train"):
            raise absent("?h_training_fmri.npy", folder=home, layout=LAYOUT)
        files += masks if chosen == SURFACE else []
        for name in _collections(home):
            files += [*_maps(home, name), *_mapping(home, name)]
        options = {"folder": str(home)}
        subjects.append(
            Subject(label, "algonauts", "", chosen, files=tuple(files), options=options)
        )
    return subjects, []


def read_responses(subject: Subject, *, standardize: str) -> Ingested:
    """Return the responses of one participant to training images, then to test images.

    Parameters
    ----------
    subject
        From `find`.
    standardize
        ``none``, ``run``, ``session`` or ``auto``; the data set has z-scored sessions already,
        and there is one run for each split.

    Returns
    -------
    ingested
        Stimuli are file names, conditions the picture's name in the Natural Scenes Dataset
        (``nsd-00013``), which participants share.

    Raises
    ------
    ConfigError
        If `standardize` is something else.
    MissingInputError
        If a file is not there.
    UnreadableError
        If a file is damaged or holds code, or a picture stands twice.
    ShapeError
        If responses, pictures, masks and regions do not fit each other.
    NotEnoughDataError
        If no unit can be used.
    """
    choose_standardize(standardize, [])
    home = Path(subject.options["folder"])
    tables, arrays = [], []
    for split in SPLITS:
        pair = [open_array(path, n_dims=[2]) for path in _responses(home, split)]
        if pair:
            arrays.append(pair)
            tables.append(_samples(home, split, [len(array) for array in pair]))
    widths = [array.shape[1] for array in arrays[0]]
    for pair in arrays[1:]:
        if (found := [array.shape[1] for array in pair]) != widths:
            raise ShapeError(
                f"{home} has {found} vertices in its test responses, {widths} in training.",
                mend="Fetch or copy them again.",
            )
    table = pd.concat(tables, ignore_index=True)
    samples = sample_table(
        list(table["stimulus"]),
        condition=list(table["nsd"]),
        run=list(table["split"]),
        session=[""] * len(table),
    )
    space, at = _space(home, subject.space, widths)
    collections = [_labels(home, name, widths, at) for name in _collections(home)]
    facts: dict[str, Any] = {
        "warnings": [AVERAGED],
        "n_test_images_without_responses": 0 if arrays[1:] else len(_pictures(home, "test")),
        "noise_ceiling": [str(p) for p in sorted(home.glob("test_split/noise_ceiling/*.npy"))],
    }
    raw = Raw(samples, space, "zscore", "none", regions_of(collections, space), facts)
    blocks = _rows(arrays, pieces(samples, standardize))
    model = "betas_fithrf_GLMdenoise_RR, averaged over showings"
    return settle(raw, blocks, source="algonauts", model=model, standardize=standardize)


# --- files


def _pair(folder: Path, pattern: str) -> list[Path]:
    """Return the files of both hemispheres, or none where neither is there."""
    paths = [folder / pattern.format(hemisphere) for hemisphere in HEMISPHERES]
    there = [path for path in paths if is_there(path)]
    if len(there) == 1:
        missing = next(path for path in paths if path not in there)
        raise MissingInputError(
            f"{there[0]} is there, but {missing.name} is not.",
            mend="Fetch the files of both hemispheres.",
        )
    return there


def _responses(home: Path, split: str) -> list[Path]:
    name = SPLITS[split]
    return _pair(home / f"{name}_split/{name}_fmri", f"{{}}_{name}_fmri.npy")


def _pictures(home: Path, split: str) -> list[Path]:
    name = SPLITS[split]
    return sorted((home / f"{name}_split/{name}_images").glob(f"{split}-*_nsd-*"))


def _collections(home: Path) -> list[str]:
    """Return the collections of regions that have maps."""
    masks = home / "roi_masks"
    stems = {path.name.split(".", 1)[1] for path in masks.glob("?h.*_challenge_space.npy")}
    return sorted(stem.removesuffix("_challenge_space.npy") for stem in stems)


def _maps(home: Path, collection: str) -> list[Path]:
    return _pair(home / "roi_masks", f"{{}}.{collection}_challenge_space.npy")


def _mapping(home: Path, collection: str) -> list[Path]:
    path = home / f"roi_masks/mapping_{collection}.npy"
    return [path] if is_there(path) else []


# --- what was shown


def _samples(home: Path, split: str, lengths: list[int]) -> pd.DataFrame:
    """Return file name, name in NSD and split of each row, by the numbers in the file names."""
    if len(set(lengths)) != 1:
        raise ShapeError(
            f"{home} has {lengths[0]} {SPLITS[split]} responses in the left hemisphere, "
            f"{lengths[1]} in the right.",
            mend="Fetch or copy both again.",
        )
    found: dict[int, tuple[str, str]] = {}
    for path in _pictures(home, split):
        if match := PICTURE.fullmatch(path.name):
            number = int(match[2])
            if number in found:
                raise UnreadableError(
                    f"{path.parent} has two pictures with the number {number}: "
                    f"{found[number][0]} and {path.name}.",
                    mend="Keep the one that the data set has.",
                )
            found[number] = (path.name, match[3])
    wanted = range(1, lengths[0] + 1)
    if set(found) != set(wanted):
        missing = sorted(set(wanted) - set(found))
        which = f"; number {missing[0]} is not there" if missing else ""
        raise ShapeError(
            f"{home} has {len(found)} {SPLITS[split]} pictures for {lengths[0]} responses{which}.",
            mend="Fetch or unpack the pictures again.",
        )
    rows = [(*found[number], SPLITS[split]) for number in wanted]
    return pd.DataFrame(rows, columns=["stimulus", "nsd", "split"])


# --- places


def _space(
    home: Path, name: str, widths: list[int]
) -> tuple[Space, list[NDArray[np.intp]] | None]:
    """Return the space of the units, and which vertices of each hemisphere they are."""
    if name == CHANNELS:
        names = [
            f"{h}{unit:05d}"
            for h, n in zip(HEMISPHERES, widths, strict=True)
            for unit in range(1, n + 1)
        ]
        return Channels(name, tuple(names), np.arange(len(names), dtype=np.int64)), None
    masks = []
    for path, n in zip(
        _pair(home / "roi_masks", "{}.all-vertices_fsaverage_space.npy"), widths, strict=True
    ):
        marked = np.asarray(open_array(path, n_dims=[1])) > 0
        if int(marked.sum()) != n:
            raise ShapeError(
                f"{path} marks {int(marked.sum())} vertices, the responses have {n}.",
                mend="Fetch masks and responses of one participant.",
            )
        masks.append(marked)
    index = np.flatnonzero(np.concatenate(masks)).astype(np.int64)
    return Surface(name, (len(masks[0]), len(masks[1])), index), [
        np.flatnonzero(mask) for mask in masks
    ]


def _labels(
    home: Path, collection: str, widths: list[int], at: list[NDArray[np.intp]] | None
) -> Labels:
    """Return a collection's labels, checked against the map on the whole surface."""
    paths = _maps(home, collection)
    whole = _pair(home / "roi_masks", f"{{}}.{collection}_fsaverage_space.npy")
    values = []
    for hemisphere, (path, n) in enumerate(zip(paths, widths, strict=True)):
        labels = whole_numbers(open_array(path, n_dims=[1]))
        if len(labels) != n:
            raise ShapeError(
                f"{path} has {len(labels)} vertices, the responses have {n}.",
                mend="Fetch masks and responses of one participant.",
            )
        if at is not None and whole:
            _check_order(labels, whole[hemisphere], at[hemisphere])
        values.append(labels)
    mapping = _mapping(home, collection)
    names = _names(mapping[0]) if mapping else {}
    return Labels(collection, np.concatenate(values), names, str(paths[0].parent))


def _check_order(labels: NDArray[np.int64], path: Path, at: NDArray[np.intp]) -> None:
    there = whole_numbers(open_array(path, n_dims=[1]))
    if len(there) <= at.max(initial=0) or not np.array_equal(there[at], labels):
        raise ShapeError(
            f"{path} and its map in challenge space put the regions on different vertices.",
            mend="Fetch masks and responses of one participant.",
        )


def _names(path: Path) -> dict[int, str]:
    names = {}
    for number, name in read_npy_dict(path).items():
        if not isinstance(number, (int, np.integer)) or not isinstance(name, str):
            raise UnreadableError(
                f"{path} maps {number!r} to {name!r}; a number and a name were expected.",
                mend="Fetch or copy it again.",
            )
        names[int(number)] = name
    return names


def _rows(arrays: list[list[NDArray[Any]]], parts: list[slice]) -> Iterator[Floats]:
    """Give rows over all splits, left hemisphere first."""
    starts = np.cumsum([0, *(len(pair[0]) for pair in arrays)])
    for part in parts:
        rows = []
        for start, pair in zip(starts[:-1], arrays, strict=True):
            here = slice(max(part.start - start, 0), max(part.stop - start, 0))
            rows.append(np.concatenate([array[here] for array in pair], axis=1))
        yield np.concatenate(rows).astype(np.float32, copy=False)
