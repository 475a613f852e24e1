"""The portrait of a real network over real pictures: labels, faces, and the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat

from bids_dnn.containers.features import FeatureGram
from bids_dnn.features import portrait
from bids_dnn.features.extract import Options, Shown, extract_features, passes_of
from bids_dnn.features.gram import gram_of
from bids_dnn.features.models import load_network
from bids_dnn.features.probe import probe

FACTORY = Path(__file__).parents[1] / "factories" / "darknet.py"
# Where animals stand in Darknet's order of the classes: mammals; birds to frogs; the others.
ANIMALS = (slice(0, 218), slice(382, 501), slice(600, 658))
KINDS = ("nonhuman bodypart", "nonhuman face", "human face")


@pytest.fixture(scope="module")
def darknet(real_data):
    folder = real_data / "darknet_tiny"
    network = load_network(
        f"{FACTORY}:factory",
        weights=folder / "darknet_tiny_state_dict.pt",
        layers=None,
        seed=0,
    )
    names = (folder / "darknet_labels.txt").read_text("utf-8").splitlines()[:1000]
    plain = {"mean": (0.0, 0.0, 0.0), "sd": (1.0, 1.0, 1.0)}
    card = replace(network.card, head="flat", labels=tuple(names), **plain)
    return replace(network, card=card)


@pytest.fixture(scope="module")
def made(real_data, darknet):
    stored = loadmat(
        real_data / "images92" / "Kriegeskorte_Neuron2008_supplementalData.mat",
        simplify_cells=True,
    )["stimuli_92objs"]
    kinds, pictures = {}, {}
    for i, one in enumerate(stored):
        if one["category"] in KINDS:
            kinds[f"{i:02}.png"] = one["category"]
            picture = Image.fromarray(np.asarray(one["image"], np.uint8))
            pictures[f"{i:02}.png"] = np.asarray(
                picture.resize((224, 224), Image.Resampling.BILINEAR)
            )
    shown = Shown(dict.fromkeys(pictures, ""), pictures.__getitem__)
    probed = probe(darknet, ["conv2d_12", "relu_15"])
    heads = probe(darknet, portrait.head_layers(darknet.card))
    passes = passes_of(darknet, shown, [*probed, *heads], options=Options(batch_size=12))
    found = extract_features(passes)
    grams = [
        FeatureGram(
            tuple(pictures), "darknet", one.layer.name, gram_of(values), one.n_features, {}
        )
        for one in probed
        for values in [found[one.layer.name]]
    ]
    labels = portrait.labels_of(found["flat"], card=darknet.card, stimuli=tuple(pictures))
    return portrait.portray(
        darknet, probed, shown, grams, labels=labels, categories=kinds, example="40.png"
    )


@pytest.mark.real
def test_animals_are_named_as_animals(made, darknet):
    names = darknet.card.labels
    animals = {name for part in ANIMALS for name in names[part]}
    shown = dict(zip(made.order, made.categories, strict=True))
    right = {
        kind: [made.labels[n][0] in animals for n in shown if shown[n] == kind] for kind in KINDS
    }
    assert {kind: sum(found) for kind, found in right.items()} == {
        "nonhuman bodypart": 11,
        "nonhuman face": 12,
        "human face": 0,
    }
    assert made.labels["40.png"][0] == "German shepherd"
    assert made.labels["40.png"][1] == pytest.approx(0.869, abs=0.01)


@pytest.mark.real
def test_human_faces_are_alike_in_late_layers(made):
    is_face = np.array(made.categories) == "human face"
    for layer in ("conv2d_12", "relu_15"):
        ranks = made.rdms[layer]
        assert ranks[np.ix_(is_face, is_face)].mean() < 0.15
        assert ranks[np.ix_(is_face, ~is_face)].mean() > 0.5
        assert 5 < made.dimensionality[layer] < len(made.order)


@pytest.mark.real
def test_the_dog_drives_late_maps_where_it_is(made):
    """The dog's face fills the middle and the right; the upper left corner is grey."""
    assert made.filters.shape == (16, 3, 3, 3)
    maps = made.activations["relu_15"]
    assert maps.values.shape == (8, 14, 14)
    assert maps.n_all == 128
    energy = np.abs(maps.values - np.median(maps.values, axis=(1, 2), keepdims=True)).mean(0)
    assert energy[4:11, 4:11].mean() > 1.5 * energy[:3, :3].mean()
