"""How well participants agree: bounds of what a model of all of them can reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bids_dnn.errors import ShapeError
from bids_dnn.stats.metrics import finite_mean

Array = NDArray[np.floating[Any]]
Float = NDArray[np.float64]
LEAST_PEOPLE, LEAST_ITEMS = 2, 3
LEAST_OF_INTERVAL = 3  # participants
FLAT = 1e-12  # of the squared length of a mean of standardized profiles: less is rounding


@dataclass(frozen=True, slots=True, eq=False)
class LooCeiling:
    """Bounds of the mean correlation of one model with the participants' profiles.

    Parameters
    ----------
    lower, upper : float, in [-1, 1]
        Means over participants of the next two.
    with_others : (n_participants,)
        Correlation of each with the mean of the others; NaN = not there, or flat.
    with_all : (n_participants,)
        Correlation of each with the mean of all.
    lower_interval, upper_interval
        Low and high end of the 95 % interval over participants; NaN under three of them.
    n_participants, n_items : int
        On which they rest.
    """

    lower: float
    upper: float
    with_others: Float
    with_all: Float
    lower_interval: tuple[float, float]
    upper_interval: tuple[float, float]
    n_participants: int
    n_items: int


def loo_ceiling(profiles: Array, *, is_ranked: bool = False) -> LooCeiling:
    """Bound how well the best model could correlate with participants, on average.

    The lower bound correlates each profile with the mean of the others' standardized ones, which
    a model that knows the participants' shared signal should reach; the upper bound with the mean
    of all, which no model can exceed, as it maximizes the mean correlation.

    Parameters
    ----------
    profiles : (n_participants, n_items)
        Of stimuli or pairs, in any unit of each participant; NaN = not measured. Items that one
        of those participants lacks who have some are left out.
    is_ranked
        Take ranks over the items before standardizing (dissimilarities): correlations are then
        those of ranks, and the mean of the others is one of standardized ranks.

    Returns
    -------
    ceiling
        NaN where fewer than two participants vary, or share fewer than three items. Intervals are
        t intervals with the jackknife's variance: a bootstrap would draw participants twice, and
        so move both bounds.

    Raises
    ------
    ShapeError
        If `profiles` is not two-dimensional.

    References
    ----------
    Nili et al. (2014), PLOS Comput. Biol. 10:e1003553, doi:10.1371/journal.pcbi.1003553.
    Efron & Stein (1981), Ann. Stat. 9:586, doi:10.1214/aos/1176345462.

    Examples
    --------
    >>> made = loo_ceiling(np.array([[1.0, 2.0, 3.0], [1.0, 3.0, 2.0]]))
    >>> round(made.lower, 2), round(made.upper, 2)
    (0.5, 0.87)
    """
    if profiles.ndim != 2:
        raise ShapeError(
            f"profiles have shape {profiles.shape}.",
            mend="Give one row for each participant and one column for each item.",
        )
    is_there = np.isfinite(profiles).any(axis=1)
    items = np.isfinite(profiles[is_there]).all(axis=0) & is_there.any()
    known = profiles[:, items].astype(np.float64)
    n_items = int(items.sum())
    if n_items >= LEAST_ITEMS:
        is_there &= np.ptp(known, axis=1) > 0
    used = np.flatnonzero(is_there)
    others, everyone = (np.full(len(profiles), np.nan) for _ in range(2))
    unknown = (np.nan, np.nan)
    if len(used) < LEAST_PEOPLE or n_items < LEAST_ITEMS:
        counts = (len(used), n_items)
        return LooCeiling(np.nan, np.nan, others, everyone, unknown, unknown, *counts)
    gram = _correlations(stats.rankdata(known[used], axis=1) if is_ranked else known[used])
    made = _with_means(gram, np.ones((1, len(used))))
    others[used], everyone[used] = made[0][0], made[1][0]
    low, high = _intervals(gram)
    return LooCeiling(
        finite_mean(others), finite_mean(everyone), others, everyone, low, high, len(used), n_items
    )


def _correlations(profiles: Float) -> Float:
    """Correlate participants with each other, (n_participants, n_participants)."""
    z = profiles - profiles.mean(axis=1, keepdims=True)
    z /= np.sqrt((z**2).sum(axis=1, keepdims=True))
    made: Float = z @ z.T
    return made


def _with_means(gram: Float, weights: Float) -> tuple[Float, Float]:
    """Correlate each participant with the mean of the others, and of all who are there.

    With z the standardized profiles, the correlation of z_i with sum_j w_j z_j is
    ``(G w)_i / sqrt(w' G w)``: all follows from the participants' correlations G.

    Parameters
    ----------
    gram : (n, n)
    weights : (n_parts, n)
        One where a participant is there, zero where not.

    Returns
    -------
    others, everyone : (n_parts, n)
        NaN where the mean is flat.
    """
    sums = weights @ gram
    length = (sums * weights).sum(axis=1, keepdims=True)
    left = length - 2 * weights * sums + weights**2  # gram is one in its diagonal
    return _ratio(sums - weights, left), _ratio(sums, np.broadcast_to(length, sums.shape))


def _ratio(product: Float, squared: Float) -> Float:
    is_flat = squared <= FLAT
    made = product / np.sqrt(np.where(is_flat, 1.0, squared))
    return np.where(is_flat, np.nan, np.clip(made, -1.0, 1.0))


def _intervals(gram: Float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return 95 % intervals of both bounds, from all participants but one, for each in turn."""
    n = len(gram)
    if n < LEAST_OF_INTERVAL:
        return (np.nan, np.nan), (np.nan, np.nan)
    whole, parts = np.ones((1, n)), 1 - np.eye(n)
    low, high = (
        _interval(_means(all_of, whole)[0], _means(without, parts))
        for all_of, without in zip(_with_means(gram, whole), _with_means(gram, parts), strict=True)
    )
    return low, high


def _means(values: Float, weights: Float) -> Float:
    """Average rows over the participants who are there and have a value; (n_parts,)."""
    counted = np.where(np.isfinite(values), weights, 0.0)
    total = counted.sum(axis=1)
    sums = np.where(counted > 0, values, 0.0).sum(axis=1)
    return np.where(total > 0, sums / np.where(total > 0, total, 1.0), np.nan)


def _interval(bound: float, without: Float) -> tuple[float, float]:
    """Return the t interval whose variance is the jackknife's; NaN where a part has no bound."""
    n = len(without)
    error = np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum())
    reach = stats.t.ppf(0.975, n - 1) * error
    low, high = np.clip([bound - reach, bound + reach], -1.0, 1.0)
    return float(low), float(high)
