"""report.raster: the nearest vertex is seen, from the right side, whatever the mesh."""

from __future__ import annotations

import time

import numpy as np
import pytest

from bids_dnn.containers.mesh import Mesh
from bids_dnn.report import raster
from tests.factories.reports import make_mesh, make_surfaces


@pytest.fixture(scope="module")
def brain():
    return raster.make_brain(make_surfaces(), widest_px=120)


def seen(brain, hemisphere, side):
    return brain.rasters[hemisphere, side].vertex


@pytest.mark.parametrize("hemisphere", ["L", "R"])
@pytest.mark.parametrize(
    ("side", "axis", "sign"),
    [("lateral", 0, 1), ("medial", 0, -1), ("ventral", 2, -1), ("posterior", 1, -1)],
)
def test_each_side_shows_the_vertices_of_that_side(brain, hemisphere, side, axis, sign):
    vertices = make_mesh(hemisphere).vertices
    outward = sign * (-1 if axis == 0 and hemisphere == "L" else 1)
    vertex = seen(brain, hemisphere, side)
    depth = outward * (vertices[:, axis] - vertices[:, axis].mean())
    shown = np.unique(vertex[vertex >= 0])
    assert (depth[shown] > -8).all()
    assert np.isin(np.flatnonzero(depth > 0.9 * depth.max()), shown).all()


@pytest.mark.parametrize(
    ("hemisphere", "side", "axis"),
    [("L", "lateral", 1), ("R", "medial", 1), ("L", "ventral", 1), ("R", "posterior", 0)],
)
def test_left_and_right_of_a_view(brain, hemisphere, side, axis):
    """Left lateral, right medial and left ventral views look to the left, posterior ones ahead."""
    vertices = make_mesh(hemisphere).vertices
    vertex = seen(brain, hemisphere, side)
    row = vertex[vertex.shape[0] // 2]
    along = vertices[row[row >= 0], axis]
    assert (along[0] < along[-1]) == (side == "posterior")


def test_up_is_up(brain):
    vertices = make_mesh("L").vertices
    vertex = seen(brain, "L", "medial")
    column = vertex[:, vertex.shape[1] // 2]
    height = vertices[column[column >= 0], 2]
    assert height[0] > height[-1]


def test_a_nearer_triangle_hides_a_farther_one():
    corners = np.array([[-1.0, -4, -4], [-1.0, 4, -4], [-1.0, 0, 4]])
    farther = corners + np.array([3.0, 0, 0])
    faces = np.array([[0, 2, 1], [3, 4, 5]])  # both seen from the left of a closed pair
    mesh = Mesh(np.concatenate([corners, farther]), faces)
    made = raster.make_brain({"L": (mesh, None)}, widest_px=40)
    shown = {
        side: set(np.unique(made.rasters["L", side].vertex)) - {-1}
        for side in ("lateral", "medial")
    }
    assert shown == {"lateral": {0, 1, 2}, "medial": {3, 4, 5}}


def test_triangles_turned_inside_out_are_drawn_alike(brain):
    surfaces = {
        h: (Mesh(mesh.vertices, mesh.faces[:, ::-1]), curvature)
        for h, (mesh, curvature) in make_surfaces().items()
    }
    other = raster.make_brain(surfaces, widest_px=120)
    for key, one in brain.rasters.items():
        assert (one.vertex == other.rasters[key].vertex).mean() > 0.999


def test_a_sphere_covers_its_disk():
    mesh = make_mesh("L", 3000)
    made = raster.make_brain({"L": (mesh, None)}, widest_px=150)
    found = made.rasters["L", "lateral"].vertex >= 0
    height, width = np.ptp(np.argwhere(found), axis=0) + 1
    assert found.sum() / (np.pi / 4 * height * width) == pytest.approx(1, abs=0.02)
    assert width / height == pytest.approx(85 / 50, rel=0.03)


def test_parts_do_not_change_the_picture(monkeypatch):
    mesh = {"L": (make_mesh("L"), None)}
    whole = raster.make_brain(mesh, widest_px=80)
    monkeypatch.setattr(raster, "MOST_FRAGMENTS", 500)
    parts = raster.make_brain(mesh, widest_px=80)
    for key, one in whole.rasters.items():
        np.testing.assert_array_equal(one.vertex, parts.rasters[key].vertex)


def test_borders_lie_where_the_mark_changes(brain):
    one = brain.rasters["L", "medial"]
    marked = make_mesh("L").vertices[:, 1] > 0
    found = one.borders(marked)
    columns = np.flatnonzero(found[found.shape[0] // 2])
    assert columns.size
    assert np.ptp(columns) < 0.1 * found.shape[1]
    assert not one.borders(np.zeros(600, dtype=bool)).any()


def test_pixels_are_averages_and_transparent_outside(brain):
    one = brain.rasters["R", "lateral"]
    picture = raster.pixels(one, np.full((600, 3), 0.5))
    assert picture.shape[0] == -(-one.vertex.shape[0] // raster.FINER)
    assert picture[0, 0, 3] == 0
    middle = picture[picture.shape[0] // 2, picture.shape[1] // 2]
    assert middle[3] == 1
    assert 0.5 * raster.DARKEST <= middle[0] <= 0.5


def test_a_montage_keeps_pictures_apart():
    one, two = np.ones((4, 6, 4)), np.ones((2, 3, 4))
    canvas, tops = raster.montage([[one, two], [two, one]], gap_px=5, top_px=10)
    assert canvas.sum() == 2 * (one.sum() + two.sum())
    assert canvas.shape == (33, 17, 4)
    assert tops[1] == [(3.0, 24.0), (14.0, 24.0)]


def test_a_fine_mesh_takes_seconds():
    surfaces = make_surfaces(40_000)
    start = time.perf_counter()
    raster.make_brain(surfaces)
    assert time.perf_counter() - start < 5
