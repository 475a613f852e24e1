"""The samples of each comparison, with their folds and labelings."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.comparisons import Comparison, parse
from bids_dnn.analyses.decode.kernels import Codes
from bids_dnn.analyses.decode.permutation import Labelings, labelings, number_trials
from bids_dnn.containers.responses import Responses
from bids_dnn.errors import NotEnoughDataError
from bids_dnn.stats import leakage
from bids_dnn.stats.folds import Fold, leave_one_run_out


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """The samples of one comparison, with their folds and labelings.

    Parameters
    ----------
    comparison
    rows : (n,) intp
        Samples of the responses.
    labels, runs : (n,) intp
        Of these, numbered from 0.
    folds
        Over them, each named by the run that it leaves out.
    labelings
    is_balanced
        Whether all sides have as many samples.
    seed
        Of what is drawn later.
    """

    comparison: Comparison
    rows: NDArray[np.intp]
    labels: Codes
    runs: Codes
    folds: list[Fold]
    labelings: Labelings
    is_balanced: bool
    seed: int


def conditions_of(responses: Responses) -> list[str]:
    """Return the conditions, sorted; "" is none."""
    return sorted({str(one) for one in texts(responses.samples["condition"])} - {""})


def tasks_of(responses: Responses, choices: Choices) -> list[Task]:
    """Return the task of each comparison.

    Raises
    ------
    ConfigError
        If a comparison names what does not exist.
    NotEnoughDataError
        If there is one run, fewer than two conditions, or a run that alone holds all samples of
        one side.
    """
    found = parse(choices.comparisons, conditions_of(responses))
    return [_task(one, responses, choices) for one in found]


def _task(comparison: Comparison, responses: Responses, choices: Choices) -> Task:
    side_of, samples = comparison.side_of, responses.samples
    condition, runs = texts(samples["condition"]), texts(samples["run"])
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
    rng = np.random.default_rng([choices.seed, own_seed])
    return Task(
        comparison=comparison,
        rows=rows,
        labels=labels,
        runs=run_codes,
        folds=folds,
        labelings=labelings(
            labels,
            run_codes,
            units=number_trials(samples.iloc[rows]),
            n_permutations=choices.n_permutations,
            rng=rng,
        ),
        is_balanced=np.unique(np.bincount(labels)).size == 1,
        seed=int(rng.integers(2**32)),
    )


def texts(column: pd.Series[Any]) -> NDArray[np.object_]:
    """Return a column of the sample table as text, "" where it is missing."""
    return np.asarray(column.fillna("").astype(str), dtype=object)
