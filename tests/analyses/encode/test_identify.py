"""analyses.encode.identify: brute force, perfect and chance, ties, intervals, refusals."""

import numpy as np
import pytest
from scipy.stats import binomtest

from bids_dnn.analyses.encode import identify as module
from bids_dnn.analyses.encode.identify import identify
from bids_dnn.errors import ConfigError, NotEnoughDataError, ShapeError
from bids_dnn.stats.folds import Fold, by_stimulus


def make(rng, *, n=30, n_units=40, signal=1.0):
    """Responses of unequal units around a mean pattern, and predictions less that pattern."""
    known = rng.normal(size=(n, n_units))
    spread, level = np.linspace(1, 20, n_units), 50 * rng.normal(size=n_units)
    truth = (signal * known + rng.normal(size=(n, n_units))) * spread + level
    return truth, known * spread


def split(rng, n, n_folds=3):
    return by_stimulus([f"{k:03}" for k in range(n)], n_folds, rng)


def by_hand(truth, guess, folds):
    """Rank by loops: (better than the right one, candidates) of each image."""
    better, count = np.zeros(len(truth), dtype=int), np.zeros(len(truth), dtype=int)
    for fold in folds:
        mean, sd = truth[fold.train].mean(axis=0), truth[fold.train].std(axis=0)
        candidates = np.flatnonzero(fold.test)
        for i in candidates:
            r = {j: np.corrcoef(guess[i] / sd, (truth[j] - mean) / sd)[0, 1] for j in candidates}
            better[i] = sum(r[j] > r[i] for j in candidates if j != i)
            count[i] = len(r)
    return better, count


@pytest.mark.parametrize("block", [7, 1024])
def test_ranks_are_those_of_brute_force(rng, monkeypatch, block):
    monkeypatch.setattr(module, "BLOCK", block)
    truth, guess = make(rng, signal=0.3)
    folds = split(rng, 30)
    found = identify(truth, guess, folds=folds)
    better, count = by_hand(truth, guess, folds)
    assert found.better.tolist() == better.tolist()
    assert found.n_candidates.tolist() == count.tolist()
    np.testing.assert_allclose(found.normalized_rank, 1 - better / (count - 1))
    np.testing.assert_allclose(found.proportion, [(better < k).mean() for k in (1, 5)])
    np.testing.assert_allclose(found.chance, [(k / count).mean() for k in (1, 5)])
    assert np.isfinite(found.p)


def test_z_is_how_far_the_right_one_stands_out(rng):
    truth, guess = make(rng, n=8, signal=0.5)
    truth -= truth.mean(axis=0)
    found = identify(truth, guess)
    r = np.arctanh(np.corrcoef(guess, truth)[:8, 8:])
    for i in range(8):
        wrong = np.delete(r[i], i)
        np.testing.assert_allclose(found.z[i], (r[i, i] - wrong.mean()) / wrong.std())


def test_perfect_predictions_identify_each_image(rng):
    truth, _ = make(rng)
    folds = split(rng, 30)
    guess = np.empty_like(truth)
    for fold in folds:
        guess[fold.test] = truth[fold.test] - truth[fold.train].mean(axis=0)
    found = identify(truth, guess, folds=folds)
    assert found.proportion.tolist() == [1, 1]
    assert found.mean_rank == 1
    assert found.low[0] < 0.9
    np.testing.assert_allclose(found.high, 1)
    assert identify(truth, -guess, folds=folds).mean_rank == 0


def test_noise_is_at_chance(rng):
    truth, guess = make(rng, n=300, signal=0)
    found = identify(truth - truth.mean(axis=0), guess)
    np.testing.assert_allclose(found.chance, [1 / 300, 5 / 300])
    # hits are about Poisson with means 1 and 5: as many or more in 1 of 10,000
    assert found.proportion[0] * 300 < 7
    assert found.proportion[1] * 300 < 16
    # the mean of 300 nearly independent uniform numbers
    assert abs(found.mean_rank - 0.5) < 4 / np.sqrt(12 * 300)


def test_the_mean_pattern_and_loud_units_do_not_decide(rng):
    truth, guess = make(rng, signal=0.5)
    folds = split(rng, 30)
    once = identify(truth, guess, folds=folds)
    scale = np.logspace(-2, 2, truth.shape[1])
    again = identify(truth * scale + 1000, guess * scale, folds=folds)
    np.testing.assert_array_equal(again.better, once.better)
    # A model that knows the mean pattern alone says the same of all images.
    flat = identify(truth, np.tile(guess[0], (30, 1)), folds=folds)
    assert abs(flat.mean_rank - 0.5) < 1e-12


