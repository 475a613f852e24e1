"""How many in the population have an effect: a lower bound, and a Bayesian estimate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from bids_dnn.errors import NotEnoughDataError, ShapeError

Array = NDArray[np.floating[Any]]
TIE = 5e-7  # of the largest score; nearer ones are one: nulls are kept in single precision
ROUNDING = 1e-9  # of sums of logarithms
N_DRAWS = 10_000
N_HALVINGS = 60  # of the interval of a bound: to its last digit


@dataclass(frozen=True, slots=True, eq=False)
class Prevalence:
    """What the minimum statistic proves in each test.

    Parameters
    ----------
    p, p_corrected : (n_tests,), in (0, 1]
        That nobody has an effect (the global null); corrected for all tests. NaN = not tested.
    bound, bound_corrected : (n_tests,), in [0, 1)
        The largest share of the population that is shown to be exceeded: every smaller
        prevalence is rejected. NaN where not even the global null is.
    largest, largest_corrected : (n_tests,), in [0, 1)
        The bound if every participant's score were above all of its null: so many participants
        and permutations can prove no more. NaN where they cannot reject the global null.
    n_participants : (n_tests,) int
        With a score and a null.
    """

    p: NDArray[np.float64]
    p_corrected: NDArray[np.float64]
    bound: NDArray[np.float64]
    bound_corrected: NDArray[np.float64]
    largest: NDArray[np.float64]
    largest_corrected: NDArray[np.float64]
    n_participants: NDArray[np.intp]


def minimum_statistic(
    observed: Array,
    null: Array,
    *,
    enumerated: NDArray[np.bool_],
    alpha: float = 0.05,
    seed: int = 0,
    n_draws: int = N_DRAWS,
) -> Prevalence:
    """Bound from below how many in the population have an effect, by the lowest score.

    Under a prevalence of g at most, the lowest score of N participants exceeds a value with
    probability prod_k ((1 - g) P_k + g) at most, where P_k is the share of participant k's
    permutations that do. The paper writes ((1 - g) P + g)^N, which is the same where all P_k
    are alike; where they differ, taking their geometric mean for P would be too liberal.
    With g = 0 this is the exact p over all combinations of the participants' permutations.

    The correction takes random combinations, each of them for all tests at once, and counts how
    often the smallest p of any test is as small. Tests may so have other chance levels or
    participants, which the largest minimum of the paper would confuse; it is the same else.
    As in the paper, this controls claims where nobody has an effect in any test. Where there
    are effects, a corrected bound holds with 1 - alpha in its own test, not in all at once.

    Parameters
    ----------
    observed : (n_tests, n_participants)
        Scores; NaN = missing.
    null : (n_tests, n_participants, n_permutations)
        Scores under exchanged labels, in any fixed unit of their test; NaN at the end where
        there are fewer. The same permutation of a participant stands at the same place in all
        tests where it was shared (as by regions).
    enumerated : (n_tests, n_participants)
        True = `null` holds every distinct permutation, the identity among them (at any place).
        False = random ones without the identity, which is added: + 1 in both counts.
    alpha
        Level of the bounds.
    seed, n_draws
        Of the combinations for the correction.

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    NotEnoughDataError
        If there is no permutation.

    References
    ----------
    Allefeld, Goergen & Haynes (2016), NeuroImage 141:378,
    doi:10.1016/j.neuroimage.2016.07.040.
    Westfall & Young (1993), Resampling-Based Multiple Testing, ISBN 978-0-471-55761-6.

    Examples
    --------
    Ten participants, each above all of 99 random permutations:

    >>> made = minimum_statistic(
    ...     np.ones((1, 10)), np.zeros((1, 10, 99)), enumerated=np.zeros((1, 10), bool))
    >>> made.bound.round(3), made.largest.round(3)
    (array([0.739]), array([0.739]))
    """
    if null.ndim != 3 or null.shape[:2] != observed.shape or enumerated.shape != observed.shape:
        raise ShapeError(
            f"observed has shape {observed.shape}, null {null.shape}, enumerated "
            f"{enumerated.shape}.",
            mend="Give (n_tests, n_participants), and n_permutations as a last axis of null.",
        )
    if not null.shape[2]:
        raise NotEnoughDataError(
            "There is no permutation, and a p value needs one.", mend="Ask for 1000 permutations."
        )
    first = [_first_level(*one) for one in zip(observed, null, enumerated, strict=True)]
    shares = [one.shares for one in first]
    p_log = np.array([_sum_log(one) for one in shares])
    at_floor = [1 / one.n_values for one in first]
    floor_log = np.array([_sum_log(one) for one in at_floor])

    lowest = np.full(n_draws, np.inf)  # log p of the most extreme test, in each combination
    draws = np.random.default_rng(seed).random((n_draws, observed.shape[1]))
    for one in first:
        if len(one.shares):
            np.minimum(lowest, one.log_p_of(draws), out=lowest)
    count = np.array([(lowest <= value + ROUNDING).sum() for value in p_log])
    p_corrected = np.where(np.isnan(p_log), np.nan, (1 + count) / (1 + n_draws))
    least = np.maximum(1 / (1 + n_draws), np.exp(floor_log))
    p = np.maximum(np.exp(p_log), np.finfo(np.float64).tiny)
    plain, stricter = np.full(len(first), alpha), _stricter(alpha, p_corrected)
    return Prevalence(
        p=p,
        p_corrected=np.maximum(p_corrected, p),
        bound=_bounds(shares, plain),
        bound_corrected=_bounds(shares, stricter),
        largest=_bounds(at_floor, plain),
        largest_corrected=_bounds(at_floor, _stricter(alpha, least)),
        n_participants=np.array([len(one) for one in shares], dtype=np.intp),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _FirstLevel:
    """One test: its scores as places in the sorted list of all that occur."""

    who: NDArray[np.intp]  # (n_known,)
    n_values: NDArray[np.intp]  # (n_known,), permutations with the identity
    codes: NDArray[np.intp]  # (n_known, n_permutations + 1)
    log_p: NDArray[np.float64]  # (n_codes,), of a minimum with this code
    shares: NDArray[np.float64]  # (n_known,), P_k at the minimum as observed

    def log_p_of(self, draws: Array) -> Array:
        """Return log p of the minimum of each combination (n_draws, n_participants)."""
        lowest = np.full(len(draws), len(self.log_p), dtype=np.intp)
        for own, k, n in zip(self.codes, self.who, self.n_values, strict=True):
            np.minimum(lowest, own[(draws[:, k] * n).astype(np.intp)], out=lowest)
        made: Array = self.log_p[lowest]
        return made


def _first_level(observed: Array, null: Array, enumerated: NDArray[np.bool_]) -> _FirstLevel:
    """Count for one test how many permutations of each participant reach each score."""
    known = np.isfinite(observed) & np.isfinite(null[:, 0])
    who = np.flatnonzero(known)
    rows = []
    for k in who:
        own = null[k][np.isfinite(null[k])].astype(np.float64)
        rows.append(own if enumerated[k] else np.concatenate([[observed[k]], own]))
    n_values = np.array([row.size for row in rows], dtype=np.intp)
    if not who.size:
        return _FirstLevel(who, n_values, np.empty((0, 0), np.intp), np.empty(0), np.empty(0))

    pooled = np.concatenate([*rows, observed[who]])
    order = np.argsort(pooled, kind="stable")
    steps = np.diff(pooled[order], prepend=pooled[order[0]]) > TIE * np.abs(pooled).max()
    code = np.empty(pooled.size, dtype=np.intp)
    code[order] = np.cumsum(steps)
    n_codes = int(code.max()) + 1
    ends = np.cumsum(n_values)
    codes = np.zeros((who.size, int(n_values.max())), dtype=np.intp)
    reach = np.empty((who.size, n_codes))
    for i, own in enumerate(np.split(code[: ends[-1]], ends[:-1])):
        codes[i, : own.size] = own
        counts = np.bincount(own, minlength=n_codes)
        reach[i] = counts[::-1].cumsum()[::-1] / own.size
    with np.errstate(divide="ignore"):  # a score that somebody never reaches is no minimum
        log_p = np.log(reach).sum(axis=0)
    return _FirstLevel(who, n_values, codes, log_p, reach[:, code[ends[-1] :].min()])


def _sum_log(shares: Array) -> float:
    return float(np.log(shares).sum()) if len(shares) else np.nan


def _stricter(alpha: float, p_corrected: Array) -> Array:
    """Return what is left of alpha for the prevalence null: p* + (1 - p*) p <= alpha."""
    left: Array = (alpha - p_corrected) / (1 - np.minimum(p_corrected, 1 - 1e-12))
    return left


def _bounds(shares: list[NDArray[np.float64]], alphas: Array) -> NDArray[np.float64]:
    """Return the g at which prod_k ((1 - g) P_k + g) is alpha; NaN where it is above at 0."""
    out = np.full(len(shares), np.nan)
    for i, (one, alpha) in enumerate(zip(shares, alphas, strict=True)):
        if not one.size or not alpha > 0 or np.log(one).sum() > np.log(alpha):
            continue
        low, high = 0.0, 1.0
        for _ in range(N_HALVINGS):
            middle = (low + high) / 2
            is_rejected = np.log((1 - middle) * one + middle).sum() <= np.log(alpha)
            low, high = (middle, high) if is_rejected else (low, middle)
        out[i] = low
    return out


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is believed of the prevalence after the participants were seen.

    Parameters
    ----------
    mode, mean
        Of the posterior: the most likely prevalence, and the mean one.
    low, high
        Ends of the interval of highest density.
    """

    mode: float
    mean: float
    low: float
    high: float


