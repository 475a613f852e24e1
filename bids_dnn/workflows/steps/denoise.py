"""Regions and a run -> their time series with and without each way of denoising."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from bids_dnn.containers.result import Result
from bids_dnn.containers.space import Space
from bids_dnn.containers.timeseries import TimeSeries
from bids_dnn.derivatives.write import write_result
from bids_dnn.errors import NotEnoughDataError
from bids_dnn.files import read_json
from bids_dnn.ingest.denoise import DETREND, LOW_PASS_HZ, has_cosines, region_time_series
from bids_dnn.ingest.inventory import Subject
from bids_dnn.workflows.steps.about import leave_out, with_facts
from bids_dnn.workflows.steps.artifacts import load_responses, load_rois

COLUMNS = {
    "region": "Name of the region",
    "strategy": "raw = z-scored only; detrend+cosine = without a linear trend and slow cosines; "
    "else the confounds that were regressed out",
    "is_low_passed": "Whether faster changes were filtered out",
    "time_s": "Of the volume, on the clock of the events, in seconds",
    "value": "Mean over the region's units of their z-scored time series; n/a in volumes that "
    "the strategy leaves out",
    "onset_s": "Of the event, in seconds",
    "duration_s": "Of the event, in seconds",
    "condition": "Of the event",
}


def denoise_step(manifest: Path, responses: Path, regions: Path) -> Path:
    """Clean the first run in each way; returns the sidecar, which is written last."""
    told = read_json(manifest)
    measured, facts = load_responses(responses)
    rois, warnings = load_rois(regions)
    settings, run = told["settings"], Subject.from_json(told["subject"]).runs[0]
    space = measured.space
    units = {roi.name: np.flatnonzero(roi.units_in(space)) for roi in rois}
    is_slow = 0.5 / run.t_r_s <= LOW_PASS_HZ  # too few volumes to show that cut-off
    strategies = settings["strategies"]
    if not has_cosines(run):
        strategies = [name for name in strategies if name != DETREND]
        warnings.append(f"Run {run.run} has no cosines: {DETREND} is not drawn.")
    try:
        made = region_time_series(
            run,
            space,
            units or {"all": np.arange(len(space))},
            strategies=strategies,
            low_pass_hz=settings["low_pass_hz"] or (None if is_slow else LOW_PASS_HZ),
            rest=settings["rest"],
        )
    except NotEnoughDataError as err:
        return leave_out(told, err)
    result = Result(
        "denoise",
        to_table(made),
        COLUMNS,
        meta={"run": made.run, "low_pass_hz": made.low_pass_hz, "unit": _words(space)},
        extras={
            "events": pd.DataFrame(made.events, columns=["onset_s", "duration_s", "condition"])
        },
    )
    result = with_facts(
        result, ingest=facts, warnings=warnings, rois=rois, entities=told["entities"]
    )
    return write_result(
        result, Path(told["output_dir"]), entities=told["entities"], sidecar=told["sidecar"]
    )[-1]


def to_table(made: TimeSeries) -> pd.DataFrame:
    """Return time series as a tidy table, one row a region, strategy, filter and volume."""
    parts = [
        pd.DataFrame(
            {
                "region": region,
                "strategy": strategy,
                "is_low_passed": is_filtered,
                "time_s": made.times_s,
                "value": values,
            }
        )
        for region, several in made.series.items()
        for (strategy, is_filtered), values in several.items()
    ]
    return pd.concat(parts, ignore_index=True)


def from_result(result: Result) -> TimeSeries:
    """Return the time series that a result of `denoise_step` holds."""
    series: dict[str, dict[tuple[str, bool], np.ndarray]] = {}
    times = np.zeros(0)
    keys = ["region", "strategy", "is_low_passed"]
    for (region, strategy, is_filtered), part in result.table.groupby(keys, sort=False):
        values = part["value"].to_numpy(dtype=np.float64)
        series.setdefault(str(region), {})[str(strategy), bool(is_filtered)] = values
        times = part["time_s"].to_numpy(dtype=np.float64)
    events = tuple(
        (float(onset), float(duration), str(condition))
        for onset, duration, condition in result.extras["events"].itertuples(index=False)
    )
    return TimeSeries(
        str(result.meta["run"]), times, series, events, float(result.meta["low_pass_hz"])
    )


def _words(space: Space) -> str:
    return f"{space.unit} of {space.name}"
