"""Families without extras: what is extracted has the shape that probe says, a row a picture."""

import numpy as np
import pytest
import torch

from bids_dnn.features.capture import capture
from bids_dnn.features.models import ecoset, load_network
from bids_dnn.features.probe import probe

pytestmark = pytest.mark.whole

OWN = """
from torch import nn
card = {"size_px": 16, "layers": ("tokens", "fc")}
class Tokens(nn.Module):
    def forward(self, x):  # the batch is the second axis
        return x.flatten(2).permute(2, 0, 1)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.fc = Tokens(), nn.Linear(3, 2)
    def forward(self, x):
        return self.fc(self.tokens(x)).mean(0)
def factory():
    return Net()
"""
NAMES = {
    "torchvision:squeezenet1_1": ("features.0", "features.1", "classifier.3"),
    "swin_t": ("features.1", "features.3:mean", "head"),
    "vit_b_32": ("block0", "block11:mean", "encoder.ln:class"),  # the fresh head is all 0
    "inception_v1": ("conv2d0", "mixed3a_1x1_pre_relu", "mixed5b:mean"),
    "cornet:z": ("V1", "IT:mean", "decoder.linear"),
    "cornet:rt": ("V1:visit(0)", "V1", "IT:at(0,0;6,6)"),
    "ecoset:small": ("features.0", "classifier.3"),
    "lowlevel:pixels": ("rgb", "luminance:mean"),
    "lowlevel:gabor": ("energy8:at(0,7)", "linear16:mean", "linear", "logenergy"),
    "own": ("tokens", "fc"),
}


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_pictures_and_columns_as_probe_says(name, tmp_path, monkeypatch, rng):
    if name == "own":
        (tmp_path / "own.py").write_text(OWN)
    monkeypatch.setitem(ecoset.MEMBERS, "small", ecoset.Member("squeezenet1_1", "https://x.org/"))
    network = load_network(
        f"{tmp_path}/own.py:factory" if name == "own" else name,
        weights="random",
        layers=NAMES[name],
        seed=0,
    )
    probed = probe(network, network.card.layers)
    size = network.card.size_px
    pictures = torch.from_numpy(rng.normal(size=(3, 3, size, size)).astype("f4"))
    found = capture(network, pictures, probed, precision="float32")
    assert list(found) == list(NAMES[name])
    assert {one.layer.name: (3, one.n_features) for one in probed} == {
        layer: tuple(values.shape) for layer, values in found.items()
    }
    turned = capture(network, pictures[[2, 0, 1]], probed, precision="float32")
    for layer, values in found.items():
        assert not torch.equal(values[0], values[1]), layer
        # Convolutions may add up in another order for another place in the batch.
        np.testing.assert_allclose(turned[layer], values[[2, 0, 1]], rtol=1e-3, atol=1e-4)
