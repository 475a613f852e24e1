"""analyses.encode.solvers: primal ridge, statsmodels, himalaya, laws, refusals."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from bids_dnn.analyses.encode.solvers import (
    choose_alpha,
    cross_validate,
    mix_penalties,
    predict_fold,
)
from bids_dnn.analyses.encode.spectrum import decompose
from bids_dnn.errors import ConfigError
from bids_dnn.stats.folds import Fold, by_stimulus

ALPHAS = np.logspace(-2, 3, 6)


def make(rng, *, n=40, n_features=15, n_targets=7):
    x = rng.normal(size=(n, n_features)) + 2.0  # an offset, so that centering matters
    y = x @ rng.normal(size=(n_features, n_targets)) + 3 * rng.normal(size=(n, n_targets)) + 5.0
    return x, y


def half(n):
    first = np.arange(n) < n // 2
    return Fold("1", first, ~first)


def split(rng, n, n_folds=4):
    return by_stimulus([f"{k:03}" for k in range(n)], n_folds, rng)


def spectrum(x, fold):
    gram = x @ x.T
    return decompose(gram[np.ix_(fold.train, fold.train)], gram[np.ix_(fold.test, fold.train)])


@pytest.mark.parametrize("n_features", [5, 100])
def test_predictions_are_those_of_primal_ridge(rng, n_features):
    x, y = make(rng, n_features=n_features)
    alpha = ALPHAS[rng.integers(len(ALPHAS), size=y.shape[1])]
    fold = half(len(x))
    guess, mean = predict_fold(spectrum(x, fold), y, fold, alpha=alpha)
    for v, a in enumerate(alpha):
        peer = Ridge(alpha=a).fit(x[fold.train], y[fold.train, v])
        expected = peer.predict(x[fold.test])
        np.testing.assert_allclose(mean[v] + guess[:, v], expected, rtol=1e-8)
    np.testing.assert_allclose(mean, y[fold.train].mean(axis=0))


@pytest.mark.parametrize("n_features", [5, 100])
def test_statsmodels_agrees(rng, n_features):
    """Its ridge minimizes RSS / (2 n) + penalty |w|^2 / 2."""
    import statsmodels.api as sm

    x, y = make(rng, n_features=n_features)
    alpha = ALPHAS[rng.integers(len(ALPHAS), size=y.shape[1])]
    fold = half(len(x))
    guess, mean = predict_fold(spectrum(x, fold), y, fold, alpha=alpha)
    centered = x - x[fold.train].mean(axis=0)
    for v, a in enumerate(alpha):
        model = sm.OLS(y[fold.train, v] - mean[v], centered[fold.train])
        peer = model.fit_regularized(alpha=a / fold.train.sum(), L1_wt=0.0)
        np.testing.assert_allclose(guess[:, v], peer.predict(centered[fold.test]), rtol=1e-7)


@pytest.mark.parametrize("n_targets", [2, 200])  # both ways to multiply
@pytest.mark.parametrize("n_features", [5, 100])
def test_the_loss_is_that_of_primal_ridge(rng, n_features, n_targets):
    x, y = make(rng, n_features=n_features, n_targets=n_targets)
    folds = split(rng, len(x))
    loss = cross_validate(x @ x.T, y, folds=folds, alphas=ALPHAS)
    for a, alpha in enumerate(ALPHAS):
        errors = [
            ((Ridge(alpha).fit(x[f.train], y[f.train]).predict(x[f.test]) - y[f.test]) ** 2).mean(
                0
            )
            for f in folds
        ]
        np.testing.assert_allclose(loss[a], np.mean(errors, axis=0), rtol=1e-8)


@pytest.mark.parametrize("n_features", [8, 300])
def test_himalaya_agrees(rng, n_features):
    from himalaya.kernel_ridge import KernelRidgeCV

    x, y = make(rng, n=60, n_features=n_features, n_targets=30)
    fold = half(60)
    train, k = fold.train, x @ x.T
    inner = split(rng, 30)
    alphas = np.logspace(-1, 4, 11)
    peer = KernelRidgeCV(
        alphas=alphas,
        kernel="precomputed",
        fit_intercept=True,
        cv=[(np.flatnonzero(f.train), np.flatnonzero(f.test)) for f in inner],
    ).fit(k[np.ix_(train, train)], y[train])
    loss = cross_validate(k[np.ix_(train, train)], y[train], folds=inner, alphas=alphas)
    alpha = choose_alpha(loss, alphas)
    guess, mean = predict_fold(spectrum(x, fold), y, fold, alpha=alpha)
    np.testing.assert_allclose(alpha, peer.best_alphas_, rtol=1e-6)
    np.testing.assert_allclose(-loss.min(axis=0), peer.cv_scores_, rtol=1e-6)
    expected = peer.predict(k[np.ix_(fold.test, train)])
    np.testing.assert_allclose(mean + guess, expected, rtol=1e-6, atol=1e-6)


def test_batches_of_targets_do_not_matter(rng):
    x, y = make(rng)
    folds, gram, fold = split(rng, len(x)), x @ x.T, half(len(x))
    whole = cross_validate(gram, y, folds=folds, alphas=ALPHAS)
    np.testing.assert_allclose(cross_validate(gram, y, folds=folds, alphas=ALPHAS, batch=2), whole)
    alpha, found = np.full(y.shape[1], 3.0), spectrum(x, fold)
    np.testing.assert_allclose(
        predict_fold(found, y, fold, alpha=alpha, batch=2)[0],
        predict_fold(found, y, fold, alpha=alpha)[0],
    )


def test_the_spectrum_drops_what_is_rounding_error(rng):
    x, _ = make(rng, n_features=5)
    found = spectrum(x, half(len(x)))
    assert found.values.size == 5
    x0 = x[:20] - x[:20].mean(axis=0)
    np.testing.assert_allclose(found.scale, (x0**2).sum() / 20)


def test_features_that_do_not_vary_predict_the_training_mean(rng):
    fold = half(10)
    y = rng.normal(size=(10, 3))
    found = spectrum(np.ones((10, 4)), fold)
    guess, mean = predict_fold(found, y, fold, alpha=np.ones(3))
    np.testing.assert_allclose(mean, y[fold.train].mean(axis=0))
    assert not guess.any()
    assert not mix_penalties(found, ALPHAS).any()


def test_equal_penalties_give_the_larger_one_whatever_their_order():
    loss = np.array([[1.0, 2.0], [1.0, 1.0], [1.0, 3.0]])
    assert choose_alpha(loss, np.array([5.0, 1.0, 9.0])).tolist() == [9.0, 1.0]


@pytest.mark.parametrize("alphas", [[], [1.0, 0.0]])
def test_penalties_that_are_not_above_zero_are_refused(alphas):
    with pytest.raises(ConfigError, match="penalties are"):
        choose_alpha(np.ones((len(alphas), 2)), np.array(alphas))


def test_mixed_penalties_are_the_mean_of_the_single_operators(rng):
    x, y = make(rng)
    fold = half(len(x))
    found = spectrum(x, fold)
    expected = np.zeros((20, y.shape[1]))
    for a in ALPHAS:
        operator = (found.test / (found.values + a)) @ found.vectors.T
        operator -= operator.mean(axis=0)
        guess, _ = predict_fold(found, y, fold, alpha=np.full(y.shape[1], a))
        told = (guess - guess.mean(axis=0)) / np.sqrt((operator**2).sum() / 20)
        expected += told / len(ALPHAS)
    np.testing.assert_allclose(mix_penalties(found, ALPHAS) @ y[fold.train], expected, atol=1e-10)


def test_solvers_take_single_precision_responses(rng):
    x, y = make(rng)
    y32 = y.astype(np.float32)
    folds = split(rng, len(x))
    loss = cross_validate(x @ x.T, y32, folds=folds, alphas=ALPHAS)
    np.testing.assert_allclose(loss, cross_validate(x @ x.T, y, folds=folds, alphas=ALPHAS), 1e-4)
    assert loss.dtype == np.float64
