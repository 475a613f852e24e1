"""Move each target's own weights of feature spaces downhill from a shared candidate.

With weights of its own, each target has a kernel of its own. The eigenvectors of the candidate
that it comes from serve twice: at the candidate they give the derivative of the predictions
with respect to the log weights, and beyond it they precondition conjugate gradients, which then
take a few steps, for all targets of a candidate at once. Letters: `g` weights over penalty, so
that the kernel is ``sum_i g_i k_i + 1``; `w` dual weights; `r` a residual.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.encode.banded_search import Teaching, groups
from bids_dnn.analyses.encode.spectrum import Spectrum, decompose
from bids_dnn.stats.folds import Fold
from bids_dnn.stats.kernels import center_grams

Array = NDArray[np.float64]
Values = NDArray[np.floating[Any]]
Index = NDArray[np.intp]
FARTHEST = 2.0  # of one step, in log weight
DAMPING = 1e-2
PARTS_OF_STEP = (1.0, 0.4)
ENOUGH = 1e-4  # relative residual: validation errors then hold to about its square
MOST_ITERATIONS = 50
KEPT_BYTES = 1_000_000_000  # of spectra, which are needed twice; the others are made again


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Where targets come from: a candidate, and weights of their own.

    Parameters
    ----------
    candidates : (n_candidates, n_spaces)
    candidate : (n_targets,)
        Row of `candidates`, whose eigenvectors are used.
    ratio : (n_spaces, n_targets)
        Weights over penalty.
    """

    candidates: Array
    candidate: Index
    ratio: Array


def centered_stack(train: Iterable[Array], test: Iterable[Array]) -> tuple[Array, Array]:
    """Center Gram matrices, n_spaces of (n_train, n_train) and of (n_test, n_train).

    Raises
    ------
    ShapeError
        If the two do not fit each other.
    """
    pairs = [center_grams(one, other) for one, other in zip(train, test, strict=True)]
    return np.stack([one for one, _ in pairs]), np.stack([other for _, other in pairs])


def solve_weighted(
    k: Array, y: Array, *, ratio: Array, found: Spectrum, tol: float = ENOUGH
) -> Array:
    """Solve ``(sum_i ratio_i k_i + 1) w = y``, each target with its own ratios.

    Conjugate gradients, preconditioned by the spectrum of a mixture near by.

    Parameters
    ----------
    k : (n_spaces, n, n)
        Centered.
    y : (n, n_targets)
    ratio : (n_spaces, n_targets)
        Weights over penalty.
    found
        Of a mixture whose weights sum to 1.
    tol : float
        Norm of the residual that is left, relative to that of `y`.

    Returns
    -------
    w : (n, n_targets)

    References
    ----------
    Hestenes & Stiefel (1952), J. Res. Natl. Bur. Stand. 49:409, doi:10.6028/jres.049.044.
    """
    u = found.vectors
    shrink = 1 / (1 + found.values[:, None] * ratio.sum(axis=0)) - 1  # (rank, n_targets)

    def eased(r: Array, of: Index) -> Array:
        made: Array = r + u @ (shrink[:, of] * (u.T @ r))
        return made

    goal = tol**2 * (y**2).sum(axis=0)
    going = np.arange(y.shape[1])
    w = eased(y, going)
    r = y - w - _multiply(k, w, ratio)
    z = eased(r, going)
    p, rz = z, (r * z).sum(axis=0)
    for _ in range(MOST_ITERATIONS):
        keep = (r**2).sum(axis=0) > goal[going]  # also drops what is not a number
        if not keep.all():
            going, r, p, rz = going[keep], r[:, keep], p[:, keep], rz[keep]
        if not going.size:
            break
        moved = p + _multiply(k, p, ratio[:, going])
        length = rz / (p * moved).sum(axis=0)
        w[:, going] += length * p
        r = r - length * moved
        z = eased(r, going)
        last, rz = rz, (r * z).sum(axis=0)
        p = z + (rz / last) * p
    return w


