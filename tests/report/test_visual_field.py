"""report.visual_field: the wheel goes once around, rings grow outward."""

from __future__ import annotations

import numpy as np

from bids_dnn.report import visual_field


def test_the_wheel_closes_and_goes_on_evenly():
    turn = np.linspace(-180, 180, 361)
    colors = visual_field.angle_colors(turn)
    np.testing.assert_allclose(colors[0], colors[-1], atol=1e-9)
    assert np.abs(np.diff(colors, axis=0)).max() < 0.06
    assert colors.min() >= 0
    assert colors.max() <= 1


def test_quadrants_differ_and_above_is_lighter():
    colors = visual_field.angle_colors(np.array([45.0, 135.0, -135.0, -45.0]))
    away = np.linalg.norm(colors[:, None] - colors, axis=2)
    assert (away[~np.eye(4, dtype=bool)] > 0.25).all()
    luminance = colors @ [0.2126, 0.7152, 0.0722]
    assert luminance[[0, 3]].min() > luminance[[1, 2]].max()


def test_nan_is_gray():
    for made in (visual_field.angle_colors, visual_field.eccentricity_colors):
        np.testing.assert_array_equal(made(np.array([np.nan])), [[0.5, 0.5, 0.5]])


def test_radius_grows_with_eccentricity_up_to_its_limits():
    radius = visual_field.radius_of(np.array([0.01, 0.5, 1.0, 4.0, 32.0, 90.0]))
    assert radius[0] == radius[1] == 0
    assert radius[-1] == radius[-2] == 1
    assert (np.diff(radius[1:-1]) > 0).all()


def test_the_legend_has_the_colors_of_the_field():
    """Right is right and up is up: a pixel has the color of what lies there."""
    angle, eccentricity = visual_field.wheel(101)
    right, above = angle[50, 90, :3], angle[10, 50, :3]
    np.testing.assert_allclose(right, visual_field.angle_colors(np.array(90.0)), atol=0.02)
    np.testing.assert_allclose(above, visual_field.angle_colors(np.array(0.0)), atol=0.02)
    assert angle[0, 0, 3] == 0
    place = 0.5 * 64**0.8  # at four fifths of the radius
    np.testing.assert_allclose(
        eccentricity[50, 90, :3], visual_field.eccentricity_colors(np.array(place)), atol=0.02
    )