def test_predictions_that_do_not_vary_leave_all_tied(rng):
    truth, _ = make(rng, n=10)
    found = identify(truth - truth.mean(axis=0), np.zeros_like(truth), top=(1, 3))
    assert found.tied.tolist() == [9] * 10
    np.testing.assert_allclose(found.proportion, [0.1, 0.3])
    np.testing.assert_allclose(found.normalized_rank, 0.5)
    assert np.isnan(found.z).all()
    assert found.p == 1


def test_equal_patterns_share_their_places(rng):
    truth, _ = make(rng, n=6)
    truth -= truth.mean(axis=0)
    truth[1] = truth[0]
    found = identify(truth, truth.copy(), top=(1, 2))
    assert found.tied.tolist() == [1, 1, 0, 0, 0, 0]
    np.testing.assert_allclose(found.normalized_rank, [0.9, 0.9, 1, 1, 1, 1])
    np.testing.assert_allclose(found.proportion, [5 / 6, 1])


def test_units_that_were_not_measured_are_left_out(rng):
    truth, guess = make(rng, signal=0.3)
    folds = split(rng, 30)
    once = identify(truth[:, 2:], guess[:, 2:], folds=folds)
    truth[3, 0], truth[:, 1] = np.nan, 7.0
    again = identify(truth, guess, folds=folds)
    np.testing.assert_array_equal(again.better, once.better)
    assert again.n_units == 38


def test_a_unit_that_is_silent_in_one_training_set_is_left_out_everywhere(rng):
    truth, guess = make(rng, signal=0.3)
    folds = split(rng, 30)
    once = identify(truth[:, 1:], guess[:, 1:], folds=folds)
    truth[:, 0] = np.where(folds[1].train, 0.0, truth[:, 0])
    guess[folds[1].test, 0] = 0.0
    again = identify(truth, guess, folds=folds)
    np.testing.assert_array_equal(again.better, once.better)
    assert again.n_units == 39


def test_patterns_are_scaled_by_what_each_fold_learns_from(rng):
    """With a nuisance, training rows of `truth` are as other folds clean them."""
    truth, guess = make(rng, signal=0.3)
    folds = split(rng, 30)
    lessons = [np.where(fold.train[:, None], truth * 3 + 1, truth) for fold in folds]
    found = identify(truth, guess, folds=folds, teaching=lessons)
    alone = []
    for fold, lesson in zip(folds, lessons, strict=True):
        better, _ = by_hand(lesson, guess, [fold])
        np.testing.assert_array_equal(found.better[fold.test], better[fold.test])
        alone.append(better[fold.test].sum())
    assert sum(alone) != by_hand(truth, guess, folds)[0].sum()


def test_patterns_are_of_the_units_that_each_fold_chose(rng):
    truth, guess = make(rng, signal=0.3)
    folds = split(rng, 30)
    chosen = rng.random((len(folds), truth.shape[1])) < 0.4
    found = identify(truth, guess, folds=folds, chosen=chosen)
    for fold, own in zip(folds, chosen, strict=True):
        alone = identify(truth[:, own], guess[:, own], folds=[fold])
        np.testing.assert_array_equal(found.better[fold.test], alone.better)
    assert found.n_units == int(np.median(chosen.sum(axis=1)))


def test_predictions_of_images_that_no_fold_tests_do_not_matter(rng):
    truth, guess = make(rng, signal=0.3)
    train = np.arange(30) < 18
    once = identify(truth, guess, folds=[Fold("given", train, ~train)])
    guess[train] = np.nan
    again = identify(truth, guess, folds=[Fold("given", train, ~train)])
    np.testing.assert_array_equal(again.better, once.better)
    assert again.n_units == 40


def test_images_in_another_order_have_the_same_ranks(rng):
    truth, guess = make(rng, signal=0.3)
    folds, order = split(rng, 30), rng.permutation(30)
    once = identify(truth, guess, folds=folds)
    moved = [Fold(f.name, f.train[order], f.test[order]) for f in folds]
    again = identify(truth[order], guess[order], folds=moved)
    np.testing.assert_array_equal(again.better, once.better[order])


