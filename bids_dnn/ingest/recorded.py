"""One run as it was recorded: its series, events and confounds, read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.containers.space import Space
from bids_dnn.errors import MissingInputError, NotEnoughDataError, ShapeError, run_words
from bids_dnn.ingest import confounds as nuisance
from bids_dnn.ingest.bands import low_pass_operator
from bids_dnn.ingest.choices import Settings
from bids_dnn.ingest.events import STIMULUS, numeric_columns, read_events, sample_table
from bids_dnn.ingest.records import Run
from bids_dnn.ingest.series import read_series

Floats = NDArray[np.float32]
Array = NDArray[np.float64]
Real = TypeVar("Real", np.float32, np.float64)
CHUNK_UNITS = 4096  # taken at once: bounds memory, and is fixed so that sums repeat


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """One run as recorded.

    Parameters
    ----------
    series : (n_volumes, n_units) float32
        1 in units that are not measured (NaN in some volume that is kept).
    times_s : (n_volumes,) s
        Of each volume, on the clock of the events.
    t_r_s : s
        Between volumes.
    table
        One row for each event; see `events.sample_table`.
    is_rest : (n_events,) bool
        Events that are no trials.
    lost : by reason, (n_units,) bool
        Units that cannot be used.
    confounds
        What is regressed out, and the volumes that count.
    moved_mm : (n_volumes,)
        Framewise displacement; NaN where it is not known.
    low_pass : (n_kept, n_kept)
        Filters the kept volumes; None = no filter.
    facts
        JSON-ready counts of the run.
    """

    series: Floats
    times_s: Array
    t_r_s: float
    table: pd.DataFrame
    is_rest: NDArray[np.bool_]
    lost: dict[str, NDArray[np.bool_]]
    confounds: nuisance.Confounds
    moved_mm: Array
    low_pass: Array | None
    facts: dict[str, Any]

    @property
    def run(self) -> str:
        """Its id, as in the sample table."""
        return str(self.table["run"].iloc[0])

    @property
    def said(self) -> str:
        """What it is called in messages: its session and run, as options take them."""
        return run_words(self.run, str(self.facts.get("session", "")))

    @property
    def keep(self) -> NDArray[np.bool_]:
        """Which volumes count, (n_volumes,)."""
        return self.confounds.keep

    @property
    def is_good(self) -> NDArray[np.bool_]:
        """Which units can be used, (n_units,)."""
        good: NDArray[np.bool_] = ~np.any(list(self.lost.values()), axis=0)
        return good

    def motion_in(self, seen: NDArray[np.bool_]) -> Array:
        """Return the mean framewise displacement over the volumes that each sample is read from.

        Parameters
        ----------
        seen : (n_volumes, n_samples) bool

        Returns
        -------
        moved : (n_samples,) mm
            NaN where no displacement is known.
        """
        known = np.isfinite(self.moved_mm)
        count = seen[known].sum(axis=0)
        total = self.moved_mm[known] @ seen[known]
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    def no_trial(self) -> NotEnoughDataError:
        """Return the refusal of a run without samples."""
        return NotEnoughDataError(
            f"No trial is in {self.said}: of {len(self.table)} events in "
            f"{self.facts['events']}, {int(self.is_rest.sum())} are rest, and no other covers a "
            "volume.",
            mend="Check the onsets (in seconds), responses.rest and responses.delay_s.",
        )


def read_run(run: Run, space: Space, settings: Settings) -> Recorded:
    """Read one run.

    Raises
    ------
    MissingInputError
        If the repetition time, the events, or what the confounds need is not there.
    UnreadableError
        If a file is damaged, or has another number of volumes than the other.
    NotEnoughDataError
        If no volume counts, or all events are rest.
    ConfigError
        If the low-pass is not one that the volumes can show.
    """
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
    series = read_series(run, space)  # (n_volumes, n_units)
    n_volumes, cutoff = len(series), settings["low_pass_hz"]
    found = nuisance.read_confounds(
        run.confounds, run.bold, strategy=settings["confounds"], n_volumes=n_volumes
    )
    moved = nuisance.framewise_displacement(run.confounds, n_volumes)
    table = sample_table(events, session=run.session, run=run.run)
    lost, tsnr = _unusable(series, found.keep)
    series[:, lost["nan"]] = 1.0  # not used; NaN would cost time in the solvers
    low_pass = None
    if cutoff is not None:
        low_pass = low_pass_operator(found.keep, t_r_s=run.t_r_s, low_pass_hz=cutoff, run=run.run)
    is_rest = table["condition"].isin(settings["rest"]).to_numpy(dtype=bool)
    if moved is None:
        moved = np.full(n_volumes, np.nan)
    facts = {
        **_about_scan(run, found, moved),
        **_about_events(events, is_rest),
        "n_events_without_type": n_untyped,
        "events": run.events.name,
        "tsnr": tsnr,
    }
    made = Recorded(
        series,
        run.start_s + run.t_r_s * np.arange(n_volumes, dtype=np.float64),
        run.t_r_s,
        table,
        is_rest,
        lost,
        found,
        moved,
        low_pass,
        facts,
    )
    if is_rest.all():
        raise made.no_trial()
    return made


def _about_scan(run: Run, found: nuisance.Confounds, moved: Array) -> dict[str, Any]:
    """Say what is known of a run's volumes."""
    known = moved[np.isfinite(moved)]
    return {
        "run": run.run,
        "session": run.session,
        "n_volumes": len(found.keep),
        "n_volumes_left_out": int((~found.keep).sum()),
        "t_r_s": run.t_r_s,
        "start_s": run.start_s,
        "start_from": run.start_from,
        "confound_columns": list(found.names),
        "confound_notes": list(found.notes),
        "mean_framewise_displacement_mm": float(known.mean()) if len(known) else None,
    }


