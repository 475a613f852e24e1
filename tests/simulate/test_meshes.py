"""simulate.meshes: closed, outward meshes that cover the sphere."""

import numpy as np
import pytest

from bids_dnn.containers.mesh import Mesh
from bids_dnn.simulate.meshes import hull, icosphere, normals, scattered, warped, waves


def outwards(mesh):
    a, b, c = mesh.vertices[mesh.faces].transpose(1, 0, 2)
    return np.einsum("ij,ij->i", np.cross(b - a, c - a), a)  # six times a volume


def edges(mesh):
    pairs = np.concatenate([mesh.faces[:, p] for p in ([0, 1], [1, 2], [2, 0])])
    return np.unique(np.sort(pairs, axis=1), axis=0, return_counts=True)


@pytest.mark.parametrize(
    "mesh", [icosphere(0), icosphere(3), scattered(500, np.random.default_rng(0))]
)
def test_meshes_are_closed_and_face_outwards(mesh):
    found, uses = edges(mesh)
    assert len(mesh.vertices) - len(found) + len(mesh.faces) == 2  # Euler
    assert set(uses) == {2}
    assert outwards(mesh).min() > 0
    np.testing.assert_allclose(np.linalg.norm(mesh.vertices, axis=1), 1)


def test_the_icosphere_fills_the_ball_better_the_finer_it_is():
    volumes = [outwards(icosphere(level)).sum() / 6 for level in range(5)]
    assert volumes == sorted(volumes)
    assert volumes[-1] == pytest.approx(4 / 3 * np.pi, rel=0.005)


def test_the_vertices_of_one_level_are_the_first_of_the_next():
    coarse, finer = icosphere(2), icosphere(3)
    np.testing.assert_array_equal(finer.vertices[: len(coarse.vertices)], coarse.vertices)
    assert [len(icosphere(level).vertices) for level in range(4)] == [12, 42, 162, 642]


def test_scattered_vertices_are_even_and_another_turn_for_another_seed():
    one, other = (scattered(400, np.random.default_rng(seed)) for seed in (0, 1))
    found, _ = edges(one)
    lengths = np.linalg.norm(np.diff(one.vertices[found], axis=1)[:, 0], axis=1)
    assert lengths.max() < 3 * lengths.min()
    assert np.abs(one.vertices - other.vertices).max() > 0.5


def test_the_hull_does_not_depend_on_scale(rng):
    points = scattered(60, rng).vertices
    np.testing.assert_array_equal(hull(points).faces, hull(3 * points).faces)


def test_normals_of_an_ellipsoid_are_those_of_its_equation():
    axes = np.array([1.0, 2.0, 3.0])
    ball = icosphere(4)
    found = normals(Mesh(ball.vertices * axes, ball.faces))
    expected = ball.vertices / axes
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.einsum("ij,ij->i", found, expected).min() > 0.995


def test_waves_are_smooth_and_bounded(rng):
    mesh = icosphere(4)
    found = waves(mesh.vertices, rng, n_out=2, cycles=1)
    assert found.shape == (len(mesh.vertices), 2)
    assert np.abs(found).max() <= 1
    pairs, _ = edges(mesh)
    assert np.abs(found[pairs[:, 0]] - found[pairs[:, 1]]).max() < 0.3


def test_a_warp_moves_every_place_by_degrees_and_turns_no_triangle(rng):
    mesh = scattered(3000, rng)
    moved = warped(mesh.vertices, rng)
    angle = np.rad2deg(np.arccos(np.einsum("ij,ij->i", moved, mesh.vertices)))
    assert 2 < angle.mean() < 15
    assert outwards(Mesh(moved, mesh.faces)).min() > 0
