"""The confound table of a run, with the columns and the JSON that fMRIPrep writes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.simulate.nuisance import Nuisance, derivative, displacement
from bids_dnn.simulate.timing import cosines

Array = NDArray[np.float64]
MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
TISSUE = ("csf", "white_matter")
N_COMPONENTS = 6
COMPCOR = {"a": "combined", "c": "CSF", "w": "WM"}


def confound_table(
    nuisance: Nuisance, series: Array, resting: NDArray[np.intp]
) -> tuple[dict[str, list[str]], dict[str, Any]]:
    """Return the columns of a run's confound table, and its sidecar.

    Parameters
    ----------
    nuisance
        What disturbed the run.
    series : (n_volumes, n_units)
        The run's time series, from which global signal, DVARS and components are computed.
    resting : (k,)
        Units outside all regions; halves of them stand for fluid and white matter.

    Returns
    -------
    columns
        Name to values as text, ``n/a`` where a difference to the volume before is meant and
        there is none.
    sidecar
        What the columns are, for those that fMRIPrep describes.
    """
    table: dict[str, list[str]] = {}
    whole = series.mean(axis=1)[:, None]
    named = dict(zip(TISSUE, nuisance.tissue.T, strict=True)) | {"global_signal": whole[:, 0]}
    named |= dict(zip(MOTION, nuisance.motion.T, strict=True))
    sidecar: dict[str, Any] = {name: {"Method": "Mean"} for name in (*TISSUE, "global_signal")}
    for name, values in named.items():
        change = derivative(values[:, None])[:, 0]
        table[name] = _text(values)
        table[f"{name}_derivative1"] = _text(change, first=False)
        table[f"{name}_derivative1_power2"] = _text(change**2, first=False)
        table[f"{name}_power2"] = _text(values**2)
    change = np.sqrt((derivative(series) ** 2).mean(axis=1))
    table["dvars"] = _text(change, first=False)
    table["std_dvars"] = _text(change / np.median(change[1:]), first=False)
    table["framewise_displacement"] = _text(displacement(nuisance.motion), first=False)
    moved = np.sqrt((derivative(nuisance.motion[:, :3]) ** 2).sum(axis=1))
    table["rmsd"] = _text(moved, first=False)
    slow = cosines(len(series))
    sources = {"a": resting, "c": resting[::2], "w": resting[1::2]}
    for letter, mask in COMPCOR.items():
        parts, told = _compcor(series[:, sources[letter]], slow)
        for i, values in enumerate(parts.T):
            name = f"{letter}_comp_cor_{i:02}"
            table[name] = _text(values)
            sidecar[name] = {
                "Method": "aCompCor",
                "Mask": mask,
                "Retained": True,
                **{key: float(numbers[i]) for key, numbers in told.items()},
            }
    for i, values in enumerate(slow.T):
        table[f"cosine_{i:02}"] = _text(values)
    return table, sidecar


def _text(values: Array, *, first: bool = True) -> list[str]:
    said = [f"{value:.8g}" for value in values]
    return said if first else ["n/a", *said[1:]]


def _compcor(series: Array, slow: Array) -> tuple[Array, dict[str, Array]]:
    centered = series - series.mean(axis=0)
    centered -= slow @ (slow.T @ centered)
    scaled = centered / centered.std(axis=0)
    u, s, _ = np.linalg.svd(scaled, full_matrices=False)
    signs = np.sign(u[np.abs(u).argmax(axis=0), np.arange(u.shape[1])])
    share = s**2 / (s**2).sum()
    told = {
        "SingularValue": s.round(6),
        "VarianceExplained": share.round(8),
        "CumulativeVarianceExplained": np.cumsum(share).round(8),
    }
    return (u * signs)[:, :N_COMPONENTS], told
