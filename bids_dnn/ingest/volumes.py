"""Match fMRIPrep's BOLD volumes with their masks, events, confounds and timing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bids_dnn import files, imaging
from bids_dnn.errors import (
    BidsDnnError,
    ConfigError,
    MissingInputError,
    UnreadableError,
)
from bids_dnn.ingest.match import MADE, Found, Wanted, inherited, keep, labels, place
from bids_dnn.ingest.match import require_labels as require
from bids_dnn.ingest.records import Run, Subject

PREFERRED = ("T1w", "MNI152NLin2009cAsym", "MNI152NLin6Asym")
IMAGES = (".nii.gz", ".nii")
BOLD: Wanted = {"suffix": ("bold",), "extension": IMAGES, "desc": ("preproc",)}
RUN_ENTITIES = ("acquisition", "ceagent", "reconstruction", "direction", "part")
NATIVE = "the scanner's own (no space- entity)"


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted of fMRIPrep's outputs.

    Parameters
    ----------
    root
        fMRIPrep's output folder.
    participants
        Labels; `explicit` tells whether the user named them.
    explicit
        Then one without BOLD is an error, else a note.
    sessions, tasks, runs
        Labels; empty = all.
    space
        ``NAME`` or ``NAME:res-2``; None = choose.
    filters
        Of ``--bids-filter-file``, by query.
    """

    root: Path
    participants: tuple[str, ...]
    explicit: bool
    sessions: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    space: str | None = None
    filters: Mapping[str, Wanted] | None = None

    def wanted(self, query: str, defaults: Wanted) -> Wanted:
        """Return the entities of one query: the user's filter over the defaults."""
        return {**defaults, **(self.filters or {}).get(query, {})}


def match_volumes(
    request: Request, raw: Sequence[Found], made: Sequence[Found]
) -> tuple[list[Subject], list[str]]:
    """Return a `Subject` for each participant and task, and notes on what was chosen.

    Parameters
    ----------
    request
        What is wanted.
    raw, made
        Files of the raw data set and of fMRIPrep's outputs.

    Raises
    ------
    MissingInputError
        If there is no BOLD, or not for a label that is asked for.
    ConfigError
        If two images claim the same run.
    UnreadableError
        If a sidecar is no JSON.
    """
    bolds = keep(made, request.wanted("bold", BOLD))
    bolds = [f for f in bolds if f.get("subject") in request.participants and not f.get("echo")]
    in_space = [f for f in bolds if f.get("space")]
    if not in_space:
        raise _without_bold(request, made)
    bolds, chosen = _choose_space(request, _ask(request, in_space))
    notes = [chosen] if chosen else []
    subjects = []
    for participant in request.participants:
        own = [f for f in bolds if f.get("subject") == participant]
        if not own:
            lacking = f"sub-{participant} has no preprocessed BOLD that was asked for"
            if request.explicit:
                raise MissingInputError(
                    f"{lacking} in {request.root}.",
                    mend="Leave it out of --participant-label, or run fMRIPrep on it with "
                    "--level full.",
                )
            notes.append(f"{lacking}, and was left out.")
        near = [[f for f in fs if f.get("subject") in ("", participant)] for fs in (raw, made)]
        for task in labels(own, "task"):
            runs = [f for f in own if f.get("task") == task]
            subject, more = _subject(request, runs, raw=near[0], made=near[1])
            subjects.append(subject)
            notes += more
    return subjects, notes


def _without_bold(request: Request, made: Sequence[Found]) -> MissingInputError:
    """Say what there is in place of BOLD volumes in a space."""
    own = [f for f in made if f.get("subject") in request.participants]
    there = Counter(
        f"{f.get('suffix')} {'image' if f.get('extension') in IMAGES else f.get('extension')}"
        for f in own
    )
    spaces = sorted({_space(f) for f in own if f.get("suffix") == "bold"})
    listed = ", ".join(f"{n} {kind}" for kind, n in sorted(there.items())[:12]) or "nothing"
    detail = ""
    if spaces:
        detail = (
            f" Sidecars or images of BOLD name the spaces {', '.join(spaces)}; the tasks "
            f"{', '.join(labels(own, 'task')) or 'none'}; the sessions "
            f"{', '.join(labels(own, 'session')) or 'none'}."
        )
    return MissingInputError(
        f"{request.root} has no BOLD volume in a space (space-*_desc-preproc_bold.nii.gz) for "
        f"{len(request.participants)} participants. There are: {listed}.{detail}",
        mend="Run fMRIPrep with --level full --output-spaces T1w, or fetch the images.",
    )


