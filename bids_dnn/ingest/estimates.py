"""Runs as recorded -> samples: trials, conditions, blocks or volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.errors import NotEnoughDataError, UnreadableError
from bids_dnn.ingest.choices import Settings
from bids_dnn.ingest.condition_means import (
    Columns,
    Evidence,
    canonical_columns,
    fir_columns,
    project,
    solve_conditions,
)
from bids_dnn.ingest.events import condition_table, covering
from bids_dnn.ingest.lss import solve_separately
from bids_dnn.ingest.recorded import Recorded, mean_signal, times_series
from bids_dnn.ingest.standardize import remove_trend
from bids_dnn.ingest.trials import (
    SEEN,
    Design,
    Solver,
    design_trials,
    nuisance_columns,
    solve_trials,
)

Floats = NDArray[np.float32]
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """Samples of one run or session.

    Parameters
    ----------
    values : (n_samples, n_units) float32
    samples
        One row a sample.
    lost : by reason, (n_units,) bool
        Units that cannot be used.
    runs
        Facts of each run that went in.
    """

    values: Floats
    samples: pd.DataFrame
    lost: dict[str, NDArray[np.bool_]]
    runs: tuple[dict[str, Any], ...]


def estimate_trials(recorded: Recorded, settings: Settings) -> Made:
    """Estimate each trial, in percent of the run's mean over its units and volumes.

    The mean over all units, not each unit's own: else the darkest ones at the edge would have
    the largest responses and rule every pattern.

    Raises
    ------
    UnreadableError
        If the mean signal is not above 0.
    NotEnoughDataError
        If the model leaves no volume for the error, or two trials have one time, or no trial
        is left.
    """
    trials, keep = recorded.table[~recorded.is_rest], recorded.keep
    cutoff, drift = drift_of(recorded, settings)
    design = design_trials(
        trials["onset_s"].to_numpy(),
        trials["duration_s"].to_numpy(),
        frame_times_s=recorded.times_s,
        hrf=settings["hrf"],
        confounds=recorded.confounds.values,
        high_pass_hz=cutoff,
    )
    if not design.n_trials:
        raise recorded.no_trial()
    inside = trials[design.inside]
    solver = _solver(recorded, design, settings, conditions=inside["condition"].tolist())
    grand = _grand_mean(recorded)
    percent = 100 / grand * solver.weights
    values = times_series(percent, recorded.series, keep, out=np.float32)
    ratio = solver.variance_ratio
    samples = inside[solver.estimated].assign(
        motion=recorded.motion_in(design.canonical >= SEEN)[solver.estimated]
    )
    facts = {
        "drift": drift,
        "mean_signal": grand,
        "degrees_of_freedom": solver.degrees_of_freedom,
        "max_variance_inflation": float(solver.inflation.max(initial=1.0)),
        "max_variance_ratio": float(ratio[np.isfinite(ratio)].max(initial=1.0)),
        "barely_estimated_onsets_s": inside["onset_s"][~solver.estimated].tolist(),
        "events_outside_run": int((~design.inside).sum()),
    }
    return Made(values.astype(np.float32), samples, recorded.lost, ({**recorded.facts, **facts},))


def _solver(
    recorded: Recorded, design: Design, settings: Settings, *, conditions: Sequence[str]
) -> Solver:
    keep, run, low_pass = recorded.keep, recorded.run, recorded.low_pass
    if settings["model"] == "lsa":
        return solve_trials(design, keep=keep, run=run, low_pass=low_pass)
    groups = conditions if settings["model"] == "lss-by-condition" else [""] * design.n_trials
    return solve_separately(design, groups=groups, keep=keep, run=run, low_pass=low_pass)


def drift_of(recorded: Recorded, settings: Settings) -> tuple[float | None, str]:
    """Return the cut-off of the drift model (None = no model), and what is done, in words.

    Where the confounds hold cosines there is no second drift model.
    """
    if recorded.confounds.has_cosines:
        return None, "cosines of the confounds table"
    cutoff = settings["high_pass_hz"] or None
    return cutoff, "none" if cutoff is None else f"cosines up to {cutoff:g} Hz"


def _grand_mean(recorded: Recorded) -> float:
    grand = mean_signal(recorded.series, recorded.keep, recorded.is_good)
    if not grand > 0:
        raise UnreadableError(
            f"The mean signal of {recorded.said} is {grand:.3g}, so there is no percent "
            "signal change.",
            mend="Give preprocessed BOLD from which the mean was not taken (desc-preproc).",
        )
    return grand


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What one run, or several joined, tell of the conditions; without series.

    Parameters
    ----------
    evidence
        Of the amplitudes.
    trials
        Events that are trials.
    wanted : (n_conditions, n_regressors)
        The same in all runs.
    motion : (n_runs, n_conditions) mm
        Mean framewise displacement; NaN where it is not known.
    lost : by reason, (n_units,) bool
    facts
        Of each run.
    """

    evidence: Evidence
    trials: pd.DataFrame
    wanted: Array
    motion: Array
    lost: dict[str, NDArray[np.bool_]]
    facts: tuple[dict[str, Any], ...]

    def __add__(self, other: Told) -> Told:
        return Told(
            self.evidence + other.evidence,
            pd.concat([self.trials, other.trials], ignore_index=True),
            self.wanted,
            np.concatenate([self.motion, other.motion]),
            {name: which | other.lost[name] for name, which in self.lost.items()},
            self.facts + other.facts,
        )


