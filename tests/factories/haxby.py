"""Haxby et al. (2001), subject 1, put into a BIDS tree: our own arrangement of real data.

The twelve one-slice runs are taken as they are. What fMRIPrep would have written (brain mask,
reference, confounds) is made from what is there, so that the same code reads them.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from tests.factories.trees import write_image, write_json

T_R_S = 2.5
LABEL = "our own arrangement of Haxby et al. (2001), subject 1, one slice; not run by fMRIPrep"
FIRST_ONSET_S, STEP_S, BLOCK_S = 6.0, 36.0, 24.0  # fit an HRF model; see the data's README


def haxby_tree(real_data: Path, out: Path, *, onsets: str) -> Path:
    """Write the tree to `out` and return it.

    `onsets`: "labels" = as in the source, marking volumes that already lag behind the stimulus;
    "hrf" = 6 + 36 k s, 24 s long, in the order of the labels, for models with an HRF.
    """
    source = real_data / "haxby2001"
    home = out / "derivatives" / "fmriprep"
    write_json(
        out / "dataset_description.json",
        {"Name": f"Haxby 2001: {LABEL}", "BIDSVersion": "1.10.0", "License": "CC BY-SA 3.0"},
    )
    write_json(
        home / "dataset_description.json",
        {
            "Name": f"Haxby 2001: {LABEL}",
            "BIDSVersion": "1.10.0",
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "fMRIPrep", "Description": LABEL}],
        },
    )
    (out / "participants.tsv").write_text("participant_id\nsub-01\n")
    raw, func = out / "sub-01" / "func", home / "sub-01" / "func"
    raw.mkdir(parents=True)
    func.mkdir(parents=True)
    mask = nib.load(source / "joined" / "mask.nii.gz")
    marked = (np.asarray(mask.dataobj).reshape(mask.shape[:3]) != 0).astype(np.uint8)
    for number in range(1, 13):
        folder = source / "sub001" / "BOLD" / f"task001_run{number:03d}"
        name = f"sub-01_task-objects_run-{number:02d}"
        _events(folder / "bold_events.tsv", onsets).to_csv(
            raw / f"{name}_events.tsv", sep="\t", index=False, na_rep="n/a"
        )
        write_json(raw / f"{name}_bold.json", {"RepetitionTime": T_R_S, "TaskName": "objects"})
        stem = f"{func}/{name}"
        bold = Path(f"{stem}_space-T1w_desc-preproc_bold.nii.gz")
        shutil.copyfile(folder / "bold_1slice.nii.gz", bold)
        bold.chmod(0o644)
        image = nib.load(bold)
        write_image(Path(f"{stem}_space-T1w_desc-brain_mask.nii.gz"), marked, image.affine)
        write_image(
            Path(f"{stem}_space-T1w_boldref.nii.gz"),
            np.asarray(image.dataobj[..., 0], dtype=np.float32),
            image.affine,
        )
        write_json(
            Path(f"{stem}_space-T1w_desc-preproc_bold.json"),
            {"RepetitionTime": T_R_S, "StartTime": 0, "SkullStripped": False},
        )
        _confounds(folder / "bold_moest.txt").to_csv(
            f"{stem}_desc-confounds_timeseries.tsv", sep="\t", index=False, na_rep="n/a"
        )
        write_json(Path(f"{stem}_desc-confounds_timeseries.json"), {})
    return out


def _events(path: Path, onsets: str) -> pd.DataFrame:
    table = pd.read_csv(path, sep="\t").sort_values("onset", kind="stable")
    if onsets == "hrf":
        table["onset"] = FIRST_ONSET_S + STEP_S * np.arange(len(table))
        table["duration"] = BLOCK_S
    return table


def _confounds(path: Path) -> pd.DataFrame:
    """Motion only: angles (rad) then shifts (mm), as FSL and the source order them."""
    moved = np.loadtxt(path)
    names = ["rot_x", "rot_y", "rot_z", "trans_x", "trans_y", "trans_z"]
    table = pd.DataFrame(moved, columns=names)
    steps = table.diff().abs()
    turned = 50.0 * steps[names[:3]].sum(axis=1)  # mm on a sphere of 50 mm
    table["framewise_displacement"] = turned + steps[names[3:]].sum(axis=1)
    table.loc[0, "framewise_displacement"] = np.nan
    return table
