"""analyses.encode.pls: scikit-learn for every number of components, least squares, laws."""

import warnings

import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression

from bids_dnn.analyses.encode.pls import dominant, joint_scores, single_scores
from bids_dnn.analyses.encode.spectrum import decompose

SHAPES = [(40, 15, 15, 15), (30, 100, 12, 100), (60, 80, 12, 13)]  # n, p, components, rank


def make(rng, *, n=40, p=15, m=6, rank=15):
    x = rng.normal(size=(n, rank)) * np.linspace(3, 0.3, rank)
    if rank < p:
        x = x @ rng.normal(size=(rank, p))
    x = x + 2.0  # an offset, so that centering matters
    y = x[:, :10] @ rng.normal(size=(10, m)) + 3 * rng.normal(size=(n, m)) + 5.0
    return x, y


def peer(x, y, test, k):
    """Predictions of scikit-learn; its power iterations go on until nothing moves."""
    model = PLSRegression(k, scale=False, tol=1e-30, max_iter=5000)
    with warnings.catch_warnings():  # that the last digits still move
        warnings.simplefilter("ignore")
        return model.fit(x, y).predict(test).reshape(len(test), -1)


def spectrum(x, n_train):
    k = x @ x.T
    return decompose(k[:n_train, :n_train], k[n_train:, :n_train])


def targets(found, y):
    return found.vectors.T @ (y - y.mean(axis=0))


def close(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-8 * np.abs(expected).max(), rtol=0)


@pytest.mark.parametrize(("n", "p", "most", "rank"), SHAPES)
@pytest.mark.parametrize("m", [1, 6])
def test_a_gram_matrix_predicts_as_scikit_learn_with_each_number(rng, n, p, most, rank, m):
    x, y = make(rng, n=n + 8, p=p, m=m, rank=rank)
    found, teach = spectrum(x, n), y[:n]
    z = targets(found, teach)
    guess = np.tile(teach.mean(axis=0), (8, 1))
    steps = list(joint_scores(found, z, most))
    assert len(steps) == most
    for a, (t, u) in enumerate(steps):
        guess += np.outer(u, t @ z)
        close(guess, peer(x[:n], teach, x[n:], a + 1))


@pytest.mark.parametrize(("n", "p", "most", "rank"), SHAPES)
def test_each_target_has_components_of_its_own(rng, n, p, most, rank):
    x, y = make(rng, n=n + 8, p=p, m=4, rank=rank)
    found, teach = spectrum(x, n), y[:n]
    guess = np.tile(teach.mean(axis=0), (8, 1))
    for a, (_, u, q) in enumerate(single_scores(found, targets(found, teach), most)):
        guess += u * q
        for v in range(4):
            close(guess[:, v], peer(x[:n], teach[:, v], x[n:], a + 1)[:, 0])


def predict(x, y, k, n):
    """Predict the rows from `n` on by k components that the rows before teach."""
    found = spectrum(x, n)
    z = targets(found, y[:n])
    guess = np.tile(y[:n].mean(axis=0), (len(x) - n, 1))
    for t, u in joint_scores(found, z, k):
        guess += np.outer(u, t @ z)
    return guess


def test_many_targets_go_by_way_of_lanczos_and_agree(rng):
    x, y = make(rng, n=232, p=220, m=230, rank=220)
    for k in (2, 6):
        close(predict(x, y, k, 224), peer(x[:224], y[:224], x[224:], k))


def test_the_tolerance_of_scikit_learn_is_what_differs(rng):
    x, y = make(rng, n=48, p=30, rank=30)
    guess = predict(x, y, 5, 40)
    told = PLSRegression(5, scale=False).fit(x[:40], y[:40]).predict(x[40:])
    off = np.abs(told - guess).max() / np.abs(told).max()
    assert 1e-8 < off < 1e-2