def tell_conditions(recorded: Recorded, settings: Settings, *, names: Sequence[str]) -> Told:
    """Return what one run tells of each condition, by canonical shape or by FIR.

    Parameters
    ----------
    recorded
    settings
    names : n_conditions
        Of all runs that may be joined.

    Raises
    ------
    UnreadableError
        If the mean signal is not above 0.
    NotEnoughDataError
        If no delay lies in the window.
    """
    trials = recorded.table[~recorded.is_rest]
    cutoff, drift = drift_of(recorded, settings)
    columns = _columns(recorded, trials, settings, names=names)
    nuisance = nuisance_columns(
        recorded.times_s, confounds=recorded.confounds.values, high_pass_hz=cutoff
    )
    gram, weights, free = project(
        columns, nuisance, keep=recorded.keep, low_pass=recorded.low_pass
    )
    grand = _grand_mean(recorded)
    percent = 100 / grand * weights
    moments = times_series(percent, recorded.series, recorded.keep, out=np.float64)
    last = recorded.times_s[-1]
    facts = {
        "drift": drift,
        "mean_signal": grand,
        "events_outside_run": int((trials["onset_s"] > last).sum()),
    }
    return Told(
        Evidence(gram, moments, free),
        trials,
        columns.wanted,
        recorded.motion_in(columns.seen)[None],
        recorded.lost,
        ({**recorded.facts, **facts},),
    )


def _columns(
    recorded: Recorded, trials: pd.DataFrame, settings: Settings, *, names: Sequence[str]
) -> Columns:
    onsets = trials["onset_s"].to_numpy(dtype=np.float64)
    conditions = trials["condition"].tolist()
    if settings["model"] == "fir":
        return fir_columns(
            onsets,
            conditions,
            names=names,
            frame_times_s=recorded.times_s,
            t_r_s=recorded.t_r_s,
            window_s=settings["fir_window_s"],
            length_s=settings["fir_length_s"],
        )
    return canonical_columns(
        onsets,
        trials["duration_s"].to_numpy(dtype=np.float64),
        conditions,
        names=names,
        frame_times_s=recorded.times_s,
        hrf=settings["hrf"],
    )


