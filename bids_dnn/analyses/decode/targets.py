"""Numbers that are predicted from patterns: response times, ratings, luminance."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import factorial, prod
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.svm import SVR

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.classifiers.ridge import ridge_decisions
from bids_dnn.analyses.decode.permutation import Codes, exchange_units, numbered
from bids_dnn.analyses.decode.prepare import Patterns, Preparation, blanked
from bids_dnn.analyses.decode.samples import number_trials
from bids_dnn.analyses.decode.scoring import FEWEST_GROUPS, N_BOOTSTRAP
from bids_dnn.errors import NotEnoughDataError
from bids_dnn.stats.folds import Fold
from bids_dnn.stats.inference import (
    corrected_t_interval,
    fdr,
    max_statistic,
    p_floor,
    permutation_p,
)
from bids_dnn.stats.kernels import principal
from bids_dnn.stats.metrics import pearson, r2, within_range
from bids_dnn.stats.nuisance import nuisance_columns

Array = NDArray[np.float64]
Marks = NDArray[np.bool_]
LEAST = 20  # exchanges, for p of 0.05
EPSILON = 0.1  # SD of the numbers, within which support vector regression counts no error
PENALTIES = {"ridge": "alpha", "svr": "c"}  # by regressor, as they are called in [decode]
COLUMNS = {
    "target": "Column of the samples that is predicted",
    "regressor": "ridge, or svr = support vector regression",
    "metric": "pearson = correlation of what is predicted of the samples of a run with what was",
    "score": "Mean over what folds leave out of that correlation, weighted by samples",
    "chance": "Score expected by chance",
    "r2": "Share of the variance of all samples that is predicted, against the mean of the "
    "training samples; below 0 where that mean is nearer",
    "ci_low": "Lower end of the 95 % interval over what folds leave out, corrected resampled t or "
    "bootstrap as settings say; n/a under 3 of them",
    "ci_high": "Upper end of that interval",
    "p": "One-sided permutation p: numbers of trials exchanged within runs and what folds leave "
    "out; where that has one number throughout (a stimulus), of all its samples together",
    "p_floor": "The smallest p that the exchanges allow",
    "p_corrected": "p corrected for all regions and targets (maximum statistic)",
    "p_fdr": "p adjusted for the false discovery rate over them",
    "n_permutations": "Random exchanges",
    "n_samples": "Samples predicted",
    "n_units": "Units of the region",
}


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """Numbers of samples, and their exchanges.

    Parameters
    ----------
    name
        Of the column.
    values : (1 + n_permutations, n)
        As they are, then exchanged; NaN where a sample has none.
    n_distinct : int
        Exchanges that differ, as far as they are counted.
    warnings
    """

    name: str
    values: Array
    n_distinct: int
    warnings: list[str]


def targets_of(
    samples: pd.DataFrame, runs: Codes, groups: Codes, choices: Choices
) -> list[Target]:
    """Return the numbers that are predicted, with exchanges of what `exchange_units` says.

    The exchanges of two targets are the same, where both are known in the same samples, and both
    or neither are the same throughout what folds leave out.

    Parameters
    ----------
    samples : n rows
    runs, groups : (n,) intp
        Of each sample: its run, and what folds leave out.
    choices

    Raises
    ------
    ConfigError
        If there is no such column.
    NotEnoughDataError
        If a column holds no number.
    """
    made = []
    trials = number_trials(samples)
    for name in choices.targets:
        columns, _ = nuisance_columns(samples, (name,), option="target")
        own = columns[:, 0]
        known = np.isfinite(own)
        rng = np.random.default_rng([choices.seed, zlib.crc32(b"targets")])
        rows = np.flatnonzero(known)
        units, blocks = exchange_units(
            numbered(own[rows]), runs[rows], trials=trials[rows], groups=groups[rows]
        )
        _, first, place = np.unique(units, return_index=True, return_inverse=True)
        by_unit, block_of = own[rows][first], blocks[first]
        values = np.full((1 + choices.n_permutations, len(own)), np.nan)
        values[0] = np.where(known, own, np.nan)
        for row in values[1:]:
            drawn = np.empty(len(by_unit))
            for block in np.unique(block_of):
                there = np.flatnonzero(block_of == block)
                drawn[there] = by_unit[rng.permutation(there)]
            row[rows] = drawn[place]
        lost = int((~known).sum())
        told = [f"{lost} of {len(own)} samples have no {name}, and are left out."] if lost else []
        n_distinct = _count(by_unit, block_of, most=choices.n_permutations)
        if n_distinct < LEAST:
            told.append(
                f"The numbers of {name} can be exchanged in {n_distinct} way(s): p cannot fall "
                f"below {1 / n_distinct:.3g}."
            )
        made.append(Target(name, values, n_distinct, told))
    if made and choices.search and PENALTIES[choices.regressor] not in choices.search:
        made[0].warnings.append(
            f"decode.search chooses {' and '.join(choices.search)} of the classifier, which "
            f"{choices.regressor} does not have: it predicts {', '.join(choices.targets)} with "
            f"{PENALTIES[choices.regressor]} = {penalties_of(choices)[0]:g}."
        )
    if made and choices.preparation.needs_labels:
        made[0].warnings.append(
            "anova and whiten are learnt from sides, which numbers have not: the patterns that "
            f"{', '.join(choices.targets)} are predicted from are without them."
        )
    return made


def _count(values: Array, blocks: Codes, *, most: int) -> int:
    """Count the different ways to exchange values within blocks; above `most` not to the end."""
    n = 1
    for block in np.unique(blocks):
        own = values[blocks == block]
        sizes = np.unique(own, return_counts=True)[1].tolist()
        n *= factorial(len(own)) // prod(map(factorial, sizes))
        if n > most:
            break
    return n


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """How well a target is predicted in a region.

    Parameters
    ----------
    row
        Of the table, but for what it says of the family.
    null : (n_permutations,)
        Scores under exchanges.
    chosen : by fold
        The penalty that inner folds chose; none where there was no search.
    """

    row: dict[str, Any]
    null: Array
    chosen: dict[str, float]


def predict_target(
    target: Target,
    patterns: Mapping[str, Patterns],
    folds: Sequence[Fold],
    choices: Choices,
    *,
    region: str,
) -> Predicted:
    """Predict a target from a region's patterns.

    Parameters
    ----------
    target
    patterns : by fold
    folds
    choices
    region
        Its name.

    Raises
    ------
    NotEnoughDataError
        If fewer than two folds have samples with numbers that vary, or penalties are searched for
        and training samples make one inner fold.
    """
    known, used = _testable(target, folds)
    guess = np.full(target.values.shape, np.nan)
    means = np.full(known.shape, np.nan)
    tried, chosen = penalties_of(choices), {}
    for fold in used:
        test = np.flatnonzero(fold.test & known)
        gram = _prepared(patterns[fold.name], known, choices.preparation)
        parts = _Parts(gram, fold.train & known, target.values, choices.regressor)
        best = _choose(parts, [one for one in folds if one is not fold], tried)
        for number in np.unique(best):
            rows = np.flatnonzero(best == number)
            guess[np.ix_(rows, test)] = parts.predict(parts.train, test, rows, tried[number])
        chosen[fold.name] = tried[best[0]]
        means[test] = target.values[0][parts.train].mean()
    scores = _scores(target.values, guess, used)
    scores[1:] = np.nan_to_num(scores[1:])  # an exchange that leaves nothing to correlate: chance
    by_fold = np.array([_scores(target.values[:1], guess[:1], [fold])[0] for fold in used])
    n, k = int(known.sum()), len(used)
    if choices.interval == "bootstrap":
        low, high = _bootstrap(by_fold, [int((fold.test & known).sum()) for fold in used], choices)
    else:
        low, high = corrected_t_interval(
            by_fold, n_test=n / k, n_train=n - n / k, center=float(scores[0])
        )
    low, high = within_range((low, high), "pearson")
    truth, told = target.values[0][known][:, None], guess[0][known][:, None]
    row = {
        "region": region,
        "target": target.name,
        "regressor": choices.regressor,
        "metric": "pearson",
        "score": float(scores[0]),
        "chance": 0.0,
        "r2": float(r2(truth, told, baseline=means[known][:, None])[0]),
        "ci_low": low,
        "ci_high": high,
        "p": permutation_p(float(scores[0]), scores[1:], enumerated=False),
        "p_floor": max(p_floor(len(scores) - 1, enumerated=False), 1 / target.n_distinct),
        "n_permutations": len(scores) - 1,
        "n_samples": n,
        "n_units": patterns[used[0].name].n_units,
    }
    return Predicted(row, scores[1:], chosen if len(tried) > 1 else {})


def _testable(target: Target, folds: Sequence[Fold]) -> tuple[Marks, list[Fold]]:
    """Return the samples (n,) that can be predicted and correlated, and the folds that do so."""
    whole = np.isfinite(target.values[0])
    known = np.zeros_like(whole)
    for fold in folds:  # a sample alone in its fold cannot be correlated
        own = fold.test & whole
        known |= own if own.sum() > 1 else False
    used = [fold for fold in folds if (fold.test & known).sum() > 1 and (fold.train & known).any()]
    if len(used) < 2 or np.ptp(target.values[0][known]) == 0:
        raise NotEnoughDataError(
            f"The target {target.name!r} has numbers in {len(used)} fold(s), of "
            f"{len(np.unique(target.values[0][known]))} different values.",
            mend="Name a column that varies within several runs, or leave it out.",
        )
    return known, used


def penalties_of(choices: Choices) -> tuple[float, ...]:
    """Return the penalties of the regressor that inner folds choose from; one, without a search.

    Examples
    --------
    >>> choices = Choices(comparisons=("all",), n_permutations=1, seed=0, search={"c": (0.1, 1)})
    >>> penalties_of(choices)  # c is none of ridge regression
    (1.0,)
    """
    name = PENALTIES[choices.regressor]
    return tuple(choices.search.get(name, (getattr(choices.classifier, name),)))


def targets_table(made: Sequence[Predicted]) -> pd.DataFrame:
    """Make the table of targets, with p over the family of its rows.

    Parameters
    ----------
    made
    """
    table = pd.DataFrame([one.row for one in made])
    null = np.stack([one.null for one in made], axis=1)
    corrected = max_statistic(table["score"].to_numpy(), null)
    table["p_corrected"] = np.maximum(corrected, table["p"].to_numpy())
    table["p_fdr"] = fdr(table["p"].to_numpy())
    return table[["region", *COLUMNS]]


def _prepared(own: Patterns, known: NDArray[np.bool_], how: Preparation) -> Array:
    """Finish the inner products of a fold, (n, n), over the samples that have a number."""
    gram = blanked(own.gram, own.runs, known) if how.is_blank else own.gram
    return principal(gram, own.train & known, how.pca) if how.is_late and how.pca else gram


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """A fold's inner products, what teaches in it, and the numbers under all exchanges."""

    gram: Array
    train: Marks
    values: Array  # (k, n)
    regressor: str

    def predict(self, train: Marks, test: Codes, rows: Codes, penalty: float) -> Array:
        """Predict numbers of some samples, (k, m), under some exchanges."""
        taught = np.flatnonzero(train)
        own, cross = self.gram[np.ix_(taught, taught)], self.gram[np.ix_(test, taught)]
        values = self.values[np.ix_(rows, taught)]
        if self.regressor == "ridge":
            told = ridge_decisions(own[None], cross[None], values.T[None], alpha=penalty)
            guess: Array = told[0].T
            return guess
        made = np.empty((len(values), len(cross)))
        for row, numbers in zip(made, values, strict=True):
            spread = float(numbers.std()) or 1.0
            model = SVR(kernel="precomputed", C=penalty, epsilon=EPSILON)
            model.fit(own, (numbers - numbers.mean()) / spread)
            row[:] = model.predict(cross) * spread + numbers.mean()
        return made


