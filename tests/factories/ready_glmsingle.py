"""A small folder as GLMsingle leaves it, in each of its three formats."""

from __future__ import annotations

from pathlib import Path

import h5py
import nibabel as nib
import numpy as np

SHAPE = (4, 3, 2)
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
TYPES = ("TYPEB_FITHRF", "TYPEC_FITHRF_GLMDENOISE", "TYPED_FITHRF_GLMDENOISE_RR")


def write_glmsingle(
    folder: Path,
    rng: np.random.Generator,
    *,
    suffix: str = ".npy",
    kind: str = TYPES[-1],
    n_runs: int = 2,
    n_conditions: int = 4,
    shape: tuple[int, ...] = SHAPE,
    table: str = "samples",
    mask: bool = True,
) -> dict[str, np.ndarray]:
    """Write one model: each condition once a run, in another order in each run.

    Returns ``betas`` (*shape, n_trials) float32, ``order`` (n_trials,) from 0 and ``run``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    order = np.concatenate([rng.permutation(n_conditions) for _ in range(n_runs)])
    run = np.repeat(np.arange(1, n_runs + 1), n_conditions)
    betas = rng.normal(size=(*shape, len(order))).astype(np.float32)
    counts = np.full(n_runs, n_conditions)
    save_betas(folder / f"{kind}{suffix}", betas)
    save_design(folder / f"DESIGNINFO{'.mat' if suffix == '.mat' else '.npy'}", order, counts)
    if table == "samples":
        lines = ["stimulus\tcondition\trun"]
        lines += [f"im{c}.png\tc{c % 2}\t{r:02d}" for c, r in zip(order, run, strict=True)]
    else:
        lines = ["number\tstimulus\tcondition"]
        lines += [f"{c + 1}\tim{c}.png\tc{c % 2}" for c in range(n_conditions)]
    (folder / f"{table}.tsv").write_text("\n".join(lines) + "\n")
    if mask and len(shape) == 3:
        inside = np.ones(shape, dtype=np.uint8)
        inside[0] = 0
        nib.save(nib.Nifti1Image(inside, AFFINE), folder / "mask.nii.gz")
    return {"betas": betas, "order": order, "run": run}


def save_betas(path: Path, betas: np.ndarray) -> None:
    if path.suffix == ".npy":
        rest = {"HRFindex": np.ones(betas.shape[:-1], dtype=int), "R2": None, "pcnum": 5}
        np.save(path, {"betasmd": betas, **rest})
        return
    with h5py.File(path, "w", userblock_size=512 if path.suffix == ".mat" else 0) as file:
        if path.suffix == ".mat":  # MATLAB's axes stand backward in HDF5
            file["modelmd"] = betas.T
        else:
            file["betasmd"] = betas


def save_design(path: Path, order: np.ndarray, counts: np.ndarray) -> None:
    if path.suffix == ".npy":
        design = {
            "stimorder": list(order),  # numpy's own whole numbers, as GLMsingle saves them
            "numtrialrun": counts.tolist(),
            "design": [np.eye(3)],
            "stimdur": 3,
            "tr": 1.5,
            "designSINGLE": [np.eye(3)],
            "endbuffers": [np.float64(12.0)],
            "params": {"wantlibrary": 1, "chunklen": 50_000, "hrftoassume": np.zeros(3)},
        }
        np.save(path, design)
        return
    from scipy.io import savemat

    savemat(path, {"stimorder": order + 1.0, "numtrialrun": counts.astype(float)})
