"""Match fMRIPrep's BOLD with the masks, events, confounds and timing of its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bids_dnn import imaging
from bids_dnn.errors import BidsDnnError, ConfigError, MissingInputError, SpaceError
from bids_dnn.ingest.choose import (
    DETAILS,
    IMAGES,
    Request,
    ask,
    choose_space,
    find_bold,
    space_of,
)
from bids_dnn.ingest.match import MADE, Found, Wanted, inherited, keep, labels, place
from bids_dnn.ingest.records import Run, Subject
from bids_dnn.ingest.series import kind_of
from bids_dnn.ingest.timing import count_volumes, read_timing

RUN_ENTITIES = ("acquisition", "ceagent", "reconstruction", "direction", "part")
MASK: Wanted = {"suffix": ("mask",), "desc": ("brain",), "extension": IMAGES}
TABLE: Wanted = {
    "suffix": ("timeseries", "regressors"),  # as of version 20, and before
    "desc": ("confounds",),
    "extension": (".tsv",),
}
EVENTS: Wanted = {"suffix": ("events",), "extension": (".tsv",)}
OTHER: Mapping[str, str] = {"L": "right", "R": "left"}


@dataclass(frozen=True, slots=True)
class Matched:
    """What was found of fMRIPrep.

    Parameters
    ----------
    subjects
        One for each participant and task that is asked for.
    all_tasks
        One for each participant and task in the same space, with all sessions and runs.
    notes
        What was chosen, and what was left out and why.
    """

    subjects: list[Subject]
    all_tasks: list[Subject]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class _Image:
    """BOLD of one run: the image, or its two hemispheres."""

    found: Found
    right: Found | None
    run: str


@dataclass(frozen=True, slots=True)
class _Files:
    """Files of the raw data set and of fMRIPrep that may belong to one participant."""

    raw: Sequence[Found]
    made: Sequence[Found]

    def of(self, entity: str, label: str) -> _Files:
        """Return those that do not belong to another label; searches are faster among few."""
        near = [[f for f in fs if f.get(entity) in ("", label)] for fs in (self.raw, self.made)]
        return _Files(*near)


def match_runs(request: Request, raw: Sequence[Found], made: Sequence[Found]) -> Matched:
    """Return a `Subject` for each participant and task, in one output space.

    Parameters
    ----------
    request
        What is wanted.
    raw, made
        Files of the raw data set and of fMRIPrep's outputs.

    Raises
    ------
    MissingInputError
        If there is no BOLD, or not for a label that is asked for, or one hemisphere is missing.
    ConfigError
        If two images claim the same run, or ``--space`` is no space.
    SpaceError
        If the runs of one participant lie in the spaces of several anatomies.
    UnreadableError
        If a sidecar is no JSON.
    """
    everything, notes = find_bold(request, made)
    asked = ask(request, everything)
    choice = choose_space(request, asked)
    notes += [choice.note] if choice.note else []
    wanted = {f.path for f in choice.keep(asked)}
    for task in sorted(set(labels(asked, "task")) - set(labels(choice.keep(asked), "task"))):
        spaces = sorted({space_of(f) for f in keep(asked, {"task": (task,)})})
        notes.append(
            f"Task {task} has no BOLD in space {choice.space} and was left out; it has some in "
            f"{', '.join(spaces)}."
        )
    matched = Matched([], [], notes)
    for participant in request.participants:
        own = [f for f in choice.keep(everything) if f.get("subject") == participant]
        if not wanted & {f.path for f in own}:
            lacking = f"sub-{participant} has no preprocessed BOLD that was asked for"
            if request.explicit:
                raise MissingInputError(
                    f"{lacking} in {request.root}.",
                    mend="Leave it out of --participant-label, or run fMRIPrep on it with "
                    "--level full.",
                )
            notes.append(f"{lacking}, and was left out.")
        near = _Files(raw, made).of("subject", participant)
        for task in labels(own, "task"):
            _match_task(request, keep(own, {"task": (task,)}), wanted, near=near, into=matched)
    return matched


def _match_task(
    request: Request, bolds: list[Found], wanted: set[Path], *, near: _Files, into: Matched
) -> None:
    """Add the runs of one participant in one task: those that are wanted, and all."""
    names = _run_names(bolds)
    asked = [f for f in bolds if f.path in wanted]
    if asked:
        subject, more = _subject(request, _images(asked, names), near)
        into.subjects.append(subject)
        into.notes.extend(more)
        if len(asked) == len(bolds):
            into.all_tasks.append(subject)
            return
    try:
        into.all_tasks.append(_subject(request, _images(bolds, names), near)[0])
    except BidsDnnError as err:  # these runs were not asked for
        label, task = bolds[0].get("subject"), bolds[0].get("task")
        into.notes.append(f"Of sub-{label}, task {task} cannot lend regions: {err.what}")


def _subject(
    request: Request, images: Sequence[_Image], near: _Files
) -> tuple[Subject, list[str]]:
    """Match the runs of one participant in one task."""
    _require_one_anatomy(images, near)
    notes: list[str] = []
    runs = []
    sessions = {i.found.get("session") for i in images}
    nearest = {session: near.of("session", session) for session in sessions}
    for image in images:
        run, more = _run(request, image, nearest[image.found.get("session")])
        runs.append(run)
        notes += more
    first = images[0].found
    subject = Subject(
        first.get("subject"),
        "fmriprep",
        first.get("task"),
        space_of(first),
        tuple(runs),
        anat=_background(first, near.made),
    )
    return subject, notes + _not_fetched(subject)


def _images(bolds: Sequence[Found], names: Mapping[str, str]) -> list[_Image]:
    """Bring the hemispheres of each run together, in the order of sessions and runs."""
    seen: dict[str, dict[str, Found]] = {}
    for found in bolds:
        hemispheres = seen.setdefault(_key(found), {})
        hemisphere = found.get("hemi")
        if hemisphere in hemispheres:
            raise _claimed_twice(hemispheres[hemisphere], found)
        hemispheres[hemisphere] = found
    images = []
    for key, hemispheres in seen.items():
        first = next(iter(hemispheres.values()))
        if kind_of(first.path) != "surface":
            if len(hemispheres) > 1:
                raise _claimed_twice(*list(hemispheres.values())[:2])
            images.append(_Image(first, None, names[key]))
            continue
        if set(hemispheres) != {"L", "R"}:
            missing = OTHER.get(first.get("hemi"), "left or right")
            raise MissingInputError(
                f"{first.path.name} has no {missing} hemisphere beside it; both are one run.",
                mend="Fetch or copy the file of the other hemisphere, or choose another space "
                "with --space.",
            )
        images.append(_Image(hemispheres["L"], hemispheres["R"], names[key]))
    return sorted(
        images,
        key=lambda i: (i.found.get("session"), i.found.get("run").zfill(4), i.found.path.name),
    )


def _claimed_twice(one: Found, other: Found) -> ConfigError:
    differing = [e for e in DETAILS if one.get(e) != other.get(e)]
    choices = ", ".join(
        f"--space {space_of(f)}:{e}-{f.get(e)}"
        for e in differing
        for f in (one, other)
        if f.get(e)
    )
    return ConfigError(
        f"Two images claim one run: {one.path.name} and {other.path.name}.",
        mend=f"Choose with {choices} or a --bids-filter-file."
        if choices
        else "Choose with a --bids-filter-file.",
    )


def _require_one_anatomy(images: Sequence[_Image], near: _Files) -> None:
    """Refuse sessions that each have an anatomy of their own, in a space made from it."""
    space = space_of(images[0].found)
    if space not in ("T1w", "fsnative"):
        return
    sessions = {i.found.get("session") for i in images}
    pictures = keep(near.made, {"suffix": ("T1w",), "desc": ("preproc",), "extension": IMAGES})
    own = {f.get("session") for f in pictures if not f.get("space")}
    if "" not in own and len(several := sorted(sessions & own)) > 1:
        raise SpaceError(
            f"fMRIPrep made an anatomy for each session of sub-{images[0].found.get('subject')} "
            f"({', '.join(several)}), so that {space} is another space in each.",
            mend=f"Use a standard space (--space MNI152NLin2009cAsym), or one session: "
            f"--session-label {several[0]}",
        )


def _key(found: Found) -> str:
    return str(sorted(place(found.entities, without=MADE).items()))


def _run_names(bolds: Sequence[Found]) -> dict[str, str]:
    """Name each run, by its `_key`, so that no name stands twice within the participant."""
    unique = {_key(found): found for found in bolds}
    short = {key: _joined(found, ()) for key, found in unique.items()}
    if len(set(short.values())) == len(short):
        return short
    return {key: _joined(found, RUN_ENTITIES) for key, found in unique.items()}


def _joined(found: Found, entities: tuple[str, ...]) -> str:
    parts = [found.get("session"), *(found.get(e) for e in entities), found.get("run") or "01"]
    return "x".join(part for part in parts if part)


def _run(request: Request, image: _Image, near: _Files) -> tuple[Run, list[str]]:
    bold = image.found
    is_volume = kind_of(bold.path) == "volume"
    tables = keep(near.made, request.wanted("confounds", TABLE))
    confounds = inherited(
        [replace(t, entities=_less(t.entities, "desc")) for t in tables],
        bold.entities,
        without=MADE,
    )
    events = inherited(
        keep(near.raw, request.wanted("events", EVENTS)), bold.entities, without=MADE
    )
    timing = read_timing(bold, raw=near.raw, made=near.made)
    n_volumes, why = count_volumes(bold.path)
    run = Run(
        session=bold.get("session"),
        run=image.run,
        bold=bold.path,
        mask=_mask(request, bold, near.made) if is_volume else None,
        events=events[-1].path if events else None,
        confounds=confounds[-1].path if confounds else None,
        t_r_s=timing.t_r_s,
        start_s=timing.start_s,
        n_volumes=n_volumes,
        start_from=timing.start_from,
        bold_right=None if image.right is None else image.right.path,
    )
    lacking = [k for k in ("mask", "events") if getattr(run, k) is None]
    notes = [f"{bold.path.name} has no {k}." for k in lacking if is_volume or k != "mask"]
    return run, ([why] if why and not _is_absent(bold.path) else []) + notes


def _mask(request: Request, bold: Found, made: Sequence[Found]) -> Path | None:
    """Return the brain mask of a run: of its own name, or of one with fewer entities."""
    masks = [m for m in keep(made, request.wanted("mask", MASK)) if m.get("task")]
    here = place(bold.entities, without=("desc",))
    exact = [m for m in masks if place(m.entities, without=("desc", "label")) == here]
    grid = ("space", *DETAILS)
    alike = [
        replace(m, entities=_less(m.entities, "desc", "label"))
        for m in masks
        if all(m.get(e) == bold.get(e) for e in grid)
    ]
    general = inherited(alike, bold.entities, without=("desc",))
    return next((m.path for m in [*exact, *reversed(general)]), None)


def _not_fetched(subject: Subject) -> list[str]:
    """Name the links of a subject whose content was not fetched."""
    parts = [
        path
        for run in subject.runs
        for path in (run.bold, run.bold_right, run.mask, run.events, run.confounds)
        if path is not None and _is_absent(path)
    ]
    if not parts:
        return []
    return [
        f"sub-{subject.participant} task-{subject.task}: {len(parts)} files are links whose "
        f"content was not fetched, such as {parts[0]}. Type: datalad get {parts[0].parent}"
    ]


def _is_absent(path: Path) -> bool:
    try:
        imaging.require_file(path)
    except MissingInputError:
        return True
    return False


def _background(bold: Found, made: Sequence[Found]) -> Path | None:
    """Return a T1w image in the space of the BOLD, or else its BOLD reference."""
    if kind_of(bold.path) != "volume":
        return None
    space = space_of(bold)
    wanted: Wanted = {"suffix": ("T1w",), "desc": ("preproc",), "extension": IMAGES}
    anatomical = keep(made, {"subject": (bold.get("subject"),), **wanted})
    same = [f for f in anatomical if (f.get("space") or "T1w") == space]
    own = ("", bold.get("session"))
    same.sort(key=lambda f: (f.get("session") not in own, f.get("res") != bold.get("res"), f.path))
    reference = [
        f
        for f in keep(made, {"suffix": ("boldref",), "extension": IMAGES})
        if place(f.entities, without=("desc",)) == place(bold.entities, without=("desc",))
    ]
    return next((f.path for f in same + reference), None)


def _less(entities: Mapping[str, str], *names: str) -> dict[str, str]:
    return {k: v for k, v in entities.items() if k not in names}
