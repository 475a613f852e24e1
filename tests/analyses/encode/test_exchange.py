"""analyses.encode.exchange: brute force, noise, effects, what was not predicted."""

import numpy as np
import pytest

from bids_dnn.analyses.encode.exchange import average_p, exchanged_scores, merged_p
from bids_dnn.analyses.encode.permutation import draw_shuffles
from bids_dnn.stats.folds import by_stimulus
from bids_dnn.stats.metrics import pearson


def make(rng, *, n=40, n_units=12, n_folds=4, effect=0.0):
    folds = by_stimulus([f"{k:02}" for k in range(n)], n_folds, rng)
    truth = rng.normal(size=(n, n_units))
    return truth, effect * truth + rng.normal(size=truth.shape), folds


def exchange_p(truth, guesses, folds, groups, *, n_permutations, rng):
    shuffles = draw_shuffles(folds, n_permutations, rng)
    found = [exchanged_scores(truth, guess, folds, groups, shuffles) for guess in guesses]
    shape = len(guesses), len(groups)
    return tuple(p.reshape(shape) for p in merged_p(np.concatenate(found, axis=2)))


def test_p_is_what_exchanging_rows_gives(rng):
    truth, guess, folds = make(rng, effect=0.2)
    groups = [np.arange(5), np.arange(3, 12)]
    p, _ = exchange_p(
        truth, [guess], folds, groups, n_permutations=50, rng=np.random.default_rng(1)
    )
    draws, expected = np.random.default_rng(1), np.zeros((4, 2))
    for f, fold in enumerate(folds):
        orders = draws.permuted(np.tile(np.arange(10), (50, 1)), axis=1)
        for k, columns in enumerate(groups):
            t, g = truth[np.ix_(fold.test, columns)], guess[np.ix_(fold.test, columns)]
            null = np.array([pearson(t[order], g).mean() for order in orders])
            expected[f, k] = (1 + (null >= pearson(t, g).mean()).sum()) / 51
    np.testing.assert_allclose(p[0], np.minimum(1, 2 * expected.mean(axis=0)))


def test_under_noise_p_is_not_too_small(rng):
    """Predictions of one fold learn from the others: p must not be liberal."""
    small = []
    for _ in range(150):
        n = 24
        x = rng.normal(size=(n, 3))
        folds = by_stimulus([f"{k:02}" for k in range(n)], 3, rng)
        truth = rng.normal(size=(n, 1)) + 0.5 * rng.normal(size=(n, 6))
        guess = np.empty_like(truth)
        for fold in folds:
            weights = np.linalg.lstsq(x[fold.train], truth[fold.train], rcond=None)[0]
            guess[fold.test] = x[fold.test] @ weights
        p, _ = exchange_p(truth, [guess], folds, [np.arange(6)], n_permutations=39, rng=rng)
        small.append(p[0, 0] <= 0.1)
    assert np.mean(small) < 0.1 + 4 * np.sqrt(0.09 / 150)


def test_effects_are_found_and_correction_is_over_all_models_and_groups(rng):
    truth, guess, folds = make(rng, n=80, effect=1.0)
    noise = rng.normal(size=guess.shape)
    p, corrected = exchange_p(
        truth,
        [guess, noise],
        folds,
        [np.arange(6), np.arange(6, 12)],
        n_permutations=99,
        rng=rng,
    )
    assert p.shape == corrected.shape == (2, 2)
    assert (corrected >= p).all()
    np.testing.assert_allclose(corrected[0], 0.02)  # twice the least p
    assert (corrected[1] > 0.05).all()


def test_of_one_fold_p_is_as_it_is(rng):
    truth, guess, folds = make(rng, effect=3.0)
    p, _ = exchange_p(truth, [guess], folds[:1], [np.arange(12)], n_permutations=99, rng=rng)
    assert p[0, 0] == 0.01
    np.testing.assert_array_equal(average_p(np.array([[0.3]])), [0.3])


def test_what_is_not_predicted_has_no_p(rng):
    truth, guess, folds = make(rng)
    guess[:, :3] = np.nan
    guess[:, 3] = 0.0
    p, corrected = exchange_p(
        truth, [guess], folds, [np.arange(4), np.arange(12)], n_permutations=19, rng=rng
    )
    assert np.isnan(p[0]).tolist() == [True, False]
    assert np.isnan(corrected[0]).tolist() == [True, False]


@pytest.mark.parametrize("block", [3, 1024])
def test_blocks_of_units_do_not_matter(rng, monkeypatch, block):
    from bids_dnn.analyses.encode import exchange

    monkeypatch.setattr(exchange, "BLOCK", block)
    truth, guess, folds = make(np.random.default_rng(0), effect=0.3)
    p, _ = exchange_p(
        truth, [guess], folds, [np.arange(12)], n_permutations=99, rng=np.random.default_rng(1)
    )
    expected, _ = exchange_p(
        truth[:, ::-1],
        [guess[:, ::-1]],
        folds,
        [np.arange(12)],
        n_permutations=99,
        rng=np.random.default_rng(1),
    )
    np.testing.assert_allclose(p, expected)
