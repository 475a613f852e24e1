"""stats.kernels: scikit-learn on explicit features, laws, refusals."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import KernelCenterer, StandardScaler

from bids_dnn.errors import NotEnoughDataError, ShapeError
from bids_dnn.stats import kernels
from bids_dnn.stats.kernels import (
    center_grams,
    centered,
    dimensionality,
    principal,
    scaled_gram,
    spread_of,
)


def make(rng, n=30, p=50):
    return rng.normal(size=(n, p)) / (1 + np.arange(p)) + 3.0, np.arange(n) % 3 > 0


def test_centering_is_that_of_scikit_learn(rng):
    x, _ = make(rng)
    train, test = center_grams(x[:20] @ x[:20].T, x[20:] @ x[:20].T)
    centerer = KernelCenterer().fit(x[:20] @ x[:20].T)
    np.testing.assert_allclose(train, centerer.transform(x[:20] @ x[:20].T), atol=1e-10)
    np.testing.assert_allclose(test, centerer.transform(x[20:] @ x[:20].T), atol=1e-10)


def test_several_problems_are_centered_and_spread_as_each_alone(rng):
    x = rng.normal(size=(3, 12, 5)).astype(np.float32) + 4
    train, test = center_grams(x[:, :8] @ x[:, :8].mT, x[:, 8:] @ x[:, :8].mT)
    spread = spread_of(x[:, :8] @ x[:, :8].mT)
    assert train.dtype == test.dtype == spread.dtype == np.float64
    for k, one in enumerate(x):
        alone = center_grams(one[:8] @ one[:8].T, one[8:] @ one[:8].T)
        np.testing.assert_allclose(train[k], alone[0], rtol=0, atol=1e-4)
        np.testing.assert_allclose(test[k], alone[1], rtol=0, atol=1e-4)
        np.testing.assert_allclose(spread[k], one[:8].var(axis=0).sum(), rtol=1e-4)


def test_what_varies_by_rounding_alone_has_no_spread():
    assert spread_of(np.full((2, 4, 4), 0.1) + 1e-17 * np.eye(4)).tolist() == [0.0, 0.0]


def test_centering_refuses_grams_that_do_not_fit():
    with pytest.raises(ShapeError, match=r"\(3, 3\).*\(2, 4\)"):
        center_grams(np.zeros((3, 3)), np.zeros((2, 4)))


def test_all_samples_are_centered_on_the_training_mean(rng):
    x, train = make(rng)
    away = x - x[train].mean(axis=0)
    np.testing.assert_allclose(centered(x @ x.T, train), away @ away.T, atol=1e-10)


def test_an_offset_of_the_features_does_not_matter(rng):
    x, train = make(rng)
    other = x + rng.normal(size=x.shape[1])
    np.testing.assert_allclose(
        centered(x @ x.T, train), centered(other @ other.T, train), atol=1e-9
    )


@pytest.mark.parametrize("p", [8, 50])
@pytest.mark.parametrize("n_components", [1, 5])
def test_components_are_those_of_scikit_learn(rng, p, n_components):
    x, train = make(rng, p=p)
    scores = PCA(n_components, svd_solver="full").fit(x[train]).transform(x)
    np.testing.assert_allclose(
        principal(x @ x.T, train, n_components), scores @ scores.T, rtol=1e-8, atol=1e-8
    )


def test_all_components_are_all_features(rng):
    x, _ = make(rng)
    everyone = np.ones(len(x), dtype=bool)
    gram = x @ x.T
    np.testing.assert_allclose(
        principal(gram, everyone, 99), centered(gram, everyone), rtol=1e-8, atol=1e-10
    )


def test_test_samples_teach_nothing(rng):
    x, train = make(rng)
    other = x.copy()
    other[~train] *= 10
    both = np.ix_(train, train)
    np.testing.assert_allclose(
        principal(x @ x.T, train, 3)[both], principal(other @ other.T, train, 3)[both], rtol=1e-9
    )


@pytest.mark.parametrize("columns", [3, 1024])
def test_scaling_is_that_of_scikit_learn(rng, monkeypatch, columns):
    monkeypatch.setattr(kernels, "COLUMNS", columns)
    x, train = make(rng)
    x[:, 3] = 7.3  # varies nowhere
    x[train, 4] = 0.1  # varies in test samples alone, which teach nothing
    z = StandardScaler().fit(x[train]).transform(x)
    z[:, 4] = 0
    found = scaled_gram(x, train)
    expected = z @ z.T * (train.sum() - 1) / train.sum()  # there, SDs are those of a population
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_offset_and_scale_of_each_feature_do_not_matter_to_scaled_ones(rng):
    x, train = make(rng)
    other = 5 + x * rng.uniform(0.1, 10, size=x.shape[1])
    np.testing.assert_allclose(scaled_gram(other, train), scaled_gram(x, train), rtol=1e-9)


def test_test_samples_scale_nothing(rng):
    x, train = make(rng)
    other = x.copy()
    other[~train] *= rng.normal(size=x.shape[1])
    both = np.ix_(train, train)
    np.testing.assert_array_equal(scaled_gram(x, train)[both], scaled_gram(other, train)[both])


def test_dimensionality_is_the_participation_ratio_of_variances(rng):
    x, _ = make(rng)
    variances = PCA().fit(x).explained_variance_
    expected = variances.sum() ** 2 / (variances**2).sum()
    assert dimensionality(x @ x.T) == pytest.approx(expected)
    assert dimensionality(7 * (x - 2) @ (x - 2).T) == pytest.approx(expected)


def test_a_line_has_one_dimension_and_a_point_none(rng):
    line = rng.normal(size=(9, 1)) * rng.normal(size=(1, 4)) + 1
    assert dimensionality(line @ line.T) == pytest.approx(1)
    assert np.isnan(dimensionality(np.full((9, 9), 3.0)))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match=r"\(3, 4\)"):
        centered(np.zeros((3, 4)), np.ones(3, dtype=bool))
    with pytest.raises(ShapeError, match=r"\(3, 3\).*\(2,\)"):
        centered(np.zeros((3, 3)), np.ones(2, dtype=bool))
    with pytest.raises(ShapeError, match=r"\(3, 3\).*\(2,\)"):
        scaled_gram(np.zeros((3, 3)), np.ones(2, dtype=bool))
    with pytest.raises(NotEnoughDataError, match="1 of 3 samples"):
        scaled_gram(np.zeros((3, 3)), np.arange(3) == 1)
    with pytest.raises(NotEnoughDataError, match="features 0 to 1 are not finite"):
        scaled_gram(np.array([[1.0, 2.0], [3.0, np.nan]]), np.ones(2, dtype=bool))
    with pytest.raises(NotEnoughDataError, match="None of 3 samples"):
        principal(np.eye(3), np.zeros(3, dtype=bool), 1)
    with pytest.raises(NotEnoughDataError, match="0 principal components"):
        principal(np.eye(3), np.ones(3, dtype=bool), 0)
