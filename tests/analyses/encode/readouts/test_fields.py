"""analyses.encode.readouts.fields: Gaussians are found again, in every unit."""

import numpy as np
import pytest

from bids_dnn.analyses.encode.readouts.fields import Fields, fit_fields, gaussian
from bids_dnn.errors import ConfigError, ShapeError

H, W = 14, 18


def drawn(rng, n=12):
    """Give n Gaussians: parameters (n, 7) and maps (n, H, W)."""
    down, right = np.mgrid[:H, :W]
    parameters = np.column_stack(
        [
            rng.uniform(0.5, 3, n),
            rng.uniform(3, W - 4, n),
            rng.uniform(3, H - 4, n),
            np.log(rng.uniform(1.6, 2.4, n)),
            np.log(rng.uniform(0.8, 1.3, n)),
            rng.uniform(-1.5, 1.5, n),
            rng.uniform(0, 0.3, n),
        ]
    )
    maps = [gaussian(p, right.ravel(), down.ravel()).reshape(H, W) for p in parameters]
    return parameters, np.stack(maps)


def test_gaussians_are_found_again(rng):
    parameters, maps = drawn(rng)
    found = fit_fields(maps)
    np.testing.assert_allclose(found.x, parameters[:, 1], atol=1e-4)
    np.testing.assert_allclose(found.y, parameters[:, 2], atol=1e-4)
    np.testing.assert_allclose(found.major, np.exp(parameters[:, 3]), rtol=1e-3)
    np.testing.assert_allclose(found.minor, np.exp(parameters[:, 4]), rtol=1e-3)
    np.testing.assert_allclose(found.sd, np.sqrt(found.major * found.minor))
    np.testing.assert_allclose(np.sin(found.angle + parameters[:, 5]), 0, atol=1e-3)
    assert np.all(np.abs(found.angle) <= np.pi / 2)
    assert (found.r2 > 0.9999).all()


def test_the_axes_run_to_the_right_and_up():
    down, right = np.mgrid[:11, :11]
    up_and_right = np.exp(-0.5 * (((right - 5) + (down - 5)) ** 2 / 1 + ((right - down) / 4) ** 2))
    assert up_and_right[2, 8] > 0.3 > up_and_right[2, 2]  # rows run down
    found = fit_fields(np.stack([up_and_right, up_and_right[::-1]]))
    np.testing.assert_allclose(found.angle, [np.pi / 4, -np.pi / 4], atol=1e-3)


def test_noise_moves_the_center_little(rng):
    parameters, maps = drawn(rng, 15)
    noise = 0.05 * parameters[:, 0, None, None] * rng.normal(size=maps.shape)
    found = fit_fields(maps + noise)
    # Cramer and Rao: SD of a center = noise * sqrt(2 / pi) * s / s' of a Gaussian with axes s, s'
    limit = 6 * 0.05 * np.sqrt(2 / np.pi) * found.major / found.minor
    assert (np.abs(found.x - parameters[:, 1]) < limit).all()
    assert (np.abs(found.y - parameters[:, 2]) < limit).all()
    assert (found.r2 < 1).all()


def test_the_sign_and_scale_of_maps_do_not_matter(rng):
    _, maps = drawn(rng, 3)
    first, second = fit_fields(maps), fit_fields(-1e-5 * maps)
    np.testing.assert_allclose(first.x, second.x, atol=1e-5)
    np.testing.assert_allclose(first.r2, second.r2, atol=1e-8)


def test_maps_without_a_field_are_nan(rng):
    _, maps = drawn(rng, 5)
    maps[0], maps[1], maps[2, 3, 3] = 0.0, 2.0, np.nan
    maps[3] = 1 + 1e-8 * rng.normal(size=(H, W))
    found = fit_fields(maps)
    for part in (found.x, found.y, found.major, found.minor, found.angle, found.r2, found.sd):
        np.testing.assert_array_equal(np.isnan(part), [True] * 4 + [False])


def test_cells_become_pixels_and_degrees():
    one = np.ones(2)
    x, y = np.array([0.0, 6.5]), np.array([0.0, 6.5])  # the first cell, and the center of 14
    fields = Fields(x, y, 2 * one, 0.5 * one, 0 * one, one, (14, 14))
    pixels = fields.in_pixels(224, 224)
    np.testing.assert_allclose(pixels.x, [7.5, 111.5])  # pixels 0 to 15 are the first cell
    np.testing.assert_allclose(pixels.y, [7.5, 111.5])
    np.testing.assert_allclose(pixels.diameter, [32, 32])
    degrees = fields.in_degrees(8.0, 8.0)
    np.testing.assert_allclose(degrees.x, [-4 + 8 / 28, 0], atol=1e-12)
    np.testing.assert_allclose(degrees.y, [4 - 8 / 28, 0], atol=1e-12)
    wide = fields.in_degrees(8.0, 32.0)
    np.testing.assert_allclose(degrees.sd, [8 / 14, 8 / 14])
    np.testing.assert_allclose(degrees.diameter, [16 / 14, 16 / 14])
    np.testing.assert_allclose(wide.sd, 2 * degrees.sd)
    np.testing.assert_allclose(wide.x, 4 * degrees.x)


def test_what_has_no_size_is_refused():
    with pytest.raises(ShapeError, match=r"\(4, 2, 9\)"):
        fit_fields(np.zeros((4, 2, 9)))
    one = np.ones(1)
    with pytest.raises(ConfigError, match="0 x 8 degrees"):
        Fields(one, one, one, one, one, one, (5, 5)).in_degrees(0, 8)
    with pytest.raises(ConfigError, match="8 x 0 pixels"):
        Fields(one, one, one, one, one, one, (5, 5)).in_pixels(8, 0)


def test_a_mask_planted_on_pixels_is_found_there():
    down, right = np.mgrid[:96, :96]
    x, y, sd = np.array([20.0, 70.0]), np.array([64.0, 31.0]), 12.0
    square = (right - x[:, None, None]) ** 2 + (down - y[:, None, None]) ** 2
    mask = np.exp(-0.5 * square / sd**2)  # on the picture; cells pool 8 x 8 pixels
    cells = mask.reshape(2, 12, 8, 12, 8).mean(axis=(2, 4))
    placed = fit_fields(cells).in_pixels(96, 96)
    np.testing.assert_allclose(placed.x, x, atol=0.1)
    np.testing.assert_allclose(placed.y, y, atol=0.1)
    np.testing.assert_allclose(placed.diameter, 2 * sd, rtol=0.05)  # pooling adds 8²/12 to sd²
