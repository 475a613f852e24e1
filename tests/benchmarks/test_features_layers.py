"""benchmarks.features_layers: answers are compared before times."""

import pytest
import torch
import torchvision

from benchmarks import features_layers
from benchmarks.features_layers import check, make_case, run
from tests.factories.networks import small_network

SMALL = {"n_pictures": 6, "batch": 4, "device": "cpu"}


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(features_layers, "LAYERS", ("1", "2", "5"))
    monkeypatch.setattr(features_layers, "make_network", small_network)
    monkeypatch.setattr(features_layers, "SIZES", {("small", "cpu"): (6, 4)})


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_both_answers_agree(precision):
    check(make_case(small_network(), precision=precision, **SMALL))


def test_other_features_are_refused(monkeypatch):
    real = features_layers.extract_features
    monkeypatch.setattr(
        features_layers,
        "extract_features",
        lambda passes: {layer: values + 0.1 for layer, values in real(passes).items()},
    )
    with pytest.raises(ArithmeticError, match="1 differs from a plain hook's by"):
        check(make_case(small_network(), precision="float32", **SMALL))


def test_the_rows_tell_what_was_compared():
    rows = run("small", "cpu")
    assert [(row.name, row.target) for row in rows] == [
        ("features_layers[float32,6x4]", 0.9),
        ("features_layers[float32,6x4,pass-per-layer]", 6.0),
    ]


def test_the_layers_are_the_first_of_each_block_after_the_nonlinearity(monkeypatch):
    monkeypatch.undo()
    with torch.device("meta"):
        network = torchvision.models.vgg19(weights=None, init_weights=False)
    paths = features_layers.LAYERS
    kinds = [type(network.get_submodule(path)).__name__ for path in paths]
    assert kinds == ["ReLU"] * 7 + ["Linear"]
    before = [network.get_submodule(f"features.{int(path[9:]) - 1}") for path in paths[:5]]
    assert [one.in_channels for one in before] == [3, 64, 128, 256, 512]
