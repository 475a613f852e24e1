"""The Natural Scenes Dataset (Allen et al., 2022) -> `Responses`.

References
----------
Allen et al. (2022), Nature Neuroscience 25:116, doi:10.1038/s41593-021-00962-x.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bids_dnn import imaging
from bids_dnn.containers.pictures import PictureArray, Pictures
from bids_dnn.containers.responses import Independence
from bids_dnn.containers.space import Grid, Space, Surface
from bids_dnn.errors import MissingInputError, NotEnoughDataError, SpaceError, nearest
from bids_dnn.ingest.anatomy import FREESURFER, SIDES
from bids_dnn.ingest.ready.common import absent, choose, is_there
from bids_dnn.ingest.ready.labels import Labels, read_names, regions_of, whole_numbers
from bids_dnn.ingest.ready.nsd_betas import n_vertices, read_surface_betas, read_volume_betas
from bids_dnn.ingest.ready.nsd_trials import N_PICTURES, trials_of_design, trials_of_responses
from bids_dnn.ingest.ready.settle import Floats, Raw, choose_standardize, settle
from bids_dnn.ingest.records import Anatomy, Ingested, Subject

LAYOUT = """
FOLDER/
  nsddata_betas/ppdata/subj01/
    func1pt8mm/betas_fithrf_GLMdenoise_RR/betas_session01.{hdf5,nii.gz} ...   or func1mm
    fsaverage/betas_fithrf_GLMdenoise_RR/{lh,rh}.betas_session01.mgh ...
    nativesurface/betas_fithrf_GLMdenoise_RR/{lh,rh}.betas_session01.hdf5 ...
  nsddata/ppdata/subj01/behav/responses.tsv      or nsddata/experiments/nsd/nsd_expdesign.mat
  nsddata/ppdata/subj01/func1pt8mm/brainmask.nii.gz
  nsddata/ppdata/subj01/func1pt8mm/roi/prf-visualrois.nii.gz ...              optional
  nsddata/freesurfer/{subj01,fsaverage}/label/{lh,rh}.prf-visualrois.mgz ...  optional
  nsddata/freesurfer/subj01/label/prf-visualrois.mgz.ctab ...                 names of regions
  nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5                                optional
