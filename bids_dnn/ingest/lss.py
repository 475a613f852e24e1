"""Least squares separate: each trial in a model of its own, all of them in closed form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bids_dnn.errors import NotEnoughDataError
from bids_dnn.ingest.trials import (
    Design,
    Solver,
    collinear_error,
    filtered,
    inverse_of,
    is_seen,
    solver_of,
)

Array = NDArray[np.float64]
SMALL = 1e-10  # share of a regressor's energy that others leave over, below which it is theirs
SAME = 1 - 1e-9  # correlation of two trials, above which they are one


def solve_separately(
    design: Design,
    *,
    groups: Sequence[str],
    keep: NDArray[np.bool_],
    run: str,
    low_pass: Array | None = None,
) -> Solver:
    """Return the weights of each trial in a model of itself and sums of the other trials.

    Trial i of group c is fitted beside one regressor for the other trials of each group, and
    the nuisance. Such models differ in little: with S_k the sum over all trials of group k,
    model i spans the trial r_i, all S_k and the nuisance, and the wanted amplitude is the
    coefficient of r_i plus that of S_c. So one inverse of [S, nuisance], and what it leaves of
    each r_i, give the weights of all trials; derivatives of the response go the same way.

    Parameters
    ----------
    design
        For all volumes.
    groups : n_trials
        All the same = the first published form (Mumford et al. 2012, LS-S: one regressor for all
        other trials); the conditions = the second one (Turner et al. 2012: one regressor for
        the other trials of each condition).
    keep : (n_volumes,) bool
        Volumes that count.
    run
        For the error.
    low_pass : (n_kept, n_kept)
        Times a time course filters it; series and design are both filtered.

    Returns
    -------
    solver
        Trials that the kept volumes hardly determine have no weights.

    Raises
    ------
    NotEnoughDataError
        If there are not more volumes than regressors in a model, or two trials have one time.

    References
    ----------
    Mumford et al. (2012), NeuroImage 59:2636, doi:10.1016/j.neuroimage.2011.08.076.
    Turner et al. (2012), NeuroImage 62:1429, doi:10.1016/j.neuroimage.2012.05.057.
    """
    x, n_free = filtered(design.matrix[keep], low_pass)
    n, n_own = design.n_trials, design.n_parts
    nuisance = basis(x[:, n * n_own :])
    own = (x[:, : n * n_own] - nuisance @ (nuisance.T @ x[:, : n * n_own])).reshape(
        len(x), n_own, n
    )
    _refuse_twins(own[:, 0], design, keep=keep, run=run)
    names, of_group = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    member = np.eye(len(names))[of_group]  # (n_trials, n_groups)
    sums = (own @ member).reshape(len(x), n_own * len(names))
    shared = basis(sums)
    n_regressors = nuisance.shape[1] + shared.shape[1] + n_own
    if n_free <= n_regressors:
        raise NotEnoughDataError(
            f"Run {run} has {n_free} volumes for {n_regressors} regressors in the model of each "
            "trial, which leaves none for the error.",
            mend="Use a leaner responses.confounds, or name trial types without interest in "
            "responses.rest.",
        )
    of_sums = inverse_of(sums)[: len(names)]  # canonical ones
    weights, is_lost = _weights(own, shared, of_sums[of_group])
    is_lost |= np.abs((of_sums * sums[:, : len(names)].T).sum(axis=1) - 1)[of_group] > 1e-4
    if low_pass is not None:
        weights = weights @ low_pass
    return solver_of(weights, x[:, :n], is_lost=is_lost, degrees_of_freedom=n_free - n_regressors)


def _weights(own: Array, shared: Array, of_group: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return weights (n_trials, n_kept) and which trials are not determined.

    Parameters
    ----------
    own : (n_kept, n_parts, n_trials)
        Regressors of each trial, without the nuisance.
    shared : (n_kept, rank)
        Orthonormal basis of the sums.
    of_group : (n_trials, n_kept)
        Weights of each trial's own group in a model of sums alone.
    """
    parts = own.transpose(2, 1, 0)  # (n_trials, n_parts, n_kept)
    left = parts - (parts @ shared) @ shared.T
    gram = left @ left.transpose(0, 2, 1)  # (n_trials, n_parts, n_parts)
    energy = (parts**2).sum(axis=2)  # (n_trials, n_parts)
    is_alone = gram[:, 0, 0] <= SMALL * energy[:, 0]  # its group has no other trial
    gram[is_alone] = np.eye(gram.shape[1])
    left[is_alone] = 0.0
    size = np.sqrt(np.maximum(np.einsum("tpp->tp", gram), np.finfo(float).tiny))
    scaled = gram / (size[:, :, None] * size[:, None, :])
    inverse = np.linalg.pinv(scaled, rcond=1e-8, hermitian=True)
    answer = (inverse @ (left / size[:, :, None])) / size[
        :, :, None
    ]  # (n_trials, n_parts, n_kept)
    spill = (of_group[:, None] * parts).sum(axis=2)  # (n_trials, n_parts)
    weights = answer[:, 0] + of_group - (spill[:, None] @ answer)[:, 0]
    unit = (weights[:, None] * parts).sum(axis=2)  # 1 for the trial, 0 for its derivatives
    unit[:, 0] -= 1
    return weights, np.abs(unit).max(axis=1) > 1e-4


def basis(x: Array) -> Array:
    """Return an orthonormal basis of the columns of `x` (n, p), (n, rank); their units aside."""
    norm = np.linalg.norm(x, axis=0)
    used = x[:, norm > 0] / norm[norm > 0]
    left, strength, _ = np.linalg.svd(used, full_matrices=False)
    found: Array = left[:, strength > 1e-8 * strength.max(initial=0.0)]
    return found


def _refuse_twins(own: Array, design: Design, *, keep: NDArray[np.bool_], run: str) -> None:
    norm = np.linalg.norm(own, axis=0)
    seen = np.flatnonzero(is_seen(design, keep) & (norm > 0))
    unit = own[:, seen] / norm[seen]
    twins = np.triu(unit.T @ unit > SAME, k=1).any(axis=0)
    if twins.any():
        raise collinear_error(design, int(seen[np.flatnonzero(twins)[0]]), run)
