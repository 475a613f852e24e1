"""A tree with the names and the form of fMRIPrep's outputs, and the masks of the regions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn import files, imaging
from bids_dnn.containers.space import Grid
from bids_dnn.simulate import anatomy
from bids_dnn.simulate.anatomy import MNI, T1W
from bids_dnn.simulate.bold import Participant
from bids_dnn.simulate.confounds import confound_table
from bids_dnn.simulate.timing import START_S, T_R_S
from bids_dnn.simulate.trees import TASK, TOOL, describe, function, write_table

VERSION = "25.2.0"
IGNORED = """*.html
logs/
figures/
*_xfm.*
*.surf.gii
*_boldref.*
*_timeseries.*
"""


def write_datasets(fmriprep: Path, rois: Path) -> None:
    """Write what stands once in the two derivatives.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    describe(
        fmriprep,
        "fMRIPrep-shaped outputs",
        tool="fMRIPrep",
        extra={"Version": VERSION},
        ignore=IGNORED,
    )
    describe(rois, "Regions of the simulation", tool=TOOL, extra={}, ignore="")


def write_anatomy(root: Path, participant: Participant, rng: np.random.Generator) -> None:
    """Write a participant's anatomical images and their masks.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    name = f"sub-{participant.label}"
    for space, entity in ((participant.brain, ""), (_mni(participant), f"_space-{MNI}")):
        grid = anatomy.fine(space)
        stem = root / name / "anat" / f"{name}{entity}"
        image = anatomy.phantom(space, rng)
        imaging.write_map(Path(f"{stem}_desc-preproc_T1w.nii.gz"), image, grid)
        files.write_json(Path(f"{stem}_desc-preproc_T1w.json"), {"SkullStripped": False})
        mask = anatomy.brain_on(grid, space)
        imaging.write_mask(Path(f"{stem}_desc-brain_mask.nii.gz"), mask)
        files.write_json(
            Path(f"{stem}_desc-brain_mask.json"),
            {"Type": "Brain", "RawSources": [f"bids:raw:{name}/anat/{name}_T1w.nii.gz"]},
        )


def write_function(root: Path, participant: Participant) -> None:
    """Write a participant's preprocessed runs in both spaces, and the confound tables.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    inside = np.concatenate(list(participant.regions.values()))
    resting = np.setdiff1d(np.arange(len(participant.brain)), inside)
    for run, nuisance, series in zip(
        participant.runs, participant.nuisances, participant.series, strict=True
    ):
        for space in (participant.brain, _mni(participant)):
            write_run(root, participant.label, run.label, series=series, space=space)
        table = confound_table(nuisance, series.astype(np.float64), resting)
        write_confounds(root, participant.label, run.label, table)


def write_regions(root: Path, participant: Participant) -> None:
    """Write the mask of each region in both spaces.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    name = f"sub-{participant.label}"
    for region, units in participant.regions.items():
        for space in (participant.brain, _mni(participant)):
            stem = (
                root / name / "func" / f"{name}_task-{TASK}_space-{space.name}_label-{region}_mask"
            )
            imaging.write_mask(Path(f"{stem}.nii.gz"), space.select(units))
            files.write_json(
                Path(f"{stem}.json"), {"Type": "ROI", **_reference(participant.label, space)}
            )


def _mni(participant: Participant) -> Grid:
    return anatomy.to_mni(participant.brain)


def _reference(label: str, space: Grid) -> dict[str, Any]:
    if space.name != T1W:
        return {}
    where = f"sub-{label}/anat/sub-{label}_desc-preproc_T1w.nii.gz"
    return {"SpatialReference": {"VolumeReference": f"bids:fmriprep:{where}"}}


def write_run(
    root: Path,
    label: str,
    run: str,
    *,
    series: NDArray[np.float32],
    space: Grid,
    task: str = TASK,
) -> None:
    """Write a preprocessed run in one space, its mask and its reference, with their sidecars.

    Parameters
    ----------
    root
        Of fMRIPrep's outputs.
    label, run
        Of the participant and the run, as in the file names.
    series : (n_volumes, n_units)
    space
        Where the units lie.
    task
        As in the file names.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    where = _reference(label, space)
    stem = function(root, label, run, f"space-{space.name}", task=task)
    imaging.write_series(Path(f"{stem}_desc-preproc_bold.nii.gz"), series, space, t_r_s=T_R_S)
    files.write_json(
        Path(f"{stem}_desc-preproc_bold.json"),
        {**timing_facts(task), "SkullStripped": False, **where},
    )
    imaging.write_mask(Path(f"{stem}_desc-brain_mask.nii.gz"), space)
    files.write_json(Path(f"{stem}_desc-brain_mask.json"), {"Type": "Brain", **where})
    imaging.write_series(
        Path(f"{stem}_boldref.nii.gz"), series.mean(axis=0)[None], space, t_r_s=T_R_S
    )
    files.write_json(Path(f"{stem}_boldref.json"), {"SkullStripped": False, **where})


def write_confounds(
    root: Path,
    label: str,
    run: str,
    table: tuple[dict[str, list[str]], dict[str, Any]],
    *,
    task: str = TASK,
) -> None:
    """Write the confounds of a run, and what they are.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    columns, sidecar = table
    stem = function(root, label, run, "desc-confounds_timeseries", task=task)
    write_table(stem.with_suffix(".tsv"), columns)
    files.write_json(stem.with_suffix(".json"), sidecar)


def timing_facts(task: str) -> dict[str, Any]:
    """Return what the sidecar of a preprocessed series says about its timing."""
    return {
        "RepetitionTime": T_R_S,
        "StartTime": START_S,
        "SliceTimingCorrected": True,
        "TaskName": task,
    }
