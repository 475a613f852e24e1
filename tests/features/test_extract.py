"""features.extract: known answers, laws, refusals."""

import numpy as np
import pytest

from bids_dnn.errors import ConfigError, NotEnoughDataError, ShapeError
from bids_dnn.features.extract import (
    Options,
    Read,
    Shown,
    extract_features,
    extract_grams,
    passes_of,
)
from bids_dnn.features.identity import identity_of
from bids_dnn.features.probe import probe
from tests.factories.loaders import wide
from tests.factories.networks import photos, small_network
from tests.factories.towers import tokenize, towers

LAYERS = ("2", "0", "5")


@pytest.fixture
def shown(rng):
    return photos(rng, 11)


def inputs(shown):
    return Shown({name: f"hash of {name}" for name in shown}, shown.__getitem__)


def grams(shown, tmp_path, **given):
    options = Options(batch_size=given.pop("batch_size", 4))
    given = {"layers": LAYERS, "options": options, "scratch": tmp_path, **given}
    return extract_grams(small_network(), inputs(shown), **given)


def features(shown, network=None, layers=LAYERS, **options):
    network = network or small_network()
    made = passes_of(network, inputs(shown), probe(network, layers), options=Options(**options))
    return extract_features(made)


def test_passes_know_their_size_before_anything_is_computed(shown):
    network = small_network()
    asked = []
    given = Shown(dict.fromkeys(shown, ""), asked.append)
    made = passes_of(network, given, probe(network, ["5", "0:mean"]), options=Options())
    assert (made.n, made.widths, made.batch_size) == (11, {"5": 5, "0:mean": 4}, 0)
    assert not asked


def test_the_batch_size_that_was_found_is_told(shown):
    network = small_network()
    made = passes_of(network, inputs(shown), probe(network, LAYERS), options=Options())
    extract_features(made)
    assert made.batch_size == 32


@pytest.mark.parametrize("mode", ["disk", "recompute"])
def test_grams_are_the_product_of_the_features(shown, tmp_path, mode):
    found = features(shown, batch_size=4)
    for made, layer in zip(grams(shown, tmp_path, mode=mode), LAYERS, strict=True):
        x = found[layer].astype(float)
        assert (made.network, made.layer, made.n_features) == ("small", layer, x.shape[1])
        assert made.stimuli == tuple(shown)
        np.testing.assert_allclose(made.gram, x @ x.T, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(made.sums, x.sum(axis=1), rtol=1e-9, atol=1e-9)
    assert not list(tmp_path.iterdir())


def test_the_batch_size_hardly_matters(shown, tmp_path):
    for one, other in zip(
        grams(shown, tmp_path), grams(shown, tmp_path, batch_size=50), strict=True
    ):
        np.testing.assert_allclose(one.gram, other.gram, rtol=1e-5)


def test_the_same_call_gives_the_same_bytes(shown, tmp_path):
    one, other = grams(shown, tmp_path), grams(shown, tmp_path)
    assert [g.gram.tobytes() for g in one] == [g.gram.tobytes() for g in other]


def test_the_identity_is_carried_by_the_gram(shown, tmp_path):
    made = grams(shown, tmp_path)[1]
    network, options = small_network(), Options(batch_size=4)
    (probed,) = probe(network, ["0"])
    expected = identity_of(network, probed, inputs(shown), options=options)
    assert made.identity == {**expected, "batch_size_used": "4", "device_name": "cpu"}


def test_the_order_of_pictures_is_that_of_the_rows(shown):
    plain = features(shown)
    turned = features(dict(reversed(shown.items())))
    for layer in LAYERS:
        np.testing.assert_allclose(turned[layer][::-1], plain[layer], atol=1e-6)


def test_workers_and_a_thread_give_the_same_bytes():
    names = [f"p{i:03}" for i in range(80)]
    network = small_network()
    given = Shown(dict.fromkeys(names, ""), wide)
    probed = probe(network, ["2"])
    one, other = (
        extract_features(passes_of(network, given, probed, options=Options(n_workers=n)))["2"]
        for n in (0, 2)
    )
    assert one.tobytes() == other.tobytes()


def read(captions):
    return Read(dict.fromkeys(captions, ""), captions)


def test_features_of_several_captions_are_averaged():
    network = towers()
    captions = {"a": ("a cat", "two cats"), "b": ("a dog",), "c": ("x", "y", "z")}
    probed = probe(network, ["shared:text"])
    made = passes_of(network, read(captions), probed, options=Options(batch_size=2))
    found = extract_features(made)["shared:text"]
    for row, texts in zip(found, captions.values(), strict=True):
        expected = network.read(tokenize(texts)).mean(0)
        np.testing.assert_allclose(row, expected, rtol=1e-5, atol=1e-6)


def test_texts_go_to_gram_matrices_too(tmp_path):
    captions = {"a": ("a cat",), "b": ("a dog",)}
    (made,) = extract_grams(
        towers(), read(captions), layers=["text_norm"], options=Options(), scratch=tmp_path
    )
    assert made.gram.shape == (2, 2)


@pytest.mark.parametrize(
    ("make", "given", "layers", "error", "told"),
    [
        (small_network, inputs({}), ["0"], NotEnoughDataError, "no stimulus to show to small"),
        (towers, read({"a": ()}), ["text_norm"], NotEnoughDataError, "'a' has no caption"),
        (towers, read({"a": ("b",)}), ["conv"], ConfigError, "'conv' of towers is of images"),
        (towers, inputs({"a": 0}), ["text_norm"], ConfigError, "is of texts, but images"),
    ],
)
def test_what_cannot_be_shown_is_refused(make, given, layers, error, told):
    network = make()
    with pytest.raises(error, match=told):
        passes_of(network, given, probe(network, layers), options=Options())


def test_no_such_layer_and_another_shape_are_refused(shown, tmp_path):
    with pytest.raises(ConfigError, match="no layer '8'"):
        grams(shown, tmp_path, layers=["8"])
    shown["p005.png"] = shown["p005.png"][:-1]
    with pytest.raises(ShapeError, match=r"'p005\.png' is a picture of shape \(11, 12, 3\)"):
        grams(shown, tmp_path)
    assert not list(tmp_path.iterdir())


def test_texts_for_a_network_that_reads_none_are_refused():
    network = towers()
    probed = probe(network, ["text_norm"])
    with pytest.raises(ConfigError, match="reads no texts"):
        passes_of(towers(tokenize=None), read({"a": ("b",)}), probed, options=Options())
