"""features.models.torchvision: cards that fit, inputs as the weights want them, refusals."""

import re

import pytest
import torch
import torchvision

from bids_dnn.errors import ConfigError, MissingInputError
from bids_dnn.features.layers import resolve_layers
from bids_dnn.features.models import card_of, load_network
from bids_dnn.features.models import torchvision as family
from bids_dnn.features.models.cards_torchvision import RULES
from bids_dnn.features.probe import probe

QUICK = {
    *("alexnet", "vgg11", "vgg11_bn", "vgg19", "resnet18", "resnext50_32x4d", "wide_resnet50_2"),
    *("googlenet", "inception_v1", "inception_v3", "densenet121", "mobilenet_v2"),
    *("mobilenet_v3_large", "mobilenet_v3_small", "efficientnet_b0", "efficientnet_v2_s"),
    *("convnext_tiny", "vit_b_16", "vit_h_14", "swin_t", "swin_v2_t", "squeezenet1_0"),
    *("squeezenet1_1", "shufflenet_v2_x0_5", "mnasnet0_5", "regnet_x_400mf", "maxvit_t"),
}


def empty(name, monkeypatch):
    """Return a network that has shapes, but no memory."""
    card = card_of(name)
    real = torchvision.models.get_model
    monkeypatch.setattr(
        torchvision.models,
        "get_model",
        lambda *args, **options: real(
            *args, **options | ({"init_weights": False} if "init_weights" in options else {})
        ),
    )
    with torch.device("cpu" if name.startswith("regnet") else "meta"):
        return card, family.build(name).eval()


def every_network():
    for name in family.names():
        # The sizes of regnets are computed with values, so that they cannot be built empty.
        if not name.startswith("regnet") or name in QUICK:
            yield pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)


@pytest.mark.parametrize("name", list(every_network()))
def test_the_layers_of_the_card_run_in_forward_order(name, monkeypatch):
    card, module = empty(name, monkeypatch)
    layers = resolve_layers(module, card, card.layers)
    assert not card.aliases or resolve_layers(module, card, list(card.aliases))
    shapes = {}

    def note(path, out):
        shapes.setdefault(path, getattr(out, "shape", None))

    for path, part in module.named_modules():
        part.register_forward_hook(lambda _m, _i, out, path=path: note(path, out))
    device = next(module.parameters()).device
    module(torch.zeros(2, 3, card.size_px, card.size_px, device=device))
    ran = list(shapes)
    places = [ran.index(layer.module) for layer in layers]
    assert places == sorted(places)
    assert shapes[card.head].numel() == 2 * len(card.labels) == 2000


@pytest.mark.parametrize("name", family.names())
def test_every_network_has_a_card(name):
    card = card_of(name)
    assert card.name == name
    assert card.layers
    assert card.head
    assert card.reference.endswith(".")
    assert card.doi in card.reference
    assert card.doi.startswith("10.")
    assert card.resize == "squash"


def test_every_rule_is_used():
    for pattern in RULES:
        assert any(re.fullmatch(pattern, name) for name in QUICK), pattern


def test_the_labels_of_imagenet_come_with_torchvision():
    labels = card_of("alexnet").labels
    assert (labels[0], labels[235], labels[999]) == ("tench", "German shepherd", "toilet tissue")


def test_the_card_says_what_the_weights_ask_for():
    assert card_of("efficientnet_b0").interpolation == "bicubic"
    assert card_of("inception_v3").size_px == 299
    assert card_of("vit_h_14").size_px == 518
    assert "CC-BY-NC" in card_of("vit_h_14").license
    assert card_of("vit_l_16/IMAGENET1K_SWAG_E2E_V1").size_px == 512
    assert card_of("vgg16/IMAGENET1K_FEATURES").head == ""  # has no classifier


@pytest.mark.parametrize("name", ["alexnet", "vgg11", "vgg16_bn"])
def test_aliases_say_whether_before_or_after_the_nonlinearity(name, monkeypatch):
    card, module = empty(name, monkeypatch)
    kinds = {"conv": "Conv2d", "relu": "ReLU", "pool": "MaxPool2d", "fc": "Linear"}
    kinds["bn"] = "BatchNorm2d"
    for alias, path in card.aliases.items():
        start = alias.rstrip("0123456789_")
        assert type(module.get_submodule(path)).__name__ == kinds[start], alias


def test_vgg_counts_its_convolutions_as_the_paper():
    aliases = card_of("vgg19").aliases
    assert aliases["conv1_1"] == "features.0"
    assert aliases["conv5_4"] == "features.34"
    assert aliases["relu5_4"] == "features.35"
    assert card_of("vgg16_bn").aliases["relu5_3"] == "features.42"


