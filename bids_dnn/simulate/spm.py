"""A first level with the names and the form that SPM gives it, fitted to the simulated data."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse
from scipy.io import savemat

from bids_dnn import files, imaging
from bids_dnn.containers.space import Grid
from bids_dnn.simulate.bold import Participant
from bids_dnn.simulate.timing import CUTOFF_S, DURATION_S, T_R_S, cosines, trial_regressors
from bids_dnn.simulate.trees import describe

Array = NDArray[np.float64]
HEADER = b"MATLAB 5.0 MAT-file, Platform: simulated, Created on: no date".ljust(116)
FLOAT32 = 16  # NIfTI's code
IGNORED = "sub-*/**\n"


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """Design and estimates over all runs.

    Parameters
    ----------
    names
        Of the regressors, as SPM writes them.
    x, filtered : (n_volumes, n_regressors)
        The design, and what the high-pass filter leaves of it.
    betas : (n_regressors, n_units)
    residual : (n_units,)
        Mean square of the residuals.
    covariance : (n_regressors, n_regressors)
        Of the betas, for noise of variance 1.
    freedom : float
        Degrees of freedom of the residuals.
    """

    names: tuple[str, ...]
    x: Array
    filtered: Array
    betas: Array
    residual: Array
    covariance: Array
    freedom: float


def write_dataset(root: Path) -> None:
    """Write what makes the folder a derivative.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    describe(root, "SPM-shaped first levels", tool="SPM", extra={}, ignore=IGNORED)


