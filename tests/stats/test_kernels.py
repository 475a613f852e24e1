"""stats.kernels: scikit-learn on explicit features, laws, refusals."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import KernelCenterer

from bids_dnn.errors import NotEnoughDataError, ShapeError
from bids_dnn.stats.kernels import center_grams, centered, dimensionality, principal


def make(rng, n=30, p=50):
    return rng.normal(size=(n, p)) / (1 + np.arange(p)) + 3.0, np.arange(n) % 3 > 0


def test_centering_is_that_of_scikit_learn(rng):
    x, _ = make(rng)
    train, test = center_grams(x[:20] @ x[:20].T, x[20:] @ x[:20].T)
    centerer = KernelCenterer().fit(x[:20] @ x[:20].T)
    np.testing.assert_allclose(train, centerer.transform(x[:20] @ x[:20].T), atol=1e-10)
    np.testing.assert_allclose(test, centerer.transform(x[20:] @ x[:20].T), atol=1e-10)


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
    with pytest.raises(NotEnoughDataError, match="None of 3 samples"):
        principal(np.eye(3), np.zeros(3, dtype=bool), 1)
    with pytest.raises(NotEnoughDataError, match="0 principal components"):
        principal(np.eye(3), np.ones(3, dtype=bool), 0)
