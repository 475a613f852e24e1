"""Fit one layer to all units: predictions of images that the model never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.encode.solvers import (
    BATCH,
    Array,
    choose_alpha,
    cross_validate,
    decompose,
    mix_penalties,
    predict_fold,
)
from bids_dnn.stats.folds import Fold

Values = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class LayerFit:
    """What a layer says of each image and unit, out of fold.

    Parameters
    ----------
    guess : (n_stimuli, n_units) float32
        Predictions less the mean of the training images, in the unit of the responses (with
        it, responses far from zero would cost the digits of float32).
    r2 : (n_units,)
        1 - SSE / SST against the training mean; NaN where the responses do not vary.
    alpha : (n_folds, n_units)
        The chosen penalty, as a multiple of the mean diagonal of the centered Gram matrix.
    operator : (n_stimuli, n_stimuli)
        From responses to predictions under all penalties in equal measure (see
        `solvers.mix_penalties`); zero within a fold.
    """

    guess: NDArray[np.float32]
    r2: Array
    alpha: Array
    operator: Array


def fit_layer(
    gram: Array,
    truth: Values,
    *,
    folds: Sequence[Fold],
    inner: Sequence[Sequence[Fold]],
    alphas: Array,
    teaching: Sequence[Values] | None = None,
    n_components: int = 0,
    batch: int = BATCH,
) -> LayerFit:
    """Predict each fold's images from the others, each unit with its own penalty.

    Parameters
    ----------
    gram : (n_stimuli, n_stimuli)
        Inner products of the layer's features, not centered.
    truth : (n_stimuli, n_units)
        Responses to each image.
    folds
        Each image is tested once.
    inner
        For each fold, splits of its training images, on which the penalty is chosen: the one
        of least squared error.
    alphas : (n_alphas,)
        Multiples of the mean diagonal of the centered training Gram matrix, so that the scale
        of the features does not matter.
    teaching : n_folds of (n_stimuli, n_units)
        For each fold, the responses less the nuisance as its training samples teach it; the
        rows of its test images are those of `truth`. None = `truth` for all.
    n_components : int
        Principal components of the features that are kept, learnt on training images of each
        fold, and anew within each of its inner folds; 0 = all.
    batch : int
        Units worked on at once.
    """
    guess = np.empty(truth.shape, dtype=np.float32)
    chosen = np.empty((len(folds), truth.shape[1]))
    operator = np.zeros_like(gram)
    sse, sst = np.zeros(truth.shape[1]), np.zeros(truth.shape[1])
    for f, (fold, splits) in enumerate(zip(folds, inner, strict=True)):
        train = gram[np.ix_(fold.train, fold.train)]
        test = gram[np.ix_(fold.test, fold.train)]
        found = decompose(train, test, n_components=n_components)
        scale = found.scale if found.values.size else 1.0  # features that do not vary
        penalties = alphas * scale
        own = truth if teaching is None else teaching[f]
        loss = cross_validate(
            train,
            own[fold.train],
            folds=splits,
            alphas=penalties,
            n_components=n_components,
            batch=batch,
        )
        alpha = choose_alpha(loss, penalties)
        told, mean = predict_fold(found, own, fold, alpha=alpha, batch=batch)
        held_out = own[fold.test]
        sse += ((held_out - told) ** 2).sum(axis=0)
        sst += ((held_out - mean) ** 2).sum(axis=0)
        guess[fold.test], chosen[f] = told - mean, alpha / scale
        operator[np.ix_(fold.test, fold.train)] = mix_penalties(found, penalties)
    flat = np.ptp(truth, axis=0) == 0
    r2 = np.where(flat, np.nan, 1 - sse / np.where(flat, 1.0, sst))
    return LayerFit(guess, r2, chosen, operator)
