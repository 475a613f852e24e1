"""analyses.encode.estimators, partial least squares that scales: scikit-learn, leaks, refusals."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression

from bids_dnn.analyses.encode.choices import Choices
from bids_dnn.analyses.encode.data import prepare
from bids_dnn.analyses.encode.fit import encode
from bids_dnn.containers.features import FeatureValues
from bids_dnn.errors import ConfigError
from tests.factories.responses import make_gram, make_responses, make_roi

N_TRAIN, N = 40, 60
STIMULI = tuple(f"s{k:02}.png" for k in range(N))
SPLIT = {name: "train" if k < N_TRAIN else "test" for k, name in enumerate(STIMULI)}


def choices(**other):
    return Choices(
        **{
            "n_folds": 4,
            "n_inner": 3,
            "alphas": None,
            "select": "auto",
            "ceiling": "ncsnr",
            "floor": 0.0,
            "n_permutations": 9,
            "seed": 0,
            "estimators": ("pls",),
            "split": SPLIT,
            "pls_scale": True,
        }
        | other
    )


def make(rng, *, shape=(3, 2, 2)):
    """Features of unequal variance, of which those that vary least tell of the units most."""
    p = int(np.prod(shape))
    z = rng.normal(size=(N, p))
    x = (z * np.geomspace(1, 100, p) + 5).astype(np.float32)
    x[:, 1] = 7.3  # varies nowhere
    x[:N_TRAIN, 2] = 0.1  # varies in test images alone
    signal = z @ (rng.normal(size=(p, 4)) * np.linspace(1, 0, p)[:, None])
    values = (signal + rng.normal(size=signal.shape)) * np.geomspace(1, 30, 4)
    responses = make_responses(values, stimuli=STIMULI)
    features = FeatureValues(STIMULI, "net", "conv", x.reshape(N, *shape), {})
    return responses, [make_roi("V4", responses, range(4))], x, features


def run(given, **other):
    responses, rois, x, features = given
    grams = [make_gram(x, STIMULI, layer="conv")]
    return encode(responses, rois, grams, choices=choices(**other), features=[features])


def unit_map(result, stat):
    (made,) = [one.values for one in result.maps if one.stat == stat and one.model]
    return made


def peer(x, y, test, k):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = PLSRegression(k, scale=True, tol=1e-30, max_iter=3000)
        return model.fit(x, y).predict(test).reshape(len(test), -1)


@pytest.mark.parametrize("shape", [(12,), (3, 2, 2)])
def test_it_is_scikit_learn_with_scale(rng, shape):
    given = make(rng, shape=shape)
    responses, rois, x, _ = given
    result = run(given)
    counts = result.extras["components"].set_index("target")["n_components"]
    x, y = x.astype(np.float64), responses.values.astype(np.float64)
    # scikit-learn takes rounding errors of the mean for variance, and divides by them
    x[:, 1], x[:N_TRAIN, 2] = 0, 0
    teach, told = (one[:N_TRAIN] for one in (x, y))
    guess = peer(teach, told, x[N_TRAIN:], counts["units"])
    r = [np.corrcoef(guess[:, v], y[N_TRAIN:, v])[0, 1] for v in range(4)]
    np.testing.assert_allclose(unit_map(result, "pearson"), r, atol=1e-6)
    lost = ((y[N_TRAIN:] - guess) ** 2).sum(axis=0)
    r2 = 1 - lost / ((y[N_TRAIN:] - told.mean(axis=0)) ** 2).sum(axis=0)
    np.testing.assert_allclose(unit_map(result, "rsquared"), r2, atol=1e-5)
    (inner,) = prepare(responses, rois, choices()).inner
    for target, columns in (("units", told), ("mean", told.mean(axis=1, keepdims=True))):
        loss = np.zeros(6)
        for one in inner:
            sd = columns[one.train].std(axis=0, ddof=1)
            for k in range(6):
                off = peer(teach[one.train], columns[one.train], teach[one.test], k + 1)
                off = (off - columns[one.test]) / sd
                loss[k] += (off**2).sum() / one.test.sum()
        assert counts[target] == loss.argmin() + 1
    assert result.meta["pls_scale"] is True


def test_features_that_vary_least_count_as_much_as_others(rng):
    given = make(rng)
    plain, scaled = (run(given, pls_scale=one) for one in (False, True))
    assert unit_map(scaled, "pearson").mean() > unit_map(plain, "pearson").mean() + 0.1
    assert plain.meta["pls_scale"] is False


def test_test_images_scale_nothing(rng):
    """Test images farther from the training mean are predicted farther: r is the same."""
    responses, rois, x, features = make(rng)
    x[:, 2] = 1  # no test image is to differ there
    mean = x[:N_TRAIN].mean(axis=0)
    far = np.vstack([x[:N_TRAIN], mean + 50 * (x[N_TRAIN:] - mean)]).astype(np.float32)
    own, other = (
        run((responses, rois, one, replace(features, values=one)), split=SPLIT) for one in (x, far)
    )
    assert own.extras["components"].equals(other.extras["components"])
    np.testing.assert_allclose(unit_map(own, "pearson"), unit_map(other, "pearson"), atol=1e-5)


def test_scale_and_order_of_features_and_images_do_not_matter(rng):
    responses, rois, x, features = make(rng)
    order, columns = rng.permutation(N), rng.permutation(x.shape[1])
    other = ((x * np.geomspace(100, 1, x.shape[1]))[order][:, columns]).astype(np.float32)
    moved = FeatureValues(tuple(STIMULI[k] for k in order), "net", "conv", other, {})
    for split in (SPLIT, None):
        once = run((responses, rois, x, features), split=split)
        again = run((responses, rois, x, moved), split=split)
        np.testing.assert_allclose(
            unit_map(again, "pearson"), unit_map(once, "pearson"), atol=1e-5
        )


def test_layers_without_features_or_with_components_are_refused(rng):
    responses, rois, x, features = make(rng)
    gram = make_gram(x, STIMULI, layer="conv")
    other = replace(features, layer="other")
    with pytest.raises(ConfigError, match=r"net conv only products.*or leave pls_scale out"):
        encode(responses, rois, [gram], choices=choices(), features=[other])
    few = replace(gram, n_components=3)
    with pytest.raises(ConfigError, match=r"net conv is reduced to principal components.*srp"):
        encode(responses, rois, [few], choices=choices(), features=[features])
    ridge = choices(estimators=("ridge",))
    assert len(encode(responses, rois, [few], choices=ridge).table)
