"""A tiny raw data set with fMRIPrep-shaped derivatives, made of noise, for refusals and counts."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

SHAPE = (4, 4, 3)
T_R_S = 2.0
CONFOUNDS = [
    *(f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"),
    "csf",
    "white_matter",
]
FULL = ("", "_derivative1", "_power2", "_derivative1_power2")


def affine_of(scale: float = 3.0, start: float = -6.0):
    affine = np.diag([scale, scale, scale, 1.0])
    affine[:3, 3] = start
    return affine


def write_json(path: Path, value) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def write_image(path: Path, values, affine, *, t_r_s: float | None = None, code: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(values, affine)
    image.set_sform(affine, code)
    image.set_qform(affine, code)
    if t_r_s is not None:
        image.header.set_zooms((*image.header.get_zooms()[:3], t_r_s))
    nib.save(image, path)
    return path


def describe(root: Path, name: str, *, made_by: str | None = None) -> None:
    found = {"Name": name, "BIDSVersion": "1.10.0"}
    if made_by is not None:
        found |= {"DatasetType": "derivative", "GeneratedBy": [{"Name": made_by}]}
    write_json(root / "dataset_description.json", found)


def events_table(n_volumes: int, *, columns=("trial_type", "stim_file")) -> pd.DataFrame:
    """Six events of 2 s, three of each of two kinds, each with a picture."""
    gap = (n_volumes * T_R_S - 6) / 6
    table = pd.DataFrame(
        {
            "onset": np.round(2 + gap * np.arange(6), 1),
            "duration": 2.0,
            "trial_type": ["face", "house"] * 3,
            "stim_file": ["face/1.png", "house/1.png", "face/2.png", "house/2.png"] * 1
            + ["face/1.png", "house/1.png"],
        }
    )
    return table[["onset", "duration", *columns]]


def confounds_table(n_volumes: int, rng, *, drop=()) -> pd.DataFrame:
    names = [f"{name}{suffix}" for name in CONFOUNDS for suffix in FULL]
    table = pd.DataFrame(rng.normal(size=(n_volumes, len(names))), columns=names)
    table["framewise_displacement"] = np.abs(rng.normal(0.1, 0.03, n_volumes))
    table["std_dvars"] = 1.0
    table.loc[0, [c for c in names if "derivative1" in c] + ["framewise_displacement"]] = np.nan
    return table.drop(columns=list(drop))


def tiny_tree(  # a factory, whose knobs are the point
    out: Path,
    rng,
    *,
    participants=("01", "02"),
    sessions=("",),
    n_runs: int = 2,
    n_volumes: int = 40,
    spaces=("T1w",),
    event_columns=("trial_type", "stim_file"),
    drop_confounds=(),
    nan_voxels: int = 0,
    other_grid_in_last_run: bool = False,
    task: str = "objects",
) -> Path:
    """Write the raw tree to `out` and the derivatives below it; return `out`.

    The first `nan_voxels` voxels of the mask are NaN in the first run of every participant.
    """
    describe(out, "tiny")
    (out / "participants.tsv").write_text(
        "participant_id\n" + "".join(f"sub-{p}\n" for p in participants)
    )
    home = out / "derivatives" / "fmriprep"
    describe(home, "fMRIPrep", made_by="fMRIPrep")
    for participant in participants:
        _write_anat(home, participant, rng)
        for session in sessions:
            for run in range(1, n_runs + 1):
                entities = [f"sub-{participant}", f"task-{task}", f"run-{run:02d}"]
                folder = Path(f"sub-{participant}", "func")
                if session:
                    entities.insert(1, f"ses-{session}")
                    folder = Path(f"sub-{participant}", f"ses-{session}", "func")
                name = "_".join(entities)
                raw = out / folder
                raw.mkdir(parents=True, exist_ok=True)
                events_table(n_volumes, columns=event_columns).to_csv(
                    raw / f"{name}_events.tsv", sep="\t", index=False, na_rep="n/a"
                )
                write_json(raw / f"{name}_bold.json", {"RepetitionTime": T_R_S, "TaskName": task})
                stem = home / folder / name
                first = run == 1 and session == sessions[0]
                last = run == n_runs and session == sessions[-1] and other_grid_in_last_run
                for space in spaces:
                    _write_run(
                        f"{stem}_space-{space}",
                        rng,
                        n_volumes=n_volumes,
                        n_nan=nan_voxels if first else 0,
                        affine=affine_of(start=-9.0 if last else -6.0),
                        code=4 if space.startswith("MNI") else 1,
                    )
                confounds_table(n_volumes, rng, drop=drop_confounds).to_csv(
                    f"{stem}_desc-confounds_timeseries.tsv", sep="\t", index=False, na_rep="n/a"
                )
                write_json(Path(f"{stem}_desc-confounds_timeseries.json"), {})
    return out


def tiny_mask():
    mask = np.zeros(SHAPE, dtype=np.uint8)
    mask[1:3, 1:3, :] = 1
    return mask  # 12 voxels


def _write_anat(home: Path, participant: str, rng) -> None:
    stem = home / f"sub-{participant}" / "anat" / f"sub-{participant}"
    picture = rng.random(SHAPE).astype(np.float32)
    write_image(Path(f"{stem}_desc-preproc_T1w.nii.gz"), picture, affine_of())
    label = tiny_mask()
    label[2:] = 0
    write_image(Path(f"{stem}_space-T1w_label-FFA_mask.nii.gz"), label, affine_of())


def _write_run(stem, rng, *, n_volumes, n_nan, affine, code) -> None:
    mask = tiny_mask()
    bold = (100 + rng.normal(size=(*SHAPE, n_volumes))).astype(np.float32)
    places = np.argwhere(mask)[:n_nan]
    bold[tuple(places.T)] = np.nan
    write_image(Path(f"{stem}_desc-preproc_bold.nii.gz"), bold, affine, t_r_s=T_R_S, code=code)
    write_image(Path(f"{stem}_desc-brain_mask.nii.gz"), mask, affine, code=code)
    write_json(
        Path(f"{stem}_desc-preproc_bold.json"),
        {"RepetitionTime": T_R_S, "StartTime": 1.0, "SkullStripped": False},
    )
