"""Statistical maps of BIDS derivatives: one effect a sample, of nilearn, FitLins and others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bids_dnn import imaging
from bids_dnn.containers.space import Grayordinates, Grid, Space, Surface
from bids_dnn.errors import MissingInputError, ShapeError, SpaceError, UnreadableError
from bids_dnn.ingest.events import MISSING
from bids_dnn.ingest.ready.common import (
    choose,
    natural,
    read_table,
    region_name,
    sample_table,
    stimulus_id,
)
from bids_dnn.ingest.ready.pieces import column_values, pieces, read_pieces, require_space
from bids_dnn.ingest.ready.settle import Floats, Raw, settle
from bids_dnn.ingest.records import Ingested, Subject

LAYOUT = """
sub-01/func/ (at any depth, with or without ses-, or below FitLins' node-runLevel/)
    sub-01_[ses-][task-][run-][space-]contrast-face_stat-effect_statmap.nii.gz
                        one image a sample; the condition is its contrast; other stat- are ignored
    or .dscalar.nii, or hemi-L and hemi-R .func.gii or .shape.gii
    or with several volumes, and beside it
    sub-01_[..]_samples.tsv (or _events.tsv)   one row a volume: stimulus or condition or both
    sub-01_[..]_mask.nii.gz                    optional: voxels that are read
contrasts.tsv           optional, in the folder itself: contrast, stimulus, condition
"""
CONTRASTS = "contrasts.tsv"
ENDS = (".nii.gz", ".dscalar.nii", ".func.gii", ".shape.gii", ".nii")  # of the names of maps
PREFERRED = ("T1w", "MNI152NLin2009cAsym", "fsnative", "fsaverage", "fsLR")
NO_SPACE = "native"
TABLES = ("samples", "events")
STIMULUS, CONDITION = ("stimulus", "stim_file", "stim_id"), ("condition", "trial_type")
OWN = (*STIMULUS, *CONDITION, "run", "session", "repeat")


@dataclass(frozen=True, slots=True)
class _Map:
    """A map, both hemispheres of a surface together."""

    path: Path
    right: Path | None
    entities: tuple[tuple[str, str], ...]

    def get(self, entity: str) -> str:
        return dict(self.entities).get(entity, "")

    @property
    def space(self) -> str:
        return self.get("space") or NO_SPACE


def find(
    folder: Path, *, participants: Sequence[str], space: str | None
) -> tuple[list[Subject], list[str]]:
    """Return the participants that have maps of effects, one entry for each of their tasks.

    Parameters
    ----------
    folder
        Laid out as `LAYOUT` says.
    participants
        Labels without ``sub-``; none = all.
    space
        None = the first of T1w, MNI152NLin2009cAsym, fsnative, fsaverage, fsLR that is there.

    Raises
    ------
    MissingInputError
        If there is no map, or a participant, hemisphere or the space is not there.
    UnreadableError
        If two maps are of one contrast in one run.
    """
    notes: list[str] = []
    found = [path for path in folder.rglob("sub-*_statmap.*") if _is_effect(path)]
    labels = choose(
        {_entities(path)["sub"] for path in found}, participants, folder=folder, layout=LAYOUT
    )
    of_label = {
        label: [path for path in found if _entities(path)["sub"] == label] for label in labels
    }
    spaces = {_entities(path).get("space", NO_SPACE) for own in of_label.values() for path in own}
    require_space(space, sorted(spaces), folder=folder)
    if space is None:
        space = next((name for name in PREFERRED if name in spaces), min(spaces))
        if len(spaces) > 1:
            notes.append(f"Of the spaces {', '.join(sorted(spaces))}, {space} was taken.")
    subjects = []
    for label, own in of_label.items():
        here = [p for p in own if _entities(p).get("space", NO_SPACE) == space]
        for task in sorted({_entities(path).get("task", "") for path in here}):
            paths = [path for path in here if _entities(path).get("task", "") == task]
            kept, note = _one_level(paths, folder)
            maps = _maps(kept)
            notes += [*note, *_gaps(label, maps)]
            beside = {p for path in kept for p in (_table_of(path), *_masks_of(path)) if p}
            beside |= {folder / CONTRASTS} if (folder / CONTRASTS).exists() else set()
            files = (*sorted(kept), *sorted(beside))
            subjects.append(Subject(label, "statmap", task, space, files=files))
    return subjects, notes


def read_responses(subject: Subject, *, standardize: str) -> Ingested:
    """Return the effects of one participant, ordered by session, run and contrast.

    Parameters
    ----------
    subject
        As `find` gives it.
    standardize
        ``none``, ``run``, ``session`` or ``auto``.

    Returns
    -------
    ingested
        Units are the voxels of the masks beside the maps (else those of the first map that are
        neither 0 nor NaN), the vertices of both hemispheres, or all grayordinates.

    Raises
    ------
    MissingInputError
        If a file, a hemisphere, a table or a column is not there.
    UnreadableError
        If a file is damaged, or names a picture outside the data set.
    ShapeError
        If a table has another number of rows than its map has volumes.
    SpaceError
        If maps lie on different grids or meshes, or are of different kinds.
    ConfigError, NotEnoughDataError
        As `settle`.
    """
    maps = _maps([path for path in subject.files if _is_effect(path)])
    masks = [path for path in subject.files if path.name.endswith("_mask.nii.gz")]
    space = _space(maps, masks, name=subject.space)
    told = [path for path in subject.files if path.name == CONTRASTS]
    known = _read_contrasts(told[0]) if told else {}
    tables = [_samples(one, known) for one in maps]
    table = pd.concat(tables, ignore_index=True).fillna("")
    samples = sample_table(
        list(table["stimulus"]),
        condition=list(table["condition"]),
        run=list(table["run"]),
        session=list(table["session"]),
        more={str(k): column_values(table[k]) for k in table if k not in OWN},
    )
    parts = [(len(t), _reader(m, space)) for m, t in zip(maps, tables, strict=True)]
    raw = Raw(samples, space, "beta", "run")
    blocks = read_pieces(parts, pieces(samples, standardize))
    return settle(raw, blocks, source="statmap", model="statmap", standardize=standardize)


# --- names


def _is_effect(path: Path) -> bool:
    is_map = path.name.endswith(tuple(f"_statmap{end}" for end in ENDS))
    return is_map and _entities(path).get("stat") == "effect"


def _entities(path: Path) -> dict[str, str]:
    words = path.name.split(".")[0].split("_")[:-1]
    return {key: value for key, _, value in (word.partition("-") for word in words) if value}


def _one_level(paths: list[Path], folder: Path) -> tuple[list[Path], list[str]]:
    """Keep the maps of one level of FitLins' model, that with the most of them."""
    levels: dict[str, list[Path]] = {}
    for path in paths:
        below = path.relative_to(folder).parts
        level = next((part for part in reversed(below) if part.startswith("node-")), "")
        levels.setdefault(level, []).append(path)
    if len(levels) == 1:
        return paths, []
    kept = min(levels, key=lambda level: (-len(levels[level]), level))
    others = ", ".join(sorted(level or "no level" for level in levels if level != kept))
    return levels[kept], [
        f"Of the levels of the model, {kept or 'none'} was taken, which has the most maps; left "
        f"out: {others}."
    ]


def _maps(paths: Iterable[Path]) -> list[_Map]:
    """Return maps in the order of sessions, runs and contrasts, hemispheres joined."""
    pairs: dict[tuple[tuple[str, str], ...], dict[str, Path]] = {}
    for path in sorted(paths):
        entities = _entities(path)
        hemisphere = entities.pop("hemi", "")
        sides = pairs.setdefault(tuple(sorted(entities.items())), {})
        if hemisphere in sides:
            raise _twice(sides[hemisphere], path)
        sides[hemisphere] = path
    maps = []
    for entities_of, sides in pairs.items():
        if sides.keys() not in ({""}, {"L", "R"}):
            raise MissingInputError(
                f"{', '.join(p.name for p in sides.values())} has no partner of the other "
                "hemisphere.",
                mend="Put the maps hemi-L and hemi-R beside each other.",
            )
        maps.append(_Map(sides.get("", sides.get("L", Path())), sides.get("R"), entities_of))
    keys = [(m.get("ses"), m.get("run"), m.get("contrast")) for m in maps]
    for i, key in enumerate(keys):
        if key in keys[:i]:
            raise _twice(maps[keys.index(key)].path, maps[i].path)
    ordered = sorted(zip(keys, maps, strict=True), key=lambda pair: [natural(k) for k in pair[0]])
    return [one for _, one in ordered]


def _twice(first: Path, second: Path) -> UnreadableError:
    return UnreadableError(
        f"{first.name} and {second.name} are both the effect of one contrast in one run.",
        mend="Keep one of them in this folder.",
    )


def _gaps(label: str, maps: list[_Map]) -> list[str]:
    """Tell which contrasts some runs have and others have not."""
    runs: dict[tuple[str, str], set[str]] = {}
    for one in maps:
        runs.setdefault((one.get("ses"), one.get("run")), set()).add(one.get("contrast"))
    every = set().union(*runs.values())
    return [
        f"sub-{label}, run {run or '01'}{f' of session {session}' if session else ''} has no map "
        f"of: {', '.join(sorted(every - own))}."
        for (session, run), own in runs.items()
        if every - own
    ]


def _beside(path: Path, ending: str) -> list[Path]:
    """Return files in the same folder whose entities the map has too, the most special last."""
    own = _entities(path).items()
    found = [
        other
        for other in sorted(path.parent.glob(f"sub-*_{ending}"))
        if {k: v for k, v in _entities(other).items() if k != "desc"}.items() <= own
    ]
    return sorted(found, key=lambda other: len(_entities(other)))


def _table_of(path: Path) -> Path | None:
    found = [other for kind in reversed(TABLES) for other in _beside(path, f"{kind}.tsv")]
    return found[-1] if found else None


def _masks_of(path: Path) -> list[Path]:
    space = _entities(path).get("space")
    masks = _beside(path, "mask.nii.gz")
    return [m for m in masks if _entities(m).get("space") == space][-1:]


# --- what they hold


def _space(maps: list[_Map], masks: list[Path], *, name: str) -> Space:
    first = maps[0].path
    if len({_kind(one) for one in maps}) > 1:
        raise SpaceError(
            f"The maps beside {first.name} are volumes and surfaces in one space {name!r}.",
            mend="Name their space- each.",
        )
    if _kind(maps[0]) == "surface":
        return imaging.space_of_surfaces(first, maps[0].right, name=name)
    if _kind(maps[0]) == "cifti":
        return imaging.space_of_cifti(first, name=name)
    if not masks:
        return _measured(first, name=name)
    spaces = [imaging.space_of_mask(path, name=name) for path in masks]
    for path, other in zip(masks, spaces, strict=True):
        if not other.has_places_of(spaces[0]):
            raise SpaceError(
                f"{path.name} is {other.describe()}, {masks[0].name} is {spaces[0].describe()}.",
                mend="Bring the masks to one grid.",
            )
    shared = [np.isin(spaces[0].index, other.index) for other in spaces]
    return spaces[0].select(np.all(shared, axis=0))


def _measured(path: Path, *, name: str) -> Grid:
    """Return the voxels that are neither 0 nor NaN in the first volume."""
    image = imaging.load(path)
    with imaging.whole(path):
        x, y, z = (int(n) for n in image.shape[:3])
        volume = np.asarray(image.dataobj[..., 0] if len(image.shape) > 3 else image.dataobj)
    index = np.flatnonzero((volume != 0) & np.isfinite(volume)).astype(np.int64)
    return Grid(name, (x, y, z), np.asarray(image.affine, dtype=np.float64), index)


def _kind(one: _Map) -> str:
    if one.right is not None:
        return "surface"
    return "cifti" if one.path.name.endswith(".dscalar.nii") else "volume"


def _samples(one: _Map, known: dict[str, tuple[str, str]]) -> pd.DataFrame:
    """Return one row for each volume of a map."""
    session, run, contrast = one.get("ses"), one.get("run") or "01", one.get("contrast")
    path = _table_of(one.path)
    n = _n_volumes(one)
    if n == 1 and (contrast or path is None):
        stimulus, condition = known.get(contrast, ("", ""))
        row = {"stimulus": stimulus, "condition": condition or contrast or "effect"}
        return pd.DataFrame([{**row, "run": run, "session": session}])
    if path is None:
        raise MissingInputError(
            f"{one.path.name} has {n} volumes, but no table says what they are.",
            mend="Write a table of the same name that ends in _samples.tsv, one row a volume.",
        )
    table = read_table(path, [])
    if len(table) != n:
        raise ShapeError(
            f"{path.name} has {len(table)} rows for {n} volumes of {one.path.name}.",
            mend="Give one row a volume.",
        )
    shown, kinds = (
        next((name for name in names if name in table), "") for names in (STIMULUS, CONDITION)
    )
    if not shown and not kinds:
        raise MissingInputError(
            f"{path} has neither of the columns stimulus and condition; there are: "
            f"{', '.join(map(str, table.columns))}.",
            mend="Add at least one of them.",
        )
    more = {k: table[k] for k in table if k not in OWN}
    made = pd.DataFrame({"run": table["run"] if "run" in table else [run] * n, **more})
    made["session"] = session
    made["stimulus"] = [stimulus_id(s, path=path) for s in table[shown]] if shown else ""
    made["condition"] = ["" if c in MISSING else c for c in table[kinds]] if kinds else ""
    return made


def _n_volumes(one: _Map) -> int:
    if _kind(one) == "surface":
        return imaging.read_surface_header(one.path)[0]
    shape = imaging.read_header(one.path)[0] if _kind(one) == "volume" else _rows(one.path)
    return int(np.prod(shape[3:], dtype=np.int64)) if len(shape) > 3 else 1


def _rows(path: Path) -> tuple[int, ...]:
    image = imaging.load(path)
    return (1, 1, 1, int(image.shape[0]))


def _reader(one: _Map, space: Space) -> Callable[[int, int], Floats]:
    def read(first: int, last: int) -> Floats:
        if isinstance(space, Surface):
            values = imaging.read_surface_units(one.path, one.right, space)
        elif isinstance(space, Grayordinates):
            values = imaging.read_cifti_units(one.path, space)
        elif isinstance(space, Grid):
            values = imaging.read_units(one.path, space)
        else:
            raise SpaceError(f"{space.describe()} has no maps.", mend="Give volumes or surfaces.")
        return values[first:last]

    return read


def _read_contrasts(path: Path) -> dict[str, tuple[str, str]]:
    """Return stimulus and condition by contrast."""
    table = read_table(path, ["contrast"])
    if table["contrast"].duplicated().any():
        twice = table["contrast"][table["contrast"].duplicated()].iloc[0]
        raise UnreadableError(
            f"{path} has the contrast {twice!r} twice.", mend="Give each contrast one row."
        )
    empty = pd.Series([""] * len(table), dtype=object)
    shown = [stimulus_id(name, path=path) for name in table.get("stimulus", empty)]
    kinds = ["" if k in MISSING else k for k in table.get("condition", empty)]
    names = [region_name(name) for name in table["contrast"]]
    return dict(zip(names, zip(shown, kinds, strict=True), strict=True))
