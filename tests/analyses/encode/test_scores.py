"""analyses.encode.scores: folds aligned, closed forms, intervals."""

import numpy as np
import pytest

from bids_dnn.analyses.encode import scores
from bids_dnn.analyses.encode.scores import (
    align_folds,
    score_folds,
    score_interval,
    score_units,
)
from bids_dnn.stats.folds import by_stimulus
from bids_dnn.stats.metrics import pearson


@pytest.fixture
def folds(rng):
    return by_stimulus([f"{k:02}" for k in range(40)], 4, rng)


def test_of_one_fold_the_score_is_pearsons(rng, folds):
    truth, guess = rng.normal(size=(2, 40, 5))
    for fold in folds:
        one = [type(fold)("1", fold.test, fold.train)]  # all but a few, tested at once
        t, g = align_folds(truth, guess, one)
        inside = fold.train
        np.testing.assert_allclose(
            pearson(t[inside], g[inside]), pearson(truth[inside], guess[inside])
        )


def test_offsets_and_scales_of_folds_do_not_matter(rng, folds):
    truth, guess = rng.normal(size=(2, 40, 5))
    moved_truth, moved_guess = truth.copy(), guess.copy()
    for k, fold in enumerate(folds):
        moved_truth[fold.test] += 10 * k
        moved_guess[fold.test] = (k + 1) * guess[fold.test] - 5 * k
    np.testing.assert_allclose(
        score_units(moved_truth, moved_guess, folds), score_units(truth, guess, folds)
    )


def test_units_that_do_not_vary_have_no_score(rng, folds):
    truth, guess = rng.normal(size=(2, 40, 3))
    truth[:, 0] = 0.1
    guess[:, 1] = 0.1
    assert np.isnan(score_units(truth, guess, folds)).tolist() == [True, True, False]


def test_a_fold_with_a_constant_prediction_adds_nothing(rng, folds):
    truth, guess = rng.normal(size=(2, 40, 3))
    guess[folds[0].test] = 0.3
    _, g = align_folds(truth, guess, folds)
    assert not g[folds[0].test].any()
    assert np.isfinite(score_units(truth, guess, folds)).all()


def test_blocks_of_units_do_not_matter(rng, folds, monkeypatch):
    truth, guess = rng.normal(size=(2, 40, 7))
    whole = score_units(truth, guess, folds), score_folds(truth, guess, folds)
    monkeypatch.setattr(scores, "BLOCK", 3)
    np.testing.assert_allclose(score_units(truth, guess, folds), whole[0])
    np.testing.assert_allclose(score_folds(truth, guess, folds), whole[1])


def test_the_score_of_a_fold_is_the_mean_of_pearsons(rng, folds):
    truth, guess = rng.normal(size=(2, 40, 6))
    expected = [pearson(truth[one.test], guess[one.test]).mean() for one in folds]
    np.testing.assert_allclose(score_folds(truth, guess, folds), expected)


def test_in_a_fold_constant_predictions_count_zero_and_constant_responses_not_at_all(rng, folds):
    truth, guess = rng.normal(size=(2, 40, 3))
    truth[folds[0].test, 0], guess[folds[0].test, 1] = 0.1, 0.3
    inside = folds[0].test
    expected = pearson(truth[inside, 2:], guess[inside, 2:])[0] / 2
    np.testing.assert_allclose(score_folds(truth, guess, folds)[0], expected)
    truth[inside] = 0.1
    assert np.isnan(score_folds(truth, guess, folds)).tolist() == [True, False, False, False]


def test_the_score_is_close_to_the_mean_of_the_folds(rng):
    folds = by_stimulus([f"{k:03}" for k in range(200)], 5, rng)
    truth = rng.normal(size=(200, 20))
    guess = truth + rng.normal(size=(200, 20))
    pooled = score_units(truth, guess, folds).mean()
    assert abs(pooled - score_folds(truth, guess, folds).mean()) < 0.01


def test_the_interval_stays_in_the_range_of_r(rng, folds):
    truth = rng.normal(size=(40, 1))
    guess = truth.copy()
    guess[folds[0].test] *= -1
    low, high = score_interval(truth, guess, folds, center=0.5)
    assert (low, high) == (-1.0, 1.0)
    assert np.isnan(score_interval(truth, guess, folds[:2], center=0.5)).all()
