"""What lies in a BIDS data set and its derivatives; pybids stays inside this module."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

from bids_dnn.errors import MissingInputError, nearest
from bids_dnn.ingest import sources
from bids_dnn.ingest.anatomy import find_anatomy, freesurfer_homes, not_in
from bids_dnn.ingest.datasets import check_raw, find_derivatives, ready_kind
from bids_dnn.ingest.masks import find_masks
from bids_dnn.ingest.match import Found, Wanted, bare, read_filters
from bids_dnn.ingest.records import READY, Ingested, Inventory, MaskFile, Run, Source, Subject
from bids_dnn.ingest.runs import Matched, match_runs
from bids_dnn.ingest.sources import Indexed, Query

__all__ = ["Ingested", "Inventory", "MaskFile", "Run", "Subject", "take_inventory"]

EXTENSIONS = [
    *(".nii.gz", ".nii", ".tsv", ".json", ".func.gii", ".dtseries.nii", ".dtseries.json"),
    *(".surf.gii", ".shape.gii", ".label.gii", ".h5", ".txt"),
]
COHORT = re.compile(r"_cohort-([A-Za-z0-9]+)_")  # an entity that pybids does not know


class Asked(TypedDict, total=False):
    """What may be asked of the inventory; see `take_inventory`."""

    derivatives: Mapping[str, Path]
    participant_label: Sequence[str] | None
    session_label: Sequence[str] | None
    task_id: Sequence[str] | None
    run_id: Sequence[str] | None
    space: str | None
    source: Source | Literal["auto"]
    bids_filter_file: Path | None
    bids_database_dir: Path | None
    validate: bool
    ready: tuple[str, Path] | None
    fs_subjects_dir: Path | None


def take_inventory(bids_dir: Path, **asked: Unpack[Asked]) -> Inventory:
    """Find out what there is to analyze, and match what belongs together, reading no image.

    Parameters
    ----------
    bids_dir
        The raw data set; where responses come from SPM or are ready-made, the least that it must
        hold is ``dataset_description.json``, ``participants.tsv`` (SPM) and ``stimuli/``.
    **asked
        All optional, named as on the command line: `derivatives` (name -> path; empty =
        look in ``bids_dir/derivatives``; the path of ``spm`` may hold ``{participant}``),
        `participant_label`, `session_label`, `task_id`, `run_id` (empty = all; with or
        without their prefix), `space` (None = the first of T1w, MNI152NLin2009cAsym,
        MNI152NLin6Asym, other volumes, fsnative, other surfaces and CIFTI in which every
        participant has BOLD; ``NAME:res-2`` and ``NAME:den-91k`` ask for a resolution or
        density, ``native`` for BOLD without a space in its name), `source` (``auto`` = fMRIPrep
        where there is one, else SPM, else a data set that says that it holds ready-made
        responses), `bids_filter_file`, `bids_database_dir` (of the raw data set), `validate`
        (whether ``dataset_description.json`` is required), `ready` (kind and folder of
        ready-made responses; then no other derivatives are needed) and `fs_subjects_dir` (None =
        look beside fMRIPrep's outputs).

    Returns
    -------
    inventory
        One `Subject` for each participant and task, sessions and runs joined.

    Raises
    ------
    MissingInputError
        If a folder, participant, session, task, run, hemisphere or space that is asked for is
        not there.
    ConfigError
        If a setting does not exist, or two files claim one place.
    SpaceError
        If the runs of one participant lie in the spaces of several anatomies.
    UnreadableError
        If a JSON file is damaged.
    """
    query = Query(**asked)
    bids_dir = bids_dir.absolute()  # steps run in other folders
    check_raw(bids_dir, validate=query.validate)
    datasets, notes = find_derivatives(bids_dir, query.derivatives, is_needed=query.ready is None)
    homes = freesurfer_homes(bids_dir, datasets, given=query.fs_subjects_dir)
    source, folder = sources.choose_source(query, datasets)
    if source in READY:
        datasets |= {source: folder}
    filters = read_filters(query.bids_filter_file)
    raw, known = _index_raw(bids_dir, query.bids_database_dir)
    made = {name: _index(path) for name, path in datasets.items() if _is_indexed(name, path)}
    indexed = Indexed(raw, made)
    if source in READY:
        subjects, more = sources.from_ready(source, folder, query)
        matched = Matched(subjects, [], more)
    else:
        if not known:
            known = sorted({f.get("subject") for found in made.values() for f in found} - {""})
        chosen = _choose_participants(bids_dir, known, bare(query.participant_label, "sub-"))
        if source == "spm":
            subjects, more = sources.from_spm(query, folder, indexed, chosen)
            matched = Matched(subjects, [], more)
        else:
            request = query.request(folder, chosen, filters)
            matched = match_runs(request, raw, made["fmriprep"])
    if source != "fmriprep":
        root = datasets.get("fmriprep")
        others = sources.tasks_of_fmriprep(matched.subjects, root, indexed)
        matched = replace(matched, all_tasks=others)
    found = Inventory(bids_dir, datasets, (), tuple(notes))
    found = _complete(found, matched, made, homes=homes, wanted=filters.get("mask", {}))
    if query.fs_subjects_dir is not None:
        more = not_in(homes[0], found.participants)
        found = replace(found, notes=(*found.notes, *more))
    return found


def _complete(
    inventory: Inventory,
    matched: Matched,
    made: Mapping[str, Sequence[Found]],
    *,
    homes: Sequence[Path],
    wanted: Wanted,
) -> Inventory:
    """Give each subject its masks, surfaces and transforms."""
    notes = [*inventory.notes, *matched.notes]
    done: dict[int, Subject] = {}
    for subject in [*matched.subjects, *matched.all_tasks]:
        if id(subject) in done:
            continue
        found, left = find_masks(subject, made, wanted)
        notes += left
        sessions = sorted({run.session for run in subject.runs})
        anatomy = find_anatomy(
            subject.participant, sessions, made=made.get("fmriprep", ()), homes=homes
        )
        done[id(subject)] = replace(found, anatomy=anatomy)
    roots = [inventory.bids_dir, *inventory.datasets.values()]
    used = [s.anatomy.freesurfer.parent for s in done.values() if s.anatomy.freesurfer]
    beside = [home for home in used if not any(home.is_relative_to(root) for root in roots)]
    return replace(
        inventory,
        datasets=inventory.datasets | ({"freesurfer": beside[0]} if beside else {}),
        participants=tuple(done[id(s)] for s in matched.subjects),
        all_tasks=tuple(done[id(s)] for s in matched.all_tasks),
        notes=tuple(dict.fromkeys(notes)),
    )


def _is_indexed(name: str, path: Path) -> bool:
    """Tell whether BIDS names are looked for: not among SPM's, nor in other layouts."""
    return (
        name not in ("spm", "freesurfer")
        and path.is_dir()
        and ready_kind(path) in (None, "statmap")
    )


def _index_raw(bids_dir: Path, database: Path | None) -> tuple[list[Found], list[str]]:
    """Return the raw files and the participants, from the folders or ``participants.tsv``."""
    from niworkflows.utils.bids import collect_participants

    layout = _layout(bids_dir, is_derivative=False, database=database)
    if layout.get_subjects():
        return _files(layout), [str(label) for label in collect_participants(layout)]
    table = bids_dir / "participants.tsv"
    if not table.is_file():
        return _files(layout), []
    lines = table.read_text(encoding="utf-8-sig").splitlines()
    names = [line.split("\t")[0].strip().removeprefix("sub-") for line in lines[1:]]
    return _files(layout), sorted(name for name in names if name)


def _index(root: Path) -> list[Found]:
    return _files(_layout(root, is_derivative=True, database=None))


def _layout(root: Path, *, is_derivative: bool, database: Path | None) -> Any:
    from bids import BIDSLayout, BIDSLayoutIndexer

    with warnings.catch_warnings():  # fMRIPrep before version 20 describes itself the old way
        warnings.filterwarnings("ignore", message="The PipelineDescription field was superseded")
        return BIDSLayout(
            str(root),
            validate=False,
            is_derivative=is_derivative,
            config=["bids", "derivatives"],
            database_path=None if database is None else str(database),
            indexer=BIDSLayoutIndexer(validate=False, index_metadata=False),
        )


def _files(layout: Any) -> list[Found]:
    found = [
        Found(Path(f.path), _with_cohort(f.path, f.get_entities()))
        for f in layout.get(extension=EXTENSIONS)
    ]
    return sorted(found, key=lambda f: f.path.as_posix())


def _with_cohort(path: str, entities: Mapping[str, Any]) -> dict[str, str]:
    told = {k: str(v) for k, v in entities.items() if v is not None}
    cohort = COHORT.search(path)
    return told | {"cohort": cohort[1]} if cohort else told


def _choose_participants(
    bids_dir: Path, known: Sequence[str], asked: tuple[str, ...]
) -> tuple[str, ...]:
    if not known:
        raise MissingInputError(
            f"{bids_dir} has no participant: neither sub-* folders nor a participants.tsv, and "
            "the derivatives name none.",
            mend="Write participants.tsv with the column participant_id, one sub-<label> a row.",
        )
    for label in asked:
        if label not in known:
            raise MissingInputError(
                f"There is no participant {label!r} among the {len(known)} in {bids_dir}.",
                mend=f"{nearest(label, known)} Type --participant-label with one of them.",
            )
    return tuple(sorted(asked or known))