def estimate_prevalence(
    n_significant: int, n_participants: int, *, alpha: float, level: float = 0.95
) -> Estimate:
    """Estimate how many in the population have an effect, from how many are significant.

    Whoever has an effect is taken to be found (sensitivity one), whoever has none is found with
    probability alpha; before, every prevalence is as likely. The prevalence is so that of
    effects that the experiment can detect in one person.

    Parameters
    ----------
    n_significant, n_participants
        With p <= alpha within the participant, of so many.
    alpha
        Level of the tests within participants, in (0, 1): the one that they can attain (see
        `attained_level`). A larger one than they have lowers the estimate.
    level
        Of the interval.

    Returns
    -------
    estimate
        NaN throughout where there is no participant, or `alpha` is NaN.

    Raises
    ------
    ShapeError
        If there are more significant participants than participants.

    References
    ----------
    Ince, Paton, Kay & Schyns (2021), eLife 10:e62461, doi:10.7554/eLife.62461.

    Examples
    --------
    >>> made = estimate_prevalence(14, 20, alpha=0.05)
    >>> round(made.mode, 3), round(made.low, 3), round(made.high, 3)
    (0.684, 0.464, 0.857)
    """
    if not 0 <= n_significant <= n_participants:
        raise ShapeError(
            f"{n_significant} of {n_participants} participants are significant.",
            mend="Give counts from 0 to the number of participants.",
        )
    if not n_participants or np.isnan(alpha):
        return Estimate(*[float("nan")] * 4)
    a, b = n_significant + 1.0, n_participants - n_significant + 1.0
    beyond = float(special.betaincc(a, b, alpha))  # the posterior of the rate ends at alpha

    def quantile(q: float) -> float:
        return _share(float(stats.beta.isf(beyond * (1 - q), a, b)), alpha)

    def width(q: float) -> float:
        return quantile(q + level) - quantile(q)

    found = optimize.minimize_scalar(
        width, bounds=(0, 1 - level), method="bounded", options={"xatol": 1e-8}
    )
    start = min((0.0, float(found.x), 1 - level), key=width)
    rate = a / (a + b) * float(special.betaincc(a + 1, b, alpha)) / beyond
    return Estimate(
        mode=_share(n_significant / n_participants, alpha),
        mean=_share(rate, alpha),
        low=quantile(start),
        high=quantile(start + level),
    )


def _share(rate: float, alpha: float) -> float:
    """Return the prevalence at which participants are significant at this rate."""
    return min(max((rate - alpha) / (1 - alpha), 0.0), 1.0)


def attained_level(alpha: float, floor: Array) -> float:
    """Return the largest level up to alpha that tests within participants can have.

    Parameters
    ----------
    alpha
        As asked for.
    floor : (n_participants,)
        Smallest p that each test can give; all p are multiples of it.

    Returns
    -------
    level : float
        The largest over participants, which is the careful choice; NaN where no test can reach
        `alpha`.

    Examples
    --------
    >>> attained_level(0.05, np.array([1 / 64, 1 / 16]))
    0.046875
    """
    able = np.asarray(floor, dtype=np.float64)
    able = able[able <= alpha + TIE]
    if not able.size:
        return float("nan")
    return float((np.floor(alpha / able + ROUNDING) * able).max())
