"""What the inventory finds, as plain values that can be written as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from bids_dnn.containers.responses import Responses

Source = Literal["fmriprep", "spm"]


@dataclass(frozen=True, slots=True)
class MaskFile:
    """An image that marks a region.

    Parameters
    ----------
    name
        Letters and digits: its ``label-`` entity, or else its ``desc-`` entity.
    path
        A 3-D NIfTI image.
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
        Files; None where there is none.
    t_r_s : s
        Between volumes; 0 where it is not known.
    start_s : s
        Time to which the first volume was brought by slice timing correction.
    n_volumes : int
        0 where the image cannot be read.
    start_from
        Where `start_s` comes from, in words.
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
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Run:
        """Return what `to_json` wrote."""
        paths = {k: _path(value[k]) for k in ("mask", "events", "confounds")}
        return cls(**{**value, **paths, "bold": Path(value["bold"])})


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
    """

    participant: str
    source: Source
    task: str
    space: str
    runs: tuple[Run, ...] = ()
    spm: Path | None = None
    masks: tuple[MaskFile, ...] = ()
    anat: Path | None = None

    def inputs(self) -> tuple[Path, ...]:
        """Return every file that the responses depend on, sorted."""
        found = [
            path
            for run in self.runs
            for path in (run.bold, run.mask, run.events, run.confounds)
            if path is not None
        ]
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
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Subject:
        """Return what `to_json` wrote."""
        made = {
            "runs": tuple(Run.from_json(run) for run in value["runs"]),
            "masks": tuple(MaskFile.from_json(mask) for mask in value["masks"]),
            "spm": _path(value["spm"]),
            "anat": _path(value["anat"]),
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
        Derivative data sets by name; of ``spm``, the path may hold ``{participant}``.
    participants
        One entry for each participant and task.
    notes
        What was chosen, and what was left out and why, a sentence each.
    """

    bids_dir: Path
    datasets: dict[str, Path]
    participants: tuple[Subject, ...]
    notes: tuple[str, ...] = ()

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
    """

    responses: Responses
    facts: dict[str, Any] = field(default_factory=dict)


def _line(subject: Subject) -> str:
    names = sorted({mask.name for mask in subject.masks if mask.space == subject.space})
    others = sorted({mask.space for mask in subject.masks} - {subject.space})
    regions = f"{len(names)} masks in {subject.space}: {', '.join(names) or 'none'}"
    regions += f" (further masks in {', '.join(others)})" if others else ""
    if subject.source == "spm":
        what = f"SPM, {subject.spm}"
    else:
        sessions = len({run.session for run in subject.runs if run.session})
        events = sum(run.events is not None for run in subject.runs)
        what = f"fMRIPrep, {sessions} sessions, " if sessions else "fMRIPrep, "
        what += f"{len(subject.runs)} runs, {sum(r.n_volumes for r in subject.runs)} volumes, "
        what += f"events for {events} runs"
    return f"sub-{subject.participant} task-{subject.task}: {what}; {regions}"


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _path(value: str | None) -> Path | None:
    return None if value is None else Path(value)
