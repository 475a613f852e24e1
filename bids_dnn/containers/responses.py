"""Responses of units to samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from bids_dnn.errors import ShapeError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from bids_dnn.containers.space import Space

Scale = Literal["beta", "psc", "zscore", "rate", "raw"]
Independence = Literal["sample", "run", "none"]
REQUIRED = ("stimulus", "condition", "run", "session", "repeat")


@dataclass(frozen=True, slots=True, eq=False)
class Responses:
    """What one participant's units (voxels, vertices, electrodes) answered, one row a sample.

    Parameters
    ----------
    values : (n_samples, n_units) float32
        Response amplitudes in `scale`; NaN = not measured.
    samples : n_samples rows
        One row a sample, in the order of `values`; holds `stimulus` (id, or "" where the
        sample showed none that is known), `condition`, `run` (an id that is unique across
        sessions), `session` ("" where there are none) and `repeat` (0 for the first showing
        of its stimulus, 1 for the second ...).
    space
        Where the units lie; as many places as `values` has columns.
    scale
        ``beta`` = as the model gave it, ``psc`` = percent signal change, ``zscore`` = standard
        deviations, ``rate`` = spikes per second, ``raw`` = as in the image.
    independence
        Between which samples noise is independent: ``sample`` = any two, ``run`` = those of
        different runs (single-trial estimates of one model), ``none`` = not even those, as the
        estimation looked at all runs (GLMdenoise, ridge).

    Raises
    ------
    ShapeError
        If `values` is not 2-D, or `samples` or `space` has another length, or `samples` lacks
        a column.
    """

    values: NDArray[np.float32]
    samples: pd.DataFrame
    space: Space
    scale: Scale
    independence: Independence = "sample"

    def __post_init__(self) -> None:
        expected = (len(self.samples), len(self.space))
        if self.values.ndim != 2 or self.values.shape != expected:
            raise ShapeError(
                f"values have shape {self.values.shape}, but there are {expected[0]} samples "
                f"and {expected[1]} units.",
                mend="Give one row for each sample and one column for each unit.",
            )
        if missing := sorted(set(REQUIRED) - set(self.samples.columns)):
            raise ShapeError(
                f"samples lacks the column(s) {missing}.",
                mend="Build the table with ingest.events.sample_table, which adds them.",
            )

    def select(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> Responses:
        """Return the samples that `keep` (n_samples,) marks or numbers; nothing is altered."""
        if keep.dtype == bool and keep.all():
            return self
        samples = self.samples.iloc[np.flatnonzero(keep) if keep.dtype == bool else keep]
        return replace(self, values=self.values[keep], samples=samples.reset_index(drop=True))

    def units(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> Responses:
        """Return the units that `keep` (n_units,) marks or numbers; nothing is altered."""
        return replace(self, values=self.values[:, keep], space=self.space.select(keep))
