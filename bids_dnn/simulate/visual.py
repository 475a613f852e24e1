"""The part of the data set in which known retinotopy decides what drives which vertex."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bids_dnn import files, imaging
from bids_dnn.simulate import cortex, landmarks, positions, raw, recordings, ribbon, surfaces
from bids_dnn.simulate.fmriprep import IGNORED
from bids_dnn.simulate.positions import LOCALIZER_TASK, POSITIONS_TASK, Protocol
from bids_dnn.simulate.transforms import write_transforms
from bids_dnn.simulate.trees import TOOL, describe, function, write_table
from bids_dnn.simulate.truth import write_picture

Array = NDArray[np.float64]
STREAM = 1  # keeps this part's random numbers apart from those of the rest
SURFACES_IGNORED = "*.func.*\n*_bold.json\n*.shape.gii\n*.label.gii\n*.dtseries.nii\n"
TEMPLATE = "retinotopy_template"
README = """
Two further tasks (positions, loc) were measured of a cortex whose receptive fields are known:
derivatives/fmriprep holds its surfaces and its responses on them, in CIFTI and in volumes, and
derivatives/fmriprep/sourcedata/freesurfer what FreeSurfer would leave. The participants' cortex
follows derivatives/retinotopy_template; derivatives/truth tells where which place of the visual
field lies, and where faces are preferred; derivatives/atlas has parcels. In T1w it is another,
larger brain than that of the task objects, and the anatomical image shows it.
"""
TASKS = {
    POSITIONS_TASK: "Look at the center, while objects appear at five places.",
    LOCALIZER_TASK: "Look at blocks of faces and of objects.",
}


def add_retinotopy(root: Path, labels: Sequence[str], *, seed: int) -> None:
    """Add cortical surfaces, two tasks, a template, an atlas and their truth to a data set.

    Parameters
    ----------
    root
        Of the raw data set, as `simulate` leaves it.
    labels
        Of the participants, without ``sub-``.
    seed : int
        The same seed gives the same bytes.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    of_pictures, *of_participants = np.random.default_rng([seed, STREAM]).spawn(1 + len(labels))
    for name, picture in positions.draw(of_pictures).items():
        write_picture(root / "stimuli" / name, picture)
    for task, description in TASKS.items():
        raw.write_task(root, task, description)
    files.write_text(root / "README", raw.README + README)
    _write_attended(root, labels)
    made = root / "derivatives"
    files.write_text(made / "fmriprep" / ".bidsignore", IGNORED + SURFACES_IGNORED)
    describe(
        made / TEMPLATE,
        "Retinotopy of the simulated cortex, in the form of Benson's template",
        tool=TOOL,
        extra={},
        ignore="*.mgz\n*.reg\n*.surf.gii\n",
    )
    landmarks.write_names(made / "fmriprep" / "desc-aparcaseg_dseg.tsv")
    surfaces.write_template(made / TEMPLATE)
    surfaces.write_average(made / "fmriprep" / "sourcedata" / "freesurfer" / "fsaverage5")
    landmarks.write_atlas_dataset(made / "atlas")
    landmarks.write_truth_dataset(made / "truth")
    for label, rng in zip(labels, of_participants, strict=True):
        _add_participant(root, label, rng)


def _write_attended(root: Path, labels: Sequence[str]) -> None:
    """Give each participant a position of its own, for rules that differ by participant."""
    places = list(cortex.DISKS.values())
    chosen = [places[i % len(places)] for i in range(len(labels))]
    columns = {
        f"attended_{axis}_deg": [f"{place[i]:g}" for place in chosen]
        for i, axis in enumerate("xy")
    }
    about = {
        name: {"Description": f"Position to attend, {way} positive.", "Units": "degree"}
        for name, way in zip(columns, ("right", "up"), strict=True)
    }
    raw.write_participants(root, labels, columns=columns, about=about)


def _add_participant(root: Path, label: str, rng: np.random.Generator) -> None:
    made = root / "derivatives"
    halves = cortex.grow(rng)
    filled = ribbon.fill(halves)
    anat = made / "fmriprep" / f"sub-{label}" / "anat"
    freesurfer = made / "fmriprep" / "sourcedata" / "freesurfer" / f"sub-{label}"
    head = ribbon.scan(ribbon.fine_grid(), halves)
    surfaces.write_freesurfer(freesurfer, halves, head.image)
    surfaces.write_gifti(anat, label, halves)
    write_transforms(anat, label)
    _write_anatomy(anat, label, head)
    landmarks.write_atlas(made / "atlas", label, halves, filled)
    landmarks.write_truth(made / "truth", label, halves, filled)

    of_positions, of_localizer = positions.answers(halves, rng)
    planned: tuple[tuple[tuple[Protocol, ...], Mapping[str, Array]], ...] = (
        (positions.plan_positions(rng), of_positions),
        (positions.plan_localizer(rng), of_localizer),
    )
    for protocols, answers in planned:
        for protocol in protocols:
            recording = recordings.record(protocol, answers, halves, filled, rng)
            recordings.write_recording(made / "fmriprep", label, recording, halves, filled)
            _write_raw(root, label, protocol, filled, rng)


def _write_anatomy(folder: Path, label: str, head: ribbon.Head) -> None:
    """Write an anatomical image that shows this cortex, in place of the smaller one."""
    grid = ribbon.fine_grid()
    imaging.write_map(folder / f"sub-{label}_desc-preproc_T1w.nii.gz", head.image, grid)
    mask = replace(grid, index=np.flatnonzero(head.image > ribbon.FLUID).astype(np.int64))
    imaging.write_mask(folder / f"sub-{label}_desc-brain_mask.nii.gz", mask)
    parcels = folder / f"sub-{label}_desc-aparcaseg_dseg.nii.gz"
    landmarks.write_segmentation(parcels, head.labels, grid)


def _write_raw(
    root: Path, label: str, protocol: Protocol, filled: ribbon.Ribbon, rng: np.random.Generator
) -> None:
    run = protocol.run
    write_table(
        function(root, label, run.label, "events.tsv", task=protocol.task),
        {
            "onset": [f"{onset:g}" for onset in run.onsets_s],
            "duration": [f"{protocol.duration_s:g}"] * len(run.stimuli),
            "trial_type": [protocol.conditions[i] for i in run.stimuli],
            "stim_file": list(protocol.pictures),
        },
    )
    path = function(root, label, run.label, "bold.nii.gz", task=protocol.task)
    raw.write_placeholder(path, filled.space, rng, n_volumes=run.n_volumes)
