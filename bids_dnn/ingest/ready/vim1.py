"""vim-1: responses to natural photographs, in MATLAB's files (Kay et al., 2008)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bids_dnn import imaging
from bids_dnn.containers.pictures import PictureArray, Pictures
from bids_dnn.containers.space import Grid
from bids_dnn.errors import ShapeError, UnreadableError
from bids_dnn.ingest.ready.common import absent, choose, dataset, hdf5, region, sample_table
from bids_dnn.ingest.ready.pieces import pieces, read_pieces, require_space
from bids_dnn.ingest.ready.settle import Floats, Raw, settle
from bids_dnn.ingest.records import Ingested, Subject

if TYPE_CHECKING:
    import h5py

LAYOUT = """
EstimatedResponses.mat              format 7.3; of each participant S1, S2:
    dataTrnS1 (1750 images x voxels), dataValS1 (120 x voxels), roiS1, voxIdxS1
Stimuli.mat                         optional; stimTrn, stimVal (images x 128 x 128)
Stimuli_Trn_FullRes_01.mat ... 15   optional, used in its place; with Stimuli_Val_FullRes.mat
"""
RESPONSES = "EstimatedResponses.mat"
SPACE = "native"
SHAPE = (64, 64, 18)
VOXEL_MM = (2.0, 2.0, 2.5)
AREAS = {1: "V1", 2: "V2", 3: "V3", 4: "V3A", 5: "V3B", 6: "V4", 7: "LatOcc"}
PARTS = (("Trn", "trn", "training", 2), ("Val", "val", "validation", 13))  # showings averaged
DARKEST, BRIGHTEST = -0.5, 0.5
WARNINGS = [
    "Each response is an average over showings (2 of a training image, 13 of a validation "
    "image), made by the data set: noise ceilings cannot be computed from it.",
    "The data set does not tell the orientation of its voxels (2 x 2 x 2.5 mm): maps have the "
    "order of its grid, and no known left and right.",
]


def find(
    folder: Path, *, participants: Sequence[str], space: str | None
) -> tuple[list[Subject], list[str]]:
    """Return the participants that vim-1's file holds.

    Parameters
    ----------
    folder
        Laid out as `LAYOUT` says.
    participants
        ``S1`` or ``S2``; none = all.
    space
        None or ``native``, the grid of the images as acquired.

    Raises
    ------
    MissingInputError
        If the file, a participant or the space is not there, or the file was not fetched.
    UnreadableError
        If the file is damaged.
    """
    path = folder / RESPONSES
    if not path.exists() and not path.is_symlink():
        raise absent(RESPONSES, folder=folder, layout=LAYOUT)
    with hdf5(path) as file:
        there = [name.removeprefix("dataTrn") for name in file if name.startswith("dataTrn")]
    require_space(space, [SPACE], folder=folder)
    labels = choose(there, participants, folder=folder, layout=LAYOUT)
    return [Subject(label, "vim1", "", SPACE, files=(path,)) for label in labels], []


def read_responses(subject: Subject, *, standardize: str) -> Ingested:
    """Return the responses of one participant to training, then validation images.

    Parameters
    ----------
    subject
        As `find` gives it.
    standardize
        ``none``, ``run``, ``session`` or ``auto``; the data set has scaled each voxel already.

    Returns
    -------
    ingested
        Stimuli are ``trn0001`` ... and ``val0001`` ..., in the order of `pictures`; areas V1 to
        V4 and LatOcc are its regions.

    Raises
    ------
    UnreadableError
        If an array is not there, the file is damaged, or a voxel lies outside the grid.
    ShapeError
        If arrays do not have one column for each voxel.
    ConfigError, NotEnoughDataError
        As `settle`.
    """
    label, path = subject.participant, subject.files[0]
    with hdf5(path) as file:
        grid = _grid(dataset(file, f"voxIdx{label}")[()], subject.space, path=path)
        codes = np.asarray(dataset(file, f"roi{label}")[()]).ravel()
        if len(codes) != len(grid):
            raise ShapeError(
                f"{path} has {len(codes)} area codes for {len(grid)} voxels of {label}.",
                mend="Fetch or copy it again.",
            )
        data = [(dataset(file, f"data{part[0]}{label}"), part) for part in PARTS]
        rows = [_n_rows(array, len(grid), path=path) for array, _ in data]
        stimuli, runs, averaged = [], [], []
        for n, (_, (_, prefix, run, showings)) in zip(rows, data, strict=True):
            stimuli += _names(prefix, n)
            runs += [run] * n
            averaged += [showings] * n
        samples = sample_table(
            stimuli, run=runs, session=[""] * len(runs), more={"n_averaged": averaged}
        )
        found = (
            region(name, codes == code, grid, source=f"{RESPONSES}: roi{label}")
            for code, name in AREAS.items()
        )
        raw = Raw(
            samples,
            grid,
            "zscore",
            "run",
            tuple(roi for roi in found if roi is not None),
            {"warnings": WARNINGS},
        )
        parts = [(n, _reader(array)) for n, (array, _) in zip(rows, data, strict=True)]
        blocks = read_pieces(parts, pieces(samples, standardize))
        return settle(raw, blocks, source="vim1", model="glm", standardize=standardize)


def pictures(folder: Path) -> Pictures | None:
    """Return where vim-1's pictures are: at full resolution where all files are there.

    Parameters
    ----------
    folder
        Laid out as `LAYOUT` says.

    Returns
    -------
    pictures
        None where none are there.

    Raises
    ------
    MissingInputError
        If a file was not fetched.
    UnreadableError
        If a file is damaged, or lacks its array.
    """
    training = sorted(folder.glob("Stimuli_Trn_FullRes_*.mat"))
    full = [*((p, "stimTrn", "trn") for p in training)]
    full += [(p, "stimVal", "val") for p in folder.glob("Stimuli_Val_FullRes.mat")]
    small = folder / "Stimuli.mat"
    if training and len(full) > len(training):
        return _pictures(full)
    if small.exists() or small.is_symlink():
        return _pictures([(small, "stimTrn", "trn"), (small, "stimVal", "val")])
    return None


def _pictures(parts: list[tuple[Path, str, str]]) -> Pictures:
    arrays, n_before = [], {"trn": 0, "val": 0}
    for path, variable, prefix in parts:
        n, axes = _extent(path, variable)
        names = tuple(_names(prefix, n, start=n_before[prefix]))
        n_before[prefix] += n
        arrays.append(PictureArray(path, variable, names, axes, DARKEST, BRIGHTEST))
    return Pictures(tuple(arrays))


def _extent(path: Path, variable: str) -> tuple[int, str]:
    """Return the number of pictures of an array, and its axes as they will be read."""
    from scipy.io import whosmat
    from scipy.io.matlab import MatReadError

    from bids_dnn.ingest.matfile import is_hdf5

    imaging.require_file(path)
    if is_hdf5(path):
        with hdf5(path) as file:
            return int(dataset(file, variable).shape[-1]), "xyn"
    try:
        with imaging.whole(path):
            shapes = {name: shape for name, shape, _ in whosmat(str(path))}
    except (MatReadError, TypeError, NotImplementedError) as err:
        raise UnreadableError(
            f"{path} cannot be read as a MATLAB file ({err}).", mend="Fetch or copy it again."
        ) from err
    if len(shapes.get(variable, ())) != 3:
        raise UnreadableError(
            f"{path} holds no array {variable!r} of pictures; there are: "
            f"{', '.join(f'{k} {v}' for k, v in shapes.items())}.",
            mend="Check that it is the right file, or fetch it again.",
        )
    return int(shapes[variable][0]), "nyx"


def _names(prefix: str, n: int, *, start: int = 0) -> list[str]:
    return [f"{prefix}{i:04d}" for i in range(start + 1, start + n + 1)]


def _grid(numbers: NDArray[np.floating], space: str, *, path: Path) -> Grid:
    """Return the voxels that MATLAB's linear indices, from 1 and first axis fastest, mean."""
    linear = np.asarray(numbers).ravel()
    n_voxels = int(np.prod(SHAPE))
    is_sound = np.isfinite(linear).all() and linear.size and linear.min() >= 1
    if not is_sound or linear.max() > n_voxels or np.unique(linear).size != linear.size:
        raise UnreadableError(
            f"{path} places {linear.size} voxels, some twice or outside the {n_voxels} of a grid "
            f"of {' x '.join(map(str, SHAPE))}.",
            mend="Fetch or copy it again.",
        )
    places = np.unravel_index(linear.astype(np.int64) - 1, SHAPE, order="F")
    index = np.ravel_multi_index(places, SHAPE).astype(np.int64)
    return Grid(space, SHAPE, np.diag([*VOXEL_MM, 1.0]), index)


def _n_rows(array: h5py.Dataset, n_units: int, *, path: Path) -> int:
    if array.ndim != 2 or array.shape[1] != n_units:
        raise ShapeError(
            f"{path} has {array.name[1:]} of shape {array.shape}, (images, {n_units} voxels) was "
            "expected.",
            mend="Fetch or copy it again.",
        )
    return int(array.shape[0])


def _reader(array: h5py.Dataset) -> Callable[[int, int], Floats]:
    return lambda first, last: np.asarray(array[first:last], dtype=np.float32)
