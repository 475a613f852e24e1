"""features.views: filters and maps are those of the network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bids_dnn.containers.network import Card, Network
from bids_dnn.features import views
from bids_dnn.features.probe import probe
from tests.factories.networks import small_network


def make_picture(rng, dtype=np.uint8):
    whole = rng.integers(0, 256, (12, 12, 3), np.uint8)
    return whole if dtype == np.uint8 else (whole / 255).astype(dtype)


# --- filters


def test_filters_are_those_of_the_first_convolution():
    network = small_network()
    filters, n = views.filters_of(network.module)
    weight = network.module[0].weight
    assert n == 4
    assert filters.dtype == np.float32
    np.testing.assert_array_equal(filters[2, 1, 0], weight[2, :, 1, 0].numpy())


@pytest.mark.parametrize(
    "module",
    [torch.nn.Conv2d(1, 4, 3), torch.nn.Linear(3, 2), torch.nn.Conv2d(3, 3, 3, groups=3)],
)
def test_without_color_there_are_no_filters(module):
    assert views.filters_of(module) == (None, 0)


def test_of_many_filters_the_first_are_kept():
    filters, n = views.filters_of(torch.nn.Conv2d(3, 200, 2))
    assert filters.shape == (views.MOST_FILTERS, 2, 2, 3)
    assert n == 200


# --- maps


def test_the_channels_that_vary_most_come_first():
    whole = torch.zeros(12, 5, 6)
    whole[7, 2, 2], whole[3, 0, 0] = 2.0, -1.0
    maps = views.maps_of(whole)
    assert maps.channels[:2] == (7, 3)
    assert len(maps.channels) == views.MOST_CHANNELS
    assert maps.n_all == 12
    np.testing.assert_array_equal(maps.values[0], whole[7].numpy())


def test_large_maps_are_averaged_over_blocks():
    whole = torch.arange(130.0 * 130).reshape(1, 130, 130)
    maps = views.maps_of(whole)
    assert maps.values.shape == (1, 44, 44)
    assert maps.values.mean() == pytest.approx(whole.mean().item(), rel=1e-3)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_maps_are_what_the_layer_puts_out(rng, dtype):
    network = small_network()
    picture = make_picture(rng, dtype)
    probed = probe(network, ["0", "2:mean", "5"])
    found = views.activations_of(network, probed, picture)
    assert list(found) == ["0", "2:mean"]  # the last layer puts out no map
    unit = np.asarray(picture, np.float32) / (255 if dtype == np.uint8 else 1)
    scaled = (unit - np.array(network.card.mean)) / np.array(network.card.sd)
    fed = torch.from_numpy(scaled.transpose(2, 0, 1)[None].astype(np.float32))
    expected = network.module[0](fed)[0].numpy()
    np.testing.assert_allclose(
        found["0"].values, expected[list(found["0"].channels)], rtol=1e-4, atol=1e-5
    )


class Patches(torch.nn.Module):
    """A class token before 3 x 3 patches, of 4 values each."""

    def __init__(self):
        super().__init__()
        self.cls_token = torch.nn.Parameter(torch.full((1, 1, 4), 9.0))
        self.embed = torch.nn.Conv2d(3, 4, 4, stride=4)
        self.block = torch.nn.Identity()

    def forward(self, pictures):
        patches = self.embed(pictures).flatten(2).transpose(1, 2)
        whole = torch.cat([self.cls_token.expand(len(patches), -1, -1), patches], dim=1)
        return self.block(whole).mean(dim=1)


def test_patches_are_laid_out_as_a_map(rng):
    network = Network(Patches().eval().requires_grad_(False), Card("p", (), size_px=12), "", "")
    probed = probe(network, ["embed", "block"])
    assert views.map_of(probed[1]) == (4, 3, 3)
    found = views.activations_of(network, probed, make_picture(rng))
    assert found["block"].channels == found["embed"].channels
    np.testing.assert_allclose(found["block"].values, found["embed"].values, rtol=1e-5)


def test_units_become_bytes():
    units = np.array([[[-0.1, 0.5, 1.2]]], dtype=np.float32)
    assert views.as_bytes(units).tolist() == [[[0, 128, 255]]]
    whole = np.arange(3, dtype=np.uint8).reshape(1, 1, 3)
    assert views.as_bytes(whole).tolist() == whole.tolist()
