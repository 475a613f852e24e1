"""Guesses where each labeling has samples of its own: labeling after labeling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.classifiers.votes import pairs_of, shares_of, signs_of, voted
from bids_dnn.analyses.decode.prepare import Patterns, blanked
from bids_dnn.stats.folds import Fold
from bids_dnn.stats.kernels import centered

Array = NDArray[np.float64]
Codes = NDArray[np.integer[Any]]
Marks = NDArray[np.bool_]
# (k, n) classes +1, -1, 0, and shares of costs (k, n_folds) or None -> decisions (k, n)
Decide = Callable[[Codes, Array | None], Array]
# It pays to fit the machines of all folds at once
ENOUGH = 0.75  # with so many units for a sample that teaches,
TEACHES = 0.75  # and where folds leave so many of the samples
AT_ONCE = 20_000_000  # decisions: labelings are voted on in blocks of so many


def pays(
    patterns: Sequence[Patterns], folds: Sequence[Fold], codes: Codes, classifier: Classifier
) -> bool:
    """Tell whether labelings are decided faster one by one than all at once.

    Where they have the same samples, what they share in a fold is worth more.

    Parameters
    ----------
    patterns, folds
        A pair for each fold; patterns that no labeling alters.
    codes : (k, n)
        Class of each sample that teaches; -1 = it does not.
    classifier
    """
    part = codes >= 0
    if classifier.device is not None:
        return False
    if len(codes) == 1 or (codes.max() <= 1 and (part == part[0]).all()):
        return False
    if classifier.kind != "svm-linear":
        return classifier.kind == "lda" or (classifier.kind == "ridge" and classifier.alpha > 0)
    first = patterns[0]
    return bool(
        first.base is not None
        and all(one.base is first.base for one in patterns)
        and first.n_units >= ENOUGH * part.sum(axis=1).max()
        and np.mean([fold.train.mean() for fold in folds]) >= TEACHES
    )


def guess_by_labeling(
    patterns: Sequence[Patterns],
    folds: Sequence[Fold],
    codes: Codes,
    tested: Codes,
    classifier: Classifier,
    *,
    n_classes: int,
    is_blank: bool = False,
    n_kept: int | None = None,
) -> tuple[Codes, NDArray[np.float32]]:
    """Guess the classes of what is tested, by the votes of all pairs.

    Parameters
    ----------
    patterns, folds, codes, classifier
        For which it `pays`.
    is_blank
        Whether the mean pattern of each run, over the samples of a labeling, is taken out of it.
    tested : (k, n)
        Class of each sample that is tested; -1 = it is not.
    n_classes
    n_kept
        Labelings, the first ones, whose decisions are returned; None = all.

    Returns
    -------
    guess : (k, n) intp
        -1 for a sample that is not tested.
    values : (n_pairs, n_kept, n) float32
        Decisions of pairs of classes; NaN where there is no guess.
    """
    told = tested >= 0
    is_known = told & np.any([fold.test for fold in folds], axis=0)
    make = _machines if classifier.kind == "svm-linear" else _factors
    pairs, (n_labelings, n) = pairs_of(n_classes), codes.shape
    values = np.full((len(pairs), n_kept or n_labelings, n), np.nan, dtype=np.float32)
    guess = np.full(codes.shape, -1, dtype=np.intp)
    every = np.asarray(((codes >= 0) | told).any(axis=0), dtype=np.bool_)
    for alike in of_same_samples(codes, tested) if is_blank else [np.arange(n_labelings)]:
        part = (codes[alike[0]] >= 0) | told[alike[0]] if is_blank else every
        for rows in np.array_split(alike, -(-len(alike) * len(pairs) * n // AT_ONCE)):
            decide = make(patterns, folds, told[rows], classifier, _Finish(part, is_blank))
            made = np.full((len(pairs), len(rows), n), np.nan, dtype=np.float32)
            for place, pair in enumerate(pairs):
                shares = _shares(codes[rows], folds, pair) if classifier.is_weighted else None
                found = decide(signs_of(codes[rows], pair), shares)
                made[place] = np.where(is_known[rows], found, np.nan)
            for fold in folds:
                told_in = np.nan_to_num(made[:, :, fold.test])
                guess[np.ix_(rows, fold.test)] = voted(told_in, n_classes)
            kept = rows < values.shape[1]
            values[:, rows[kept]] = made[:, kept]
    guess[~told] = -1
    return guess, values


def of_same_samples(codes: Codes, tested: Codes) -> list[Codes]:
    """Return the numbers of the labelings that have the same samples; the first one comes first.

    Parameters
    ----------
    codes, tested : (k, n)
        Class of each sample that teaches, and that is tested; -1 = it does not, or is not.
    """
    is_part = np.packbits(np.hstack([codes >= 0, tested >= 0]), axis=1)
    group = np.unique(is_part, axis=0, return_inverse=True)[1].ravel()
    order = np.argsort(group, kind="stable")
    found = np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
    return sorted(found, key=lambda rows: int(rows[0]))


def _shares(codes: Codes, folds: Sequence[Fold], pair: tuple[int, int]) -> Array:
    """Return by how much costs are multiplied in each fold, (k, n_folds)."""
    return np.stack([shares_of(codes[:, fold.train], pair) for fold in folds], axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class _Finish:
    """What is done to inner products once the samples of a labeling are known."""

    part: Marks
    is_blank: bool

    def __call__(self, gram: Array, runs: Codes) -> Array:
        """Return the inner products (n, n) without means."""
        return blanked(gram, runs, self.part) if self.is_blank else centered(gram, self.part)


def _machines(
    patterns: Sequence[Patterns],
    folds: Sequence[Fold],
    told: Marks,
    classifier: Classifier,
    finish: _Finish,
) -> Decide:
    from bids_dnn.analyses.decode.classifiers.leaving import decide_left_out  # numba

    first = patterns[0]
    gram = finish(np.asarray(first.base), first.runs)
    factors = np.array([one.factor for one in patterns])
    return lambda signs, shares: decide_left_out(
        gram, factors, folds, signs, told, classifier, n_units=first.n_units, shares=shares
    )


def _factors(
    patterns: Sequence[Patterns],
    folds: Sequence[Fold],
    told: Marks,
    classifier: Classifier,
    finish: _Finish,
) -> Decide:
    from bids_dnn.analyses.decode.classifiers.alone import decide_alone  # numba

    grams = [finish(one.gram, one.runs) for one in patterns]

    def decide(signs: Codes, _: Array | None) -> Array:
        made = np.zeros(signs.shape)
        for own, gram, fold in zip(patterns, grams, folds, strict=True):
            found = decide_alone(gram, fold, signs, told, classifier, n_units=own.n_units)
            made[:, fold.test] = found[:, fold.test]
        return made

    return decide
