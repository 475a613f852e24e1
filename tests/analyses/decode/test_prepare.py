"""analyses.decode.prepare: what is learnt of a fold, against the same done to patterns."""

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import StandardScaler

from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.prepare import (
    Preparation,
    kernel_of,
    linear_gram,
    patterns_of,
    whitened,
)
from bids_dnn.errors import ConfigError
from bids_dnn.stats.folds import leave_one_out

CODES = np.tile([0, 1, 2], 8)
RUNS = np.repeat(np.arange(4), 6)


@pytest.fixture
def values(rng):
    spread = rng.uniform(0.2, 3, size=20)
    return (5 + rng.normal(size=(24, 20)) * spread).astype(np.float32)


def prepared(values, how, codes=CODES, *, is_scaled=False, nuisance=None):
    fold = leave_one_out(RUNS.astype(str), what="run")[1]
    patterns = patterns_of(
        values,
        fold,
        runs=RUNS,
        how=how,
        nuisance=np.empty((24, 0)) if nuisance is None else nuisance,
        is_scaled=is_scaled,
    )
    return (*patterns.labeled(codes, codes >= 0, how), fold.train)


def centered_by(gram, train):
    row = gram[:, train].mean(axis=1)
    return gram - row - row[:, None] + row[train].mean()


def assert_same(gram, patterns, train):
    """Compare inner products from the mean of the training samples on: classifiers see no more."""
    expected = patterns @ patterns.T
    np.testing.assert_allclose(
        centered_by(gram, train), centered_by(expected, train), atol=1e-5 * expected.max()
    )


def test_units_are_divided_by_their_sd_over_training_samples(values):
    gram, n_units, train = prepared(values, Preparation(is_standardized=True))
    scaler = StandardScaler().fit(values[train].astype(np.float64))
    assert n_units == 20
    assert_same(gram, scaler.transform(values.astype(np.float64)), train)


def test_a_unit_that_does_not_vary_is_zero(values):
    values[:, 3] = 1e4
    gram, _, train = prepared(values, Preparation(is_standardized=True))
    kept = np.delete(values, 3, axis=1).astype(np.float64)
    assert_same(gram, StandardScaler().fit(kept[train]).transform(kept), train)


def test_the_units_of_largest_f_are_kept(values):
    gram, n_units, train = prepared(values, Preparation(anova=5))
    chosen = SelectKBest(f_classif, k=5).fit(values[train], CODES[train])
    assert n_units == 5
    assert_same(gram, chosen.transform(values).astype(np.float64), train)


def test_f_is_that_of_the_labeling_and_of_its_samples(values):
    codes = np.where(CODES == 2, -1, 1 - CODES)
    gram, _, train = prepared(values, Preparation(anova=5), codes)
    own = train & (codes >= 0)
    chosen = SelectKBest(f_classif, k=5).fit(values[own], codes[own])
    np.testing.assert_allclose(gram, linear_gram(chosen.transform(values)), rtol=1e-6)


def test_components_are_those_of_training_samples(values):
    gram, _, train = prepared(values, Preparation(pca=4))
    pca = PCA(4).fit(values[train].astype(np.float64))
    assert_same(gram, pca.transform(values.astype(np.float64)), train)


def test_the_mean_of_each_run_is_taken_out_over_the_comparison(values):
    codes = np.where(CODES == 2, -1, CODES)
    gram, _, _ = prepared(values, Preparation(is_blank=True), codes)
    clean = values.astype(np.float64)
    for run in range(4):
        own = (run == RUNS) & (codes >= 0)
        clean[own] -= clean[own].mean(axis=0)
    part = codes >= 0
    np.testing.assert_allclose(gram[np.ix_(part, part)], clean[part] @ clean[part].T, atol=1e-6)


@pytest.mark.parametrize("n_units", [6, 20, 60])
def test_patterns_are_whitened_by_the_shrunk_covariance_within_sides(rng, n_units):
    x = rng.normal(size=(24, n_units)) @ rng.normal(size=(n_units, n_units))
    train = RUNS != 1
    residual = x[train].copy()
    for side in range(3):
        residual[CODES[train] == side] -= residual[CODES[train] == side].mean(axis=0)
    covariance, _ = ledoit_wolf(residual, assume_centered=True)
    expected = x @ np.linalg.inv(covariance) @ x.T
    found = whitened(x @ x.T, CODES, train, n_units)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


def test_nuisance_is_taken_out_before_units_are_standardized(values, rng):
    nuisance = rng.normal(size=(24, 1))
    gram, _, train = prepared(values, Preparation(is_standardized=True), nuisance=nuisance)
    design = np.column_stack([nuisance, np.ones(24)])
    slopes = np.linalg.lstsq(design[train], values[train].astype(np.float64))[0]
    clean = values - nuisance @ slopes[:1]
    assert_same(gram, StandardScaler().fit(clean[train]).transform(clean), train)


def test_an_arbitrary_unit_becomes_unit_variance_on_average(values):
    gram, _, train = prepared(values, Preparation(), is_scaled=True)
    spread = values[train].astype(np.float64).var(axis=0).mean()
    np.testing.assert_allclose(gram, linear_gram(values) / spread, rtol=1e-6)


def test_radial_basis_functions_are_those_of_scikit_learn(values):
    made = kernel_of(linear_gram(values), Classifier(kind="svm-rbf", gamma=0.5), 20)
    np.testing.assert_allclose(made, rbf_kernel(values, gamma=0.5 / 20), atol=1e-5)


def test_the_gram_matrix_is_summed_in_double_precision(rng, monkeypatch):
    values = (1000 + rng.normal(size=(6, 50))).astype(np.float32)
    monkeypatch.setattr("bids_dnn.analyses.decode.prepare.BLOCK", 7)
    exact = values.astype(np.float64) @ values.astype(np.float64).T
    np.testing.assert_allclose(linear_gram(values), exact, rtol=1e-14)


@pytest.mark.parametrize("name", ["anova", "pca"])
def test_no_unit_at_all_is_refused(name):
    with pytest.raises(ConfigError, match=f"{name} is 0"):
        Preparation(**{name: 0})
