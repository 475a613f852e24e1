"""Fit one layer to all units: predictions of images that the model never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.encode.select import Selection, choose_and_predict, edges_of
from bids_dnn.analyses.encode.solvers import Array, lesson_of, mix_penalties
from bids_dnn.analyses.encode.spectrum import decompose, penalty_grid
from bids_dnn.stats.folds import Fold

Values = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class LayerFit:
    """What a layer says of each image and unit, out of fold.

    Parameters
    ----------
    guess : (n_stimuli, n_units) float32
        Predictions less the mean of the training images, in the unit of the responses (with
        it, responses far from zero would cost the digits of float32). NaN for images that no
        fold tests.
    alpha : (n_folds, n_units)
        The chosen penalty, as a multiple of the mean diagonal of the centered Gram matrix.
    edges : (n_folds, n_units) int8
        -1 where the chosen penalty is the smallest that was offered, 1 where it is the largest.
    loss : (n_folds, n_units)
        Squared error that was expected of it on the training images, squared units of the
        responses: layers can be compared by it without a look at the test images.
    judged : n_folds of (n_stimuli,) bool
        The images on which `loss` is expected.
    operator : (n_stimuli, n_stimuli) float32
        From responses to predictions under all penalties in equal measure (see
        `solvers.mix_penalties`); zero within a fold.
    """

    guess: NDArray[np.float32]
    alpha: Array
    edges: NDArray[np.int8]
    loss: Array
    judged: tuple[NDArray[np.bool_], ...]
    operator: NDArray[np.float32]


def fit_layer(
    gram: Array,
    truth: Values,
    *,
    folds: Sequence[Fold],
    inner: Sequence[Sequence[Fold]],
    alphas: Array | None,
    select: Selection = "inner",
    teaching: Sequence[Values] | None = None,
    n_components: int = 0,
) -> LayerFit:
    """Predict each fold's images from the others, each unit with its own penalty.

    Parameters
    ----------
    gram : (n_stimuli, n_stimuli)
        Inner products of the layer's features, not centered: a numpy array, or a tensor on the
        device that is to multiply.
    truth : (n_stimuli, n_units)
        Responses to each image. Products are as precise as they are, spectra double.
    folds
        Each image is tested at most once.
    inner
        For each fold, splits of its training images, on which ``select = "inner"`` chooses.
    alphas : (n_alphas,)
        Multiples of the mean diagonal of the centered training Gram matrix, so that the scale
        of the features does not matter; None = those that each fold's spectrum asks for.
    select
        How the penalty is chosen: the one of least squared error on inner folds, on left out
        images, or by generalized cross-validation.
    teaching : n_folds of (n_stimuli, n_units)
        For each fold, the responses less the nuisance as its training samples teach it; the
        rows of its test images are those of `truth`. None = `truth` for all.
    n_components : int
        Principal components of the features that are kept, learnt on training images of each
        fold, and anew within each of its inner folds; 0 = all.
    """
    n_units = truth.shape[1]
    guess = np.full(truth.shape, np.nan, dtype=np.float32)
    chosen, least = np.empty((len(folds), n_units)), np.empty((len(folds), n_units))
    edges = np.zeros((len(folds), n_units), dtype=np.int8)
    operator = np.zeros(gram.shape, dtype=np.float32)
    for f, (fold, splits) in enumerate(zip(folds, inner, strict=True)):
        found = decompose(
            gram[np.ix_(fold.train, fold.train)],
            gram[np.ix_(fold.test, fold.train)],
            n_components=n_components,
        )
        scale = found.scale if len(found.values) else 1.0  # features that do not vary
        penalties = (penalty_grid(found) if alphas is None else alphas) * scale
        own = lesson_of(truth, teaching, f)
        made = choose_and_predict(
            select, found, gram, own, fold=fold, inner=splits, alphas=penalties
        )
        edges[f], chosen[f], least[f] = (
            edges_of(made.alpha, penalties),
            made.alpha / scale,
            made.loss,
        )
        guess[fold.test] = made.guess
        operator[np.ix_(fold.test, fold.train)] = mix_penalties(found, penalties)
    judged = tuple(fold.train for fold in folds)
    return LayerFit(guess, chosen, edges, least, judged, operator)
