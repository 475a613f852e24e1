"""stats.enhance: sums over fine steps, nilearn's values, closed forms, laws of scale and order."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from nilearn.maskers import NiftiMasker
from nilearn.mass_univariate import permuted_ols
from scipy import ndimage
from scipy.sparse import csr_array

from bids_dnn.containers.mesh import Mesh
from bids_dnn.containers.space import Grid, Surface
from bids_dnn.errors import ShapeError
from bids_dnn.stats.enhance import SURFACE, enhanced
from bids_dnn.stats.neighbours import adjacency

SHAPE = (9, 8, 7)
N = int(np.prod(SHAPE))
SPACE = Grid("MNI", SHAPE, np.diag([3.0, 3.0, 3.0, 1.0]), np.arange(N))


def smooth(rng, n=1):
    made = ndimage.gaussian_filter(rng.normal(size=(n, *SHAPE)), (0, 1, 1, 1))
    return (made / made.std()).reshape(n, -1)


def by_steps(values, extent, height, n_steps):
    """Enhance a volume as the paper has it, at the middle of each of many steps."""
    step = values.max() / n_steps
    out = np.zeros(values.shape)
    for level in (np.arange(n_steps) + 0.5) * step:
        labels, _ = ndimage.label(values >= level)
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        out += sizes[labels] ** extent * level**height * step
    return out


@pytest.mark.parametrize(("extent", "height"), [(0.5, 2.0), (1.0, 2.0), (0.5, 1.0)])
def test_it_is_the_integral_that_steps_come_near_to(rng, extent, height):
    values = smooth(rng)
    made = enhanced(values, adjacency(SPACE), extent=extent, height=height)[0]
    expected = by_steps(values.reshape(SHAPE), extent, height, 4000).ravel()
    np.testing.assert_allclose(made, expected, rtol=5e-3, atol=2e-3 * expected.max())
    assert (made[values[0] <= 0] == 0).all()


def test_it_is_nilearn_times_its_step_on_a_mask_with_holes(rng):
    keep = np.flatnonzero(np.arange(N) % 7)
    space = SPACE.at(keep)
    mask = np.zeros(N, np.int8)
    mask[keep] = 1
    image = nib.nifti1.Nifti1Image(mask.reshape(SHAPE), np.eye(4))
    found = permuted_ols(
        np.ones((12, 1)),
        np.ascontiguousarray(smooth(rng, 12)[:, keep] + 0.4),
        model_intercept=False,
        n_perm=0,
        two_sided_test=False,
        masker=NiftiMasker(mask_img=image, standardize=None).fit(),
        tfce=True,
    )
    t = found["t"]
    made = enhanced(t, adjacency(space))[0]
    theirs = found["tfce"][0] * t.max() / 100  # they leave out the step, a hundredth of the peak
    peak = theirs.argmax()
    assert made[peak] == pytest.approx(theirs[peak], rel=0.03)
    np.testing.assert_allclose(made, theirs, atol=0.02 * theirs.max())
    assert np.corrcoef(made, theirs)[0, 1] > 0.9995


def test_a_mesh_of_the_same_neighbours_gives_the_same(rng):
    """A row of triangles touches as two rows of voxels do whose diagonals touch as well."""
    n = 40
    vertices = np.array([[i, i % 2, 0.0] for i in range(n)])
    mesh = Mesh(vertices, np.array([[i, i + 1, i + 2] for i in range(n - 2)]))
    space = Surface("fsaverage5", (n, 0), np.arange(n))
    values = rng.normal(size=(3, n))
    made = enhanced(values, adjacency(space, meshes={"L": mesh}), extent=SURFACE)
    far = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    expected = enhanced(values, csr_array((far > 0) & (far <= 2)), extent=SURFACE)
    np.testing.assert_array_equal(made, expected)


def test_closed_forms_of_a_box_and_of_steps():
    t = np.zeros((1, N))
    box = np.zeros(SHAPE, dtype=bool)
    box[2:5, 3:6, 2:4] = True
    t[0, box.ravel()] = 3.0
    made = enhanced(t, adjacency(SPACE))[0]
    np.testing.assert_allclose(made[box.ravel()], np.sqrt(18) * 9.0)
    assert (made[~box.ravel()] == 0).all()
    pair = csr_array(np.array([[0, 1], [1, 0]]))
    low, high = enhanced(np.array([[1.0, 2.0]]), pair, extent=1.0)[0]
    assert low == pytest.approx(2 / 3)
    assert high == pytest.approx(2 / 3 + (8 - 1) / 3)


def test_scale_order_and_company_do_not_matter(rng):
    values, touching = smooth(rng, 4), adjacency(SPACE)
    made = enhanced(values, touching)
    np.testing.assert_allclose(enhanced(2 * values, touching), 8 * made, rtol=1e-9, atol=1e-12)
    turned = rng.permutation(N)
    again = enhanced(values[:, turned], adjacency(SPACE.at(turned)))
    np.testing.assert_allclose(again, made[:, turned], rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(enhanced(values[2:3], touching)[0], made[2])
    higher = values[:1].copy()
    higher[0, values[0].argmax()] += 1
    assert (enhanced(higher, touching)[0] >= made[0] - 1e-9).all()


def test_what_is_not_measured_is_in_no_cluster(rng):
    values = smooth(rng)
    gappy = np.where(np.arange(N) % 5, values, np.nan)
    made = enhanced(gappy, adjacency(SPACE))
    zeroed = enhanced(np.nan_to_num(gappy, nan=-1.0), adjacency(SPACE))
    np.testing.assert_array_equal(made, zeroed)
    assert enhanced(-np.abs(values), adjacency(SPACE)).max() == 0


def test_other_units_are_refused(rng):
    with pytest.raises(ShapeError, match=r"\(1, 500\), touching has shape \(504, 504\)"):
        enhanced(smooth(rng)[:, :500], adjacency(SPACE))
    with pytest.raises(ShapeError, match=r"\(504,\), touching"):
        enhanced(smooth(rng)[0], adjacency(SPACE))
