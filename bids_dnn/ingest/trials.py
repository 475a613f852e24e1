"""Single-trial responses: one regressor for each event (least squares, all at once)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.errors import NotEnoughDataError

Array = NDArray[np.float64]
Hrf = Literal["spm", "glover"]
RISE_S = 2.0  # the canonical response is still at a fifth of its peak


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """A design matrix whose first columns are trials.

    Parameters
    ----------
    matrix : (n_volumes, n_trials + n_nuisance) float64
    n_trials : int
        Columns that are wanted; the rest (confounds, drift, constant) is not.
    inside : (n_events,) bool
        Which of the events that were given have a column: not those that begin less than 2 s
        before the last volume, or after it.
    """

    matrix: Array
    n_trials: int
    inside: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Solver:
    """What a design makes of any voxel.

    Parameters
    ----------
    weights : (n_trials, n_volumes) float64
        Times a time course gives the amplitude of each trial.
    degrees_of_freedom : int
        Volumes less the rank of the design.
    inflation : (n_trials,) float64
        Variance inflation factor of each trial, 1 where it overlaps with nothing.
    """

    weights: Array
    degrees_of_freedom: int
    inflation: Array


def design_trials(
    onsets_s: Array,
    durations_s: Array,
    *,
    frame_times_s: Array,
    hrf: Hrf,
    confounds: Array,
    high_pass_hz: float | None,
) -> Design:
    """Return a design with one regressor for each event.

    Parameters
    ----------
    onsets_s, durations_s : (n_events,) s
        On the clock of the scanner; a duration of 0 is an impulse.
    frame_times_s : (n_volumes,) s
        When each volume was taken: StartTime + i TR.
    hrf
        Canonical response: SPM's or Glover's.
    confounds : (n_volumes, n_confounds)
        Columns that are regressed out.
    high_pass_hz : Hz
        Cut-off of a cosine drift model; None = none (the confounds hold one).

    References
    ----------
    Mumford et al. (2012), NeuroImage 59:2636, doi:10.1016/j.neuroimage.2011.08.076.
    """
    from nilearn.glm.first_level import make_first_level_design_matrix

    names = [f"trial{i:06d}" for i in range(len(onsets_s))]
    events = pd.DataFrame({"onset": onsets_s, "duration": durations_s, "trial_type": names})
    extra = [f"confound{i:04d}" for i in range(confounds.shape[1])]
    with warnings.catch_warnings():
        # nilearn warns of impulses, and of events beyond the run, which we count ourselves
        warnings.simplefilter("ignore", UserWarning)
        table = make_first_level_design_matrix(
            frame_times_s,
            events=events,
            hrf_model=hrf,
            drift_model=None if high_pass_hz is None else "cosine",
            high_pass=high_pass_hz or 0.01,
            add_regs=confounds if extra else None,
            add_reg_names=extra or None,
        )
    peak = {name: float(np.abs(table[name]).max()) for name in names if name in table}
    in_time = np.asarray(onsets_s) <= frame_times_s[-1] - RISE_S
    inside = in_time & np.array([peak.get(n, 0.0) > 0 for n in names], dtype=bool)
    kept = [name for name, is_in in zip(names, inside, strict=True) if is_in]
    rest = [column for column in table.columns if column not in set(names)]
    return Design(table[kept + rest].to_numpy(dtype=np.float64), len(kept), inside)


def solve_trials(design: Design, *, keep: NDArray[np.bool_], run: str) -> Solver:
    """Return the least-squares weights of each trial.

    Parameters
    ----------
    design
        For all volumes.
    keep : (n_volumes,) bool
        Volumes that count.
    run
        For the error.

    Raises
    ------
    NotEnoughDataError
        If there are not more volumes than regressors, or two trials cannot be told apart.
    """
    x = design.matrix[keep]  # (n_kept, n_regressors)
    if len(x) <= x.shape[1]:
        raise NotEnoughDataError(
            f"Run {run} has {len(x)} volumes for {x.shape[1]} regressors "
            f"({design.n_trials} trials), which leaves none for the error.",
            mend='Use responses.model = "block", a leaner responses.confounds, or name trial '
            "types without interest in responses.rest.",
        )
    norm = np.linalg.norm(x, axis=0)
    norm[norm == 0] = 1.0
    inverse: Array = np.linalg.pinv(x / norm, rcond=1e-8) / norm[:, None]  # (n_regressors, n_kept)
    trials = slice(0, design.n_trials)
    own = (inverse[trials] * x[:, trials].T).sum(axis=1)  # 1 where a trial can be estimated
    if np.any(np.abs(own - 1) > 1e-4):
        worst = int(np.argmin(own))
        raise NotEnoughDataError(
            f"Trial {worst + 1} of {design.n_trials} in run {run} cannot be told apart from the "
            "other regressors: another event has its time, or its volumes were left out.",
            mend='Use responses.model = "block", or name one of the trial types in '
            "responses.rest.",
        )
    centered = x[:, trials] - x[:, trials].mean(axis=0)
    variance = (inverse[trials] ** 2).sum(axis=1)  # of each estimate, in units of the error's
    rank = round(float((inverse * x.T).sum()))  # trace of the projection
    return Solver(inverse[trials], len(x) - rank, variance * (centered**2).sum(axis=0))
