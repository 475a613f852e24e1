"""Flips of a group's map with enhanced clusters; the peer is nilearn's permuted_ols."""

from __future__ import annotations

from functools import partial
from typing import Any

import nibabel as nib
import numpy as np
from nilearn.maskers import NiftiMasker
from nilearn.mass_univariate import permuted_ols
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from benchmarks import Device, Row, Size, time_both
from bids_dnn.containers.space import Grid
from bids_dnn.group.tfce import Enhancement, enhancement_of, tfce_p
from bids_dnn.stats.designs import Design
from bids_dnn.stats.enhance import enhanced

Array = NDArray[np.float64]
SHAPES = {"small": (30, 35, 30), "full": (60, 70, 60)}  # of balls of 16,572 and 132,152 voxels
N_FLIPS = {"small": 20, "full": 20}
N_PARTICIPANTS = 20
STEPS = 100  # of the peer's heights, whose length it leaves out
NEAR = 0.02  # of the highest enhanced t
TARGET = 3.0


def make(size: Size) -> tuple[Array, Grid]:
    """Return smooth scores (n_units, n_participants) of a ball of voxels."""
    shape = SHAPES[size]
    middle = [(n - 1) / 2 for n in shape]
    far = [((x - m) / (m + 0.5)) ** 2 for x, m in zip(np.indices(shape), middle, strict=True)]
    space = Grid("MNI152", shape, np.diag([3.0, 3.0, 3.0, 1.0]), np.flatnonzero(sum(far) <= 1))
    rng = np.random.default_rng(0)
    noise = gaussian_filter(rng.normal(size=(N_PARTICIPANTS, *shape)), (0, 1.5, 1.5, 1.5))
    return noise.reshape(N_PARTICIPANTS, -1)[:, space.index].T, space


def ours(values: Array, how: Enhancement, n_flips: int) -> Array:
    """Return p corrected by the largest enhanced t."""
    return tfce_p(values, how, design=Design(values.shape[1]), n_flips=n_flips, seed=0)


def peer(values: Array, space: Grid, n_flips: int) -> Any:
    """Return what nilearn finds."""
    inside = np.zeros(space.n_places, np.int8)
    inside[space.index] = 1
    image: Any = nib.nifti1.Nifti1Image  # nibabel has no types for it
    mask = image(inside.reshape(space.shape), space.affine)
    return permuted_ols(
        np.ones((values.shape[1], 1)),
        values.T,
        model_intercept=False,
        n_perm=n_flips,
        two_sided_test=False,
        random_state=0,
        n_jobs=1,
        masker=NiftiMasker(mask_img=mask, standardize=None).fit(),
        tfce=True,
    )


def check(answer: Array, expected: Array) -> None:
    """Compare enhanced t (n_units,), the peer's times the length of its steps.

    Raises
    ------
    ArithmeticError
        If they differ.
    """
    off = float(np.abs(answer - expected).max() / expected.max())
    if not off < NEAR:
        raise ArithmeticError(f"tfce: values differ from nilearn's by {off:.3f} of the highest.")


def run(size: Size, device: Device) -> list[Row]:  # noqa: ARG001 nothing here is for a GPU
    """Compare answers, then times.

    Raises
    ------
    ArithmeticError
        If answers differ.
    """
    values, space = make(size)
    how = enhancement_of(space)
    if how is None:
        raise ArithmeticError("tfce: voxels of a grid have no neighbours.")
    found = peer(values, space, 0)
    t = found["t"]
    check(enhanced(t, how.touching)[0], found["tfce"][0] * t.max() / STEPS)
    ours(values, how, 1)  # compiled
    n = N_FLIPS[size]
    times = time_both(partial(ours, values, how, n), partial(peer, values, space, n), n_repeats=1)
    return [Row(f"tfce[{len(space)}x{n}]", *times, TARGET)]
