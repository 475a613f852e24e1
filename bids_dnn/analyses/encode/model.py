"""What an estimator hands over: the predictions of one model, and where they belong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.analyses.encode.choices import Choices
from bids_dnn.analyses.encode.data import Data
from bids_dnn.containers.features import FeatureGram, FeatureMaps
from bids_dnn.containers.result import StatMap, model_label

Array = NDArray[np.float64]
Columns = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """What one model predicts of each image, out of fold.

    Parameters
    ----------
    estimator, network, layer
        Names, as in the table.
    guess : (n_stimuli, n_columns) float32
        Predictions less the mean of the training images; NaN for images that no fold tests.
    columns : (n_columns,) intp
        Column of `Data.truth` that each one predicts. A unit of two regions may stand twice.
    places : n_regions x 2 of columns of `guess`
        Those of each region's units, then of its mean; region by region.
    operator : (n_stimuli, n_stimuli)
        From responses to predictions, the same for all units and chosen on none of them; None
        where there is none.
    """

    estimator: str
    network: str
    layer: str
    guess: NDArray[np.float32]
    columns: Columns
    places: Sequence[Columns]
    operator: Array | None = None

    @classmethod
    def of_all(
        cls,
        names: tuple[str, str, str],
        guess: NDArray[np.float32],
        data: Data,
        *,
        operator: Array | None = None,
    ) -> Model:
        """Return a model that predicts the columns of `Data.truth`, each once.

        Parameters
        ----------
        names
            Of estimator, network and layer.
        guess : (n_stimuli, n_units + n_regions) float32
        data
        operator
            As above.
        """
        places = [columns for *_, columns in data.places()]
        return cls(*names, guess, np.arange(guess.shape[1]), places, operator)

    def label(self) -> str:
        """Return the ``model-`` label."""
        return model_label(self.network, self.layer, self.estimator)

    def of_units(self, n_units: int) -> Columns:
        """Return the column of `guess` for each unit (n_units,), the first one where it is twice.

        Parameters
        ----------
        n_units : int
            Of the data; columns of `Data.truth` beyond them are region means.
        """
        first = np.full(int(self.columns.max()) + 1, -1, dtype=np.intp)
        first[self.columns[::-1]] = np.arange(len(self.columns))[::-1]
        return first[:n_units]


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What is to be fitted, and how.

    Parameters
    ----------
    data
    grams
        One a layer.
    choices
    device
        ``cpu`` or ``cuda``.
    say
        Told what is next.
    maps
        Of the layers that have them, for readouts; none where no readout is asked for.
    """

    data: Data
    grams: Sequence[FeatureGram]
    choices: Choices
    device: str
    say: Callable[[str], None]
    maps: Sequence[FeatureMaps] = ()


@dataclass(slots=True, eq=False)
class Extras:
    """What an estimator leaves beside the scores of its models.

    Parameters
    ----------
    tables
        By name.
    maps
    warnings
        Sentences.
    facts
        JSON-ready.
    """

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    maps: list[StatMap] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


Keep = Callable[[Model], None]
