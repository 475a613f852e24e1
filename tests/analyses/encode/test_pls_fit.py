"""analyses.encode.pls_fit: nested folds against scikit-learn, simulated truth, laws."""

import warnings

import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression

from bids_dnn.analyses.encode import pls_fit
from bids_dnn.analyses.encode.pls_fit import fit_groups
from bids_dnn.analyses.encode.scores import score_r2, score_units
from bids_dnn.errors import ConfigError, NotEnoughDataError, ShapeError
from bids_dnn.stats.folds import Fold, by_stimulus
from bids_dnn.stats.kernels import principal


def fit_alone(gram, y, **given):
    """Give each unit components of its own (PLS1)."""
    return fit_groups(gram, y, groups=[np.array([v]) for v in range(y.shape[1])], **given)


BOTH = pytest.mark.parametrize("fit", [fit_alone, fit_groups], ids=["alone", "together"])


def splits(rng, n, *, n_folds=3, n_inner=3):
    names = [f"{k:03}" for k in range(n)]
    folds = by_stimulus(names, n_folds, rng)
    inner = [by_stimulus([names[k] for k in np.flatnonzero(f.train)], n_inner, rng) for f in folds]
    return {"folds": folds, "inner": inner}


def make(rng, *, n=45, p=20, n_units=6):
    x = rng.normal(size=(n, p)) * np.linspace(3, 0.1, p) + 1.0
    y = x @ rng.normal(size=(p, n_units)) + 4 * rng.normal(size=(n, n_units))
    return x, y * np.linspace(1, 3, n_units), splits(rng, n)


def nested(x, y, dealt, most, *, scale=False):
    """Do it the long way: a model of scikit-learn for each fold and number of components."""

    def predict(teach, told, test, k):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = PLSRegression(k, scale=scale, tol=1e-30, max_iter=3000)
            return model.fit(teach, told).predict(test).reshape(len(test), -1)

    guess, chosen = np.empty_like(y), []
    for fold, inner in zip(dealt["folds"], dealt["inner"], strict=True):
        teach, told = x[fold.train], y[fold.train]
        loss = np.zeros(most)
        for s in inner:
            sd = told[s.train].std(axis=0, ddof=1) if scale else 1.0
            for k in range(most):
                off = predict(teach[s.train], told[s.train], teach[s.test], k + 1) - told[s.test]
                loss[k] += ((off / sd) ** 2).sum() / s.test.sum()
        chosen.append(int(loss.argmin()) + 1)
        guess[fold.test] = predict(teach, told, x[fold.test], chosen[-1]) - told.mean(axis=0)
    return guess, chosen


def divided(x):
    """Return the Gram matrix of columns divided by their SD over given rows."""

    def gram(train):
        scaled = x / x[train].std(axis=0, ddof=1)
        return scaled @ scaled.T

    return gram


@pytest.mark.parametrize("scale", [False, True])
def test_shared_components_agree_with_scikit_learn(rng, scale):
    x, y, dealt = make(rng)
    gram = divided(x) if scale else x @ x.T
    groups = [np.array([0, 2, 5]), np.array([4, 1]), np.array([3])]
    found = fit_groups(gram, y, **dealt, n_components=6, groups=groups, scale=scale)
    for columns in groups:
        guess, chosen = nested(x, y[:, columns], dealt, 6, scale=scale)
        np.testing.assert_allclose(found.guess[:, columns], guess, rtol=1e-5, atol=1e-5)
        assert found.n_components[:, columns].T.tolist() == [chosen] * len(columns)


def test_each_unit_agrees_with_scikit_learn(rng):
    x, y, dealt = make(rng, n_units=4)
    found = fit_alone(x @ x.T, y, **dealt, n_components=6)
    for v in range(4):
        guess, chosen = nested(x, y[:, [v]], dealt, 6)
        np.testing.assert_allclose(found.guess[:, [v]], guess, rtol=1e-5, atol=1e-5)
        assert found.n_components[:, v].tolist() == chosen


