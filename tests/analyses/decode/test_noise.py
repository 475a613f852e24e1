"""analyses.decode.noise: a ratio means what it says, in features that are never made."""

import numpy as np
import pytest

from bids_dnn.analyses.decode.noise import axes_of, check_snr, clean_of, draw_noise
from bids_dnn.errors import ConfigError, NotEnoughDataError

INF = float("inf")
N_DRAWS = 400


@pytest.fixture
def features(rng):
    """Twenty stimuli in 60 features of unequal variance, far from zero."""
    return rng.normal(size=(20, 60)) * np.linspace(0.1, 3, 60) + 5


@pytest.fixture
def train():
    return np.arange(20) < 15


def prepared(features, train, *, n_components=None, noise="isotropic"):
    gram = features @ features.T
    axes = axes_of(gram, features.shape[1])
    clean = clean_of(gram, train, axes, n_components=n_components, noise=noise)
    return axes, clean


def distances(gram):
    """Squared distances of all pairs, which no centering changes."""
    size = np.diagonal(gram)
    return size[:, None] + size - 2 * gram


@pytest.mark.parametrize("noise", ["isotropic", "proportional"])
@pytest.mark.parametrize("n_components", [None, 1, 4, 100])
@pytest.mark.parametrize("snr", [4.0, 0.5])
def test_the_ratio_is_that_of_measured_variances(features, train, rng, noise, n_components, snr):
    axes, clean = prepared(features, train, n_components=n_components, noise=noise)
    np.testing.assert_allclose(clean.signal, np.diagonal(clean.gram)[train].mean())
    i, j = np.triu_indices(20, 1)
    more = [
        (distances(clean.noisy(snr, draw_noise(axes, rng))) - distances(clean.gram))[i, j].mean()
        for _ in range(N_DRAWS)
    ]
    # two stimuli with noise of their own lie 2 signal / snr farther apart
    expected, error = 2 * clean.signal / snr, np.std(more) / np.sqrt(N_DRAWS)
    assert abs(np.mean(more) - expected) < 4 * error
    assert error < 0.1 * expected


def test_signal_is_the_mean_squared_distance_from_the_training_mean(features, train):
    _, clean = prepared(features, train)
    away = features - features[train].mean(axis=0)
    np.testing.assert_allclose(clean.signal, (away[train] ** 2).sum(axis=1).mean())
    np.testing.assert_allclose(clean.gram, away @ away.T, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("n_features", [3, 25, 60])
def test_inner_products_are_distributed_as_those_of_noisy_features(rng, n_features):
    """Means and variances of each of them, beside noise drawn feature by feature."""
    features = rng.normal(size=(12, n_features))
    train = np.arange(12) < 9
    axes, clean = prepared(features, train)
    away = features - features[train].mean(axis=0)
    sd = np.sqrt(clean.signal / n_features / 2)
    n = 3000
    ours = np.array([clean.noisy(2.0, draw_noise(axes, rng)) for _ in range(n)])
    noisy = away + sd * rng.normal(size=(n, *away.shape))
    direct = noisy @ noisy.transpose(0, 2, 1)
    scale = np.sqrt((ours.var(axis=0) + direct.var(axis=0)) / n)
    assert (np.abs(ours.mean(axis=0) - direct.mean(axis=0)) < 5.5 * scale).all()
    ratio = ours.var(axis=0) / direct.var(axis=0)
    assert (np.abs(np.log(ratio)) < 0.3).all()
    # third moments tell a Wishart rest from a Gaussian one: of the trace, in SD
    traces = [np.trace(one, axis1=1, axis2=2) for one in (ours, direct)]
    skew = [((t - t.mean()) ** 3).mean() / t.std() ** 3 for t in traces]
    assert abs(skew[0] - skew[1]) < 5 * np.sqrt(2 * 6 / n) + 0.2


def test_proportional_noise_has_one_ratio_on_each_component(features, train):
    _, clean = prepared(features, train, n_components=5, noise="proportional")
    np.testing.assert_allclose(clean.spread**2, (clean.places[train] ** 2).mean(axis=0))
    _, even = prepared(features, train, n_components=5)
    np.testing.assert_allclose(even.spread**2, clean.signal / 5)


def test_without_noise_nothing_changes(features, train, rng):
    axes, clean = prepared(features, train, n_components=4)
    assert clean.noisy(INF, draw_noise(axes, rng)) is clean.gram
    assert clean.n_dimensions == 4


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_the_unit_of_features_does_not_matter(features, train, factor):
    axes, clean = prepared(features, train)
    louder_axes, louder = prepared(factor * features, train)
    assert axes.places.shape == louder_axes.places.shape
    one, other = (
        made.noisy(1.0, draw_noise(on, np.random.default_rng(3)))
        for on, made in ((axes, clean), (louder_axes, louder))
    )
    # signs of axes are free, so that only what does not hang on them is one
    np.testing.assert_allclose(louder.signal, factor**2 * clean.signal)
    np.testing.assert_allclose(np.abs(louder.places), factor * np.abs(clean.places), rtol=1e-5)
    assert np.isfinite(one).all()
    assert np.isfinite(other).all()


def test_features_that_do_not_differ_are_refused(train):
    same = np.ones((20, 3))
    axes = axes_of(np.eye(20), 3)
    with pytest.raises(NotEnoughDataError, match=r"15 training stimuli do not differ"):
        clean_of(same @ same.T, train, axes, n_components=None, noise="isotropic")


@pytest.mark.parametrize("levels", [(), (1.0, 1.0), (INF, 0.0), (-1.0,), (float("nan"),)])
def test_levels_that_are_none_are_refused(levels):
    with pytest.raises(ConfigError, match=r"snr is \["):
        check_snr(levels)
