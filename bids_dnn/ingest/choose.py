"""Which preprocessed BOLD there is, and in which space it is analyzed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bids_dnn.errors import ConfigError, MissingInputError, nearest
from bids_dnn.ingest.match import ABSENT, Found, Wanted, keep, labels
from bids_dnn.ingest.match import require_labels as require
from bids_dnn.ingest.series import Kind, kind_of

IMAGES = (".nii.gz", ".nii")
NATIVE = "native"  # no space- entity: each run on the grid on which it was recorded
PREFERRED = ("T1w", "MNI152NLin2009cAsym", "MNI152NLin6Asym")
WORDS: dict[Kind, str] = {"volume": "volumes", "surface": "surfaces", "cifti": "CIFTI"}
BOLD: dict[Kind, Wanted] = {
    "volume": {"suffix": ("bold",), "extension": IMAGES, "desc": ("preproc",)},
    # before version 20, names of surfaces had no suffix: space-fsaverage5_hemi-L.func.gii
    "surface": {"suffix": ("bold", ABSENT), "extension": (".func.gii",), "desc": (ABSENT,)},
    "cifti": {"suffix": ("bold",), "extension": (".dtseries.nii",), "desc": (ABSENT,)},
}
DETAILS = {"res": "res-2", "den": "den-91k", "cohort": "cohort-1"}


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
        ``NAME``, ``NAME:res-2`` or ``NAME:den-91k``, ``native`` for BOLD whose name has no
        space; None = choose.
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


@dataclass(frozen=True, slots=True)
class Choice:
    """A space, and what else tells its images from others.

    Parameters
    ----------
    space
        BIDS label, or ``native``.
    details
        Further entities, such as ``res`` or ``den``.
    note
        What was chosen where nothing was asked for, or what to beware of; may be empty.
    """

    space: str
    details: tuple[tuple[str, str], ...] = ()
    note: str = ""

    def keep(self, bolds: Iterable[Found]) -> list[Found]:
        """Return the images that lie in the space."""
        wanted = {entity: (label,) for entity, label in self.details}
        return [f for f in keep(bolds, wanted) if space_of(f) == self.space]


def space_of(bold: Found) -> str:
    """Return the label of the space of BOLD, also where its name does not tell.

    Examples
    --------
    >>> space_of(Found(Path("sub-01_task-x_desc-preproc_bold.nii.gz"), {}))
    'native'
    """
    named: dict[Kind, str] = {"volume": NATIVE, "surface": "fsnative", "cifti": "grayordinates"}
    return bold.get("space") or named[kind_of(bold.path)]


def find_bold(request: Request, made: Sequence[Found]) -> tuple[list[Found], list[str]]:
    """Return all preprocessed BOLD of the participants, and notes on what was left out.

    Single echoes and phase images are left out, unless the ``bold`` query of the
    ``--bids-filter-file`` asks for them.

    Parameters
    ----------
    request
        What is wanted.
    made
        Files of fMRIPrep's outputs.

    Raises
    ------
    MissingInputError
        If there is none.
    """
    asked = (request.filters or {}).get("bold", {})
    found: list[Found] = []
    for kind, defaults in BOLD.items():
        wanted = dict(defaults) | {k: v for k, v in asked.items() if k != "suffix"}
        if kind != "volume" and "preproc" in wanted["desc"]:
            wanted["desc"] = (*wanted["desc"], ABSENT)
        own = [f for f in keep(made, wanted) if f.get("subject") in request.participants]
        found += [f for f in own if kind_of(f.path) == kind]
    notes = []
    for entity, allowed, what in (
        ("echo", ("",), "of single echoes"),
        ("part", ("", "mag"), "of the phase, or of parts other than the magnitude,"),
    ):
        others = [f for f in found if f.get(entity) not in allowed]
        if entity not in asked and others:
            found = [f for f in found if f.get(entity) in allowed]
            notes.append(
                f"{len(others)} BOLD images {what} were left out, such as {others[0].path.name} "
                f"(a --bids-filter-file that asks for {entity} takes them)."
            )
    if not found:
        raise _without_bold(request, made, notes)
    return found, notes


def _without_bold(
    request: Request, made: Sequence[Found], notes: Sequence[str]
) -> MissingInputError:
    """Say what there is in place of BOLD, and what its absence looks like."""
    own = [f for f in made if f.get("subject") in request.participants]
    there = Counter(_what(f) for f in own)
    listed = ", ".join(f"{n} {kind}" for kind, n in there.most_common(12)) or "nothing"
    sidecars = [f for f in keep(own, {"suffix": ("bold",)}) if f.get("extension") == ".json"]
    told = " ".join(["", *notes])
    mend = "Run fMRIPrep with --level full --output-spaces T1w."
    if notes:
        mend = "Run fMRIPrep on all echoes together, which combines them, or ask for one."
    elif asked := (request.filters or {}).get("bold"):
        told += f" The --bids-filter-file asks for {dict(asked)} of them."
        mend = "Ask for what is there, or leave out --bids-filter-file."
    elif sidecars:
        spaces = sorted({f.get("space") or NATIVE for f in sidecars})
        told += (
            f" Sidecars name BOLD in the spaces {', '.join(spaces)}; the tasks "
            f"{', '.join(labels(own, 'task')) or 'none'}; the sessions "
            f"{', '.join(labels(own, 'session')) or 'none'}."
        )
        mend = (
            f"The images themselves are missing: fetch them (datalad get -d {request.root} "
            f"{sidecars[0].path.parent}) or copy them beside their sidecars; where they "
            "were never made, run fMRIPrep with --level full."
        )
    elif there["boldref image"] or there["xfm .txt"]:
        mend = f"This is what --level minimal or resampling leaves. {mend}"
    return MissingInputError(
        f"{request.root} has no preprocessed BOLD image (*_desc-preproc_bold.nii.gz, "
        "*_bold.func.gii or *_bold.dtseries.nii) for "
        f"{len(request.participants)} participants. There are: {listed}.{told}",
        mend=mend,
    )


def _what(found: Found) -> str:
    extension = found.get("extension")
    return f"{found.get('suffix')} {'image' if extension in IMAGES else extension}"


def ask(request: Request, bolds: list[Found]) -> list[Found]:
    """Return the images of the tasks, sessions and runs that are asked for.

    Raises
    ------
    MissingInputError
        If a label does not exist.
    """
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


def choose_space(request: Request, bolds: Sequence[Found]) -> Choice:
    """Return the space that is asked for, or else the first that every participant has.

    The order is T1w, MNI152NLin2009cAsym, MNI152NLin6Asym, other volumes, fsnative, other
    surfaces, CIFTI. The native space is only taken where it is asked for, because fMRIPrep
    does not bring the runs into register there.

    Parameters
    ----------
    request
        What is wanted.
    bolds
        As `ask` returns them; at least one.

    Raises
    ------
    MissingInputError
        If there is no BOLD in that space, or only in the native one.
    ConfigError
        If what stands after the colon is no entity.
    """
    there = {space: [f for f in bolds if space_of(f) == space] for space in _ranked(bolds)}
    if request.space is not None:
        return _asked_space(request.space, there)
    ranked = [space for space in there if space != NATIVE]
    if not ranked:
        raise MissingInputError(
            "There is preprocessed BOLD only in the native space (no space- entity), where "
            "fMRIPrep leaves each run as it was recorded, not aligned with the others.",
            mend="Run fMRIPrep with --output-spaces T1w, or take it as it is: --space native",
        )
    everyone = set(_groups(f for f in bolds if space_of(f) != NATIVE))
    complete = [s for s in ranked if set(_groups(there[s])) == everyone]
    name = (complete or ranked)[0]
    others = [s for s in ranked if s != name]
    if not others:
        return Choice(name)
    also = describe_spaces([f for s in others for f in there[s]])
    return Choice(name, (), f"The space {name} was chosen; --space takes others: {also}.")


def _asked_space(asked: str, there: Mapping[str, list[Found]]) -> Choice:
    name, *details = asked.split(":")
    everything = [f for found in there.values() for f in found]
    if name not in there:
        best = next((s for s in there if s != NATIVE), NATIVE)
        hint = nearest(name, there)
        meant = f"{hint} " if hint.startswith("Did you mean") else ""
        raise MissingInputError(
            f"There is no preprocessed BOLD in space {name!r}, but in "
            f"{describe_spaces(everything)}.",
            mend=f"{meant}Use --space {best}, or run fMRIPrep with "
            f"--output-spaces {'func' if name == NATIVE else name}.",
        )
    pairs = []
    left = there[name]
    for detail in details:
        entity, _, label = detail.partition("-")
        if entity not in DETAILS or not label:
            raise ConfigError(
                f"--space {asked}: {detail!r} is not one of {', '.join(DETAILS.values())} or "
                "alike.",
                mend=f"Write --space {name}:res-2 or --space {name}:den-91k.",
            )
        found = keep(left, {entity: (label,)})
        if not found:
            known = ", ".join(f"{entity}-{v}" for v in labels(left, entity)) or "none"
            raise MissingInputError(
                f"There is no BOLD in {name} with {detail}; there are: {known}.",
                mend=f"Use --space {name}"
                + (f":{known.split(', ')[0]}" if known != "none" else "")
                + ".",
            )
        pairs.append((entity, label))
        left = found
    note = ""
    if name == NATIVE and any(n > 1 for n in Counter(_groups(left)).values()):
        note = (
            "In the native space fMRIPrep leaves each run as it was recorded: voxels of two runs "
            "are the same place only where the participant did not move between them."
        )
    return Choice(name, tuple(pairs), note)


def describe_spaces(bolds: Sequence[Found]) -> str:
    """Return in which spaces there is BOLD, kind by kind, each as ``--space`` takes it.

    Examples
    --------
    >>> paths = [Path("a_bold.nii.gz"), Path("b_bold.dtseries.nii")]
    >>> given = [{"space": "T1w"}, {"space": "fsLR", "den": "91k"}]
    >>> describe_spaces([Found(p, g) for p, g in zip(paths, given)])
    'T1w (volumes); fsLR:den-91k (CIFTI)'
    """
    parts = []
    for kind, word in WORDS.items():
        own = [f for f in bolds if kind_of(f.path) == kind]
        typed = {s: {_typed(f) for f in own if space_of(f) == s} for s in _ranked(own)}
        if own:
            parts.append(f"{', '.join(t for ts in typed.values() for t in sorted(ts))} ({word})")
    return "; ".join(parts)


def _typed(bold: Found) -> str:
    details = "".join(f":{e}-{bold.get(e)}" for e in DETAILS if bold.get(e))
    return f"{space_of(bold)}{details}"


def _ranked(bolds: Iterable[Found]) -> list[str]:
    """Return the spaces, the one that is most often analyzed first."""
    ranks = {space_of(f): _rank(space_of(f), kind_of(f.path)) for f in bolds}
    return sorted(ranks, key=lambda space: (ranks[space], space))


def _rank(space: str, kind: Kind) -> int:
    if space in PREFERRED:
        return PREFERRED.index(space)
    if kind == "volume":
        return 9 if space == NATIVE else 3 if space.startswith("MNI") else 4
    if kind == "surface":
        return 5 if space == "fsnative" else 6 if space.startswith("fsaverage") else 7
    return 8


def _groups(bolds: Iterable[Found]) -> list[tuple[str, str]]:
    return [(f.get("subject"), f.get("task")) for f in bolds]


def _same_number(label: str, there: Sequence[str]) -> str:
    same = [t for t in there if t.isdigit() and label.isdigit() and int(t) == int(label)]
    return same[0] if same else label
