"""fMRIPrep's BOLD volumes -> `Responses`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypedDict, Unpack

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn import imaging
from bids_dnn.containers.responses import Responses, Scale
from bids_dnn.containers.space import Space
from bids_dnn.errors import (
    ConfigError,
    MissingInputError,
    NotEnoughDataError,
    SpaceError,
    UnreadableError,
    nearest,
)
from bids_dnn.ingest import confounds as nuisance
from bids_dnn.ingest.events import STIMULUS, covering, number_repeats, read_events, sample_table
from bids_dnn.ingest.records import Ingested, Run, Subject
from bids_dnn.ingest.standardize import by_group, remove_trend
from bids_dnn.ingest.summary import scaling_facts, summarize, warnings_of
from bids_dnn.ingest.trials import Hrf, design_trials, solve_trials

Floats = NDArray[np.float32]
CHUNK_UNITS = 16384  # solved at once: bounds memory, and is fixed so that sums repeat


class Settings(TypedDict):
    """How volumes become responses; see `read_responses`."""

    model: Literal["lsa", "block", "volumes"]
    hrf: Hrf
    high_pass_hz: float
    confounds: str
    standardize: Literal["none", "run", "session", "rest"]
    detrend: Literal["none", "linear"]
    rest: tuple[str, ...]
    delay_s: float


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    """Samples of one run: values (n_samples, n_units), their table, usable units, facts."""

    values: Floats
    samples: pd.DataFrame
    lost: dict[str, NDArray[np.bool_]]
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class _Recorded:
    """One run as recorded: series (n_volumes, n_units), when, what was shown, usable units."""

    series: Floats
    times_s: NDArray[np.float64]
    table: pd.DataFrame
    is_rest: NDArray[np.bool_]
    is_good: NDArray[np.bool_]
    confounds: nuisance.Confounds


def read_responses(subject: Subject, **settings: Unpack[Settings]) -> Ingested:
    """Return what each voxel answered to each trial, block or volume.

    Parameters
    ----------
    subject
        From the inventory, with runs of preprocessed BOLD.
    **settings
        `model`: ``lsa`` = a general linear model with one regressor a trial, in percent of the
        run's mean signal; ``block`` = mean over the volumes of an event; ``volumes`` = each
        volume of an event.
        `hrf` and `high_pass_hz`: for ``lsa``; the latter is the cut-off of the cosine drift,
        which is left out where the confounds hold cosines.
        `confounds`: a named strategy.
        `standardize`: z-score over the samples of a ``run`` or ``session``, or on the ``rest``
        volumes of each run (not for ``lsa``).
        `detrend`: ``linear`` or ``none``, for ``block`` and ``volumes``.
        `rest`: trial types that are no trials.
        `delay_s`: a volume belongs to the event that covers its time less this delay, for
        ``block`` and ``volumes``.

    Returns
    -------
    ingested
        Units are the voxels in the brain masks of all runs, less those that are NaN or do not
        vary in some run (counted in the facts).

    Raises
    ------
    ConfigError
        If a setting does not exist, or ``rest`` is asked for with ``lsa``.
    MissingInputError
        If a mask, events, a column of the events or of the confounds is not there.
    UnreadableError
        If a file is damaged.
    SpaceError
        If the runs lie on different grids.
    NotEnoughDataError
        If a run has too few volumes, or no trial, or no voxel is left.
    """
    _check(settings)
    space = _common_space(subject)
    made = [_read_run(run, space, settings) for run in subject.runs]
    lost = {k: np.any([m.lost[k] for m in made], axis=0) for k in made[0].lost}
    keep = ~np.any(list(lost.values()), axis=0)
    if not keep.any():
        counts = ", ".join(f"{int(v.sum())} {k}" for k, v in lost.items())
        raise NotEnoughDataError(
            f"No voxel of sub-{subject.participant} can be used: of {len(space)}, {counts}.",
            mend="Look at the BOLD images, and at the brain masks beside them.",
        )
    samples = number_repeats(pd.concat([m.samples for m in made], ignore_index=True))
    values = np.concatenate([m.values[:, keep] for m in made])
    if settings["standardize"] in ("run", "session"):
        values, flat = by_group(values, samples[settings["standardize"]].to_numpy(dtype=str))
        values, lost["constant"] = values[:, ~flat], _also(lost["constant"], keep, flat)
        keep[np.flatnonzero(keep)[flat]] = False
    scale: Scale = "psc" if settings["model"] == "lsa" else "raw"
    responses = Responses(
        values,
        samples.reset_index(drop=True),
        space.select(keep),
        scale if settings["standardize"] == "none" else "zscore",
    )
    return Ingested(responses, _facts(responses, settings, made, lost))


def _check(settings: Settings) -> None:
    allowed: dict[str, tuple[Any, tuple[str, ...]]] = {
        "model": (settings["model"], ("lsa", "block", "volumes")),
        "hrf": (settings["hrf"], ("spm", "glover")),
        "standardize": (settings["standardize"], ("none", "run", "session", "rest")),
        "detrend": (settings["detrend"], ("none", "linear")),
    }
    for name, (value, choices) in allowed.items():
        if value not in choices:
            raise ConfigError(
                f"responses.{name} is {value!r}, which does not exist.",
                mend=nearest(str(value), choices),
            )
    if settings["model"] == "lsa" and settings["standardize"] == "rest":
        raise ConfigError(
            'responses.standardize is "rest", but trial estimates (responses.model = "lsa") '
            "have no rest.",
            mend='Use responses.standardize = "run" or "session", or responses.model = "block".',
        )


def _common_space(subject: Subject) -> Space:
    """Return the voxels that lie in the brain masks of all runs."""
    spaces = []
    for run in subject.runs:
        if run.mask is None:
            raise MissingInputError(
                f"{run.bold.name} has no brain mask (*_desc-brain_mask.nii.gz) beside it.",
                mend="Run fMRIPrep with --level full, or fetch the masks.",
            )
        spaces.append(imaging.space_of_mask(run.mask, name=subject.space))
    common = spaces[0]
    for run, space in zip(subject.runs, spaces, strict=True):
        if not space.has_places_of(common):
            raise SpaceError(
                f"The runs of sub-{subject.participant} lie on two grids: {common.shape} in run "
                f"{subject.runs[0].run}, {space.shape} in run {run.run}, or shifted.",
                mend="Run fMRIPrep once on all runs, or choose runs with --run-id.",
            )
        common = common.select(np.isin(common.index, space.index))
    if not len(common):
        raise NotEnoughDataError(
            f"The brain masks of the {len(spaces)} runs of sub-{subject.participant} share no "
            "voxel.",
            mend="Look at the masks; a run that is badly aligned can be left out with --run-id.",
        )
    return common


def _read_run(run: Run, space: Space, settings: Settings) -> _Made:
    if run.t_r_s <= 0:
        raise MissingInputError(
            f"The repetition time of {run.bold.name} is not known.",
            mend="Write RepetitionTime into the JSON beside the image.",
        )
    if run.events is None:
        raise MissingInputError(
            f"{run.bold.name} has no events (*_events.tsv) in the raw data set.",
            mend="Write them, or leave the run out with --run-id or --task-id.",
        )
    events, n_untyped = read_events(run.events)
    series = imaging.read_units(run.bold, space)  # (n_volumes, n_units)
    found = nuisance.read_confounds(
        run.confounds, run.bold, strategy=settings["confounds"], n_volumes=len(series)
    )
    table = sample_table(events, session=run.session, run=run.run)
    is_rest = table["condition"].isin(settings["rest"]).to_numpy()
    lost, tsnr = _unusable(series, found.keep)
    series[:, lost["nan"]] = 1.0  # not used; NaN would cost time in the solvers
    facts: dict[str, Any] = {
        "run": run.run,
        "session": run.session,
        "n_volumes": len(series),
        "n_volumes_left_out": int((~found.keep).sum()),
        "t_r_s": run.t_r_s,
        "start_s": run.start_s,
        "start_from": run.start_from,
        "n_events": len(table),
        "n_rest_events": int(is_rest.sum()),
        "n_events_without_type": n_untyped,
        "confound_columns": list(found.names),
        "mean_framewise_displacement_mm": _mean_motion(run, len(series)),
        "tsnr": tsnr,
        "has_stimulus_column": any(name in events for name in STIMULUS),
    }
    times = run.start_s + run.t_r_s * np.arange(len(series), dtype=np.float64)
    make = _trials if settings["model"] == "lsa" else _volumes
    if is_rest.all():
        raise _no_trial(run, facts)
    is_good = ~np.any(list(lost.values()), axis=0)
    made = make(_Recorded(series, times, table, is_rest, is_good, found), settings)
    if not len(made.samples):
        raise _no_trial(run, facts)
    return _Made(made.values, made.samples, {**lost, **made.lost}, {**facts, **made.facts})


def _mean_motion(run: Run, n_volumes: int) -> float | None:
    moved = nuisance.framewise_displacement(run.confounds, n_volumes)
    return None if moved is None or np.isnan(moved).all() else float(np.nanmean(moved))


def _no_trial(run: Run, facts: dict[str, Any]) -> NotEnoughDataError:
    return NotEnoughDataError(
        f"Run {run.run} has no trial: of {facts['n_events']} events in {run.events}, "
        f"{facts['n_rest_events']} are rest, and no other covers a volume.",
        mend="Check the onsets (in seconds), responses.rest and responses.delay_s.",
    )


def _unusable(
    series: Floats, kept: NDArray[np.bool_]
) -> tuple[dict[str, NDArray[np.bool_]], float | None]:
    """Mark the units that are NaN or do not vary, and return the median tSNR of the others."""
    used = _kept(series, kept)
    is_nan = ~np.isfinite(used).all(axis=0)
    clean = np.where(is_nan, 0, used) if is_nan.any() else used
    sd = clean.std(axis=0, dtype=np.float64)
    mean = clean.mean(axis=0, dtype=np.float64)
    flat = (sd <= 1e-7 * np.abs(mean)) & ~is_nan
    good = ~is_nan & ~flat
    tsnr = float(np.median(mean[good] / sd[good])) if good.any() else None
    return {"nan": is_nan, "constant": flat}, tsnr


def _kept(series: Floats, keep: NDArray[np.bool_]) -> Floats:
    return series if keep.all() else series[keep]  # no copy of what may be large


def _trials(recorded: _Recorded, settings: Settings) -> _Made:
    """Estimate each trial, in percent of the run's mean over its voxels and volumes.

    The mean over all voxels, not each voxel's own: else the darkest voxels at the edge would
    have the largest responses and rule every pattern.
    """
    found, table, run = recorded.confounds, recorded.table, recorded.table["run"].iloc[0]
    trials = table[~recorded.is_rest]
    cutoff = None if found.has_cosines else settings["high_pass_hz"]
    drift = "cosines of the confounds table"
    if cutoff is not None:
        drift = f"cosines up to {cutoff:g} Hz" if cutoff > 0 else "none"
    design = design_trials(
        trials["onset_s"].to_numpy(),
        trials["duration_s"].to_numpy(),
        frame_times_s=recorded.times_s,
        hrf=settings["hrf"],
        confounds=found.values,
        high_pass_hz=cutoff or None,
    )
    solver = solve_trials(design, keep=found.keep, run=str(run))
    used = _kept(recorded.series, found.keep)
    mean = used.mean(axis=0, dtype=np.float64)
    grand = float(mean[recorded.is_good].mean()) if recorded.is_good.any() else 1.0
    if not grand > 0:
        raise UnreadableError(
            f"The mean signal of run {run} is {grand:.3g}, so there is no percent signal change.",
            mend="Give preprocessed BOLD from which the mean was not taken (desc-preproc).",
        )
    percent = np.zeros((len(solver.weights), used.shape[1]), dtype=np.float32)
    for start in range(0, used.shape[1], CHUNK_UNITS):
        part = slice(start, start + CHUNK_UNITS)
        centered = used[:, part] - mean[part]  # float64; the constant in the design allows it
        percent[:, part] = 100 / grand * (solver.weights @ centered)
    inside, ratio = trials[design.inside], solver.variance_ratio
    facts = {
        "drift": drift,
        "mean_signal": grand,
        "degrees_of_freedom": solver.degrees_of_freedom,
        "max_variance_inflation": float(solver.inflation.max(initial=1.0)),
        "max_variance_ratio": float(ratio[np.isfinite(ratio)].max(initial=1.0)),
        "barely_estimated_onsets_s": inside["onset_s"][~solver.estimated].tolist(),
        "events_outside_run": int((~design.inside).sum()),
    }
    return _Made(percent, inside[solver.estimated], {}, facts)


def _volumes(recorded: _Recorded, settings: Settings) -> _Made:
    """Take the volumes that lie in an event, or their mean over each event."""
    found, table, is_rest = recorded.confounds, recorded.table, recorded.is_rest
    times_s = recorded.times_s - settings["delay_s"]
    event = covering(times_s, table)[found.keep]  # (n_kept,), -1 = none
    resting = (event < 0) | is_rest[event]
    values = remove_trend(
        _kept(recorded.series, found.keep),
        found.values[found.keep],
        positions=np.flatnonzero(found.keep),
        is_linear=settings["detrend"] == "linear",
    )
    flat = np.zeros(values.shape[1], dtype=bool)  # in the rest volumes
    if settings["standardize"] == "rest":
        if resting.sum() < 2:
            raise NotEnoughDataError(
                f"Run {table['run'].iloc[0]} has {int(resting.sum())} rest volumes, at least 2 "
                'are needed for responses.standardize = "rest".',
                mend='Name the rest in responses.rest, or use responses.standardize = "run".',
            )
        mean = values[resting].mean(axis=0, dtype=np.float64)
        sd = values[resting].std(axis=0, dtype=np.float64)
        flat = sd == 0
        values = ((values - mean) / np.where(flat, 1.0, sd)).astype(np.float32)
    rows = np.flatnonzero(~resting)
    facts = {
        "drift": "linear" if settings["detrend"] == "linear" else "none",
        "n_rest_volumes": int(resting.sum()),
        "events_outside_run": len(set(table.index[~is_rest]) - set(event[rows].tolist())),
    }
    if settings["model"] == "volumes":
        return _Made(values[rows], table.iloc[event[rows]], {"constant at rest": flat}, facts)
    trials = np.unique(event[rows])
    means = [values[event == trial].mean(axis=0, dtype=np.float64) for trial in trials]
    blocks = np.array(means, dtype=np.float32).reshape(len(trials), values.shape[1])
    return _Made(blocks, table.iloc[trials], {"constant at rest": flat}, facts)


def _also(
    lost: NDArray[np.bool_], keep: NDArray[np.bool_], flat: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    more = lost.copy()
    more[np.flatnonzero(keep)[flat]] = True
    return more


def _facts(
    responses: Responses,
    settings: Settings,
    made: list[_Made],
    lost: dict[str, NDArray[np.bool_]],
) -> dict[str, Any]:
    runs = [m.facts for m in made]
    scope, few = scaling_facts(responses.samples, settings["standardize"])
    return {
        "source": "fmriprep",
        **{name: value for name, value in settings.items() if name != "rest"},
        "rest": list(settings["rest"]),
        **scope,
        "n_volumes": sum(r["n_volumes"] for r in runs),
        **summarize(responses, lost),
        "runs": runs,
        "warnings": [*warnings_of(runs), *few],
    }
