"""Output folders of GLMsingle (MATLAB or Python) -> `Responses`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bids_dnn import imaging
from bids_dnn.containers.responses import Independence
from bids_dnn.containers.space import Channels, Grid
from bids_dnn.errors import MissingInputError, ShapeError, SpaceError, UnreadableError
from bids_dnn.ingest.matfile import read_mat
from bids_dnn.ingest.pickles import read_npy_dict
from bids_dnn.ingest.ready.common import (
    absent,
    choose,
    is_there,
    natural,
    read_table,
    region_name,
    sample_table,
    stimulus_id,
)
from bids_dnn.ingest.ready.glmsingle_betas import read_betas
from bids_dnn.ingest.ready.settle import Floats, Raw, settle
from bids_dnn.ingest.records import Ingested, Subject

LAYOUT = """
FOLDER/
  sub-01/                                one folder a participant
    [ses-01/]                            one folder a session, where each has its own model
      TYPED_FITHRF_GLMDENOISE_RR.{npy,hdf5,mat}   or TYPEC_..., TYPEB_...: the highest is taken
      samples.tsv                        a row a trial, in the order of the betas: stimulus
                                         [condition] [run]
      or conditions.tsv                  a row a condition: number (column of the design, from
                                         1), stimulus [condition]
      DESIGNINFO.{npy,mat}               needed with conditions.tsv, or where samples.tsv lacks run
      [mask.nii.gz]                      3-D, on the grid of the betas: their voxels and place
"""
TYPES: dict[str, Independence] = {
    "TYPED_FITHRF_GLMDENOISE_RR": "none",
    "TYPEC_FITHRF_GLMDENOISE": "none",
    "TYPEB_FITHRF": "run",
}
SUFFIXES = (".npy", ".hdf5", ".mat")
NO_SINGLE_TRIALS = "TYPEA_ONOFF"


@dataclass(frozen=True, slots=True)
class _Part:
    """One session's files."""

    session: str
    betas: Path
    table: Path
    design: Path | None
    mask: Path | None

    def files(self) -> list[Path]:
        found = (self.betas, self.table, self.design, self.mask)
        return [path for path in found if path is not None]


def find(
    folder: Path, *, participants: Sequence[str], space: str | None
) -> tuple[list[Subject], list[str]]:
    """Return the participants of a folder of GLMsingle outputs, and what was chosen.

    Parameters
    ----------
    folder
        Laid out as `LAYOUT`.
    participants
        Labels without ``sub-`` (letters and digits of the folder's name); empty = all.
    space
        BIDS label of the space in which the masks lie; None = ``native``.

    Raises
    ------
    MissingInputError
        If there is no participant, or a part is not there.
    """
    inside = [folder] if _parts_in(folder) else [p for p in _folders(folder) if _parts_in(p)]
    homes = {region_name(path.resolve().name.removeprefix("sub-")): path for path in inside}
    subjects, notes = [], []
    for label in choose(homes, participants, folder=folder, layout=LAYOUT):
        parts = [_part(path) for path in _parts_in(homes[label])]
        kinds = sorted({part.betas.stem for part in parts})
        if len(kinds) > 1:
            raise MissingInputError(
                f"The sessions of {label} have different estimates: {', '.join(kinds)}.",
                mend=f"Give {kinds[-1]} in each session.",
            )
        several = sorted({p.stem for part in parts for p in _estimates(part.betas.parent)})
        if len(several) > 1:
            notes.append(f"{label}: of {', '.join(several)}, {kinds[0]} was taken.")
        empty = [p.name for p in _sessions(homes[label]) if not _has_estimates(p)]
        notes += [f"{label}: {name} has no estimates and was left out." for name in empty]
        subjects.append(
            Subject(
                label,
                "glmsingle",
                "",
                space or "native",
                files=tuple(chain.from_iterable(part.files() for part in parts)),
                options={"type": kinds[0], "folder": str(homes[label])},
            )
        )
    return subjects, notes


