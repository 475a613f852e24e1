"""Score the predictions of a comparison in a region, under each labeling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.classifiers.votes import pairs_of
from bids_dnn.analyses.decode.predict import Predictions
from bids_dnn.analyses.decode.tasks import Task
from bids_dnn.errors import ShapeError
from bids_dnn.stats.folds import Fold
from bids_dnn.stats.inference import corrected_t_interval, p_floor, permutation_p
from bids_dnn.stats.metrics import within_range

Array = NDArray[np.float64]
Codes = NDArray[np.integer[Any]]
METRICS = ("accuracy", "balanced_accuracy", "auc", "dprime")
N_BOOTSTRAP = 1000
FEWEST_GROUPS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a comparison came to in a region.

    Parameters
    ----------
    row
        Of the table.
    null : (n_permutations,)
        Scores under exchanged labels.
    scores
        Of the labels as they are, by metric; NaN where a metric is not defined.
    confusion : (n_classes, n_classes) intp
        Truth by guess; None where nothing was predicted.
    chosen : by fold
        Number of the candidate that inner folds chose.
    sessions
        Score of each session, where there are several.
    """

    row: dict[str, Any]
    null: Array
    scores: dict[str, float]
    confusion: NDArray[np.intp] | None
    chosen: dict[str, int]
    sessions: dict[str, float]


def metric_of(task: Task, choices: Choices) -> str:
    """Return the metric of a comparison."""
    if choices.metric != "auto":
        return choices.metric
    return "accuracy" if task.is_balanced else "balanced_accuracy"


def outcome_of(
    task: Task,
    made: Predictions | None,
    choices: Choices,
    *,
    sessions: NDArray[np.object_],
    region: str,
    n_units: int,
) -> Outcome:
    """Score the predictions of a comparison in a region.

    Parameters
    ----------
    task
    made
        None = a fold had no unit to learn from, so that all scores are NaN.
    choices
    sessions : (n,)
        Of each sample.
    region
        Its name.
    n_units : int
        For the table.
    """
    codes, n_classes = task.labelings.codes, len(task.comparison.sides)
    metric = metric_of(task, choices)
    single = dict.fromkeys(METRICS, float("nan"))
    confusion = None
    if made is None:
        scores, low, high = np.full(len(codes), np.nan), np.nan, np.nan
    else:
        scores = scores_of(metric, codes, made, task.folds, n_classes=n_classes)
        for name in METRICS:
            if name != "dprime" or n_classes == 2:
                first = _first(made)
                single[name] = float(
                    scores_of(name, codes[:1], first, task.folds, n_classes=n_classes)[0]
                )
        low, high = _interval(task, made, metric, choices, score=float(scores[0]))
        rows = task.rows
        confusion = np.zeros((n_classes, n_classes), dtype=np.intp)
        np.add.at(confusion, (task.labels[rows], made.guess[0, rows]), 1)
    enumerated = task.labelings.enumerated
    null = scores if enumerated else scores[1:]
    row = {
        "region": region,
        "comparison": task.comparison.name,
        "n_classes": n_classes,
        "metric": metric,
        "score": float(scores[0]),
        "chance": chance_of(metric, n_classes),
        "ci_low": low,
        "ci_high": high,
        "p": permutation_p(float(scores[0]), null, enumerated=enumerated),
        "p_floor": p_floor(null.size, enumerated=enumerated),
        "n_permutations": task.labelings.n_permutations,
        "n_samples": len(task.rows),
        "n_runs": len(task.folds),
        "n_units": n_units,
    }
    chosen = {} if made is None else made.chosen
    by_session = {} if made is None else _by_session(task, made, metric, sessions)
    return Outcome(row, null, single, confusion, chosen, by_session)


def _by_session(
    task: Task, made: Predictions, metric: str, sessions: NDArray[np.object_]
) -> dict[str, float]:
    """Score each session, where there are several."""
    names = sorted(set(map(str, sessions[task.rows])) - {""})
    if len(names) < 2:
        return {}
    codes, first, n_classes = task.labelings.codes[:1], _first(made), len(task.comparison.sides)
    return {
        name: float(
            scores_of(
                metric,
                np.where(sessions == name, codes, -1),
                first,
                task.folds,
                n_classes=n_classes,
            )[0]
        )
        for name in names
    }


def chance_of(metric: str, n_classes: int) -> float:
    """Return the score expected by chance.

    Examples
    --------
    >>> [chance_of(name, 4) for name in METRICS]
    [0.25, 0.25, 0.5, 0.0]
    """
    return {"auc": 0.5, "dprime": 0.0}.get(metric, 1 / n_classes)


