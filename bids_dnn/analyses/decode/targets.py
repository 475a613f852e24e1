"""Numbers that are predicted from patterns: response times, ratings, luminance."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.svm import SVR

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.classifiers.ridge import ridge_decisions
from bids_dnn.analyses.decode.permutation import Codes
from bids_dnn.analyses.decode.prepare import Patterns
from bids_dnn.analyses.decode.samples import number_trials
from bids_dnn.errors import NotEnoughDataError
from bids_dnn.stats.folds import Fold
from bids_dnn.stats.inference import (
    corrected_t_interval,
    fdr,
    max_statistic,
    p_floor,
    permutation_p,
)
from bids_dnn.stats.metrics import pearson, r2
from bids_dnn.stats.nuisance import nuisance_columns

Array = NDArray[np.float64]
COLUMNS = {
    "target": "Column of the samples that is predicted",
    "regressor": "ridge, or svr = support vector regression",
    "metric": "pearson = correlation of what is predicted of the samples of a run with what was",
    "score": "Mean over what folds leave out of that correlation, weighted by samples",
    "chance": "Score expected by chance",
    "r2": "Share of the variance of all samples that is predicted, against the mean of the "
    "training samples; below 0 where that mean is nearer",
    "ci_low": "Lower end of the 95 % corrected resampled t interval over what folds leave out; "
    "n/a under 3 of them",
    "ci_high": "Upper end of that interval",
    "p": "One-sided permutation p, numbers of trials exchanged within runs and what folds leave "
    "out",
    "p_floor": "The smallest p that the permutations allow",
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
    warnings
    """

    name: str
    values: Array
    warnings: list[str]


def targets_of(samples: pd.DataFrame, runs: Codes, choices: Choices) -> list[Target]:
    """Return the numbers that are predicted, with exchanges of those of whole trials.

    The exchanges of two targets are the same, where both are known in the same samples.

    Parameters
    ----------
    samples : n rows
    runs : (n,) intp
        What trials are exchanged within: their run, and what folds leave out.
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
        first = np.unique(trials[known], return_index=True)[1]
        rows = np.flatnonzero(known)
        by_trial, run_of = own[rows][first], runs[rows][first]
        place = np.unique(trials[known], return_inverse=True)[1]
        values = np.full((1 + choices.n_permutations, len(own)), np.nan)
        values[0] = np.where(known, own, np.nan)
        for row in values[1:]:
            drawn = np.empty(len(by_trial))
            for run in np.unique(run_of):
                there = np.flatnonzero(run_of == run)
                drawn[there] = by_trial[rng.permutation(there)]
            row[rows] = drawn[place]
        lost = int((~known).sum())
        told = [f"{lost} of {len(own)} samples have no {name}, and are left out."] if lost else []
        made.append(Target(name, values, told))
    return made


def predict_target(
    target: Target,
    patterns: Mapping[str, Patterns],
    folds: Sequence[Fold],
    choices: Choices,
    *,
    region: str,
) -> tuple[dict[str, Any], Array]:
    """Predict a target from a region's patterns; returns its row, and scores under exchanges.

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
        If fewer than two folds have samples with numbers that vary.
    """
    whole = np.isfinite(target.values[0])
    known = np.zeros_like(whole)
    for fold in folds:  # a sample alone in its fold cannot be correlated
        own = fold.test & whole
        known |= own if own.sum() > 1 else False
    guess = np.full(target.values.shape, np.nan)
    means = np.full(known.shape, np.nan)
    used = [fold for fold in folds if (fold.test & known).sum() > 1 and (fold.train & known).any()]
    if len(used) < 2 or np.ptp(target.values[0][known]) == 0:
        raise NotEnoughDataError(
            f"The target {target.name!r} has numbers in {len(used)} fold(s), of "
            f"{len(np.unique(target.values[0][known]))} different values.",
            mend="Name a column that varies within several runs, or leave it out.",
        )
    for fold in used:
        train, test = np.flatnonzero(fold.train & known), np.flatnonzero(fold.test & known)
        gram = patterns[fold.name].gram
        own = gram[np.ix_(train, train)], gram[np.ix_(test, train)]
        guess[:, test] = _predicted(*own, target.values[:, train], choices)
        means[test] = target.values[0][train].mean()
    scores = _scores(target.values, guess, used)
    by_fold = np.array([_scores(target.values[:1], guess[:1], [fold])[0] for fold in used])
    n, k = int(known.sum()), len(used)
    low, high = corrected_t_interval(
        by_fold, n_test=n / k, n_train=n - n / k, center=float(scores[0])
    )
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
        "p_floor": p_floor(len(scores) - 1, enumerated=False),
        "n_permutations": len(scores) - 1,
        "n_samples": n,
        "n_units": patterns[used[0].name].n_units,
    }
    return row, scores[1:]


def targets_table(made: Sequence[tuple[dict[str, Any], Array]]) -> pd.DataFrame:
    """Make the table of targets, with p over the family of its rows.

    Parameters
    ----------
    made
        Row and scores under exchanges of each.
    """
    table = pd.DataFrame([row for row, _ in made])
    null = np.stack([scores for _, scores in made], axis=1)
    corrected = max_statistic(table["score"].to_numpy(), null)
    table["p_corrected"] = np.maximum(corrected, table["p"].to_numpy())
    table["p_fdr"] = fdr(table["p"].to_numpy())
    return table[["region", *COLUMNS]]


def _predicted(train: Array, cross: Array, values: Array, choices: Choices) -> Array:
    """Predict numbers of test samples (k, m) from those of training samples (k, n)."""
    if choices.regressor == "ridge":
        alpha = choices.classifier.alpha
        guess: Array = ridge_decisions(train[None], cross[None], values.T[None], alpha=alpha)[0].T
        return guess
    made = np.empty((len(values), len(cross)))
    for row, own in zip(made, values, strict=True):
        spread = float(own.std()) or 1.0
        model = SVR(kernel="precomputed", C=choices.classifier.c, epsilon=0.1)
        model.fit(train, (own - own.mean()) / spread)
        row[:] = model.predict(cross) * spread + own.mean()
    return made


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