def _ask(request: Request, bolds: list[Found]) -> list[Found]:
    require(request.tasks, labels(bolds, "task"), what="task", option="--task-id")
    if request.tasks:
        bolds = keep(bolds, {"task": request.tasks})
    require(request.sessions, labels(bolds, "session"), what="session", option="--session-label")
    if request.sessions:
        bolds = keep(bolds, {"session": request.sessions})
    if request.runs:
        there = labels(bolds, "run")
        asked = tuple(r if r in there else _same_number(r, there) for r in request.runs)
        require(asked, there, what="run", option="--run-id")
        bolds = keep(bolds, {"run": asked})
    return bolds


def ranked_first(spaces: Iterable[str]) -> str:
    """Return the space that would be chosen where none is asked for.

    Examples
    --------
    >>> ranked_first(["fsaverage5", "MNI152NLin6Asym", "T1w"])
    'T1w'
    """
    known = list(spaces)
    return next((space for space in PREFERRED if space in known), known[0])


def _choose_space(request: Request, bolds: list[Found]) -> tuple[list[Found], str]:
    """Return the volumes of one space, and a note where it was chosen."""
    there = {name: keep(bolds, {"space": (name,)}) for name in labels(bolds, "space")}
    if request.space is not None:
        name, *details = request.space.split(":")
        if name not in there:
            raise MissingInputError(
                f"There is no preprocessed BOLD in space {name!r}, but in {', '.join(there)}.",
                mend=f"Use --space {ranked_first(there)}, or run fMRIPrep with --output-spaces "
                f"{name}.",
            )
        for detail in details:
            entity, _, label = detail.partition("-")
            found = keep(there[name], {entity: (label,)})
            if not found:
                known = ", ".join(labels(there[name], entity)) or "none"
                raise MissingInputError(
                    f"There is no BOLD in {name} with {detail}; there are: {known}.",
                    mend="Use --space NAME:res-LABEL with one of them.",
                )
            there[name] = found
        return there[name], ""
    ranked = [s for s in PREFERRED if s in there] + sorted(set(there) - set(PREFERRED))
    everyone = set(_groups(bolds))
    complete = [s for s in ranked if set(_groups(there[s])) == everyone]
    name = (complete or ranked)[0]
    others = [s for s in ranked if s != name]
    if not others:
        return there[name], ""
    also = ", ".join(others)
    return there[name], f"The space {name} was chosen; there is BOLD also in {also} (--space)."


def _groups(bolds: Sequence[Found]) -> list[tuple[str, str]]:
    return [(f.get("subject"), f.get("task")) for f in bolds]


def _subject(
    request: Request, bolds: list[Found], *, raw: Sequence[Found], made: Sequence[Found]
) -> tuple[Subject, list[str]]:
    """Match the runs of one participant in one task."""
    seen: dict[str, Found] = {}
    for found in bolds:
        key = str(sorted(place(found.entities, without=MADE).items()))
        if key in seen:
            raise ConfigError(
                f"Two images claim one run: {seen[key].path.name} and {found.path.name}.",
                mend="Choose with --space NAME:res-LABEL or a --bids-filter-file.",
            )
        seen[key] = found
    ordered = sorted(
        seen.values(), key=lambda f: (f.get("session"), f.get("run").zfill(4), f.path.name)
    )
    notes: list[str] = []
    runs = []
    for found, name in zip(ordered, _run_names(ordered), strict=True):
        run, more = _run(request, found, raw=raw, made=made)
        runs.append(replace(run, run=name))
        notes += more
    first = ordered[0]
    participant, task, space = (first.get(k) for k in ("subject", "task", "space"))
    anat = _background(first, made)
    return Subject(participant, "fmriprep", task, space, tuple(runs), anat=anat), notes


def _run_names(bolds: Sequence[Found]) -> list[str]:
    """Name each run so that no name stands twice within the participant."""
    short = [_joined(f, ()) for f in bolds]
    if len(set(short)) == len(short):
        return short
    return [_joined(f, RUN_ENTITIES) for f in bolds]


def _joined(found: Found, entities: tuple[str, ...]) -> str:
    parts = [found.get("session"), *(found.get(e) for e in entities), found.get("run") or "01"]
    return "x".join(part for part in parts if part)


