"""Linear SVM, one run left out, labels permuted; the peer is scikit-learn on one Gram matrix."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import LeaveOneGroupOut, cross_val_score
from sklearn.svm import SVC

from benchmarks import Device, Row, Size, time_both
from bids_dnn.analyses.decode.kernels import Codes, linear_gram, predict_labels
from bids_dnn.analyses.decode.permutation import draw_labelings
from bids_dnn.stats.folds import leave_one_run_out

SIZES = {  # n_classes, n_samples of a class and run, n_voxels, n_permutations
    "small": ((2, 8, 500, 100), (8, 2, 500, 20)),
    "full": ((2, 8, 2000, 1000), (8, 4, 2000, 100)),
}
REPEATS = {"small": 3, "full": 1}
N_RUNS = 5
TARGET = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Patterns, runs and labelings that both classify."""

    values: NDArray[np.float32]  # (n_samples, n_voxels)
    runs: Codes  # (n_samples,)
    codes: Codes  # (1 + n_permutations, n_samples)


def make_case(n_classes: int, n_each: int, n_voxels: int, n_permutations: int) -> Case:
    """Make patterns with a weak mean of each class, and permuted labels."""
    rng = np.random.default_rng(0)
    labels = np.tile(np.repeat(np.arange(n_classes), n_each), N_RUNS)
    runs = np.repeat(np.arange(N_RUNS), n_classes * n_each)
    means = 0.15 * rng.normal(size=(n_classes, n_voxels))
    values = means[labels] + rng.normal(size=(len(labels), n_voxels))
    codes = np.vstack([labels, draw_labelings(labels, runs, n_permutations, rng)])
    return Case(values.astype(np.float32), runs, codes)


def ours(case: Case) -> NDArray[np.float64]:
    """Return the accuracy of each labeling."""
    folds = leave_one_run_out(case.runs.astype(str).astype(object))
    guess = predict_labels(linear_gram(case.values), case.codes, folds, c=1.0)
    accuracy: NDArray[np.float64] = (guess == case.codes).mean(axis=1)
    return accuracy


def peer(case: Case) -> NDArray[np.float64]:
    """Return the same with scikit-learn, from a Gram matrix that is computed once as well."""
    values = case.values.astype(np.float64)
    gram = values @ values.T
    return np.array(
        [
            cross_val_score(
                SVC(kernel="precomputed", C=1.0),
                gram,
                labels,
                groups=case.runs,
                cv=LeaveOneGroupOut(),
                scoring="accuracy",
            ).mean()
            for labels in case.codes
        ]
    )


def check(case: Case) -> None:
    """Compare the accuracies of both, of the labels as they are and of each permutation.

    Raises
    ------
    ArithmeticError
        If one differs.
    """
    found, expected = ours(case), peer(case)
    if not np.allclose(found, expected, rtol=0, atol=1e-9):
        n = int((np.abs(found - expected) > 1e-9).sum())
        raise ArithmeticError(f"decode_svm: {n} of {len(found)} accuracies differ from SVC's.")


def run(size: Size, device: Device) -> list[Row]:  # noqa: ARG001 no GPU path yet
    """Compare answers, then times."""
    rows = []
    for shape in SIZES[size]:
        case = make_case(*shape)
        check(case)
        ours_s, peer_s = time_both(
            partial(ours, case), partial(peer, case), n_repeats=REPEATS[size]
        )
        name = f"decode_svm[{shape[0]} classes,{shape[3]} permutations]".replace(" ", "-")
        rows.append(Row(name, ours_s, peer_s, TARGET))
    return rows
