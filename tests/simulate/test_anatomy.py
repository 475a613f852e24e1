"""simulate.anatomy: regions of whole size, apart from each other, the same in both spaces."""

import numpy as np

from bids_dnn.simulate import anatomy
from bids_dnn.simulate.truth import N_VOXELS, PLAN


def test_regions_have_their_size_and_share_no_voxel(rng):
    brain = anatomy.brain()
    found = anatomy.regions(brain, rng)
    assert list(found) == [plan.region for plan in PLAN]
    assert {len(units) for units in found.values()} == {N_VOXELS}
    assert len(np.unique(np.concatenate(list(found.values())))) == N_VOXELS * len(PLAN)


def test_regions_are_compact(rng):
    brain = anatomy.brain()
    where = np.stack(np.unravel_index(brain.index, brain.shape), axis=1)
    for units in anatomy.regions(brain, rng).values():
        assert np.ptp(where[units], axis=0).max() <= 7


def test_the_mni_grid_holds_the_same_voxels_in_the_same_order():
    brain = anatomy.brain()
    mni = anatomy.to_mni(brain)
    assert len(mni) == len(brain)
    assert mni.shape != brain.shape
    here = np.stack(np.unravel_index(brain.index, brain.shape))
    there = np.stack(np.unravel_index(mni.index, mni.shape))
    assert len(np.unique(there - here, axis=1).T) == 1


def test_the_phantom_covers_the_field_of_view_of_the_brain(rng):
    brain = anatomy.brain()
    grid = anatomy.fine(brain)
    image = anatomy.phantom(brain, rng)
    mask = anatomy.brain_on(grid, brain)
    assert len(image) == len(grid)
    assert len(mask) == 8 * len(brain)
    assert image[mask.index].mean() > 3 * np.delete(image, mask.index).mean()
    corner = grid.affine @ [-0.5, -0.5, -0.5, 1]
    np.testing.assert_allclose(corner, brain.affine @ [-0.5, -0.5, -0.5, 1])
