"""analyses.encode.scores: folds aligned, closed forms, intervals."""

import numpy as np
import pytest

from bids_dnn.analyses.encode import scores
from bids_dnn.analyses.encode.scores import (
    align_folds,
    bootstrap_scores,
    mean_r,
    score_folds,
    score_interval,
    score_r2,
    score_units,
)
from bids_dnn.stats.folds import Fold, by_stimulus
from bids_dnn.stats.metrics import pearson, r2


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
    expected = [mean_r(pearson(truth[one.test], guess[one.test])) for one in folds]
    np.testing.assert_allclose(score_folds(truth, guess, folds), expected)


def test_in_a_fold_constant_predictions_count_zero_and_constant_responses_not_at_all(rng, folds):
    truth, guess = rng.normal(size=(2, 40, 3))
    truth[folds[0].test, 0], guess[folds[0].test, 1] = 0.1, 0.3
    inside = folds[0].test
    expected = np.tanh(np.arctanh(pearson(truth[inside, 2:], guess[inside, 2:])[0]) / 2)
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
    low, high = score_interval(truth, guess, folds, center=0.5, seed=0)
    assert (low, high) == (-1.0, 1.0)
    assert np.isnan(score_interval(truth, guess, folds[:2], center=0.5, seed=0)).all()


def given(rng, *, n_train=30, n_test=40):
    train = np.arange(n_train + n_test) < n_train
    return [Fold("given", train, ~train)]


def test_of_a_given_split_the_test_images_are_scored(rng):
    folds = given(rng)
    truth, guess = rng.normal(size=(2, 70, 5))
    guess[folds[0].train] = np.nan
    expected = pearson(truth[30:], guess[30:])
    np.testing.assert_allclose(score_units(truth, guess, folds), expected)


def test_the_bootstrap_is_what_resampling_images_gives(rng):
    truth, guess = rng.normal(size=(2, 25, 6))
    guess += truth
    found = bootstrap_scores(truth, guess, np.random.default_rng(3), n=20)
    counts = np.random.default_rng(3).multinomial(25, np.full(25, 1 / 25), size=20)
    for k, count in enumerate(counts):
        rows = np.repeat(np.arange(25), count)
        np.testing.assert_allclose(found[k], mean_r(pearson(truth[rows], guess[rows])))


def test_the_interval_of_a_given_split_covers_the_score_of_the_model(rng):
    """Of 200 sets of test images, 95 % of intervals hold the correlation that made them."""
    rho, folds, inside = 0.6, given(rng, n_test=100), 0
    for seed in range(200):
        truth = rng.normal(size=(130, 1))
        guess = rho * truth + np.sqrt(1 - rho**2) * rng.normal(size=(130, 1))
        center = float(pearson(truth[30:], guess[30:])[0])
        low, high = score_interval(truth, guess, folds, center=center, seed=seed)
        inside += low <= rho <= high
    assert 0.95 - 4 * np.sqrt(0.95 * 0.05 / 200) - 0.02 < inside / 200  # 2 %: skew of r


@pytest.mark.parametrize("n_folds", [1, 4])
def test_units_without_predictions_in_a_fold_are_out_of_the_interval_too(rng, folds, n_folds):
    truth, guess = rng.normal(size=(2, 40, 6))
    folds = folds[:1] if n_folds == 1 else folds
    guess += truth
    known = guess[:, 1:].copy()
    guess[folds[0].test, 0] = np.nan
    found = score_interval(truth, guess, folds, center=0.7, seed=0)
    assert np.isfinite(found).all()
    assert found == score_interval(truth[:, 1:], known, folds, center=0.7, seed=0)


def test_the_mean_of_r_is_fishers(rng):
    r = np.array([0.9, -0.2, np.nan, 0.4])
    np.testing.assert_allclose(np.arctanh(mean_r(r)), np.arctanh(r[[0, 1, 3]]).mean())
    assert np.isnan(mean_r(np.array([np.nan])))
    assert mean_r(np.array([1.0])) == pytest.approx(1.0)


def test_r2_is_against_the_training_mean_over_all_folds(rng, folds):
    truth, guess = rng.normal(size=(2, 40, 4))
    truth[:, 1] = 7.0
    means = [truth[fold.train].mean(axis=0) for fold in folds]
    baseline = np.empty_like(truth)
    for fold, mean in zip(folds, means, strict=True):
        baseline[fold.test] = mean
    found = score_r2(truth, guess, folds, means)
    expected = r2(truth, baseline + guess, baseline=baseline)
    np.testing.assert_allclose(np.delete(found, 1), np.delete(expected, 1))
    assert np.isnan(found[1])


def test_r2_of_a_given_split_is_that_of_its_test_images(rng):
    (fold,) = given(rng)
    truth, guess = rng.normal(size=(2, 70, 3))
    guess[fold.train] = np.nan
    mean = truth[fold.train].mean(axis=0)
    away = truth[fold.test] - mean
    expected = 1 - ((away - guess[fold.test]) ** 2).sum(axis=0) / (away**2).sum(axis=0)
    np.testing.assert_allclose(score_r2(truth, guess, [fold], [mean]), expected)
