"""Maps made anew of pictures: the numbers that are kept, and when there is too much to keep."""

import numpy as np
import pytest
import torch
from PIL import Image

from bids_dnn.features.extract import Options, extract_features, passes_of
from bids_dnn.features.inputs import Shown
from bids_dnn.features.models import load_network
from bids_dnn.features.probe import probe
from bids_dnn.workflows.steps import anew
from bids_dnn.workflows.steps.anew import bytes_of_maps, is_made_anew, shown_maps
from bids_dnn.workflows.steps.pictures import loader_of

NETWORK = """
import torch

card = {"name": "tiny", "layers": ("0", "2", "2:mean"), "size_px": 12}


def build():
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(inplace=True)
    )
"""


@pytest.fixture
def told(tmp_path, rng):
    stimuli = {}
    for k in range(5):
        path = tmp_path / f"{k}.png"
        Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(path)
        stimuli[path.name] = [str(path)]
    (tmp_path / "tiny.py").write_text(NETWORK)
    return {
        "name": "net",
        "network": f"{tmp_path / 'tiny.py'}:build",
        "weights": "random",
        "layers": [],
        "seed": 0,
        "offline": True,
        "precision": "float32",
        "reduce": "none",
        "transform": [],
        "max_pixels": 10**6,
        "stimuli": stimuli,
        "cache": str(tmp_path / "cache"),
        "keep_features": False,
        "readout_features": "auto",
    }


def kept_maps(told):
    """All features as they would be kept, and the layers."""
    network = load_network(told["network"], weights="random", layers=None, seed=0)
    probed = probe(network, network.card.layers)
    shown = Shown(dict.fromkeys(told["stimuli"], ""), loader_of(told, network.card))
    return probed, extract_features(passes_of(network, shown, probed, options=Options()))


def test_they_are_what_would_be_kept(told):
    probed, kept = kept_maps(told)
    made = shown_maps(told, {"4.png", "1.png", "2.png"}, "cpu")
    assert [one.layer for one in made] == ["0", "2"]
    for one, layer in zip(made, probed, strict=False):
        assert (one.network, one.stimuli, one.size_px) == ("net", ("1.png", "2.png", "4.png"), 12)
        assert one.pictures is made[0].pictures
        maps = one.look(torch.tensor(one.pictures))
        assert maps.shape[1:] == layer.map_shape()
        expected = kept[one.layer][[1, 2, 4]].reshape(maps.shape)
        np.testing.assert_allclose(maps.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_what_transforms_make_is_rounded_to_8_bits(told):
    dim = told | {"transform": ["contrast(factor=0.3)"]}
    _, kept = kept_maps(dim)
    for one in shown_maps(dim, set(told["stimuli"]), "cpu"):
        maps = one.look(torch.tensor(one.pictures)).flatten(1).numpy()
        gap = np.abs(maps - kept[one.layer]).max() / np.abs(kept[one.layer]).max()
        assert 0 < gap < 0.02


def test_without_maps_there_are_none(told):
    assert shown_maps(told | {"layers": ["2:mean"]}, set(told["stimuli"]), "cpu") == []
    assert shown_maps(told | {"reduce": "srp(n=3)"}, set(told["stimuli"]), "cpu") == []


def test_they_are_made_anew_beyond_half_of_the_free_disk(told, monkeypatch):
    monkeypatch.setattr(anew, "free_disk", lambda folder: 1000 if folder.name == "cache" else 0)
    assert [is_made_anew(told, n) for n in (500, 501)] == [False, True]
    assert not is_made_anew(told | {"keep_features": True}, 501)
    assert not is_made_anew(told | {"readout_features": "cache"}, 501)
    assert is_made_anew(told | {"readout_features": "images"}, 1)
    probed, _ = kept_maps(told)
    assert bytes_of_maps(probed[:2], 5) == 2 * 4 * 5 * 4 * 10 * 10
