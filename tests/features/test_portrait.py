"""features.portrait: known answers, laws, refusals, and towers that read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist, squareform
from scipy.stats import rankdata

from bids_dnn.containers.features import FeatureGram
from bids_dnn.containers.network import Card
from bids_dnn.containers.portrait import NetworkFacts
from bids_dnn.errors import NotEnoughDataError, ShapeError
from bids_dnn.features import portrait
from bids_dnn.features.inputs import Read, Shown
from bids_dnn.features.probe import probe
from tests.factories.networks import small_network

IDS = tuple(f"p{i}.png" for i in range(6))
IDENTITY = {"precision": "float32", "device": "cpu", "batch_size_used": "4"}


def make_grams(rng, layers=("0", "2"), ids=IDS):
    made = []
    for layer in layers:
        x = rng.normal(size=(len(ids), 9)) + 3
        made.append(FeatureGram(ids, "mine", layer, x @ x.T, 9, {"layer": layer} | IDENTITY))
    return made


def make_shown(rng, size_px=12, dtype=np.uint8):
    pictures = {name: rng.integers(0, 256, (size_px, size_px, 3), np.uint8) for name in IDS}
    if dtype != np.uint8:
        pictures = {name: (one / 255).astype(dtype) for name, one in pictures.items()}
    return Shown(dict.fromkeys(IDS, "ab"), pictures.__getitem__, ("grey()",))


# --- labels


def test_labels_are_the_softmax(rng):
    card = Card("net", (), head="fc", labels=tuple("abcd"))
    logits = rng.normal(size=(6, 4)).astype(np.float32) * 100  # large ones do not overflow
    found = portrait.labels_of(logits, card=card, stimuli=IDS)
    expected = torch.softmax(torch.from_numpy(logits).double(), 1).max(1)
    assert [label for label, _ in found.values()] == ["abcd"[i] for i in expected.indices]
    np.testing.assert_allclose([p for _, p in found.values()], expected.values, atol=1e-11)


def test_labels_refuse_another_head():
    card = Card("net", (), head="fc", labels=("a", "b"))
    with pytest.raises(ShapeError, match=r"'fc' of net puts out \(3, 5\); \(3, 2\)"):
        portrait.labels_of(np.zeros((3, 5)), card=card, stimuli=IDS[:3])


# --- dissimilarities


def test_ranks_agree_with_scipy(rng):
    x = rng.normal(size=(8, 30)) + 5
    found = portrait.ranked_rdm(x @ x.T, np.arange(8))
    ranks = rankdata(pdist(x - x.mean(axis=0), "cosine")) - 1
    np.testing.assert_allclose(found, squareform(ranks / ranks.max()), atol=1e-6)


def test_ranks_follow_the_order_of_the_rows(rng):
    x = rng.normal(size=(8, 30))
    rows = np.array([5, 1, 6])
    some = portrait.ranked_rdm(x @ x.T, rows)
    swapped = portrait.ranked_rdm(x @ x.T, rows[::-1].copy())
    np.testing.assert_array_equal(some, swapped[::-1, ::-1])
    assert set(some[np.triu_indices(3, 1)]) == {0.0, 0.5, 1.0}


def test_a_stimulus_that_is_the_mean_has_no_distance():
    x = np.array([[1.0, 0], [-1, 0], [0, 2], [0, -2], [0, 0]])
    found = portrait.ranked_rdm(x @ x.T, np.arange(5))
    assert np.isnan(found[4, :4]).all()
    assert np.isfinite(found[:4, :4]).all()


def test_thinning_keeps_the_shares_of_categories():
    ids = [f"{i:04}" for i in range(5000)]
    kinds = {name: ("face" if int(name) % 5 else "house") for name in ids}
    order = portrait.order_of(ids, kinds)
    assert len(order) == len(set(order)) == portrait.MOST_STIMULI
    shown = [kinds[name] for name in order]
    assert shown == sorted(shown, key=["house", "face"].index)  # as they first come
    assert shown.count("face") == pytest.approx(80, abs=1)


# --- the whole


def test_a_portrait_holds_what_a_page_shows(rng):
    network = small_network()
    probed = probe(network, ["0", "2"])
    shown = make_shown(rng)
    kinds = dict.fromkeys(IDS[::2], "face")
    given = {
        "labels": dict.fromkeys(IDS, ("cat", 0.5)),
        "categories": kinds,
        "examples": {"picture": shown.load(IDS[0]), "grey()": np.full((12, 12, 3), 1.2)},
    }
    grams = make_grams(rng)
    made = portrait.portray(network, probed, shown, iter(grams), **given)
    assert made.facts.name == "mine"
    assert made.facts.batch_size == 4
    assert made.facts.layers[0].shape == (4, 10, 10)
    assert made.facts.transforms == ("grey()",)
    assert made.order == IDS[::2] + IDS[1::2]
    assert made.categories == ("face",) * 3 + ("",) * 3
    assert made.example == IDS[0]
    assert made.examples["grey()"].max() == 255
    assert list(made.activations) == list(made.rdms) == ["0", "2"]
    k = grams[0].gram
    k = k - k.mean(0) - k.mean(1)[:, None] + k.mean()
    assert made.dimensionality["0"] == pytest.approx(np.trace(k) ** 2 / (k**2).sum())
    again = portrait.portray(network, probed, shown, grams, **given)
    np.testing.assert_array_equal(again.activations["2"].values, made.activations["2"].values)


def test_a_network_that_reads_has_a_caption_and_no_pictures(rng):
    network = small_network()
    probed = [replace(one, modality="text") for one in probe(network, ["0", "2"])]
    read = Read(dict.fromkeys(IDS, "ab"), dict.fromkeys(IDS, ("a dog", "a lawn")))
    made = portrait.portray(network, probed, read, make_grams(rng))
    assert made.facts.modality == "text"
    assert made.facts.size_px == 0
    assert made.caption == "a dog / a lawn"
    assert made.filters is None
    assert not made.activations
    assert not made.examples
    assert len(made.rdms) == 2


def test_two_stimuli_have_no_rdm(rng):
    made = portrait.portray_grams(NetworkFacts("net"), make_grams(rng, ids=IDS[:2]))
    assert made.rdms == {}
    assert made.n_stimuli == 2


def test_ready_features_are_told_by_their_grams(rng):
    facts = NetworkFacts("net", network="features:x.npy", modality="")
    made = portrait.portray_grams(facts, make_grams(rng))
    assert [(one.name, one.n_features) for one in made.facts.layers] == [("0", 9), ("2", 9)]


def test_no_gram_is_refused():
    with pytest.raises(NotEnoughDataError, match="no Gram matrix of net"):
        portrait.portray_grams(NetworkFacts("net"), [])