def _run(
    request: Request, bold: Found, *, raw: Sequence[Found], made: Sequence[Found]
) -> tuple[Run, list[str]]:
    masks = keep(
        made,
        request.wanted("mask", {"suffix": ("mask",), "desc": ("brain",), "extension": IMAGES}),
    )
    here = place(bold.entities, without=("desc",))
    mask = [m for m in masks if place(m.entities, without=("desc", "label")) == here]
    tables = keep(
        made,
        request.wanted(
            "confounds",
            {
                "suffix": ("timeseries", "regressors"),
                "desc": ("confounds",),
                "extension": (".tsv",),
            },
        ),
    )
    confounds = inherited(
        [replace(t, entities=_less(t.entities, "desc")) for t in tables],
        bold.entities,
        without=MADE,
    )
    wanted = request.wanted("events", {"suffix": ("events",), "extension": (".tsv",)})
    events = inherited(keep(raw, wanted), bold.entities, without=MADE)
    t_r_s, start_s, start_from = _timing(bold, raw=raw, made=made)
    n_volumes, note = _volumes(bold.path)
    run = Run(
        session=bold.get("session"),
        run="",
        bold=bold.path,
        mask=mask[0].path if mask else None,
        events=events[-1].path if events else None,
        confounds=confounds[-1].path if confounds else None,
        t_r_s=t_r_s or _header_t_r(bold.path),
        start_s=start_s,
        n_volumes=n_volumes,
        start_from=start_from,
    )
    lacking = [k for k in ("mask", "events") if getattr(run, k) is None]
    return run, note + [f"{bold.path.name} has no {kind}." for kind in lacking]


def _timing(
    bold: Found, *, raw: Sequence[Found], made: Sequence[Found]
) -> tuple[float, float, str]:
    """Return repetition time, time of the first volume, and where the latter comes from."""
    sidecar: Wanted = {"suffix": ("bold",), "extension": (".json",)}
    own = _merged(inherited(keep(made, sidecar), bold.entities))
    original = _merged(inherited(keep(raw, sidecar), bold.entities, without=MADE))
    t_r_s = float(own.get("RepetitionTime") or original.get("RepetitionTime") or 0.0)
    if isinstance(own.get("StartTime"), (int, float)):
        return t_r_s, float(own["StartTime"]), "StartTime"
    if own.get("SliceTimingCorrected"):
        return t_r_s, 0.5 * t_r_s, "slice timing was corrected, no StartTime: half of TR"
    return t_r_s, 0.0, "slice timing was not corrected, no StartTime: 0"


def _merged(found: Sequence[Found]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for sidecar in found:
        try:
            merged |= files.read_json(imaging.require_file(sidecar.path))
        except (json.JSONDecodeError, UnicodeDecodeError, TypeError) as err:
            raise UnreadableError(
                f"{sidecar.path} is no JSON object ({err}).", mend="Fetch or copy it again."
            ) from err
    return merged


def _volumes(path: Path) -> tuple[int, list[str]]:
    try:
        shape, _, _ = imaging.read_header(path)
    except BidsDnnError as err:
        return 0, [f"{err}"]
    return (shape[3] if len(shape) > 3 else 1), []


def _header_t_r(path: Path) -> float:
    try:
        return imaging.read_header(path)[2]
    except BidsDnnError:  # already noted; the reader of the run says it again
        return 0.0


def _background(bold: Found, made: Sequence[Found]) -> Path | None:
    """Return a T1w image in the space of the BOLD, or else its BOLD reference."""
    space = bold.get("space")
    anatomical = keep(
        made,
        {
            "subject": (bold.get("subject"),),
            "suffix": ("T1w",),
            "desc": ("preproc",),
            "extension": IMAGES,
        },
    )
    same = [f for f in anatomical if (f.get("space") or "T1w") == space]
    same.sort(key=lambda f: (f.get("res") != bold.get("res"), f.path.as_posix()))
    reference = [
        f
        for f in keep(made, {"suffix": ("boldref",), "extension": IMAGES})
        if place(f.entities, without=("desc",)) == place(bold.entities, without=("desc",))
    ]
    return next((f.path for f in same + reference), None)


def _less(entities: Mapping[str, str], *names: str) -> dict[str, str]:
    return {k: v for k, v in entities.items() if k not in names}


def _space(found: Found) -> str:
    return found.get("space") or NATIVE


def _same_number(label: str, there: Sequence[str]) -> str:
    same = [t for t in there if t.isdigit() and label.isdigit() and int(t) == int(label)]
    return same[0] if same else label
