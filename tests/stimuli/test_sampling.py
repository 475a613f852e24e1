"""stimuli.sampling: against scipy, and laws of means."""

import numpy as np
from scipy.ndimage import map_coordinates

from bids_dnn.stimuli.sampling import averaged, sampled


def test_sampling_agrees_with_scipy(rng):
    picture = rng.random((7, 9, 3), dtype=np.float32)
    x = rng.uniform(0, 9, (5, 6)).astype(np.float32)
    y = rng.uniform(0, 7, (5, 6)).astype(np.float32)
    made = sampled(picture, x, y, fill=0.0)
    for channel in range(3):
        expected = map_coordinates(
            picture[:, :, channel], [y - 0.5, x - 0.5], order=1, mode="nearest"
        )
        np.testing.assert_allclose(made[:, :, channel], expected, atol=1e-6)


def test_the_centers_of_pixels_are_the_pixels(rng):
    picture = rng.random((4, 5, 3), dtype=np.float32)
    y, x = (np.indices((4, 5)) + 0.5).astype(np.float32)
    np.testing.assert_array_equal(sampled(picture, x, y, fill=0.0), picture)
    np.testing.assert_array_equal(
        averaged(picture, x, y, width_px=np.ones_like(x), fill=0.0), picture
    )


def test_outside_is_fill():
    white = np.ones((4, 4, 3), np.float32)
    x = np.float32([[-0.1, 0, 4, 4.1]])
    y = np.full_like(x, 2)
    for made in (
        sampled(white, x, y, fill=0.5),
        averaged(white, x, y, width_px=np.full_like(x, 2), fill=0.5),
    ):
        np.testing.assert_array_equal(made[0, :, 0], np.float32([0.5, 1, 1, 0.5]))


def test_a_wide_mean_of_checks_is_grey():
    checks = (np.indices((33, 33)).sum(axis=0) % 2)[:, :, None].repeat(3, axis=2)
    x = y = np.float32([[5.5, 16.0, 20.2]])
    wide = averaged(checks.astype(np.float32), x, y, width_px=np.full_like(x, 4), fill=0.0)
    np.testing.assert_allclose(wide, 0.5, atol=0.01)


def test_the_mean_moves_nothing():
    ramp = np.tile(np.arange(64, dtype=np.float32)[None, :, None], (64, 1, 3))
    x = np.float32([[20.0, 32.0, 41.3]])
    y = np.full_like(x, 30)
    for width in (1.0, 2.7, 4.0):
        made = averaged(ramp, x, y, width_px=np.full_like(x, width), fill=0.0)
        np.testing.assert_allclose(made[0, :, 0], x[0] - 0.5, atol=1e-4)
