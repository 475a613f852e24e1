"""Maps of effects as nilearn and FitLins name them: volumes, surfaces and grayordinates."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bids_dnn.imaging import write_cifti_series, write_shape
from tests.factories.trees import SHAPE, affine_of, tiny_mask, write_image

CONTRASTS = ("faceA", "faceB", "house")
N_VERTICES = {"L": 12, "R": 10}


def volume_maps(
    root: Path,
    rng,
    *,
    runs=("1", "2"),
    sessions=("",),
    contrasts=CONTRASTS,
    has_mask: bool = True,
    space: str = "T1w",
    inside: str = "func",
) -> dict:
    """Write one 3-D map a contrast, run and session; return them by (session, run, contrast)."""
    mask, truth = tiny_mask(), {}
    for session in sessions:
        home = root / "sub-01" / (f"ses-{session}" if session else "") / inside
        start = "sub-01" + (f"_ses-{session}" if session else "") + "_task-look"
        for run in runs:
            stem = f"{start}_run-{run}_space-{space}"
            for contrast in contrasts:
                values = rng.normal(size=SHAPE).astype(np.float32) * (mask > 0)
                name = f"{stem}_contrast-{contrast}"
                write_image(home / f"{name}_stat-effect_statmap.nii.gz", values, affine_of())
                write_image(home / f"{name}_stat-variance_statmap.nii.gz", values, affine_of())
                truth[session, run, contrast] = values[mask > 0]
            if has_mask:
                write_image(home / f"{stem}_desc-brain_mask.nii.gz", mask, affine_of())
    return truth


def surface_maps(root: Path, rng, *, contrasts=CONTRASTS) -> dict:
    """Write one map a contrast and hemisphere; return left and right joined, by contrast."""
    truth = {}
    for contrast in contrasts:
        parts = []
        for side, n in N_VERTICES.items():
            values = rng.normal(size=n).astype(np.float32)
            name = f"sub-01_task-look_hemi-{side}_space-fsnative_contrast-{contrast}"
            write_shape(
                root / "sub-01" / "func" / f"{name}_stat-effect_statmap.func.gii", values, side
            )
            parts.append(values)
        truth[contrast] = np.concatenate(parts)
    return truth


def series_maps(root: Path, rng, *, n: int = 5, kind: str = "volume", space=None) -> np.ndarray:
    """Write one map of several volumes with its table of samples; return (n, n_units)."""
    home = root / "sub-01" / "func"
    stem = f"sub-01_task-look_space-{'T1w' if kind == 'volume' else 'fsLR'}"
    home.mkdir(parents=True, exist_ok=True)
    if kind == "volume":
        mask = tiny_mask()
        values = rng.normal(size=(*SHAPE, n)).astype(np.float32) * (mask > 0)[..., None]
        write_image(home / f"{stem}_stat-effect_statmap.nii.gz", values, affine_of())
        found = values[mask > 0].T
    elif kind == "surface":
        parts = []
        for side, n_vertices in N_VERTICES.items():
            part = rng.normal(size=(n, n_vertices)).astype(np.float32)
            name = f"sub-01_task-look_hemi-{side}_space-fsLR_stat-effect_statmap.func.gii"
            write_shape(home / name, part, side)
            parts.append(part)
        found = np.concatenate(parts, axis=1)
    else:
        found = rng.normal(size=(n, len(space))).astype(np.float32)
        name = f"{stem}_stat-effect_statmap.dscalar.nii"
        write_cifti_series(home / name, found, space, t_r_s=1.0)
    rows = [f"pics/{i % 3}.png\t{'ab'[i % 2]}\t{i // 3 + 1}\t{i / 2}" for i in range(n)]
    table = "\n".join(["stimulus\tcondition\trun\tmotion", *rows]) + "\n"
    (home / f"{stem}_samples.tsv").write_text(table)
    return found
