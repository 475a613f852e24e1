"""Where the regions of the cortex truly lie, and an atlas of its parcels."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from bids_dnn import files, imaging
from bids_dnn.containers.space import Grid
from bids_dnn.simulate.anatomy import T1W
from bids_dnn.simulate.cortex import PARCELS, REGIONS, Half
from bids_dnn.simulate.positions import POSITIONS, POSITIONS_TASK
from bids_dnn.simulate.ribbon import (
    FIRST_OF_SIDE,
    FREESURFER_NUMBERS,
    WHITE_NUMBER,
    Ribbon,
)
from bids_dnn.simulate.surfaces import SIDES
from bids_dnn.simulate.trees import BIDS_VERSION, TOOL, describe, write_table

ATLAS = "Sim"
MAJORITY = 0.5
TRUTH_IGNORED = "*.tsv\n*.gii\n"
MAPS = ("angle", "eccentricity")


def write_atlas_dataset(root: Path) -> None:
    """Write what stands once in the atlas.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    describe(root, "Parcels of the simulated cortex", tool=TOOL, extra={}, ignore="")
    files.write_json(
        root / f"atlas-{ATLAS}_description.json",
        {
            "Name": "Parcels of the simulated cortex",
            "BIDSVersion": BIDS_VERSION,
            "License": "CC0",
            "Description": f"Made by {TOOL}, with FreeSurfer's names.",
        },
    )


def write_atlas(root: Path, label: str, halves: Sequence[Half], ribbon: Ribbon) -> None:
    """Write each participant's parcels as labels of voxels, with the table of their names.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    names, shares, first = [], [], 0
    n_vertices = sum(len(half.curvature) for half in halves)
    for half in halves:
        for number in range(1, len(PARCELS)):
            marked = np.zeros(n_vertices, dtype=bool)
            marked[first : first + len(half.parcel)] = half.parcel == number
            names.append(f"{SIDES[half.hemisphere].upper()}-{PARCELS[number]}")
            shares.append(ribbon.share(marked))
        first += len(half.parcel)
    stacked = np.stack(shares)
    labels = np.where(stacked.max(axis=0) > 0, stacked.argmax(axis=0) + 1, 0)
    stem = root / f"sub-{label}" / "anat" / f"sub-{label}_space-{T1W}_atlas-{ATLAS}_dseg"
    write_segmentation(Path(f"{stem}.nii.gz"), labels, ribbon.space)
    files.write_json(Path(f"{stem}.json"), _reference(label))
    used = [i for i in range(1, len(names) + 1) if (labels == i).any()]
    write_table(
        Path(f"{stem}.tsv"),
        {"index": [str(i) for i in used], "name": [names[i - 1] for i in used]},
    )


def write_truth_dataset(root: Path) -> None:
    """Write where the stimuli of the positions task were.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    files.write_text(root / ".bidsignore", TRUTH_IGNORED)
    x, y = zip(*POSITIONS.values(), strict=True)
    write_table(
        root / "positions.tsv",
        {
            "position": list(POSITIONS),
            "x_deg": [f"{value:g}" for value in x],
            "y_deg": [f"{value:g}" for value in y],
            "hemisphere": ["LR" if not value else "L" if value > 0 else "R" for value in x],
        },
    )


def write_truth(root: Path, label: str, halves: Sequence[Half], ribbon: Ribbon) -> None:
    """Write the true regions of a participant: labels of vertices, and masks of voxels.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    stem = root / f"sub-{label}" / "anat" / f"sub-{label}"
    for half in halves:
        numbers = np.zeros(len(half.curvature), dtype=np.int64)
        for i, name in enumerate(REGIONS, start=1):
            numbers[half.regions[name]] = i
        names = {0: "none"} | dict(enumerate(REGIONS, start=1))
        surface = f"{stem}_hemi-{half.hemisphere}_space-fsnative"
        imaging.write_labels(Path(f"{surface}_dseg.label.gii"), numbers, names, half.hemisphere)
        for name in ("area", *MAPS):
            imaging.write_shape(
                Path(f"{surface}_stat-{name}_statmap.shape.gii"),
                np.asarray(getattr(half.fields, name), dtype=np.float64),
                half.hemisphere,
                name=name,
            )
    for name in REGIONS:
        marked = np.concatenate([half.regions[name] for half in halves])
        voxels = ribbon.space.select(ribbon.share(marked) > MAJORITY)
        # The task's name keeps them from the other task, whose brain is another.
        mask = root / f"sub-{label}" / "func" / f"sub-{label}_task-{POSITIONS_TASK}"
        mask = mask.with_name(f"{mask.name}_space-{T1W}_label-{name}_mask")
        imaging.write_mask(Path(f"{mask}.nii.gz"), voxels)
        files.write_json(Path(f"{mask}.json"), {"Type": "ROI", **_reference(label)})


def write_segmentation(path: Path, labels: NDArray[np.int64], space: Grid) -> Path:
    """Write the label of each unit, (n_units,), as a 3-D int16 image; 0 elsewhere.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    nifti: Any = nib.Nifti1Image  # nibabel has no types for it
    volume = np.zeros(space.shape, dtype=np.int16)
    volume.reshape(-1)[space.index] = labels
    image = nifti(volume, space.affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(space.affine, 1)
    image.set_qform(space.affine, 1)
    with files.writing(path) as aside:
        aside.write_bytes(gzip.compress(image.to_bytes(), 6, mtime=0))
    return path


def write_names(path: Path) -> Path:
    """Write what FreeSurfer calls the labels of `ribbon.scan`.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    names = {"0": "Unknown"}
    for half, side in (("L", "Left"), ("R", "Right")):
        names[str(WHITE_NUMBER[half])] = f"{side}-Cerebral-White-Matter"
    for half, side in SIDES.items():
        for number, parcel in zip(FREESURFER_NUMBERS[1:], PARCELS[1:], strict=True):
            names[str(FIRST_OF_SIDE[half] + number)] = f"ctx-{side}-{parcel}"
    return write_table(path, {"index": list(names), "name": list(names.values())})


def _reference(label: str) -> dict[str, Any]:
    where = f"bids:fmriprep:sub-{label}/anat/sub-{label}_desc-preproc_T1w.nii.gz"
    return {"SpatialReference": {"VolumeReference": where}}
