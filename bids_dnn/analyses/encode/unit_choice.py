"""Which units a layer predicts, found on training images alone, to be chosen by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.encode.layer import fit_layer
from bids_dnn.analyses.encode.scores import score_units
from bids_dnn.analyses.encode.select import Selection
from bids_dnn.errors import ConfigError, NotEnoughDataError
from bids_dnn.stats.folds import Fold

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Values = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class UnitChoice:
    """How units are chosen by their scores on training images.

    Parameters
    ----------
    top : int, at least 1
        This many of a region, those of the highest scores; None = no limit.
    above : float, in [-1, 1)
        Those whose r is above it; None = whatever it is.

    Raises
    ------
    ConfigError
        If both or none is given, or one is out of range.
    """

    top: int | None = None
    above: float | None = None

    def __post_init__(self) -> None:
        if (self.top is None) == (self.above is None):
            raise ConfigError(
                f"encode.units is {{ top = {self.top}, above = {self.above} }}; one is needed.",
                mend="Type units = { top = 500 } or units = { above = 0.1 }.",
            )
        if (self.top is not None and self.top < 1) or not -1 <= (self.above or 0) < 1:
            raise ConfigError(
                f"encode.units is {{ top = {self.top}, above = {self.above} }}: top is a number "
                "from 1, above a correlation from -1 to below 1.",
                mend="Type units = { top = 500 } or units = { above = 0.1 }.",
            )

    def choose(self, r: Array) -> Mask:
        """Return which units of a region are taken.

        Parameters
        ----------
        r : (n_units,)
            Scores on training images; units without one (NaN) are not taken. Of equal scores at
            the border, the first are taken.

        Examples
        --------
        >>> UnitChoice(top=2).choose(np.array([0.1, np.nan, 0.3, 0.2])).tolist()
        [False, False, True, True]
        """
        known = np.isfinite(r)
        if self.above is not None:
            return np.asarray(known & (np.where(known, r, -np.inf) > self.above))
        order = np.argsort(-np.where(known, r, -np.inf), kind="stable")[: self.top]
        taken = np.zeros(len(r), dtype=np.bool_)
        taken[order] = True
        return taken & known


def score_on_training(
    gram: Array,
    truth: Values,
    *,
    folds: Sequence[Fold],
    select: Selection,
    alphas: Array | None = None,
    n_components: int = 0,
) -> Array:
    """Return how well a layer predicts each unit, by folds within the training images.

    Nothing but training images comes in, so that units can be chosen by it for whatever is then
    measured on the test images.

    Parameters
    ----------
    gram : (n_train, n_train)
        Inner products of the layer's features, not centered, of the training images.
    truth : (n_train, n_units)
        Responses to them.
    folds
        Splits of them, at least three where ``select = "inner"`` (each one's penalties are then
        chosen on the others), else two.
    select, alphas, n_components
        As in `layer.fit_layer`.

    Returns
    -------
    r : (n_units,), in [-1, 1]
        NaN where responses or predictions do not vary.

    Raises
    ------
    NotEnoughDataError
        If there are too few splits.

    References
    ----------
    Kay et al. (2008), Nature 452:352, doi:10.1038/nature06713 (voxels of high predictive power).
    """
    fewest = 3 if select == "inner" else 2
    if len(folds) < fewest:
        raise NotEnoughDataError(
            f"Units are to be chosen by {len(folds)} inner folds, and select = {select!r} needs "
            f"{fewest}.",
            mend="Set encode.folds = { inner = 5 }, or select = 'loo'.",
        )
    made = fit_layer(
        gram,
        truth,
        folds=folds,
        inner=[_others(folds, k) for k in range(len(folds))],
        alphas=alphas,
        select=select,
        n_components=n_components,
    )
    return score_units(truth, made.guess, folds)


def _others(folds: Sequence[Fold], place: int) -> list[Fold]:
    """Split the training samples of one fold by the others."""
    own = folds[place].train
    return [
        Fold(one.name, (one.train & own)[own], (one.test & own)[own])
        for k, one in enumerate(folds)
        if k != place
    ]
