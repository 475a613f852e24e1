"""A small folder as BOLD5000's release 2.0: runs of 37 trials, few voxels."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

SHAPE = (4, 3, 2)
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
TYPE_D = "TYPED-FITHRF-GLMDENOISE-RR"
RUNS = {1: 2, 2: 3, 3: 2}  # runs of each session
REGIONS = {"LHEarlyVis": 5, "RHEarlyVis": 4, "LHPPA": 3, "RHPPA": 2}


def draw_names(rng: np.random.Generator, n_trials: int) -> list[str]:
    """Draw file names of the three kinds, some of them twice."""
    pool = [f"COCO_train2014_{i:012d}.jpg" for i in range(n_trials)]
    pool += [f"n{i:08d}_{i}.JPEG" for i in range(n_trials)]
    pool += [f"airport{i}.jpg" for i in range(n_trials)]
    names = rng.choice(pool, size=n_trials, replace=False).tolist()
    names[n_trials // 2] = names[3]
    names[n_trials - 1] = names[3]
    return names


def write_bold5000(
    folder: Path,
    rng: np.random.Generator,
    *,
    label: str = "CSI1",
    kind: str = TYPE_D,
    volumes: bool = True,
    arrays: bool = True,
    lists: bool = True,
    names: bool = True,
) -> dict:
    """Write betas of three sessions; returns ``volumes`` by session, ``arrays``, ``names``."""
    folder.mkdir(parents=True, exist_ok=True)
    n_trials = {session: 37 * n for session, n in RUNS.items()}
    total = sum(n_trials.values())
    made: dict = {"names": draw_names(rng, total), "volumes": {}, "arrays": {}}
    if volumes:
        mask = np.ones(SHAPE, dtype=np.uint8)
        mask[0] = 0
        made["mask"] = mask
        nib.save(nib.Nifti1Image(mask, AFFINE), folder / f"{label}_brainmask.nii.gz")
        for session, n in n_trials.items():
            betas = rng.normal(size=(*SHAPE, n)).astype(np.float32)
            made["volumes"][session] = betas
            path = folder / f"{label}_GLMbetas-{kind}_ses-{session:02d}.nii.gz"
            nib.save(nib.Nifti1Image(betas, np.eye(4)), path)  # not the affine of the mask
    if arrays:
        home = folder / "BOLD5000_GLMsingle_ROI_betas/py"
        home.mkdir(parents=True, exist_ok=True)
        for region, n in REGIONS.items():
            made["arrays"][region] = rng.normal(size=(total, n)).astype(np.float32)
            path = home / f"{label}_GLMbetas-{kind}_allses_{region}.npy"
            np.save(path, made["arrays"][region])
    if names:
        (folder / f"{label}_imgnames.txt").write_text("\n".join(made["names"]) + "\n")
    if lists:
        write_lists(folder, label, made["names"])
    return made


def write_lists(folder: Path, label: str, names: list[str]) -> None:
    """Write a list a run; pictures that were shown before carry ``rep_``."""
    start, seen = 0, set()
    for session, n_runs in RUNS.items():
        stem = f"{label}_sess{session:02d}"
        home = folder / "Stimuli_Presentation_Lists" / label / stem
        home.mkdir(parents=True, exist_ok=True)
        for run in range(1, n_runs + 1):
            lines = []
            for name in names[start : start + 37]:
                lines.append(f"rep_{name}" if name in seen else name)
                seen.add(name)
            (home / f"{stem}_run{run:02d}.txt").write_text("\n".join(lines) + "\n")
            start += 37