def scores_of(
    metric: str,
    codes: Codes,
    made: Predictions,
    folds: Sequence[Fold],
    *,
    n_classes: int,
) -> Array:
    """Score the predictions under each labeling.

    Parameters
    ----------
    metric
        ``accuracy``; ``balanced_accuracy`` (mean over classes); ``auc``, the area under the ROC
        curve, within folds, averaged over folds and pairs of classes; ``dprime`` of the first
        class against the second, of rates moved off 0 and 1 by half a sample.
    codes : (n_labelings, n)
        Class of each sample; -1 = it is no part.
    made
    folds
    n_classes : int

    Returns
    -------
    scores : (n_labelings,)
        NaN where nothing is tested, or (auc) no fold tests two classes.

    Raises
    ------
    ShapeError
        If a sample has a label and no guess.

    References
    ----------
    Hand & Till (2001), Machine Learning 45:171, doi:10.1023/A:1010920819831 (AUC of several
    classes).
    Hautus (1995), Behav. Res. Methods 27:46, doi:10.3758/BF03203619 (d').
    """
    if metric == "auc":
        return _auc(codes, made, folds, n_classes)
    if ((codes >= 0) & (made.guess < 0)).any():
        raise ShapeError(
            "Some samples have a label and no guess.", mend="Give folds that test each of them."
        )
    right = (codes == made.guess) & (codes >= 0)
    counts = np.stack([(codes == k).sum(axis=1) for k in range(n_classes)])
    if metric == "accuracy":
        return np.asarray(right.sum(axis=1) / counts.sum(axis=0))
    hits = np.stack([(right & (codes == k)).sum(axis=1) for k in range(n_classes)])
    if metric == "balanced_accuracy":
        n_tested = (counts > 0).sum(axis=0)
        recall = (hits / np.maximum(counts, 1)).sum(axis=0)
        return np.asarray(np.where(n_tested > 0, recall / np.maximum(n_tested, 1), np.nan))
    rates = (hits + 0.5) / (counts + 1)
    return np.asarray(norm.ppf(rates[0]) + norm.ppf(rates[1]))


def _auc(codes: Codes, made: Predictions, folds: Sequence[Fold], n_classes: int) -> Array:
    total = np.zeros(len(codes))
    n_known = np.zeros(len(codes))
    for pair, (first, second) in enumerate(pairs_of(n_classes)):
        for fold in folds:
            own = codes[:, fold.test]
            values = made.values[pair][:, fold.test]
            above, below = own == first, own == second
            wins = np.zeros(len(codes))
            for k in range(own.shape[1]):  # each sample of the test set against all others
                higher = values[:, [k]] > values
                same = values[:, [k]] == values
                wins += above[:, k] * ((higher + 0.5 * same) * below).sum(axis=1)
            n = above.sum(axis=1) * below.sum(axis=1)
            total += np.where(n > 0, wins / np.maximum(n, 1), 0)
            n_known += n > 0
    return np.asarray(np.where(n_known > 0, total / np.maximum(n_known, 1), np.nan))


def _first(made: Predictions) -> Predictions:
    return Predictions(made.guess[:1], made.values[:, :1], made.chosen)


def _interval(
    task: Task, made: Predictions, metric: str, choices: Choices, *, score: float
) -> tuple[float, float]:
    """Return the interval of the score over what folds leave out."""
    if choices.interval == "bootstrap":
        return _bootstrap(task, made, metric)
    codes, n_classes = task.labelings.codes[:1], len(task.comparison.sides)
    first = _first(made)
    by_fold = np.array(
        [
            scores_of(
                metric,
                np.where(fold.test, codes, -1),
                first,
                [fold],
                n_classes=n_classes,
            )[0]
            for fold in task.folds
        ]
    )
    n_test = len(task.rows) / len(task.folds)
    n_train = float(np.mean([(task.taught[0][fold.train] >= 0).sum() for fold in task.folds]))
    ends = corrected_t_interval(by_fold, n_test=n_test, n_train=n_train, center=score)
    return within_range(ends, metric)


def _bootstrap(task: Task, made: Predictions, metric: str) -> tuple[float, float]:
    """Return the percentiles of the score where what folds leave out is drawn with replacement.

    The predictions stay, so that the interval is that of classifiers as they were trained.
    """
    groups = np.unique(task.groups[task.rows])
    if len(groups) < FEWEST_GROUPS:
        return float("nan"), float("nan")
    rng = np.random.default_rng(task.seed)
    codes, n_classes = task.labelings.codes[:1], len(task.comparison.sides)
    members = {
        group: np.flatnonzero((task.groups == group) & (task.labels >= 0)) for group in groups
    }
    found = np.empty(N_BOOTSTRAP)
    for place in range(N_BOOTSTRAP):
        drawn = rng.choice(groups, size=len(groups))
        rows = np.concatenate([members[group] for group in drawn])
        block = np.repeat(np.arange(len(groups)), [len(members[group]) for group in drawn])
        part = Predictions(made.guess[:1, rows], made.values[:, :1][:, :, rows], {})
        folds = (
            [Fold(str(k), block != k, block == k) for k in range(len(groups))]
            if metric == "auc"
            else []
        )
        found[place] = scores_of(metric, codes[:, rows], part, folds, n_classes=n_classes)[0]
    low, high = np.nanpercentile(found, [2.5, 97.5])
    return float(low), float(high)
