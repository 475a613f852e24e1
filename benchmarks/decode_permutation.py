"""Permutations of labels in decoding; the peer is scikit-learn's permutation test."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import click
import nibabel as nib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import LeaveOneGroupOut, permutation_test_score
from sklearn.svm import SVC

from benchmarks import Device, Row, Size
from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.permutation import Codes, draw_labelings
from bids_dnn.analyses.decode.predict import Learner, Predictions, predict
from bids_dnn.analyses.decode.prepare import Preparation, linear_gram, patterns_of
from bids_dnn.stats.folds import leave_one_out
from bids_dnn.stats.inference import permutation_p

N_RUNS, N_EACH = 12, 4
N_PERMUTATIONS = {"small": 100, "full": 1000}
# What the peer does of them, by classifier, and whether a ratio is aimed at: minutes in all.
PEER_PERMUTATIONS = {
    ("svm", True): 1000,
    ("svm", False): 100,
    ("lda", True): 20,
    ("lda", False): 100,
    ("least-squares", True): 100,
    ("least-squares", False): 100,
}
N_CHECKED = 5  # permutations whose decisions are compared
NEAR = 1e-3  # decisions whose sign may differ
DATA = Path(os.environ.get("BIDS_DNN_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
HAXBY = DATA / "haxby2001" / "joined"


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Patterns of two conditions in runs, and labelings.

    Parameters
    ----------
    values : (n_samples, n_voxels)
    runs : (n_samples,)
    codes : (1 + n_permutations, n_samples)
    """

    values: NDArray[np.float32]
    runs: Codes
    codes: Codes


@dataclass(frozen=True, slots=True)
class Pair:
    """A classifier of ours, and the peer's."""

    ours: Classifier
    peer: Callable[[], Any]


PAIRS = {
    "svm": Pair(Classifier(), partial(SVC, kernel="linear")),
    "lda": Pair(
        Classifier(kind="lda", shrinkage=0.5),
        partial(LinearDiscriminantAnalysis, solver="lsqr", shrinkage=0.5),
    ),
    "least-squares": Pair(Classifier(kind="ridge", alpha=0), partial(RidgeClassifier, alpha=1e-6)),
}


def make_case(n_units: int, n_permutations: int) -> Case:
    """Make patterns with a weak mean of each condition."""
    rng = np.random.default_rng(0)
    labels = np.tile(np.repeat([0, 1], N_EACH), N_RUNS)
    runs = np.repeat(np.arange(N_RUNS), 2 * N_EACH)
    values = rng.normal(size=(len(labels), n_units))
    values += 0.1 * rng.normal(size=(2, n_units))[labels]
    return _case(values, labels, runs, n_permutations)


def haxby_case(folder: Path, n_permutations: int) -> Case:
    """Take two categories of Haxby et al. (2001), four volumes of each in each run."""
    mask = np.asarray(nib.load(folder / "mask.nii.gz").dataobj) > 0  # type: ignore[attr-defined]
    bold = np.asarray(nib.load(folder / "bold.nii.gz").dataobj)[mask].T  # type: ignore[attr-defined]
    told = pd.read_csv(folder / "attributes_literal.txt", sep=" ", names=["label", "run"])
    values = bold.astype(np.float64)
    rows: list[int] = []
    for run in told["run"].unique():
        places = np.flatnonzero(told["run"] == run)
        part = values[places]
        ramp = np.vander(np.arange(len(places)), 2)
        part = part - ramp @ np.linalg.lstsq(ramp, part)[0]
        rest = part[(told["label"][places] == "rest").to_numpy()]
        values[places] = (part - rest.mean(axis=0)) / rest.std(axis=0)
        for name in ("bottle", "scissors"):
            rows += list(places[(told["label"][places] == name).to_numpy()][:N_EACH])
    labels = (told["label"][rows] == "scissors").to_numpy().astype(np.intp)
    return _case(values[rows], labels, told["run"][rows].to_numpy(), n_permutations)


def _case(values: NDArray[Any], labels: Codes, runs: Codes, n_permutations: int) -> Case:
    rng = np.random.default_rng(0)
    codes = np.vstack([labels, draw_labelings(labels, runs, n_permutations, rng)])
    return Case(values.astype(np.float32), runs, codes)


