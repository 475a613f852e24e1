"""analyses.encode.banded: one space is ridge, himalaya, splits of R^2, simulated truth."""

import numpy as np
import pytest

from bids_dnn.analyses.encode.banded import Search, fit_banded
from bids_dnn.analyses.encode.banded_search import draw_weights
from bids_dnn.analyses.encode.layer import fit_layer
from bids_dnn.analyses.encode.scores import score_r2, score_units
from bids_dnn.errors import ConfigError, ShapeError
from bids_dnn.stats.folds import by_stimulus
from bids_dnn.stats.kernels import center_grams
from bids_dnn.stats.metrics import r2
from tests.factories import known_r2

ALPHAS = np.logspace(-3, 3, 7)
COARSE = Search(ALPHAS, n_candidates=8, refine=False)
FINE = Search(ALPHAS, n_candidates=8)


def splits(rng, n, n_folds=4, n_inner=3):
    names = [f"{k:04}" for k in range(n)]
    folds = by_stimulus(names, n_folds, rng)
    inner = [by_stimulus([names[k] for k in np.flatnonzero(f.train)], n_inner, rng) for f in folds]
    return {"folds": folds, "inner": inner}


def make(rng, *, n=60, n_units=10, noise=1.0):
    xs = [rng.normal(size=(n, p)) + 1.0 for p in (6, 12, 30)]
    y = sum(
        x @ rng.normal(size=(x.shape[1], n_units)) * rng.random(n_units) / np.sqrt(x.shape[1])
        for x in xs
    )
    return xs, y + noise * rng.normal(size=y.shape), splits(rng, n)


def grams(xs):
    return [x @ x.T for x in xs]


def scored(guess, y, folds):
    return score_r2(y, guess, folds, [y[fold.train].mean(axis=0) for fold in folds])


def baseline(y, folds):
    out = np.empty_like(y)
    for fold in folds:
        out[fold.test] = y[fold.train].mean(axis=0)
    return out


# --- Known answers


@pytest.mark.parametrize("n_components", [0, 5])
def test_one_space_is_ridge(rng, n_components):
    xs, y, cut = make(rng)
    gram = xs[2] @ xs[2].T
    ridge = fit_layer(gram, y, **cut, alphas=ALPHAS, n_components=n_components)
    found = fit_banded([gram], y, **cut, search=FINE, n_components=[n_components])
    np.testing.assert_allclose(found.alpha, ridge.alpha, rtol=1e-6)
    np.testing.assert_allclose(found.guess, ridge.guess, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.r2, scored(ridge.guess, y, cut["folds"]), rtol=1e-5)
    np.testing.assert_array_equal(found.weights, 1)


def himalaya(xs, y, fold, inner, candidates):
    """Return weights over penalty, validation error, and predictions less the mean."""
    from himalaya.kernel_ridge import (
        predict_weighted_kernel_ridge,
        solve_multiple_kernel_ridge_random_search,
    )

    train, test = [], []
    for gram in grams(xs):
        k, k_test = center_grams(
            gram[np.ix_(fold.train, fold.train)], gram[np.ix_(fold.test, fold.train)]
        )
        scale = np.trace(k) / len(k)
        train.append(k / scale)
        test.append(k_test / scale)
    with np.errstate(divide="ignore"):  # the logarithm of a weight of zero
        deltas, dual, scores, _ = solve_multiple_kernel_ridge_random_search(
            np.stack(train),
            y[fold.train] - y[fold.train].mean(axis=0),
            n_iter=candidates,
            alphas=ALPHAS,
            cv=[(np.flatnonzero(one.train), np.flatnonzero(one.test)) for one in inner],
            fit_intercept=True,
            return_weights="dual",
            progress_bar=False,
        )
    told = predict_weighted_kernel_ridge(np.stack(test), dual, deltas)
    return np.exp(deltas), -scores.max(axis=0), told


