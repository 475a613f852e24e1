"""containers.features: rows by stimulus id."""

import numpy as np
import pytest

from bids_dnn.containers.features import FeatureGram, FeatureValues, ShownMaps
from bids_dnn.errors import MissingInputError, ShapeError


def test_take_follows_the_ids(rng):
    x = rng.normal(size=(3, 5))
    gram = FeatureGram(("a", "b", "c"), "net", "layer", x @ x.T, 5, {})
    chosen = x[[2, 0]]
    np.testing.assert_allclose(gram.take(["c", "a"]), chosen @ chosen.T)


def test_a_stimulus_without_features_is_named():
    gram = FeatureGram(("a",), "net", "layer", np.eye(1), 5, {})
    with pytest.raises(MissingInputError, match=r"1 stimuli have no features of net.*'b'"):
        gram.take(["a", "b"])
    maps = FeatureValues(("c", "a"), "net", "layer", np.zeros((2, 1, 3, 3), dtype=np.float32), {})
    assert maps.rows_of(["a", "c"]).tolist() == [1, 0]
    for ask in (maps.rows_of, maps.take):
        with pytest.raises(MissingInputError, match=r"1 stimuli have no features of net.*'b'"):
            ask(["a", "b"])


@pytest.mark.parametrize("shape", [(3, 6), (3, 1, 2, 3)])
def test_features_are_taken_as_columns_in_the_order_that_is_asked_for(rng, shape):
    x = rng.normal(size=shape).astype(np.float32)
    values = FeatureValues(("a", "b", "c"), "net", "layer", x, {})
    assert values.is_map == (len(shape) == 4)
    np.testing.assert_array_equal(values.take(["c", "a"]), x.reshape(3, 6)[[2, 0]])
    assert np.shares_memory(values.take(["a", "b", "c"]), x)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match=r"\(2, 2\).*1 stimuli"):
        FeatureGram(("a",), "net", "layer", np.eye(2), 5, {})
    with pytest.raises(ShapeError, match=r"1 stimulus id"):
        FeatureGram(("a", "a"), "net", "layer", np.eye(2), 5, {})
    for shape in ((3, 4), (2,), (2, 3, 4)):
        with pytest.raises(ShapeError, match=r"values have shape.*2 stimuli"):
            FeatureValues(("a", "b"), "net", "layer", np.zeros(shape, dtype=np.float32), {})


def test_a_layer_without_features_is_refused():
    with pytest.raises(ShapeError, match=r"'conv1' of net has no feature: n_features is 0"):
        FeatureGram(("a", "b"), "net", "conv1", np.zeros((2, 2)), 0, {})
    for shape in ((2, 0), (2, 0, 3, 3), (2, 4, 0, 3), (2, 4, 3, 0)):
        with pytest.raises(ShapeError, match=r"'conv1' of net has no feature: values have shape"):
            FeatureValues(("a", "b"), "net", "conv1", np.zeros(shape, dtype=np.float32), {})


def test_sums_have_one_value_for_each_stimulus():
    with pytest.raises(ShapeError, match=r"\(3,\), but there are 2 stimuli"):
        FeatureGram(("a", "b"), "net", "layer", np.eye(2), 5, {}, sums=np.zeros(3))
    known = FeatureGram(("a", "b"), "net", "layer", np.eye(2), 5, {}, sums=np.ones(2))
    np.testing.assert_array_equal(known.sums, [1, 1])


def test_pictures_to_be_shown_are_square_and_of_8_bits():
    pictures = np.zeros((2, 4, 4, 3), dtype=np.uint8)
    made = ShownMaps(("a", "b"), "net", "layer", pictures, lambda shown: shown)
    assert made.size_px == 4
    assert made.rows_of(["b"]).tolist() == [1]
    for bad in (pictures[:1], pictures[:, 1:], pictures.astype(np.float32), pictures[0]):
        with pytest.raises(ShapeError, match=r"2 stimuli"):
            ShownMaps(("a", "b"), "net", "layer", bad, lambda shown: shown)
