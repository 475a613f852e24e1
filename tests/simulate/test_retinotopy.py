"""simulate.retinotopy: where the visual field lies, by its definition."""

import numpy as np
import pytest

from bids_dnn.containers.space import HEMISPHERES
from bids_dnn.simulate.meshes import icosphere
from bids_dnn.simulate.retinotopy import (
    EDGES_DEG,
    FOVEA_LONGITUDE_DEG,
    MAX_ECCENTRICITY_DEG,
    PERIPHERY_LONGITUDE_DEG,
    field_map,
    in_patch,
)


def place(longitude, latitude, hemisphere):
    """A direction: longitude from the back towards the midline, latitude upwards."""
    lon, lat = np.deg2rad(longitude), np.deg2rad(latitude)
    side = 1 if hemisphere == "L" else -1
    parts = (side * np.sin(lon) * np.cos(lat), -np.cos(lon) * np.cos(lat), np.sin(lat))
    return np.stack(np.broadcast_arrays(*parts), axis=-1).reshape(-1, 3)


@pytest.mark.parametrize(("hemisphere", "sign"), [("L", 1), ("R", -1)])
def test_each_hemisphere_sees_the_other_half(hemisphere, sign):
    fields = field_map(icosphere(4).vertices, hemisphere)
    assert (sign * fields.x >= -1e-9).all()
    assert (sign * fields.x).max() > 0.9 * MAX_ECCENTRICITY_DEG


@pytest.mark.parametrize("hemisphere", HEMISPHERES)
def test_below_the_horizontal_meridian_lies_the_upper_field(hemisphere):
    below = field_map(place(30, -18, hemisphere), hemisphere)
    above = field_map(place(30, 18, hemisphere), hemisphere)
    assert (below.area[0], above.area[0]) == (1, 1)
    assert (below.angle[0], above.angle[0]) == pytest.approx((45, 135))
    assert below.y > 0 > above.y
    assert below.x == pytest.approx(above.x)


@pytest.mark.parametrize("hemisphere", HEMISPHERES)
def test_areas_are_mirror_images_that_share_meridians(hemisphere):
    latitudes = np.array([0, 35.99, 36.01, 47.99, 48.01, 59.99, 60.01])
    fields = field_map(place(20, latitudes, hemisphere), hemisphere)
    assert fields.area.tolist() == [1, 1, 2, 2, 3, 3, 0]
    np.testing.assert_allclose(fields.angle, [90, 180, 180, 90, 90, 180, 0], atol=0.2)
    lower = field_map(place(20, -latitudes, hemisphere), hemisphere)
    np.testing.assert_allclose((180 - lower.angle)[:-1], fields.angle[:-1])


def test_eccentricity_runs_from_the_back_to_the_front():
    longitudes = np.linspace(FOVEA_LONGITUDE_DEG + 1e-6, PERIPHERY_LONGITUDE_DEG - 1e-6, 9)
    fields = field_map(place(longitudes, 0, "L"), "L")
    assert (np.diff(fields.eccentricity) > 0).all()
    np.testing.assert_allclose(fields.eccentricity[[0, -1]], [0, MAX_ECCENTRICITY_DEG], atol=1e-4)
    # Cortex for a degree shrinks with eccentricity: each step is longer than the one before.
    assert (np.diff(fields.eccentricity, n=2) > 0).all()
    assert (np.diff(fields.sigma) > 0).all()


def test_outside_the_areas_nothing_is_seen():
    fields = field_map(place(np.array([-50.0, 110.0, 0.0]), [0, 0, EDGES_DEG[-1] + 1], "R"), "R")
    for values in (fields.area, fields.angle, fields.eccentricity, fields.sigma, fields.x):
        assert not values.any()


def test_length_of_a_direction_does_not_matter(rng):
    directions = rng.normal(size=(50, 3))
    one, other = field_map(directions, "L"), field_map(100 * directions, "L")
    np.testing.assert_allclose(one.x, other.x)
    np.testing.assert_array_equal(one.area, other.area)


@pytest.mark.parametrize("hemisphere", HEMISPHERES)
def test_a_patch_is_a_round_cap(hemisphere):
    mesh = icosphere(5)
    marked = in_patch(mesh.vertices, hemisphere, (-75.0, -20.0, 20.0))
    share = (1 - np.cos(np.deg2rad(20.0))) / 2  # of the sphere's area
    assert marked.mean() == pytest.approx(share, rel=0.1)
    lateral = -1 if hemisphere == "L" else 1
    assert (lateral * mesh.vertices[marked, 0] > 0).all()
