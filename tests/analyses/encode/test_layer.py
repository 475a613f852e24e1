"""analyses.encode.layer: nested folds against himalaya, known R^2, laws of scale."""

import numpy as np
import pytest

from bids_dnn.analyses.encode.layer import fit_layer
from bids_dnn.analyses.encode.scores import score_r2, score_units
from bids_dnn.analyses.encode.select import SELECTIONS
from bids_dnn.stats.folds import by_stimulus
from bids_dnn.stats.metrics import r2
from tests.factories import known_r2

ALPHAS = np.logspace(-3, 3, 7)


def make(rng, *, n=50, n_units=12):
    x = rng.normal(size=(n, 20)) * np.linspace(3, 0.1, 20) + 1.0
    y = x @ rng.normal(size=(20, n_units)) + 4 * rng.normal(size=(n, n_units))
    names = [f"{k:02}" for k in range(n)]
    folds = by_stimulus(names, 5, rng)
    inner = [by_stimulus([names[k] for k in np.flatnonzero(f.train)], 4, rng) for f in folds]
    return x, y, folds, inner


def r2_of(y, found, folds):
    means = [y[fold.train].mean(axis=0, dtype=np.float64) for fold in folds]
    return score_r2(y, found.guess, folds, means)


def test_nested_folds_agree_with_himalaya(rng):
    from himalaya.kernel_ridge import KernelRidgeCV

    x, y, folds, inner = make(rng)
    k = x @ x.T
    found = fit_layer(k, y, folds=folds, inner=inner, alphas=ALPHAS)
    for f, (fold, splits) in enumerate(zip(folds, inner, strict=True)):
        x0 = x[fold.train] - x[fold.train].mean(axis=0)
        scale = (x0**2).sum() / len(x0)
        peer = KernelRidgeCV(
            alphas=ALPHAS * scale,
            kernel="precomputed",
            fit_intercept=True,
            cv=[(np.flatnonzero(s.train), np.flatnonzero(s.test)) for s in splits],
        ).fit(k[np.ix_(fold.train, fold.train)], y[fold.train])
        np.testing.assert_allclose(found.alpha[f] * scale, peer.best_alphas_, rtol=1e-6)
        expected = peer.predict(k[np.ix_(fold.test, fold.train)]) - y[fold.train].mean(axis=0)
        np.testing.assert_allclose(found.guess[fold.test], expected, rtol=1e-5, atol=1e-5)


def test_r2_is_against_the_training_mean(rng):
    x, y, folds, inner = make(rng)
    found = fit_layer(x @ x.T, y, folds=folds, inner=inner, alphas=ALPHAS)
    baseline = np.empty_like(y)
    for fold in folds:
        baseline[fold.test] = y[fold.train].mean(axis=0)
    expected = r2(y, baseline + found.guess, baseline=baseline)
    np.testing.assert_allclose(r2_of(y, found, folds), expected, rtol=1e-5)


@pytest.mark.parametrize("select", SELECTIONS)
def test_units_reach_the_r2_of_the_best_linear_predictor(rng, select):
    """Measured (seed 0): shares 0, 0.1, 0.3, 0.6; R^2 0.00, 0.08, 0.28, 0.59; with the true
    weights 0.00, 0.10, 0.30, 0.60. Least squares loses 0.03, 0.03, 0.02, 0.01 on average.
    """
    known = known_r2.make(rng)
    found = fit_layer(
        known.x @ known.x.T,
        known.y,
        folds=known.folds,
        inner=known.inner,
        alphas=None,
        select=select,
    )
    known_r2.check(known, r2_of(known.y, found, known.folds))


@pytest.mark.parametrize("select", SELECTIONS)
def test_noise_is_not_predicted(rng, select):
    """The expected r is 0 exactly: turned about its mean, a test fold's noise is as likely.

    Draws are independent, units within one are not. Above 4 standard errors once in 10^4.
    """
    r, explained = [], []
    for _ in range(100):
        _, _, folds, inner = make(rng, n=30)
        x, y = rng.normal(size=(30, 8)), rng.normal(size=(30, 1)) + rng.normal(size=(30, 4))
        found = fit_layer(x @ x.T, y, folds=folds, inner=inner, alphas=None, select=select)
        r.append(np.nanmean(score_units(y, found.guess, folds)))
        explained.append(r2_of(y, found, folds).mean())
    assert abs(np.mean(r)) < 4 * np.std(r) / np.sqrt(len(r))
    assert -0.15 < np.mean(explained) < 0


