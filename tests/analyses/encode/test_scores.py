"""analyses.encode.scores: folds aligned, closed forms, intervals."""

from dataclasses import astuple

import numpy as np
import pytest

from bids_dnn.analyses.encode import scores
from bids_dnn.analyses.encode.scores import (
    align_folds,
    bootstrap_scores,
    mean_r,
    score_folds,
    score_intervals,
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
    found = score_intervals(truth, guess, folds, center=0.5, seed=0)
    assert (found.low, found.high) == (-1.0, 1.0)
    assert -1 <= found.boot_low < found.boot_high <= 1
    two = score_intervals(truth, guess, folds[:2], center=0.5, seed=0)
    assert np.isnan([two.low, two.high]).all()
    assert np.isfinite([two.boot_low, two.boot_high]).all()
    assert np.isnan(astuple(score_intervals(truth, guess, folds, center=np.nan, seed=0))).all()


def given(rng, *, n_train=30, n_test=40):
    train = np.arange(n_train + n_test) < n_train
    return [Fold("given", train, ~train)]


def test_of_a_given_split_the_test_images_are_scored(rng):
    folds = given(rng)
    truth, guess = rng.normal(size=(2, 70, 5))
    guess[folds[0].train] = np.nan
    expected = pearson(truth[30:], guess[30:])
    np.testing.assert_allclose(score_units(truth, guess, folds), expected)


@pytest.mark.parametrize("n_folds", [1, 4])
def test_the_bootstrap_is_what_resampling_images_gives(rng, folds, n_folds):
    truth, guess = rng.normal(size=(2, 40, 6))
    guess += truth
    used = folds[:n_folds]
    found = bootstrap_scores(truth, guess, used, np.random.default_rng(3), n=20)
    draws = np.random.default_rng(3)
    sizes = [int(fold.test.sum()) for fold in used]
    counts = [draws.multinomial(size, np.full(size, 1 / size), size=20) for size in sizes]
    aligned = align_folds(truth, guess, used)
    for k in range(20):
        rows = np.concatenate(
            [
                np.repeat(np.flatnonzero(fold.test), count[k])
                for fold, count in zip(used, counts, strict=True)
            ]
        )
        expected = mean_r(pearson(*(one[rows] for one in aligned)))
        np.testing.assert_allclose(found[k], expected)


def test_fewer_bootstrap_samples_are_drawn_of_many_units(rng, folds, monkeypatch):
    truth, guess = rng.normal(size=(2, 40, 6))
    assert len(bootstrap_scores(truth, guess, folds, rng)) == 2000
    monkeypatch.setattr(scores, "N_PRODUCTS", 500 * 240)
    assert len(bootstrap_scores(truth, guess, folds, rng)) == 500
    monkeypatch.setattr(scores, "N_PRODUCTS", 0)
    assert len(bootstrap_scores(truth, guess, folds, rng)) == 200


@pytest.mark.parametrize("n_folds", [1, 4])
def test_the_bootstrap_covers_the_score_of_the_models(rng, n_folds):
    """Of 200 sets of test images, 95 % of intervals hold the correlation that made them.

    Folds have models of their own, whose predictions go with the responses to 0.4 to 0.7.
    """
    tested = np.arange(130) >= 30
    part = np.where(tested, np.arange(130) % n_folds, -1)
    folds = [Fold(str(k), part != k, part == k) for k in range(n_folds)]
    rho = np.linspace(0.4, 0.7, n_folds)
    of_image, inside = np.where(tested, rho[part], 0.0)[:, None], 0
    for seed in range(200):
        truth = rng.normal(size=(130, 1))
        guess = of_image * truth + np.sqrt(1 - of_image**2) * rng.normal(size=(130, 1))
        found = score_intervals(truth, guess, folds, center=0.5, seed=seed)
        inside += found.boot_low <= rho.mean() <= found.boot_high
    assert 0.95 - 4 * np.sqrt(0.95 * 0.05 / 200) - 0.02 < inside / 200  # 2 %: skew of r
    assert inside < 200


@pytest.mark.parametrize("n_folds", [1, 4])
def test_units_without_predictions_in_a_fold_are_out_of_the_interval_too(rng, folds, n_folds):
    truth, guess = rng.normal(size=(2, 40, 6))
    folds = folds[:1] if n_folds == 1 else folds
    guess += truth
    known = guess[:, 1:].copy()
    guess[folds[0].test, 0] = np.nan
    found = score_intervals(truth, guess, folds, center=0.7, seed=0)
    assert np.isfinite(astuple(found)).all()
    assert found == score_intervals(truth[:, 1:], known, folds, center=0.7, seed=0)


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
