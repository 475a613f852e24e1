"""What columns of the events alone tell of conditions, beside what the brain tells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.predict import Learner, predict
from bids_dnn.analyses.decode.prepare import Preparation, patterns_of
from bids_dnn.analyses.decode.scoring import metric_of, scores_of
from bids_dnn.analyses.decode.tasks import Task
from bids_dnn.containers.responses import Responses
from bids_dnn.stats.folds import Fold
from bids_dnn.stats.nuisance import nuisance_columns


def baseline_of(task: Task, responses: Responses, choices: Choices) -> float:
    """Return the score of a comparison, decoded from `Choices.baseline` alone.

    Columns are divided by their SD over the training samples; what is missing is their mean.

    Parameters
    ----------
    task
    responses
        Whose samples have the columns.
    choices

    Returns
    -------
    score
        NaN where there are no columns.

    Raises
    ------
    ConfigError
        If there is no such column.
    NotEnoughDataError
        If a column holds no number.
    """
    if not choices.baseline:
        return float("nan")
    values, _ = nuisance_columns(responses.samples, choices.baseline, option="baseline")
    how = Preparation(is_standardized=True)
    runs = np.zeros(len(values), dtype=np.intp)
    patterns = [
        patterns_of(
            _filled(values, fold),
            fold,
            runs=runs,
            how=how,
            nuisance=np.empty((len(values), 0)),
            is_scaled=False,
        )
        for fold in task.folds
    ]
    n_classes, tested = len(task.comparison.sides), task.labelings.codes[:1]
    made = predict(
        patterns,
        task.folds,
        task.taught[:1],
        Learner((choices.classifier,), how),
        groups=task.groups,
        n_classes=n_classes,
        tested=tested,
    )
    metric = metric_of(task, choices)
    return float(scores_of(metric, tested, made, task.folds, n_classes=n_classes)[0])


def _filled(values: NDArray[np.float64], fold: Fold) -> NDArray[np.float32]:
    """Put the mean of the training samples where a value is missing."""
    known = np.isfinite(values) & fold.train[:, None]
    sums = np.where(known, values, 0).sum(axis=0)
    means = sums / np.maximum(known.sum(axis=0), 1)
    return np.where(np.isfinite(values), values - means, 0).astype(np.float32)