def read_responses(subject: Subject, *, standardize: str) -> Ingested:
    """Return the single-trial betas of one participant, percent signal change.

    Parameters
    ----------
    subject
        From `find`.
    standardize
        ``none``, ``run``, ``session`` or ``auto``.

    Returns
    -------
    ingested
        Units are the voxels of ``mask.nii.gz``, or without it all units of the betas, as
        channels. Ridge and GLMdenoise betas (types C and D) have no independent samples.

    Raises
    ------
    ConfigError
        If `standardize` is something else.
    MissingInputError
        If a file or column is not there.
    UnreadableError
        If a file is damaged, or holds code.
    ShapeError
        If betas and sample table differ in length, or sessions in their units.
    SpaceError
        If a mask has another grid than the betas, or sessions lie on different grids.
    NotEnoughDataError
        If no unit can be used.
    """
    parts = [_part(path) for path in _parts_in(Path(subject.options["folder"]))]
    tables = [_trials(part) for part in parts]
    grid = _grid(parts, subject.space)
    first = read_betas(parts[0].betas, grid, n_trials=len(tables[0]))
    names = tuple(map(str, range(first.shape[1])))
    channels = Channels(subject.space, names, np.arange(len(names), dtype=np.int64))

    def rest() -> Iterator[Floats]:
        for part, table in zip(parts[1:], tables[1:], strict=True):
            block = read_betas(part.betas, grid, n_trials=len(table))
            if block.shape[1] != first.shape[1]:
                raise ShapeError(
                    f"{part.betas} has {block.shape[1]} units, {parts[0].betas} has "
                    f"{first.shape[1]}.",
                    mend="Estimate all sessions in the same voxels.",
                )
            yield block

    joined = pd.concat(tables, ignore_index=True)
    samples = sample_table(
        list(joined["stimulus"]),
        condition=list(joined["condition"]),
        run=list(joined["run"]),
        session=list(joined["session"]),
    )
    kind = subject.options["type"]
    facts = {"betas": [str(part.betas) for part in parts]}
    raw = Raw(samples, grid or channels, "psc", TYPES[kind], facts=facts)
    model = f"GLMsingle {kind}"
    blocks = chain([first], rest())
    return settle(raw, blocks, source="glmsingle", model=model, standardize=standardize)


# --- files


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise absent("anything, as there is no such folder", folder=folder, layout=LAYOUT)
    return sorted((p for p in folder.iterdir() if p.is_dir()), key=lambda p: natural(p.name))


def _has_estimates(folder: Path) -> bool:
    return any(folder.glob("TYPE[ABCD]_*"))


def _parts_in(home: Path) -> list[Path]:
    """Return the folders of a participant's sessions, in natural order; itself where it is one."""
    if _has_estimates(home):
        return [home]
    return [path for path in _sessions(home) if _has_estimates(path)]


def _sessions(home: Path) -> list[Path]:
    return [path for path in _folders(home) if path.name.startswith("ses-")]


def _estimates(folder: Path) -> list[Path]:
    """Return the files of single-trial betas, the highest type first."""
    paths = [folder / f"{kind}{suffix}" for kind in TYPES for suffix in SUFFIXES]
    return [path for path in paths if is_there(path)]


def _part(folder: Path) -> _Part:
    betas = next(iter(_estimates(folder)), None)
    if betas is None:
        only = f", only {NO_SINGLE_TRIALS}" if any(folder.glob(f"{NO_SINGLE_TRIALS}*")) else ""
        raise absent(f"single-trial betas of GLMsingle{only}", folder=folder, layout=LAYOUT)
    tables = [
        path for path in (folder / "samples.tsv", folder / "conditions.tsv") if is_there(path)
    ]
    if not tables:
        raise absent("samples.tsv or conditions.tsv", folder=folder, layout=LAYOUT)
    designs = [folder / f"DESIGNINFO{suffix}" for suffix in (".npy", ".mat")]
    design = next((path for path in designs if is_there(path)), None)
    mask = folder / "mask.nii.gz"
    session = folder.name.removeprefix("ses-") if folder.name.startswith("ses-") else ""
    return _Part(session, betas, tables[0], design, mask if is_there(mask) else None)


# --- what was shown


def _trials(part: _Part) -> pd.DataFrame:
    """Return stimulus, condition, run and session of each trial of a session."""
    if part.table.name == "samples.tsv":
        table = _rows_of_samples(part)
    else:
        table = _rows_of_conditions(part)
    stimulus = [stimulus_id(name, path=part.table) for name in table["stimulus"]]
    condition = table["condition"] if "condition" in table else [""] * len(table)
    found = {"stimulus": stimulus, "condition": list(condition), "run": list(table["run"])}
    return pd.DataFrame(found).assign(session=part.session)


