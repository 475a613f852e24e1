"""analyses.encode.partition: inclusion and exclusion, statsmodels, simulated shared variance."""

import re

import numpy as np
import pytest

from bids_dnn.analyses.encode.banded import Search, fit_banded
from bids_dnn.analyses.encode.partition import divide, partition_variance
from bids_dnn.errors import ConfigError, ShapeError
from bids_dnn.stats.folds import Fold, by_stimulus

SEARCH = Search(np.logspace(-3, 3, 7), n_candidates=8)


def splits(rng, n, n_folds=3, n_inner=2):
    names = [f"{k:04}" for k in range(n)]
    folds = by_stimulus(names, n_folds, rng)
    inner = [by_stimulus([names[k] for k in np.flatnonzero(f.train)], n_inner, rng) for f in folds]
    return {"folds": folds, "inner": inner}


def planted(rng, members, shares, *, n=400, n_units=20):
    """Make spaces of latent features that they share, and responses with known shares.

    Each latent feature belongs to the spaces that its name lists, and drives all units.
    """
    latent = {name: rng.normal(size=(n, 2)) for name in shares}
    xs = {
        space: np.hstack([z for name, z in latent.items() if space in name.split("&")])
        for space in members
    }
    y = np.sqrt(1 - sum(shares.values())) * rng.normal(size=(n, n_units))
    for name, z in latent.items():
        angle = rng.uniform(0, 2 * np.pi, n_units)
        y += np.sqrt(shares[name]) * z @ np.stack([np.cos(angle), np.sin(angle)])
    return {space: x @ x.T for space, x in xs.items()}, y


@pytest.mark.parametrize(
    "shares",
    [
        {"a": 0.3, "b": 0.1, "a&b": 0.2},
        {"a": 0.2, "b": 0.0, "c": 0.1, "a&b": 0.15, "a&c": 0.0, "b&c": 0.1, "a&b&c": 0.1},
    ],
    ids=["two", "three"],
)
def test_planted_unique_and_shared_variance_is_recovered(rng, shares):
    members = sorted({space for name in shares for space in name.split("&")})
    grams, y = planted(rng, members, shares)
    found = partition_variance(grams, y, **splits(rng, len(y)), search=SEARCH)
    assert set(found.parts) == set(shares)
    for name, share in shares.items():
        assert found.parts[name].mean() == pytest.approx(share, abs=0.03), name


def ols(design, y, fold, spaces):
    """Return statsmodels' R^2 of held-out rows, and what each space brings of it."""
    import statsmodels.api as sm

    x = sm.add_constant(np.hstack([design[one] for one in spaces]))
    away = y[fold.test] - y[fold.train].mean()
    fit = sm.OLS(y[fold.train], x[fold.train]).fit()
    told = fit.predict(x[fold.test]) - y[fold.train].mean()
    whole = 1 - ((away - told) ** 2).sum() / (away**2).sum()
    brought, start = [], 1
    for one in spaces:
        own = slice(start, start := start + design[one].shape[1])
        part = (x[fold.test, own] - x[fold.train, own].mean(axis=0)) @ fit.params[own]
        brought.append((part * (2 * away - told)).sum() / (away**2).sum())
    return whole, brought, fit


def correlated(rng, *, n=150):
    """Make three spaces that tell alike in part, and responses to all of them.

    Each tells much that the others do not, so that the inner folds choose all of a set's spaces,
    with equal weights, and none alone: with so small a penalty, weights do not matter then.
    """
    shared = rng.normal(size=(n, 2))
    design = {
        name: np.hstack([shared + 0.5 * rng.normal(size=(n, 2)), rng.normal(size=(n, p))]) + 3
        for name, p in (("a", 1), ("b", 2), ("c", 3))
    }
    y = sum(x @ rng.uniform(1, 2, size=(x.shape[1], 4)) for x in design.values())
    return design, y + rng.normal(size=y.shape)


BARE = Search(np.array([1e-7]), n_candidates=1, refine=False)  # all but least squares


def check_sets(found, grams, truth, cut):
    """Each set is fitted with equal weights, and `found` has its R^2."""
    for name, r2 in found.r2.items():
        fit = fit_banded([grams[one] for one in name.split("&")], truth, **cut, search=BARE)
        np.testing.assert_allclose(fit.weights, 1 / fit.weights.shape[1])
        np.testing.assert_array_equal(r2, fit.r2)


def test_without_a_penalty_parts_are_differences_of_r2_of_statsmodels(rng):
    design, y = correlated(rng)
    fold = splits(rng, 150)["folds"][0]
    grams = {name: x @ x.T for name, x in design.items()}
    cut = {"folds": [fold], "inner": [by_stimulus([f"{k}" for k in range(100)], 2, rng)]}
    found = partition_variance(grams, y, **cut, search=BARE)
    check_sets(found, grams, y, cut)
    for unit in range(4):
        r2 = {s: ols(design, y[:, unit], fold, s)[0] for s in ("a", "b", "c", "ab", "ac", "bc")}
        r2["abc"], brought, _ = ols(design, y[:, unit], fold, "abc")
        expected = {
            "a": r2["abc"] - r2["bc"],
            "b": r2["abc"] - r2["ac"],
            "c": r2["abc"] - r2["ab"],
            "a&b": r2["ac"] + r2["bc"] - r2["c"] - r2["abc"],
            "a&c": r2["ab"] + r2["bc"] - r2["b"] - r2["abc"],
            "b&c": r2["ab"] + r2["ac"] - r2["a"] - r2["abc"],
            "a&b&c": r2["a"] + r2["b"] + r2["c"] - r2["ab"] - r2["ac"] - r2["bc"] + r2["abc"],
        }
        assert set(found.parts) == set(expected)
        for name, part in expected.items():
            np.testing.assert_allclose(found.parts[name][unit], part, atol=1e-5)
        np.testing.assert_allclose(found.whole.split[:, unit], brought, atol=1e-5)