@pytest.mark.parametrize("n_features", [30, 300])
def test_all_components_are_least_squares_of_least_norm(rng, n_features):
    x, y = rng.normal(size=(110, n_features)), rng.normal(size=(110, 2))
    mean, away = y[:100].mean(axis=0), x - x[:100].mean(axis=0)
    weights = np.linalg.pinv(away[:100]) @ (y[:100] - mean)
    close(predict(x, y, 99, 100), away[100:] @ weights + mean)


def test_fifty_components_stay_orthogonal(rng):
    x = rng.normal(size=(110, 150)) / (1 + np.arange(150))  # a steep spectrum
    y = x @ rng.normal(size=(150, 3)) + 0.1 * rng.normal(size=(110, 3))
    found = spectrum(x, 90)
    z = targets(found, y[:90])
    shared = np.array([t for t, _ in joint_scores(found, z, 50)])
    own = np.array([t for t, _, _ in single_scores(found, z, 50)])
    for t in (shared, *(own[:, :, v] for v in range(3))):
        np.testing.assert_allclose(t @ t.T, np.eye(50), atol=1e-12)
    # Scores of test samples are the same combinations of features as those of training ones.
    weights = np.linalg.lstsq(x[:90] - x[:90].mean(axis=0), found.vectors @ shared.T)[0]
    expected = (x[90:] - x[:90].mean(axis=0)) @ weights
    close(np.array([u for _, u in joint_scores(found, z, 50)]).T[:, :20], expected[:, :20])


def test_more_components_than_dimensions_change_nothing(rng):
    x, y = make(rng, rank=5)
    found = spectrum(x, 30)
    z = targets(found, y[:30])
    assert len(list(joint_scores(found, z, 50))) == len(list(single_scores(found, z, 50))) == 5


def test_targets_are_exhausted_one_by_one(rng):
    x = rng.normal(size=(48, 30))
    y = np.column_stack([np.zeros(40), x[:40, 0], rng.normal(size=40)])
    y[:, 1] = np.linalg.svd(x[:40] - x[:40].mean(axis=0))[0][:, 2]  # one component is enough
    f = spectrum(x, 40)
    loadings = np.array([q for *_, q in single_scores(f, targets(f, y), 4)])
    assert (np.abs(loadings) > 1e-12).tolist() == [[False, True, True]] + 3 * [
        [False, False, True]
    ]
    assert not list(joint_scores(f, np.zeros((len(f.values), 2)), 4))


@pytest.mark.parametrize("shape", [(30, 7), (7, 30), (230, 260), (260, 230), (210, 210)])
def test_the_dominant_direction_is_that_of_the_svd(rng, shape):
    h = rng.normal(size=shape)
    vector, size = dominant(h)
    _, s, vt = np.linalg.svd(h)
    np.testing.assert_allclose(size, s[0])
    np.testing.assert_allclose(abs(vector @ vt[0]), 1, atol=1e-13)
    np.testing.assert_array_equal(vector, dominant(h)[0])


@pytest.mark.parametrize("rank", [1, 3])
def test_few_dimensions_end_the_search_early(rng, rank):
    h = rng.normal(size=(220, rank)) @ rng.normal(size=(rank, 240))
    vector, size = dominant(h)
    _, s, vt = np.linalg.svd(h)
    np.testing.assert_allclose(size, s[0])
    np.testing.assert_allclose(abs(vector @ vt[0]), 1, atol=1e-13)


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (210, 220)])
def test_nothing_has_no_size(shape):
    vector, size = dominant(np.zeros(shape))
    assert size == 0
    assert np.isfinite(vector).all()


def test_near_ties_fall_to_lapack(rng):
    u, _ = np.linalg.qr(rng.normal(size=(240, 240)))
    v, _ = np.linalg.qr(rng.normal(size=(240, 240)))
    s = 1 - 1e-6 * np.arange(240)
    vector, size = dominant((u * s) @ v.T)
    np.testing.assert_allclose(size, 1)
    assert abs(vector @ v[:, 0]) > 1 - 1e-6
