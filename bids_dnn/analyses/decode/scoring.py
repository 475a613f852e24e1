"""Score the predictions of a comparison in a region, under each labeling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.decode.kernels import Codes
from bids_dnn.analyses.decode.tasks import Task
from bids_dnn.stats.inference import corrected_t_interval, p_floor, permutation_p
from bids_dnn.stats.metrics import accuracy, balanced_accuracy

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a comparison came to in a region.

    Parameters
    ----------
    row
        Of the table.
    null : (n_permutations,)
        Scores under exchanged labels.
    confusion : (n_classes, n_classes) intp
        Truth by guess; None where nothing was predicted.
    """

    row: dict[str, Any]
    null: Array
    confusion: NDArray[np.intp] | None


def outcome_of(task: Task, guess: Codes | None, *, region: str, n_units: int) -> Outcome:
    """Score the predictions of a comparison in a region.

    Parameters
    ----------
    task
    guess : (n_labelings, n)
        Predicted class of each sample, under each labeling; None = a fold had no unit to learn
        from, so that all scores are NaN.
    region
        Its name.
    n_units : int
        For the table.
    """
    codes, n_classes = task.labelings.codes, len(task.comparison.sides)
    if guess is None:
        scores, low, high = np.full(len(codes), np.nan), np.nan, np.nan
        confusion = None
    else:
        scores = _scores(codes, guess, is_balanced=task.is_balanced)
        low, high = _interval(task, guess[0], float(scores[0]))
        confusion = np.zeros((n_classes, n_classes), dtype=np.intp)
        np.add.at(confusion, (task.labels, guess[0]), 1)
    enumerated = task.labelings.enumerated
    null = scores if enumerated else scores[1:]
    row = {
        "region": region,
        "comparison": task.comparison.name,
        "n_classes": n_classes,
        "metric": "accuracy" if task.is_balanced else "balanced_accuracy",
        "score": float(scores[0]),
        "chance": 1 / n_classes,
        "ci_low": low,
        "ci_high": high,
        "p": permutation_p(float(scores[0]), null, enumerated=enumerated),
        "p_floor": p_floor(null.size, enumerated=enumerated),
        "n_permutations": task.labelings.n_permutations,
        "n_samples": len(task.rows),
        "n_runs": len(task.folds),
        "n_units": n_units,
    }
    return Outcome(row, null, confusion)


def _scores(truth: Codes, guess: Codes, *, is_balanced: bool) -> NDArray[np.float64]:
    """Score each row (n_labelings, n_samples), plainly or as the mean over classes."""
    right = truth == guess
    if is_balanced:
        return np.asarray(right.mean(axis=1))
    classes = range(int(truth.max()) + 1)
    recall = [(right & (truth == k)).sum(axis=1) / (truth == k).sum(axis=1) for k in classes]
    return np.asarray(np.mean(recall, axis=0))


def _interval(task: Task, guess: Codes, score: float) -> tuple[float, float]:
    """Return the interval of the score, from the scores of the runs that were left out."""
    metric = accuracy if task.is_balanced else balanced_accuracy
    by_run = np.array([metric(task.labels[one.test], guess[one.test]) for one in task.folds])
    n, k = len(task.labels), len(task.folds)
    low, high = corrected_t_interval(by_run, n_test=n / k, n_train=n - n / k, center=score)
    return float(np.clip(low, 0, 1)), float(np.clip(high, 0, 1))
