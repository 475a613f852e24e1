"""analyses.encode.scores: folds aligned, closed forms, intervals."""

import numpy as np
import pytest

from bids_dnn.analyses.encode import scores
from bids_dnn.analyses.encode.scores import (
    align_folds,
    bootstrap_mean,
    draw_counts,
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
    counts = draw_counts(40, 20, rng)
    whole = score_units(truth, guess, folds), bootstrap_mean(truth, guess, folds, counts=counts)
    monkeypatch.setattr(scores, "BLOCK", 3)
    np.testing.assert_allclose(score_units(truth, guess, folds), whole[0])
    np.testing.assert_allclose(bootstrap_mean(truth, guess, folds, counts=counts), whole[1])


def test_the_interval_is_that_of_drawing_images_one_by_one(rng, folds):
    truth = rng.normal(size=(40, 6))
    guess = truth + rng.normal(size=(40, 6))
    counts = draw_counts(40, 50, rng)
    t, g = align_folds(truth, guess, folds)
    means = []
    for row in counts:
        drawn = np.repeat(np.arange(40), row.astype(int))
        means.append(pearson(t[drawn], g[drawn]).mean())
    np.testing.assert_allclose(
        bootstrap_mean(truth, guess, folds, counts=counts), np.quantile(means, [0.025, 0.975])
    )


def test_the_interval_holds_the_true_correlation(rng):
    folds = by_stimulus([f"{k:03}" for k in range(200)], 5, rng)
    inside = 0
    for _ in range(40):
        guess = rng.normal(size=(200, 1))
        low, high = bootstrap_mean(
            0.5 * guess + np.sqrt(0.75) * rng.normal(size=(200, 1)),
            guess,
            folds,
            counts=draw_counts(200, 300, rng),
        )
        inside += low <= 0.5 <= high
    assert inside >= 33  # of 40 at 95 %: fewer has a chance of 1 in 10,000


def test_draws_are_as_many_as_images(rng):
    counts = draw_counts(30, 10, rng)
    assert counts.shape == (10, 30)
    assert (counts.sum(axis=1) == 30).all()
