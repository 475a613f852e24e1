"""BOLD5000, release 2.0 (Chang et al., 2019; Prince et al., 2022) -> `Responses`.

References
----------
Chang et al. (2019), Scientific Data 6:49, doi:10.1038/s41597-019-0052-3.
Prince et al. (2022), eLife 11:e77599, doi:10.7554/eLife.77599.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn import imaging
from bids_dnn.containers.responses import Independence
from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Channels, Grid
from bids_dnn.errors import MissingInputError, ShapeError, UnreadableError
from bids_dnn.ingest.ready.bold5000_trials import trials_of_lists, trials_of_names
from bids_dnn.ingest.ready.common import absent, choose, natural, open_array, region
from bids_dnn.ingest.ready.images import read_on_grid
from bids_dnn.ingest.ready.pieces import pieces, require_space
from bids_dnn.ingest.ready.settle import Floats, Raw, choose_standardize, settle
from bids_dnn.ingest.records import Ingested, Subject

LAYOUT = """
FOLDER/                     (in any of its folders)
  CSI1_GLMbetas-TYPED-FITHRF-GLMDENOISE-RR_ses-01.nii.gz ...   sessions, (x, y, z, trials)
  CSI1_brainmask.nii.gz                                        needed with them
  CSI1_GLMbetas-TYPED-FITHRF-GLMDENOISE-RR_allses_LHEarlyVis.npy ...   or regions,
                                                               (trials, voxels), LH and RH
  CSI1_sess01/CSI1_sess01_run01.txt ...                        a picture a line, a file a run
  or CSI1_imgnames.txt                                         a picture a line, all trials
