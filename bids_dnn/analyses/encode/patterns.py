"""The pattern of a region's units for a picture, measured and predicted, kept to be looked at."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.analyses.encode.data import Data
from bids_dnn.analyses.encode.model import Columns, Model

Array = NDArray[np.float64]
N_IMAGES = 12
N_UNITS = 100
PATTERNS = {
    "region": "Name of the region",
    "estimator": "What predicts",
    "network": "Name of the network",
    "layer": "Module path of the layer, the best of this estimator in this region; or all spaces",
    "stimulus": "A picture that no model saw in training; some of them, evenly from all",
    "unit": "Column of the responses; some of the region, evenly from all",
    "measured": "Response less its mean over tested pictures, in its SD over them",
    "predicted": "Prediction less its mean over tested pictures, in the same SD",
}


@dataclass(frozen=True, slots=True, eq=False)
class _Best:
    score: float
    model: tuple[str, str]
    predicted: Array


@dataclass(slots=True, eq=False)
class Patterns:
    """Patterns of the best model of each region and estimator; models are offered one by one.

    Parameters
    ----------
    data
    """

    data: Data
    _rows: Columns = field(init=False)
    _best: dict[tuple[int, str], _Best] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._rows = evenly(np.flatnonzero(self.data.tested()), N_IMAGES)

    def offer(self, model: Model, place: int, columns: Columns, score: float) -> None:
        """Keep a model's predictions of a region where it is better than those before.

        Parameters
        ----------
        model
        place
            Number of the region.
        columns
            Of `model.guess`: the region's units.
        score
            Of the region; NaN is no score.
        """
        best = self._best.get((place, model.estimator))
        if not np.isfinite(score) or (best is not None and best.score >= score):
            return
        columns = evenly(columns, N_UNITS)
        truth = self._standard(self.data.truth, model.columns[columns])
        told = model.guess[np.ix_(self.data.tested(), columns)].astype(np.float64)
        here = model.guess[np.ix_(self._rows, columns)] - told.mean(axis=0)
        self._best[place, model.estimator] = _Best(
            score, (model.network, model.layer), here / truth
        )

    def _standard(self, values: NDArray[np.float32], columns: Columns) -> Array:
        """Return the SD of responses over tested pictures, NaN where they do not vary."""
        tested = values[np.ix_(self.data.tested(), columns)].astype(np.float64)
        spread = tested.std(axis=0)
        return np.where(np.ptp(tested, axis=0) > 0, spread, np.nan)

    def table(self) -> pd.DataFrame:
        """Return a row for each region, estimator, picture and unit, see `PATTERNS`."""
        made = []
        data = self.data
        for (place, estimator), best in sorted(self._best.items(), key=lambda one: one[0][0]):
            region, own = data.regions[place]
            columns = evenly(own, N_UNITS)
            measured = self._measured(columns)
            n_images, n_units = measured.shape
            made.append(
                pd.DataFrame(
                    {
                        "region": region.name,
                        "estimator": estimator,
                        "network": best.model[0],
                        "layer": best.model[1],
                        "stimulus": np.repeat([data.stimuli[k] for k in self._rows], n_units),
                        "unit": np.tile(data.units[columns], n_images),
                        "measured": measured.ravel(),
                        "predicted": best.predicted.ravel(),
                    }
                )
            )
        if not made:
            return pd.DataFrame(columns=list(PATTERNS))
        return pd.concat(made, ignore_index=True)

    def _measured(self, columns: Columns) -> Array:
        truth = self.data.truth[:, columns].astype(np.float64)
        return np.asarray(
            (truth[self._rows] - truth[self.data.tested()].mean(axis=0))
            / self._standard(self.data.truth, columns)
        )


def evenly(places: Columns, most: int) -> Columns:
    """Return at most so many of some places, from the first to the last.

    Examples
    --------
    >>> evenly(np.arange(10), 4)
    array([0, 3, 6, 9])
    """
    if len(places) <= most:
        return places
    return places[np.linspace(0, len(places) - 1, most).round().astype(np.intp)]
