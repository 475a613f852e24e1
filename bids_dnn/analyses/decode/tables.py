"""Tables of decoding, and what is said beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.analyses.decode.by_run import is_mirrored, some, told_by_runs
from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.classifiers.choice import PARAMETERS
from bids_dnn.analyses.decode.samples import texts
from bids_dnn.analyses.decode.scoring import METRICS, Outcome, chance_of, metric_of
from bids_dnn.analyses.decode.targets import PENALTIES, Predicted, targets_table
from bids_dnn.analyses.decode.tasks import Design, Task
from bids_dnn.containers.nulls import Nulls
from bids_dnn.containers.responses import Responses
from bids_dnn.stats.inference import fdr, max_statistic, p_floor
from bids_dnn.stats.regions import RegionUnits

Array = NDArray[np.float64]
SCALED = ("beta", "psc")  # of an arbitrary unit: the cost is for unit variance
PARAMETER_COLUMNS = {
    "run": "What the fold leaves out",
    "parameter": "Parameter that inner folds searched for, of the classifier, or of the regressor "
    "where comparison is a target",
    "value": "What was chosen for the labels as they are",
}
SESSION_COLUMNS = {
    "session": "Session of the samples",
    "score": "The metric of the table, over the samples of the session",
}
CONFUSION = ["region", "comparison", "truth", "guess", "count"]
KINDS = {
    "svm-linear": "linear support vector machine",
    "svm-rbf": "support vector machine with radial basis functions",
    "lda": "linear discriminant analysis, covariance shrunk towards a scaled identity",
    "ridge": "ridge classification",
    "logistic": "logistic regression",
}

COLUMNS = {
    "region": "Name of the region",
    "comparison": "Conditions told apart; 'all' = every condition at once",
    "n_classes": "Number of sides of the comparison",
    "metric": "accuracy = share of samples named rightly; balanced_accuracy = its mean over sides "
    "(taken where they have different numbers of samples); auc = area under the ROC curve within "
    "folds; dprime = distance of the sides in SD",
    "score": "The metric over all samples, each predicted by a classifier that saw nothing of its "
    "fold; n/a where a fold has no unit",
    "chance": "Score expected by chance: 1 / n_classes, 0.5 (auc) or 0 (dprime)",
    "baseline": "The metric where conditions are decoded from what decode.baseline names (columns "
    "of the events, or features of networks) alone; n/a where nothing is named",
    "ci_low": "Lower end of the 95 % interval over what folds leave out: corrected resampled t "
    "(Nadeau & Bengio 2003), or bootstrap of the groups left out; n/a under 3 of them",
    "ci_high": "Upper end of that interval",
    "p": "One-sided permutation p, labels of trials exchanged within runs (all samples of a trial "
    "together), or those of what folds leave out (a stimulus, say), where that has one condition",
    "p_floor": "The smallest p that the permutations allow",
    "p_corrected": "p corrected for all regions and comparisons of this table (maximum statistic "
    "under exchanges that all of them share; over comparisons it controls the error only where no "
    "two conditions differ)",
    "p_fdr": "p adjusted for the false discovery rate over all regions and comparisons of this "
    "table",
    "n_permutations": "Random labelings drawn, or all distinct ones where they are fewer",
    "n_samples": "Samples predicted",
    "n_runs": "Runs, or other groups, each left out once",
    "n_units": "Units (voxels, vertices, channels) of the region that were used; where they are "
    "chosen in each fold, the median over folds",
}


def main_table(
    outcomes: Sequence[Outcome], choices: Choices, *, family: Sequence[Array] | None
) -> pd.DataFrame:
    """Make the table, with p over the family of all rows.

    Parameters
    ----------
    outcomes
        One a row.
    choices
    family : by row, (n_permutations,)
        Scores under exchanges that all rows share; None = no maximum statistic.
    """
    table = pd.DataFrame([outcome.row for outcome in outcomes])
    table["p_corrected"], table["p_fdr"] = np.nan, np.nan
    if family is not None:
        corrected = max_statistic(table["score"].to_numpy(), np.stack(list(family), axis=1))
        table["p_corrected"] = np.maximum(corrected, table["p"].to_numpy())
    if "fdr" in choices.correct:
        table["p_fdr"] = fdr(table["p"].to_numpy())
    return table[list(COLUMNS)]


def nulls_of(outcomes: Sequence[Outcome], tasks: Sequence[Task]) -> Nulls:
    """Return the scores of each row under exchanged labels.

    Parameters
    ----------
    outcomes, tasks
        A pair of them a row.
    """
    null = np.full((len(outcomes), max(len(one.null) for one in outcomes)), np.nan, np.float32)
    for row, outcome in zip(null, outcomes, strict=True):
        row[: len(outcome.null)] = outcome.null
    return Nulls(
        region=np.array([one.row["region"] for one in outcomes]),
        comparison=np.array([one.row["comparison"] for one in outcomes]),
        null=null,
        enumerated=np.array([task.labelings.enumerated for task in tasks]),
    )


def extra_tables(
    outcomes: Sequence[Outcome],
    tasks: Sequence[Task],
    choices: Choices,
    predicted: Sequence[Predicted],
) -> dict[str, pd.DataFrame]:
    """Return the tables beside the main one: confusion, metrics, sessions, parameters, targets.

    Parameters
    ----------
    outcomes, tasks
        A pair of them a row.
    choices
    predicted
        Targets, in each region.
    """
    made = {"confusion": confusion_table(outcomes, tasks), "metrics": metrics_table(outcomes)}
    if any(outcome.sessions for outcome in outcomes):
        made["sessions"] = sessions_table(outcomes)
    if choices.search:
        made["parameters"] = parameters_table(outcomes, choices, predicted)
    if predicted:
        made["targets"] = targets_table(predicted)
    return made


def sessions_table(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Give the score of each session, of the labels as they are.

    Parameters
    ----------
    outcomes
    """
    rows = [
        (one.row["region"], one.row["comparison"], session, score)
        for one in outcomes
        for session, score in one.sessions.items()
    ]
    return pd.DataFrame(rows, columns=["region", "comparison", "session", "score"])


