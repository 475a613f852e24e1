"""Decode conditions from each region, with labels exchanged within runs as the null."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.analyses.decode.comparisons import Comparison, parse
from bids_dnn.analyses.decode.kernels import Codes, Gram, linear_gram, predict_labels
from bids_dnn.analyses.decode.permutation import Labelings, labelings, number_trials
from bids_dnn.containers.responses import Responses, Scale
from bids_dnn.containers.result import Result
from bids_dnn.containers.roi import Roi
from bids_dnn.errors import ConfigError, NotEnoughDataError
from bids_dnn.stats import leakage
from bids_dnn.stats.folds import Fold, leave_one_run_out
from bids_dnn.stats.inference import (
    corrected_t_interval,
    max_statistic,
    p_floor,
    permutation_p,
)
from bids_dnn.stats.metrics import accuracy, balanced_accuracy
from bids_dnn.stats.nuisance import nuisance_columns
from bids_dnn.stats.regions import RegionUnits, region_units

SCALED = ("beta", "psc")  # of an arbitrary unit: the cost is for unit variance

COLUMNS = {
    "region": "Name of the region",
    "comparison": "Conditions told apart; 'all' = every condition at once",
    "n_classes": "Number of sides of the comparison",
    "metric": "accuracy = share of samples named rightly; balanced_accuracy (where the sides have "
    "different numbers of samples) = its mean over sides",
    "score": "The metric over all samples, each predicted by a classifier that saw no sample of "
    "its run; 0 to 1",
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
    "n_units": "Units (voxels, vertices, channels) of the region that were used",
}


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """The samples of one comparison, with their folds and labelings."""

    comparison: Comparison
    rows: NDArray[np.intp]  # (n,) of the responses
    labels: Codes  # (n,)
    runs: Codes  # (n,)
    folds: list[Fold]
    labelings: Labelings
    is_balanced: bool
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class _Outcome:
    row: dict[str, Any]
    null: NDArray[np.float64]  # (n_permutations,)
    confusion: NDArray[np.intp]  # (n_classes, n_classes) truth by guess


def decode(
    responses: Responses,
    rois: Sequence[Roi],
    *,
    comparisons: Sequence[str],
    c: float,
    n_permutations: int,
    seed: int,
    nuisance: Sequence[str] = (),
    progress: Callable[[str], None] | None = None,
) -> Result:
    """Tell conditions apart from the pattern over each region's voxels, leaving one run out.

    A linear support vector machine (one against one for more than two sides) is trained on all
    runs but one and tested on that one, until each run was left out. No voxel is scaled here:
    whatever standardization there is, was done within each run. Where responses are betas or
    percent signal change, the cost is `c` for voxels of unit variance on average: it is
    multiplied by the number of voxels over the mean diagonal of the centered training Gram
    matrix, one number learnt on the training runs, so that the unit does not matter.

    The null comes from labels exchanged within each run, the same exchange for all regions.
    All samples of a trial (the volumes of a block) are given a label together.
    Intervals are corrected resampled t intervals over the runs left out.
    Where at most `n_permutations` distinct labelings exist, all of them are used instead (see
    `permutation.count_labelings`). `p_corrected` takes regions and comparisons as one family;
    the exchanges of two comparisons are drawn apart, which makes it conservative where they
    share samples.

    Parameters
    ----------
    responses
        Samples with a condition ("" = none: such samples are left out) and a run.
    rois
        On the grid of the responses; where there is none, all units are one region.
    comparisons
        See `comparisons.parse`.
    c : above 0
        Cost of the support vector machine; for voxels of unit variance on average where the
        responses are ``beta`` or ``psc``, as it is otherwise.
    n_permutations : int, at least 1
    seed
        The same seed gives the same table; a comparison's numbers do not depend on which others
        are asked for, but for `p_corrected`.
    nuisance
        Numeric columns of the sample table, regressed out of the responses within each fold.
    progress
        Told which comparison is next.

    Returns
    -------
    result
        One row a region and comparison; `extras` holds ``confusion``.

    Raises
    ------
    ConfigError
        If a comparison or `nuisance` names what does not exist, or `c` or `n_permutations` is
        not above zero.
    NotEnoughDataError
        If a nuisance column holds no number, there is one run, fewer than two conditions, a
        region without voxels, or a run that alone holds all samples of one side.
    SpaceError
        If a region lies on another grid.

    References
    ----------
    Nadeau & Bengio (2003), Machine Learning 52:239, doi:10.1023/A:1024068626366.
    Snoek et al. (2019), NeuroImage 184:741, doi:10.1016/j.neuroimage.2018.09.074.
    Etzel (2015), MVPA permutation schemes, PRNI, doi:10.1109/PRNI.2015.29.
    """
    if c <= 0 or n_permutations < 1:
        raise ConfigError(
            f"c is {c} and n_permutations is {n_permutations}; both must be above zero.",
            mend="Set decode.c and decode.permutations in analysis.toml.",
        )
    regions = region_units(responses, rois)
    disturbing, told = nuisance_columns(responses.samples, nuisance)
    conditions = sorted({str(one) for one in _texts(responses.samples["condition"])} - {""})
    tasks = [
        _task(one, responses, n_permutations=n_permutations, seed=seed)
        for one in parse(comparisons, conditions)
    ]
    grams = [linear_gram(responses.values[:, region.units]) for region in regions]

    outcomes: dict[tuple[int, int], _Outcome] = {}
    for t, task in enumerate(tasks):
        if progress is not None:
            progress(f"decode {task.comparison.name} ({t + 1} of {len(tasks)})")
        for r, (region, gram) in enumerate(zip(regions, grams, strict=True)):
            outcomes[r, t] = _score(
                task, region, gram, c=c, scale=responses.scale, nuisance=disturbing
            )
    where = sorted(outcomes)  # region by region
    table = _correct(
        [outcomes[key] for key in where],
        [tasks[t] for _, t in where],
        n_permutations=n_permutations,
    )
    return Result(
        analysis="decode",
        table=table,
        columns=COLUMNS,
        meta=_meta(responses, regions, tasks, told)
        | {"n_permutations": n_permutations, "seed": seed, "c": c, "conditions": conditions}
        | {"nuisance": list(nuisance)},
        extras={
            "confusion": pd.concat(
                [
                    _confusion(outcomes[key].confusion, regions[key[0]], tasks[key[1]])
                    for key in where
                ],
                ignore_index=True,
            )
        },
    )


def _task(
    comparison: Comparison,
    responses: Responses,
    *,
    n_permutations: int,
    seed: int,
) -> _Task:
    side_of, samples = comparison.side_of, responses.samples
    condition, runs = _texts(samples["condition"]), _texts(samples["run"])
    rows = np.flatnonzero([one in side_of for one in condition])
    labels = np.array([side_of[one] for one in condition[rows]], dtype=np.intp)
    folds = leave_one_run_out(runs[rows])
    leakage.check(folds, groups=list(runs[rows]), what="runs")
    leakage.check_independence(
        folds,
        runs=list(runs[rows]),
        independence=responses.independence,
        how="decode.folds",
    )
    for fold in folds:
        absent = set(range(len(comparison.sides))) - set(labels[fold.train])
        if absent:
            raise NotEnoughDataError(
                f"Without run {fold.name!r} no sample of {comparison.labels[min(absent)]!r} is "
                f"left to train on, for the comparison {comparison.name!r}.",
                mend="Add runs that hold this condition, or name other comparisons under "
                "decode.comparisons in analysis.toml.",
            )
    run_codes = np.unique(runs[rows].astype(str), return_inverse=True)[1]
    own_seed = zlib.crc32(comparison.name.encode())
    rng = np.random.default_rng([seed, own_seed])
    return _Task(
        comparison=comparison,
        rows=rows,
        labels=labels,
        runs=run_codes,
        folds=folds,
        labelings=labelings(
            labels,
            run_codes,
            units=number_trials(samples.iloc[rows]),
            n_permutations=n_permutations,
            rng=rng,
        ),
        is_balanced=np.unique(np.bincount(labels)).size == 1,
        seed=int(rng.integers(2**32)),
    )


def _texts(column: pd.Series[Any]) -> NDArray[np.object_]:
    return np.asarray(column.fillna("").astype(str), dtype=object)


def _score(
    task: _Task,
    region: RegionUnits,
    gram: Gram,
    *,
    c: float,
    scale: Scale,
    nuisance: NDArray[np.float64],
) -> _Outcome:
    codes = task.labelings.codes
    n_units = region.units.size if scale in SCALED else None
    own = gram[np.ix_(task.rows, task.rows)]
    guess = predict_labels(
        own, codes, task.folds, c=c, n_units=n_units, nuisance=nuisance[task.rows]
    )
    scores = _scores(codes, guess, is_balanced=task.is_balanced)  # (n_labelings,)
    enumerated = task.labelings.enumerated
    null = scores if enumerated else scores[1:]
    n_classes = len(task.comparison.sides)
    low, high = _interval(task, guess[0], float(scores[0]))
    confusion = np.zeros((n_classes, n_classes), dtype=np.intp)
    np.add.at(confusion, (task.labels, guess[0]), 1)
    row = {
        "region": region.name,
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
        "n_units": region.units.size,
    }
    return _Outcome(row, null, confusion)


def _scores(truth: Codes, guess: Codes, *, is_balanced: bool) -> NDArray[np.float64]:
    """Score each row (n_labelings, n_samples), plainly or as the mean over classes."""
    right = truth == guess
    if is_balanced:
        return np.asarray(right.mean(axis=1))
    classes = range(int(truth.max()) + 1)
    recall = [(right & (truth == k)).sum(axis=1) / (truth == k).sum(axis=1) for k in classes]
    return np.asarray(np.mean(recall, axis=0))


def _interval(task: _Task, guess: Codes, score: float) -> tuple[float, float]:
    """Return the interval of the score, from the scores of the runs that were left out."""
    metric = accuracy if task.is_balanced else balanced_accuracy
    by_run = np.array([metric(task.labels[one.test], guess[one.test]) for one in task.folds])
    n, k = len(task.labels), len(task.folds)
    low, high = corrected_t_interval(by_run, n_test=n / k, n_train=n - n / k, center=score)
    return float(np.clip(low, 0, 1)), float(np.clip(high, 0, 1))


def _correct(
    outcomes: Sequence[_Outcome], tasks: Sequence[_Task], *, n_permutations: int
) -> pd.DataFrame:
    """Make the table, with p over the family; short nulls are resampled to the full length."""
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


def _confusion(counts: NDArray[np.intp], region: RegionUnits, task: _Task) -> pd.DataFrame:
    labels = task.comparison.labels
    return pd.DataFrame(
        [
            (region.name, task.comparison.name, truth, guess, int(counts[i, j]))
            for i, truth in enumerate(labels)
            for j, guess in enumerate(labels)
        ],
        columns=["region", "comparison", "truth", "guess", "count"],
    )


def _meta(
    responses: Responses,
    regions: Sequence[RegionUnits],
    tasks: Sequence[_Task],
    warnings: Sequence[str],
) -> dict[str, Any]:
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
        "samples_without_condition": int(
            (responses.samples["condition"].fillna("").astype(str) == "").sum()
        ),
        "warnings": [*warnings, *_warnings(responses, tasks)],
    }


def _warnings(responses: Responses, tasks: Sequence[_Task]) -> list[str]:
    out = []
    samples = responses.samples
    shown = samples[samples["stimulus"].fillna("") != ""]
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
