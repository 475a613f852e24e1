"""Single-trial responses: one regressor for each event (least squares, all at once)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import cumulative_trapezoid

from bids_dnn.errors import NotEnoughDataError

Array = NDArray[np.float64]
Hrf = Literal["spm", "glover"]
RISE_S = 2.0  # the canonical response is still at a fifth of its peak
FINE_PER_S = 1000  # samples a second of the response, before it is read off at each volume
LENGTH_S = 32  # of the canonical response
BARELY = 9.0  # times the median error variance of the run, above which a trial is left out
SEEN = 0.5  # of the peak: a trial whose largest value at a volume is below it is hardly seen


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
    weights : (n_estimated, n_volumes) float64
        Times a time course gives the amplitude of each trial that can be estimated.
    degrees_of_freedom : int
        Volumes less the rank of the design.
    inflation : (n_estimated,) float64
        Variance inflation factor of each trial, 1 where it overlaps with nothing.
    variance_ratio : (n_trials,) float64
        Error variance of each estimate over the median of the run; infinite for a trial that
        the volumes do not determine.
    """

    weights: Array
    degrees_of_freedom: int
    inflation: Array
    variance_ratio: Array

    @property
    def estimated(self) -> NDArray[np.bool_]:
        """Which trials have a row in `weights`, (n_trials,): those not above `BARELY`."""
        return self.variance_ratio <= BARELY


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

    The regressor is the canonical response to a box of the event's duration, divided by the
    peak of that response (on a fine grid, so that it depends on neither the onset nor the
    repetition time): an amplitude is the change at the peak of the response.

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

    extra = [f"confound{i:04d}" for i in range(confounds.shape[1])]
    rest = make_first_level_design_matrix(
        frame_times_s,
        drift_model=None if high_pass_hz is None else "cosine",
        high_pass=high_pass_hz or 0.01,
        add_regs=confounds if extra else None,
        add_reg_names=extra or None,
    )
    trials = responses_at(frame_times_s, onsets_s, durations_s, hrf=hrf)
    in_time = np.asarray(onsets_s) <= frame_times_s[-1] - RISE_S
    inside = in_time & (trials != 0).any(axis=0)
    matrix = np.column_stack([trials[:, inside], rest.to_numpy(dtype=np.float64)])
    return Design(matrix, int(inside.sum()), inside)


def responses_at(times_s: Array, onsets_s: Array, durations_s: Array, *, hrf: Hrf) -> Array:
    """Return the canonical response to each event, with a peak of 1.

    Parameters
    ----------
    times_s : (n_times,) s
    onsets_s, durations_s : (n_events,) s
        A duration of 0 is an impulse.
    hrf
        Canonical response: SPM's or Glover's.

    Returns
    -------
    responses : (n_times, n_events) float64
    """
    from nilearn.glm.first_level import glover_hrf, spm_hrf

    kernel = {"spm": spm_hrf, "glover": glover_hrf}[hrf](1.0, oversampling=FINE_PER_S)
    grid = np.linspace(0, LENGTH_S, len(kernel))  # s
    total = cumulative_trapezoid(kernel, grid, initial=0)  # the response to a step

    def respond(since_s: Array, duration: float) -> Array:
        if duration < 1 / FINE_PER_S:
            made: Array = np.interp(since_s, grid, kernel, left=0.0, right=0.0)
        else:
            made = np.interp(since_s, grid, total) - np.interp(since_s - duration, grid, total)
        return made

    peaks = {
        duration: respond(np.arange(0, LENGTH_S, 1 / FINE_PER_S), duration).max()
        for duration in np.unique(durations_s).tolist()
    }
    responses = np.zeros((len(times_s), len(onsets_s)))
    for i, (onset, duration) in enumerate(zip(onsets_s, durations_s, strict=True)):
        responses[:, i] = respond(times_s - onset, float(duration)) / peaks[float(duration)]
    return responses


def solve_trials(design: Design, *, keep: NDArray[np.bool_], run: str) -> Solver:
    """Return the least-squares weights of each trial.

    A trial that the kept volumes hardly determine, as it comes late or most of its volumes were
    left out, has no weights; its regressor stays, so that others do not take its signal.

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
        If there are not more volumes than regressors, or two trials cannot be told apart though
        their volumes are there.
    """
    x = design.matrix[keep]  # (n_kept, n_regressors)
    norm = np.linalg.norm(x, axis=0)
    n_regressors = int((norm > 0).sum())
    if len(x) <= n_regressors:
        raise NotEnoughDataError(
            f"Run {run} has {len(x)} volumes for {n_regressors} regressors "
            f"({design.n_trials} trials), which leaves none for the error.",
            mend='Use responses.model = "block", a leaner responses.confounds, or name trial '
            "types without interest in responses.rest.",
        )
    trials = slice(0, design.n_trials)
    inverse = _inverse(x)  # (n_regressors, n_kept)
    is_lost = ~_determined(inverse[trials], x[:, trials])
    if is_lost.any():
        before = _determined(_inverse(design.matrix)[trials], design.matrix[:, trials])
        is_seen = np.abs(x[:, trials]).max(axis=0) >= SEEN
        if np.any(collinear := is_lost & is_seen & ~before):
            raise NotEnoughDataError(
                f"Trial {np.flatnonzero(collinear)[0] + 1} of {design.n_trials} in run {run} "
                "cannot be told apart from the other regressors: another event has its time.",
                mend='Use responses.model = "block", or name one of the trial types in '
                "responses.rest.",
            )
    variance = (inverse[trials] ** 2).sum(axis=1)  # of each estimate, in units of the error's
    ratio = np.full(design.n_trials, np.inf)
    if not is_lost.all():
        ratio[~is_lost] = variance[~is_lost] / np.median(variance[~is_lost])
    good = np.flatnonzero(ratio <= BARELY)
    centered = x[:, good] - x[:, good].mean(axis=0)
    rank = round(float((inverse * x.T).sum()))  # trace of the projection
    inflation = variance[good] * (centered**2).sum(axis=0)
    return Solver(inverse[good], len(x) - rank, inflation, ratio)


def _inverse(x: Array) -> Array:
    norm = np.linalg.norm(x, axis=0)
    norm[norm == 0] = 1.0
    inverse: Array = np.linalg.pinv(x / norm, rcond=1e-8) / norm[:, None]
    return inverse


def _determined(inverse: Array, x: Array) -> NDArray[np.bool_]:
    """Tell which trials can be estimated: their weights answer 1 to their own regressor."""
    determined: NDArray[np.bool_] = np.abs((inverse * x.T).sum(axis=1) - 1) <= 1e-4
    return determined
