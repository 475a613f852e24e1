"""analyses.encode.identify_null: subsets counted out, extrapolation, an exact null."""

from itertools import combinations

import numpy as np
import pytest

from bids_dnn.analyses.encode.identify import identify
from bids_dnn.analyses.encode.identify_null import by_set_size, crossed_p
from bids_dnn.analyses.encode.layer import fit_layer
from bids_dnn.errors import ConfigError, NotEnoughDataError, ShapeError
from bids_dnn.stats.folds import by_stimulus


def make(rng, *, n=8, n_units=30, signal=0.3):
    known = rng.normal(size=(n, n_units))
    truth = signal * known + rng.normal(size=(n, n_units))
    return truth, known


def dealt(rng, n, n_folds=3):
    names = [f"{k:03}" for k in range(n)]
    folds = by_stimulus(names, n_folds, rng)
    inner = [by_stimulus([names[k] for k in np.flatnonzero(f.train)], 2, rng) for f in folds]
    return {"folds": folds, "inner": inner}


# --- The number of candidates


def test_sizes_within_are_the_mean_over_all_subsets(rng):
    truth, guess = make(rng)
    truth[2], guess[5] = truth[1], 0.0  # a tie of two, and of all
    found = identify(truth, guess)
    r = np.corrcoef(guess[[k for k in range(8) if k != 5]], truth)[:7, 7:].round(9)
    r = np.insert(r, 5, 0.0, axis=0)
    for size in range(2, 9):
        shares = []
        for i in range(8):
            for others in combinations([j for j in range(8) if j != i], size - 1):
                wrong = r[i, list(others)]
                tied = (wrong == r[i, i]).sum()
                shares.append(0.0 if (wrong > r[i, i]).any() else 1 / (tied + 1))
        curve = by_set_size(found, [size])
        np.testing.assert_allclose(curve.proportion, np.mean(shares), rtol=1e-9)
        assert not curve.extrapolated.any()
    np.testing.assert_allclose(by_set_size(found, [8]).proportion, found.proportion[0])
    np.testing.assert_allclose(by_set_size(found, [2]).proportion, found.mean_rank)


def test_larger_sets_are_extrapolated_and_said_to_be(rng):
    n = 800
    truth, guess = make(rng, n=n, n_units=60, signal=0.4)
    some = by_set_size(identify(truth[:200], guess[:200]), [10, 200, 201, 800])
    assert some.extrapolated.tolist() == [False, False, True, True]
    assert (np.diff(some.proportion) < 0.02).all()
    np.testing.assert_allclose(some.chance, [0.1, 1 / 200, 1 / 201, 1 / 800])
    whole = by_set_size(identify(truth, guess), [800])
    # The right ones differ between images: 4 SE of a share over 200 images, and of the whole
    p = whole.proportion[0]
    assert 0.2 < p < 0.8
    assert abs(some.proportion[3] - p) < 4 * np.sqrt(p * (1 - p) * (1 / 200 + 1 / 800))


def test_many_candidates_do_not_overflow(rng):
    truth, guess = make(rng, n=400, signal=2.0)
    curve = by_set_size(identify(truth, guess), [2, 100, 400, 10**6])
    assert np.isfinite(curve.proportion).all()
    assert (np.diff(curve.proportion) <= 0.05).all()


def test_images_that_stand_out_from_nothing_cannot_be_extrapolated(rng):
    truth, _ = make(rng)
    curve = by_set_size(identify(truth, np.zeros_like(truth)), [2, 8, 9])
    np.testing.assert_allclose(curve.proportion, [1 / 2, 1 / 8, np.nan])


@pytest.mark.parametrize("sizes", [[], [1, 5]])
def test_sizes_below_two_are_refused(rng, sizes):
    with pytest.raises(ConfigError, match=str(sizes).replace("[", r"\[")):
        by_set_size(identify(*make(rng)), sizes)


# --- Folds that teach each other


def test_the_observed_rank_is_that_of_the_operators_predictions(rng):
    truth, known = make(rng, n=24, signal=1.0)
    truth = truth * np.linspace(1, 9, 30) + 40 * rng.normal(size=30)
    sides = dealt(rng, 24)
    operator = fit_layer(known @ known.T, truth, **sides, alphas=np.ones(1)).operator
    mean_rank, p = crossed_p(operator, truth, folds=sides["folds"], n_permutations=199, seed=0)
    # Units of equal SD over all images, so that those over training images matter little less
    ranks = []
    scaled = (truth - truth.mean(axis=0)) / truth.std(axis=0)
    for fold in sides["folds"]:
        guess = operator[fold.test] @ scaled
        told = scaled[fold.test] - scaled[fold.train].mean(axis=0)
        r = np.corrcoef(guess, told)[: len(told), len(told) :]
        ranks += [(r[i] < r[i, i]).sum() / (len(r) - 1) for i in range(len(r))]
    np.testing.assert_allclose(mean_rank, np.mean(ranks))
    assert p < 0.05
    assert p >= 1 / 200


def test_p_is_uniform_under_noise_in_several_folds(rng):
    p = []
    for seed in range(100):
        x, y = rng.normal(size=(18, 12)), rng.normal(size=(18, 10))
        sides = dealt(rng, 18)
        operator = fit_layer(x @ x.T, y, **sides, alphas=np.ones(1)).operator
        p.append(crossed_p(operator, y, folds=sides["folds"], n_permutations=39, seed=seed)[1])
    for q in (0.1, 0.5):  # false alarms under 1e-4
        assert abs((np.array(p) <= q).mean() - q) < 4 * np.sqrt(q * (1 - q) / 100)


def test_an_effect_is_told_from_chance_and_twice_the_same(rng):
    truth, known = make(rng, n=24, signal=1.0)
    sides = dealt(rng, 24)
    made = fit_layer(known @ known.T, truth, **sides, alphas=None)
    told = crossed_p(made.operator, truth, folds=sides["folds"], n_permutations=99, seed=0)
    assert told[0] > 0.6
    assert told[1] <= 0.05
    assert told == crossed_p(made.operator, truth, folds=sides["folds"], n_permutations=99, seed=0)


def test_features_that_do_not_vary_identify_nothing(rng):
    truth, _ = make(rng, n=12)
    sides = dealt(rng, 12)
    told = crossed_p(np.zeros((12, 12)), truth, folds=sides["folds"], n_permutations=9, seed=0)
    assert told == (0.5, 1.0)


def test_bad_operators_are_refused(rng):
    truth, _ = make(rng, n=12)
    folds = dealt(rng, 12)["folds"]
    with pytest.raises(ShapeError, match=r"\(3, 3\).*12 images"):
        crossed_p(np.zeros((3, 3)), truth, folds=folds, n_permutations=9, seed=0)
    with pytest.raises(NotEnoughDataError, match="no permutation"):
        crossed_p(np.zeros((12, 12)), truth, folds=folds, n_permutations=0, seed=0)
