"""Nuisance variables of samples (reaction time, motion, luminance) out of responses, in folds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bids_dnn.errors import ConfigError, NotEnoughDataError, nearest

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]


def nuisance_columns(
    samples: pd.DataFrame, names: Sequence[str], *, option: str = "nuisance"
) -> tuple[Array, list[str]]:
    """Return columns of the sample table as numbers, and a warning where values are missing.

    Parameters
    ----------
    samples : n_samples rows
        Numeric columns of the events are kept in it under their own names.
    names
        Columns to take.
    option
        The setting that names them, for messages.

    Returns
    -------
    nuisance : (n_samples, n_names) float64
        NaN where a value is missing.
    warnings

    Raises
    ------
    ConfigError
        If there is no such column.
    NotEnoughDataError
        If a column holds no number.
    """
    import pandas as pd

    columns, warnings = [], []
    for name in names:
        if name not in samples:
            raise ConfigError(
                f"The {option} column {name!r} is not in the sample table.",
                mend=nearest(name, list(map(str, samples.columns))),
            )
        values = pd.to_numeric(samples[name], errors="coerce").to_numpy(dtype=np.float64)
        missing = int((~np.isfinite(values)).sum())
        if missing == len(values):
            raise NotEnoughDataError(
                f"The {option} column {name!r} holds no number in {len(values)} samples.",
                mend="Name a numeric column of the events, or leave it out.",
            )
        if np.ptp(values[np.isfinite(values)]) == 0:
            warnings.append(f"{name} is the same in all samples, so that it explains nothing.")
        if missing:
            warnings.append(
                f"{missing} of {len(values)} samples have no {name}: the mean of the training "
                "samples stands in for it."
            )
        columns.append(np.where(np.isfinite(values), values, np.nan))
    return np.array(columns, dtype=np.float64).reshape(len(names), len(samples)).T, warnings


def removal(nuisance: Array, train: NDArray[np.bool_]) -> Array:
    """Return the matrix that takes nuisance out of responses as the training samples teach it.

    With slopes learnt on the training samples (an intercept beside them), the nuisance part is
    taken away from all samples; the mean response stays. ``removal(z, train) @ y`` are the
    cleaned responses, and ``A @ gram @ A.T`` is their Gram matrix.

    Parameters
    ----------
    nuisance : (n_samples, n_nuisance)
        NaN stands for the mean of the training samples.
    train : (n_samples,) bool

    Returns
    -------
    operator : (n_samples, n_samples)

    References
    ----------
    Snoek et al. (2019), NeuroImage 184:741, doi:10.1016/j.neuroimage.2018.09.074 (confound
    regression within the folds of cross-validation).
    """
    shape, weights = taught_slopes(nuisance, train)
    operator = np.eye(len(nuisance))
    operator[:, train] -= shape @ weights
    return operator


def taught_slopes(nuisance: Array, train: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Return `removal` in two thin factors: ``y - shape @ (weights @ y[train])`` are cleaned.

    Parameters
    ----------
    nuisance, train
        As of `removal`.

    Returns
    -------
    shape : (n_samples, rank)
        The nuisance that varies, less its mean over the training samples.
    weights : (rank, n_train)
        Times responses to training samples: their slopes.
    """
    known = np.isfinite(nuisance)
    taught = np.where(known & train[:, None], nuisance, 0.0)
    counts = np.maximum((known & train[:, None]).sum(axis=0), 1)
    centered = np.where(known, nuisance - taught.sum(axis=0) / counts, 0.0)
    norm = np.linalg.norm(centered[train], axis=0)
    centered = centered[:, norm > 0] / norm[norm > 0]
    centered[train] -= centered[train].mean(axis=0)  # exact, also where a value was missing
    return centered, np.linalg.pinv(centered[train], rcond=1e-10)
