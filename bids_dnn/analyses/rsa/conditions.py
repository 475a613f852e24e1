"""How differently conditions are represented in each region, from mean patterns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.rsa.dissimilarity import rdm_from_gram
from bids_dnn.containers.rdm import Rdm
from bids_dnn.containers.shared import SharedPatterns

LEAST_CONDITIONS, LEAST_UNITS = 2, 2


def condition_rdms(shared: SharedPatterns) -> dict[str, Rdm]:
    """Compare each pair of conditions in each region, by 1 - Pearson's r over units.

    Patterns are averaged within runs, then over the runs that have the condition.

    Parameters
    ----------
    shared
        As decoding leaves them; samples without a condition are left out.

    Returns
    -------
    rdms
        By region; regions with fewer than two conditions, or two units that were measured in all
        of them, have none.

    References
    ----------
    Kriegeskorte, Mur & Bandettini (2008), Front. Syst. Neurosci. 2:4,
    doi:10.3389/neuro.06.004.2008.
    """
    samples = shared.responses.samples
    values = shared.responses.values
    is_named = (samples["condition"] != "").to_numpy()
    values = values[is_named].astype(np.float64)
    samples = samples[is_named]
    labels = samples["condition"].to_numpy(dtype=np.str_)
    runs = (samples["session"] + "\n" + samples["run"].astype(str)).to_numpy(dtype=np.str_)
    names = [str(name) for name in np.unique(labels)]
    if len(names) < LEAST_CONDITIONS:
        return {}
    means = np.stack([_mean(values[labels == name], runs[labels == name]) for name in names])
    measured = np.flatnonzero(np.isfinite(means).all(axis=0))
    made: dict[str, Rdm] = {}
    for region, columns in shared.regions.items():
        x = means[:, np.intersect1d(columns, measured)]
        if x.shape[1] >= LEAST_UNITS:
            made[region] = rdm_from_gram(
                x @ x.T, n_features=x.shape[1], sums=x.sum(axis=1), stimuli=names
            )
    return made


def _mean(values: NDArray[np.float64], runs: NDArray[np.str_]) -> NDArray[np.float64]:
    """Average rows within runs, then over these; (n_units,)."""
    by_run = [values[runs == run].mean(axis=0) for run in np.unique(runs)]
    made: NDArray[np.float64] = np.mean(by_run, axis=0)
    return made
