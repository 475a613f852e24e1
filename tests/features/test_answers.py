"""features.answers: each stimulus is answered alone, or the network is refused."""

import pytest
import torch
from torch import nn

from bids_dnn.containers.network import Card, Network
from bids_dnn.errors import ConfigError
from bids_dnn.features.answers import batch_axis, show
from bids_dnn.features.probe import probe

REFUSED = "answers the same two images otherwise when it is shown a third"


def shown(module, layer, size_px=12):
    network = Network(module.eval(), Card("mine", (), size_px=size_px), "", "")
    return probe(network, [layer])[0]


class Stuck(nn.Module):
    """Batch normalization that ignores evaluation mode."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def train(self, mode=True):
        super().train(mode)
        self.norm.train()
        return self

    def forward(self, x):
        return self.norm(self.conv(x))


class Inside(nn.Module):
    """What it returns rests on each picture alone, but a layer does not."""

    def __init__(self, output=None):
        super().__init__()
        self.conv, self.apart, self.output = nn.Conv2d(3, 4, 3), nn.Identity(), output

    def forward(self, x):
        made = self.conv(x)
        self.apart(made - made.mean(0, keepdim=True))
        return self.output or made


@pytest.mark.parametrize("size_px", [12, 64, 96])
@pytest.mark.parametrize("make", [Stuck, lambda: nn.BatchNorm2d(3, track_running_stats=False)])
def test_statistics_over_a_batch_of_large_pictures_are_found_out(make, size_px):
    with pytest.raises(ConfigError, match=REFUSED):
        shown(nn.Sequential(make()), "0", size_px)


@pytest.mark.parametrize("output", [None, object()], ids=["tensor", "no tensor"])
def test_a_layer_that_mixes_the_batch_is_refused_whatever_the_network_returns(output):
    with pytest.raises(ConfigError, match=f"Layer 'apart' of mine {REFUSED}"):
        shown(Inside(output), "apart")
    assert shown(Inside(output), "conv").shape == (4, 10, 10)


def test_the_first_inputs_stay_when_another_comes_and_the_third_is_unlike_them():
    network = Network(nn.Sequential(nn.Identity()), Card("mine", (), size_px=12), "", "")
    two, three = show(network, "image", 2), show(network, "image", 3)
    assert torch.equal(two, three[:2])
    assert three[2].std() > 2 * three[:2].std()


@pytest.mark.parametrize(
    ("two", "three", "axis"),
    [((2, 5), (3, 5), 0), ((5, 2), (5, 3), 1), ((2, 2), (3, 3), None), ((8, 5), (12, 5), None)],
)
def test_the_axis_of_the_batch(two, three, axis):
    assert batch_axis(two, three) == axis


class Broken(nn.Conv2d):
    def forward(self, x):
        return super().forward(x) / self.scale


@pytest.mark.parametrize(
    ("module", "told"),
    [
        (
            nn.Conv2d(1, 4, 3),
            "3 x 12 x 12, raised RuntimeError: .* to have 1 channels, but",
        ),
        (Broken(3, 4, 3), r"AttributeError \(.*test_answers\.py, line \d+\): .*'scale'"),
    ],
)
def test_a_network_that_cannot_be_shown_pictures_says_why(module, told):
    with pytest.raises(ConfigError, match=rf"mine, shown 2 pictures of .*{told}.*\. Mend"):
        shown(nn.Sequential(module), "0")