@pytest.mark.parametrize("reach", [0, 3])
def test_himalaya_chooses_and_predicts_the_same(rng, reach):
    xs, y, cut = make(rng)
    search = Search(ALPHAS, n_candidates=12, refine=False, reach=reach, seed=5)
    found = fit_banded(grams(xs), y, **cut, search=search)
    candidates = draw_weights(3, 12, np.random.default_rng(5))
    for f, (fold, inner) in enumerate(zip(cut["folds"], cut["inner"], strict=True)):
        ratio, _, told = himalaya(xs, y, fold, inner, candidates)
        np.testing.assert_allclose(found.weights[f] / found.alpha[f], ratio, rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(found.guess[fold.test], told, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("search", [COARSE, FINE])
def test_predictions_are_those_of_scaled_features(rng, search):
    from sklearn.linear_model import Ridge

    xs, y, cut = make(rng, n_units=3)
    found = fit_banded(grams(xs), y, **cut, search=search)
    for f, fold in enumerate(cut["folds"]):
        scales = [np.sqrt(x[fold.train].var(axis=0).sum()) for x in xs]
        for unit in range(3):
            weights = np.sqrt(found.weights[f, :, unit])
            x = np.hstack([w * x / s for w, x, s in zip(weights, xs, scales, strict=True)])
            peer = Ridge(found.alpha[f, unit], solver="svd").fit(
                x[fold.train], y[fold.train, unit]
            )
            expected = peer.predict(x[fold.test]) - y[fold.train, unit].mean()
            np.testing.assert_allclose(found.guess[fold.test, unit], expected, atol=1e-5)


@pytest.mark.parametrize("search", [COARSE, FINE])
def test_the_split_sums_to_r2_against_the_training_mean(rng, search):
    xs, y, cut = make(rng)
    found = fit_banded(grams(xs), y, **cut, search=search)
    mean = baseline(y, cut["folds"])
    np.testing.assert_array_equal(found.split.sum(axis=0), found.r2)
    np.testing.assert_allclose(found.r2, r2(y, mean + found.guess, baseline=mean), rtol=1e-5)
    np.testing.assert_allclose(found.weights.sum(axis=1), 1)


def test_the_split_is_himalayas(rng):
    from himalaya.scoring import r2_score_split

    xs, y, cut = make(rng)
    fold = cut["folds"][0]
    y[fold.test] += y[fold.train].mean(axis=0) - y[fold.test].mean(axis=0)  # himalaya's baseline
    found = fit_banded(grams(xs), y, folds=[fold], inner=cut["inner"][:1], search=FINE)
    centered = [x - x[fold.train].mean(axis=0) for x in xs]
    kernels = [x @ x[fold.train].T / x[fold.train].var(axis=0).sum() for x in centered]
    taught = y[fold.train] - y[fold.train].mean(axis=0)
    parts = np.empty((3, int(fold.test.sum()), y.shape[1]))
    for unit in range(y.shape[1]):
        own = [g * k for g, k in zip(found.weights[0, :, unit], kernels, strict=True)]
        alpha = found.alpha[0, unit] * np.eye(int(fold.train.sum()))
        dual = np.linalg.solve(sum(k[fold.train] for k in own) + alpha, taught[:, unit])
        parts[:, :, unit] = [k[fold.test] @ dual for k in own]
    told = y[fold.test] - y[fold.train].mean(axis=0)
    np.testing.assert_allclose(found.split, r2_score_split(told, parts), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.guess[fold.test], parts.sum(axis=0), rtol=1e-4, atol=1e-5)


# --- Simulated truth


@pytest.mark.whole
def test_noise_is_not_predicted(rng):
    """See `test_layer`: the expected r is 0 exactly, whatever was chosen on training images."""
    r, explained = [], []
    for _ in range(40):
        x, z = rng.normal(size=(30, 8)), rng.normal(size=(30, 5))
        y, cut = rng.normal(size=(30, 1)) + rng.normal(size=(30, 4)), splits(rng, 30)
        found = fit_banded(grams([x, z]), y, **cut, search=Search(ALPHAS, n_candidates=4))
        r.append(np.nanmean(score_units(y, found.guess, cut["folds"])))
        explained.append(found.r2.mean())
    assert abs(np.mean(r)) < 4 * np.std(r) / np.sqrt(len(r))
    assert -0.3 < np.mean(explained) < 0


def test_noise_beside_a_space_gets_a_negligible_share_and_costs_nothing(rng):
    n, n_units = 200, 40
    x, noise = rng.normal(size=(n, 10)), rng.normal(size=(n, 100))
    y = x @ rng.normal(size=(10, n_units)) / np.sqrt(10) + rng.normal(size=(n, n_units))
    cut = splits(rng, n)
    found = fit_banded(grams([x, noise]), y, **cut, search=Search(ALPHAS, n_candidates=20))
    joined = fit_layer(
        x @ x.T / 10 + noise @ noise.T / 100, y, **cut, alphas=ALPHAS
    )  # ridge on both spaces, each scaled
    gain = found.r2 - scored(joined.guess, y, cut["folds"])
    assert gain.mean() > -4 * gain.std() / np.sqrt(n_units)
    assert abs(found.split[1].mean()) < 0.02
    alone = fit_layer(x @ x.T, y, **cut, alphas=ALPHAS)
    assert (scored(alone.guess, y, cut["folds"]) - found.r2).mean() < 0.02


def test_the_split_recovers_what_each_space_contributes(rng):
    n, n_units = 500, 30
    xs = [rng.normal(size=(n, p)) for p in (4, 6, 8)]
    shares = np.array([0.5, 0.2, 0.0])
    y = sum(
        np.sqrt(share) * x @ unit_columns(rng, x.shape[1], n_units)
        for share, x in zip(shares, xs, strict=True)
    )
    y = y + np.sqrt(0.3) * rng.normal(size=(n, n_units))
    cut = splits(rng, n, n_folds=3, n_inner=2)
    found = fit_banded(grams(xs), y, **cut, search=FINE)
    np.testing.assert_allclose(found.split.mean(axis=1), shares, atol=0.03)


@pytest.mark.whole
def test_units_reach_the_r2_of_the_best_linear_predictor(rng):
    """Measured (seed 0): shares 0, 0.1, 0.3, 0.6; R^2 -0.01, 0.08, 0.29, 0.59; with the true
    weights 0.00, 0.10, 0.31, 0.60.
    """
    known = known_r2.make(rng, each=20)
    halves = known.x[:, ::2], known.x[:, 1::2]
    found = fit_banded(
        grams(halves),
        known.y,
        folds=known.folds,
        inner=known.inner,
        search=Search(ALPHAS, n_candidates=5),
    )
    known_r2.check(known, found.r2)


def unit_columns(rng, n_rows, n_columns):
    made = rng.normal(size=(n_rows, n_columns))
    return made / np.sqrt((made**2).sum(axis=0))


# --- Laws


def test_a_unit_does_not_depend_on_others_nor_on_batches(rng):
    xs, y, cut = make(rng)
    whole = fit_banded(grams(xs), y, **cut, search=FINE)
    some = fit_banded(grams(xs), y[:, [7, 2]], **cut, search=FINE, batch=1)
    np.testing.assert_allclose(some.guess, whole.guess[:, [7, 2]], atol=1e-4)
    np.testing.assert_allclose(some.weights, whole.weights[:, :, [7, 2]], atol=1e-4)


def test_scales_and_offsets_of_features_do_not_matter(rng):
    xs, y, cut = make(rng)
    once = fit_banded(grams(xs), y, **cut, search=FINE)
    moved = [10.0**k * x + k for k, x in enumerate(xs)]
    again = fit_banded(grams(moved), y + 1e3, **cut, search=FINE)
    np.testing.assert_allclose(again.guess, once.guess, atol=1e-4)


def test_the_same_seed_gives_the_same_bytes(rng):
    xs, y, cut = make(rng)
    one, two = (fit_banded(grams(xs), y, **cut, search=FINE) for _ in range(2))
    np.testing.assert_array_equal(one.guess, two.guess)
    np.testing.assert_array_equal(one.weights, two.weights)


def test_a_space_that_does_not_vary_changes_nothing(rng):
    xs, y, cut = make(rng)
    flat = np.full((60, 60), 7.3)
    found = fit_banded([*grams(xs[:1]), flat], y, **cut, search=COARSE)
    assert not found.split[1].any()
    assert (found.r2 > 0).any()
    nothing = fit_banded([flat, flat], y, **cut, search=FINE)
    np.testing.assert_array_equal(nothing.r2, 0)


def test_units_that_do_not_vary_or_were_not_measured_have_no_r2(rng):
    xs, y, cut = make(rng)
    whole = fit_banded(grams(xs), y, **cut, search=FINE)
    y = y.copy()
    y[:, 3], y[5, 4] = 0.1, np.nan
    found = fit_banded(grams(xs), y, **cut, search=FINE)
    assert np.flatnonzero(np.isnan(found.r2)).tolist() == [3, 4]
    rest = [k for k in range(10) if k not in (3, 4)]
    np.testing.assert_allclose(found.guess[:, rest], whole.guess[:, rest], atol=1e-4)


def test_units_that_are_silent_over_tested_images_have_no_r2(rng):
    xs, y, cut = make(rng)
    fold = cut["folds"][0]
    y[fold.test, 2] = 4.0
    found = fit_banded(grams(xs), y, folds=[fold], inner=cut["inner"][:1], search=COARSE)
    assert np.flatnonzero(np.isnan(found.r2)).tolist() == [2]
    assert np.isnan(found.split[:, 2]).all()


def test_teaching_replaces_what_training_images_say(rng):
    xs, y, cut = make(rng)
    taught = [np.where(fold.train[:, None], y[::-1], y) for fold in cut["folds"]]
    found = fit_banded(grams(xs), y, **cut, search=COARSE, teaching=taught)
    for f, fold in enumerate(cut["folds"]):
        one = fit_banded(
            grams(xs), taught[f], folds=[fold], inner=cut["inner"][f : f + 1], search=COARSE
        )
        np.testing.assert_array_equal(found.guess[fold.test], one.guess[fold.test])


def test_a_space_may_be_what_training_images_make_of_it(rng):
    xs, y, cut = make(rng)
    asked = []

    def gram(train):
        asked.append(train)
        return xs[0] @ xs[0].T / train.sum()

    given = [gram, *grams(xs)[1:]]
    found = fit_banded(given, y, **cut, search=COARSE)
    np.testing.assert_array_equal(asked, [fold.train for fold in cut["folds"]])
    plainly = fit_banded(grams(xs), y, **cut, search=COARSE)
    np.testing.assert_allclose(found.guess, plainly.guess, rtol=1e-5, atol=1e-6)


def test_test_images_do_not_decide_which_penalties_are_tried(rng):
    """Features of the test images of a fold are made large: what it predicts is the same."""
    xs, y, cut = make(rng)
    fold = cut["folds"][0]
    only = {"folds": [fold], "inner": cut["inner"][:1]}
    search = Search(None, n_candidates=6, refine=False)
    before = fit_banded(grams(xs), y, **only, search=search)
    for x in xs:
        x[fold.test] *= 1000
    after = fit_banded(grams(xs), y, **only, search=search)
    np.testing.assert_array_equal(after.alpha, before.alpha)
    np.testing.assert_array_equal(after.weights, before.weights)
    other = cut["folds"][1]
    both = {"folds": [other, fold], "inner": [cut["inner"][1], cut["inner"][0]]}
    again = fit_banded(grams(xs), y, **both, search=search)  # the other learns from these images
    np.testing.assert_array_equal(again.alpha[1], before.alpha[0])


def test_an_edge_of_the_grid_is_told(rng):
    xs, y, cut = make(rng)
    y[:, 0] = rng.normal(size=60)
    search = Search(np.array([1e-9, 1e-8]), n_candidates=8, refine=False)
    assert fit_banded(grams(xs), y, **cut, search=search).at_edge.all()
    wide = fit_banded(grams(xs), y, **cut, search=COARSE)
    ends = (wide.alpha < 1.1e-3) | (wide.alpha > 0.9e3)
    np.testing.assert_array_equal(wide.at_edge, ends)
    assert not ends.all()
    alone = Search(ALPHAS[:1], n_candidates=8, refine=False)
    assert not fit_banded(grams(xs), y, **cut, search=alone).at_edge.any()  # no grid, no end


# --- Refusals


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"alphas": np.array([1.0, -2.0])}, r"\[1.0, -2.0\]"),
        ({"alphas": np.array([])}, r"penalties are \[\]"),
        ({"n_candidates": 0}, "0 candidates"),
        ({"reach": -1}, "reach of -1"),
        ({"select": "aic"}, "'aic' does not exist"),
        ({"select": "gcv"}, "selection is by 'gcv'"),
    ],
)
def test_wrong_searches_are_refused(changes, match):
    with pytest.raises(ConfigError, match=match):
        Search(**({"alphas": ALPHAS} | changes))


def test_shapes_that_do_not_fit_are_refused(rng):
    xs, y, cut = make(rng)
    with pytest.raises(ShapeError, match=r"\(59, 59\).*60 stimuli"):
        fit_banded([np.eye(60), np.eye(59)], y, **cut, search=COARSE)
    with pytest.raises(ShapeError, match="with 2 numbers of components"):
        fit_banded(grams(xs), y, **cut, search=COARSE, n_components=[1, 2])


def test_components_without_inner_folds_are_refused(rng):
    xs, y, cut = make(rng)
    search = Search(ALPHAS, select="loo", refine=False)
    with pytest.raises(ConfigError, match=r"\(3, 0, 0\).*'loo'"):
        fit_banded(grams(xs), y, **cut, search=search, n_components=[3, 0, 0])