"""
SURFACES = {"fsnative": "nativesurface", "fsaverage": "fsaverage"}  # space -> folder
MODELS: dict[str, Independence] = {
    "betas_fithrf_GLMdenoise_RR": "none",
    "betas_fithrf": "run",
    "betas_assumehrf": "run",
}
COLLECTIONS = (
    *("nsdgeneral", "prf-visualrois", "prf-eccrois", "floc-bodies", "floc-faces"),
    *("floc-places", "floc-words", "streams"),
)
BETAS = Path("nsddata_betas/ppdata")
SESSION = re.compile(r"(?:([lr])h\.)?betas_session(\d+)\.(hdf5|nii\.gz|mgh)")


def find(
    folder: Path, *, participants: Sequence[str], space: str | None
) -> tuple[list[Subject], list[str]]:
    """Return the participants whose betas are there, in one space.

    Parameters
    ----------
    folder
        With ``nsddata`` and ``nsddata_betas``, see `LAYOUT`.
    participants
        ``subj01`` ...; empty = all.
    space
        ``func1pt8mm``, ``func1mm``, ``fsnative`` or ``fsaverage``; None = the first of these
        that is there.

    Returns
    -------
    subjects
        The option ``units`` is ``regions`` (only units in some region are read) where regions
        are there, else ``brain``; ``regions`` lists the collections.
    notes

    Raises
    ------
    MissingInputError
        If a participant, the space, or a part of the layout is not there.
    """
    labels = [p.name for p in (folder / BETAS).glob("subj*") if p.is_dir()]
    subjects, notes = [], []
    for label in choose(labels, participants, folder=folder, layout=LAYOUT):
        subject, told = _subject(folder, label, space)
        subjects.append(subject)
        notes += told
    return subjects, notes


def read_responses(subject: Subject, *, standardize: str) -> Ingested:
    """Return the single-trial betas of one participant, percent signal change or z-scores.

    Sessions are read one after another, only the units that are kept: memory is 4 bytes for each
    trial and unit kept, and one session more.

    Parameters
    ----------
    subject
        From `find`. Its options may be replaced: ``units`` by ``brain`` (all voxels of the brain
        mask, all vertices), ``regions`` by other collections, such as ``HCP_MMP1``.
    standardize
        ``none``, ``run``, ``session`` or ``auto``.

    Returns
    -------
    ingested
        Stimuli are called ``nsd-00013``: the picture's number from 0, as in Algonauts.

    Raises
    ------
    ConfigError
        If `standardize` is something else.
    MissingInputError
        If a file or column is not there.
    UnreadableError
        If a file is damaged.
    ShapeError
        If betas and trials differ in number.
    SpaceError
        If betas, masks and regions lie on different grids or meshes.
    NotEnoughDataError
        If no unit can be used.
    """
    folder = Path(subject.options["folder"])
    choose_standardize(standardize, [])
    sessions = _sessions(_betas_folder(folder, subject))
    samples = _samples(subject, list(sessions))
    whole = _whole_space(folder, subject, sessions)
    collections = _collections(folder, subject, whole)
    space: Space = whole
    if subject.options["units"] == "regions":
        inside = np.any([labels.values > 0 for labels in collections], axis=0)
        if not inside.any():
            raise NotEnoughDataError(
                f"No unit of the brain of {subject.participant} lies in a region of "
                f"{subject.options['regions']}.",
                mend="Fetch the maps of regions again.",
            )
        space = whole.select(inside)
        collections = [
            Labels(c.collection, c.values[inside], c.names, c.source) for c in collections
        ]
    facts: dict[str, Any] = {
        "units": subject.options["units"],
        "sessions": list(sessions),
        "ncsnr": subject.options.get("ncsnr", ""),
    }
    model = subject.options["model"]
    rois = regions_of(collections, space)
    raw = Raw(samples, space, "psc", MODELS[model], rois, facts)
    blocks = (_block(paths, space) for paths in sessions.values())
    return settle(raw, blocks, source="nsd", model=model, standardize=standardize)


def pictures(folder: Path) -> Pictures | None:
    """Return where the 73,000 pictures lie, ``nsd-00000`` to ``nsd-72999``; None = not there.

    Parameters
    ----------
    folder
        See `LAYOUT`.
    """
    path = folder / "nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5"
    if not path.exists():
        return None
    names = tuple(f"nsd-{number:05d}" for number in range(N_PICTURES))
    return Pictures((PictureArray(path, "imgBrick", names, "nyxc"),))


def stimuli_of(subject: Subject) -> set[str]:
    """Return the pictures that a participant saw, by the table of trials alone.

    Parameters
    ----------
    subject
        From `find`.

    Raises
    ------
    MissingInputError, UnreadableError, ShapeError
        As `read_responses`, of the table of trials.
    """
    sessions = _sessions(_betas_folder(Path(subject.options["folder"]), subject))
    return set(_samples(subject, list(sessions))["stimulus"])


# --- files


def _samples(subject: Subject, sessions: list[int]) -> pd.DataFrame:
    design = Path(subject.options["trials"])
    if design.suffix == ".tsv":
        return trials_of_responses(design, sessions)
    return trials_of_design(design, subject.participant, sessions)


def _subject(folder: Path, label: str, space: str | None) -> tuple[Subject, list[str]]:
    home = folder / BETAS / label
    there = {
        name: home / part
        for name, part in {"func1pt8mm": "func1pt8mm", "func1mm": "func1mm", **SURFACES}.items()
        if any((home / part).glob("betas_*"))
    }
    chosen = space or next(iter(there), "")
    if chosen not in there:
        raise MissingInputError(
            f"{home} has no betas in the space {chosen!r}; there are: {', '.join(there)}.",
            mend=f"{nearest(chosen, there)} Give --space one of these.",
        )
    model = next((m for m in MODELS if (there[chosen] / m).is_dir()), None)
    if model is None:
        raise absent(
            f"betas of a known model ({', '.join(MODELS)})", folder=there[chosen], layout=LAYOUT
        )
    trials = [
        folder / "nsddata/ppdata" / label / "behav/responses.tsv",
        folder / "nsddata/experiments/nsd/nsd_expdesign.mat",
    ]
    design = next((path for path in trials if is_there(path)), None)
    if design is None:
        raise absent(
            f"responses.tsv of {label}, or nsd_expdesign.mat", folder=folder, layout=LAYOUT
        )
    options = {"folder": str(folder), "model": model, "trials": str(design)}
    options["regions"] = ",".join(COLLECTIONS)
    background = folder / f"nsddata/ppdata/{label}/{chosen}/T1_to_{chosen}.nii.gz"
    made = Subject(
        label,
        "nsd",
        "",
        chosen,
        anat=background if background.exists() else None,
        anatomy=_anatomy(folder / "nsddata/freesurfer" / label),
        options=options,
    )
    betas = _betas_folder(folder, made)
    sessions = _sessions(betas)
    maps = _maps(folder, made)
    options["units"] = "regions" if maps else "brain"
    ceiling = sorted(betas.glob("*ncsnr.*"))
    options |= {"ncsnr": ", ".join(map(str, ceiling))} if ceiling else {}
    masks = [] if chosen in SURFACES else [_brain_mask(folder, made)]
    tables = [_table_of(folder, label, name) for name in maps]
    files = [
        *chain.from_iterable(sessions.values()),
        *chain.from_iterable(maps.values()),
        *(path for path in tables if path is not None),
        *masks,
        design,
    ]
    notes = [f"{label}: only units in {', '.join(maps)} are read."] if maps else []
    if space is None and len(there) > 1:
        notes.append(f"{label}: of the spaces {', '.join(there)}, {chosen} was taken.")
    if gaps := sorted(set(range(1, max(sessions) + 1)) - set(sessions)):
        notes.append(f"{label}: no betas of session(s) {', '.join(map(str, gaps))}.")
    return replace(made, files=tuple(files), options=options), notes


def _anatomy(home: Path) -> Anatomy:
    """Return the surfaces in the participant's FreeSurfer folder."""
    found = {
        f"{hemisphere}_{kind}": next(
            (path for p in patterns if is_there(path := home / p.format(side=side))), None
        )
        for hemisphere, side in SIDES.items()
        for kind, patterns in FREESURFER.items()
    }
    surfaces = {name: path for name, path in found.items() if path is not None}
    return Anatomy(home if (home / "surf").is_dir() else None, surfaces)