def test_the_interval_is_wilsons(rng):
    truth, guess = make(rng, n=40, signal=0.2)
    found = identify(truth - truth.mean(axis=0), guess)
    for k, n_top in enumerate(found.top):
        hits = int((found.better < n_top).sum())
        assert 0 < hits < 40
        expected = binomtest(hits, 40).proportion_ci(method="wilson")
        np.testing.assert_allclose([found.low[k], found.high[k]], expected)


def test_the_bootstrap_has_the_standard_error_of_the_mean(rng):
    truth, guess = make(rng, n=200, signal=0.1)
    found = identify(truth - truth.mean(axis=0), guess)
    se = found.normalized_rank.std() / np.sqrt(200)
    np.testing.assert_allclose(found.mean_rank_high - found.mean_rank_low, 2 * 1.96 * se, rtol=0.1)


def test_p_is_that_of_random_pairs(rng):
    truth, guess = make(rng, n=12, signal=0.15)
    truth -= truth.mean(axis=0)
    found = identify(truth, guess, n_permutations=4000)
    above = 0
    for _ in range(500):
        order = rng.permutation(12)
        above += (
            identify(truth, guess[order], n_permutations=1).mean_rank >= found.mean_rank - 1e-9
        )
    p = above / 500
    assert 0.001 < p < 0.999
    assert abs(found.p - p) < 4 * np.sqrt(p * (1 - p) * (1 / 500 + 1 / 4000))
    assert identify(truth, truth, n_permutations=99).p == 0.01


def test_p_is_uniform_under_noise(rng):
    p = np.array(
        [identify(*rng.normal(size=(2, 10, 8)), n_permutations=99, seed=k).p for k in range(200)]
    )
    for q in (0.05, 0.5):  # false alarms under 1e-4
        assert abs((p <= q).mean() - q) < 4 * np.sqrt(q * (1 - q) / 200)


def test_p_of_folds_is_twice_their_mean(rng):
    truth, guess = make(rng, signal=0.15)
    folds = split(rng, 30)
    merged = identify(truth, guess, folds=folds, n_permutations=4000).p
    single = [
        identify(truth, guess, folds=[fold], n_permutations=4000, seed=k).p
        for k, fold in enumerate(folds)
    ]
    assert len(folds) > 1
    assert 0.01 < merged < 1
    assert abs(merged - 2 * np.mean(single)) < 4 * np.sqrt(2 / 4000)  # SD of p is under 0.5


def test_p_of_folds_that_teach_each_other_is_not_too_small(rng):
    small = []
    for seed in range(150):
        x, truth = rng.normal(size=(24, 3)), rng.normal(size=(24, 8))
        folds = split(rng, 24)
        guess = np.empty_like(truth)
        for fold in folds:
            mean = truth[fold.train].mean(axis=0)
            weights = np.linalg.lstsq(x[fold.train], truth[fold.train] - mean, rcond=None)[0]
            guess[fold.test] = x[fold.test] @ weights
        found = identify(truth, guess, folds=folds, n_permutations=39, seed=seed)
        small.append(found.p <= 0.1)
    assert np.mean(small) < 0.1 + 4 * np.sqrt(0.09 / 150)


def test_the_same_seed_gives_the_same_bytes(rng):
    truth, guess = make(rng, signal=0.2)
    once, again, other = (identify(truth, guess, seed=s) for s in (1, 1, 2))
    assert (once.p, once.mean_rank_low) == (again.p, again.mean_rank_low)
    assert once.mean_rank_low != other.mean_rank_low


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        ({"guess": np.zeros((4, 5))}, ShapeError, r"\(4, 6\).*\(4, 5\)"),
        ({"top": (0, 5)}, ConfigError, r"\[0, 5\]"),
        ({"top": ()}, ConfigError, r"\[\]"),
        ({"n_permutations": 0}, ConfigError, "0 permutations"),
        ({"chosen": np.zeros((1, 6), dtype=bool)}, NotEnoughDataError, "0 of 6 units"),
        ({"folds": [Fold("1", np.arange(4) > 0, np.arange(4) == 0)]}, NotEnoughDataError, "1 im"),
        ({"guess": np.full((4, 6), np.nan)}, NotEnoughDataError, "0 of 6 units"),
    ],
)
def test_bad_input_is_refused(rng, given, error, match):
    told = {"truth": rng.normal(size=(4, 6)), "guess": rng.normal(size=(4, 6))} | given
    with pytest.raises(error, match=match):
        identify(**told)
