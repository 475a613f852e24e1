"""stimuli.resize: against torchvision and torch, and pictures of any shape."""

import numpy as np
import pytest
import torch
from PIL import Image

from bids_dnn.stimuli.resize import resized, square

SHAPES = [(50, 50), (37, 61), (90, 33), (8, 200), (20, 21)]


@pytest.fixture(scope="module")
def torchvision_transforms():
    from torchvision.transforms import v2

    return v2


def picture_of(rng, width, height):
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("name", "keep"), [("bilinear", 1.0), ("bicubic", 1.0), ("bicubic", 0.875)]
)
@pytest.mark.parametrize("shape", SHAPES)
def test_center_crop_is_that_of_torchvision(rng, torchvision_transforms, shape, name, keep):
    v2, picture = torchvision_transforms, picture_of(rng, *shape)
    mode = v2.InterpolationMode[name.upper()]
    expected = v2.Compose([v2.Resize(int(28 / keep), mode), v2.CenterCrop(28)])(picture)
    made = square(picture, 28, resize="center-crop", interpolation=name, keep=keep)
    np.testing.assert_array_equal(np.asarray(made), np.asarray(expected))


@pytest.mark.parametrize("name", ["bilinear", "bicubic"])
@pytest.mark.parametrize("shape", SHAPES)
def test_squashing_floats_is_that_of_torch(rng, shape, name):
    picture = rng.random((*shape, 3), dtype=np.float32)
    planes = torch.from_numpy(picture).permute(2, 0, 1)[None]
    expected = torch.nn.functional.interpolate(planes, (24, 24), mode=name, antialias=True)
    made = resized(picture, 24, resize="squash", interpolation=name)
    np.testing.assert_allclose(made, expected[0].permute(1, 2, 0), atol=2e-5)


@pytest.mark.parametrize("rule", ["squash", "center-crop", "pad"])
@pytest.mark.parametrize("shape", SHAPES)
def test_floats_agree_with_bytes(rng, shape, rule):
    picture = picture_of(rng, *shape)
    in_bytes = np.asarray(square(picture, 24, resize=rule), dtype=np.float32) / 255
    floats = np.asarray(picture, dtype=np.float32) / 255
    made = resized(floats, 24, resize=rule)
    np.testing.assert_allclose(made, in_bytes, atol=1.01 / 255)


@pytest.mark.parametrize(
    ("shape", "rows", "columns"), [((80, 40), (6, 18), (0, 24)), ((20, 60), (0, 24), (8, 16))]
)
def test_padding_shows_all_in_the_middle(shape, rows, columns):
    white = Image.new("RGB", shape, (255, 255, 255))
    made = np.asarray(square(white, 24, resize="pad", fill=9))
    expected = np.full((24, 24, 3), 9)
    expected[slice(*rows), slice(*columns)] = 255
    np.testing.assert_array_equal(made, expected)


@pytest.mark.parametrize("rule", ["squash", "center-crop", "pad"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 100_000), (100_000, 1), (2, 3)])
def test_any_shape_becomes_a_square_without_a_large_detour(rule, shape):
    made = square(Image.new("RGB", shape, (10, 20, 30)), 16, resize=rule)
    assert made.size == (16, 16)
    assert made.getpixel((7, 7)) == (10, 20, 30)


def test_cropping_keeps_a_share_of_the_shorter_side():
    ramp = np.tile(np.arange(200, dtype=np.float32)[None, :, None], (200, 1, 3))
    made = resized(ramp, 100, resize="center-crop", keep=0.5)
    assert made[50, [0, -1], 0] == pytest.approx([49.75, 149.25], abs=0.5)
