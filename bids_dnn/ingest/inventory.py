"""What lies in a BIDS data set and its derivatives; pybids stays inside this module."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

from bids_dnn.errors import ConfigError, MissingInputError, nearest
from bids_dnn.ingest import volumes
from bids_dnn.ingest.datasets import check_raw, find_derivatives
from bids_dnn.ingest.masks import find_masks
from bids_dnn.ingest.match import Found, Wanted, bare, read_filters
from bids_dnn.ingest.records import Ingested, Inventory, MaskFile, Run, Subject
from bids_dnn.ingest.spm_folders import find_spm, name_space

__all__ = ["Ingested", "Inventory", "MaskFile", "Run", "Subject", "take_inventory"]

EXTENSIONS = [".nii.gz", ".nii", ".tsv", ".json", ".func.gii", ".dtseries.nii", ".dtseries.json"]


class Asked(TypedDict, total=False):
    """What may be asked of the inventory; see `take_inventory`."""

    derivatives: Mapping[str, Path]
    participant_label: Sequence[str] | None
    session_label: Sequence[str] | None
    task_id: Sequence[str] | None
    run_id: Sequence[str] | None
    space: str | None
    source: Literal["auto", "fmriprep", "spm"]
    bids_filter_file: Path | None
    bids_database_dir: Path | None
    validate: bool


@dataclass(frozen=True, slots=True)
class _Query:
    derivatives: Mapping[str, Path] = field(default_factory=dict)
    participant_label: Sequence[str] | None = None
    session_label: Sequence[str] | None = None
    task_id: Sequence[str] | None = None
    run_id: Sequence[str] | None = None
    space: str | None = None
    source: Literal["auto", "fmriprep", "spm"] = "auto"
    bids_filter_file: Path | None = None
    bids_database_dir: Path | None = None
    validate: bool = True


def take_inventory(bids_dir: Path, **asked: Unpack[Asked]) -> Inventory:
    """Find out what there is to analyze, and match what belongs together, reading no image.

    Parameters
    ----------
    bids_dir
        The raw data set; where responses come from SPM, the least that it must hold is
        ``dataset_description.json``, ``participants.tsv`` and ``stimuli/``.
    **asked
        All optional, named as on the command line: `derivatives` (name -> path; empty =
        look in ``bids_dir/derivatives``; the path of ``spm`` may hold ``{participant}``),
        `participant_label`, `session_label`, `task_id`, `run_id` (empty = all; with or
        without their prefix), `space` (None = the first of T1w, MNI152NLin2009cAsym,
        MNI152NLin6Asym and any other in which every participant has BOLD; ``NAME:res-2``
        asks for a resolution), `source` (``auto`` = fMRIPrep where there is one, else SPM),
        `bids_filter_file`, `bids_database_dir` (of the raw data set) and `validate` (whether
        ``dataset_description.json`` is required).

    Returns
    -------
    inventory
        One `Subject` for each participant and task, sessions and runs joined.

    Raises
    ------
    MissingInputError
        If a folder, participant, session, task, run or space that is asked for is not there.
    ConfigError
        If a setting does not exist, or two files claim one place.
    UnreadableError
        If a JSON file is damaged.
    """
    query = _Query(**asked)
    bids_dir = bids_dir.absolute()  # steps run in other folders
    check_raw(bids_dir, validate=query.validate)
    datasets, notes = find_derivatives(bids_dir, query.derivatives)
    source = _choose_source(query.source, datasets)
    filters = read_filters(query.bids_filter_file)
    raw, known = _index_raw(bids_dir, query.bids_database_dir)
    made = {n: _index(p) for n, p in datasets.items() if n != "spm" and p.is_dir()}
    if not known:
        known = sorted({f.get("subject") for found in made.values() for f in found} - {""})
    chosen = _choose_participants(bids_dir, known, bare(query.participant_label, "sub-"))
    if source == "spm":
        subjects, more = _from_spm(query, datasets, (raw, made), chosen)
    else:
        request = volumes.Request(
            root=datasets["fmriprep"],
            participants=chosen,
            explicit=bool(query.participant_label),
            sessions=bare(query.session_label, "ses-"),
            tasks=bare(query.task_id, "task-"),
            runs=bare(query.run_id, "run-"),
            space=query.space,
            filters=filters,
        )
        subjects, more = volumes.match_volumes(request, raw, made["fmriprep"])
    wanted: Wanted = filters.get("mask", {})
    with_masks = []
    for subject in subjects:
        found, left = find_masks(subject, made, wanted)
        with_masks.append(found)
        more += left
    return Inventory(bids_dir, datasets, tuple(with_masks), tuple(dict.fromkeys(notes + more)))


def _choose_source(asked: str, datasets: Mapping[str, Path]) -> Literal["fmriprep", "spm"]:
    if asked not in ("auto", "fmriprep", "spm"):
        raise ConfigError(
            f"responses.source is {asked!r}.", mend=nearest(asked, ("auto", "fmriprep", "spm"))
        )
    if asked != "spm" and "fmriprep" in datasets:
        return "fmriprep"
    if asked != "fmriprep" and "spm" in datasets:
        return "spm"
    there = ", ".join(datasets) or "none"
    wanted = "fmriprep or spm" if asked == "auto" else asked
    raise MissingInputError(
        f"Responses were to be read from {wanted}, but the derivatives are: {there}.",
        mend=f"Name them: --derivatives {'fmriprep' if asked == 'auto' else asked}=PATH",
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
        Found(Path(f.path), {k: str(v) for k, v in f.get_entities().items() if v is not None})
        for f in layout.get(extension=EXTENSIONS)
    ]
    return sorted(found, key=lambda f: f.path.as_posix())


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


def _from_spm(
    query: _Query,
    datasets: Mapping[str, Path],
    indexed: tuple[list[Found], Mapping[str, list[Found]]],
    chosen: tuple[str, ...],
) -> tuple[list[Subject], list[str]]:
    raw, made = indexed
    tasks = bare(query.task_id, "task-")
    seen = Counter(f.get("task") for f in raw if f.get("subject") in chosen and f.get("task"))
    task = tasks[0] if len(tasks) == 1 else next(iter(seen)) if len(seen) == 1 else "spm"
    subjects: list[Subject] = []
    notes: list[str] = []
    for label in chosen:
        path, why = find_spm(datasets["spm"], label, tasks=tasks)
        if path is None:
            if query.participant_label or len(chosen) == 1:
                raise MissingInputError(
                    f"sub-{label} has no first level of SPM: {why}.",
                    mend="Give the folder with the participant's place in it: "
                    "--derivatives 'spm=PATH/{participant}'",
                )
            notes.append(f"sub-{label} was left out: {why}.")
            continue
        others = [f for several in made.values() for f in several]
        space, note = name_space(path, label, asked=query.space, made=others)
        notes += [note] if note else []
        subjects.append(Subject(label, "spm", task, space, spm=path))
    if not subjects:
        raise MissingInputError(
            f"No participant has a first level of SPM in {datasets['spm']}: {notes[0]}",
            mend="Give the folder with the participant's place in it: "
            "--derivatives 'spm=PATH/{participant}'",
        )
    for option, value in (("--session-label", query.session_label), ("--run-id", query.run_id)):
        if value:
            notes.append(f"{option} does not apply to SPM, where all sessions are one model.")
    return subjects, notes