def test_names_of_the_original_inception_are_aliases(monkeypatch):
    card, module = empty("inception_v1", monkeypatch)
    for alias, n_channels in {
        "conv2d0": 64,
        "mixed3a": 256,
        "mixed4a_3x3_bottleneck": 96,
        "mixed4c_5x5": 64,
        "mixed5b_pool_reduce": 128,
    }.items():
        path = card.aliases[alias]
        parts = [
            part for part in module.get_submodule(path).modules() if hasattr(part, "num_features")
        ]
        if alias.startswith("mixed") and "_" not in alias:  # four branches, side by side
            branches = module.get_submodule(path).children()
            total = sum(
                [p.num_features for p in branch.modules() if hasattr(p, "num_features")][-1]
                for branch in branches
            )
            assert total == n_channels
        else:
            assert parts[-1].num_features == n_channels
    assert card.aliases["mixed4a_1x1_pre_relu"] == "inception4a.branch1.bn"


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_pictures_are_normalized_as_with_trained_weights(name, rng):
    """torchvision turns one normalization into another where it loads weights itself."""
    torch.manual_seed(0)
    real = torchvision.models.get_model(name, weights=None, init_weights=False).eval()
    real.transform_input = True
    ours = torchvision.models.get_model(name, weights=None, init_weights=False).eval()
    ours.load_state_dict(real.state_dict())
    picture = torch.from_numpy(rng.random((1, 3, 80, 80), dtype="f4"))
    asked = torchvision.models.get_model_weights(name).DEFAULT.transforms()
    card = card_of(name)

    def normalized(mean, sd):
        return (picture - torch.tensor(mean)[:, None, None]) / torch.tensor(sd)[:, None, None]

    with torch.inference_mode():
        expected = real(normalized(asked.mean, asked.std))
        found = ours(normalized(card.mean, card.sd))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_a_layer_is_extracted_with_the_shape_that_probe_says(rng):
    network = load_network("squeezenet1_1", weights="random", layers=["features.1"], seed=0)
    (found,) = probe(network, network.card.layers)
    assert (found.shape, found.n_features) == ((64, 111, 111), 64 * 111 * 111)
    picture = torch.from_numpy(rng.normal(size=(1, 3, 224, 224)).astype("f4"))
    with torch.inference_mode():
        assert network.module.features[:2](picture).shape[1:] == found.shape


def test_a_network_that_is_newer_than_our_rules_has_its_stages(monkeypatch):
    monkeypatch.setattr(family, "sheet_of", lambda _: None)
    card = card_of("resnet18")
    assert card.layers == (
        *("conv1", "bn1", "relu", "maxpool", "layer1.0", "layer1.1", "layer2.0", "layer2.1"),
        *("layer3.0", "layer3.1", "layer4.0", "layer4.1", "avgpool", "fc"),
    )
    assert card.head == ""


def test_wrong_names_are_met_with_the_nearest():
    with pytest.raises(ConfigError, match=r"'vgg91'.*'vgg19'"):
        card_of("vgg91")
    with pytest.raises(ConfigError, match=r"'IMAGENET_V1' of resnet50.*'IMAGENET1K_V1'"):
        card_of("resnet50/IMAGENET_V1")


def test_the_name_says_which_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(MissingInputError, match=r"resnet50-0676ba61\.pth.*--weights resnet50/"):
        family.find("resnet50/IMAGENET1K_V1", offline=True)
    with pytest.raises(MissingInputError, match=r"resnet50-11ad3fa6\.pth"):
        family.find("resnet50", offline=True)


def old_densenet(key):
    return re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", key)


@pytest.mark.parametrize(
    ("name", "old"),
    [("densenet121", old_densenet), ("mnasnet0_5", str), ("shufflenet_v2_x0_5", str)],
)
def test_published_files_go_in_under_names_of_their_time(name, old, tmp_path, monkeypatch):
    """DenseNet's files have other names than its modules; MnasNet's want to know a version."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    entry = torchvision.models.get_model_weights(name).DEFAULT
    path = tmp_path / "hub" / "checkpoints" / entry.url.rpartition("/")[2]
    path.parent.mkdir(parents=True)
    source = load_network(name, weights="random", layers=None, seed=3)
    state = {old(key): value for key, value in source.module.state_dict().items()}
    assert (list(state) == list(source.module.state_dict())) == (old is str)
    torch.save(state, path)
    monkeypatch.setattr("bids_dnn.features.models.weights._check_hash", lambda _: None)
    for weights in (None, path):
        made = load_network(name, weights=weights, layers=None, seed=0, offline=True)
        assert made.weights == path.name
        assert made.weights_sha256 == source.weights_sha256


def test_published_files_of_vision_transformers_are_renamed():
    with torch.device("meta"):
        state = family.build("vit_b_32").state_dict()
    old = {
        re.sub(r"mlp\.(0|3)\.", lambda found: f"mlp.linear_{1 + int(found[1]) // 3}.", key): value
        for key, value in state.items()
    }
    assert old.keys() != state.keys()
    assert "encoder.layers.encoder_layer_0.mlp.linear_2.bias" in old
    assert list(family.renamed(old)) == list(state)
