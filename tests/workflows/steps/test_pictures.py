"""Pictures of stimuli as a network sees them: transforms are done, then grey, small, 8 bits."""

import numpy as np
import pytest
from PIL import Image

from bids_dnn.errors import ConfigError
from bids_dnn.workflows.steps.pictures import MOST_PX, as_8_bit, grey_pictures

NETWORK = """
import torch

card = {"name": "tiny", "layers": ("0",), "size_px": SIZE}


def build():
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3))
"""


@pytest.fixture
def told(tmp_path, rng):
    """The manifest of a tiny network, as far as pictures go."""

    def make(size=16, **other):
        stimuli = {}
        for k in range(3):
            path = tmp_path / f"{k}.png"
            pixels = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path)
            stimuli[path.name] = [str(path)]
        (tmp_path / "tiny.py").write_text(NETWORK.replace("SIZE", str(size)))
        return {
            "network": f"{tmp_path / 'tiny.py'}:build",
            "layers": [],
            "offline": True,
            "transform": [],
            "max_pixels": 10**6,
            "stimuli": stimuli,
        } | other

    return make


def read(told, name):
    return np.asarray(Image.open(told["stimuli"][name][0]))


def test_pictures_are_grey_as_pillow_has_it(told):
    one = told()
    made = grey_pictures({"ready": {"network": "features:x.npy"}, "net": one}, {"2.png", "0.png"})
    assert (made.stimuli, made.network) == (("0.png", "2.png"), "net")
    assert made.values.shape == (2, 16, 16)
    expected = np.asarray(Image.fromarray(read(one, "2.png")).convert("L")).astype(int)
    assert np.abs(made.values[1].astype(int) - expected).max() <= 1


def test_transforms_are_done_and_large_pictures_averaged(told):
    plain = told(2 * MOST_PX)
    dim = plain | {"transform": ["contrast(factor=0)"]}
    full = grey_pictures({"net": plain}, set(plain["stimuli"])).values
    assert full.shape == (3, MOST_PX, MOST_PX)
    grey = read(plain, "1.png") @ np.array([0.299, 0.587, 0.114])
    pooled = grey.reshape(MOST_PX, 2, MOST_PX, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(full[1], pooled, atol=1.5)
    assert np.ptp(grey_pictures({"net": dim}, {"1.png"}).values) == 0


def test_8_bits_stay_as_they_are(rng):
    picture = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    np.testing.assert_array_equal(as_8_bit(picture), picture)
    as_float = picture.astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(as_8_bit(as_float), picture)


def test_without_a_network_that_sees_it_is_refused():
    with pytest.raises(ConfigError, match="elsewhere sees none"):
        grey_pictures({"elsewhere": {"network": "features:x.npy"}}, {"a"})
