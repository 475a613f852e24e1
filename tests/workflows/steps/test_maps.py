"""Features of layers as maps: which layers have such, and which are kept for readouts."""

import pytest

from bids_dnn.features.models import load_network
from bids_dnn.features.probe import probe
from bids_dnn.features.reduce import parse_reduction
from bids_dnn.workflows.steps.maps import where_maps_lie, with_maps


@pytest.fixture(scope="module")
def probed():
    layers = ["conv1", "conv1:mean", "fc8"]
    network = load_network("alexnet", weights="random", layers=layers, seed=0)
    return probe(network, network.card.layers)


@pytest.mark.parametrize("text", ["none", "pca(n=2)"])
def test_only_whole_maps_are_maps(probed, text):
    found = with_maps(probed, parse_reduction(text))
    assert [one.shape for one in found] == [(64, 55, 55)]
    name = found[0].layer.name
    (place,) = where_maps_lie(found, {name: "k", "other": "l"}).values()
    assert (place.key, place.shape) == ("k", (64, 55, 55))


def test_what_was_projected_is_no_map(probed):
    assert with_maps(probed, parse_reduction("srp(n=5)")) == ()
