"""group.tfce: nilearn's own numbers, ties, a planted blob, false alarms."""

from __future__ import annotations

import warnings

import nibabel as nib
import numpy as np
import pytest
from nilearn.maskers import NiftiMasker
from nilearn.mass_univariate import permuted_ols
from scipy import ndimage
from scipy.stats import binom

from bids_dnn.containers.space import Grid
from bids_dnn.errors import NotEnoughDataError, ShapeError
from bids_dnn.group.tfce import tfce_p

SHAPE = (9, 8, 7)
N = int(np.prod(SHAPE))
SPACE = Grid("MNI", SHAPE, np.diag([3.0, 3.0, 3.0, 1.0]), np.arange(N))


def smooth(rng, n=12, lift=0.0):
    noise = ndimage.gaussian_filter(rng.normal(size=(n, *SHAPE)), (0, 1, 1, 1))
    return (noise / noise.std() + lift).reshape(n, -1).T  # (n_units, n)


def blob(height):
    lift = np.zeros(SHAPE)
    lift[2:5, 3:6, 2:5] = height
    return lift


def by_nilearn(values, space, covariates, n_flips, seed):
    mask = np.zeros(space.n_places, np.int8)
    mask[space.index] = 1
    image = nib.nifti1.Nifti1Image(mask.reshape(space.shape), np.eye(4))
    found = permuted_ols(
        np.ones((values.shape[1], 1)),
        np.ascontiguousarray(values.T),
        confounding_vars=covariates,
        model_intercept=False,
        n_perm=n_flips,
        two_sided_test=False,
        random_state=seed,
        masker=NiftiMasker(mask_img=image, standardize=None).fit(),
        tfce=True,
    )
    return 10.0 ** -found["logp_max_tfce"][0]


@pytest.mark.parametrize("n_covariates", [0, 2])
def test_p_are_those_of_nilearn(rng, n_covariates):
    keep = np.flatnonzero(np.arange(N) % 13)
    values, space = smooth(rng, lift=blob(1.0))[keep], SPACE.at(keep)
    z = rng.normal(size=(12, n_covariates))
    z -= z.mean(axis=0)
    p = tfce_p(values, space, covariates=z + 30, n_flips=40, seed=3)
    # covariates span the same space, but for scale and rotation
    expected = by_nilearn(values, space, z if n_covariates else None, 40, 3)
    np.testing.assert_allclose(p, expected, rtol=1e-6)
    assert p.min() < 0.1 < p.max()


def test_a_planted_blob_is_found_where_it_lies(rng):
    lift = blob(1.5)
    p = tfce_p(smooth(rng, lift=lift), SPACE, n_flips=99, seed=0).reshape(SHAPE)
    assert (p[lift > 0] < 0.05).mean() > 0.9
    far = ndimage.distance_transform_edt(lift == 0) > 3
    assert (p[far] >= 0.05).all()


def test_ties_count_so_that_p_has_its_floor(rng):
    """Of four participants one flip in 16 leaves the data as they are."""
    n_flips = 200
    p = tfce_p(smooth(rng, n=4, lift=3.0), SPACE, n_flips=n_flips, seed=0)
    low, high = binom.ppf([1e-5, 1 - 1e-5], n_flips, 1 / 16)
    assert (1 + low) / (1 + n_flips) <= p.min() <= (1 + high) / (1 + n_flips)


@pytest.mark.slow
def test_false_alarms_stay_at_their_level(rng):
    n, level = 60, 0.2
    alarms = sum(
        (tfce_p(smooth(rng, n=8), SPACE, n_flips=19, seed=k) <= level).any() for k in range(n)
    )
    assert alarms <= binom.isf(1e-4, n, level)


def test_order_of_units_and_missing_ones_do_not_matter(rng):
    values = smooth(rng, lift=blob(1.0))
    whole = tfce_p(values, SPACE, n_flips=20, seed=1)
    turned = rng.permutation(N)
    again = tfce_p(values[turned], SPACE.at(turned), n_flips=20, seed=1)
    np.testing.assert_array_equal(again, whole[turned])
    assert (tfce_p(values, SPACE, n_flips=20, seed=2) != whole).any()
    gappy = values.copy()
    gappy[:30, 2] = np.nan
    gappy[30:40] = 0.7
    part = tfce_p(gappy, SPACE, n_flips=20, seed=1)
    assert np.isnan(part[:40]).all()
    only = tfce_p(values[40:], SPACE.at(np.arange(40, N)), n_flips=20, seed=1)
    np.testing.assert_array_equal(part[40:], only)


def test_who_lacks_a_covariate_is_left_out(rng):
    values, z = smooth(rng), rng.normal(size=(12, 1))
    z[4] = np.nan
    made = tfce_p(values, SPACE, covariates=z, n_flips=20, seed=1)
    keep = np.arange(12) != 4
    other = tfce_p(values[:, keep], SPACE, covariates=z[keep], n_flips=20, seed=1)
    np.testing.assert_array_equal(made, other)
    same = np.column_stack([z, z])
    twice = tfce_p(values, SPACE, covariates=same, n_flips=20, seed=1)
    np.testing.assert_allclose(made, twice, rtol=1e-6)


def test_a_voxel_that_covariates_fit_exactly_is_left_out(rng):
    """Its t would be infinite, and p of the whole map 1."""
    values, z = smooth(rng, n=8, lift=blob(1.5)), np.repeat([0.0, 1.0], 4)[:, None]
    how = {"covariates": z, "n_flips": 20, "seed": 1}
    keep = np.delete(np.arange(N), 60)
    only = tfce_p(values[keep], SPACE.at(keep), **how)
    values[60] = np.float32(0.1) + np.float32(0.2) * z[:, 0]
    made = tfce_p(values, SPACE, **how)
    assert np.isnan(made[60])
    np.testing.assert_array_equal(made[keep], only)
    assert only.min() < 0.1


def test_flips_without_residuals_do_not_warn(rng):
    values = smooth(rng, n=4)
    values[60] = [0.5, -0.5, 0.5, 0.5]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        p = tfce_p(values, SPACE, n_flips=40, seed=1)
    assert np.isfinite(p).all()


def test_what_does_not_fit_is_refused(rng):
    with pytest.raises(ShapeError, match=r"\(5, 12\), space has 504"):
        tfce_p(smooth(rng)[:5], SPACE, n_flips=5, seed=0)
    with pytest.raises(NotEnoughDataError, match="3 participants and 2 covariates"):
        tfce_p(smooth(rng, n=3), SPACE, covariates=np.eye(3)[:, :2], n_flips=5, seed=0)
