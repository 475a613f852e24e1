"""How many in the population have an effect, at each unit of a map: lower bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.errors import NotEnoughDataError, ShapeError
from bids_dnn.group.clusters import ChanceMaps
from bids_dnn.group.watch import Progress

Float = NDArray[np.float64]
N_DRAWS = 10_000
BYTES = 2**26  # of the combinations that are held at once
TIE = 1e-6  # two scores nearer than this are one
NEAR = 1e-3  # of a count of right answers: scores that are so near are counts
N_HALVINGS = 50  # of the interval of a bound


@dataclass(frozen=True, slots=True, eq=False)
class MapPrevalence:
    """What the lowest score of all participants proves at each unit.

    Parameters
    ----------
    p, p_corrected : (n_units,), in (0, 1]
        That nobody has an effect; corrected over the map by the largest of all lowest scores.
        NaN where somebody has no score.
    bound, bound_corrected : (n_units,), in [0, 1)
        The share of the population that is exceeded; 0 where not even one person is shown to
        have an effect, NaN where somebody has no score.
    largest, largest_corrected : in [0, 1)
        The bound where each participant is above all exchanged maps: so many participants and
        maps can prove no more. 0 where they can prove nothing.
    """

    p: Float
    p_corrected: Float
    bound: Float
    bound_corrected: Float
    largest: float
    largest_corrected: float


def map_prevalence(
    participants: Sequence[ChanceMaps],
    *,
    alpha: float = 0.05,
    seed: int = 0,
    n_draws: int = N_DRAWS,
    progress: Progress | None = None,
) -> MapPrevalence:
    """Bound from below, at each unit, how many in the population have an effect.

    As `stats.prevalence.minimum_statistic` does for a few tests: p at a unit is exact over all
    combinations of the participants' maps, the one as it is among them. The correction draws
    combinations of whole maps, and counts how often the largest lowest score of any unit is as
    large. The corrected bound controls claims where nobody has an effect anywhere; where there
    are effects, it holds at each unit, not at all at once.

    Parameters
    ----------
    participants
        Over the same units, two or more.
    alpha
        Level of the bounds.
    seed, n_draws
        Of the combinations.
    progress
        Told how many units are done, and of how many.

    Raises
    ------
    NotEnoughDataError
        If there are fewer than two participants.
    ShapeError
        If they are of different units.

    References
    ----------
    Allefeld, Goergen & Haynes (2016), NeuroImage 141:378,
    doi:10.1016/j.neuroimage.2016.07.040.

    Examples
    --------
    >>> one = ChanceMaps(np.ones(1), np.zeros((99, 1)))
    >>> made = map_prevalence([one] * 10)
    >>> made.bound.round(3), round(made.largest, 3)
    (array([0.739]), 0.739)
    """
    _check(participants)
    scores = np.stack([one.scores for one in participants]).astype(np.float64)
    known = np.flatnonzero(np.isfinite(scores).all(axis=0))
    steps = _steps(participants, scores[:, known])
    n_rows = np.array([len(one.null) + 1 for one in participants])
    shares = np.empty((len(participants), len(known)))
    lowest = np.empty(len(known))
    highest = np.full(n_draws, -np.inf)
    draws = (np.random.default_rng(seed).random((n_draws, len(participants))) * n_rows).astype(int)
    size = max(1, BYTES // (n_draws * (1 if steps else 4)))
    for start in range(0, len(known), size):
        own = known[start : start + size]
        part = slice(start, start + len(own))
        rows = [_rows(one, own, steps) for one in participants]
        lowest[part] = np.min([row[0] for row in rows], axis=0)
        for k, row in enumerate(rows):
            shares[k, part] = (row >= lowest[part] - _tie(steps)).mean(axis=0)
        made = rows[0][draws[:, 0]]
        for k, row in enumerate(rows[1:], start=1):
            np.minimum(made, row[draws[:, k]], out=made)
        np.maximum(highest, made.max(axis=1), out=highest)
        if progress is not None:
            progress(part.stop, len(known))
    p = shares.prod(axis=0)
    count = n_draws - np.searchsorted(np.sort(highest), lowest - _tie(steps))
    p_corrected = np.maximum((1 + count) / (1 + n_draws), p)
    floor = (1 / n_rows)[:, None]
    least = np.maximum(1 / (1 + n_draws), floor.prod(axis=0))
    return MapPrevalence(
        p=_spread(p, known, scores.shape[1]),
        p_corrected=_spread(p_corrected, known, scores.shape[1]),
        bound=_spread(_bounds(shares, np.full(len(p), alpha)), known, scores.shape[1]),
        bound_corrected=_spread(
            _bounds(shares, _left(alpha, p_corrected)), known, scores.shape[1]
        ),
        largest=float(_bounds(floor, np.array([alpha]))[0]),
        largest_corrected=float(_bounds(floor, _left(alpha, least))[0]),
    )


def _check(participants: Sequence[ChanceMaps]) -> None:
    if len(participants) < 2:
        raise NotEnoughDataError(
            f"There is {len(participants)} participant, and a prevalence needs two.",
            mend="Run the participant level for more of them.",
        )
    sizes = sorted({len(one.scores) for one in participants})
    if len(sizes) > 1:
        raise ShapeError(
            f"The participants' maps have {sizes} units.",
            mend="Take the units that all have.",
        )


def _steps(participants: Sequence[ChanceMaps], scores: Float) -> float:
    """Return the step of scores that are counts with one step for all; 0 where they are not."""
    kinds = [one.null.dtype for one in participants]
    share = participants[0].share
    counts = scores / share
    is_counted = all(kind.kind == "u" and kind == kinds[0] for kind in kinds)
    is_near = bool((np.abs(counts - np.rint(counts)) < NEAR).all())
    is_one = all(one.share == share for one in participants)
    fits = is_near and counts.max(initial=0) <= np.iinfo(kinds[0]).max if is_counted else False
    return share if is_counted and is_one and fits else 0.0


def _rows(one: ChanceMaps, units: NDArray[np.intp], step: float) -> NDArray[Any]:
    """Return the map as it is, then those under exchanged labels (n_maps + 1, n_units)."""
    null, scores = one.null[:, units], one.scores[units]
    if step:
        own = np.rint(scores / step).astype(null.dtype)
        return np.concatenate([own[None], null])
    made = np.concatenate([scores[None].astype(np.float32), null * np.float32(one.share)])
    return made.astype(np.float32)


def _tie(step: float) -> float:
    return 0.0 if step else TIE


def _left(alpha: float, p_corrected: Float) -> Float:
    """Return what is left of alpha for the prevalence null: p* + (1 - p*) p <= alpha."""
    left: Float = (alpha - p_corrected) / (1 - np.minimum(p_corrected, 1 - 1e-12))
    return left


def _bounds(shares: Float, alpha: Float) -> Float:
    """Return the g at which prod_k ((1 - g) P_k + g) is alpha, 0 where it is above at 0."""
    low, high = np.zeros(shares.shape[1]), np.ones(shares.shape[1])
    for _ in range(N_HALVINGS):
        middle = (low + high) / 2
        is_rejected = ((1 - middle) * shares + middle).prod(axis=0) <= alpha
        low = np.where(is_rejected, middle, low)
        high = np.where(is_rejected, high, middle)
    is_shown = (shares.prod(axis=0) <= alpha) & (alpha > 0)
    return np.where(is_shown, low, 0.0)


def _spread(values: Float, known: NDArray[np.intp], n: int) -> Float:
    out = np.full(n, np.nan)
    out[known] = values
    return out
