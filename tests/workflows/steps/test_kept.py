"""Features of layers that are kept: which are maps, and of what shape."""

import pytest

from bids_dnn.features.models import load_network
from bids_dnn.features.probe import probe
from bids_dnn.features.reduce import parse_reduction
from bids_dnn.workflows.steps.kept import where_features_lie, with_maps


@pytest.fixture(scope="module")
def probed():
    layers = ["conv1", "conv1:mean", "fc8"]
    network = load_network("alexnet", weights="random", layers=layers, seed=0)
    return probe(network, network.card.layers)


@pytest.mark.parametrize("text", ["none", "pca(n=2)"])
def test_only_whole_maps_are_maps(probed, text):
    found = with_maps(probed, parse_reduction(text))
    assert [one.shape for one in found] == [(64, 55, 55)]
    keys = {one.layer.name: str(k) for k, one in enumerate(probed)}
    places = where_features_lie(probed, keys, parse_reduction(text), n_stimuli=9)
    assert {layer: one.key for layer, one in places.items()} == keys
    assert [one.shape for one in places.values()] == [(64, 55, 55), (64,), (1000,)]


def test_what_was_projected_is_no_map(probed):
    few = parse_reduction("srp(n=5)")
    assert with_maps(probed, few) == ()
    keys = {one.layer.name: "k" for one in probed}
    places = where_features_lie(probed, keys, few, n_stimuli=9)
    assert {one.shape for one in places.values()} == {(5,)}
