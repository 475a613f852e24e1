"""features.reduce: scikit-learn's bound, distances that are kept, laws, refusals."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from sklearn.random_projection import johnson_lindenstrauss_min_dim

from bids_dnn.errors import ConfigError, NotEnoughDataError
from bids_dnn.features.reduce import (
    Reduction,
    guarantee,
    parse_reduction,
    projected,
    projection,
)
from tests.factories.passes import FakePasses


def collect(passes, layer="a", start=0):
    return np.concatenate([batch[layer] for batch in passes(start)])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Reduction()),
        ("none", Reduction()),
        ("pca(n=100)", Reduction("pca", 100)),
        (" srp( eps = 0.1 ) ", Reduction("srp", eps=0.1)),
        ("srp(n=1000, seed=3)", Reduction("srp", 1000, seed=3)),
    ],
)
def test_what_is_typed_is_read(text, expected):
    assert parse_reduction(text) == expected


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("psa(n=3)", r"'psa'.*Did you mean 'pca'"),
        ("pca(k=3)", r"no option 'k'"),
        ("pca(eps=0.1)", r"no option 'eps'"),
        ("none(n=3)", r"none has no option 'n'"),
        ("pca", "no size"),
        ("srp(n=10, eps=0.1)", "both n and eps"),
        ("srp(eps=1)", "out of range"),
        ("srp(n=0)", "out of range"),
        ("srp(n=1.5)", "out of range"),
        ("srp(n=5, seed=-1)", "out of range"),
        ("srp(n=many)", r"'n=many'"),
        ("srp(n=1, n=2)", r"'n=2'"),
        ("srp n=1", r"'srp n=1' is no reduction"),
    ],
)
def test_what_is_no_reduction_is_refused(text, match):
    with pytest.raises(ConfigError, match=match):
        parse_reduction(text)


@pytest.mark.parametrize("n", [2, 92, 1750, 73_000])
@pytest.mark.parametrize("eps", [0.05, 0.1, 0.5, 0.9])
def test_the_guarantee_is_that_of_scikit_learn(n, eps):
    assert guarantee(n, eps) == max(1, johnson_lindenstrauss_min_dim(n, eps=eps))


def test_the_guarantee_needs_stimuli_and_an_error():
    with pytest.raises(NotEnoughDataError, match="no stimulus"):
        guarantee(0, 0.1)
    with pytest.raises(ConfigError, match=r"eps is 1\.0"):
        guarantee(10, 1.0)


def test_squared_distances_keep_to_eps(rng):
    eps, x = 0.3, rng.normal(size=(30, 6000)).astype(np.float32)
    passes = projected(FakePasses({"a": x}), Reduction("srp", eps=eps))
    assert passes.widths == {"a": guarantee(30, eps)}
    ratio = pdist(collect(passes), "sqeuclidean") / pdist(x, "sqeuclidean")
    assert np.abs(ratio - 1).max() < eps
    assert ratio.mean() == pytest.approx(1, abs=0.02)


def test_the_matrix_is_as_sparse_as_said_and_unbiased(rng):
    p, n = 10_000, 400
    matrix = projection(p, n, rng=rng)
    expected = n * np.sqrt(p)
    assert abs(matrix.nnz - expected) < 5 * np.sqrt(expected)
    value = np.sqrt(np.sqrt(p) / n)
    np.testing.assert_allclose(np.abs(matrix.data), value)
    assert abs(np.sign(matrix.data).sum()) < 5 * np.sqrt(matrix.nnz)
    in_rows = np.diff(matrix.indptr)
    assert abs(in_rows - 100).max() < 6 * 10  # binomial, SD 10
    for row in range(n):
        places = matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]
        assert (np.diff(places) > 0).all()


def test_batches_and_other_layers_do_not_alter_a_projection(rng):
    x = rng.normal(size=(20, 500)).astype(np.float32)
    reduction = Reduction("srp", 40)
    alone = collect(projected(FakePasses({"a": x}, batch_size=20), reduction))
    passes = projected(FakePasses({"b": x[:, ::-1].copy(), "a": x}, batch_size=3), reduction)
    np.testing.assert_array_equal(collect(passes), alone)
    np.testing.assert_array_equal(collect(passes, start=15), alone[15:])
    assert alone.dtype == np.float32
    assert not np.array_equal(collect(passes, "b"), alone)


def test_what_the_user_calls_a_layer_does_not_alter_its_projection(rng):
    """One layer may be written in several ways, which have one key in the cache."""
    x = rng.normal(size=(5, 300)).astype(np.float32)
    passes = projected(FakePasses({"conv1": x, "features.0": x}), Reduction("srp", 20))
    np.testing.assert_array_equal(collect(passes, "conv1"), collect(passes, "features.0"))


def test_a_projection_follows_its_seed(rng):
    passes = FakePasses({"a": rng.normal(size=(5, 300)).astype(np.float32)})
    first, again, other = (
        collect(projected(passes, Reduction("srp", 20, seed=seed))) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_rows_in_chunks_are_the_direct_product(rng, monkeypatch):
    monkeypatch.setattr("bids_dnn.features.reduce.CHUNK_BYTES", 8 * 300 * 2)
    x = rng.normal(size=(7, 300)).astype(np.float32)
    made = projected(FakePasses({"a": x}), Reduction("srp", 20))
    found = collect(made)
    matrix = made._drawn["a"].toarray()
    np.testing.assert_allclose(found, x @ matrix.T, rtol=1e-5, atol=1e-5)


def test_narrow_layers_keep_all_features_where_eps_decides(rng):
    x = {"wide": rng.normal(size=(4, 400)), "narrow": rng.normal(size=(4, 9))}
    passes = FakePasses({layer: value.astype(np.float32) for layer, value in x.items()})
    made = projected(passes, Reduction("srp", eps=0.9))
    assert made.widths == {"wide": guarantee(4, 0.9), "narrow": 9}
    np.testing.assert_array_equal(collect(made, "narrow"), collect(passes, "narrow"))
    assert (made.n, made.batch_size) == (4, 7)


def test_more_projections_than_features_are_refused(rng):
    passes = FakePasses({"a": rng.normal(size=(4, 30)).astype(np.float32)})
    with pytest.raises(ConfigError, match=r"'a' has 30 features, fewer than the 31"):
        projected(passes, Reduction("srp", 31))
    assert projected(passes, Reduction("srp", 30)).widths == {"a": 30}


@pytest.mark.parametrize("reduction", [Reduction(), Reduction("pca", 3)])
def test_nothing_else_is_done_on_the_way(rng, reduction):
    passes = FakePasses({"a": rng.normal(size=(4, 30)).astype(np.float32)})
    assert projected(passes, reduction) is passes


def test_two_sets_of_stimuli_get_one_number_of_projections():
    settled = Reduction("srp", eps=0.1).settled(1000)
    assert settled.n_components == guarantee(1000, 0.1)
    assert settled.settled(5) == settled
    assert Reduction("pca", 3).settled(5) == Reduction("pca", 3)
