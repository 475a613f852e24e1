"""What denoising does to the time series of regions, for one figure a region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.space import Space
from bids_dnn.containers.timeseries import TimeSeries
from bids_dnn.errors import ConfigError, NotEnoughDataError
from bids_dnn.ingest.bands import check_low_pass, interpolated
from bids_dnn.ingest.confounds import Confounds, check_strategy, read_confounds, read_table
from bids_dnn.ingest.events import read_events
from bids_dnn.ingest.records import Run
from bids_dnn.ingest.series import read_series

Array = NDArray[np.float64]
RAW = "raw"
DETREND = "detrend+cosine"
STRATEGIES = (
    RAW,
    DETREND,
    "6-HMP_SpikeReg_cosine",
    "6-HMP_8-Phys_SpikeReg_cosine",
    "24-HMP_SpikeReg_cosine",
    "6-HMP_4-GS_8-Phys_SpikeReg_cosine",
    "10-aCompCor_SpikeReg_cosine",
    "24-HMP_8-Phys_SpikeReg_cosine",
)
LOW_PASS_HZ = 0.152  # 1 / 6.6 s: about the width of the hemodynamic response


def has_cosines(run: Run) -> bool:
    """Tell whether the confounds table of a run has cosines, for ``detrend+cosine``."""
    if run.confounds is None:
        return False
    columns = read_table(run.confounds, run.bold)[1].columns
    return any(str(name).startswith("cosine") for name in columns)


def region_time_series(
    run: Run,
    space: Space,
    units: Mapping[str, NDArray[np.intp]],
    *,
    strategies: Sequence[str] = STRATEGIES,
    low_pass_hz: float | None = LOW_PASS_HZ,
    rest: Sequence[str] = (),
) -> TimeSeries:
    """Return the mean time series of each region in one run, by each way of denoising.

    Parameters
    ----------
    run
        Of preprocessed BOLD.
    space
        The units that can be used.
    units : by region, (n_units_in_region,)
        Places in `space`; regions may overlap.
    strategies
        ``raw`` = z-scored only; ``detrend+cosine`` = without a linear trend and the cosines of
        the confounds table; or a strategy of `confounds.read_confounds`.
    low_pass_hz : Hz
        Each strategy is given without and with this low-pass; None = without only.
    rest
        Conditions that are not among the events that are returned.

    Returns
    -------
    made
        Each unit is cleaned (detrended, filtered, confounds regressed out, z-scored, in this
        order, as nilearn does), then the units of a region are averaged. Units that are NaN or
        do not vary take no part.

    Raises
    ------
    ConfigError
        If a strategy does not exist, or the volumes cannot show the cut-off.
    MissingInputError
        If the confounds lack a column, or a file is not there.
    UnreadableError
        If a file is damaged.
    SpaceError
        If the run does not lie in `space`.
    NotEnoughDataError
        If a region has no unit that can be used.

    References
    ----------
    Lindquist et al. (2019), Human Brain Mapping 40:2358, doi:10.1002/hbm.24528.
    """
    for strategy in strategies:
        if strategy not in (RAW, DETREND):
            check_strategy(strategy)
    if not units or not strategies:
        raise ConfigError(
            f"There are {len(units)} regions and {len(strategies)} strategies to show.",
            mend="Name at least one of each.",
        )
    if low_pass_hz is not None:
        check_low_pass(low_pass_hz, t_r_s=run.t_r_s, run=run.run)
    wanted = np.unique(np.concatenate([np.asarray(u, dtype=np.intp) for u in units.values()]))
    series = read_series(run, space.select(wanted))  # (n_volumes, n_wanted)
    is_good: NDArray[np.bool_] = np.asarray(np.isfinite(series).all(axis=0), dtype=bool)
    is_good[is_good] = np.ptp(series[:, is_good], axis=0) > 0
    places = {
        region: _places(np.searchsorted(wanted, chosen), is_good, region=region, run=run)
        for region, chosen in units.items()
    }
    made: dict[str, dict[tuple[str, bool], Array]] = {region: {} for region in units}
    for strategy in strategies:
        found = _confounds(run, strategy, n_volumes=len(series))
        for cutoff in (None, low_pass_hz)[: 1 if low_pass_hz is None else 2]:
            clean = _clean(
                series[:, is_good],
                found,
                t_r_s=run.t_r_s,
                low_pass_hz=cutoff,
                has_trend=strategy != DETREND,
            )
            for region, where in places.items():
                made[region][strategy, cutoff is not None] = clean[:, where].mean(axis=1)
    times = run.start_s + run.t_r_s * np.arange(len(series), dtype=np.float64)
    return TimeSeries(run.run, times, made, _events(run, rest), low_pass_hz or 0.0)


def _places(
    wanted: NDArray[np.intp], is_good: NDArray[np.bool_], *, region: str, run: Run
) -> NDArray[np.intp]:
    """Return the columns of a region among the good units."""
    good = wanted[is_good[wanted]]
    if not len(good):
        raise NotEnoughDataError(
            f"Region {region!r} has {len(wanted)} units, none of which varies in {run.said}.",
            mend="Look at the region and at the BOLD image, or leave the region out.",
        )
    places: NDArray[np.intp] = (np.cumsum(is_good) - 1)[good]
    return places


def _confounds(run: Run, strategy: str, *, n_volumes: int) -> Confounds:
    tokens = {RAW: "none", DETREND: "cosine"}.get(strategy, strategy)
    return read_confounds(run.confounds, run.bold, strategy=tokens, n_volumes=n_volumes)


def _clean(
    series: NDArray[np.float32],
    found: Confounds,
    *,
    t_r_s: float,
    low_pass_hz: float | None,
    has_trend: bool,
) -> Array:
    """Clean as nilearn does, (n_volumes, n_units); NaN where a volume is left out."""
    from nilearn import signal

    values, confounds = series.astype(np.float64), found.values
    if low_pass_hz is not None:  # what nilearn leaves as it is would spread (see `bands`)
        values, confounds = (interpolated(one, found.keep) for one in (values, confounds))
    kept = signal.clean(
        values,
        detrend=not has_trend,
        standardize="zscore_sample",
        sample_mask=None if found.keep.all() else np.flatnonzero(found.keep),
        confounds=confounds if confounds.shape[1] else None,
        low_pass=low_pass_hz,
        t_r=t_r_s,
    )
    clean: Array = np.full(series.shape, np.nan)
    clean[found.keep] = kept
    return clean


def _events(run: Run, rest: Sequence[str]) -> tuple[tuple[float, float, str], ...]:
    if run.events is None:
        return ()
    events, _ = read_events(run.events)
    rows = zip(events["onset"], events["duration"], events["trial_type"], strict=True)
    return tuple(
        (float(onset), float(duration), str(kind).strip())
        for onset, duration, kind in rows
        if str(kind).strip() not in rest
    )
