"""features.models.timm: cards, rows, weights from the hub's cache, refusals."""

import sys

import pytest
import timm
import torch
from safetensors.torch import save_file

from bids_dnn.errors import ConfigError, MissingInputError, ShapeError, UnreadableError
from bids_dnn.features.models import card_of, find_file, load_network
from bids_dnn.features.models import timm as family
from tests.factories.hub import snapshot
from tests.factories.rows import check_rows, shown

VIT, RESNET = "timm:test_vit", "timm:test_resnet"  # timm's own, of a few channels


def random(name, layers=None):
    return load_network(name, weights="random", layers=layers, seed=0)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    return tmp_path


def no_network(*_args, **_options):
    raise OSError("Name or service not known")


def test_a_card_says_what_the_published_weights_ask_for():
    card = card_of("timm:vit_tiny_patch16_224.augreg_in21k_ft_in1k")
    told = timm.get_pretrained_cfg("vit_tiny_patch16_224.augreg_in21k_ft_in1k")
    assert (card.mean, card.sd) == (told.mean, told.std) == ((0.5,) * 3, (0.5,) * 3)
    assert (card.size_px, card.resize, card.interpolation) == (224, "center-crop", "bicubic")
    assert card.layers == (*(f"blocks.{i}" for i in range(12)), "head")
    assert (card.license, card.head) == (told.license or "", "head")
    assert len(card.labels) == 1000
    assert card.labels[0].startswith("tench")


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("test_resnet", ("act1", "layer1", "layer2", "layer3", "layer4", "fc")),
        ("test_convnext", ("stages.0", "stages.1", "stages.2", "stages.3", "head.fc")),
    ],
)
def test_the_layers_by_default_are_stages_and_classifier(name, layers):
    assert card_of(f"timm:{name}").layers == layers


def test_labels_are_only_those_of_imagenet():
    card = card_of("timm:vit_tiny_patch16_224.augreg_in21k")
    assert (card.head, card.labels) == ("", ())
    assert card.layers[-1] == "head"
    two = card_of("timm:deit_tiny_distilled_patch16_224")
    assert (two.head, two.layers[-1]) == ("", "blocks.11")


def test_a_paper_is_named_where_timm_names_one():
    if not timm.is_model("starnet_s1"):
        pytest.skip("an older timm")
    card = card_of("timm:starnet_s1.in1k")
    assert card.doi == "10.48550/arXiv.2403.19967"
    assert "Rewrite the Stars, arXiv:2403.19967" in card.reference


def test_rows_of_a_transformer_are_stimuli():
    network = random(VIT)
    names = ["blocks.0", "blocks.3:class", "blocks.5:mean", "norm:all", "patch_embed", "head"]
    probed, made = check_rows(network, shown(network), names)
    n_tokens, width = probed["blocks.0"].shape
    assert n_tokens == 1 + (network.card.size_px // 16) ** 2
    assert probed["blocks.3:class"].n_features == probed["blocks.5:mean"].n_features == width
    tokens = made["norm:all"].reshape(-1, n_tokens, width)
    ahead = network.module.forward_features(shown(network))
    torch.testing.assert_close(tokens, ahead, atol=1e-5, rtol=1e-5)


def test_the_class_token_is_the_first_one_and_the_mean_leaves_it_out():
    network = random(VIT)
    _, made = check_rows(network, shown(network), ["norm", "norm:class", "norm:mean", "blocks.2"])
    tokens = made["norm"].reshape(5, -1, made["norm:class"].shape[1])
    torch.testing.assert_close(made["norm:class"], tokens[:, 0])
    torch.testing.assert_close(made["norm:mean"], tokens[:, 1:].mean(1))


def test_rows_of_a_convolutional_network_are_stimuli():
    network = random(RESNET)
    names = ["layer1", "layer3:mean", "layer4:at(0,0)", "fc"]
    probed, made = check_rows(network, shown(network), names)
    torch.testing.assert_close(made["fc"], network.module(shown(network)), atol=1e-5, rtol=1e-5)
    assert probed["layer3:mean"].n_features == probed["layer3:mean"].shape[0]


def test_random_weights_follow_the_seed():
    hashes = {
        load_network(VIT, weights="random", layers=None, seed=seed).weights_sha256
        for seed in (0, 0, 1)
    }
    assert len(hashes) == 2


def test_published_weights_come_from_the_cache_of_the_hub(home):
    source = random(VIT).module
    with torch.no_grad():
        source.head.bias.fill_(7.0)
    folder = snapshot(home, "timm/test_vit.r160_in1k")
    save_file(source.state_dict(), folder / "model.safetensors")
    made = load_network(VIT, weights=None, layers=None, seed=1, offline=True)
    assert made.weights == "timm/test_vit.r160_in1k/model.safetensors"
    assert find_file(VIT, offline=True) == folder / "model.safetensors"
    for key, value in source.state_dict().items():
        torch.testing.assert_close(made.module.state_dict()[key], value, rtol=0, atol=0)


def test_cut_weights_are_refused(home):
    folder = snapshot(home, "timm/test_vit.r160_in1k")
    save_file(random(VIT).module.state_dict(), folder / "model.safetensors")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableError, match=r"model\.safetensors"):
        load_network(VIT, weights=None, layers=None, seed=0, offline=True)


