"""Time series of regions under several ways of denoising, for one figure a region."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_dnn.errors import ShapeError

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class TimeSeries:
    """What one run looks like in each region, by strategy, with and without a low-pass filter.

    Parameters
    ----------
    run
        As in `Responses`.
    times_s : (n_volumes,) s
        Of each volume after the start of the run, on the clock of `events`.
    series : by region, then by (strategy, whether low-passed)
        Each (n_volumes,): the mean over the region's units of their z-scored time series, in
        standard deviations; NaN where the strategy leaves a volume out. All regions have the
        same strategies, in the order in which they are to be shown.
    events
        (onset_s, duration_s, condition) of each event, by onset.
    low_pass_hz : Hz
        Cut-off of the filtered ones; 0 where none is filtered.

    Raises
    ------
    ShapeError
        If a series has another length than `times_s`, or regions differ in their strategies.
    """

    run: str
    times_s: Array
    series: dict[str, dict[tuple[str, bool], Array]]
    events: tuple[tuple[float, float, str], ...]
    low_pass_hz: float = 0.0

    def __post_init__(self) -> None:
        kinds = [tuple(made) for made in self.series.values()]
        if len(set(kinds)) > 1:
            raise ShapeError(
                f"The {len(kinds)} regions of run {self.run} differ in their strategies.",
                mend="Make each region's series with the same strategies, in the same order.",
            )
        for region, made in self.series.items():
            for (strategy, _), values in made.items():
                if values.shape != self.times_s.shape:
                    raise ShapeError(
                        f"The series of {region!r} by {strategy!r} has shape {values.shape}, but "
                        f"run {self.run} has {self.times_s.size} volumes.",
                        mend="Give one value for each volume.",
                    )

    @property
    def strategies(self) -> tuple[str, ...]:
        """Names of the strategies, each once, in the order in which they are to be shown."""
        first = next(iter(self.series.values()), {})
        return tuple(dict.fromkeys(strategy for strategy, _ in first))
