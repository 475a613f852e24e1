"""features.extract: known answers, laws, refusals."""

import shutil
from collections import namedtuple

import numpy as np
import pytest

from bids_dnn.errors import (
    ConfigError,
    NotEnoughDataError,
    OutputError,
    ShapeError,
    UnreadableError,
)
from bids_dnn.features import extract
from bids_dnn.features.extract import extract_features, extract_grams, identity_of
from tests.factories.networks import pictures, small_network

LAYERS = ("2", "0", "5")


@pytest.fixture
def shown(rng):
    return pictures(rng, 11)


def hashes(shown):
    return {name: f"hash of {name}" for name in shown}


def grams(shown, tmp_path, **options):
    given = {"layers": LAYERS, "device": "cpu", "scratch": tmp_path, "batch_size": 4, **options}
    return extract_grams(small_network(), hashes(shown), shown.__getitem__, **given)


def test_grams_are_the_product_of_the_features(shown, tmp_path):
    features = extract_features(
        small_network(), list(shown), shown.__getitem__, layers=LAYERS, device="cpu", batch_size=4
    )
    for made, layer in zip(grams(shown, tmp_path), LAYERS, strict=True):
        x = features[layer].astype(float)
        assert (made.network, made.layer, made.n_features) == ("small", layer, x.shape[1])
        assert made.stimuli == tuple(shown)
        np.testing.assert_allclose(made.gram, x @ x.T, rtol=1e-9, atol=1e-9)


def test_features_are_those_of_one_batch(shown):
    from bids_dnn.features.capture import capture

    network = small_network()
    whole = capture(network.module, np.stack(list(shown.values())), layers=LAYERS)
    made = extract_features(
        network, list(shown), shown.__getitem__, layers=LAYERS, device="cpu", batch_size=3
    )
    for layer in LAYERS:
        np.testing.assert_allclose(made[layer], whole[layer], atol=1e-6)


def test_the_batch_size_does_not_matter(shown, tmp_path):
    for one, other in zip(
        grams(shown, tmp_path), grams(shown, tmp_path, batch_size=50), strict=True
    ):
        np.testing.assert_allclose(one.gram, other.gram, rtol=1e-5)


def test_the_same_call_gives_the_same_bytes_and_leaves_no_scratch(shown, tmp_path):
    one, other = grams(shown, tmp_path / "a"), grams(shown, tmp_path / "a")
    assert [g.gram.tobytes() for g in one] == [g.gram.tobytes() for g in other]
    assert not list((tmp_path / "a").iterdir())


def test_scratch_is_removed_after_an_error_too(shown, tmp_path):
    shown["p005.png"] = shown["p005.png"][:, :-1]
    with pytest.raises(ShapeError, match=r"'p005\.png' has shape \(3, 11, 12\)"):
        grams(shown, tmp_path)
    assert not list(tmp_path.iterdir())


def test_progress_is_told(shown, tmp_path):
    told = []
    grams(shown, tmp_path, progress=lambda done, n: told.append((done, n)))
    assert told == [(4, 11), (8, 11), (11, 11)]


def test_too_little_room_is_refused_before_it_is_filled(shown, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(extract.shutil, "disk_usage", lambda _: usage(10, 9, 1))
    with pytest.raises(OutputError, match=r"need 0\.0 GB .* 0\.0 GB left"):
        grams(shown, tmp_path)
    assert shutil.disk_usage(tmp_path).free == 1


def test_a_folder_that_cannot_be_written_is_refused(shown, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        grams(shown, tmp_path / "file")


def test_no_stimulus_and_no_such_layer_are_refused(shown, tmp_path):
    with pytest.raises(NotEnoughDataError, match="no stimulus"):
        grams({}, tmp_path)
    with pytest.raises(ConfigError, match="no layer '8'"):
        grams(shown, tmp_path, layers=["8"])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_are_refused(shown, tmp_path, value):
    shown["p005.png"] = np.full_like(shown["p005.png"], value)
    with pytest.raises(
        UnreadableError, match=r"Layer '2' of small answers 'p005\.png' with 384 NaN"
    ):
        grams(shown, tmp_path)
    with pytest.raises(UnreadableError, match=r"'p005\.png'"):
        extract_features(
            small_network(), list(shown), shown.__getitem__, layers=LAYERS, device="cpu"
        )
    assert not list(tmp_path.iterdir())


def test_identity_tells_all_that_the_numbers_depend_on(shown):
    network, names = small_network(), hashes(shown)
    base = identity_of(network, "0", names, device="cpu")
    assert base == identity_of(small_network(), "0", dict(names), device="cpu")
    others = [
        identity_of(network, "2", names, device="cpu"),
        identity_of(network, "0", names, device="cuda"),
        identity_of(small_network(seed=1), "0", names, device="cpu"),
        identity_of(small_network(size_px=16), "0", names, device="cpu"),
        identity_of(network, "0", {**names, "p003.png": "other bytes"}, device="cpu"),
        identity_of(network, "0", dict(reversed(names.items())), device="cpu"),
    ]
    assert all(other != base for other in others)
    assert all(isinstance(value, str) for value in base.values())


def test_the_identity_is_carried_by_the_gram(shown, tmp_path):
    made = grams(shown, tmp_path)[1]
    assert made.identity == identity_of(
        small_network(), "0", hashes(shown), device="cpu", batch_size=4
    )
