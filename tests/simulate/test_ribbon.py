"""simulate.ribbon: voxels hold the vertices whose cortex passes through them."""

import numpy as np
import pytest

from bids_dnn.simulate import cortex, ribbon
from bids_dnn.simulate.ribbon import FLUID, GRAY, VOXEL_MM, WHITE


@pytest.fixture(scope="module")
def halves():
    return cortex.grow(np.random.default_rng(0))


@pytest.fixture(scope="module")
def filled(halves):
    return ribbon.fill(halves)


def centers(space):
    voxel = np.stack(np.unravel_index(space.index, space.shape), axis=1)
    return voxel @ space.affine[:3, :3].T + space.affine[:3, 3]


def test_shares_of_a_voxel_sum_to_one(filled):
    total = filled.weights.sum(axis=1)
    np.testing.assert_allclose(total[~filled.is_deep], 1)
    assert not total[filled.is_deep].any()
    assert filled.is_deep.sum() > 60


def test_voxels_lie_around_the_vertices_that_they_hold(halves, filled):
    middle = np.concatenate([half.surfaces["midthickness"].vertices for half in halves])
    mean = np.asarray(filled.weights @ middle)[~filled.is_deep]
    off = np.abs(mean - centers(filled.space)[~filled.is_deep])
    assert off.max() < 2 * VOXEL_MM
    assert np.median(off) < VOXEL_MM / 2


def test_what_all_vertices_share_all_voxels_share(filled):
    n_vertices = filled.weights.shape[1]
    everywhere = filled.share(np.ones(n_vertices, dtype=bool))
    np.testing.assert_allclose(everywhere, ~filled.is_deep)
    assert not filled.share(np.zeros(n_vertices, dtype=bool)).any()


def test_most_covered_vertices_lie_in_a_voxel(halves, filled):
    is_covered = np.concatenate([half.is_covered for half in halves])
    held = np.asarray(filled.weights.sum(axis=0)) > 0
    assert held[is_covered].mean() > 0.99
    assert not held[~is_covered].any()


def test_tissue_follows_the_surfaces(halves):
    grid = ribbon.fine_grid()
    head = ribbon.scan(grid, halves)
    image, labels = head.image.reshape(grid.shape), head.labels.reshape(grid.shape)

    def at(points, values=image):
        return values[tuple(np.rint((points - grid.affine[:3, 3]) / ribbon.FINE_MM).astype(int).T)]

    for half in halves:
        white, pial = half.surfaces["white"].vertices, half.surfaces["pial"].vertices
        assert (at((white + pial) / 2) == GRAY).mean() > 0.95
        assert (at(2.5 * white - 1.5 * pial) == WHITE).mean() > 0.9  # 4.5 mm below gray matter
        assert np.isin(at(3 * pial - 2 * white), (FLUID, 0.0, GRAY)).all()
        is_fusiform = half.parcel == cortex.PARCELS.index("fusiform")
        number = 1007 if half.hemisphere == "L" else 2007  # of FreeSurfer's table
        found = at((white + pial) / 2, labels) == number
        assert found[is_fusiform].mean() > 0.9
        assert found[~is_fusiform].mean() < 0.02
        inside = at(2.5 * white - 1.5 * pial, labels)
        assert (inside == (2 if half.hemisphere == "L" else 41)).mean() > 0.9
    assert not labels[np.isin(image, (0.0, FLUID))].any()
    assert image[0, 0, 0] == 0
    edges = [image[0], image[-1], image[:, 0], image[:, -1], image[..., 0], image[..., -1]]
    assert max(edge.max() for edge in edges) <= FLUID  # all of the brain is in the image
