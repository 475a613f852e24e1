"""A small tree as the Natural Scenes Dataset publishes it: 750 trials a session, few voxels."""

from __future__ import annotations

from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
from scipy.io import savemat

SHAPE = (5, 4, 3)
VERTICES = (11, 9)
AFFINE = np.diag([1.8, 1.8, 1.8, 1.0])
N_TRIALS = 750
RUNS = np.tile(np.repeat(np.arange(1, 13), [63, 62] * 6), 40)
TRIALS = np.concatenate([np.arange(1, n + 1) for n in [63, 62] * 6] * 40)
PRF = ("Unknown", "V1v", "V1d", "V2v", "V2d", "V3v", "V3d", "hV4")
FACES = ("Unknown", "OFA", "FFA-1", "FFA-2", "mTL-faces", "aTL-faces")
MODEL = "betas_fithrf_GLMdenoise_RR"


def write_design(folder: Path, rng: np.random.Generator) -> np.ndarray:
    """Write ``nsd_expdesign.mat``; returns the picture of each trial (8, 30000), from 1."""
    order = rng.permutation(np.repeat(np.arange(1, 10_001), 3))
    pictures = np.stack([rng.permutation(73_000)[:10_000] + 1 for _ in range(8)])
    path = folder / "nsddata/experiments/nsd/nsd_expdesign.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"masterordering": order[None].astype(float), "subjectim": pictures * 1.0})
    return pictures[:, order - 1]


def write_responses(
    folder: Path, label: str, shown: np.ndarray, sessions: tuple[int, ...]
) -> Path:
    """Write ``behav/responses.tsv`` of some sessions; `shown` (30000,) from 1."""
    path = folder / f"nsddata/ppdata/{label}/behav/responses.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["SUBJECT\tSESSION\tRUN\tTRIAL\t73KID\t10KID\tTIME\tISOLD\tISCORRECT\tRT"]
    for session in sessions:
        for row in range(N_TRIALS * (session - 1), N_TRIALS * session):
            rt = "NaN" if row % 7 == 0 else f"{600 + row % 5}"
            lines.append(
                f"1\t{session}\t{RUNS[row]}\t{TRIALS[row]}\t{shown[row]}\t1\t0.5\t0\t1\t{rt}"
            )
    path.write_text("\n".join(lines) + "\n")
    return path


def write_volumes(
    folder: Path,
    rng: np.random.Generator,
    *,
    label: str = "subj01",
    sessions: tuple[int, ...] = (1, 2, 3),
    suffix: str = ".hdf5",
    space: str = "func1pt8mm",
    model: str = MODEL,
    regions: bool = True,
) -> dict[str, np.ndarray]:
    """Write betas, brain mask and regions; returns them by name, betas by session number."""
    home = folder / f"nsddata_betas/ppdata/{label}/{space}/{model}"
    home.mkdir(parents=True, exist_ok=True)
    made: dict = {"betas": {}}
    for session in sessions:
        betas = rng.integers(-3000, 3000, size=(*SHAPE, N_TRIALS)).astype(np.int16)
        made["betas"][session] = betas
        path = home / f"betas_session{session:02d}{suffix}"
        if suffix == ".hdf5":  # as MATLAB writes x, y, z, trials, a chunk for each voxel
            with h5py.File(path, "w") as file:
                file.create_dataset("betas", data=betas.T, chunks=(N_TRIALS, 1, 1, 1))
        else:
            nib.save(nib.Nifti1Image(betas, AFFINE), path)
    mask = np.ones(SHAPE, dtype=np.uint8)
    mask[0] = 0
    part = folder / f"nsddata/ppdata/{label}/{space}"
    (part / "roi").mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(mask, AFFINE), part / "brainmask.nii.gz")
    nib.save(nib.Nifti1Image(np.ones(SHAPE), AFFINE), home / "ncsnr.nii.gz")
    made["mask"] = mask
    if regions:
        made["prf-visualrois"] = rng.integers(-1, 8, size=SHAPE)
        made["floc-faces"] = rng.integers(-1, 6, size=SHAPE)
        made["nsdgeneral"] = rng.integers(-1, 2, size=SHAPE)
        for name in ("prf-visualrois", "floc-faces", "nsdgeneral"):
            image = nib.Nifti1Image(made[name].astype(np.float64), AFFINE)
            nib.save(image, part / f"roi/{name}.nii.gz")
        write_tables(folder, label)
    return made


def write_tables(folder: Path, label: str) -> None:
    home = folder / f"nsddata/freesurfer/{label}/label"
    home.mkdir(parents=True, exist_ok=True)
    for name, names in (("prf-visualrois", PRF), ("floc-faces", FACES)):
        text = "".join(f"{number} {word}\n" for number, word in enumerate(names))
        (home / f"{name}.mgz.ctab").write_text(text)


def write_surfaces(
    folder: Path,
    rng: np.random.Generator,
    *,
    label: str = "subj01",
    sessions: tuple[int, ...] = (1, 2, 3),
    space: str = "fsaverage",
    regions: bool = True,
) -> dict[str, np.ndarray]:
    """Write betas of both hemispheres; returns them (n_vertices, n_trials), by session."""
    part = "nativesurface" if space == "fsnative" else space
    home = folder / f"nsddata_betas/ppdata/{label}/{part}/{MODEL}"
    home.mkdir(parents=True, exist_ok=True)
    made: dict = {"betas": {}}
    for session in sessions:
        both = []
        for hemisphere, n in zip(("lh", "rh"), VERTICES, strict=True):
            path = home / f"{hemisphere}.betas_session{session:02d}"
            if space == "fsnative":
                betas = rng.integers(-3000, 3000, size=(n, N_TRIALS)).astype(np.int16)
                with h5py.File(f"{path}.hdf5", "w") as file:
                    file.create_dataset("betas", data=betas.T, chunks=(N_TRIALS, 1))
                betas = betas / np.float32(300)
            else:
                betas = rng.normal(size=(n, N_TRIALS)).astype(np.float32)
                image = nib.MGHImage(betas.reshape(n, 1, 1, N_TRIALS), np.eye(4))
                nib.save(image, f"{path}.mgh")
            both.append(betas)
        made["betas"][session] = np.concatenate(both)
    if regions:
        owner = "fsaverage" if space == "fsaverage" else label
        labels = folder / f"nsddata/freesurfer/{owner}/label"
        labels.mkdir(parents=True, exist_ok=True)
        made["prf-visualrois"] = rng.integers(0, 8, size=sum(VERTICES))
        made["prf-visualrois"][5:12] = np.arange(1, 8)  # each region has a vertex
        halves = np.split(made["prf-visualrois"], [VERTICES[0]])
        for hemisphere, half in zip(("lh", "rh"), halves, strict=True):
            image = nib.MGHImage(half.astype(np.float32).reshape(-1, 1, 1), np.eye(4))
            nib.save(image, labels / f"{hemisphere}.prf-visualrois.mgz")
        write_tables(folder, label)
    return made