def _rows_of_samples(part: _Part) -> pd.DataFrame:
    table = read_table(part.table, ["stimulus"])
    if {"run", "trial"} <= set(table) and (
        twice := table[table.duplicated(["run", "trial"])]
    ).size:
        row = twice.iloc[0]
        raise UnreadableError(
            f"{part.table} has trial {row['trial']!r} of run {row['run']!r} twice.",
            mend="Give each trial one row, in the order of the betas.",
        )
    if "run" in table:
        return table
    _, counts = _design(part)
    runs = [f"{run:02d}" for run, n in enumerate(counts, start=1) for _ in range(n)]
    if len(runs) != len(table):
        raise ShapeError(
            f"{part.table} has {len(table)} rows, {part.design} has {len(runs)} trials.",
            mend="Give one row a trial, in the order of the betas.",
        )
    return table.assign(run=runs)


def _rows_of_conditions(part: _Part) -> pd.DataFrame:
    known = read_table(part.table, ["number", "stimulus"])
    if twice := sorted(known["number"][known["number"].duplicated()]):
        raise UnreadableError(
            f"{part.table} has the condition {twice[0]!r} twice.",
            mend="Give each column of the design one row.",
        )
    order, counts = _design(part)
    if unknown := sorted({str(n) for n in order} - set(known["number"]), key=natural):
        raise MissingInputError(
            f"{part.table} lacks {len(unknown)} conditions of {part.design}, such as "
            f"{unknown[0]!r}.",
            mend="Give each column of the design one row; the first has the number 1.",
        )
    rows = known.set_index("number").loc[[str(n) for n in order]].reset_index()
    return rows.assign(
        run=[f"{run:02d}" for run, n in enumerate(counts, start=1) for _ in range(n)]
    )


def _design(part: _Part) -> tuple[list[int], list[int]]:
    """Return each trial's condition (from 1) and the trials of each run."""
    if part.design is None:
        raise MissingInputError(
            f"There is no DESIGNINFO beside {part.table}, which does not say the runs of trials.",
            mend="Add the column run to samples.tsv, or copy DESIGNINFO.npy or .mat there.",
        )
    is_npy = part.design.suffix == ".npy"
    names = ("stimorder", "numtrialrun")
    found: dict[str, Any] = read_npy_dict(part.design) if is_npy else read_mat(part.design, names)
    if missing := [name for name in names if name not in found]:
        raise UnreadableError(
            f"{part.design} lacks {', '.join(missing)}; there are: {', '.join(map(str, found))}.",
            mend="Give the file that GLMsingle wrote, or add the column run to samples.tsv.",
        )
    order, counts = (_whole(found[name], name, part.design) for name in names)
    if sum(counts) != len(order):
        raise UnreadableError(
            f"{part.design} has {len(order)} trials in stimorder, but {sum(counts)} in its runs.",
            mend="Give the file that GLMsingle wrote.",
        )
    return [n + 1 for n in order] if is_npy else order, counts  # Python counts from 0


def _whole(value: Any, name: str, path: Path) -> list[int]:
    try:
        return [int(v) for v in np.ravel(np.asarray(value, dtype=np.float64))]
    except (TypeError, ValueError) as err:
        raise UnreadableError(
            f"{path} holds no whole numbers under {name!r} ({err}).",
            mend="Give the file that GLMsingle wrote.",
        ) from err


# --- numbers


def _grid(parts: list[_Part], name: str) -> Grid | None:
    masks = [part.mask for part in parts]
    if not any(masks):
        return None
    spaces: list[Grid] = []
    for part in parts:
        if part.mask is None:
            raise absent(
                "mask.nii.gz, which other sessions have", folder=part.betas.parent, layout=LAYOUT
            )
        spaces.append(imaging.space_of_mask(part.mask, name=name))
        if not spaces[0].has_places_of(spaces[-1]):
            raise SpaceError(
                f"{part.mask} lies on {spaces[-1].describe()}, the first session on "
                f"{spaces[0].describe()}.",
                mend="Bring all sessions to one grid before GLMsingle.",
            )
    return spaces[0].at(reduce(np.intersect1d, [space.index for space in spaces]))