def _choose(parts: _Parts, others: Sequence[Fold], tried: Sequence[float]) -> Codes:
    """Return which penalty predicts best what other folds test, (k,); the first of the best."""
    every = np.arange(len(parts.values))
    if len(tried) == 1:
        return np.zeros(len(every), dtype=np.intp)
    inner = [Fold(one.name, parts.train & ~one.test, parts.train & one.test) for one in others]
    inner = [one for one in inner if one.test.sum() > 1 and one.train.any()]
    if len(inner) < 2:
        raise NotEnoughDataError(
            "decode.search chooses penalties in inner folds, and the training samples of a fold "
            f"make {len(inner)}.",
            mend="Take decode.folds with three values or more, or leave search out of [decode].",
        )
    scores = np.empty((len(tried), len(every)))
    for number, penalty in enumerate(tried):
        guess = np.full(parts.values.shape, np.nan)
        for one in inner:
            test = np.flatnonzero(one.test)
            guess[:, test] = parts.predict(one.train, test, every, penalty)
        scores[number] = _scores(parts.values, guess, inner)
    best: Codes = np.where(np.isfinite(scores), scores, -np.inf).argmax(axis=0)
    return best


def _bootstrap(by_fold: Array, sizes: Sequence[int], choices: Choices) -> tuple[float, float]:
    """Return the percentiles of the score where what folds leave out is drawn with replacement."""
    known = np.isfinite(by_fold)
    if known.sum() < FEWEST_GROUPS:
        return float("nan"), float("nan")
    rng = np.random.default_rng([choices.seed, zlib.crc32(b"targets bootstrap")])
    drawn = rng.choice(np.flatnonzero(known), size=(N_BOOTSTRAP, int(known.sum())))
    weights = np.asarray(sizes, dtype=np.float64)[drawn]
    found = (by_fold[drawn] * weights).sum(axis=1) / weights.sum(axis=1)
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def _scores(truth: Array, guess: Array, folds: Sequence[Fold]) -> Array:
    """Correlate within folds; the mean over folds by their numbers of samples, (k,)."""
    total, weights = np.zeros(len(truth)), np.zeros(len(truth))
    for fold in folds:
        own = fold.test & np.isfinite(truth[0])
        r = pearson(truth[:, own].T, guess[:, own].T)
        is_known = np.isfinite(r)
        total += np.where(is_known, r, 0) * own.sum()
        weights += is_known * own.sum()
    return np.where(weights > 0, total / np.maximum(weights, 1), np.nan)
