"""rois.ribbon: voxels of the cortex between two surfaces."""

import numpy as np
import pytest

from bids_dnn.containers.mesh import Mesh
from bids_dnn.containers.space import Grid
from bids_dnn.errors import SpaceError
from bids_dnn.rois.ribbon import Cortex, share_of_ribbon
from tests.factories.surfaces import icosphere

INNER, OUTER = 24.0, 27.0


def shell(order=4, center=(0.0, 0.0, 0.0)):
    sphere = icosphere(order)
    unit = sphere.vertices / 100
    return tuple(Mesh(r * unit + np.array(center), sphere.faces) for r in (INNER, OUTER))


def grid_of(voxel_mm, reach=36.0):
    n = int(2 * reach / voxel_mm)
    affine = np.diag([-voxel_mm, voxel_mm, voxel_mm, 1.0])
    affine[:3, 3] = [reach, -reach, -reach]
    return Grid("T1w", (n, n, n), affine, np.arange(n**3))


def centers(grid):
    at = np.indices(grid.shape).reshape(3, -1).T
    return at @ grid.affine[:3, :3].T + grid.affine[:3, 3]


def stay(points):
    return points


def in_ribbon(cortices, grid, *, carry):
    return share_of_ribbon(cortices, grid, carry=carry) > 0.5


@pytest.mark.parametrize("voxel_mm", [2.0, 3.0])
@pytest.mark.parametrize("order", [3, 4])
def test_no_voxel_of_the_ribbon_is_missed_and_none_beyond_is_taken(voxel_mm, order):
    white, pial = shell(order)
    grid = grid_of(voxel_mm)
    found = in_ribbon([Cortex(white, pial, np.ones(len(white.vertices), bool))], grid, carry=stay)
    radius = np.linalg.norm(centers(grid), axis=1)
    sag = 0.3 if order == 3 else 0.1  # triangles lie below the sphere between their corners
    assert found[(radius > INNER) & (radius < OUTER - sag)].all()
    half = voxel_mm * 3**0.5 / 2
    assert not found[(radius > OUTER + half) | (radius < INNER - sag - half)].any()


def test_the_marked_half_gives_the_voxels_of_that_half():
    white, pial = shell()
    grid = grid_of(2.0)
    marked = white.vertices[:, 1] < 0
    found = in_ribbon([Cortex(white, pial, marked)], grid, carry=stay)
    every = in_ribbon([Cortex(white, pial, np.ones_like(marked))], grid, carry=stay)
    y = centers(grid)[:, 1]
    np.testing.assert_array_equal(found[y < -2.5], every[y < -2.5])
    assert not found[y > 2.5].any()
    rest = in_ribbon([Cortex(white, pial, ~marked)], grid, carry=stay)
    assert not (found & rest).any()
    assert (found | rest).sum() >= every.sum() - (np.abs(y) < 2.5).sum()


def test_the_other_hemisphere_competes_for_a_shared_voxel():
    white, pial = shell()
    here = Cortex(white, pial, np.ones(len(white.vertices), bool))
    away = shell(center=(2 * OUTER, 0, 0))  # touches at x = 27 mm
    there = Cortex(*away, np.zeros(len(white.vertices), bool))
    grid = grid_of(3.0)
    alone, both = (in_ribbon(one, grid, carry=stay) for one in ([here], [here, there]))
    assert (both <= alone).all()
    lost = centers(grid)[alone & ~both]
    assert len(lost)
    assert lost[:, 0].min() > OUTER - 4.5


def test_the_order_of_the_hemispheres_does_not_matter():
    white, pial = shell(3)
    one = Cortex(white, pial, white.vertices[:, 2] > 5)
    other = Cortex(*shell(3, center=(50.0, 0, 0)), np.zeros(len(white.vertices), bool))
    grid = grid_of(3.0)
    np.testing.assert_array_equal(
        in_ribbon([one, other], grid, carry=stay), in_ribbon([other, one], grid, carry=stay)
    )


def test_moving_points_moves_the_voxels():
    white, pial = shell(3)
    cortex = Cortex(white, pial, white.vertices[:, 2] > 5)
    grid = grid_of(3.0)
    moved = in_ribbon([cortex], grid, carry=lambda p: p + np.array([0.0, 6.0, 0.0]))
    expected = in_ribbon([cortex], grid, carry=stay).reshape(grid.shape)
    np.testing.assert_array_equal(moved.reshape(grid.shape)[:, 2:], expected[:, :-2])


def test_shares_of_complements_sum_to_one():
    white, pial = shell(3)
    marked = white.vertices[:, 1] < 0
    grid = grid_of(3.0)
    one, rest = (
        share_of_ribbon([Cortex(white, pial, m)], grid, carry=stay) for m in (marked, ~marked)
    )
    both = (one > 0) & (rest > 0)
    assert both.sum() > 20
    np.testing.assert_allclose((one + rest)[both], 1)


def test_nothing_marked_gives_nothing_and_voxels_outside_the_grid_are_left_out():
    white, pial = shell(2)
    none = np.zeros(len(white.vertices), bool)
    assert not in_ribbon([Cortex(white, pial, none)], grid_of(3.0), carry=stay).any()
    small = grid_of(3.0, reach=12.0)
    assert not in_ribbon([Cortex(white, pial, ~none)], small, carry=stay).any()


def test_other_meshes_are_refused():
    white, pial = shell(2)
    with pytest.raises(SpaceError, match=r"have 162, 642 and 162 vertices"):
        Cortex(white, shell(3)[1], np.zeros(162, bool))
    with pytest.raises(SpaceError, match=r"have 162, 162 and 42 vertices"):
        Cortex(white, pial, np.zeros(42, bool))
