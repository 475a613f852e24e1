"""analyses.encode.select: closed forms, scikit-learn, statsmodels-free laws, refusals."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge, RidgeCV

from bids_dnn.analyses.encode.select import (
    SELECTIONS,
    check_exchangeable,
    choose_and_predict,
    edges_of,
    generalized_loss,
    leave_one_out_loss,
)
from bids_dnn.analyses.encode.solvers import (
    centered_block,
    choose_alpha,
    cross_validate,
    predict_fold,
)
from bids_dnn.analyses.encode.spectrum import decompose
from bids_dnn.errors import ConfigError, LeakageError
from bids_dnn.stats.folds import Fold, by_stimulus

ALPHAS = np.logspace(-2, 3, 6)


def make(rng, *, n=40, n_features=15, n_targets=7, noise=3.0):
    x = rng.normal(size=(n, n_features)) + 2.0
    y = x @ rng.normal(size=(n_features, n_targets))
    return x, y + noise * rng.normal(size=y.shape) + 5.0


def fold_of(n):
    train = np.arange(n) < n - 10
    return Fold("1", train, ~train)


def spectrum(gram, fold):
    return decompose(gram[np.ix_(fold.train, fold.train)], gram[np.ix_(fold.test, fold.train)])


def selection_loss(select, found, gram, y, *, fold, inner=(), alphas):
    """Return the error that each way to select expects, (n_alphas, n_targets)."""
    if select == "inner":
        train = np.ix_(fold.train, fold.train)
        return cross_validate(gram[train], y[fold.train], folds=inner, alphas=alphas)
    make = {"gcv": generalized_loss, "loo": leave_one_out_loss}[select]
    own = found.cast(str(y.dtype))
    teach, _ = centered_block(y, fold, slice(None), found)
    return make(found, alphas)(own, teach, own.vectors.T @ teach)


@pytest.mark.parametrize("n_features", [5, 100])
def test_leave_one_out_is_what_refitting_gives(rng, n_features):
    x, y = make(rng, n_features=n_features)
    fold = fold_of(len(x))
    loss = selection_loss("loo", spectrum(x @ x.T, fold), None, y, fold=fold, alphas=ALPHAS)
    xs, ys = x[fold.train], y[fold.train]
    for a, alpha in enumerate(ALPHAS):
        errors = []
        for k in range(len(xs)):
            keep = np.arange(len(xs)) != k
            errors.append(Ridge(alpha).fit(xs[keep], ys[keep]).predict(xs[[k]])[0] - ys[k])
        np.testing.assert_allclose(loss[a], np.mean(np.square(errors), axis=0), rtol=1e-7)


def test_leave_one_out_chooses_as_scikit_learn(rng):
    x, y = make(rng, n=60, n_targets=30)
    fold = fold_of(60)
    peer = RidgeCV(alphas=ALPHAS, alpha_per_target=True).fit(x[fold.train], y[fold.train])
    found = spectrum(x @ x.T, fold)
    made = choose_and_predict("loo", found, x @ x.T, y, fold=fold, inner=(), alphas=ALPHAS)
    np.testing.assert_allclose(made.alpha, peer.alpha_)
    np.testing.assert_allclose(made.loss, -peer.best_score_, rtol=1e-8)
    np.testing.assert_allclose(made.mean + made.guess, peer.predict(x[fold.test]), rtol=1e-7)


@pytest.mark.parametrize("n_features", [5, 100])
def test_generalized_error_is_its_definition(rng, n_features):
    x, y = make(rng, n_features=n_features)
    fold = fold_of(len(x))
    loss = selection_loss("gcv", spectrum(x @ x.T, fold), None, y, fold=fold, alphas=ALPHAS)
    xs, ys = x[fold.train] - x[fold.train].mean(axis=0), y[fold.train]
    n = len(xs)
    for a, alpha in enumerate(ALPHAS):
        hat = xs @ np.linalg.solve(xs.T @ xs + alpha * np.eye(n_features), xs.T) + 1 / n
        error = ys - hat @ ys
        # with the mean in the hat matrix, n and its trace: the same but for (n - 1) / n
        expected = (error**2).mean(axis=0) / (1 - np.trace(hat) / n) ** 2 * (n - 1) / n
        np.testing.assert_allclose(loss[a], expected, rtol=1e-7)


def test_the_smallest_penalty_does_not_win_by_interpolation(rng):
    # more features than images: every training response can be met exactly
    x, y = make(rng, n_features=500, noise=0.0)
    y = rng.normal(size=y.shape)  # nothing to be found
    fold = fold_of(len(x))
    alphas = np.logspace(-6, 6, 13) * 500
    found = spectrum(x @ x.T, fold)
    loss = selection_loss("gcv", found, None, y, fold=fold, alphas=alphas)
    assert np.isfinite(loss).all()
    variance = y[fold.train].var(axis=0)
    assert (loss[0] > 0.9 * variance).all()
    np.testing.assert_allclose(loss[-1], variance * 30 / 29, rtol=1e-3)  # the mean alone


@pytest.mark.parametrize("select", SELECTIONS)
def test_the_expected_error_is_that_of_new_images(rng, select):
    x, y = make(rng, n=1100, n_features=60, n_targets=40)
    train = np.arange(1100) < 100
    fold = Fold("1", train, ~train)
    gram = x @ x.T
    inner = by_stimulus([f"{k:03}" for k in range(100)], 20, rng)
    found = spectrum(gram, fold)
    loss = selection_loss(select, found, gram, y, fold=fold, inner=inner, alphas=ALPHAS * 10)
    for a, alpha in enumerate(ALPHAS * 10):
        guess, mean = predict_fold(found, y, fold, alpha=np.full(40, alpha))
        error = ((y[fold.test] - mean - guess) ** 2).mean()
        # a mean over 40 targets x 100 images, of which the targets share the features
        assert abs(loss[a].mean() / error - 1) < 0.25


def test_every_selection_finds_the_better_penalty(rng):
    x, y = make(rng, n=120, n_features=300, n_targets=50, noise=20.0)
    fold = fold_of(120)
    gram = x @ x.T
    inner = by_stimulus([f"{k:03}" for k in range(110)], 5, rng)
    found = spectrum(gram, fold)
    alphas = np.array([1e-6, 1.0, 100.0]) * found.scale
    for select in SELECTIONS:
        loss = selection_loss(select, found, gram, y, fold=fold, inner=inner, alphas=alphas)
        assert (choose_alpha(loss, alphas) > alphas[0]).mean() > 0.9


@pytest.mark.parametrize("select", SELECTIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tensors_give_the_numbers_of_arrays(rng, select, dtype):
    x, y = make(rng, n=50, n_targets=20)
    y = y.astype(dtype)
    fold, gram = fold_of(50), x @ x.T
    inner = by_stimulus([f"{k:03}" for k in range(40)], 4, rng)
    made = []
    for one in (gram, torch.from_numpy(gram)):
        found = spectrum(one, fold)
        loss = selection_loss(select, found, one, y, fold=fold, inner=inner, alphas=ALPHAS)
        told = choose_and_predict(select, found, one, y, fold=fold, inner=inner, alphas=ALPHAS)
        assert isinstance(loss, np.ndarray)
        assert told.guess.dtype == dtype
        np.testing.assert_allclose(told.loss, loss.min(axis=0), rtol=1e-6)
        made.append((loss, told.guess))
    tight = {np.float32: 1e-4, np.float64: 1e-9}[dtype]
    np.testing.assert_allclose(made[0][0], made[1][0], rtol=tight)
    np.testing.assert_allclose(made[0][1], made[1][1], rtol=tight, atol=tight)


@pytest.mark.parametrize("select", SELECTIONS)
def test_single_precision_changes_little(rng, select):
    x, y = make(rng, n=60, n_features=200, n_targets=20)
    fold, gram = fold_of(60), x @ x.T
    inner = by_stimulus([f"{k:03}" for k in range(50)], 4, rng)
    found = spectrum(gram, fold)
    alphas = np.logspace(-3, 3, 7) * found.scale
    exact, single = (
        selection_loss(select, found, gram, one, fold=fold, inner=inner, alphas=alphas)
        for one in (y, y.astype(np.float32))
    )
    np.testing.assert_allclose(single, exact, rtol=1e-4)


@pytest.mark.parametrize("select", SELECTIONS)
def test_batches_of_targets_do_not_matter(rng, select):
    x, y = make(rng)
    fold, gram = fold_of(len(x)), x @ x.T
    inner = by_stimulus([f"{k:03}" for k in range(30)], 3, rng)
    found = spectrum(gram, fold)
    whole, parts = (
        choose_and_predict(
            select, found, gram, y, fold=fold, inner=inner, alphas=ALPHAS, batch=batch
        )
        for batch in (100, 2)
    )
    for name in ("guess", "mean", "alpha", "loss"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-9)


@pytest.mark.parametrize("select", SELECTIONS)
def test_the_choice_is_of_least_error_and_predicts_as_ridge(rng, select):
    x, y = make(rng)
    fold, gram = fold_of(len(x)), x @ x.T
    inner = by_stimulus([f"{k:03}" for k in range(30)], 3, rng)
    found = spectrum(gram, fold)
    loss = selection_loss(select, found, gram, y, fold=fold, inner=inner, alphas=ALPHAS)
    made = choose_and_predict(select, found, gram, y, fold=fold, inner=inner, alphas=ALPHAS)
    np.testing.assert_allclose(made.alpha, choose_alpha(loss, ALPHAS))
    np.testing.assert_allclose(made.loss, loss.min(axis=0), rtol=1e-9)
    guess, mean = predict_fold(found, y, fold, alpha=made.alpha)
    np.testing.assert_allclose(made.guess, guess, rtol=1e-9)
    np.testing.assert_allclose(made.mean, mean)


@pytest.mark.parametrize("select", ["gcv", "loo"])
def test_features_that_do_not_vary_leave_the_variance(rng, select):
    y = rng.normal(size=(20, 3))
    fold = fold_of(20)
    gram = np.ones((20, 20))
    found = spectrum(gram, fold)
    loss = selection_loss(select, found, gram, y, fold=fold, inner=(), alphas=ALPHAS)
    # leaving one out of n: the mean of the others is off by n / (n - 1) times the residual
    factor = {"gcv": 10 / 9, "loo": (10 / 9) ** 2}[select]
    expected = y[fold.train].var(axis=0) * factor
    np.testing.assert_allclose(loss, np.tile(expected, (len(ALPHAS), 1)))


def test_an_unknown_selection_is_refused(rng):
    x, y = make(rng)
    fold = fold_of(len(x))
    with pytest.raises(ConfigError, match=r"'gvc'.*gcv"):
        choose_and_predict(
            "gvc", spectrum(x @ x.T, fold), x @ x.T, y, fold=fold, inner=(), alphas=ALPHAS
        )


def test_repeated_stimuli_are_refused_where_single_rows_are_left_out():
    check_exchangeable("inner", ["cat", "cat"])
    check_exchangeable("gcv", ["cat", "dog"])
    with pytest.raises(LeakageError, match=r"1 stimuli.*cat.*'loo'.*Average over repeats"):
        check_exchangeable("loo", ["cat", "dog", "cat"])


def test_edges_need_a_grid():
    assert edges_of(np.array([2.0, 2.0]), np.array([2.0])).tolist() == [0, 0]
    assert edges_of(np.array([9.0, 1.0]), np.array([9.0, 1.0])).tolist() == [1, -1]
