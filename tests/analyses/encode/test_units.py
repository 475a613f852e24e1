"""analyses.encode.units: a rotation test against permutations, under noise, and of effects."""

import numpy as np
import pytest
from scipy import stats

from bids_dnn.analyses.encode import units
from bids_dnn.analyses.encode.layer import fit_layer
from bids_dnn.analyses.encode.permutation import draw_shuffles
from bids_dnn.analyses.encode.units import share_above_chance, unit_p, unit_p_in_folds
from bids_dnn.stats.folds import Fold, by_stimulus

ALPHAS = np.logspace(-2, 2, 5)


def make(rng, *, n=60, n_units=400, n_features=12):
    names = [f"{k:03}" for k in range(n)]
    folds = by_stimulus(names, 5, rng)
    inner = [by_stimulus([names[k] for k in np.flatnonzero(f.train)], 3, rng) for f in folds]
    x = rng.normal(size=(n, n_features)) * np.linspace(3, 0.3, n_features)
    truth = rng.normal(size=(n, n_units))
    made = fit_layer(x @ x.T, truth, folds=folds, inner=inner, alphas=ALPHAS)
    return x, truth, folds, made.operator


def test_p_is_uniform_under_noise(rng):
    _, truth, folds, operator = make(rng, n_units=3000)
    p = unit_p(operator, truth, folds, rng)
    # 3000 independent units: D of Kolmogorov and Smirnov above this has p < 1e-4
    assert stats.kstest(p, "uniform").statistic < 2.23 / np.sqrt(3000) + 1 / 20001


def test_p_is_that_of_permutations(rng):
    x, truth, folds, operator = make(rng, n_units=60)
    truth += 0.3 * x @ rng.normal(size=(12, 60)) * np.linspace(0, 1, 60)
    p = unit_p(operator, truth, folds, rng)
    shuffles = draw_shuffles(folds, 1000, rng)
    centered = truth.copy()
    for fold in folds:
        centered[fold.test] -= centered[fold.test].mean(axis=0)

    def form(values):
        return (values * (operator @ values)).sum(axis=0)

    null = np.array([form(centered[order]) for order in shuffles])
    expected = (1 + (null >= form(centered)).sum(axis=0)) / 1001
    error = np.sqrt(expected * (1 - expected) / 1000)
    assert (np.abs(p - expected) < 5 * error + 0.01).all()
    assert (p < 0.001).any()
    assert (p > 0.1).any()


def test_of_a_given_split_p_is_that_of_a_correlation(rng):
    train = np.arange(50) < 30
    fold = Fold("given", train, ~train)
    operator = np.zeros((50, 50))
    block = rng.normal(size=(20, 30))
    operator[np.ix_(fold.test, fold.train)] = block - block.mean(axis=0)
    truth = rng.normal(size=(50, 7))
    p = unit_p(operator, truth, [fold], rng)
    for v in range(7):
        teach = truth[fold.train, v] - truth[fold.train, v].mean()
        told = operator[np.ix_(fold.test, fold.train)] @ teach
        expected = stats.pearsonr(told, truth[fold.test, v], alternative="greater").pvalue
        np.testing.assert_allclose(p[v], expected)


def test_scale_offset_and_means_of_folds_do_not_matter(rng):
    _, truth, folds, operator = make(rng, n_units=5)
    moved = 1e4 * truth + 3e5
    moved[folds[0].test] += 1e4
    once, again = (
        unit_p(operator, one, folds, np.random.default_rng(1)) for one in (truth, moved)
    )
    np.testing.assert_allclose(once, again)


def test_what_does_not_vary_has_no_p(rng):
    _, truth, folds, operator = make(rng, n_units=5)
    truth[:, 2] = 4.0
    assert (
        np.isnan(unit_p(operator, truth, folds, rng)).tolist()
        == [False] * 2 + [True] + [False] * 2
    )
    assert np.isnan(unit_p(np.zeros_like(operator), truth, folds, rng)).all()


def test_the_share_above_chance_is_corrected_over_all_units():
    p = np.array([0.001, 0.03, 0.9, 0.9, np.nan])
    assert share_above_chance(p, np.arange(2)) == 0.5  # 0.03 x 4 / 2 is above 0.05
    assert np.isnan(share_above_chance(p, np.array([4])))


@pytest.mark.parametrize("n_folds", [2, 5])
def test_planted_units_are_found(rng, n_folds):
    n, names = 100, [f"{k:03}" for k in range(100)]
    x = rng.normal(size=(n, 5))
    truth = rng.normal(size=(n, 200))
    truth[:, :50] += 0.6 * x @ rng.normal(size=(5, 50))
    folds = by_stimulus(names, n_folds, rng)
    inner = [by_stimulus([names[k] for k in np.flatnonzero(f.train)], 3, rng) for f in folds]
    made = fit_layer(x @ x.T, truth, folds=folds, inner=inner, alphas=ALPHAS)
    p = unit_p(made.operator, truth, folds, rng)
    assert share_above_chance(p, np.arange(50)) > 0.8
    assert share_above_chance(p, np.arange(50, 200)) < 0.1


def halves(n):
    """Return two folds that test one half each."""
    first = np.arange(n) < n // 2
    return [Fold("first", ~first, first), Fold("second", first, ~first)]


def test_p_in_folds_is_that_of_correlations_merged_by_twice_their_mean(rng):
    truth, guess = (rng.normal(size=(40, 6)).astype(np.float32) for _ in range(2))
    folds = halves(40)
    single = np.array(
        [
            [
                stats.pearsonr(truth[f.test, v], guess[f.test, v], alternative="greater").pvalue
                for v in range(6)
            ]
            for f in folds
        ]
    )
    np.testing.assert_allclose(unit_p_in_folds(truth, guess, folds[:1]), single[0], rtol=1e-5)
    expected = np.minimum(2 * single.mean(axis=0), 1)
    np.testing.assert_allclose(unit_p_in_folds(truth, guess, folds), expected, rtol=1e-5)


def test_p_in_one_fold_is_uniform_and_merged_ones_are_no_smaller_under_noise(rng):
    truth, guess = (rng.normal(size=(40, 3000)) for _ in range(2))
    folds = halves(40)
    one = unit_p_in_folds(truth, guess, folds[:1])
    assert stats.kstest(one, "uniform").statistic < 2.23 / np.sqrt(3000)
    merged = unit_p_in_folds(truth, guess, folds)
    for level in (0.01, 0.05, 0.2):
        assert (merged <= level).mean() < level + 3 * np.sqrt(level / 3000)


def test_a_fold_that_predicts_nothing_counts_as_a_p_of_one(rng):
    truth = rng.normal(size=(40, 4))
    guess = truth.copy()
    folds = halves(40)
    guess[folds[0].test, 1] = 3.0
    guess[folds[0].test, 2] = np.nan
    guess[:, 3] = 3.0
    p = unit_p_in_folds(truth, guess, folds)
    assert p[0] < 1e-6
    np.testing.assert_allclose(p[1:3], 1.0)
    assert np.isnan(p[3])


def test_blocks_of_units_do_not_matter(rng, monkeypatch):
    truth, guess = (rng.normal(size=(20, 7)) for _ in range(2))
    once = unit_p_in_folds(truth, guess, halves(20))
    monkeypatch.setattr(units, "BLOCK", 3)
    np.testing.assert_array_equal(unit_p_in_folds(truth, guess, halves(20)), once)
