"""Which units a layer predicts, found on training images alone, to be chosen by it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.encode.choices import FEWEST_UNITS
from bids_dnn.analyses.encode.layer import fit_layer
from bids_dnn.analyses.encode.model import Task
from bids_dnn.analyses.encode.scores import score_units
from bids_dnn.analyses.encode.select import Selection
from bids_dnn.backend import on_device
from bids_dnn.containers.features import FeatureGram
from bids_dnn.containers.result import StatMap
from bids_dnn.errors import NotEnoughDataError
from bids_dnn.stats import leakage
from bids_dnn.stats.folds import Fold
from bids_dnn.stats.regions import shares_taken

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Values = NDArray[np.floating[Any]]


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
        inner=[_others(folds, k) if select == "inner" else [] for k in range(len(folds))],
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


def score_by_layers(
    grams: Sequence[FeatureGram],
    stimuli: Sequence[str],
    truth: Values,
    *,
    folds: Sequence[Fold],
    select: Selection,
    alphas: Sequence[float] | None,
    device: str,
) -> Array:
    """Return how well the layer that predicts it best predicts each unit, on training images.

    Parameters
    ----------
    grams
        One a layer.
    stimuli : n_train
        The training images.
    truth : (n_train, n_units)
    folds, select, alphas
        As in `score_on_training`.
    device
        ``cpu`` or ``cuda``.

    Returns
    -------
    r : (n_units,), in [-1, 1]
        NaN where no layer has one.

    Raises
    ------
    NotEnoughDataError
        If there are too few splits.
    MissingInputError
        If an image has no features.
    """
    best = np.full(truth.shape[1], np.nan)
    for gram in grams:
        r = score_on_training(
            on_device(gram.take(stimuli), device),
            truth,
            folds=folds,
            select=select,
            alphas=None if alphas is None else np.asarray(alphas, dtype=np.float64),
            n_components=gram.n_components,
        )
        best = np.fmax(best, r)
    return best


def choose_units(task: Task) -> list[Mask]:
    """Choose units of each region in each fold, by the layer that predicts each best.

    Parameters
    ----------
    task
        Its `Choices.units` says how; layers are compared by their scores on the training images.

    Returns
    -------
    marks : n_regions of (n_folds, n_units of the region) bool

    Raises
    ------
    NotEnoughDataError
        If there are too few inner folds.
    LeakageError
        If images that are tested choose.
    """
    data, rule = task.data, task.choices.units
    if rule is None:
        return [np.ones((len(data.folds), len(own)), dtype=np.bool_) for _, own in data.regions]
    taught = [fold.train for fold in data.folds]
    leakage.check_choice(data.folds, chosen_on=taught, groups=data.stimuli, what="units")
    best = []
    for f, (rows, inner) in enumerate(zip(taught, data.inner, strict=True)):
        task.say(f"units of fold {f + 1} of {len(taught)} by {len(task.grams)} layers")
        r = score_by_layers(
            task.grams,
            [data.stimuli[k] for k in np.flatnonzero(rows)],
            data.taught(f)[rows, : data.n_units],
            folds=inner,
            select=data.select,
            alphas=task.choices.alphas,
            device=task.device,
        )
        best.append(r)
    return [np.stack([rule.choose(r[own]) for r in best]) for _, own in data.regions]


def choice_map(task: Task, marks: Sequence[Mask]) -> StatMap:
    """Map in what share of the folds each unit was chosen; of several regions, the most."""
    shares = shares_taken([own for _, own in task.data.regions], marks, task.data.n_units)
    text = "Share of the folds in which the unit was chosen by its scores on training images."
    return StatMap("chosen", shares, "", text)


def choice_warnings(task: Task, marks: Sequence[Mask]) -> list[str]:
    """Say in which regions too few units were chosen to identify images by them."""
    told = []
    for (region, _), mark in zip(task.data.regions, marks, strict=True):
        fewest = int(mark.sum(axis=1).min())
        if task.choices.units is not None and fewest < FEWEST_UNITS:
            told.append(
                f"{region.name}: encode.units chose {fewest} of {mark.shape[1]} units in a fold; "
                f"a pattern needs {FEWEST_UNITS}, so that no image was identified."
            )
    return told
