"""The best layer of each unit, chosen on training images alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.encode.layer import LayerFit
from bids_dnn.stats import leakage
from bids_dnn.stats.folds import Fold

Array = NDArray[np.float64]


@dataclass(slots=True, eq=False)
class ChosenLayer:
    """What each unit's best layer says of each image; layers are offered one after the other.

    In each fold, a unit takes the layer with the least error expected on the training images
    (`LayerFit.loss`). Its score on the test images is that of a choice which never saw them,
    other than the highest of several scores.

    Parameters
    ----------
    folds
    stimuli : n_stimuli
    n_units : int
    """

    folds: Sequence[Fold]
    stimuli: Sequence[str]
    n_units: int
    guess: NDArray[np.float32] = field(init=False)
    layer: NDArray[np.intp] = field(init=False)
    _least: Array = field(init=False)

    def __post_init__(self) -> None:
        shape = (len(self.folds), self.n_units)
        self.guess = np.full((len(self.stimuli), self.n_units), np.nan, dtype=np.float32)
        self.layer = np.full(shape, -1, dtype=np.intp)
        self._least = np.full(shape, np.inf)

    def offer(self, place: int, made: LayerFit) -> None:
        """Take a layer where it is expected to be better than those before.

        Parameters
        ----------
        place
            Number of the layer.
        made
            Its fit; a layer whose features do not vary is passed over.

        Raises
        ------
        LeakageError
            If its loss is that of images which are tested.
        """
        leakage.check_choice(self.folds, chosen_on=made.judged, groups=self.stimuli, what="layers")
        if not made.operator.any():
            return
        for f, fold in enumerate(self.folds):
            better = made.loss[f] < self._least[f]
            self._least[f, better] = made.loss[f, better]
            self.layer[f, better] = place
            rows = np.flatnonzero(fold.test)
            self.guess[np.ix_(rows, better)] = made.guess[np.ix_(rows, better)]

    def shares(self, n_layers: int, columns: NDArray[np.intp]) -> Array:
        """Return how often each layer is chosen, over the units and folds of a region.

        Parameters
        ----------
        n_layers : int
        columns
            Of the region.

        Returns
        -------
        share : (n_layers,), adding to 1
            NaN where no layer could be chosen.
        """
        taken = self.layer[:, columns]
        taken = taken[taken >= 0]
        if not taken.size:
            return np.full(n_layers, np.nan)
        return np.asarray(np.bincount(taken, minlength=n_layers) / taken.size)

    def assignment(self) -> Array:
        """Return the layer that each unit takes in most folds, of equal ones the first.

        Returns
        -------
        layer : (n_units,)
            Numbers from 0; NaN where none could be chosen.
        """
        n_layers = int(self.layer.max(initial=-1)) + 1
        if not n_layers:
            return np.full(self.n_units, np.nan)
        votes = np.stack([(self.layer == k).sum(axis=0) for k in range(n_layers)])
        return np.where(votes.max(axis=0) > 0, votes.argmax(axis=0).astype(np.float64), np.nan)
