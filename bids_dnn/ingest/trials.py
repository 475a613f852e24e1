"""Single-trial responses: one regressor for each event (least squares, all at once)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import cumulative_trapezoid

from bids_dnn.errors import NotEnoughDataError

Array = NDArray[np.float64]
Hrf = Literal[
    "spm",
    "spm + derivative",
    "spm + derivative + dispersion",
    "glover",
    "glover + derivative",
    "glover + derivative + dispersion",
]
HRFS: tuple[Hrf, ...] = get_args(Hrf)
Part = Literal["canonical", "derivative", "dispersion"]
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
    matrix : (n_volumes, n_trials * n_parts + n_nuisance) float64
        The canonical response to each trial, then the derivatives of each (by derivative, then
        by trial), then the rest.
    n_trials : int
        Columns that are wanted; the rest (derivatives, confounds, drift, constant) is not.
    inside : (n_events,) bool
        Which of the events that were given have a column: not those that begin less than 2 s
        before the last volume, or after it.
    n_parts : int
        Columns of each trial: 1, or more with derivatives of the response.
    """

    matrix: Array
    n_trials: int
    inside: NDArray[np.bool_]
    n_parts: int = 1

    @property
    def canonical(self) -> Array:
        """Return the canonical response to each trial, (n_volumes, n_trials), peak 1."""
        return self.matrix[:, : self.n_trials]


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

    The canonical response to the event has a peak of 1 on a fine grid of time, whatever the
    event's duration and the repetition time: an amplitude is the peak of the response.

    Parameters
    ----------
    onsets_s, durations_s : (n_events,) s
    frame_times_s : (n_volumes,) s
        To which slice timing correction brought each volume.
    hrf
        Canonical response: SPM's or Glover's; with its derivative in time, and in dispersion,
        as further columns of each event that are not wanted.
    confounds : (n_volumes, n_confounds)
        Columns that are regressed out.
    high_pass_hz : Hz
        Cut-off of a cosine drift model; None = none (the confounds hold one).

    References
    ----------
    Mumford et al. (2012), NeuroImage 59:2636, doi:10.1016/j.neuroimage.2011.08.076.
    """
    onsets, durations = np.asarray(onsets_s), np.asarray(durations_s)
    canonical = responses_at(frame_times_s, onsets, durations, hrf=hrf)
    in_time = onsets <= frame_times_s[-1] - RISE_S
    inside = in_time & (canonical != 0).any(axis=0)
    further = [
        responses_at(frame_times_s, onsets[inside], durations[inside], hrf=hrf, part=part)
        for part in parts_of(hrf)[1:]
    ]
    rest = nuisance_columns(frame_times_s, confounds=confounds, high_pass_hz=high_pass_hz)
    matrix = np.column_stack([canonical[:, inside], *further, rest])
    return Design(matrix, int(inside.sum()), inside, 1 + len(further))


def nuisance_columns(
    frame_times_s: Array, *, confounds: Array, high_pass_hz: float | None
) -> Array:
    """Return confounds, cosine drift and a constant, (n_volumes, n_nuisance).

    Parameters
    ----------
    frame_times_s : (n_volumes,) s
    confounds : (n_volumes, n_confounds)
    high_pass_hz : Hz
        Cut-off of the drift; None = no drift.
    """
    from nilearn.glm.first_level import make_first_level_design_matrix

    extra = [f"confound{i:04d}" for i in range(confounds.shape[1])]
    made = make_first_level_design_matrix(
        frame_times_s,
        drift_model=None if high_pass_hz is None else "cosine",
        high_pass=high_pass_hz or 0.01,
        add_regs=confounds if extra else None,
        add_reg_names=extra or None,
    )
    columns: Array = made.to_numpy(dtype=np.float64)
    return columns


def parts_of(hrf: Hrf) -> tuple[Part, ...]:
    """Return the columns that a choice of response gives each event.

    Examples
    --------
    >>> parts_of("spm + derivative")
    ('canonical', 'derivative')
    """
    return ("canonical", *(cast(Part, name) for name in hrf.split(" + ")[1:]))


def responses_at(
    times_s: Array, onsets_s: Array, durations_s: Array, *, hrf: Hrf, part: Part = "canonical"
) -> Array:
    """Return the response to each event, with a peak of 1.

    Parameters
    ----------
    times_s : (n_times,) s
    onsets_s, durations_s : (n_events,) s
        A duration of 0 is an impulse.
    hrf
        Canonical response: SPM's or Glover's.
    part
        The canonical response, or its derivative in time or dispersion, whose largest absolute
        value is 1.

    Returns
    -------
    responses : (n_times, n_events) float64
    """
    kernel = _kernel(hrf, part)
    grid = np.linspace(0, LENGTH_S, len(kernel))  # s
    total = cumulative_trapezoid(kernel, grid, initial=0)  # the response to a step

    def respond(since_s: Array, duration: float) -> Array:
        if duration < 1 / FINE_PER_S:
            made: Array = np.interp(since_s, grid, kernel, left=0.0, right=0.0)
        else:
            made = np.interp(since_s, grid, total) - np.interp(since_s - duration, grid, total)
        return made

    peaks = {
        duration: np.abs(respond(np.arange(0, LENGTH_S, 1 / FINE_PER_S), duration)).max()
        for duration in np.unique(durations_s).tolist()
    }
    responses = np.zeros((len(times_s), len(onsets_s)))
    for i, (onset, duration) in enumerate(zip(onsets_s, durations_s, strict=True)):
        responses[:, i] = respond(times_s - onset, float(duration)) / peaks[float(duration)]
    return responses


def _kernel(hrf: Hrf, part: Part) -> Array:
    from nilearn.glm import first_level

    name = hrf.split(" + ")[0]
    made = {
        "canonical": {"spm": first_level.spm_hrf, "glover": first_level.glover_hrf},
        "derivative": {
            "spm": first_level.spm_time_derivative,
            "glover": first_level.glover_time_derivative,
        },
        "dispersion": {
            "spm": first_level.spm_dispersion_derivative,
            "glover": first_level.glover_dispersion_derivative,
        },
    }[part][name]
    kernel: Array = made(1.0, oversampling=FINE_PER_S)
    return kernel


def solve_trials(
    design: Design, *, keep: NDArray[np.bool_], run: str, low_pass: Array | None = None
) -> Solver:
    """Return the weights of each trial by least squares, all at once.

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
    low_pass : (n_kept, n_kept)
        Times a time course filters it (see `bands`); series and design are both filtered.

    Raises
    ------
    NotEnoughDataError
        If there are not more volumes than regressors, or two trials cannot be told apart though
        their volumes are there.
    """
    x, n_free = filtered(design.matrix[keep], low_pass)
    n_regressors = int((np.linalg.norm(x, axis=0) > 0).sum())
    if n_free <= n_regressors:
        kept = "volumes" if low_pass is None else "independent volumes (after the low-pass)"
        raise NotEnoughDataError(
            f"Run {run} has {n_free} {kept} for {n_regressors} regressors "
            f"({design.n_trials} trials), which leaves none for the error.",
            mend='Use responses.model = "lss" or "block", a leaner responses.confounds, or name '
            "trial types without interest in responses.rest.",
        )
    trials = slice(0, design.n_trials)
    inverse = inverse_of(x)  # (n_regressors, n_kept)
    is_lost = ~is_determined(inverse[trials], x[:, trials])
    if is_lost.any():
        before = is_determined(inverse_of(design.matrix)[trials], design.canonical)
        for trial in np.flatnonzero(is_lost & is_seen(design, keep) & ~before).tolist():
            if _is_determined_alone(design, trial):
                raise collinear_error(design, trial, run)
    rank = round(float((inverse * x.T).sum()))  # trace of the projection
    weights = inverse[trials] if low_pass is None else inverse[trials] @ low_pass
    return solver_of(weights, x[:, trials], is_lost=is_lost, degrees_of_freedom=n_free - rank)


def _is_determined_alone(design: Design, trial: int) -> bool:
    """Tell whether a trial is hidden by others, if at all, and not by its own derivatives."""
    n = design.n_trials * design.n_parts
    x = np.column_stack([design.matrix[:, trial : n : design.n_trials], design.matrix[:, n:]])
    return bool(is_determined(inverse_of(x)[:1], x[:, :1])[0])


def filtered(x: Array, low_pass: Array | None) -> tuple[Array, int]:
    """Return the design after a low-pass filter, and how many independent volumes that leaves."""
    return (x, len(x)) if low_pass is None else (low_pass @ x, round(float((low_pass**2).sum())))


def is_seen(design: Design, keep: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which trials have a kept volume near their peak, (n_trials,)."""
    seen: NDArray[np.bool_] = np.abs(design.canonical[keep]).max(axis=0) >= SEEN
    return seen


