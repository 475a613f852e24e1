"""One response to each condition: by the canonical shape, or by a free shape (FIR)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_dnn.errors import NotEnoughDataError
from bids_dnn.ingest.lss import basis
from bids_dnn.ingest.trials import SEEN, Hrf, filtered, parts_of, responses_at

Array = NDArray[np.float64]
TOLERANCE_S = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Regressors of conditions, the same columns in each run.

    Parameters
    ----------
    matrix : (n_volumes, n_regressors) float64
        0 where a condition is not in the run.
    wanted : (n_conditions, n_regressors) float64
        Which sum of the regressors' amplitudes is the response to each condition.
    seen : (n_volumes, n_conditions) bool
        Volumes from which the response to each condition is read.
    """

    matrix: Array
    wanted: Array
    seen: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What one run, or several, tell of the amplitudes; to be added up.

    Parameters
    ----------
    gram : (n_regressors, n_regressors)
        Inner products of the regressors without the nuisance.
    moments : (n_regressors, n_units)
        Of those with the time courses.
    degrees_of_freedom : int
        Independent volumes less the rank of the nuisance.
    """

    gram: Array
    moments: Array
    degrees_of_freedom: int

    def __add__(self, other: Evidence) -> Evidence:
        return Evidence(
            self.gram + other.gram,
            self.moments + other.moments,
            self.degrees_of_freedom + other.degrees_of_freedom,
        )


def canonical_columns(
    onsets_s: Array,
    durations_s: Array,
    conditions: Sequence[str],
    *,
    names: Sequence[str],
    frame_times_s: Array,
    hrf: Hrf,
) -> Columns:
    """Return the summed canonical responses to the events of each condition.

    Parameters
    ----------
    onsets_s, durations_s : (n_events,) s
    conditions : n_events
    names : n_conditions
        Of the columns.
    frame_times_s : (n_volumes,) s
    hrf
        Its derivatives, if it has any, are further columns that are not wanted.
    """
    member = np.asarray(conditions)[:, None] == np.asarray(names)  # (n_events, n_conditions)
    parts = [
        responses_at(frame_times_s, onsets_s, durations_s, hrf=hrf, part=part) @ member
        for part in parts_of(hrf)
    ]
    wanted = np.eye(len(names), len(names) * len(parts))
    seen: NDArray[np.bool_] = np.greater_equal(parts[0], SEEN)
    return Columns(np.column_stack(parts), wanted, seen)


def fir_columns(
    onsets_s: Array,
    conditions: Sequence[str],
    *,
    names: Sequence[str],
    frame_times_s: Array,
    t_r_s: float,
    window_s: tuple[float, float],
    length_s: float,
) -> Columns:
    """Return one column for each condition and delay: how many of its events were that long ago.

    Delays go in steps of the repetition time from the onset to `length_s`; a volume belongs to
    the delay k if it was taken from k to k + 1 repetition times after the onset. The response to
    a condition is the mean amplitude over the delays whose middle, k + 1/2 repetition times,
    lies in `window_s`, both ends with it.

    Parameters
    ----------
    onsets_s : (n_events,) s
    conditions : n_events
    names : n_conditions
        Of the columns.
    frame_times_s : (n_volumes,) s
    t_r_s : s
        Between volumes.
    window_s : (first, last) s
        Delays over which the response is averaged.
    length_s : s
        Last delay that the model has: as long as a response lasts, or its tail is left to others.

    Raises
    ------
    NotEnoughDataError
        If no delay lies in the window.

    References
    ----------
    Dale (1999), Human Brain Mapping 8:109,
    doi:10.1002/(SICI)1097-0193(1999)8:2/3<109::AID-HBM7>3.0.CO;2-W.
    """
    n_delays = int(np.floor(length_s / t_r_s + TOLERANCE_S)) + 1
    delays_s = t_r_s * np.arange(n_delays)
    centers_s = delays_s + t_r_s / 2  # as of SPM's bins
    in_window = (centers_s >= window_s[0] - TOLERANCE_S) & (centers_s <= window_s[1] + TOLERANCE_S)
    if not in_window.any():
        raise NotEnoughDataError(
            f"No delay has its middle {window_s[0]:g} to {window_s[1]:g} s after an onset: they "
            f"are at {t_r_s / 2:g} s and every {t_r_s:g} s from there.",
            mend="Widen responses.fir_window_s.",
        )
    since = np.floor((frame_times_s[:, None] - onsets_s) / t_r_s + TOLERANCE_S)
    member = (np.asarray(conditions)[:, None] == np.asarray(names)).astype(np.float64)
    made = np.stack([(since == k).astype(np.float64) @ member for k in range(n_delays)], axis=2)
    wanted = np.kron(np.eye(len(names)), in_window / in_window.sum())
    seen: NDArray[np.bool_] = np.greater(made[:, :, in_window].sum(axis=2), 0)
    return Columns(made.reshape(len(frame_times_s), -1), wanted, seen)


def project(
    columns: Columns, nuisance: Array, *, keep: NDArray[np.bool_], low_pass: Array | None = None
) -> tuple[Array, Array, int]:
    """Take the nuisance out of the regressors of one run.

    Parameters
    ----------
    columns
        Of all volumes.
    nuisance : (n_volumes, n_nuisance)
    keep : (n_volumes,) bool
        Volumes that count.
    low_pass : (n_kept, n_kept)
        Times a time course filters it; series and design are both filtered.

    Returns
    -------
    gram : (n_regressors, n_regressors)
    weights : (n_regressors, n_kept)
        Times the time courses: the moments.
    degrees_of_freedom : int
        Independent volumes less the rank of the nuisance.
    """
    x, n_free = filtered(np.column_stack([columns.matrix, nuisance])[keep], low_pass)
    n = columns.matrix.shape[1]
    away = basis(x[:, n:])
    left = x[:, :n] - away @ (away.T @ x[:, :n])
    weights = left.T if low_pass is None else left.T @ low_pass
    return left.T @ left, weights, n_free - away.shape[1]


def solve_conditions(
    evidence: Evidence, wanted: Array, *, where: str
) -> tuple[Array, NDArray[np.bool_], int]:
    """Return the response to each condition, given what all runs of a model tell.

    Runs share the amplitudes and nothing else: their nuisance was taken out run by run, which
    equals one model over all of them with the nuisance of each run in columns of its own.

    Parameters
    ----------
    evidence
        Summed over the runs.
    wanted : (n_conditions, n_regressors)
    where
        The run or session, for the error.

    Returns
    -------
    responses : (n_conditions, n_units) float64
    is_lost : (n_conditions,) bool
        Conditions that the volumes do not determine; their responses mean nothing.
    degrees_of_freedom : int

    Raises
    ------
    NotEnoughDataError
        If there are not more volumes than regressors.
    """
    gram = evidence.gram
    size = np.sqrt(np.diag(gram))
    size[size == 0] = 1.0
    scaled = gram / (size[:, None] * size)
    n_left = evidence.degrees_of_freedom - int(np.linalg.matrix_rank(scaled, 1e-8, hermitian=True))
    if n_left <= 0:
        raise NotEnoughDataError(
            f"{where} has {len(gram)} regressors of conditions for "
            f"{evidence.degrees_of_freedom} volumes beside the nuisance, which leaves none for "
            "the error.",
            mend='Use a shorter responses.fir_length_s, responses.model = "conditions", or a '
            "leaner responses.confounds.",
        )
    inverse = np.linalg.pinv(scaled, rcond=1e-8, hermitian=True) / (size[:, None] * size)
    picked = wanted @ inverse  # (n_conditions, n_regressors)
    is_lost = np.abs(picked @ gram - wanted).max(axis=1) > 1e-4 * np.abs(wanted).max(axis=1)
    return picked @ evidence.moments, is_lost, n_left
