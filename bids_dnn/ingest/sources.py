"""Where responses come from: fMRIPrep, SPM, or a data set of ready-made ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

from bids_dnn.errors import BidsDnnError, ConfigError, MissingInputError, nearest
from bids_dnn.ingest.choose import Request
from bids_dnn.ingest.datasets import ready_kind
from bids_dnn.ingest.match import Found, Wanted, bare, labels, require_labels
from bids_dnn.ingest.records import READY, Source, Subject
from bids_dnn.ingest.runs import match_runs
from bids_dnn.ingest.spm_folders import find_designs, name_space

SOURCES = ("auto", *get_args(Source))


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of the inventory; the fields are those of `inventory.take_inventory`."""

    derivatives: Mapping[str, Path] = field(default_factory=dict)
    participant_label: Sequence[str] | None = None
    session_label: Sequence[str] | None = None
    task_id: Sequence[str] | None = None
    run_id: Sequence[str] | None = None
    space: str | None = None
    source: str = "auto"
    bids_filter_file: Path | None = None
    bids_database_dir: Path | None = None
    validate: bool = True
    ready: tuple[str, Path] | None = None
    fs_subjects_dir: Path | None = None

    def request(
        self, root: Path, participants: tuple[str, ...], filters: Mapping[str, Wanted]
    ) -> Request:
        """Return what is wanted of fMRIPrep's outputs in `root`."""
        return Request(
            root=root,
            participants=participants,
            explicit=bool(self.participant_label),
            sessions=bare(self.session_label, "ses-"),
            tasks=bare(self.task_id, "task-"),
            runs=bare(self.run_id, "run-"),
            space=self.space,
            filters=filters,
        )


@dataclass(frozen=True, slots=True)
class Indexed:
    """Files of the raw data set, and of each derivative data set."""

    raw: Sequence[Found]
    made: Mapping[str, Sequence[Found]]


def choose_source(query: Query, datasets: Mapping[str, Path]) -> tuple[str, Path]:
    """Return what responses are read from, and its folder.

    Parameters
    ----------
    query
        Its `ready` goes before all; ``auto`` = fMRIPrep where it is there, else SPM, else the
        only data set that says that it holds ready-made responses.
    datasets
        Derivatives by name.

    Raises
    ------
    ConfigError
        If there is no such source, or two settings exclude each other.
    MissingInputError
        If it is not there.
    """
    asked = query.source
    if asked not in SOURCES:
        raise ConfigError(f"responses.source is {asked!r}.", mend=nearest(asked, SOURCES))
    if query.ready is not None:
        return _given(asked, *query.ready)
    found = [
        (kind, path)
        for name, path in datasets.items()
        if name not in ("fmriprep", "spm") and (kind := ready_kind(path)) is not None
    ]
    there = [(name, datasets[name]) for name in ("fmriprep", "spm") if name in datasets] + found
    fitting = [(kind, path) for kind, path in there if asked in ("auto", kind)]
    if not fitting:
        listed = ", ".join(datasets) or "none"
        wanted = "fmriprep or spm" if asked == "auto" else asked
        option = "--responses" if asked in READY else "--derivatives"
        raise MissingInputError(
            f"Responses were to be read from {wanted}, but the derivatives are: {listed}.",
            mend=f"Name them: {option} {'fmriprep' if asked == 'auto' else asked}=PATH",
        )
    if fitting[0][0] in READY and len(fitting) > 1:
        listed = ", ".join(f"{kind} ({path})" for kind, path in fitting)
        raise ConfigError(
            f"Several data sets hold ready-made responses: {listed}.",
            mend=f"Say which: --responses {fitting[0][0]}={fitting[0][1]}",
        )
    return fitting[0]


def _given(asked: str, kind: str, folder: Path) -> tuple[str, Path]:
    if kind not in READY:
        raise ConfigError(
            f"--responses {kind}={folder}: {kind!r} is no kind of ready-made responses.",
            mend=nearest(kind, READY),
        )
    if asked not in ("auto", kind):
        raise ConfigError(
            f"responses.source is {asked!r}, but --responses gives {kind}={folder}.",
            mend=f'Leave one of them out, or set responses.source = "{kind}".',
        )
    folder = folder.absolute()
    if not folder.exists():
        raise MissingInputError(
            f"--responses {kind}={folder}: there is no such folder.",
            mend=f"Give the folder that holds the data: --responses {kind}=PATH",
        )
    return kind, folder