def refine_weights(
    spaces: Teaching,
    y: Values,
    start: Start,
    *,
    splits: Sequence[Fold],
    batch: int,
) -> tuple[Array, Array]:
    """Take one damped Gauss-Newton step in log weights, where it lowers the validation error.

    Parameters
    ----------
    spaces
        Of the training images.
    y : (n_train, n_targets)
    start
        With ratios of the candidates themselves.
    splits
        Of the training images.
    batch : int
        Targets worked on at once.

    Returns
    -------
    ratio : (n_spaces, n_targets)
        That of `start` where no step helped.
    fall : (n_targets,), at least 0
        By which the mean squared error over splits fell.

    References
    ----------
    Dupre la Tour et al. (2022), NeuroImage 264:119728, doi:10.1016/j.neuroimage.2022.119728.
    Bengio (2000), Neural Comput. 12:1889, doi:10.1162/089976600300015187.
    """
    n_spaces, n_targets = start.ratio.shape
    curve, slope = np.zeros((n_targets, n_spaces, n_spaces)), np.zeros((n_targets, n_spaces))
    before = np.zeros(n_targets)
    kept: dict[tuple[int, int], Spectrum] = {}
    for part in _parts(spaces, y, start, splits=splits, batch=batch, kept=kept):
        jacobian, off = _linearize(part, start.ratio[:, part.where])
        before[part.where] += (off**2).mean(axis=0)
        curve[part.where] += np.einsum("iav,jav->vij", jacobian, jacobian) / len(off)
        slope[part.where] += np.einsum("iav,av->vi", jacobian, off) / len(off)
    size = np.einsum("vii->v", curve)
    flat = ~(size > 0)
    ridge = np.where(flat, 1.0, DAMPING * size)
    step = np.linalg.solve(
        np.where(flat[:, None, None], 0.0, curve) + ridge[:, None, None] * np.eye(n_spaces),
        np.where(flat[:, None], 0.0, slope)[..., None],
    )[..., 0].T
    step /= np.maximum(np.abs(step).max(axis=0) / FARTHEST, 1.0)
    trials = [start.ratio * np.exp(share * step) for share in PARTS_OF_STEP]
    after = np.zeros((len(trials), n_targets))
    for part in _parts(spaces, y, start, splits=splits, batch=batch, kept=kept):
        for t, ratio in enumerate(trials):
            own = ratio[:, part.where]
            w = solve_weighted(part.train, part.taught, ratio=own, found=part.found)
            off = part.told - _multiply(part.test, w, own)
            after[t, part.where] += (off**2).mean(axis=0)
    ratio, least = start.ratio.copy(), before.copy()
    for trial, loss in zip(trials, after, strict=True):
        better = loss < least
        ratio[:, better], least[better] = trial[:, better], loss[better]
    return ratio, (before - least) / len(splits)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """One split and the targets of one candidate: centered spaces, spectrum, responses."""

    where: Index
    train: Array
    test: Array
    found: Spectrum
    taught: Array
    told: Array


def _parts(
    spaces: Teaching,
    y: Values,
    start: Start,
    *,
    splits: Sequence[Fold],
    batch: int,
    kept: dict[tuple[int, int], Spectrum],
) -> Iterator[_Part]:
    """Give each split and candidate with its targets; spectra are added to `kept`."""
    for j, split in enumerate(splits):
        grams = spaces.seen_by(split)
        train, test = centered_stack(
            grams[:, split.train][:, :, split.train], grams[:, split.test][:, :, split.train]
        )
        for c, places in groups(start.candidate):
            found = kept.get((j, c))
            if found is None:
                mixture = start.candidates[c]
                found = decompose(
                    np.tensordot(mixture, train, axes=1), np.tensordot(mixture, test, axes=1)
                )
                if (len(kept) + 1) * found.vectors.nbytes < KEPT_BYTES:
                    kept[j, c] = found
            for first in range(0, len(places), batch):
                where = places[first : first + batch]
                taught = y[np.ix_(split.train, where)].astype(np.float64)
                told = y[np.ix_(split.test, where)].astype(np.float64)
                mean = taught.mean(axis=0)
                yield _Part(where, train, test, found, taught - mean, told - mean)


def _linearize(part: _Part, ratio: Array) -> tuple[Array, Array]:
    """Return the derivative of the predictions by each log weight, and the residuals.

    Shapes (n_spaces, n_test, n_targets) and (n_test, n_targets).
    """
    u, total = part.found.vectors, ratio.sum(axis=0)
    shrink = 1 / (1 + part.found.values[:, None] * total)  # (rank, n_targets)
    z = shrink * (u.T @ part.taught)
    off = part.told - (part.found.test @ z) * total
    w = u @ z  # what of the dual weights the spaces see
    jacobian = np.empty((len(ratio), *off.shape))
    for i, g in enumerate(ratio):
        back = shrink * (u.T @ (part.train[i] @ w))
        jacobian[i] = g * (part.test[i] @ w - (part.found.test @ back) * total)
    return jacobian, off


def _multiply(k: Array, w: Array, ratio: Array) -> Array:
    """Return ``sum_i ratio_i k_i w``."""
    made = np.zeros((k.shape[1], w.shape[1]))
    for one, g in zip(k, ratio, strict=True):
        made += g * (one @ w)
    return made