def estimate_conditions(told: Told, *, names: Sequence[str], run: str) -> Made:
    """Return one sample for each condition, from the runs of one model.

    Parameters
    ----------
    told
        Of one run, or of all runs of a session.
    names : n_conditions
    run
        Id that the samples get.

    Raises
    ------
    NotEnoughDataError
        If the model leaves no volume for the error, or no condition is determined.
    """
    values, is_lost, n_left = solve_conditions(told.evidence, told.wanted, where=f"Run {run}")
    there = set(told.trials["condition"])
    if is_lost.all():
        raise NotEnoughDataError(
            f"Run {run} does not determine any of its {len(there)} conditions.",
            mend="Check the onsets (in seconds), or use a shorter responses.fir_length_s.",
        )
    count = np.isfinite(told.motion).sum(axis=0)
    total = np.nansum(told.motion, axis=0)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    table = condition_table(told.trials, names=names, run=run).assign(motion=mean)
    hidden = [n for n, lost in zip(names, is_lost, strict=True) if lost and n in there]
    more = {"degrees_of_freedom": n_left, "undetermined_conditions": hidden}
    runs = tuple({**facts, **more} for facts in told.facts)
    return Made(values[~is_lost].astype(np.float32), table[~is_lost], told.lost, runs)


def take_volumes(recorded: Recorded, settings: Settings) -> Made:
    """Take the volumes that lie in an event, or their mean over each event.

    Raises
    ------
    NotEnoughDataError
        If no volume lies in a trial, or the rest that should set the scale has none.
    """
    table, keep = recorded.table, recorded.keep
    times_s = recorded.times_s - settings["delay_s"]
    event = covering(times_s, table)[keep]  # (n_kept,), -1 = none
    resting = (event < 0) | recorded.is_rest[event]
    values = remove_trend(
        recorded.series if keep.all() else recorded.series[keep],
        recorded.confounds.values[keep],
        positions=np.flatnonzero(keep),
        is_linear=settings["detrend"] == "linear",
        low_pass=recorded.low_pass,
    )
    flat = np.zeros(values.shape[1], dtype=bool)  # in the rest volumes
    if settings["standardize"] == "rest":
        values, flat = _by_rest(values, resting, run=recorded.run)
    rows = np.flatnonzero(~resting)
    if not len(rows):
        raise recorded.no_trial()
    facts = {
        "drift": "linear" if settings["detrend"] == "linear" else "none",
        "n_rest_volumes": int(resting.sum()),
        "events_outside_run": len(set(table.index[~recorded.is_rest]) - set(event[rows].tolist())),
    }
    lost = {**recorded.lost, "constant at rest": flat}
    runs = ({**recorded.facts, **facts},)
    moved = recorded.moved_mm[keep]
    if settings["model"] == "volumes":
        samples = table.iloc[event[rows]].assign(motion=moved[rows])
        return Made(values[rows], samples, lost, runs)
    trials = np.unique(event[rows])
    means = [values[event == trial].mean(axis=0, dtype=np.float64) for trial in trials]
    blocks = np.array(means, dtype=np.float32).reshape(len(trials), values.shape[1])
    seen = np.zeros((len(keep), len(trials)), dtype=bool)
    seen[keep] = event[:, None] == trials
    samples = table.iloc[trials].assign(motion=recorded.motion_in(seen))
    return Made(blocks, samples, lost, runs)


def _by_rest(
    values: Floats, resting: NDArray[np.bool_], *, run: str
) -> tuple[Floats, NDArray[np.bool_]]:
    if resting.sum() < 2:
        raise NotEnoughDataError(
            f"Run {run} has {int(resting.sum())} rest volumes, at least 2 are needed for "
            'responses.standardize = "rest".',
            mend='Name the rest in responses.rest, or use responses.standardize = "run".',
        )
    mean = values[resting].mean(axis=0, dtype=np.float64)
    sd = values[resting].std(axis=0, dtype=np.float64)
    flat: NDArray[np.bool_] = sd == 0
    return ((values - mean) / np.where(flat, 1.0, sd)).astype(np.float32), flat