def test_the_scale_and_offset_of_features_do_not_matter(rng):
    x, y, folds, inner = make(rng)
    moved = 1000 * x + 50
    once = fit_layer(x @ x.T, y, folds=folds, inner=inner, alphas=ALPHAS)
    again = fit_layer(moved @ moved.T, y, folds=folds, inner=inner, alphas=ALPHAS)
    np.testing.assert_allclose(again.alpha, once.alpha, rtol=1e-6)
    np.testing.assert_allclose(again.guess, once.guess, rtol=1e-4)
    np.testing.assert_allclose(again.operator, once.operator, atol=1e-8)


def test_responses_far_from_zero_keep_their_digits(rng):
    x, y, folds, inner = make(rng)
    once = fit_layer(x @ x.T, y, folds=folds, inner=inner, alphas=ALPHAS)
    again = fit_layer(x @ x.T, y + 1e6, folds=folds, inner=inner, alphas=ALPHAS)
    np.testing.assert_allclose(again.guess, once.guess, rtol=1e-5, atol=1e-6)


def test_the_operator_is_zero_within_a_fold(rng):
    x, y, folds, inner = make(rng)
    operator = fit_layer(x @ x.T, y, folds=folds, inner=inner, alphas=ALPHAS).operator
    for fold in folds:
        assert not operator[np.ix_(fold.test, fold.test)].any()
        np.testing.assert_allclose(operator[fold.test].sum(axis=0), 0, atol=1e-6)  # float32
    np.testing.assert_allclose(operator.sum(axis=1), 0, atol=1e-6)


def test_features_that_do_not_vary_explain_nothing(rng):
    _, y, folds, inner = make(rng)
    rounded = 7.3 * (1 + 2e-16 * rng.normal(size=(50, 50)))  # inner products of equal rows
    for gram in (np.ones((50, 50)), rounded + rounded.T):
        found = fit_layer(gram, y, folds=folds, inner=inner, alphas=ALPHAS)
        np.testing.assert_allclose(r2_of(y, found, folds), 0, atol=1e-6)
        assert not found.operator.any()


def test_a_unit_that_does_not_vary_has_no_r2(rng):
    x, y, folds, inner = make(rng)
    y[:, 3] = 0.1
    found = fit_layer(x @ x.T, y, folds=folds, inner=inner, alphas=ALPHAS)
    assert np.flatnonzero(np.isnan(r2_of(y, found, folds))).tolist() == [3]


def test_components_are_learnt_on_training_images_at_every_level(rng):
    from sklearn.decomposition import PCA
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline

    x, y, folds, inner = make(rng, n_units=3)
    k = x @ x.T
    found = fit_layer(k, y, folds=folds, inner=inner, alphas=ALPHAS, n_components=5)

    def model(alpha):
        return make_pipeline(PCA(5, svd_solver="full"), Ridge(alpha))

    for f, (fold, splits) in enumerate(zip(folds, inner, strict=True)):
        teach, truth = x[fold.train], y[fold.train]
        scale = ((teach - teach.mean(axis=0)) ** 2).sum() / len(teach)
        loss = np.array(
            [
                np.mean(
                    [
                        ((model(a).fit(teach[s.train], truth[s.train]).predict(teach[s.test])
                          - truth[s.test]) ** 2).mean(axis=0)
                        for s in splits
                    ],
                    axis=0,
                )
                for a in ALPHAS * scale
            ]
        )  # fmt: skip
        best = ALPHAS[loss.argmin(axis=0)]
        np.testing.assert_allclose(found.alpha[f], best, rtol=1e-6)
        for unit, alpha in enumerate(best):
            peer = model(alpha * scale).fit(teach, truth[:, unit])
            expected = peer.predict(x[fold.test]) - truth[:, unit].mean()
            np.testing.assert_allclose(found.guess[fold.test, unit], expected, atol=1e-5)


def test_all_components_are_all_features(rng):
    x, y, folds, inner = make(rng)
    whole = fit_layer(x @ x.T, y, folds=folds, inner=inner, alphas=ALPHAS)
    kept = fit_layer(x @ x.T, y, folds=folds, inner=inner, alphas=ALPHAS, n_components=1000)
    np.testing.assert_array_equal(kept.guess, whole.guess)
