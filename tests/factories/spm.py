"""SPM first levels with chosen names and values, as MAT v5 beside NIfTI betas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import savemat

from tests.factories.mat73 import write_mat73
from tests.factories.trees import SHAPE, affine_of, tiny_mask, write_image

STRUCTS = ("Vbeta", "Sess", "xCon")
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
    ending: str = ".nii",
    bases: dict | None = None,
    modulated: dict | None = None,
    contrasts: dict | None = None,
    v73: bool = False,
) -> Path:
    """Write ``SPM.mat``, betas, mask and ResMS to `folder`; return the path of ``SPM.mat``.

    A session holds `names` (each with `n_bases`), then motion R1 ..., and the constants of all
    sessions come last, as SPM has it. Beta k is noise around k. `ending` is that of the images,
    `bases` what ``xBF`` says, `modulated` the modulations that ``Sess.U`` lists by condition,
    `contrasts` T contrasts by name, as the columns that they sum; con k is noise around 100 k.
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
        write_image(folder / f"beta_{k:04d}{ending}", beta, affine_of())
        files.append(
            (f"{prefix}beta_{k:04d}{ending}", f"spm_spm:beta ({k:04d}) - {columns[k - 1]}")
        )
    write_image(folder / f"mask{ending}", mask, affine_of())
    residual = (1 + rng.random(SHAPE)).astype(np.float32)
    write_image(folder / f"ResMS{ending}", residual, affine_of())
    x = rng.normal(size=(20 * n_sessions, n))
    spm = {
        "xX": {
            "name": np.array(columns, dtype=object),
            "iC": np.arange(1, n - n_sessions + 1),
            "iB": np.arange(n - n_sessions + 1, n + 1),
            "X": x,
            "xKXs": {"X": x},
        },
        "Vbeta": [{"fname": name, "descrip": text} for name, text in files],
        "nscan": np.full(n_sessions, 20),
        "Sess": [{"col": float(k), "U": _inputs(names, modulated)} for k in range(n_sessions)],
        "swd": prefix,
        "xBF": bases or {"name": "hrf", "order": 1.0, "length": 32.0},
        "xCon": [],
    }
    for k, (name, chosen) in enumerate((contrasts or {}).items(), start=1):
        image = f"con_{k:04d}{ending}"
        write_image(folder / image, (100 * k + rng.normal(size=SHAPE)).astype("f4"), affine_of())
        weights = np.zeros(n)
        weights[list(chosen)] = 1.0
        told = {"name": name, "STAT": "T", "c": weights, "Vcon": {"fname": prefix + image}}
        spm["xCon"].append(told)
    if v73:
        write_mat73(folder / "SPM.mat", {"SPM": spm})
    else:
        savemat(folder / "SPM.mat", {"SPM": spm | {k: _structs(spm[k]) for k in STRUCTS}})
    return folder / "SPM.mat"


def _inputs(names, modulated):
    later = {name for several in (modulated or {}).values() for name in several}
    return [
        {"name": np.array([name, *(modulated or {}).get(name, ())], dtype=object)}
        for name in names
        if name not in later
    ]


def _structs(rows):
    if not rows:
        return np.zeros((0, 0))
    made = np.empty((1, len(rows)), dtype=[(key, object) for key in rows[0]])
    for i, row in enumerate(rows):
        inner = {k: _structs(v) if isinstance(v, list) else v for k, v in row.items()}
        made[0, i] = tuple(inner.values())
    return made
