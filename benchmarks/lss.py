"""Least squares separate in closed form; the peer fits one regression for each trial."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks import Device, Row, Size, time_both
from bids_dnn.ingest.lss import solve_separately
from bids_dnn.ingest.recorded import times_series
from bids_dnn.ingest.trials import Design, design_trials

Array = NDArray[np.float64]
SIZES = {  # n_trials, n_voxels, n_volumes, n_confounds, trials that the peer fits
    "small": ((50, 2000, 300, 20, 50), (100, 5000, 400, 40, 20)),
    "full": ((500, 50_000, 2000, 40, 3),),
}
REPEATS = {"small": 3, "full": 3}
TARGET = 10.0
T_R_S = 2.0
FORMS = ("lss", "lss-by-condition")
N_CONDITIONS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One run that both solve."""

    series: NDArray[np.float32]  # (n_volumes, n_voxels)
    centered: Array  # the same in double precision, for the peer
    design: Design
    groups: dict[str, list[str]]  # of each form: (n_trials,)
    some: NDArray[np.intp]  # trials that the peer fits


def make_case(n_trials: int, n_voxels: int, n_volumes: int, n_confounds: int, n_some: int) -> Case:
    """Make a run of noise with jittered trials of some conditions."""
    rng = np.random.default_rng(0)
    times = T_R_S * np.arange(n_volumes, dtype=np.float64)
    gap = (times[-1] - 20) / n_trials
    onsets = gap * np.arange(n_trials) + rng.uniform(0, gap / 2, size=n_trials)
    design = design_trials(
        onsets,
        np.full(n_trials, 1.0),
        frame_times_s=times,
        hrf="spm",
        confounds=rng.normal(size=(n_volumes, n_confounds)),
        high_pass_hz=1 / 128,
    )
    series = 100 + rng.standard_normal(size=(n_volumes, n_voxels), dtype=np.float32)
    kinds = [str(k) for k in rng.integers(N_CONDITIONS, size=n_trials)]
    groups = {"lss": [""] * n_trials, "lss-by-condition": kinds}
    centered = series - series.mean(axis=0, dtype=np.float64)
    some = np.sort(rng.choice(n_trials, n_some, replace=False))
    return Case(series, centered, design, groups, some)


def ours(case: Case, form: str) -> NDArray[np.float32]:
    """Return the amplitude of each trial, (n_trials, n_voxels)."""
    keep = np.ones(len(case.series), dtype=bool)
    solver = solve_separately(case.design, groups=case.groups[form], keep=keep, run="01")
    return times_series(solver.weights, case.series, keep, out=np.float32)


def peer(case: Case, form: str) -> Array:
    """Return the amplitudes of some trials, (n_some, n_voxels), each by its own least squares."""
    n, groups = case.design.n_trials, np.array(case.groups[form])
    trials, nuisance = case.design.canonical, case.design.matrix[:, n:]
    found = []
    for i in case.some:
        others = [
            trials[:, (groups == name) & (np.arange(n) != i)].sum(axis=1)
            for name in np.unique(groups)
        ]
        model = np.column_stack([trials[:, i], *others, nuisance])
        found.append(np.linalg.pinv(model)[0] @ case.centered)  # only the amplitude of the trial
    return np.array(found)


def check(case: Case, form: str) -> None:
    """Compare the amplitudes of both.

    Raises
    ------
    ArithmeticError
        If they differ by more than 1e-6 of the largest.
    """
    expected = peer(case, form)
    found = ours(case, form)
    if len(found) != case.design.n_trials:
        raise ArithmeticError(f"lss: {len(found)} of {case.design.n_trials} trials estimated.")
    off = float(np.abs(found[case.some] - expected).max())
    if off > 1e-6 * float(np.abs(expected).max()):
        raise ArithmeticError(f"lss: amplitudes differ from those of regressions by {off}.")


def run(size: Size, device: Device) -> list[Row]:  # noqa: ARG001 no GPU path
    """Compare answers, then times; the peer's is that of the trials it fits, times all of them."""
    rows = []
    for shape in SIZES[size]:
        case = make_case(*shape)
        for form in FORMS:
            check(case, form)
            ours_s, some_s = time_both(
                partial(ours, case, form), partial(peer, case, form), n_repeats=REPEATS[size]
            )
            peer_s = some_s * shape[0] / len(case.some)
            name = f"lss[{form},{'x'.join(map(str, shape[:3]))}]"
            rows.append(Row(name, ours_s, peer_s, TARGET))
    return rows