def test_on_its_own_training_rows_unique_variance_is_that_of_the_t_test(rng):
    """Test rows repeat the training rows, so that R^2 is the textbook's, of the same data.

    A single feature's unique variance is then its squared semipartial correlation, which is
    t^2 (1 - R^2) / (degrees of freedom of the residual).
    """
    x = rng.normal(size=(100, 3)) + 0.5 * rng.normal(size=(100, 1))
    y = x @ rng.uniform(1, 2, size=(3, 5)) + rng.normal(size=(100, 5))
    twice = np.vstack([x, x])
    fold = Fold("twice", np.arange(200) < 100, np.arange(200) >= 100)
    design = dict(zip("abc", twice.T[:, :, None], strict=True))
    grams = {name: one @ one.T for name, one in design.items()}
    cut = {"folds": [fold], "inner": [by_stimulus([f"{k}" for k in range(100)], 2, rng)]}
    truth = np.vstack([y, y])
    found = partition_variance(grams, truth, **cut, search=BARE)
    check_sets(found, grams, truth, cut)
    for unit in range(5):
        _, _, fit = ols(design, np.r_[y[:, unit], y[:, unit]], fold, "abc")
        np.testing.assert_allclose(found.whole.r2[unit], fit.rsquared, atol=1e-5)
        unique = fit.tvalues[1:] ** 2 * (1 - fit.rsquared) / fit.df_resid
        told = [found.parts[name][unit] for name in "abc"]
        np.testing.assert_allclose(told, unique, atol=1e-5)


def test_parts_sum_to_the_whole_and_unique_ones_are_what_is_lost(rng):
    grams, y = planted(rng, ["a", "b", "c"], {"a": 0.2, "b&c": 0.2, "c": 0.2}, n=60, n_units=5)
    y[:, 2] = 1.0
    cut = splits(rng, 60)
    found = partition_variance(grams, y, **cut, search=SEARCH)
    assert list(found.r2) == ["a", "b", "c", "a&b", "a&c", "b&c", "a&b&c"]
    whole = fit_banded(list(grams.values()), y, **cut, search=SEARCH)
    np.testing.assert_array_equal(found.whole.guess, whole.guess)
    np.testing.assert_allclose(sum(found.parts.values()), whole.r2, atol=1e-12)
    np.testing.assert_allclose(found.parts["b"], whole.r2 - found.r2["a&c"], atol=1e-12)
    assert np.isnan(found.parts["a&b"]).tolist() == [False, False, True, False, False]


@pytest.mark.parametrize("n_spaces", [2, 3, 4])
def test_the_r2_of_a_set_is_the_sum_of_parts_that_name_its_spaces(rng, n_spaces):
    from itertools import combinations

    names = "abcd"[:n_spaces]
    sets = ["&".join(s) for k in range(1, n_spaces + 1) for s in combinations(names, k)]
    r2 = {name: rng.random(3) for name in sets}
    parts = divide(r2)
    for name in sets:
        touched = [p for p in sets if set(p.split("&")) & set(name.split("&"))]
        np.testing.assert_allclose(sum(parts[p] for p in touched), r2[name], atol=1e-12)


def test_components_go_by_name(rng):
    grams, y = planted(rng, ["a", "b"], {"a": 0.3, "b": 0.3}, n=60, n_units=4)
    cut = splits(rng, 60)
    found = partition_variance(grams, y, **cut, search=SEARCH, n_components={"b": 1})
    alone = fit_banded([grams["b"]], y, **cut, search=SEARCH, n_components=[1])
    np.testing.assert_array_equal(found.r2["b"], alone.r2)


@pytest.mark.parametrize("n_spaces", [0, 1, 5])
def test_other_numbers_of_spaces_are_refused(rng, n_spaces):
    grams = {name: np.eye(30) for name in "abcde"[:n_spaces]}
    with pytest.raises(ConfigError, match=f"There are {n_spaces} feature spaces"):
        partition_variance(grams, rng.normal(size=(30, 2)), **splits(rng, 30), search=SEARCH)


def test_names_that_cannot_be_told_apart_are_refused(rng):
    y, cut = rng.normal(size=(30, 2)), splits(rng, 30)
    with pytest.raises(ConfigError, match=r"'a&b' holds '&'"):
        partition_variance({"a&b": np.eye(30), "a": np.eye(30)}, y, **cut, search=SEARCH)
    grams = {"a": np.eye(30), "b": np.eye(30)}
    with pytest.raises(ConfigError, match=r"'c' holds '&' or is no feature space"):
        partition_variance(grams, y, **cut, search=SEARCH, n_components={"c": 1})


def test_a_missing_set_is_refused():
    with pytest.raises(ConfigError, match=re.escape("R^2 of ['a', 'b'] is missing")):
        divide({"a": np.ones(1), "b": np.ones(1)})


def test_shapes_that_do_not_fit_are_refused(rng):
    grams = {"a": np.eye(30), "b": np.eye(29)}
    with pytest.raises(ShapeError, match=r"\(29, 29\)"):
        partition_variance(grams, rng.normal(size=(30, 2)), **splits(rng, 30), search=SEARCH)
