"""A participant of a study: regions by comparisons by permutations; the peer is scikit-learn's."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import LeaveOneGroupOut, permutation_test_score
from sklearn.svm import SVC

from benchmarks import Device, Row, Size
from bids_dnn.analyses.decode.choices import Choices, Correction
from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.decoding import decode
from bids_dnn.containers.responses import Responses
from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Grid

N_RUNS, N_EACH, N_UNITS = 12, 4, 200
CONDITIONS = ("a", "b", "c", "d", "e")  # ten pairs
N_REGIONS = {"small": 2, "full": 20}
N_PERMUTATIONS = {"small": 50, "full": 1000}
N_PEER = 20  # permutations of the peer, in one region and comparison
N_CHECKED = 10  # rows whose accuracy the peer finds, too
NEAR = 1e-3  # decisions whose sign may differ
SHRINKAGE = 0.5


@dataclass(frozen=True, slots=True)
class Way:
    """A classifier of ours, the peer's, and how p is corrected."""

    ours: Classifier
    peer: Callable[[], Any]
    correct: tuple[Correction, ...]


MACHINE = partial(SVC, kernel="linear", tol=1e-6)
WAYS = {
    "svm,fdr": Way(Classifier(), MACHINE, ("fdr",)),
    "svm,max": Way(Classifier(), MACHINE, ("max", "fdr")),
    "lda,max": Way(
        Classifier(kind="lda", shrinkage=SHRINKAGE),
        partial(LinearDiscriminantAnalysis, solver="lsqr", shrinkage=SHRINKAGE),
        ("max", "fdr"),
    ),
}


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """Responses of a participant, and regions."""

    responses: Responses
    rois: list[Roi]


def make_study(n_regions: int) -> Study:
    """Make patterns with a weak mean of each condition, in regions side by side."""
    rng = np.random.default_rng(0)
    labels = np.tile(np.repeat(np.arange(len(CONDITIONS)), N_EACH), N_RUNS)
    n_units = n_regions * N_UNITS
    values = rng.normal(size=(len(labels), n_units))
    values += 0.1 * rng.normal(size=(len(CONDITIONS), n_units))[labels]
    samples = pd.DataFrame(
        {
            "stimulus": "",
            "condition": np.array(CONDITIONS)[labels],
            "run": np.repeat(np.arange(N_RUNS), len(labels) // N_RUNS).astype(str),
            "session": "",
            "repeat": 0,
        }
    )
    space = Grid("T1w", (n_units, 1, 1), np.eye(4), np.arange(n_units))
    responses = Responses(values.astype(np.float32), samples, space, "zscore")
    rois = []
    for number in range(n_regions):
        units = np.arange(number * N_UNITS, (number + 1) * N_UNITS)
        rois.append(Roi(f"region{number}", space.select(units), "made", N_UNITS))
    return Study(responses, rois)


def ours(study: Study, way: Way, *, n_permutations: int) -> pd.DataFrame:
    """Decode all pairs in all regions; returns the table."""
    choices = Choices(
        comparisons=("pairs",),
        classifier=way.ours,
        correct=way.correct,
        n_permutations=n_permutations,
        seed=0,
    )
    return decode(study.responses, study.rois, choices=choices).table


def part_of(
    study: Study, row: pd.Series[Any]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.object_]]:
    """Return the patterns, labels and runs of a row of the table."""
    first, second = str(row["comparison"]).split(" vs ")
    condition = study.responses.samples["condition"].to_numpy()
    rows = (condition == first) | (condition == second)
    number = [roi.name for roi in study.rois].index(str(row["region"]))
    units = slice(number * N_UNITS, (number + 1) * N_UNITS)
    values = study.responses.values[rows, units].astype(np.float64)
    runs = study.responses.samples["run"].to_numpy()[rows]
    return values, condition[rows] == first, runs


def check(study: Study, table: pd.DataFrame, make: Callable[[], Any]) -> None:
    """Compare accuracies with those of the peer, of rows spread over the table.

    Raises
    ------
    ArithmeticError
        If one differs by more samples than have a decision next to zero.
    """
    for place in np.linspace(0, len(table) - 1, N_CHECKED).astype(int):
        row = table.iloc[place]
        x, y, runs = part_of(study, row)
        n_right, n_close = 0, 0
        for train, test in LeaveOneGroupOut().split(x, groups=runs):
            decided = make().fit(x[train], y[train]).decision_function(x[test])
            n_right += int(((decided > 0) == y[test]).sum())
            n_close += int((np.abs(decided) < NEAR).sum())
        if abs(row["score"] * len(y) - n_right) > n_close + 1e-6:
            raise ArithmeticError(
                f"decode_study: accuracy {row['score']} in row {place}, scikit-learn's "
                f"{n_right / len(y)}."
            )


def compare(study: Study, way: Way, *, n_permutations: int) -> tuple[float, float]:
    """Return the seconds of ours and the peer's, with answers compared.

    The peer does a few permutations of one row, and has no maximum over rows; its time is scaled
    to all rows and permutations.
    """
    ours(Study(study.responses, study.rois[:1]), way, n_permutations=2)  # compiles
    start = time.perf_counter()
    table = ours(study, way, n_permutations=n_permutations)
    taken = time.perf_counter() - start
    check(study, table, way.peer)
    x, y, runs = part_of(study, table.iloc[0])
    n_jobs = {"groups": runs, "cv": LeaveOneGroupOut(), "n_jobs": 2, "random_state": 0}
    permutation_test_score(way.peer(), x, y, n_permutations=2, **n_jobs)  # starts its processes
    start = time.perf_counter()
    permutation_test_score(way.peer(), x, y, n_permutations=N_PEER, **n_jobs)
    each = (time.perf_counter() - start) / (1 + N_PEER)
    return taken, each * len(table) * (1 + n_permutations)


def run(size: Size, device: Device) -> list[Row]:  # noqa: ARG001 no GPU path yet
    """Compare answers, then times."""
    study = make_study(N_REGIONS[size])
    rows = []
    for name, way in WAYS.items():
        taken = compare(study, way, n_permutations=N_PERMUTATIONS[size])
        rows.append(Row(f"decode_study[{name}]", *taken, 0.0))
    return rows
