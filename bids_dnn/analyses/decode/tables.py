"""Tables of decoding, and what is said beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bids_dnn.analyses.decode.scoring import Outcome
from bids_dnn.analyses.decode.tasks import Task, texts
from bids_dnn.containers.responses import Responses
from bids_dnn.stats.inference import max_statistic, p_floor
from bids_dnn.stats.regions import RegionUnits

SCALED = ("beta", "psc")  # of an arbitrary unit: the cost is for unit variance
CONFUSION = ["region", "comparison", "truth", "guess", "count"]

COLUMNS = {
    "region": "Name of the region",
    "comparison": "Conditions told apart; 'all' = every condition at once",
    "n_classes": "Number of sides of the comparison",
    "metric": "accuracy = share of samples named rightly; balanced_accuracy (where the sides have "
    "different numbers of samples) = its mean over sides",
    "score": "The metric over all samples, each predicted by a classifier that saw no sample of "
    "its run; 0 to 1; n/a where a fold has no unit",
    "chance": "1 / n_classes",
    "ci_low": "Lower end of the 95 % corrected resampled t interval over the runs left out "
    "(Nadeau & Bengio 2003); n/a under 3 runs",
    "ci_high": "Upper end of that interval",
    "p": "One-sided permutation p, labels of trials exchanged within runs (all samples of a trial "
    "together)",
    "p_floor": "The smallest p that the permutations allow",
    "p_corrected": "p corrected for all regions and comparisons of this table (maximum statistic)",
    "n_permutations": "Random labelings drawn, or all distinct ones where they are fewer",
    "n_samples": "Samples predicted",
    "n_runs": "Runs, each left out once",
    "n_units": "Units (voxels, vertices, channels) of the region that were used; where they are "
    "chosen in each fold, the median over folds",
}


def main_table(
    outcomes: Sequence[Outcome], tasks: Sequence[Task], *, n_permutations: int
) -> pd.DataFrame:
    """Make the table, with p over the family; short nulls are resampled to the full length.

    Parameters
    ----------
    outcomes, tasks
        A pair of them a row.
    n_permutations : int
    """
    columns = []
    for outcome, task in zip(outcomes, tasks, strict=True):
        null = outcome.null
        if task.labelings.enumerated:  # the same rows for all regions of a comparison
            pick = np.random.default_rng(task.seed).integers(null.size, size=n_permutations)
            null = null[pick]
        columns.append(null)
    table = pd.DataFrame([outcome.row for outcome in outcomes])
    corrected = max_statistic(table["score"].to_numpy(), np.stack(columns, axis=1))
    table["p_corrected"] = np.maximum(corrected, table["p"].to_numpy())
    return table[list(COLUMNS)]


def confusion_table(outcomes: Sequence[Outcome], tasks: Sequence[Task]) -> pd.DataFrame:
    """Count which condition was taken for which; rows that have no score are left out.

    Parameters
    ----------
    outcomes, tasks
        As in `main_table`.
    """
    rows = []
    for outcome, task in zip(outcomes, tasks, strict=True):
        if outcome.confusion is None:
            continue
        where = (outcome.row["region"], task.comparison.name)
        labels = task.comparison.labels
        rows += [
            (*where, truth, guess, int(outcome.confusion[i, j]))
            for i, truth in enumerate(labels)
            for j, guess in enumerate(labels)
        ]
    return pd.DataFrame(rows, columns=CONFUSION)


def facts_of(
    responses: Responses,
    regions: Sequence[RegionUnits],
    tasks: Sequence[Task],
    warnings: Sequence[str],
) -> dict[str, Any]:
    """Say how conditions were told apart, JSON-ready."""
    return {
        "folds": "leave one run out",
        "classifier": "linear support vector machine (SVC, precomputed kernel, one against one)",
        "c_unit": "n_units / mean diagonal of the centered training Gram matrix"
        if responses.scale in SCALED
        else "1",
        "chance": {task.comparison.name: 1 / len(task.comparison.sides) for task in tasks},
        "permutation": "labels of trials exchanged within runs, all samples of a trial together",
        "enumerated": sorted(task.comparison.name for task in tasks if task.labelings.enumerated),
        "comparisons": {
            task.comparison.name: {name: list(members) for name, members in task.comparison.sides}
            for task in tasks
        },
        "units_left_out": {region.name: region.n_left_out for region in regions},
        "samples_without_condition": int((texts(responses.samples["condition"]) == "").sum()),
        "warnings": [*warnings, *_warnings(responses, tasks)],
    }


def _warnings(responses: Responses, tasks: Sequence[Task]) -> list[str]:
    out = []
    samples = responses.samples
    shown = samples[texts(samples["stimulus"]) != ""]
    runs_of = shown.groupby("stimulus")["run"].nunique()
    if n := int((runs_of > 1).sum()):
        out.append(
            f"{n} of {len(runs_of)} stimuli occur in training and in test runs: decoding may "
            "rest on single pictures rather than on their conditions."
        )
    few: dict[str, list[str]] = {}
    for task in tasks:
        n, is_all = task.labelings.n_permutations, task.labelings.enumerated
        floor = p_floor(n, enumerated=is_all)
        if floor >= 0.05:
            what = "distinct labelings exist" if is_all else "permutations were drawn"
            few.setdefault(f"Only {n} {what}: p cannot fall below {floor:.3g}", []).append(
                task.comparison.name
            )
    for text, names in few.items():
        out.append(f"{text} ({', '.join(map(repr, names[:3]))}{' ...' if names[3:] else ''}).")
    return out
