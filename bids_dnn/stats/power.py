"""How likely a design of so many participants and runs is to find an effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bids_dnn.errors import NotEnoughDataError
from bids_dnn.stats.exchange import flips
from bids_dnn.stats.inference import TOLERANCE

Array = NDArray[np.floating[Any]]
Float = NDArray[np.float64]
TESTS = ("sign-flip", "t")
LEAST = 2  # participants


@dataclass(frozen=True, slots=True)
class Effect:
    """What is looked for, in the unit of the score less chance.

    Parameters
    ----------
    mean
        Over the population.
    between_sd
        Over participants, of what each would have with endless runs.
    within_sd
        Over the runs of a participant, of the score of one run. 0 = not told apart.
    """

    mean: float
    between_sd: float
    within_sd: float = 0.0

    def sd(self, n_runs: int) -> float:
        """Return the SD over participants of the mean over so many runs."""
        return float(np.sqrt(self.between_sd**2 + self.within_sd**2 / n_runs))


@dataclass(frozen=True, slots=True, eq=False)
class Power:
    """Share of simulated experiments that find the effect.

    Parameters
    ----------
    power, low, high : (n_tests, n_lines, n_sizes), in [0, 1]
        By test (see `TESTS`), number of runs and of participants, with the 95 % interval of
        the simulation (Clopper and Pearson).
    n_runs : (n_lines,) int
    n_participants : (n_sizes,) int
    """

    power: Float
    low: Float
    high: Float
    n_runs: NDArray[np.intp]
    n_participants: NDArray[np.intp]

    def smallest(self, test: str, target: float) -> list[int | None]:
        """Return for each number of runs how many participants reach a power.

        It is reached by that many and by all larger groups that were simulated; None = by none.
        """
        found: list[int | None] = []
        for row in self.power[TESTS.index(test)]:
            below = np.flatnonzero(row < target)
            first = 0 if not below.size else int(below[-1]) + 1
            found.append(int(self.n_participants[first]) if first < row.size else None)
        return found


def simulate_power(
    effect: Effect,
    *,
    n_participants: Sequence[int],
    n_runs: Sequence[int] = (1,),
    alpha: float = 0.05,
    n_simulations: int = 1000,
    seed: int = 0,
) -> Power:
    """Simulate experiments, and test each as the group level does, one-sided.

    Scores are normally distributed over participants and over runs. The same simulated
    participants serve all designs (the first n of them), so that curves are smooth.

    Parameters
    ----------
    effect
        What is there.
    n_participants, n_runs
        Of the designs.
    alpha
        Level of the tests.
    n_simulations
        Experiments of each design.
    seed
        Of the participants, and of random flips (above 14 participants).

    Returns
    -------
    power

    Raises
    ------
    NotEnoughDataError
        If a design has fewer than two participants or no run, or nothing varies.
    """
    if min(n_participants) < LEAST or min(n_runs) < 1:
        raise NotEnoughDataError(
            f"A design has {min(n_participants)} participants and {min(n_runs)} runs.",
            mend="Give two participants or more, and one run or more.",
        )
    sds = np.array([effect.sd(n) for n in n_runs])
    if not (sds > 0).all():
        raise NotEnoughDataError(
            "Participants and runs do not vary, so that any number of them finds the effect.",
            mend="Give the SD over participants.",
        )
    rng = np.random.default_rng(seed)
    people = rng.standard_normal((n_simulations, max(n_participants)))
    hits = np.zeros((len(TESTS), len(sds), len(n_participants)), dtype=np.intp)
    for j, n in enumerate(n_participants):
        for i, sd in enumerate(sds):
            values = people[:, :n] + effect.mean / sd  # in SD: no test minds the unit
            hits[0, i, j] = (flip_p(values, seed) <= alpha + TOLERANCE).sum()
            t = values.mean(axis=1) / (values.std(axis=1, ddof=1) / np.sqrt(n))
            hits[1, i, j] = (stats.t.sf(t, n - 1) <= alpha).sum()
    low = stats.beta.ppf(0.025, np.maximum(hits, 1e-9), n_simulations - hits + 1)
    high = stats.beta.ppf(0.975, hits + 1, np.maximum(n_simulations - hits, 1e-9))
    return Power(
        power=hits / n_simulations,
        low=np.where(hits > 0, low, 0.0),
        high=np.where(hits < n_simulations, high, 1.0),
        n_runs=np.array(n_runs, dtype=np.intp),
        n_participants=np.array(n_participants, dtype=np.intp),
    )


def flip_p(values: Array, seed: int) -> Float:
    """Return the p of `inference.sign_flip` for many experiments at once.

    Parameters
    ----------
    values : (n_experiments, n_participants)
        Nothing may be missing.
    seed
        Of random flips.

    Returns
    -------
    p : (n_experiments,), in (0, 1]
    """
    draws = flips(values.shape[1], seed)
    null = draws.values @ np.asarray(values, dtype=np.float64).T  # (n_draws, n_experiments)
    count = (null >= values.sum(axis=1) - TOLERANCE * values.shape[1]).sum(axis=0)
    p: Float = count / len(null) if draws.enumerated else (count + 1) / (len(null) + 1)
    return p


def effect_of(
    scores: Array, *, run_sd: Array | None = None, n_runs: Array | None = None
) -> Effect:
    """Take an effect and its variances from a pilot.

    What the runs of a participant vary by is taken from the variance over participants, so that
    more runs are told from more participants.

    Parameters
    ----------
    scores : (n_participants,)
        Less chance; NaN is left out.
    run_sd, n_runs : (n_participants,)
        SD of each participant's score over runs, and how many there were. Without them all
        variance is between participants.

    Returns
    -------
    effect
        `between_sd` is 0 where runs vary enough to explain all of it.

    Raises
    ------
    NotEnoughDataError
        If fewer than two participants have a score.

    Examples
    --------
    >>> effect_of(np.array([0.1, 0.2, 0.3]), run_sd=np.full(3, 0.1), n_runs=np.full(3, 4.0))
    Effect(mean=0.2, between_sd=0.0866025403784..., within_sd=0.1)
    """
    known = np.isfinite(scores)
    if run_sd is not None and n_runs is not None:
        known = known & np.isfinite(run_sd) & (n_runs > 0)
    values = np.asarray(scores, dtype=np.float64)[known]
    if values.size < LEAST:
        raise NotEnoughDataError(
            f"The pilot has {values.size} participants with a score; their variance needs two.",
            mend="Give --effect and --sd in its place, as they are known from elsewhere.",
        )
    total, within, of_means = values.var(ddof=1), 0.0, 0.0
    if run_sd is not None and n_runs is not None:
        variances = np.asarray(run_sd, dtype=np.float64)[known] ** 2
        within, of_means = float(variances.mean()), float((variances / n_runs[known]).mean())
    return Effect(
        mean=round(float(values.mean()), 12),
        between_sd=float(np.sqrt(max(total - of_means, 0.0))),
        within_sd=float(np.sqrt(within)),
    )


def sd_over_runs(low: Array, high: Array, score: Array, n_runs: Array) -> Float:
    """Return the SD over runs that stands behind corrected resampled t intervals.

    Parameters
    ----------
    low, high, score, n_runs : (n,)
        As `inference.corrected_t_interval` gave them, each of the runs left out once; an end
        may have been cut at the range of the score, so that the longer half counts.

    Returns
    -------
    sd : (n,)
        NaN where there is no interval.

    Examples
    --------
    >>> from bids_dnn.stats.inference import corrected_t_interval
    >>> runs = np.array([0.5, 0.6, 0.4, 0.7])
    >>> low, high = corrected_t_interval(runs, n_test=1, n_train=3, center=0.55)
    >>> sd = sd_over_runs(*map(np.atleast_1d, (low, high, 0.55, 4)))
    >>> bool(np.isclose(sd[0], runs.std(ddof=1)))
    True
    """
    n = np.where(np.asarray(n_runs) >= 3, n_runs, np.nan).astype(np.float64)
    reach = np.fmax(np.asarray(high) - score, score - np.asarray(low))
    sd: Float = reach / (stats.t.ppf(0.975, n - 1) * np.sqrt(1 / n + 1 / (n - 1)))
    return sd
