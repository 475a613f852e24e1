"""analyses.decode.scoring: metrics of many labelings, against scikit-learn and closed forms."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from bids_dnn.analyses.decode.predict import Predictions
from bids_dnn.analyses.decode.scoring import METRICS, scores_of
from bids_dnn.stats.folds import leave_one_out


@pytest.fixture
def made(rng):
    """Two labelings of 30 samples in three folds; a sixth of them no part of the second."""
    codes = np.stack([np.tile([0, 1], 15), rng.permutation(np.tile([0, 1], 15))])
    codes[1, ::6] = -1
    values = rng.normal(size=(1, 2, 30)).astype(np.float32).round(1) + 0.5 * (codes == 0)
    guess = np.where(codes < 0, -1, (values[0] <= 0).astype(int))
    folds = leave_one_out(np.repeat(["1", "2", "3"], 10), what="run")
    return codes, Predictions(guess, values.astype(np.float32), {}), folds


def test_accuracies_are_those_of_scikit_learn(made):
    codes, predictions, folds = made
    for k, row in enumerate(codes):
        own = row >= 0
        truth, guess = row[own], predictions.guess[k, own]
        plain, balanced = (
            scores_of(name, codes, predictions, folds, n_classes=2)[k]
            for name in ("accuracy", "balanced_accuracy")
        )
        assert plain == np.mean(truth == guess)
        np.testing.assert_allclose(balanced, balanced_accuracy_score(truth, guess))


def test_auc_is_the_mean_over_folds_of_that_of_scikit_learn(made):
    codes, predictions, folds = made
    found = scores_of("auc", codes, predictions, folds, n_classes=2)
    for k, row in enumerate(codes):
        expected = []
        for fold in folds:
            own = fold.test & (row >= 0)
            expected.append(roc_auc_score(row[own] == 0, predictions.values[0, k, own]))
        np.testing.assert_allclose(found[k], np.mean(expected))


def test_dprime_is_the_difference_of_the_rates_in_sd(made):
    codes, predictions, folds = made
    found = scores_of("dprime", codes, predictions, folds, n_classes=2)[0]
    hits = (predictions.guess[0][codes[0] == 0] == 0).sum()
    alarms = (predictions.guess[0][codes[0] == 1] == 0).sum()
    expected = norm.ppf((hits + 0.5) / 16) - norm.ppf((alarms + 0.5) / 16)
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("metric", METRICS)
def test_nothing_that_is_tested_has_no_score(made, metric):
    codes, predictions, folds = made
    none = np.full_like(codes, -1)
    empty = Predictions(none, np.full_like(predictions.values, np.nan), {})
    with np.errstate(invalid="ignore"):
        found = scores_of(metric, none, empty, folds, n_classes=2)
    assert metric == "dprime" or np.isnan(found).all()