def test_a_unit_alone_is_a_region_of_one(rng, monkeypatch):
    monkeypatch.setattr(pls_fit, "BATCH", 4)
    x, y, dealt = make(rng)
    one = fit_alone(x @ x.T, y, **dealt)
    for v in range(6):  # two of the same share their components
        two = fit_groups(x @ x.T, y[:, [v, v]], **dealt)
        np.testing.assert_array_equal(one.n_components[:, v], two.n_components[:, 0])
        np.testing.assert_allclose(one.guess[:, v], two.guess[:, 0], rtol=1e-5, atol=1e-6)


def test_units_alone_and_together_are_those_of_separate_fits(rng):
    x, y, dealt = make(rng)
    groups = [np.array([3]), np.array([0, 2]), np.array([5]), np.array([1, 4])]
    found = fit_groups(x @ x.T, y, **dealt, groups=groups)
    for columns in groups:
        one = fit_groups(x @ x.T, y[:, columns], **dealt)
        np.testing.assert_array_equal(found.n_components[:, columns], one.n_components)
        np.testing.assert_allclose(found.guess[:, columns], one.guess, rtol=1e-5, atol=1e-6)


def test_more_units_than_images_change_no_answer(rng, monkeypatch):
    monkeypatch.setattr(pls_fit, "BLOCK", 16)  # several blocks of the decomposition
    x, y, dealt = make(rng, n=30, n_units=70)
    found = fit_groups(x @ x.T, y, **dealt, n_components=4)
    guess, chosen = nested(x, y, dealt, 4)
    np.testing.assert_allclose(found.guess, guess, rtol=1e-5, atol=1e-5)
    assert found.n_components[:, 0].tolist() == chosen


@BOTH
def test_scale_offset_and_rotation_of_features_do_not_matter(rng, fit):
    x, y, dealt = make(rng)
    turned = 1000 * x @ np.linalg.qr(rng.normal(size=(20, 20)))[0] + 50
    once, again = (fit(f @ f.T, y, **dealt) for f in (x, turned))
    np.testing.assert_array_equal(again.n_components, once.n_components)
    np.testing.assert_allclose(again.guess, once.guess, rtol=1e-4, atol=1e-5)


@BOTH
def test_responses_far_from_zero_keep_their_digits(rng, fit):
    x, y, dealt = make(rng)
    once, again = (fit(x @ x.T, y + far, **dealt) for far in (0, 1e6))
    np.testing.assert_allclose(again.guess, once.guess, rtol=1e-4, atol=1e-5)


@BOTH
def test_images_in_another_order_give_the_same_predictions(rng, fit):
    x, y, dealt = make(rng)
    order = rng.permutation(len(x))
    moved = {"folds": [], "inner": []}
    for fold, inner in zip(dealt["folds"], dealt["inner"], strict=True):
        moved["folds"].append(Fold(fold.name, fold.train[order], fold.test[order]))
        place = np.cumsum(fold.train) - 1  # of each image among those of training
        rows = place[order[fold.train[order]]]
        moved["inner"].append([Fold(s.name, s.train[rows], s.test[rows]) for s in inner])
    once = fit(x @ x.T, y, **dealt)
    again = fit(x[order] @ x[order].T, y[order], **moved)
    np.testing.assert_array_equal(again.n_components, once.n_components)
    np.testing.assert_allclose(again.guess, once.guess[order], rtol=1e-4, atol=1e-5)


@BOTH
def test_responses_cleaned_for_each_fold_are_those_of_the_fold(rng, fit):
    x, y, dealt = make(rng)
    teaching = [y + 10 * f * x[:, :1] for f in range(3)]
    found = fit(x @ x.T, y, **dealt, teaching=teaching)
    for f, fold in enumerate(dealt["folds"]):
        alone = fit(x @ x.T, teaching[f], **dealt)
        np.testing.assert_allclose(found.guess[fold.test], alone.guess[fold.test], rtol=1e-5)
        np.testing.assert_array_equal(found.n_components[f], alone.n_components[f])


@BOTH
def test_a_function_gives_the_features_as_each_training_set_teaches_them(rng, fit):
    x, y, dealt = make(rng)
    asked = []

    def gram(train):
        asked.append(int(train.sum()))
        return principal(x @ x.T, train, 3)

    found = fit(gram, y, **dealt)
    assert asked == 3 * [20, 20, 20, 30]
    assert found.n_components.max() <= 3
    np.testing.assert_array_equal(fit(lambda _: x @ x.T, y, **dealt).guess,
                                  fit(x @ x.T, y, **dealt).guess)  # fmt: skip


