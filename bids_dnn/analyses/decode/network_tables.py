"""The table of what is decoded from layers under noise, with p and intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.analyses.decode.choices import Interval
from bids_dnn.analyses.decode.network import Trial
from bids_dnn.stats.inference import (
    corrected_t_interval,
    fdr,
    max_statistic,
    p_floor,
    permutation_p,
)
from bids_dnn.stats.metrics import within_range

Array = NDArray[np.float64]
N_BOOTSTRAP = 1000

NETWORK_COLUMNS = {
    "network": "Name of the network",
    "layer": "Module path of the layer",
    "snr": "Signal-to-noise ratio: mean squared distance of the training stimuli from their mean, "
    "over the expected squared length of the noise added to all stimuli; inf = no noise",
    "comparison": "Conditions told apart; 'all' = every condition at once",
    "n_classes": "Number of sides of the comparison",
    "metric": "accuracy = share of stimuli named rightly; balanced_accuracy = its mean over sides "
    "(taken where they have different numbers of stimuli)",
    "score": "The metric over all stimuli, each predicted by a classifier that saw nothing of its "
    "fold; mean over draws of the noise",
    "sd": "SD of the score over draws of the noise; n/a for one draw",
    "chance": "Score expected by chance: 1 / n_classes",
    "ci_low": "Lower end of the 95 % interval of the score: corrected resampled t over folds "
    "(Nadeau & Bengio 2003; n/a under 3 folds), or bootstrap of stimuli within sides, of "
    "classifiers as they were trained",
    "ci_high": "Upper end of that interval",
    "p": "One-sided permutation p of the mean over the first draws, labels of stimuli exchanged "
    "within folds; the same draws for all labelings",
    "p_floor": "The smallest p that the permutations allow",
    "p_corrected": "p corrected for all layers, levels of noise and comparisons of this table "
    "(maximum statistic; layers and levels share the exchanges of each comparison, those of "
    "comparisons are independent)",
    "p_fdr": "p adjusted for the false discovery rate over all rows of this table",
    "n_draws": "Draws of the noise",
    "n_permutations": "Random labelings drawn, or all distinct ones where they are fewer",
    "n_samples": "Stimuli predicted",
    "n_folds": "Folds of stimuli",
    "n_dimensions": "Features, or principal components learnt on training stimuli; the median "
    "over folds",
}


def network_table(
    trials: Sequence[Trial], *, interval: Interval, n_permutations: int
) -> pd.DataFrame:
    """Make the table of layers, levels of noise and comparisons.

    Each row is tested by exchanges of its own comparison, so that the maximum statistic holds
    whatever is true of other comparisons. Layers and levels share these exchanges; those of two
    comparisons are independent, so that the maximum over comparisons is that of independent
    tests: where they hang together it is too high, and where they exclude each other, the error
    at 0.05 is 0.0513 at most (the sum of levels whose complements multiply to 0.95).

    Parameters
    ----------
    trials
        One a row.
    interval
        ``t`` or ``bootstrap``.
    n_permutations : int
        Of the maximum statistic; those of a comparison with fewer labelings are drawn from them.

    Returns
    -------
    table
        With the columns `NETWORK_COLUMNS`.

    References
    ----------
    Westfall & Young (1993), Resampling-Based Multiple Testing, ISBN 978-0-471-55761-6.
    Nadeau & Bengio (2003), Machine Learning 52:239, doi:10.1023/A:1024068626366.
    """
    table = pd.DataFrame([_row(trial, interval) for trial in trials])
    nulls = np.stack([_shared_null(trial, n_permutations) for trial in trials], axis=1)
    observed = np.array([trial.null[0] for trial in trials])
    table["p_corrected"] = np.maximum(max_statistic(observed, nulls), table["p"])
    table["p_fdr"] = fdr(table["p"].to_numpy())
    return table[list(NETWORK_COLUMNS)]


def _shared_null(trial: Trial, n: int) -> Array:
    """Return `n` scores under exchanges, the same ones for all rows of a comparison."""
    if not trial.task.labelings.enumerated:
        return trial.null[1:]
    rng = np.random.default_rng(trial.task.seed)
    return trial.null[rng.integers(len(trial.null), size=n)]


def _row(trial: Trial, interval: Interval) -> dict[str, Any]:
    task = trial.task
    score, n_classes = float(trial.scores.mean()), len(task.comparison.sides)
    enumerated = task.labelings.enumerated
    null = trial.null if enumerated else trial.null[1:]
    low, high = (_over_folds if interval == "t" else _over_stimuli)(trial, score)
    return {
        "network": trial.network,
        "layer": trial.layer,
        "snr": trial.snr,
        "comparison": task.comparison.name,
        "n_classes": n_classes,
        "metric": "accuracy" if task.is_balanced else "balanced_accuracy",
        "score": score,
        "sd": float(trial.scores.std(ddof=1)) if len(trial.scores) > 1 else np.nan,
        "chance": 1 / n_classes,
        "ci_low": low,
        "ci_high": high,
        "p": permutation_p(float(trial.null[0]), null, enumerated=enumerated),
        "p_floor": p_floor(null.size, enumerated=enumerated),
        "n_draws": len(trial.scores),
        "n_permutations": task.labelings.n_permutations,
        "n_samples": len(task.rows),
        "n_folds": len(task.folds),
        "n_dimensions": trial.n_dimensions,
    }


def _over_folds(trial: Trial, score: float) -> tuple[float, float]:
    """Return the corrected resampled t interval, of the means over draws of each fold."""
    labels, n, k = trial.task.labels, len(trial.task.rows), len(trial.task.folds)
    by_fold = np.array(
        [
            _mean_over_sides(trial.right[rows], labels[rows])
            for fold in trial.task.folds
            if len(rows := np.flatnonzero(fold.test & (labels >= 0)))
        ]
    )
    ends = corrected_t_interval(by_fold, n_test=n / k, n_train=n - n / k, center=score)
    return within_range(ends, "balanced_accuracy")


def _over_stimuli(trial: Trial, _: float) -> tuple[float, float]:
    """Return the percentiles of the score where the stimuli of each side are drawn anew."""
    rng, labels = np.random.default_rng(trial.task.seed), trial.task.labels
    means = []
    for side in range(len(trial.task.comparison.sides)):
        own = trial.right[labels == side]
        means.append(own[rng.integers(len(own), size=(N_BOOTSTRAP, len(own)))].mean(axis=1))
    low, high = np.percentile(np.mean(means, axis=0), [2.5, 97.5])
    return float(low), float(high)


def _mean_over_sides(right: Array, labels: NDArray[np.integer[Any]]) -> float:
    return float(np.mean([right[labels == side].mean() for side in np.unique(labels)]))
