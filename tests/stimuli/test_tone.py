"""stimuli.tone: luminance against Pillow, contrast and apertures in closed form."""

import numpy as np
import pytest
from PIL import Image

from bids_dnn.stimuli.tone import aperture, contrast, grey, luminance, mean_luminance


def test_rec601_is_what_pillow_takes(rng):
    pixels = rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(pixels).convert("L"))
    made = luminance(pixels.astype(np.float32) / 255) * 255
    np.testing.assert_allclose(made, expected, atol=0.51)


@pytest.mark.parametrize(("weights", "green"), [("rec601", 0.587), ("rec709", 0.7152)])
def test_grey_keeps_white_and_weighs_green(weights, green):
    colors = np.float32([[[1, 1, 1], [0, 1, 0]]])
    made = grey(colors, weights)
    assert made.shape == (1, 2, 3)
    np.testing.assert_allclose(made[0], [[1, 1, 1], [green] * 3], rtol=1e-6)
    np.testing.assert_allclose(grey(made, weights), made, rtol=1e-6)


def test_contrast_scales_the_deviation_and_keeps_the_mean(rng):
    picture = rng.random((30, 30, 3), dtype=np.float32)
    mean = mean_luminance(picture)
    for factor in (0.0, 0.5, 3.0):
        made = contrast(picture, factor=factor, pivot=mean)
        assert mean_luminance(made) == pytest.approx(mean, abs=1e-5)
        expected = factor * luminance(picture).std()
        assert luminance(made).std() == pytest.approx(expected, rel=1e-3, abs=1e-6)
    np.testing.assert_allclose(contrast(picture, factor=1, pivot=0.2), picture, atol=1e-6)


@pytest.mark.parametrize(("shape", "area"), [("circle", np.pi / 4), ("square", 1.0)])
@pytest.mark.parametrize("diameter", [20.0, 33.3, 90.0])
def test_a_hole_has_the_area_of_its_shape(shape, area, diameter):
    white = np.ones((100, 120, 3), np.float32)
    made = aperture(white, shape=shape, diameter_px=diameter, edge_px=0, background=0)
    assert made[:, :, 0].sum() == pytest.approx(area * diameter**2, rel=0.005)
    assert made[50, 60, 0] == 1
    assert made[0, 0, 0] == 0


def test_a_soft_edge_is_half_way_in_its_middle():
    white = np.ones((101, 101, 3), np.float32)
    made = aperture(white, shape="circle", diameter_px=80, edge_px=20, background=0.5)
    right = made[50, 50:, 1]  # by distance from the center, px
    np.testing.assert_allclose(right[:21], 1)
    assert right[30] == pytest.approx(0.75)
    np.testing.assert_allclose(right[40:], 0.5)
    assert (np.diff(right[20:40]) < 0).all()


def test_a_wide_hole_shows_all(rng):
    picture = rng.random((10, 10, 3), dtype=np.float32)
    made = aperture(picture, shape="square", diameter_px=12, edge_px=0, background=0)
    np.testing.assert_allclose(made, picture, atol=1e-6)
