"""rois.sphere: the triangle that holds each vertex, and what is brought from its corners."""

import numpy as np
import pytest

from bids_dnn.containers.mesh import Mesh
from bids_dnn.errors import SpaceError
from bids_dnn.rois.sphere import interpolate, interpolate_angle, locate
from tests.factories.surfaces import RADIUS, icosphere, rotate


@pytest.fixture(scope="module")
def source():
    return icosphere(3)  # 642 vertices


@pytest.fixture
def target(rng):
    points = rng.normal(size=(300, 3))
    return RADIUS * points / np.linalg.norm(points, axis=1, keepdims=True)


def by_trying_all(mesh, direction):
    """Return the face whose corners enclose a direction, and the weights, by linear algebra."""
    corners = mesh.vertices[mesh.faces].transpose(0, 2, 1)  # columns are corners
    weights = np.linalg.solve(corners, np.broadcast_to(direction, (len(corners), 3))[..., None])
    face = int(weights[..., 0].min(axis=1).argmax())
    return set(mesh.faces[face].tolist()), weights[face, :, 0] / weights[face].sum()


def test_each_vertex_is_in_the_triangle_that_trying_all_finds(source, target):
    lookup = locate(source, target)
    for k, direction in enumerate(target):
        corners, weights = by_trying_all(source, direction)
        assert set(lookup.corners[k].tolist()) == corners
        np.testing.assert_allclose(np.sort(lookup.weights[k]), np.sort(weights), atol=1e-9)


def test_nearest_is_the_one_at_the_smallest_angle(source, target):
    expected = (target @ source.vertices.T).argmax(axis=1)
    np.testing.assert_array_equal(locate(source, target).nearest, expected)


def test_weighted_corners_point_where_the_vertex_does(source, target):
    lookup = locate(source, target)
    found = np.einsum("tk,tkm->tm", lookup.weights, source.vertices[lookup.corners])
    found *= RADIUS / np.linalg.norm(found, axis=1, keepdims=True)
    np.testing.assert_allclose(found, target, atol=1e-6)
    np.testing.assert_allclose(lookup.weights.sum(axis=1), 1)
    assert lookup.weights.min() >= 0


def test_own_vertices_are_found_themselves(source):
    lookup = locate(source, source.vertices)
    np.testing.assert_array_equal(lookup.nearest, np.arange(642))
    values = np.arange(642.0)
    every = np.ones(642, dtype=bool)
    np.testing.assert_allclose(interpolate(lookup, values, every), values, atol=1e-6)


def test_radius_and_common_rotation_do_not_matter(source, target):
    expected = locate(source, target)
    turned = Mesh(rotate(source.vertices, 37, axis=0) * 0.7, source.faces)
    found = locate(turned, rotate(target, 37, axis=0) * 3)
    np.testing.assert_array_equal(found.nearest, expected.nearest)
    values = source.vertices[:, 1]
    every = np.ones(642, dtype=bool)
    np.testing.assert_allclose(
        interpolate(found, values, every), interpolate(expected, values, every), atol=1e-6
    )


def test_the_order_of_the_faces_does_not_matter(source, target, rng):
    mixed = Mesh(source.vertices, source.faces[rng.permutation(len(source.faces))][:, [1, 2, 0]])
    values, every = source.vertices[:, 0], np.ones(642, dtype=bool)
    np.testing.assert_allclose(
        interpolate(locate(mixed, target), values, every),
        interpolate(locate(source, target), values, every),
        atol=1e-6,
    )


def test_what_does_not_count_does_not_bleed_in(source, target):
    inside = source.vertices[:, 2] > 0
    lookup = locate(source, target)
    found = interpolate(lookup, np.where(inside, 7.0, 0.0), inside)
    some = inside[lookup.corners].any(axis=1) & (lookup.weights * inside[lookup.corners]).any(1)
    np.testing.assert_allclose(found[some], 7.0)
    assert np.isnan(found[~some & ~inside[lookup.nearest]]).all()


def test_a_hole_takes_the_nearest_vertex(source):
    middle = source.vertices[source.faces[17]].mean(axis=0)
    holed = Mesh(source.vertices, np.delete(source.faces, 17, axis=0))
    lookup = locate(holed, middle[None])
    assert lookup.nearest[0] in source.faces[17]
    assert lookup.weights.max() == 1
    assert (lookup.corners == lookup.nearest[0]).all()


def test_angles_go_around_the_circle(source, target):
    lookup = locate(source, target)
    every = np.ones(642, dtype=bool)
    around = np.where(np.arange(642) % 2, 179.0, -179.0)
    assert (np.abs(interpolate_angle(lookup, around, every)) >= 179 - 1e-9).all()
    alike = np.full(642, -42.0)
    np.testing.assert_allclose(interpolate_angle(lookup, alike, every), -42)


def test_a_mesh_that_is_no_sphere_is_refused(source, target):
    with pytest.raises(SpaceError, match=r"target mesh of 300 vertices is no sphere.*55\.0 to 14"):
        locate(source, target + np.array([0, 45.0, 0]))
    with pytest.raises(SpaceError, match=r"source mesh of 642 vertices is no sphere"):
        locate(Mesh(source.vertices * [1, 2, 1], source.faces), target)
