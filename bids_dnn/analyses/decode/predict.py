"""Predict classes in folds, under each labeling, with parameters searched for in inner folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.decode.by_labeling import guess_by_labeling, of_same_samples, pays
from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.classifiers.votes import Guesses, guess_classes, pairs_of
from bids_dnn.analyses.decode.prepare import Gram, Patterns, Preparation, kernel_of
from bids_dnn.errors import NotEnoughDataError
from bids_dnn.stats.folds import Fold

Codes = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Learner:
    """How classes are learnt.

    Parameters
    ----------
    candidates
        Classifiers that are tried in inner folds; one alone is taken as it is.
    preparation
    """

    candidates: tuple[Classifier, ...]
    preparation: Preparation


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What is predicted of each sample, in the fold that tests it, under each labeling.

    Parameters
    ----------
    guess : (n_labelings, n) intp
        -1 for a sample that no fold tests, or that is no part of the labeling.
    values : (n_pairs, n_kept, n) float32
        Decisions of pairs of classes, of all labelings or of the first; NaN where there is no
        guess.
    chosen : by fold
        Number of the candidate that the labels as they are chose.
    """

    guess: Codes
    values: NDArray[np.float32]
    chosen: dict[str, int]


def predict(
    patterns: Sequence[Patterns],
    folds: Sequence[Fold],
    codes: Codes,
    learner: Learner,
    *,
    groups: Codes,
    n_classes: int,
    tested: Codes | None = None,
    has_values: bool = True,
) -> Predictions:
    """Predict the samples that each fold tests, for each labeling.

    Parameters
    ----------
    patterns, folds
        A pair for each fold.
    codes : (n_labelings, n)
        Class of each sample that teaches, from 0; -1 = it does not, under this labeling. The first
        row is the labeling as it was.
    learner
    groups : (n,) intp
        What inner folds leave out in turn.
    n_classes
    tested : (n_labelings, n)
        The class of samples that are tested; None = those that teach are, in their turn.
    has_values
        Whether decisions are kept of all labelings; otherwise of the first alone.

    Raises
    ------
    NotEnoughDataError
        If parameters are searched for, and the training samples of a fold are one group.

    Returns
    -------
    predictions
        Decisions of support vector machines are within 1e-4 of libsvm's with ``tol=1e-6``.
    """
    small = np.int8 if n_classes < np.iinfo(np.int8).max else np.int16
    tested = (codes if tested is None else tested).astype(small)
    codes = codes.astype(small)
    if (
        len(learner.candidates) == 1
        and not learner.preparation.needs_labels
        and not (learner.preparation.is_blank and learner.preparation.pca)
        and pays(patterns, folds, codes, learner.candidates[0])
    ):
        guess, values = guess_by_labeling(
            patterns,
            folds,
            codes,
            tested,
            learner.candidates[0],
            n_classes=n_classes,
            is_blank=learner.preparation.is_blank,
            n_kept=None if has_values else 1,
        )
        return Predictions(guess, values, dict.fromkeys([fold.name for fold in folds], 0))
    n_kept = len(codes) if has_values else 1
    shape = (len(pairs_of(n_classes)), n_kept, codes.shape[1])
    guess, values = np.full(codes.shape, -1, dtype=np.intp), np.full(shape, np.nan, np.float32)
    chosen: dict[str, int] = {}
    for own, fold in zip(patterns, folds, strict=True):
        test = np.flatnonzero(fold.test)
        for block in _alike(codes, tested, learner.preparation):
            part = codes[block]
            is_part = (part[0] >= 0) | (tested[block[0]] >= 0)
            gram, n_units = own.labeled(part[0], is_part, learner.preparation)
            fitted = _Fitted(gram, n_units, part, n_classes)
            best = _choose(fitted, fold.train, groups, learner.candidates)
            for number in np.unique(best):
                rows = np.flatnonzero(best == number)
                made = fitted.guess(fold.train, test, rows, learner.candidates[number])
                guess[np.ix_(block[rows], test)] = made.guess
                kept = np.flatnonzero(block[rows] < n_kept)
                where = np.arange(shape[0]), block[rows][kept], test
                values[np.ix_(*where)] = made.values[:, kept]
            if block[0] == 0:
                chosen[fold.name] = int(best[0])
    is_out = tested < 0
    guess[is_out] = -1
    values[:, is_out[:n_kept]] = np.nan
    return Predictions(guess, values, chosen)


def _alike(codes: Codes, tested: Codes, how: Preparation) -> list[Codes]:
    """Group the labelings whose patterns are prepared alike; the first one comes first."""
    every = np.arange(len(codes))
    if how.needs_labels:
        return [every[[row]] for row in every]
    return of_same_samples(codes, tested) if how.is_blank else [every]


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    """A fold's samples as they are classified, and their labelings."""

    gram: Gram
    n_units: int
    codes: Codes  # (k, n)
    n_classes: int

    def guess(self, train: Mask, test: Codes, rows: Codes, classifier: Classifier) -> Guesses:
        """Guess the classes of some samples under some labelings."""
        taught = np.flatnonzero(train & (self.codes[rows] >= 0).any(axis=0))
        kernel = kernel_of(self.gram, classifier, self.n_units)
        return guess_classes(
            kernel[np.ix_(taught, taught)],
            kernel[np.ix_(test, taught)],
            self.codes[np.ix_(rows, taught)],
            classifier,
            n_classes=self.n_classes,
            n_units=self.n_units,
        )


def _choose(
    fitted: _Fitted, train: Mask, groups: Codes, candidates: Sequence[Classifier]
) -> Codes:
    """Return which candidate is right most often in inner folds, (k,); the first of the best."""
    every = np.arange(len(fitted.codes))
    if len(candidates) == 1:
        return np.zeros(len(every), dtype=np.intp)
    if len(np.unique(groups[train])) < 2:
        raise NotEnoughDataError(
            "decode.search chooses parameters in inner folds, and the training samples of a fold "
            "are one group.",
            mend="Take decode.folds with three values or more, or leave search out of [decode].",
        )
    right = np.zeros((len(candidates), len(every)))
    for group in np.unique(groups[train]):
        inner = np.flatnonzero(train & (groups == group))
        teach = train & (groups != group)
        truth = fitted.codes[:, inner]
        for number, classifier in enumerate(candidates):
            made = fitted.guess(teach, inner, every, classifier)
            right[number] += ((made.guess == truth) & (truth >= 0)).sum(axis=1)
    best: Codes = right.argmax(axis=0)
    return best
