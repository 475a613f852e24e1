"""Trends and confounds out of time courses; z-scores within groups of samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bids_dnn.errors import NotEnoughDataError

Floats = NDArray[np.float32]
CHUNK_UNITS = 4096  # taken at once in double precision: bounds memory


def remove_trend(
    series: Floats,
    confounds: NDArray[np.float64],
    *,
    positions: NDArray[np.intp],
    is_linear: bool,
    low_pass: NDArray[np.float64] | None = None,
) -> Floats:
    """Regress a linear trend and confounds out of time courses, all at once.

    Parameters
    ----------
    series : (n_volumes, n_units)
    confounds : (n_volumes, n_confounds)
        May have no column.
    positions : (n_volumes,)
        Number of each volume in the run, as some may have been left out.
    is_linear
        Whether constant and slope go too; else the mean of each unit stays.
    low_pass : (n_volumes, n_volumes)
        Times a time course filters it (see `bands`); series and confounds are both filtered.

    Returns
    -------
    cleaned : (n_volumes, n_units)
        In the unit of `series`.
    """
    if low_pass is not None:
        confounds = low_pass @ confounds
    elif not is_linear and not confounds.shape[1]:
        return series
    basis = _removed(confounds, positions, is_linear=is_linear)
    cleaned = np.empty_like(series)
    for start in range(0, series.shape[1], CHUNK_UNITS):
        part = slice(start, start + CHUNK_UNITS)
        mean = series[:, part].mean(axis=0, dtype=np.float64)
        centered = series[:, part] - mean  # (n_volumes, n_part) float64
        if low_pass is not None:
            centered = low_pass @ centered
            shift = centered.mean(axis=0)  # a filter need not keep the mean
            mean, centered = mean + shift, centered - shift
        left = centered - basis @ (basis.T @ centered)
        cleaned[:, part] = left if is_linear else left + mean
    return cleaned


def _removed(
    confounds: NDArray[np.float64], positions: NDArray[np.intp], *, is_linear: bool
) -> NDArray[np.float64]:
    """Return an orthonormal basis of what is regressed out, (n_volumes, rank)."""
    slope = (positions - positions.mean())[:, None] if is_linear else positions[:, None][:, :0]
    removed = np.column_stack([confounds - confounds.mean(axis=0), slope])
    norm = np.linalg.norm(removed, axis=0)
    size = np.abs(confounds).max(axis=0, initial=0.0)  # what is left of a constant is rounding
    flat = np.concatenate([norm[: len(size)] <= 1e-12 * size, norm[len(size) :] == 0])
    removed = removed[:, ~flat] / norm[~flat]  # else small columns would fall below the cut
    left, strength, _ = np.linalg.svd(removed, full_matrices=False)
    basis: NDArray[np.float64] = left[:, strength > 1e-10 * strength.max(initial=0.0)]
    return basis


def by_group(values: Floats, groups: NDArray[np.str_]) -> tuple[Floats, NDArray[np.bool_]]:
    """Z-score each unit within each group of samples.

    Parameters
    ----------
    values : (n_samples, n_units)
    groups : (n_samples,)
        A run or session for each sample.

    Returns
    -------
    scores : (n_samples, n_units)
        In standard deviations (of the population, as in scikit-learn's StandardScaler).
    flat : (n_units,) bool
        Units that do not vary within some group; their scores there are 0.

    Raises
    ------
    NotEnoughDataError
        If a group has a single sample.
    """
    scores = np.empty_like(values)
    flat = np.zeros(values.shape[1], dtype=bool)
    for group in np.unique(groups):
        rows = groups == group
        if rows.sum() < 2:
            raise NotEnoughDataError(
                f"{str(group)!r} has 1 sample, which cannot be z-scored.",
                mend='Use responses.standardize = "none", or "session" in place of "run".',
            )
        for start in range(0, values.shape[1], CHUNK_UNITS):
            units = slice(start, start + CHUNK_UNITS)
            part = values[rows, units].astype(np.float64)
            sd = part.std(axis=0)
            still = ~(sd > 0)
            scores[rows, units] = (part - part.mean(axis=0)) / np.where(still, 1.0, sd)
            flat[units] |= still
    return scores, flat
