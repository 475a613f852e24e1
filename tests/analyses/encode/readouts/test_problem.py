"""analyses.encode.readouts.problem: what is learnt before training, and from what."""

import numpy as np
import pytest
import torch

from bids_dnn.analyses.encode.readouts.forms import FORMS, Options
from bids_dnn.analyses.encode.readouts.problem import (
    Problem,
    Scaling,
    channel_moments,
    check_shapes,
    check_values,
    divide,
    scaling_of,
    standardized,
)
from bids_dnn.analyses.encode.readouts.sources import ArraySource
from bids_dnn.errors import NotEnoughDataError, ShapeError, UnreadableError


def test_moments_are_exact_and_those_of_the_stimuli_to_learn_on(rng, monkeypatch):
    maps = (rng.normal(size=(700, 3, 4, 5)) * [[[1.0]], [[5.0]], [[1e-3]]] + 100).astype("f4")
    learn, held = np.arange(0, 600, 2), np.arange(1, 600, 2)
    mean, sd = channel_moments(ArraySource(maps), learn, held, "cpu")
    own = maps[learn].astype(np.float64)
    np.testing.assert_allclose(mean, own.mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(sd, own.std(axis=(0, 2, 3)), rtol=1e-4)
    maps[600:] = np.nan  # nobody reads them
    again = channel_moments(ArraySource(maps), learn, held, "cpu")
    np.testing.assert_array_equal(mean, again[0])


def test_channels_that_do_not_vary_become_zero(rng):
    maps = rng.normal(size=(40, 2, 3, 3)).astype("f4")
    maps[:, 1] = 0.1
    index = np.arange(30)
    mean, sd = channel_moments(ArraySource(maps), index, np.arange(30, 40), "cpu")
    assert sd[1] == 1
    one = torch.zeros(0)
    problem = Problem(
        ArraySource(maps), FORMS["factorized"], Options(), index, index, mean, sd, one, one
    )
    seen = problem.maps(index)
    assert abs(float(seen[:, 1].max())) < 1e-6
    assert abs(float(seen[:, 0].square().mean()) - 1) < 1e-5


@pytest.mark.parametrize("when", ["learn", "held"])
def test_an_infinite_feature_is_named_by_its_stimulus(rng, when):
    maps = rng.normal(size=(40, 2, 3, 3)).astype("f4")
    maps[33 if when == "held" else 3, 0, 0, 0] = np.inf
    with pytest.raises(UnreadableError, match=f"index {33 if when == 'held' else 3}"):
        channel_moments(ArraySource(maps), np.arange(30), np.arange(30, 40), "cpu")


def test_the_division_holds_all_training_stimuli_once():
    train = np.arange(0, 200, 2)
    learn, held = divide(train, 0.2, 7)
    np.testing.assert_array_equal(np.sort(np.concatenate([learn, held])), train)
    assert len(held) == 20
    np.testing.assert_array_equal(held, divide(train, 0.2, 7)[1])
    assert not np.array_equal(held, divide(train, 0.2, 8)[1])
    with pytest.raises(NotEnoughDataError, match="30 training stimuli, of which 3"):
        divide(np.arange(30), 0.1, 0)


def test_responses_are_standardized_on_what_was_measured(rng):
    y = rng.normal(size=(60, 3)) * 4 + 9
    y[rng.random(y.shape) < 0.2] = np.nan
    learn, held = np.arange(40), np.arange(40, 50)
    scaling = scaling_of(y, learn, held, "gaussian")
    np.testing.assert_allclose(scaling.offset, np.nanmean(y[:40], axis=0))
    np.testing.assert_allclose(scaling.scale, np.nanstd(y[:40], axis=0))
    truth, known = (part.numpy() for part in standardized(y, scaling, learn, held, "cpu"))
    expected = (y - scaling.offset) / scaling.scale
    is_measured = np.isfinite(y[:50])
    np.testing.assert_allclose(truth[:50], np.where(is_measured, expected[:50], 0), atol=1e-6)
    assert not truth[50:].any()
    np.testing.assert_array_equal(known[:50] > 0, is_measured)
    np.testing.assert_allclose(known[:40].mean(axis=0), 1, rtol=1e-6)
    np.testing.assert_allclose(known[40:50].mean(axis=0), 1, rtol=1e-6)


def test_counts_are_divided_by_their_mean(rng):
    y = rng.poisson(3.0, size=(60, 2)).astype("f4")
    scaling = scaling_of(y, np.arange(50), np.arange(50, 60), "poisson")
    np.testing.assert_array_equal(scaling.offset, 0)
    np.testing.assert_allclose(scaling.scale, y[:50].mean(axis=0))


def test_units_without_variance_or_data_are_not_fitted(rng):
    y = rng.normal(size=(60, 5)).astype("f4")
    y[:, 0], y[:, 1], y[4:, 2], y[41:, 3] = 0.1, np.nan, np.nan, np.nan
    found = scaling_of(y, np.arange(40), np.arange(40, 60), "gaussian")
    np.testing.assert_array_equal(found.is_fitted, [False] * 4 + [True])
    assert isinstance(found, Scaling)


def test_responses_that_do_not_fit_are_refused(rng):
    with pytest.raises(ShapeError, match=r"\(8, 2\), and there are feature maps of 9"):
        check_shapes(np.zeros((8, 2)), {}, 9)
    with pytest.raises(
        ShapeError, match="Fold '3' has 8 stimuli, but there are feature maps of 9"
    ):
        check_shapes(np.zeros((9, 2)), {"Fold '3'": np.ones(8, dtype=bool)}, 9)
    y = np.zeros((9, 2))
    y[4, 1] = np.inf
    with pytest.raises(UnreadableError, match="unit 1 to the stimulus at index 4 is infinite"):
        check_values(y, "gaussian")
    y[4, 1] = -0.5
    check_values(y, "gaussian")
    with pytest.raises(UnreadableError, match=r"unit 1 to the stimulus at index 4 is -0\.5"):
        check_values(y, "poisson")
