"""analyses.rsa.dissimilarity: rsatoolbox and scipy on explicit features, laws, refusals."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from bids_dnn.analyses.rsa.dissimilarity import rdm_from_gram
from bids_dnn.errors import ConfigError, NotEnoughDataError, ShapeError


def make(rng, n=20, p=70):
    return rng.normal(size=(n, p)) + 5 * rng.normal(size=(n, 1)) + 2


def told(x):
    return {"n_features": x.shape[1], "sums": x.sum(axis=1)}


@pytest.mark.parametrize("method", ["correlation", "euclidean"])
def test_dissimilarities_are_those_of_rsatoolbox(rng, method):
    rsatoolbox = pytest.importorskip("rsatoolbox")
    x = make(rng)
    expected = rsatoolbox.rdm.calc_rdm(rsatoolbox.data.Dataset(x), method=method)
    made = rdm_from_gram(x @ x.T, method=method, **told(x))
    np.testing.assert_allclose(made.values, expected.dissimilarities[0], atol=1e-6)


@pytest.mark.parametrize(
    ("method", "name"), [("correlation", "correlation"), ("cosine", "cosine")]
)
def test_dissimilarities_are_those_of_scipy(rng, method, name):
    x = make(rng)
    made = rdm_from_gram(x @ x.T, method=method, **told(x))
    np.testing.assert_allclose(made.values, pdist(x, name), atol=1e-10)


def test_euclidean_is_squared_and_by_feature(rng):
    x = make(rng)
    made = rdm_from_gram(x @ x.T, method="euclidean", n_features=x.shape[1])
    np.testing.assert_allclose(made.values, pdist(x, "sqeuclidean") / x.shape[1], atol=1e-10)


def test_correlation_is_free_of_each_stimulus_scale_and_offset(rng):
    x = make(rng)
    other = x * rng.uniform(1, 3, size=(len(x), 1)) + rng.normal(size=(len(x), 1))
    first, second = (rdm_from_gram(y @ y.T, **told(y)).values for y in (x, other))
    np.testing.assert_allclose(first, second, atol=1e-10)


def test_the_order_of_stimuli_goes_with_their_names(rng):
    x, order = make(rng), rng.permutation(20)
    names = np.array([f"p{k}" for k in range(20)])
    made = rdm_from_gram(x @ x.T, stimuli=names, **told(x))
    y = x[order]
    other = rdm_from_gram(y @ y.T, stimuli=names[order], **told(y))
    assert other.stimuli == tuple(names[order])
    np.testing.assert_allclose(made.matrix()[np.ix_(order, order)], other.matrix(), atol=1e-12)


@pytest.mark.parametrize(("method", "value"), [("correlation", 3.0), ("cosine", 0.0)])
def test_a_stimulus_without_a_pattern_gives_nan_and_is_named(rng, method, value):
    x = make(rng)
    x[4] = value
    with pytest.warns(UserWarning, match=r"1 of 20 stimuli, such as '4'"):
        made = rdm_from_gram(x @ x.T, method=method, **told(x)).matrix()
    is_nan = np.isnan(made)
    assert is_nan[4].sum() == is_nan.sum() / 2 == 19


def test_equal_stimuli_are_not_below_zero_apart(rng):
    x = np.repeat(make(rng, n=1), 5, axis=0) * 1e3
    for method in ("correlation", "euclidean", "cosine"):
        values = rdm_from_gram(x @ x.T, method=method, **told(x)).values
        assert (values >= 0).all()
        np.testing.assert_allclose(values, 0, atol=1e-6)


def test_what_cannot_be_had_is_refused(rng):
    x = make(rng)
    gram = x @ x.T
    with pytest.raises(ConfigError, match=r"'correlaton'.*'correlation'"):
        rdm_from_gram(gram, method="correlaton", **told(x))
    with pytest.raises(ConfigError, match=r"sum of each of 20 .* not given"):
        rdm_from_gram(gram, n_features=70)
    with pytest.raises(ConfigError, match=r"shape \(19,\)"):
        rdm_from_gram(gram, n_features=70, sums=np.zeros(19))
    with pytest.raises(ConfigError, match="number of features; it is 0"):
        rdm_from_gram(gram, method="euclidean")
    with pytest.raises(ShapeError, match=r"\(20, 19\)"):
        rdm_from_gram(gram[:, :19], method="cosine")
    with pytest.raises(ShapeError, match="2 ids are given for 20"):
        rdm_from_gram(gram, method="cosine", stimuli=("a", "b"))
    with pytest.raises(NotEnoughDataError, match="1 stimulus makes no pair"):
        rdm_from_gram(np.eye(1), method="cosine")