def scored(found, y, folds):
    return score_r2(y, found.guess, folds, [y[fold.train].mean(axis=0) for fold in folds])


def test_a_low_rank_mapping_is_found(rng):
    n, rank = 150, 3
    x = rng.normal(size=(n, 40)) * np.r_[np.full(rank, 3.0), np.full(40 - rank, 0.5)]
    signal = x[:, :rank] @ rng.normal(size=(rank, 30))
    y = signal + rng.normal(size=signal.shape) * signal.std(axis=0) / 3  # R^2 = 0.9
    dealt = splits(rng, n)
    found = fit_groups(x @ x.T, y, **dealt)
    assert found.most == 50
    assert set(found.n_components.ravel()) <= {rank, rank + 1, rank + 2}
    assert abs(scored(found, y, dealt["folds"]).mean() - 0.9) < 0.03
    own = fit_alone(x @ x.T, y[:, :4], **dealt)
    assert own.n_components.max() <= 2 * rank
    assert abs(scored(own, y[:, :4], dealt["folds"]).mean() - 0.9) < 0.04


@BOTH
def test_noise_is_not_predicted(rng, fit):
    n, n_units = 90, 60
    x, y = rng.normal(size=(n, 30)), rng.normal(size=(n, n_units))
    dealt = splits(rng, n)
    found = fit(x @ x.T, y, **dealt, n_components=10)
    r = score_units(y, found.guess, dealt["folds"])
    # SD of r is at most sqrt(2 / n) (each pair of images counts twice), of independent units
    assert abs(r.mean()) < 4 * np.sqrt(2 / n / n_units)
    assert np.median(scored(found, y, dealt["folds"])) < 0.02
    assert np.median(found.n_components) <= 2


@BOTH
def test_features_that_do_not_vary_explain_nothing(rng, fit):
    _, y, dealt = make(rng)
    rounded = 7.3 * (1 + 2e-16 * rng.normal(size=(45, 45)))  # inner products of equal rows
    for gram in (np.ones((45, 45)), rounded + rounded.T):
        found = fit(gram, y, **dealt)
        np.testing.assert_allclose(found.guess, 0, atol=1e-6)
        assert (found.n_components == 1).all()  # of equal ones the least


@BOTH
def test_the_smallest_inner_training_set_bounds_the_number(rng, fit):
    x, y, dealt = make(rng)
    assert fit(x @ x.T, y, **dealt).most == 19
    assert fit(x @ x.T, y, **dealt, n_components=7).most == 7


@BOTH
def test_bad_input_is_refused(rng, fit):
    x, y, dealt = make(rng)
    k = x @ x.T
    with pytest.raises(ConfigError, match="0 components"):
        fit(k, y, **dealt, n_components=0)
    with pytest.raises(ShapeError, match=r"\(44, 6\).*45 images"):
        fit(k, y[1:], **dealt)
    y[4, 2] = np.nan
    with pytest.raises(NotEnoughDataError, match="1 of 6 units"):
        fit(k, y, **dealt)
    rows = np.arange(30)
    dealt["inner"][0] = [Fold("1", rows == 0, rows > 0)]
    with pytest.raises(NotEnoughDataError, match="1 training image"):
        fit(k, y[:, :2], **dealt)


@pytest.mark.parametrize(
    ("groups", "match"),
    [
        ([[0, 1, 2]], "3 of 6 units are in no group"),
        ([[0, 1, 2, 3, 4, 5], [5]], "1 in several"),
        ([[0, 1, 2, 3, 4, 5, 6]], "1 do not exist"),
        ([], "6 of 6"),
    ],
)
def test_groups_that_are_no_partition_are_refused(rng, groups, match):
    x, y, dealt = make(rng)
    with pytest.raises(ShapeError, match=match):
        fit_groups(x @ x.T, y, **dealt, groups=[np.array(one) for one in groups])