def from_ready(kind: str, folder: Path, query: Query) -> tuple[list[Subject], list[str]]:
    """Return the participants of a data set of ready-made responses, and notes.

    Parameters
    ----------
    kind
        One of `records.READY`.
    folder
        Laid out as the reader of this kind expects.
    query
        Its participants, tasks and space are asked for.

    Raises
    ------
    MissingInputError
        If there is no participant, or not one, or no task, that is asked for.
    """
    from bids_dnn.ingest.ready import door

    asked = bare(query.participant_label, "sub-")
    subjects, notes = door(kind).find(folder, participants=asked, space=query.space)
    subjects = [replace(s, task=s.task or kind) for s in subjects]  # file names need a task
    there = sorted({subject.participant for subject in subjects})
    if not there:
        raise MissingInputError(
            f"--responses {kind}={folder}: no participant was found there.",
            mend="Look up the layout that is expected in the documentation of responses.",
        )
    for label in asked:
        if label not in there:
            raise MissingInputError(
                f"There is no participant {label!r} among the {len(there)} in {folder}.",
                mend=f"{nearest(label, there)} Type --participant-label with one of them.",
            )
    tasks = bare(query.task_id, "task-")
    known = sorted({subject.task for subject in subjects})
    require_labels(tasks, known, what="task", option="--task-id")
    if tasks:
        subjects = [subject for subject in subjects if subject.task in tasks]
    for option, value in (("--session-label", query.session_label), ("--run-id", query.run_id)):
        if value:
            notes = [*notes, f"{option} does not apply to ready-made responses."]
    return list(subjects), list(notes)


def from_spm(
    query: Query, root: Path, indexed: Indexed, chosen: tuple[str, ...]
) -> tuple[list[Subject], list[str]]:
    """Return a `Subject` for each participant and first level of SPM, and notes.

    Parameters
    ----------
    query
        Its tasks and space are asked for.
    root
        Folder of the first levels; may hold ``{participant}`` and ``{design}``.
    indexed
        Tells the task of the raw data, and masks that tell the space.
    chosen
        Participants.

    Raises
    ------
    MissingInputError
        If there is no first level, or not of a participant who is asked for.
    """
    tasks = bare(query.task_id, "task-")
    seen = Counter(
        f.get("task") for f in indexed.raw if f.get("subject") in chosen and f.get("task")
    )
    task = tasks[0] if len(tasks) == 1 else next(iter(seen)) if len(seen) == 1 else "spm"
    others = [f for several in indexed.made.values() for f in several]
    mend = (
        "Give the folder with the participant's place in it: "
        "--derivatives 'spm=PATH/{participant}'"
    )
    subjects: list[Subject] = []
    notes: list[str] = []
    for label in chosen:
        designs, why = find_designs(root, label, tasks=tasks)
        if not designs:
            if query.participant_label or len(chosen) == 1:
                raise MissingInputError(
                    f"sub-{label} has no first level of SPM: {why}.", mend=mend
                )
            notes.append(f"sub-{label} was left out: {why}.")
        for name, path in designs.items():
            space, note = name_space(path, label, asked=query.space, made=others)
            notes += [note] if note else []
            subjects.append(Subject(label, "spm", name or task, space, spm=path))
    if not subjects:
        raise MissingInputError(
            f"No participant has a first level of SPM in {root}: {notes[0]}", mend=mend
        )
    for option, value in (("--session-label", query.session_label), ("--run-id", query.run_id)):
        if value:
            notes.append(f"{option} does not apply to SPM, where all sessions are one model.")
    return subjects, notes


def tasks_of_fmriprep(
    subjects: Sequence[Subject], root: Path | None, indexed: Indexed
) -> list[Subject]:
    """Return fMRIPrep's runs in the space of responses that come from elsewhere.

    Parameters
    ----------
    subjects
        Of SPM or ready-made.
    root
        fMRIPrep's folder, None where there is none.
    indexed
        All files.

    Returns
    -------
    all_tasks
        Empty where there is no BOLD in that space.
    """
    if root is None or not subjects:
        return []
    made = indexed.made["fmriprep"]
    request = Request(
        root=root,
        participants=tuple(dict.fromkeys(s.participant for s in subjects)),
        explicit=False,
        space=subjects[0].space,
    )
    if not set(labels(made, "subject")) & set(request.participants):
        return []
    try:
        return match_runs(request, indexed.raw, made).all_tasks
    except BidsDnnError:  # nobody asked for them: whoever makes a region says what is missing
        return []