def write_participant(root: Path, participant: Participant, stems: Sequence[str]) -> None:
    """Fit one regressor for each trial in the T1w space and write what SPM would.

    Parameters
    ----------
    root
        Of the derivative.
    participant
        As measured.
    stems : n_stimuli
        What the regressors are called.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    folder = root / f"sub-{participant.label}"
    space = participant.brain
    made = fit(participant, stems)
    for i, values in enumerate(made.betas, start=1):
        imaging.write_map(folder / f"beta_{i:04}.nii", values, space)
    imaging.write_map(folder / "ResMS.nii", made.residual, space)
    imaging.write_mask(folder / "mask.nii", space)
    stored = io.BytesIO()
    savemat(stored, {"SPM": _spm(made, participant, stems)}, do_compression=True)
    raw = stored.getvalue()
    with files.writing(folder / "SPM.mat") as aside:
        aside.write_bytes(HEADER + raw[len(HEADER) :])  # scipy writes the date there


def fit(participant: Participant, stems: Sequence[str]) -> Fit:
    """Fit trials, nuisance and a constant for each run by ordinary least squares.

    Returns
    -------
    fit
        After SPM's high-pass filter, which is a projection, so that the noise stays white in
        what is left: ``trRV = n_volumes - filters - rank``.
    """
    parts, names = [], []
    for s, (run, nuisance) in enumerate(
        zip(participant.runs, participant.nuisances, strict=True), start=1
    ):
        signals = nuisance.signals
        parts.append(np.hstack([trial_regressors(run), signals]))
        names += [f"Sn({s}) {stems[i]}*bf(1)" for i in run.stimuli]
        names += [f"Sn({s}) R{i}" for i in range(1, signals.shape[1] + 1)]
    n_runs = len(parts)
    constants = linalg.block_diag(*[np.ones((len(part), 1)) for part in parts])
    x = np.hstack([linalg.block_diag(*parts), constants])
    names += [f"Sn({s}) constant" for s in range(1, n_runs + 1)]
    slow = linalg.block_diag(*[cosines(len(part)) for part in parts])  # orthonormal

    y = np.concatenate(participant.series).astype(np.float64)
    filtered, left = x - slow @ (slow.T @ x), y - slow @ (slow.T @ y)
    inverse = np.linalg.pinv(filtered)
    betas = inverse @ left
    freedom = float(len(x) - slow.shape[1] - np.linalg.matrix_rank(filtered))
    residual = ((left - filtered @ betas) ** 2).sum(axis=0) / freedom
    return Fit(tuple(names), x, filtered, betas, residual, inverse @ inverse.T, freedom)


def _spm(made: Fit, participant: Participant, stems: Sequence[str]) -> dict[str, Any]:
    space = participant.brain
    n = [run.n_volumes for run in participant.runs]
    ends = np.cumsum(n)
    rows = [np.arange(end - length + 1, end + 1.0) for end, length in zip(ends, n, strict=True)]
    is_constant = np.array([name.endswith("constant") for name in made.names])
    number = np.arange(1.0, len(made.names) + 1)
    names = [f"{path},{i}" for path, run in _images(participant) for i in range(1, run + 1)]
    return {
        "xY": {"P": np.array(names), "RT": T_R_S, "VY": _volumes(names, space)},
        "xBF": {"UNITS": "secs", "name": "hrf", "T": 16.0, "T0": 8.0, "order": 1.0},
        "nscan": np.array(n, dtype=float),
        "Sess": _sessions(participant, stems, rows),
        "xX": {
            "X": made.x,
            "iH": np.zeros((0, 0)),
            "iC": number[~is_constant],
            "iB": number[is_constant],
            "iG": np.zeros((0, 0)),
            "name": _cell(made.names),
            "K": _structs(
                {"RT": T_R_S, "row": row, "HParam": CUTOFF_S, "X0": cosines(len(row))}
                for row in rows
            ),
            "W": sparse.eye_array(len(made.x), format="csc"),
            "xKXs": {"X": made.filtered},
            "Bcov": made.covariance,
            "trRV": made.freedom,
            "erdf": made.freedom,
        },
        "SPMid": "simulated by bids_dnn_tools simulate",
        "swd": ".",
        "Vbeta": _structs(
            _volume(f"beta_{i:04}.nii", space, f"spm_spm:beta ({i:04}) - {name}")
            for i, name in enumerate(made.names, start=1)
        ),
        "VResMS": _volume("ResMS.nii", space, "spm_spm:Residual sum-of-squares"),
        "VM": _volume("mask.nii", space, "spm_spm:resultant analysis mask"),
        "xCon": np.zeros((0, 0)),
    }


def _images(participant: Participant) -> list[tuple[str, int]]:
    stem = f"sub-{participant.label}_task-objects_run-{{}}_space-T1w_desc-preproc_bold.nii"
    return [(stem.format(run.label), run.n_volumes) for run in participant.runs]


def _sessions(
    participant: Participant, stems: Sequence[str], rows: Sequence[Array]
) -> NDArray[np.object_]:
    made, start = [], 0
    for run, nuisance, row in zip(participant.runs, participant.nuisances, rows, strict=True):
        shown = [stems[i] for i in run.stimuli]
        signals = nuisance.signals
        columns = np.arange(1.0, len(shown) + signals.shape[1] + 1)
        made.append(
            {
                "U": _structs(
                    {"name": _cell([name]), "ons": onset, "dur": DURATION_S}
                    for name, onset in zip(shown, run.onsets_s, strict=True)
                ),
                "C": {
                    "C": signals,
                    "name": _cell([f"R{i}" for i in range(1, signals.shape[1] + 1)]),
                },
                "row": row,
                "col": columns + start,
                "Fc": _structs(
                    {"i": float(i), "name": name, "p": 1.0}
                    for i, name in enumerate(shown, start=1)
                ),
            }
        )
        start += len(columns)
    return _structs(made)


def _volumes(names: Sequence[str], space: Grid) -> NDArray[np.object_]:
    return _structs(_volume(name.rpartition(",")[0], space, "") for name in names)


def _volume(name: str, space: Grid, description: str) -> dict[str, Any]:
    to_one = np.eye(4)
    to_one[:3, 3] = -1  # SPM counts voxels from 1
    return {
        "fname": name,
        "dim": np.array(space.shape, dtype=float),
        "dt": np.array([FLOAT32, 0.0]),
        "pinfo": np.array([[1.0], [0.0], [352.0]]),
        "mat": space.affine @ to_one,
        "n": np.array([1.0, 1.0]),
        "descrip": description,
    }


def _cell(texts: Sequence[str]) -> NDArray[np.object_]:
    made = np.empty((1, len(texts)), dtype=object)
    made[0, :] = list(texts)
    return made


def _structs(rows: Any) -> NDArray[Any]:
    """Return rows with the same keys as a MATLAB struct array, (1, n)."""
    listed: list[Mapping[str, Any]] = list(rows)
    made = np.empty((1, len(listed)), dtype=[(key, object) for key in listed[0]])
    for i, row in enumerate(listed):
        made[0, i] = tuple(row.values())
    return made
