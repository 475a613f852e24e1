"""A small vim-1: EstimatedResponses.mat (7.3) and Stimuli.mat (5) with the names, order of axes
and NaN of the real ones, on its own grid of 64 x 64 x 18."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import savemat

from tests.factories.mat73 import write_mat73

SHAPE = (64, 64, 18)


def vim1_folder(
    folder: Path,
    rng,
    *,
    participants=("S1", "S2"),
    n_voxels: int = 40,
    n_training: int = 20,
    n_validation: int = 6,
    n_nan: int = 3,
    size_px: int = 16,
) -> dict[str, dict[str, np.ndarray]]:
    """Write the folder; return, by participant, values (samples, voxels), voxels (i, j, k), codes.

    ``h5py`` shows what MATLAB holds with its axes reversed: MATLAB's data are voxels x images.
    """
    variables, truth = {}, {}
    for label in participants:
        values = rng.normal(size=(n_training + n_validation, n_voxels))
        values[0, :n_nan] = np.nan
        linear = rng.choice(np.arange(1, np.prod(SHAPE) + 1), n_voxels, replace=False)
        codes = np.arange(n_voxels) % 8
        variables[f"dataTrn{label}"] = values[:n_training].T
        variables[f"dataVal{label}"] = values[n_training:].T
        variables[f"roi{label}"] = codes[:, None].astype(float)
        variables[f"voxIdx{label}"] = linear[:, None].astype(float)
        voxels = np.column_stack(np.unravel_index(linear - 1, SHAPE, order="F"))
        truth[label] = {"values": values, "voxels": voxels, "codes": codes}
    write_mat73(folder / "EstimatedResponses.mat", variables)
    gray = rng.uniform(-0.5, 0.5, (n_training + n_validation, size_px, size_px))
    gray = gray.astype(np.float32)
    savemat(
        folder / "Stimuli.mat",
        {"stimTrn": gray[:n_training], "stimVal": gray[n_training:]},
    )
    truth["pictures"] = {"values": gray}
    return truth


def full_resolution(folder: Path, rng, *, sizes=(12, 8), n_validation: int = 6) -> np.ndarray:
    """Add the files of 7.3 with pictures at full resolution; return them, (n, y, x)."""
    gray = rng.uniform(-0.5, 0.5, (sum(sizes) + n_validation, 24, 20)).astype(np.float32)
    start = 0
    for number, n in enumerate(sizes, start=1):
        path = folder / f"Stimuli_Trn_FullRes_{number:02d}.mat"
        write_mat73(path, {"stimTrn": gray[start : start + n]})
        start += n
    write_mat73(folder / "Stimuli_Val_FullRes.mat", {"stimVal": gray[start:]})
    return gray