def test_weights_of_another_network_are_refused(home):
    folder = snapshot(home, "timm/test_vit.r160_in1k")
    save_file(random(RESNET).module.state_dict(), folder / "model.safetensors")
    with pytest.raises(
        ShapeError, match=r"model\.safetensors does not fit timm:test_vit.*cls_token"
    ):
        load_network(VIT, weights=None, layers=None, seed=0, offline=True)
    state = {key: one.to(torch.int8) for key, one in random(VIT).module.state_dict().items()}
    save_file(state, folder / "model.safetensors")
    with pytest.raises(ShapeError, match=r"model\.safetensors .* has 'cls_token' as int8"):
        load_network(VIT, weights=None, layers=None, seed=0, offline=True)


@pytest.mark.parametrize("offline", [True, False])
def test_absent_weights_are_told_with_file_folder_and_command(home, monkeypatch, offline):
    monkeypatch.setattr("huggingface_hub.snapshot_download", no_network)
    with pytest.raises(MissingInputError) as caught:
        load_network(VIT, weights=None, layers=None, seed=0, offline=offline)
    told = str(caught.value)
    for part in ("model.safetensors", str(home / "hub"), "HF_HOME", "hf download timm/test_vit"):
        assert part in told
    assert f"--weights {VIT}=PATH" in told
    assert ("this run is offline" if offline else "Name or service not known") in told


def test_weights_of_a_file_go_in(tmp_path):
    source = random(VIT)
    save_file(source.module.state_dict(), tmp_path / "w.safetensors")
    made = load_network(VIT, weights=tmp_path / "w.safetensors", layers=None, seed=9)
    assert made.weights_sha256 == source.weights_sha256


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("tset_vit", "'tset_vit'.*'test_vit'"),
        ("test_vit.r160_in1", "no weights 'r160_in1'.*'r160_in1k'"),
    ],
)
def test_wrong_names_are_met_with_the_nearest(name, told):
    with pytest.raises(ConfigError, match=told):
        card_of(f"timm:{name}")


def test_networks_of_oblong_pictures_are_refused(monkeypatch):
    told = {**timm.get_pretrained_cfg("test_vit").to_dict(), "input_size": (3, 1024, 768)}
    monkeypatch.setattr(family, "_asked", lambda _name: told)
    with pytest.raises(ConfigError, match="timm:test_vit takes 3 x 1024 x 768"):
        card_of(VIT)


def test_what_timm_never_published_needs_a_file():
    with pytest.raises(ConfigError, match=r"no weights of botnet50ts_256.*=random"):
        family.trained("botnet50ts_256", offline=True)


@pytest.mark.parametrize("name", ["timm", "open_clip", "transformers"])
def test_a_missing_extra_is_told_with_the_line_to_type(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingInputError) as caught:
        card_of({"timm": VIT, "open_clip": "open_clip:RN50"}.get(name, "transformers:a/b"))
    assert str(caught.value).endswith(f"Type: pip install 'bids_dnn[{name}]'")
