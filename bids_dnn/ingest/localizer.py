"""Runs of a localizer -> series and designs, one column a condition."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.space import Space
from bids_dnn.errors import NotEnoughDataError
from bids_dnn.ingest.choices import Settings, settle
from bids_dnn.ingest.condition_means import canonical_columns
from bids_dnn.ingest.estimates import drift_of
from bids_dnn.ingest.events import read_events
from bids_dnn.ingest.recorded import Recorded, read_run
from bids_dnn.ingest.records import Run, Subject
from bids_dnn.ingest.trials import nuisance_columns


@dataclass(frozen=True, slots=True, eq=False)
class ModeledRun:
    """What a general linear model of one run needs.

    Parameters
    ----------
    run
        Id within the participant.
    series : (n_kept, n_units) float64
        Volumes that count, in percent of each unit's mean; NaN in units that cannot be used.
    design : (n_kept, n_regressors) float64
        Conditions, confounds, drift, constant.
    conditions : n_conditions
        Names of the first columns.
    """

    run: str
    series: NDArray[np.float64]
    design: NDArray[np.float64]
    conditions: tuple[str, ...]


def conditions_of(runs: Iterable[Run], *, rest: Collection[str]) -> list[str]:
    """Return the conditions that the events of runs name, sorted, without reading an image.

    Raises
    ------
    MissingInputError, UnreadableError
        As `events.read_events`.
    """
    found: set[str] = set()
    for run in runs:
        if run.events is not None:
            found |= set(read_events(run.events)[0]["trial_type"])
    return sorted(found - set(rest))


def model_runs(subject: Subject, space: Space, **given: object) -> Iterator[ModeledRun]:
    """Read the runs of a localizer, one after another.

    Parameters
    ----------
    subject
        With the runs of the localizer.
    space
        The units that are wanted.
    **given
        Settings of `choices.Settings`: `hrf`, `high_pass_hz`, `confounds`, `rest`.

    Raises
    ------
    MissingInputError, UnreadableError, SpaceError, ConfigError
        As `recorded.read_run`.
    NotEnoughDataError
        If a run has no event besides rest.
    """
    settings = settle(Settings(**given), n_sessions=1)  # type: ignore[typeddict-item]
    for run in subject.runs:
        yield _modeled(read_run(run, space, settings), settings)


def _modeled(recorded: Recorded, settings: Settings) -> ModeledRun:
    events = recorded.table[~recorded.is_rest]
    names = tuple(sorted(set(events["condition"])))
    if not names:
        raise NotEnoughDataError(
            f"Run {recorded.run} of the localizer has no event besides rest.",
            mend="Leave it out with run= in the rule.",
        )
    columns = canonical_columns(
        events["onset_s"].to_numpy(),
        events["duration_s"].to_numpy(),
        events["condition"].tolist(),
        names=names,
        frame_times_s=recorded.times_s,
        hrf=settings["hrf"],
    )
    cutoff, _ = drift_of(recorded, settings)
    rest = nuisance_columns(
        recorded.times_s, confounds=recorded.confounds.values, high_pass_hz=cutoff
    )
    keep = recorded.keep
    series = recorded.series[keep].astype(np.float64)
    mean = series.mean(axis=0)
    usable = recorded.is_good & (mean != 0)
    percent = 100 * series / np.where(usable, mean, 1.0)
    percent[:, ~usable] = np.nan
    return ModeledRun(recorded.run, percent, np.column_stack([columns.matrix, rest])[keep], names)
