"""A mean over participants who were measured several times, each another number of times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from bids_dnn.errors import ShapeError

Array = NDArray[np.floating[Any]]
Float = NDArray[np.float64]
LEAST, MOST = 1e-6, 1e12  # of the ratio of variances that is searched
N_STEPS = 91
FLAT = 1e-15  # of a sum of squares: less is rounding


@dataclass(frozen=True, slots=True)
class Mixed:
    """The mean of a random-intercept model.

    Parameters
    ----------
    mean, low, high
        With its 95 % t interval.
    p
        One-sided, that the mean is above zero.
    between_sd, within_sd
        Over participants, and over the sessions of one.
    n_participants, n_sessions
        That were measured; sessions of all participants together.
    """

    mean: float
    low: float
    high: float
    p: float
    between_sd: float
    within_sd: float
    n_participants: int
    n_sessions: int


def mixed_mean(values: Array) -> Mixed:
    """Test one-sided that a mean is above zero, participants being a random effect.

    Each session is the participant's own mean and noise; variances are by restricted maximum
    likelihood. Whoever has more sessions counts for more, by as much as sessions vary more than
    participants. The t has as many degrees of freedom as participants less one (those that
    the mean itself is estimated from); with the same number of sessions for all it is the
    t test of the participants' means, where participants vary, as it is where sessions of each
    participant are alike.

    Parameters
    ----------
    values : (n_participants, n_sessions)
        Less what is expected by chance; NaN = no such session. Scores and sessions are taken as
        normally distributed.

    Returns
    -------
    mixed
        NaN where fewer than two participants, or no participant with two sessions, are there, or
        nothing varies.

    Raises
    ------
    ShapeError
        If `values` has not two axes.

    References
    ----------
    Laird & Ware (1982), Biometrics 38:963, doi:10.2307/2529876.

    Examples
    --------
    >>> made = mixed_mean(np.array([[1.0, 2.0, 3.0], [2.0, 4.0, np.nan], [1.0, 0.0, 2.0]]))
    >>> round(made.mean, 2), round(made.p, 3), made.n_sessions
    (1.93, 0.037, 8)
    """
    if values.ndim != 2:
        raise ShapeError(
            f"values have shape {values.shape}.",
            mend="Give (n_participants, n_sessions), NaN where there is no such session.",
        )
    known = np.isfinite(values)
    counts = known.sum(axis=1)
    n, n_all = int((counts > 0).sum()), int(counts.sum())
    rows = np.asarray(values, dtype=np.float64)[counts > 0]
    m = counts[counts > 0].astype(np.float64)
    own = np.nansum(rows, axis=1) / m
    within = float(np.nansum((rows - own[:, None]) ** 2))
    nothing = FLAT * float(np.nansum(rows**2))
    between = float(((own - own.mean()) ** 2).sum()) if n else 0.0
    if n < 2 or n_all == n or max(within, between) <= nothing:
        nan = float("nan")
        return Mixed(nan, nan, nan, nan, nan, nan, n, n_all)
    if within <= nothing:
        sd = float(own.std(ddof=1))
        return _mixed(float(own.mean()), sd / np.sqrt(n), (sd, 0.0), (n, n_all))
    ratio = _ratio(own, m, within)
    weights = 1 / (ratio + 1 / m)  # of each participant's mean
    mean = float((weights * own).sum() / weights.sum())
    rest = within + float((weights * (own - mean) ** 2).sum())
    variance = rest / (n_all - 1)
    sds = float(np.sqrt(ratio * variance)), float(np.sqrt(variance))
    return _mixed(mean, float(np.sqrt(variance / weights.sum())), sds, (n, n_all))


def _mixed(mean: float, error: float, sds: tuple[float, float], counts: tuple[int, int]) -> Mixed:
    """Return what follows from a mean and its standard error."""
    df = counts[0] - 1
    reach = float(stats.t.ppf(0.975, df)) * error
    p = float(stats.t.sf(mean / error, df))
    return Mixed(mean, mean - reach, mean + reach, p, *sds, *counts)


def _ratio(own: Float, m: Float, within: float) -> float:
    """Return the variance between over that within participants of the highest likelihood."""

    def loss(ratios: Float) -> Float:
        weights = 1 / (ratios[:, None] + 1 / m)  # (n_ratios, n_participants)
        whole = weights.sum(axis=1)
        mean = (weights * own).sum(axis=1) / whole
        rest = within + (weights * (own - mean[:, None]) ** 2).sum(axis=1)
        made: Float = (m.sum() - 1) * np.log(rest) - np.log(weights).sum(axis=1) + np.log(whole)
        return made

    grid = np.concatenate([[0.0], np.geomspace(LEAST, MOST, N_STEPS)])
    best = int(loss(grid).argmin())
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, N_STEPS)]
    found = optimize.minimize_scalar(
        lambda ratio: float(loss(np.array([ratio]))[0]),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-10 * high},
    )
    return float(found.x) if found.fun < loss(np.zeros(1))[0] else 0.0