def collinear_error(design: Design, trial: int, run: str) -> NotEnoughDataError:
    """Return the refusal of a trial that another event hides."""
    return NotEnoughDataError(
        f"Trial {trial + 1} of {design.n_trials} in run {run} cannot be told apart from the "
        "other regressors: another event has its time.",
        mend='Use responses.model = "block", or name one of the trial types in responses.rest.',
    )


def solver_of(
    weights: Array, trials: Array, *, is_lost: NDArray[np.bool_], degrees_of_freedom: int
) -> Solver:
    """Return the solver of those trials whose error variance is not far above the others'.

    Parameters
    ----------
    weights : (n_trials, n_kept)
    trials : (n_kept, n_trials)
        Regressors, as they were fitted.
    is_lost : (n_trials,) bool
        Trials that are not determined.
    degrees_of_freedom : int
    """
    variance = (weights**2).sum(axis=1)  # of each estimate, in units of the error's
    ratio = np.full(len(weights), np.inf)
    if not is_lost.all():
        ratio[~is_lost] = variance[~is_lost] / np.median(variance[~is_lost])
    good = np.flatnonzero(ratio <= BARELY)
    centered = trials[:, good] - trials[:, good].mean(axis=0)
    inflation = variance[good] * (centered**2).sum(axis=0)
    return Solver(weights[good], degrees_of_freedom, inflation, ratio)


def inverse_of(x: Array) -> Array:
    """Return the pseudo-inverse of a design (n, p), (p, n), whatever the units of its columns."""
    norm = np.linalg.norm(x, axis=0)
    norm[norm == 0] = 1.0
    inverse: Array = np.linalg.pinv(x / norm, rcond=1e-8) / norm[:, None]
    return inverse


def is_determined(inverse: Array, x: Array) -> NDArray[np.bool_]:
    """Tell which trials can be estimated: their weights answer 1 to their own regressor."""
    determined: NDArray[np.bool_] = np.abs((inverse * x.T).sum(axis=1) - 1) <= 1e-4
    return determined
