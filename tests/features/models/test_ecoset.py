"""features.models.ecoset: cards, the number of classes, where weights are looked for."""

import pytest
import torch

from bids_dnn.errors import ConfigError, MissingInputError, ShapeError
from bids_dnn.features.layers import resolve_layers
from bids_dnn.features.models import card_of, load_network
from bids_dnn.features.models import ecoset as family
from bids_dnn.features.probe import probe


@pytest.mark.parametrize("name", family.MEMBERS)
def test_the_card_is_that_of_the_architecture_with_another_training(name):
    card = card_of(f"ecoset:{name}")
    assert card.name == f"ecoset:{name}"
    assert (card.mean[0], card.sd[0]) == (0.485, 0.229)
    assert (card.head, card.labels) == ("", ())
    assert "ImageNet" not in card.reference
    assert card.reference.endswith("doi:10.1073/pnas.2011417118).")


def test_a_layer_is_extracted_and_the_head_has_565_classes():
    network = load_network("ecoset:alexnet", weights="random", layers=["fc8", "conv1"], seed=0)
    found = probe(network, network.card.layers)
    assert [one.shape for one in found] == [(565,), (64, 55, 55)]


def test_layers_of_the_card_exist():
    card = card_of("ecoset:resnet50")
    with torch.device("meta"):
        module = family.build("resnet50")
    assert len(resolve_layers(module, card, card.layers)) == 7
    assert module.fc.out_features == 565


def test_the_weights_are_looked_for_in_torchs_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(
        MissingInputError,
        match=r"vgg16_ecoset\.pth.*osf\.io/z5uf3.*--weights ecoset:vgg16=PATH",
    ):
        load_network("ecoset:vgg16", weights=None, layers=None, seed=0, offline=True)


def test_weights_in_the_cache_go_in_and_those_of_imagenet_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setitem(family.MEMBERS, "small", family.Member("squeezenet1_1", "https://x.org/y"))
    path = tmp_path / "hub" / "checkpoints" / "small_ecoset.pth"
    path.parent.mkdir(parents=True)
    source = load_network("ecoset:small", weights="random", layers=None, seed=3)
    torch.save(source.module.state_dict(), path)
    made = load_network("ecoset:small", weights=None, layers=None, seed=0, offline=True)
    assert made.weights == "small_ecoset.pth"
    assert made.weights_sha256 == source.weights_sha256
    with pytest.raises(ShapeError, match=r"'classifier\.1\.weight' with shape \(565, 512, 1, 1\)"):
        load_network("squeezenet1_1", weights=path, layers=None, seed=0)


def test_a_wrong_name_is_met_with_the_nearest():
    with pytest.raises(ConfigError, match=r"ecoset:vgg19.*'ecoset:vgg16'"):
        card_of("ecoset:vgg19")
