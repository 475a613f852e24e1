"""What can be refused before anything runs."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from bids_dnn.analyses.decode.spheres import check_choices
from bids_dnn.errors import (
    BidsDnnError,
    MissingInputError,
    NotEnoughDataError,
    OutputError,
)
from bids_dnn.files import write_text
from bids_dnn.ingest.events import read_events, sample_table
from bids_dnn.ingest.spm_design import read_design
from bids_dnn.stimuli.table import ids_of
from bids_dnn.workflows.asked import asked, decodes
from bids_dnn.workflows.decode_choices import choices_of

if TYPE_CHECKING:
    from bids_dnn.config.schema import Analysis, Config
    from bids_dnn.ingest.inventory import Subject
    from bids_dnn.stimuli.table import Stimuli

PROBE = ".bids_dnn_was_here"
WITHOUT = {  # what can be typed in place of an analysis that needs features
    "encode": "type --analysis decode (without units)",
    "decode": "leave units, and networks of nuisance and baseline, out of [decode]",
    "twin": "leave --analysis twin out",
    "searchlight": "leave models out of [searchlight]",
}


def check_output(output_dir: Path, *, inputs: Collection[Path]) -> None:
    """Refuse an output directory that lies in an input, or is a file; nothing is written.

    ``BIDS_DIR/derivatives/NAME`` is where BIDS wants it, and is no refusal.

    Parameters
    ----------
    output_dir
        Root of the output data set.
    inputs
        Roots of the raw and derivative data sets.

    Raises
    ------
    OutputError
        If it lies inside an input, or is a file.
    """
    for root in inputs:
        inside = output_dir.resolve().is_relative_to(root.resolve())
        below = output_dir.resolve().parts[len(root.resolve().parts) :]
        if inside and not (len(below) > 1 and below[0] == "derivatives"):
            raise OutputError(
                f"OUTPUT_DIR {output_dir} lies inside the input {root}.",
                mend="Choose a folder outside, or BIDS_DIR/derivatives/NAME.",
            )
    if output_dir.exists() and not output_dir.is_dir():
        raise OutputError(f"OUTPUT_DIR {output_dir} is a file.", mend="Choose a folder.")


def check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be made or written.

    Parameters
    ----------
    folder
        Made where it is missing.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    probe = folder / PROBE
    write_text(probe, "")
    probe.unlink()


def count_runs(subject: Subject) -> int | None:
    """Return how many runs a participant has, None where only reading the responses tells.

    Raises
    ------
    MissingInputError, UnreadableError
        If ``SPM.mat`` is not there, damaged, of a second level, or not estimated.
    """
    if subject.spm is not None:
        return len({one.session for one in read_design(subject.spm).regressors})
    return len(subject.runs) if subject.source == "fmriprep" else None


def why_not(
    analysis: Analysis,
    subject: Subject,
    stimuli: Stimuli,
    *,
    n_runs: int | None,
    needs_features: bool,
) -> BidsDnnError | None:
    """Tell why an analysis of a participant cannot be done, None where nothing speaks against."""
    why = None
    if n_runs is not None:
        why = why_not_decode(subject, n_runs)
    if analysis == "denoise":
        why = why_not_denoise(subject)
    if why is None and needs_features:
        why = why_no_features(subject, stimuli, without=WITHOUT[analysis])
    return why


def check_decoding(config: Config) -> None:
    """Refuse settings of [decode] that do not go together, or not with a searchlight.

    Raises
    ------
    ConfigError
        If a classifier lacks a parameter that is searched for, or cannot weight classes; if a
        searchlight is asked for with what it does not take.
    """
    choices = choices_of(config.decode.model_dump(mode="json"), seed=config.run.random_seed)
    if "searchlight" in asked(config) and decodes(config, "searchlight"):
        check_choices(choices)


def why_not_denoise(subject: Subject) -> BidsDnnError | None:
    """Tell why there are no time series to denoise, None where there are."""
    if subject.source == "fmriprep" and subject.runs[0].confounds is not None:
        return None
    return MissingInputError(
        f"sub-{subject.participant} has no time series with confounds (responses from "
        f"{subject.source}).",
        mend="Give fMRIPrep's outputs, or leave out --analysis denoise.",
    )


def why_not_decode(subject: Subject, n_runs: int) -> BidsDnnError | None:
    """Tell why a participant cannot be decoded, None where nothing speaks against it."""
    if n_runs > 1:
        return None
    what = "session in SPM.mat" if subject.spm is not None else "run"
    return NotEnoughDataError(
        f"sub-{subject.participant} has {n_runs} {what} of task {subject.task}; leaving one run "
        "out needs at least two.",
        mend="Give more runs, or ask for --analysis encode only.",
    )


def why_no_features(subject: Subject, stimuli: Stimuli, *, without: str) -> BidsDnnError | None:
    """Tell why a participant's pictures have no features, None where nothing speaks against it.

    Parameters
    ----------
    subject
        From the inventory.
    stimuli
        Those that there are.
    without
        What else can be typed, which needs none.
    """
    if not stimuli.files:
        return MissingInputError(
            "There is no picture in the stimuli/ folder of BIDS_DIR.",
            mend=f"Put the pictures that stim_file names there, or {without}.",
        )
    if subject.source != "fmriprep":
        return None
    names: set[str] = set()
    for run in subject.runs:
        if run.events is None:
            continue
        try:
            events, _ = read_events(run.events)
            shown = sample_table(events, session=run.session, run=run.run)
        except BidsDnnError as err:
            return err
        if not {"stim_file", "stim_id"} & set(events.columns):
            return MissingInputError(
                f"{run.events.name} has the columns {list(events.columns)}, but no stim_file, "
                "which says what was shown.",
                mend=f"Add the column stim_file (paths below stimuli/), or {without}.",
            )
        names |= set(shown["stimulus"]) - {""}
    if missing := sorted(names - set(ids_of(names, stimuli))):
        return MissingInputError(
            f"{len(missing)} of the {len(names)} stimuli that sub-{subject.participant}'s events "
            f"name are not in stimuli/, such as {missing[0]!r}.",
            mend="Put the files there, under the names that stim_file gives.",
        )
    return None
