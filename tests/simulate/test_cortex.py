"""simulate.cortex: two folded hemispheres whose regions see what their names say."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from bids_dnn.simulate import cortex
from bids_dnn.simulate.meshes import icosphere
from bids_dnn.simulate.retinotopy import field_map


@pytest.fixture(scope="module")
def halves():
    return cortex.grow(np.random.default_rng(0))


def test_the_ribbon_is_three_millimeters_thick(halves):
    for half in halves:
        thick = np.linalg.norm(
            half.surfaces["pial"].vertices - half.surfaces["white"].vertices, axis=1
        )
        np.testing.assert_allclose(thick, 3.0)


def test_hemispheres_lie_on_their_sides(halves):
    left, right = (half.surfaces["pial"].vertices[:, 0] for half in halves)
    assert left.max() < 0 < right.min()


def test_meshes_are_the_participants_own(halves):
    template = cKDTree(icosphere(5).vertices)
    for half in halves:
        assert len(half.curvature) not in (2562, 10242)
        distance, _ = template.query(half.directions)
        assert np.median(distance) > 0.005
        assert {len(mesh.vertices) for mesh in half.surfaces.values()} == {len(half.curvature)}
        moved = half.surfaces["sphere"].vertices - half.surfaces["sphere.reg"].vertices
        assert np.linalg.norm(moved, axis=1).mean() > 3  # mm: only the registered sphere will do
    assert len(halves[0].curvature) != len(halves[1].curvature)


def test_another_participant_has_another_cortex():
    one, other = (cortex.grow(np.random.default_rng(seed))[0] for seed in (0, 1))
    assert len(one.curvature) != len(other.curvature)


def test_regions_lie_in_the_hemisphere_that_sees_them(halves):
    left, right = (half.regions for half in halves)
    for name, (x, _) in cortex.DISKS.items():
        seeing, blind = (left, right) if x > 0 else (right, left)
        assert seeing[name].sum() >= 5
        assert not blind[name].any()
    for half in halves:
        assert half.regions["fovea"].sum() > 200
        assert half.regions["faces"].sum() > 40


def test_regions_are_apart_and_within_the_imaged_slab(halves):
    for half in halves:
        marked = np.stack([half.regions[name] for name in cortex.REGIONS])
        assert marked.sum(axis=0).max() == 1
        assert half.is_covered[marked.any(axis=0)].all()
        assert 0.3 < half.is_covered.mean() < 0.7
        assert not half.fields.area[half.regions["faces"]].any()


def test_parcels_hold_their_regions(halves):
    number = {name: i for i, name in enumerate(cortex.PARCELS)}
    for half in halves:
        assert set(half.parcel[half.regions["faces"]]) == {number["fusiform"]}
        np.testing.assert_array_equal(
            half.parcel == number["pericalcarine"], half.fields.area == 1
        )
        lingual = half.parcel == number["lingual"]
        assert (half.fields.angle[lingual] <= 90).all()


def test_regions_by_template_agree_with_those_of_the_participant(halves):
    """The nearest vertex of the template tells the same region, but at borders."""
    mesh = icosphere(5)
    for half in halves:
        fields = field_map(mesh.vertices, half.hemisphere)
        there = cortex.regions_of(fields, mesh.vertices, half.hemisphere)
        _, nearest = cKDTree(mesh.vertices).query(half.directions)
        same = there["fovea"][nearest] == half.regions["fovea"]
        assert same.mean() > 0.98
