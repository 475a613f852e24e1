"""What covariates alone tell of conditions, beside what the brain tells."""

from __future__ import annotations

import numpy as np

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.covariates import Covariates
from bids_dnn.analyses.decode.predict import Learner, predict
from bids_dnn.analyses.decode.prepare import Preparation, patterns_of
from bids_dnn.analyses.decode.scoring import metric_of, scores_of
from bids_dnn.analyses.decode.tasks import Task

PLAIN = Preparation()


def baseline_of(task: Task, beside: Covariates, choices: Choices) -> float:
    """Return the score of a comparison, decoded from covariates alone.

    Columns are divided by their SD over the training samples, the components of features by one
    number; what is missing is their mean.

    Parameters
    ----------
    task
    beside
        Of `Choices.baseline`.
    choices

    Returns
    -------
    score
        NaN where there are no covariates, or none that varies over the samples of a fold.
    """
    if not choices.baseline:
        return float("nan")
    n = len(task.labels)
    scaled = [beside.scaled_by(fold.train).astype(np.float32) for fold in task.folds]
    if any(not values.any() for values in scaled):
        return float("nan")
    patterns = [
        patterns_of(
            values,
            fold,
            runs=np.zeros(n, dtype=np.intp),
            how=PLAIN,
            nuisance=np.empty((n, 0)),
            is_scaled=False,
        )
        for fold, values in zip(task.folds, scaled, strict=True)
    ]
    n_classes, tested = len(task.comparison.sides), task.labelings.codes[:1]
    made = predict(
        patterns,
        task.folds,
        task.taught[:1],
        Learner((choices.classifier,), PLAIN),
        groups=task.groups,
        n_classes=n_classes,
        tested=tested,
    )
    metric = metric_of(task, choices)
    return float(scores_of(metric, tested, made, task.folds, n_classes=n_classes)[0])
