"""What the inventory finds, as plain values that can be written as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bids_dnn.errors import run_words

if TYPE_CHECKING:
    from bids_dnn.containers.responses import Responses
    from bids_dnn.containers.roi import Roi

READY = ("glmsingle", "nsd", "bold5000", "algonauts", "vim1", "tvsd", "nwb", "statmap", "table")
Source = Literal[
    "fmriprep",
    "spm",
    "glmsingle",
    "nsd",
    "bold5000",
    "algonauts",
    "vim1",
    "tvsd",
    "nwb",
    "statmap",
    "table",
]


@dataclass(frozen=True, slots=True)
class MaskFile:
    """An image that marks a region.

    Parameters
    ----------
    name
        Letters and digits: its ``label-`` entity, or else its ``desc-`` entity.
    path
        A 3-D NIfTI image, or a GIFTI label file of one hemisphere.
    space
        BIDS label of the space in which it lies.
    """

    name: str
    path: Path
    space: str

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return {"name": self.name, "path": str(self.path), "space": self.space}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> MaskFile:
        """Return what `to_json` wrote."""
        return cls(value["name"], Path(value["path"]), value["space"])


@dataclass(frozen=True, slots=True)
class Run:
    """One run of preprocessed volumes and what belongs to it.

    Parameters
    ----------
    session
        Label, "" where there are none.
    run
        Unique within the participant: ``01``, or ``testx01`` where there are sessions.
    bold, mask, events, confounds
        Files; None where there is none. On a surface, `bold` is the left hemisphere and there
        is no mask.
    t_r_s : s
        Between volumes; 0 where it is not known.
    start_s : s
        Time to which the first volume was brought by slice timing correction.
    n_volumes : int
        0 where the image cannot be read.
    start_from
        Where `start_s` comes from, in words.
    bold_right
        On a surface, the right hemisphere.
    """

    session: str
    run: str
    bold: Path
    mask: Path | None
    events: Path | None
    confounds: Path | None
    t_r_s: float
    start_s: float
    n_volumes: int
    start_from: str = "StartTime"
    bold_right: Path | None = None

    @property
    def said(self) -> str:
        """What it is called in messages: its session and run, as options take them."""
        return run_words(self.run, self.session)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return {
            "session": self.session,
            "run": self.run,
            "bold": str(self.bold),
            "mask": _text(self.mask),
            "events": _text(self.events),
            "confounds": _text(self.confounds),
            "t_r_s": self.t_r_s,
            "start_s": self.start_s,
            "n_volumes": self.n_volumes,
            "start_from": self.start_from,
            "bold_right": _text(self.bold_right),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Run:
        """Return what `to_json` wrote."""
        paths = {k: _path(value[k]) for k in ("mask", "events", "confounds", "bold_right")}
        return cls(**{**value, **paths, "bold": Path(value["bold"])})


@dataclass(frozen=True, slots=True)
class Anatomy:
    """A participant's surfaces and transforms, from which regions are built.

    Parameters
    ----------
    freesurfer
        The participant's FreeSurfer folder (with ``surf/``, ``label/``, ``mri/``); None where
        there is none.
    surfaces
        By hemisphere and kind: ``L_white``, ``R_pial``, ``L_midthickness``,
        ``L_midthickness-fsLR`` (on the vertices of that template), ``L_inflated``,
        ``L_sphere`` (the native sphere), ``L_reg-fsaverage`` and ``L_reg-fsLR`` (native mesh,
        registered to those templates), ``L_cortex`` and ``L_cortex-fsaverage`` (masks without
        the medial wall, of the native mesh and of the template). fMRIPrep's GIFTI before
        FreeSurfer's own file.
    transforms
        By source and target space, ``T1w->MNI152NLin2009cAsym``: fMRIPrep's ``xfm`` files.
    """

    freesurfer: Path | None = None
    surfaces: dict[str, Path] = field(default_factory=dict)
    transforms: dict[str, Path] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return {
            "freesurfer": _text(self.freesurfer),
            "surfaces": {k: str(v) for k, v in sorted(self.surfaces.items())},
            "transforms": {k: str(v) for k, v in sorted(self.transforms.items())},
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Anatomy:
        """Return what `to_json` wrote."""
        return cls(
            _path(value["freesurfer"]),
            {k: Path(v) for k, v in value["surfaces"].items()},
            {k: Path(v) for k, v in value["transforms"].items()},
        )


@dataclass(frozen=True, slots=True)
class Subject:
    """One participant in one task: all that the responses are read from.

    Parameters
    ----------
    participant
        Label without ``sub-``.
    source
        Which reader turns it into `Responses`.
    task, space
        Labels.
    runs
        In the order of sessions and runs; empty for SPM.
    spm
        The ``SPM.mat``; None for fMRIPrep.
    masks
        Of the participant, or of a whole group in a standard space; in any space.
    anat
        A background for pictures in `space`: a T1w image, or else a BOLD reference.
    anatomy
        Surfaces and transforms; empty where there are none.
    files
        Of ready-made responses (`source` is one of `READY`): all files that are read.
    options
        Of ready-made responses: what its reader noted when it was found (text by name).
    """

    participant: str
    source: Source
    task: str
    space: str
    runs: tuple[Run, ...] = ()
    spm: Path | None = None
    masks: tuple[MaskFile, ...] = ()
    anat: Path | None = None
    anatomy: Anatomy = field(default_factory=Anatomy)
    files: tuple[Path, ...] = ()
    options: dict[str, str] = field(default_factory=dict)

    def cortex_masks(self) -> tuple[Path | None, Path | None]:
        """Return the masks of the left and right cortex of the mesh that `space` names."""
        template = "-fsaverage" if self.space.startswith("fsaverage") else ""
        if self.space != "fsnative" and not template:
            return None, None
        left, right = (self.anatomy.surfaces.get(f"{h}_cortex{template}") for h in "LR")
        return left, right

    def inputs(self) -> tuple[Path, ...]:
        """Return every file that the responses depend on, sorted."""
        found = [
            path
            for run in self.runs
            for path in (run.bold, run.bold_right, run.mask, run.events, run.confounds)
            if path is not None
        ]
        if any(run.bold_right is not None for run in self.runs):
            found += [mask for mask in self.cortex_masks() if mask is not None]
        found += self.files
        tables = [run.confounds for run in self.runs if run.confounds is not None]
        found += [p for p in (t.with_suffix(".json") for t in tables) if p.exists()]
        if self.spm is not None:
            found.append(self.spm)
            for pattern in ("beta_*.nii*", "beta_*.hdr", "beta_*.img", "mask.nii*", "mask.img"):
                found += self.spm.parent.glob(pattern)
        return tuple(sorted(set(found)))

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return {
            "participant": self.participant,
            "source": self.source,
            "task": self.task,
            "space": self.space,
            "runs": [run.to_json() for run in self.runs],
            "spm": _text(self.spm),
            "masks": [mask.to_json() for mask in self.masks],
            "anat": _text(self.anat),
            "anatomy": self.anatomy.to_json(),
            "files": [str(path) for path in self.files],
            "options": dict(sorted(self.options.items())),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Subject:
        """Return what `to_json` wrote."""
        made = {
            "runs": tuple(Run.from_json(run) for run in value["runs"]),
            "masks": tuple(MaskFile.from_json(mask) for mask in value["masks"]),
            "spm": _path(value["spm"]),
            "anat": _path(value["anat"]),
            "anatomy": Anatomy.from_json(value["anatomy"]),
            "files": tuple(Path(path) for path in value["files"]),
        }
        return cls(**{**value, **made})


@dataclass(frozen=True, slots=True)
class Inventory:
    """What was found and matched, before anything is read.

    Parameters
    ----------
    bids_dir
        The raw data set.
    datasets
        Derivative data sets by name, with ``freesurfer`` where that folder lies outside all
        others; of ``spm``, the path may hold ``{participant}``.
    participants
        One entry for each participant and task.
    notes
        What was chosen, and what was left out and why, a sentence each.
    all_tasks
        One entry for each participant and task with fMRIPrep's BOLD in the same space, with all
        sessions and runs, whether they were asked for or not: what regions can be made from.
    """

    bids_dir: Path
    datasets: dict[str, Path]
    participants: tuple[Subject, ...]
    notes: tuple[str, ...] = ()
    all_tasks: tuple[Subject, ...] = ()

    def describe(self) -> list[str]:
        """Return the inventory as lines for the log."""
        lines = [f"BIDS data set: {self.bids_dir}"]
        lines += [f"derivatives {name}: {path}" for name, path in self.datasets.items()]
        lines += [_line(subject) for subject in self.participants]
        return lines + [f"note: {note}" for note in self.notes]


@dataclass(frozen=True, slots=True, eq=False)
class Ingested:
    """Responses, and how they came about.

    Parameters
    ----------
    responses
        Of one participant in one task.
    facts
        JSON-ready counts and choices for the log and the report.
    rois
        Regions that the data themselves name (areas of electrodes, masks beside ready-made
        betas), on the space of the responses.
    """

    responses: Responses
    facts: dict[str, Any] = field(default_factory=dict)
    rois: tuple[Roi, ...] = ()


def _line(subject: Subject) -> str:
    names = sorted({mask.name for mask in subject.masks if mask.space == subject.space})
    others = sorted({mask.space for mask in subject.masks} - {subject.space})
    regions = f"{len(names)} masks in {subject.space}: {', '.join(names)}"
    regions = regions if names else f"no mask in {subject.space}"
    regions += f" (further masks in {', '.join(others)})" if others else ""
    if subject.anatomy.freesurfer is not None:
        regions += f"; FreeSurfer: {subject.anatomy.freesurfer}"
    if subject.source == "spm":
        what = f"SPM, {subject.spm}"
    elif subject.source in READY:
        what = f"{subject.source}, {len(subject.files)} files in {subject.space}"
    else:
        sessions = len({run.session for run in subject.runs if run.session})
        events = sum(run.events is not None for run in subject.runs)
        what = f"fMRIPrep, {sessions} sessions, " if sessions else "fMRIPrep, "
        what += f"{len(subject.runs)} runs, {sum(r.n_volumes for r in subject.runs)} volumes, "
        what += f"events for {events} runs"
        if any(run.bold_right is not None for run in subject.runs):
            what += f", both hemispheres of {subject.space}"
    return f"sub-{subject.participant} task-{subject.task}: {what}; {regions}"


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _path(value: str | None) -> Path | None:
    return None if value is None else Path(value)