def ours(case: Case, classifier: Classifier) -> Predictions:
    """Predict under all labelings, from the patterns on."""
    folds = leave_one_out(case.runs.astype(str).astype(object), what="run")
    gram = linear_gram(case.values)
    how = Preparation()
    patterns = [
        patterns_of(
            case.values,
            fold,
            runs=case.runs,
            how=how,
            nuisance=np.empty((len(case.runs), 0)),
            is_scaled=False,
            gram=gram,
        )
        for fold in folds
    ]
    learner = Learner((classifier,), how)
    return predict(patterns, folds, case.codes, learner, groups=case.runs, n_classes=2)


def peer(case: Case, make: Callable[[], Any]) -> tuple[float, NDArray[np.float64]]:
    """Return the accuracy and the permuted ones of scikit-learn, which shuffles within runs."""
    score, null, _ = permutation_test_score(
        make(),
        case.values.astype(np.float64),
        case.codes[0],
        groups=case.runs,
        cv=LeaveOneGroupOut(),
        n_permutations=len(case.codes) - 1,
        n_jobs=2,
        random_state=0,
    )
    return float(score), np.asarray(null)


def check_decisions(case: Case, made: Predictions, make: Callable[[], Any]) -> None:
    """Compare the signs of the first labelings with single fits.

    Raises
    ------
    ArithmeticError
        If a sign differs where the decision is not next to zero.
    """
    values = case.values.astype(np.float64)
    for row in range(1 + N_CHECKED):
        for run in np.unique(case.runs):
            test = case.runs == run
            model = make()
            if isinstance(model, SVC):
                model.set_params(tol=1e-6)
            model.fit(values[~test], case.codes[row][~test])
            decided = -model.decision_function(values[test])
            found = made.values[0, row, test]
            differs = (np.sign(found) != np.sign(decided)) & (np.abs(decided) >= NEAR)
            if differs.any():
                raise ArithmeticError(f"decode_permutation: {differs.sum()} signs differ.")


def check_scores(scores: NDArray[np.float64], score: float, null: NDArray[np.float64]) -> None:
    """Compare the accuracy of the labels as they are, and its p.

    Raises
    ------
    ArithmeticError
        If the accuracy differs, or p is further away than chance allows.
    """
    if not np.isclose(scores[0], score, rtol=0, atol=1e-9):
        raise ArithmeticError(f"decode_permutation: accuracy {scores[0]}, scikit-learn's {score}.")
    p, other = (permutation_p(score, one, enumerated=False) for one in (scores[1:], null))
    shares = [1 / len(scores[1:]), 1 / len(null)]
    error = np.sqrt((p * (1 - p) + max(shares)) * sum(shares))
    if abs(p - other) > 4 * error:
        raise ArithmeticError(f"decode_permutation: p {p}, scikit-learn's {other}.")


def compare(case: Case, pair: Pair, *, n_peer: int) -> tuple[float, float]:
    """Return the seconds of ours (the least of three) and the peer's, with answers compared.

    The peer does `n_peer` permutations at most; its time is scaled to all, each labeling taking
    as long.
    """
    few = Case(case.values, case.runs, case.codes[: 1 + n_peer])
    made = ours(case, pair.ours)
    check_decisions(case, made, pair.peer)
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        ours(case, pair.ours)
        best = min(best, time.perf_counter() - start)
    peer(Case(case.values, case.runs, case.codes[:3]), pair.peer)  # starts its processes
    start = time.perf_counter()
    score, null = peer(few, pair.peer)
    taken = (time.perf_counter() - start) * len(case.codes) / len(few.codes)
    check_scores((made.guess == case.codes).mean(axis=1), score, null)
    return best, taken


def cases(n: int) -> Iterator[tuple[str, str, Case, float]]:
    """Give each case: of which classifier, where, the case, and the ratio aimed at (0 = none)."""
    wide, narrow = make_case(600, n), make_case(40, n)
    for name, target in (("svm", 100.0), ("lda", 1000.0), ("least-squares", 1000.0)):
        yield name, "600-voxels", wide, target
        yield name, "40-voxels", narrow, 0.0
    if HAXBY.is_dir():
        yield "svm", "haxby", haxby_case(HAXBY, n), 50.0
    else:
        click.echo(f"decode_permutation[svm,haxby] is left out: {HAXBY} is not there.", err=True)


def run(size: Size, device: Device) -> list[Row]:
    """Compare answers, then times."""
    rows = []
    for name, where, case, target in cases(N_PERMUTATIONS[size]):
        pair = PAIRS[name]
        if device != "cpu":
            pair = replace(pair, ours=replace(pair.ours, device=device))
        taken = compare(case, pair, n_peer=PEER_PERMUTATIONS[name, target > 0])
        rows.append(Row(f"decode_permutation[{name},{where}]", *taken, target))
    return rows
