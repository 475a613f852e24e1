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
from bids_dnn.containers.features import FeatureGram, FeatureValues, ShownMaps
from bids_dnn.containers.result import RowArrays, StatMap, model_label
from bids_dnn.errors import ConfigError

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
    operator : (n_stimuli, n_stimuli) float32
        From responses to predictions, the same for all units and chosen on none of them; None
        where there is none.
    """

    estimator: str
    network: str
    layer: str
    guess: NDArray[np.float32]
    columns: Columns
    places: Sequence[Columns]
    operator: NDArray[np.float32] | None = None

    @classmethod
    def of_all(
        cls,
        names: tuple[str, str, str],
        guess: NDArray[np.float32],
        data: Data,
        *,
        operator: NDArray[np.float32] | None = None,
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
    features
        Of layers, for estimators that need more than products: maps for readouts, those of all
        layers for partial least squares that scales.
    """

    data: Data
    grams: Sequence[FeatureGram]
    choices: Choices
    device: str
    say: Callable[[str], None]
    features: Sequence[FeatureValues | ShownMaps] = ()

    def maps(self) -> list[FeatureValues | ShownMaps]:
        """Return the features that are maps."""
        return [one for one in self.features if isinstance(one, ShownMaps) or one.is_map]

    def columns_of(self, gram: FeatureGram) -> NDArray[np.float32]:
        """Return the features of a layer for the stimuli of `data`, (n_stimuli, p).

        Raises
        ------
        ConfigError
            If they are not at hand.
        """
        for one in self.features:
            is_it = (one.network, one.layer) == (gram.network, gram.layer)
            if is_it and isinstance(one, FeatureValues):
                return one.take(self.data.stimuli)
        raise ConfigError(
            f"encode.pls_scale is true, but of {gram.network} {gram.layer} only products are at "
            "hand, whose columns cannot be scaled.",
            mend="Give encode the FeatureValues of each layer, or leave pls_scale out.",
        )


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
    columns
        Descriptions of columns, by name of the table.
    arrays
        Of the rows of tables, by name of the table.
    """

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    maps: list[StatMap] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, dict[str, str]] = field(default_factory=dict)
    arrays: dict[str, RowArrays] = field(default_factory=dict)


Keep = Callable[[Model], None]
