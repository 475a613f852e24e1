"""Threshold-free cluster enhancement of means over participants, by flipping signs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.space import Grid
from bids_dnn.errors import NotEnoughDataError, ShapeError

Float = NDArray[np.float64]
ROUNDING = 1e-6  # of the largest value: what is left of single precision
NEAR = 1e-5  # of an enhanced t: nearer ones are ties, as nilearn rounds some of them to single


def tfce_p(
    values: Float, space: Grid, *, covariates: Float | None = None, n_flips: int, seed: int
) -> Float:
    """Test that means over participants are above zero, by enhanced t and its largest values.

    Each flip of signs gives a map of t, which nilearn enhances by the height and extent of what
    surrounds each voxel (voxels touch by their faces). p is the share of flips, random ones and
    the data as they are, whose largest enhanced t is at least as large. With covariates the mean
    is that at their mean, and they are taken away before signs are flipped.

    Parameters
    ----------
    values : (n_units, n_participants)
        Scores less what is expected by chance; NaN = not measured.
    space
        Of the units.
    covariates : (n_participants, n_covariates)
        A participant with a NaN here is left out.
    n_flips : int
    seed
        Of the flips.

    Returns
    -------
    p : (n_units,), in (0, 1]
        Corrected over the map. NaN where a participant has no value, all have the same, or the
        covariates leave nothing of what differs: t would be infinite.

    Raises
    ------
    ShapeError
        If `values` has not a row for each unit.
    NotEnoughDataError
        If there are no more participants than covariates + 1.

    References
    ----------
    Smith & Nichols (2009), NeuroImage 44:83, doi:10.1016/j.neuroimage.2008.03.061.
    Freedman & Lane (1983), J. Bus. Econ. Stat. 1:292, doi:10.1080/07350015.1983.10509354.
    """
    if len(values) != len(space):
        raise ShapeError(
            f"values have shape {values.shape}, space has {len(space)} units.",
            mend="Give one row for each unit.",
        )
    z = np.empty((values.shape[1], 0)) if covariates is None else covariates
    who = np.isfinite(z).all(axis=1)
    z = z[who]
    if who.sum() <= z.shape[1] + 1:
        raise NotEnoughDataError(
            f"There are {who.sum()} participants and {z.shape[1]} covariates.",
            mend="Leave out covariates, or add participants.",
        )
    y = values[:, who]
    further = _apart(z - z.mean(axis=0))
    known = np.flatnonzero(np.isfinite(y).all(axis=1))
    known = known[_varies(y[known], further)]
    p = np.full(len(values), np.nan)
    if known.size:
        p[known] = _p_of(y[known], space.select(known), further, n_flips, seed)
    return p


def _varies(y: Float, covariates: Float | None) -> NDArray[np.bool_]:
    """Tell where more than rounding is left of y (n_units, n) beside mean and covariates."""
    left = y - y.mean(axis=1, keepdims=True)
    if covariates is not None:
        left -= (left @ covariates) @ covariates.T
    marked: NDArray[np.bool_] = np.abs(left).max(axis=1) > ROUNDING * np.abs(y).max(initial=0.0)
    return marked


def _p_of(y: Float, space: Grid, covariates: Float | None, n_flips: int, seed: int) -> Float:
    import nibabel as nib
    from nilearn.maskers import NiftiMasker
    from nilearn.mass_univariate import permuted_ols

    order = np.argsort(space.index)  # maskers take voxels in the order of the grid
    inside = np.zeros(space.n_places, dtype=np.int8)
    inside[space.index] = 1
    image: Any = nib.nifti1.Nifti1Image  # nibabel has no types for it
    mask = image(inside.reshape(space.shape), space.affine)
    with np.errstate(divide="ignore", invalid="ignore"):  # a flip may leave no residuals
        found = permuted_ols(
            np.ones((y.shape[1], 1)),
            np.ascontiguousarray(y[order].T),
            confounding_vars=covariates,
            model_intercept=False,
            n_perm=n_flips,
            two_sided_test=False,
            random_state=seed % 2**32,
            n_jobs=1,
            masker=NiftiMasker(mask_img=mask, standardize=None).fit(),
            tfce=True,
        )
    seen, highest = found["tfce"][0], np.sort(found["h0_max_tfce"][0])
    count = n_flips - np.searchsorted(highest, seen * (1 - NEAR))
    p = np.empty(len(y))
    p[order] = (1 + count) / (1 + n_flips)
    return p


def _apart(covariates: Float) -> Float | None:
    """Return the centered covariates that vary, orthonormal; None where there is none."""
    scale = np.linalg.norm(covariates, axis=0)
    varied = covariates[:, scale > 1e-12] / scale[scale > 1e-12]
    u, s, _ = np.linalg.svd(varied, full_matrices=False)
    return np.ascontiguousarray(u[:, s > 1e-9]) if (s > 1e-9).any() else None
