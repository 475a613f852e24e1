"""analyses.decode on 530 voxels of Haxby et al. (2001): known accuracies, as scikit-learn."""

from dataclasses import replace
from itertools import combinations

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.svm import SVC

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.decoding import decode
from bids_dnn.analyses.decode.predict import Learner, predict
from bids_dnn.analyses.decode.prepare import Preparation, patterns_of
from bids_dnn.stats.folds import leave_one_out
from tests.factories.responses import make_responses

pytestmark = pytest.mark.real
N_RUNS, N_CATEGORIES = 12, 8
NEAR = 1e-3  # decisions whose sign may differ


@pytest.fixture(scope="module")
def volumes(real_data):
    """Volumes with a category: detrended in each run, and z-scored on its rest."""
    folder = real_data / "haxby2001" / "joined"
    inside = np.asarray(nib.load(folder / "mask.nii.gz").dataobj) > 0
    bold = np.asarray(nib.load(folder / "bold.nii.gz").dataobj, dtype=np.float64)[inside].T
    told = pd.read_csv(folder / "attributes_literal.txt", sep=" ", names=["label", "run"])
    for number in told["run"].unique():
        rows = (told["run"] == number).to_numpy()
        ramp = np.vander(np.arange(rows.sum()), 2)
        part = bold[rows] - ramp @ np.linalg.lstsq(ramp, bold[rows])[0]
        rest = part[(told["label"][rows] == "rest").to_numpy()]
        bold[rows] = (part - rest.mean(axis=0)) / rest.std(axis=0)
    shown = (told["label"] != "rest").to_numpy()
    return bold[shown], told[shown].reset_index(drop=True)


@pytest.fixture(scope="module")
def blocks(volumes):
    """The volumes of each block averaged: 8 categories in each of 12 runs."""
    bold, told = volumes
    groups = told.groupby(["run", "label"], sort=True).indices
    values = np.stack([bold[rows].mean(axis=0) for rows in groups.values()])
    return values, pd.DataFrame(list(groups), columns=["run", "label"])


def responses_of(values, told):
    made = make_responses(values, conditions=told["label"], runs=told["run"])
    return replace(made, scale="zscore")  # costs are taken as they are


def decoded(values, told, *, comparison, n_permutations):
    choices = Choices(
        comparisons=(comparison,), n_permutations=n_permutations, seed=0, correct=("fdr",)
    )
    return decode(responses_of(values, told), (), choices=choices).table


def test_single_volumes(volumes):
    row = decoded(*volumes, comparison="all", n_permutations=1).iloc[0]
    assert row["n_units"] == 530
    np.testing.assert_allclose(row["score"], 0.571, atol=0.005)


def test_blocks_are_told_apart_as_by_scikit_learn(blocks):
    values, told = blocks
    assert decoded(values, told, comparison="all", n_permutations=1)["score"][0] == 70 / 96
    runs, truth = (np.unique(told[name], return_inverse=True)[1] for name in ("run", "label"))
    folds = leave_one_out(told["run"].astype(str).to_numpy(dtype=object), what="run")
    settings = {"runs": runs, "how": Preparation(), "nuisance": np.empty((len(runs), 0))}
    patterns = [
        patterns_of(values.astype(np.float32), fold, **settings, is_scaled=False) for fold in folds
    ]
    learner = Learner((Classifier(),), Preparation())
    made = predict(patterns, folds, truth[None], learner, groups=runs, n_classes=N_CATEGORIES)
    n_same = 0
    for fold in folds:
        model = SVC(kernel="linear", tol=1e-6, decision_function_shape="ovo")
        model.fit(values.astype(np.float32)[fold.train].astype(np.float64), truth[fold.train])
        tested = values.astype(np.float32)[fold.test].astype(np.float64)
        expected = model.decision_function(tested)
        np.testing.assert_allclose(made.values[:, 0, fold.test].T, expected, rtol=0, atol=NEAR)
        is_sure = np.abs(expected).min(axis=1) >= NEAR
        n_same += is_sure.sum()
        guess = made.guess[0, fold.test]
        np.testing.assert_array_equal(guess[is_sure], model.predict(tested)[is_sure])
    assert n_same > 80


def test_all_pairs_of_categories_under_all_exchanges(blocks):
    values, told = blocks
    n = 2 ** (N_RUNS - 1)  # ways to exchange the two blocks of each run, up to the swap of all
    table = decoded(values, told, comparison="pairs", n_permutations=n)
    names = list(combinations(sorted(told["label"].unique()), 2))
    assert list(table["comparison"]) == [f"{first} vs {second}" for first, second in names]
    assert (table["n_permutations"] == n).all()
    assert (table["p_floor"] == 1 / n).all()
    for pair, score in zip(names, table["score"], strict=True):
        rows = told["label"].isin(pair).to_numpy()
        runs = told["run"][rows].to_numpy()
        model = SVC(kernel="linear", tol=1e-6)
        data = values[rows].astype(np.float32).astype(np.float64), told["label"][rows]
        guess = cross_val_predict(model, *data, groups=runs, cv=LeaveOneGroupOut())
        assert score == pytest.approx((guess == told["label"][rows]).mean())
    perfect = table["score"] == 1
    assert perfect.sum() == 10
    assert (table["p"][perfect] == 1 / n).all()
    weak = table["score"] < 0.7
    assert list(table["comparison"][weak]) == ["bottle vs scissors"]
    assert (table["p"][weak] > 0.05).all()
    assert (table["p"][~weak] < 0.05).all()