def _betas_folder(folder: Path, subject: Subject) -> Path:
    part = SURFACES.get(subject.space, subject.space)
    return folder / BETAS / subject.participant / part / subject.options["model"]


def _sessions(betas: Path) -> dict[int, tuple[Path, ...]]:
    """Return the files of each session, by number: one image, or left and right hemisphere."""
    found: dict[int, dict[str, Path]] = {}
    for path in sorted(betas.iterdir(), reverse=True):  # so that hdf5 stands last, and wins
        if match := SESSION.fullmatch(path.name):
            found.setdefault(int(match[2]), {})[match[1] or ""] = path
    if not found:
        raise absent("files of sessions", folder=betas, layout=LAYOUT)
    for number, parts in found.items():
        if set(parts) not in ({""}, {"l", "r"}):
            one = next(iter(parts.values()))
            raise MissingInputError(
                f"Session {number} has only {one}; both hemispheres were expected.",
                mend="Fetch the file of the other hemisphere too.",
            )
    return {n: tuple(path for _, path in sorted(found[n].items())) for n in sorted(found)}


def _brain_mask(folder: Path, subject: Subject) -> Path:
    path = folder / f"nsddata/ppdata/{subject.participant}/{subject.space}/brainmask.nii.gz"
    if not is_there(path):
        raise absent(
            f"brainmask.nii.gz of {subject.participant}", folder=path.parent, layout=LAYOUT
        )
    return path


def _maps(folder: Path, subject: Subject) -> dict[str, tuple[Path, ...]]:
    """Return the files of each collection of regions that is there."""
    found: dict[str, tuple[Path, ...]] = {}
    for name in filter(None, subject.options["regions"].split(",")):
        if subject.space in SURFACES:
            home = "fsaverage" if subject.space == "fsaverage" else subject.participant
            label = folder / "nsddata/freesurfer" / home / "label"
            paths = tuple(label / f"{h}.{name}.mgz" for h in ("lh", "rh"))
        else:
            roi = folder / f"nsddata/ppdata/{subject.participant}/{subject.space}/roi"
            paths = (roi / f"{name}.nii.gz",)
        if all(is_there(path) for path in paths):
            found[name] = paths
    return found


def _table_of(folder: Path, participant: str, collection: str) -> Path | None:
    homes = (folder / "nsddata/freesurfer" / home / "label" for home in (participant, "fsaverage"))
    tables = (home / f"{collection}.mgz.ctab" for home in homes)
    return next((path for path in tables if is_there(path)), None)


# --- places


def _whole_space(
    folder: Path, subject: Subject, sessions: dict[int, tuple[Path, ...]]
) -> Grid | Surface:
    """Return all voxels of the brain, or all vertices."""
    if subject.space not in SURFACES:
        return imaging.space_of_mask(_brain_mask(folder, subject), name=subject.space)
    left, right = (n_vertices(path) for path in next(iter(sessions.values())))
    return Surface(subject.space, (left, right), np.arange(left + right, dtype=np.int64))


def _collections(folder: Path, subject: Subject, space: Grid | Surface) -> list[Labels]:
    made = []
    for name, paths in _maps(folder, subject).items():
        table = _table_of(folder, subject.participant, name)
        if isinstance(space, Grid):
            values, _ = imaging.read_volume(paths[0])
        else:
            values = np.concatenate([imaging.read_curvature(path) for path in paths])
        expected = space.shape if isinstance(space, Grid) else (space.n_places,)
        if values.shape != expected:
            raise SpaceError(
                f"{paths[0]} has {values.shape} places, the betas {expected}.",
                mend="Fetch regions and betas of one preparation of one participant.",
            )
        here = whole_numbers(values.reshape(-1)[space.index])
        names = read_names(table) if table else {}
        if table is None and set(np.unique(here[here > 0])) == {1}:
            names = {1: name}
        made.append(Labels(name, here, names, str(paths[0])))
    return made


def _block(paths: tuple[Path, ...], space: Space) -> Floats:
    """Return the betas of a session; NaN where it has none, which the files hold as 0."""
    if isinstance(space, Surface):
        values = read_surface_betas(paths[0], paths[1], space)
    elif isinstance(space, Grid):
        values = read_volume_betas(paths[0], space)
    else:
        raise TypeError(f"Betas lie on a grid or a surface, not on {type(space).__name__}.")
    values[:, ~values.any(axis=0)] = np.nan
    return values
