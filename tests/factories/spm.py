"""SPM first levels with chosen names and values, as MAT v5 beside NIfTI betas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import savemat

from tests.factories.trees import SHAPE, affine_of, tiny_mask, write_image

WINDOWS = "C:\\Users\\someone\\first level\\"


def spm_folder(
    folder: Path,
    rng,
    *,
    names=("face 1", "house 1"),
    n_sessions: int = 2,
    n_bases: int = 1,
    n_motion: int = 2,
    nan_voxels: int = 0,
    prefix: str = WINDOWS,
) -> Path:
    """Write ``SPM.mat``, betas, mask and ResMS to `folder`; return the path of ``SPM.mat``.

    A session holds `names` (each with `n_bases`), then motion R1 ..., and the constants of all
    sessions come last, as SPM has it. Beta k is noise around k.
    """
    folder.mkdir(parents=True)
    columns = []
    for session in range(1, n_sessions + 1):
        columns += [
            f"Sn({session}) {name}*bf({basis})"
            for name in names
            for basis in range(1, n_bases + 1)
        ]
        columns += [f"Sn({session}) R{i}" for i in range(1, n_motion + 1)]
    columns += [f"Sn({session}) constant" for session in range(1, n_sessions + 1)]
    n = len(columns)
    mask = tiny_mask()
    places = np.argwhere(mask)[:nan_voxels]
    files = []
    for k in range(1, n + 1):
        beta = (k + rng.normal(size=SHAPE)).astype(np.float32)
        beta[mask == 0] = np.nan
        beta[tuple(places.T)] = np.nan
        write_image(folder / f"beta_{k:04d}.nii", beta, affine_of())
        files.append((f"{prefix}beta_{k:04d}.nii", f"spm_spm:beta ({k:04d}) - {columns[k - 1]}"))
    write_image(folder / "mask.nii", mask, affine_of())
    residual = (1 + rng.random(SHAPE)).astype(np.float32)
    write_image(folder / "ResMS.nii", residual, affine_of())
    x = rng.normal(size=(20 * n_sessions, n))
    spm = {
        "xX": {
            "name": np.array(columns, dtype=object),
            "iC": np.arange(1, n - n_sessions + 1),
            "iB": np.arange(n - n_sessions + 1, n + 1),
            "X": x,
            "xKXs": {"X": x},
        },
        "Vbeta": np.array(files, dtype=[("fname", object), ("descrip", object)]),
        "nscan": np.full(n_sessions, 20),
        "Sess": np.array([(k,) for k in range(n_sessions)], dtype=[("col", object)]),
        "swd": prefix,
    }
    savemat(folder / "SPM.mat", {"SPM": spm})
    return folder / "SPM.mat"