"""
FILE = re.compile(
    r"(CSI\d+)_GLMbetas-(TY[PB]E([ABCD])-[A-Z-]+)_"
    r"(?:ses-(\d+)\.nii(?:\.gz)?|allses_([LR]H)([A-Za-z0-9]+)\.npy)"
)
INDEPENDENCE: dict[str, Independence] = {"A": "run", "B": "run", "C": "none", "D": "none"}
VOLUMES, ARRAYS = "T1w", "rois"  # the two spaces


@dataclass(frozen=True, slots=True)
class _Found:
    """One file of betas."""

    path: Path
    participant: str
    model: str
    letter: str
    session: int  # 0 for the arrays of regions
    region: str  # LHEarlyVis, "" for sessions

    @property
    def space(self) -> str:
        return ARRAYS if self.region else VOLUMES


def find(
    folder: Path, *, participants: Sequence[str], space: str | None
) -> tuple[list[Subject], list[str]]:
    """Return the participants whose betas are there: the highest type of estimates of each.

    Parameters
    ----------
    folder
        See `LAYOUT`.
    participants
        ``CSI1`` ...; empty = all.
    space
        ``T1w`` (volumes of sessions) or ``rois`` (arrays of regions); None = the first of these
        that is there.

    Raises
    ------
    MissingInputError
        If a participant, the space, a hemisphere, the brain mask or the list of pictures is not
        there.
    UnreadableError
        If a session stands twice.
    """
    found = _parse(sorted(folder.rglob("CSI*_GLMbetas-*")))
    subjects, notes = [], []
    labels = {file.participant for file in found}
    for label in choose(labels, participants, folder=folder, layout=LAYOUT):
        mine = [file for file in found if file.participant == label]
        there = [name for name in (VOLUMES, ARRAYS) if any(f.space == name for f in mine)]
        require_space(space, there, folder=folder)
        chosen = space or there[0]
        mine = [file for file in mine if file.space == chosen]
        letter = max(file.letter for file in mine)
        models = sorted({file.model for file in mine})
        mine = [file for file in mine if file.letter == letter]
        if len(models) > 1:
            notes.append(f"{label}: of {', '.join(models)}, {mine[0].model} was taken.")
        if len(there) > 1 and space is None:
            notes.append(f"{label}: volumes were taken; --space {ARRAYS} takes arrays of regions.")
        subject, told = _subject(folder, label, mine)
        subjects.append(subject)
        notes += told
    return subjects, notes


def read_responses(subject: Subject, *, standardize: str) -> Ingested:
    """Return the single-trial betas of one participant, percent signal change or z-scores.

    Parameters
    ----------
    subject
        From `find`.
    standardize
        ``none``, ``run``, ``session`` or ``auto``; the data set's authors recommend sessions.

    Returns
    -------
    ingested
        Stimuli are file names; conditions are ``coco``, ``imagenet`` and ``scene``. Volumes
        lie where the brain mask lies, whatever the betas say, and have no regions; arrays are
        channels, with their regions, of each hemisphere and of both.

    Raises
    ------
    ConfigError
        If `standardize` is something else.
    MissingInputError
        If a file is not there.
    UnreadableError
        If a file is damaged.
    ShapeError
        If betas and pictures differ in number.
    SpaceError
        If a session has another grid than the brain mask.
    NotEnoughDataError
        If no unit can be used.
    """
    choose_standardize(standardize, [])
    files = _parse(subject.files)
    independence = INDEPENDENCE[files[0].letter]
    if subject.space == VOLUMES:
        raw, blocks = _of_volumes(subject, files, independence)
    else:
        raw, blocks = _of_arrays(subject, files, independence, standardize)
    model = subject.options["model"]
    return settle(raw, blocks, source="bold5000", model=model, standardize=standardize)


# --- files


def _parse(paths: Iterable[Path]) -> list[_Found]:
    matches = [(path, FILE.fullmatch(path.name)) for path in paths]
    return [
        _Found(path, m[1], m[2], m[3], int(m[4] or 0), (m[5] or "") + (m[6] or ""))
        for path, m in matches
        if m
    ]


def _subject(folder: Path, label: str, files: list[_Found]) -> tuple[Subject, list[str]]:
    files = sorted(files, key=lambda file: (file.session, natural(file.region)))
    space = files[0].space
    names = [file.session or file.region for file in files]
    if twice := sorted({str(name) for name in names if names.count(name) > 1}):
        raise UnreadableError(
            f"{folder} holds the betas {twice[0]} of {label} more than once, such as "
            f"{next(f.path for f in files if twice[0] in (str(f.session), f.region))}.",
            mend="Name the folder of one release only.",
        )
    if space == ARRAYS:
        _require_both([file.region for file in files], folder)
    lists = sorted(folder.rglob(f"{label}_sess*_run*.txt"), key=lambda path: natural(path.name))
    listed = next(iter(sorted(folder.rglob(f"{label}_imgnames.txt"))), None)
    if not lists and listed is None:
        raise absent(
            f"the pictures of {label} ({label}_imgnames.txt)", folder=folder, layout=LAYOUT
        )
    trials = lists or [path for path in [listed] if path is not None]
    mask = next(iter(sorted(folder.rglob(f"{label}_brainmask.nii*"))), None)
    if space == VOLUMES and mask is None:
        raise absent(f"{label}_brainmask.nii.gz", folder=folder, layout=LAYOUT)
    paths = [*(file.path for file in files), *trials, *([mask] if mask else [])]
    notes = []
    if space == VOLUMES:
        there = {file.session for file in files}
        if gaps := sorted(set(range(1, max(there) + 1)) - there):
            notes.append(f"{label}: no betas of session(s) {', '.join(map(str, gaps))}.")
    options = {"model": files[0].model, "mask": str(mask or "")}
    return Subject(label, "bold5000", "", space, files=tuple(paths), options=options), notes


def _require_both(regions: list[str], folder: Path) -> None:
    for name in regions:
        other = ("RH" if name.startswith("LH") else "LH") + name[2:]
        if other not in regions:
            raise MissingInputError(
                f"{folder} holds {name}, but not {other}.",
                mend=f"Fetch the array of {other} too.",
            )


def _trials(subject: Subject, counts: dict[int, int]) -> tuple[pd.DataFrame, list[str]]:
    """Return the sample table; `counts` = trials by session, of arrays {0: all of them}."""
    texts = [path for path in subject.files if path.suffix == ".txt"]
    if texts[0].name.endswith("_imgnames.txt"):
        return trials_of_names(texts[0], counts)
    return trials_of_lists(texts, counts), []


# --- numbers


def _of_volumes(
    subject: Subject, files: list[_Found], independence: Independence
) -> tuple[Raw, Iterator[Floats]]:
    mask = Path(subject.options["mask"])
    grid = imaging.space_of_mask(mask, name=subject.space)
    counts, elsewhere = {}, 0
    for file in files:
        shape, affine, _ = imaging.read_header(file.path)
        counts[file.session] = shape[3] if len(shape) == 4 else 1
        elsewhere += not np.allclose(affine, grid.affine, rtol=0, atol=1e-2)
    samples, messages = _trials(subject, counts)
    if elsewhere:
        messages.append(
            f"{elsewhere} session(s) claim another place than the brain mask; voxels were matched "
            "by number and lie where the mask says."
        )
    facts = {"sessions": list(counts), "warnings": messages}
    raw = Raw(samples, grid, "psc", independence, facts=facts)
    return raw, _volumes([file.path for file in files], grid)


def _volumes(paths: list[Path], grid: Grid) -> Iterator[Floats]:
    for path in paths:
        yield read_on_grid(path, grid)


def _of_arrays(
    subject: Subject, files: list[_Found], independence: Independence, standardize: str
) -> tuple[Raw, Iterator[Floats]]:
    arrays = [open_array(file.path, n_dims=[2]) for file in files]
    lengths = {file.region: len(array) for file, array in zip(files, arrays, strict=True)}
    if len(set(lengths.values())) != 1:
        raise ShapeError(
            f"The arrays of {subject.participant} differ in trials: "
            f"{', '.join(f'{name} {n}' for name, n in lengths.items())}.",
            mend="Fetch or copy them again.",
        )
    samples, messages = _trials(subject, {0: len(arrays[0])})
    names = [
        f"{file.region}{unit:04d}"
        for file, array in zip(files, arrays, strict=True)
        for unit in range(1, array.shape[1] + 1)
    ]
    space = Channels(subject.space, tuple(names), np.arange(len(names), dtype=np.int64))
    owner = np.repeat([file.region for file in files], [array.shape[1] for array in arrays])
    raw = Raw(
        samples, space, "psc", independence, _regions(owner, space, files), {"warnings": messages}
    )
    return raw, _rows(arrays, pieces(samples, standardize))


def _rows(arrays: list[NDArray[np.floating]], rows: list[slice]) -> Iterator[Floats]:
    for part in rows:
        yield np.concatenate([array[part] for array in arrays], axis=1).astype(np.float32)


def _regions(owner: NDArray[np.str_], space: Channels, files: list[_Found]) -> tuple[Roi, ...]:
    marks: dict[str, NDArray[np.bool_]] = defaultdict(lambda: np.zeros(len(owner), dtype=bool))
    for file in files:
        marks[file.region[2:]] |= owner == file.region
    for file in files:
        marks[file.region] = owner == file.region
    made = (
        region(name, marked, space, source=f"BOLD5000 {name}") for name, marked in marks.items()
    )
    return tuple(roi for roi in made if roi is not None)