def metrics_table(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Give the score by every metric, of the labels as they are.

    Parameters
    ----------
    outcomes
    """
    rows = [
        (
            outcome.row["region"],
            outcome.row["comparison"],
            name,
            outcome.scores[name],
            chance_of(name, outcome.row["n_classes"]),
        )
        for outcome in outcomes
        for name in METRICS
    ]
    return pd.DataFrame(rows, columns=["region", "comparison", "metric", "score", "chance"])


def parameters_table(
    outcomes: Sequence[Outcome], choices: Choices, predicted: Sequence[Predicted] = ()
) -> pd.DataFrame:
    """Give the parameters that inner folds chose, in each fold.

    Parameters
    ----------
    outcomes, choices
    predicted
        Targets, which stand where comparisons do.
    """
    tried = choices.candidates()
    rows = [
        (
            outcome.row["region"],
            outcome.row["comparison"],
            fold,
            name,
            getattr(tried[number], name),
        )
        for outcome in outcomes
        for fold, number in outcome.chosen.items()
        for name in choices.search
    ]
    rows += [
        (one.row["region"], one.row["target"], fold, PENALTIES[choices.regressor], value)
        for one in predicted
        for fold, value in one.chosen.items()
    ]
    return pd.DataFrame(rows, columns=["region", "comparison", "run", "parameter", "value"])


def confusion_table(outcomes: Sequence[Outcome], tasks: Sequence[Task]) -> pd.DataFrame:
    """Count which condition was taken for which; rows that have no score are left out.

    In cross-decoding, guesses have the names of the sides that were learnt.

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
        rows += [
            (*where, truth, guess, int(outcome.confusion[i, j]))
            for i, truth in enumerate(task.comparison.tested_labels)
            for j, guess in enumerate(task.comparison.labels)
        ]
    return pd.DataFrame(rows, columns=CONFUSION)


def facts_of(
    responses: Responses,
    regions: Sequence[RegionUnits],
    design: Design,
    choices: Choices,
    warnings: Sequence[str],
) -> dict[str, Any]:
    """Say how conditions were told apart, JSON-ready.

    Parameters
    ----------
    responses
        As they came.
    regions, design, choices
    warnings
        Further ones.
    """
    tasks = design.tasks
    known = asdict(choices.classifier)
    used = {name: known[name] for name in ("kind", *PARAMETERS[choices.classifier.kind])}
    dealt = f" in {choices.n_folds} groups" if choices.n_folds else ""
    return {
        "folds": f"leave one {choices.folds} out{dealt}",
        "classifier": KINDS[choices.classifier.kind],
        "parameters": used,
        "search": {name: list(values) for name, values in choices.search.items()},
        "c_unit": "n_units / mean diagonal of the centered training Gram matrix"
        if responses.scale in SCALED
        else "1",
        "preparation": asdict(choices.preparation),
        "average": choices.average,
        "balance": choices.balance,
        "interval": choices.interval,
        "correct": list(choices.correct),
        "chance": {
            task.comparison.name: chance_of(metric_of(task, choices), len(task.comparison.sides))
            for task in tasks
        },
        "permutation": "labels of trials exchanged within runs and what folds leave out, all "
        "samples of a trial together; of what has one condition throughout and folds leave out, "
        "together",
        "enumerated": sorted(task.comparison.name for task in tasks if task.labelings.enumerated),
        "comparisons": {
            task.comparison.name: {name: list(members) for name, members in task.comparison.sides}
            for task in tasks
        },
        "units_left_out": {region.name: region.n_left_out for region in regions},
        "samples_without_condition": int((texts(responses.samples["condition"]) == "").sum()),
        "n_permutations": choices.n_permutations,
        "seed": choices.seed,
        "conditions": design.names,
        "not_decoded": list(design.lost),
        "nuisance": list(choices.nuisance),
        "baseline": list(choices.baseline),
        "warnings": [*warnings, *_warnings(responses, design, choices)],
    }


def _warnings(responses: Responses, design: Design, choices: Choices) -> list[str]:
    samples = responses.samples
    shown = samples[texts(samples["stimulus"]) != ""]
    runs_of = shown.groupby("stimulus")[choices.folds].nunique()
    out = []
    if n := int((runs_of > 1).sum()):
        out.append(
            f"{n} of {len(runs_of)} stimuli occur in training and in test {choices.folds}s: "
            "decoding may rest on single pictures rather than on their conditions."
        )
    out += [f"{name!r} was not decoded. {why}" for name, why in design.lost.items()]
    few: dict[str, list[str]] = {}
    for task in design.tasks:
        n, is_all = task.labelings.n_permutations, task.labelings.enumerated
        floor = p_floor(n, enumerated=is_all)
        if floor >= 0.05:
            what = "distinct labelings exist" if is_all else "permutations were drawn"
            few.setdefault(f"Only {n} {what}: p cannot fall below {floor:.3g}", []).append(
                task.comparison.name
            )
    for text, names in few.items():
        out.append(f"{text} ({some(names)}).")
    out += told_by_runs(design)
    crossed = [
        task.comparison.name
        for task in design.tasks
        if task.comparison.tested or task.comparison.taught_where != task.comparison.tested_where
    ]
    if crossed:
        out.append(
            f"p of {some(crossed)} is against labels that mean nothing. Where both pairs of "
            "patterns differ, each in its own way, they are alike or opposite by accident, and p "
            "of a participant is small more often than it says: trust what holds over "
            "participants (signflip at the group level)."
        )
    out += _short_folds(design, choices)
    if choices.has_patterns and choices.classifier.kind == "svm-rbf":
        out.append("svm-rbf has no pattern over units, so that none is mapped.")
    if choices.preparation.is_blank:
        mirrored = [task.comparison.name for task in design.tasks if is_mirrored(task, design)]
        if mirrored:
            out.append(
                f"Without the mean of each run, the two patterns of a run mirror each other "
                f"({some(mirrored)}): a run is right or wrong as a whole, and counts once. The "
                "permutation p takes it into account; the number of samples does not."
            )
    return out


def _short_folds(design: Design, choices: Choices) -> list[str]:
    """Say which folds test no sample of a side, where others test all."""
    found: dict[tuple[str, ...], list[str]] = {}
    for task in design.tasks:
        n_sides = len(task.comparison.sides)
        counts = [len(set(task.labels[fold.test]) - {-1}) for fold in task.folds]
        short = [fold.name for fold, n in zip(task.folds, counts, strict=True) if 0 < n < n_sides]
        if short and max(counts) == n_sides:
            found.setdefault(tuple(short), []).append(task.comparison.name)
    return [
        f"With {choices.left_out} {some(folds)} left out, no sample of a side is tested "
        f"({some(names)}): the other sides count there alone."
        for folds, names in found.items()
    ]
