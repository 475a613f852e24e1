"""The raw BIDS tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bids_dnn import files, imaging
from bids_dnn.containers.space import Grid
from bids_dnn.simulate import anatomy
from bids_dnn.simulate.bold import Participant
from bids_dnn.simulate.timing import DURATION_S, T_R_S
from bids_dnn.simulate.trees import BIDS_VERSION, TASK, TOOL, function, write_table

NAME = "Simulated responses to drawings of cars, faces, houses and trees"
README = f"""{NAME}

Made by {TOOL}: no person was measured. Voxels of three regions answer linearly to components of
known layers of AlexNet with random weights, one region is noise; derivatives/truth tells which.

The raw images are placeholders of a few voxels, so that the data set stays small: the data to
analyze are in derivatives/fmriprep and derivatives/spm, and the regions in derivatives/rois.
"""
EVENTS = {
    "onset": {"Description": "Onset of the stimulus.", "Units": "s"},
    "duration": {"Description": "How long the stimulus was shown.", "Units": "s"},
    "trial_type": {"Description": "Category of what the stimulus shows."},
    "stim_file": {"Description": "The stimulus, below stimuli/."},
}
PLACEHOLDER = (4, 4, 3)


def write_dataset(root: Path, labels: Sequence[str], stimuli: Mapping[str, str]) -> None:
    """Write what stands once in the data set.

    Parameters
    ----------
    root
        Of the data set.
    labels
        Of the participants, without ``sub-``.
    stimuli
        Stimulus id to category.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    files.write_json(
        root / "dataset_description.json",
        {
            "Name": NAME,
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "raw",
            "License": "CC0",
            "Authors": ["The bids_dnn developers", "bids_dnn_tools simulate"],
            "GeneratedBy": [{"Name": TOOL, "Description": "Simulated."}],
        },
    )
    files.write_text(root / "README", README)
    write_participants(root, labels)
    write_task(root, TASK, "Look at drawings.")
    write_table(
        root / "stimuli" / "conditions.tsv",
        {
            "name": [Path(name).stem for name in stimuli],
            "stimulus": list(stimuli),
            "condition": list(stimuli.values()),
        },
    )


def write_participants(
    root: Path,
    labels: Sequence[str],
    *,
    columns: Mapping[str, Sequence[str]] | None = None,
    about: Mapping[str, Mapping[str, str]] | None = None,
) -> None:
    """Write the table of participants, and what its columns mean.

    Parameters
    ----------
    root
        Of the data set.
    labels
        Of the participants, without ``sub-``.
    columns
        Further ones, a value for each participant.
    about
        What the further ones mean.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    unknown = ["n/a"] * len(labels)
    known = {"participant_id": [f"sub-{x}" for x in labels], "age": unknown, "sex": unknown}
    write_table(root / "participants.tsv", {**known, **(columns or {})})
    files.write_json(
        root / "participants.json",
        {
            "age": {"Description": "Not available: simulated.", "Units": "year"},
            "sex": {"Description": "Not available: simulated."},
            **(about or {}),
        },
    )


def write_task(root: Path, task: str, description: str) -> None:
    """Write what holds for all runs of a task.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    files.write_json(
        root / f"task-{task}_bold.json",
        {
            "TaskName": task,
            "TaskDescription": description,
            "RepetitionTime": T_R_S,
            "Instructions": "None: simulated.",
        },
    )
    files.write_json(root / f"task-{task}_events.json", EVENTS)


def write_participant(
    root: Path, participant: Participant, stimuli: Mapping[str, str], rng: np.random.Generator
) -> None:
    """Write a participant's events, and images of a few voxels.

    Parameters
    ----------
    root
        Of the data set.
    participant
        As measured.
    stimuli
        Stimulus id to category, in the order of the numbers in the participant's runs.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    names = list(stimuli)
    for run in participant.runs:
        write_table(
            function(root, participant.label, run.label, "events.tsv"),
            {
                "onset": [f"{onset:g}" for onset in run.onsets_s],
                "duration": [f"{DURATION_S:g}"] * len(run.stimuli),
                "trial_type": [stimuli[names[i]] for i in run.stimuli],
                "stim_file": [names[i] for i in run.stimuli],
            },
        )
        path = function(root, participant.label, run.label, "bold.nii.gz")
        write_placeholder(path, participant.brain, rng, n_volumes=run.n_volumes)
    name = f"sub-{participant.label}"
    grid = anatomy.fine(participant.brain)
    image = anatomy.phantom(participant.brain, rng)
    imaging.write_map(root / name / "anat" / f"{name}_T1w.nii.gz", image, grid)


def write_placeholder(
    path: Path, brain: Grid, rng: np.random.Generator, *, n_volumes: int
) -> Path:
    """Write a raw series of a few voxels of noise, in a corner of the grid of `brain`.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    corner = np.arange(np.prod(PLACEHOLDER), dtype=np.int64)
    grid = replace(brain, shape=PLACEHOLDER, index=corner)
    values = rng.normal(1000, 10, size=(n_volumes, len(grid))).round()
    return imaging.write_series(path, values, grid, t_r_s=T_R_S)