def _about_events(events: pd.DataFrame, is_rest: NDArray[np.bool_]) -> dict[str, Any]:
    """Say what is known of a run's events, of which some are rest."""
    return {
        "n_events": len(is_rest),
        "n_rest_events": int(is_rest.sum()),
        "numeric_columns": sorted(numeric_columns(events).values()),
        "has_stimulus_column": any(name in events for name in STIMULUS),
    }


def times_series(
    weights: Array, series: Floats, keep: NDArray[np.bool_], *, out: type[Real]
) -> NDArray[Real]:
    """Return weights times the kept volumes of each unit less its mean, (n_rows, n_units).

    Units are taken some thousand at a time and in double precision, so that memory is that of
    the result and of one such part.

    Parameters
    ----------
    weights : (n_rows, n_kept)
    series : (n_volumes, n_units)
    keep : (n_volumes,) bool
    out
        Type of the numbers that are returned; sums are in double precision.

    Raises
    ------
    ShapeError
        If `weights` has other volumes than those that are kept.
    """
    if weights.shape[1] != keep.sum():
        raise ShapeError(
            f"weights have {weights.shape[1]} volumes, but {int(keep.sum())} are kept.",
            mend="Make the weights from the design of the same run.",
        )
    made = np.empty((len(weights), series.shape[1]), dtype=out)
    for start in range(0, series.shape[1], CHUNK_UNITS):
        part = slice(start, start + CHUNK_UNITS)
        used = series[:, part] if keep.all() else series[keep, part]
        made[:, part] = weights @ (used - used.mean(axis=0, dtype=np.float64))
    return made


def mean_signal(series: Floats, keep: NDArray[np.bool_], is_good: NDArray[np.bool_]) -> float:
    """Return the mean over the kept volumes and good units of a run; 1 where there is no unit."""
    if not is_good.any():
        return 1.0
    total, n = 0.0, 0
    for start in range(0, series.shape[1], CHUNK_UNITS):
        part = slice(start, start + CHUNK_UNITS)
        used = series[:, part] if keep.all() else series[keep, part]
        means = used.mean(axis=0, dtype=np.float64)[is_good[part]]
        total, n = total + float(means.sum()), n + len(means)
    return total / n


def _unusable(
    series: Floats, keep: NDArray[np.bool_]
) -> tuple[dict[str, NDArray[np.bool_]], float | None]:
    """Mark the units that are NaN or do not vary, and return the median tSNR of the others."""
    n_units = series.shape[1]
    is_nan, flat = np.zeros((2, n_units), dtype=bool)
    snr = np.full(n_units, np.nan)
    for start in range(0, n_units, CHUNK_UNITS):
        part = slice(start, start + CHUNK_UNITS)
        used = series[:, part] if keep.all() else series[keep, part]
        bad = ~np.isfinite(used).all(axis=0)
        used = np.where(bad, 0, used) if bad.any() else used
        mean = used.mean(axis=0, dtype=np.float64)
        sd = used.std(axis=0, dtype=np.float64)
        still = (sd <= 1e-7 * np.abs(mean)) & ~bad
        is_nan[part], flat[part] = bad, still
        good = ~bad & ~still
        snr[part][good] = mean[good] / sd[good]
    known = snr[np.isfinite(snr)]
    return {"nan": is_nan, "constant": flat}, float(np.median(known)) if len(known) else None
