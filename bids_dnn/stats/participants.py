"""Permutation tests over participants: means, differences of groups, with covariates.

A family of rows (regions, comparisons, layers) is tested with the same flips or the same
exchanges throughout, so that the largest t of each of them corrects for the family.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bids_dnn.errors import NotEnoughDataError, ShapeError
from bids_dnn.stats.exchange import (
    Draws,
    Fit,
    Model,
    Welch,
    flips,
    freedom_of,
    linear,
    n_orders,
    orders,
    vary,
)
from bids_dnn.stats.inference import ENUMERATED_FLIPS, RANDOM_FLIPS, TOLERANCE

Array = NDArray[np.floating[Any]]
Float = NDArray[np.float64]
Marks = NDArray[np.bool_]
Progress = Callable[[int, int], None]
NEAR = 1e-6  # of a t: nearer ones are ties, whatever the rounding
LEAST_OF_A_GROUP = 2
LEAST_P = 1e-300  # that a quantile is taken of
MOST_AT_ONCE = 10_000_000  # draws x rows: some hundred MB
NUMBERS = ("estimate", "low", "high", "p", "p_floor", "p_corrected", "p_t", "t")


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """What a test says of each row.

    Parameters
    ----------
    estimate, low, high : (n_rows,)
        Mean, or difference of means, with its 95 % t interval (NaN where that needs more).
    p, p_floor : (n_rows,)
        By permutation, and the smallest that is possible.
    p_corrected : (n_rows,)
        Family-wise, for all rows (the largest t of each permutation); never below `p`.
    p_t : (n_rows,)
        Of the t test; NaN where nothing varies.
    n_permutations, n_participants : (n_rows,) int
        Distinct flips or exchanges taken, or random ones, and who was there.
    """

    estimate: Float
    low: Float
    high: Float
    p: Float
    p_floor: Float
    p_corrected: Float
    p_t: Float
    n_permutations: NDArray[np.intp]
    n_participants: NDArray[np.intp]


def compare_with_zero(
    values: Array,
    *,
    covariates: Array | None = None,
    seed: int = 0,
    is_two_sided: bool = False,
    progress: Progress | None = None,
) -> Findings:
    """Test that means over participants are above zero, by flipping signs.

    All flips are taken for up to 14 participants, otherwise 10,000 random ones with +1. With
    covariates, the mean is that at their mean over the row's participants; what they explain is
    taken away first, and each flip is fitted again with them (Freedman & Lane).

    Parameters
    ----------
    values : (n_rows, n_participants)
        Scores less what is expected by chance, or differences within participants; NaN = missing.
    covariates : (n_participants, n_covariates)
        A participant with a NaN here is left out.
    seed
        Of random flips.
    is_two_sided
        Test that means differ from zero.
    progress
        Told how many rows are done, and of how many.

    Returns
    -------
    findings
        NaN for rows with no more participants than covariates + 1, or with nobody.

    Raises
    ------
    ShapeError
        If `covariates` has not one row for each participant.

    References
    ----------
    Nichols & Holmes (2002), Human Brain Mapping 15:1, doi:10.1002/hbm.1058.
    Freedman & Lane (1983), J. Bus. Econ. Stat. 1:292, doi:10.1080/07350015.1983.10509354.
    Winkler et al. (2014), NeuroImage 92:381, doi:10.1016/j.neuroimage.2014.01.060.

    Examples
    --------
    >>> made = compare_with_zero(np.array([[0.2, 0.1, 0.3], [0.1, -0.1, 0.2]]))
    >>> made.p, made.p_corrected
    (array([0.125, 0.375]), array([0.25 , 0.375]))
    """
    further = _covariates(values, covariates)
    values = np.where(np.isnan(further).any(axis=1), np.nan, values)
    whole = flips(values.shape[1], seed)

    def model_of(known: Marks) -> Model | None:
        n = int(known.sum())
        z = further[known]
        return linear(np.ones(n), z - z.mean(axis=0)) if n else None

    def own(known: Marks) -> Draws | None:
        n = int(known.sum())
        return flips(n, seed) if n <= ENUMERATED_FLIPS < known.size else None

    return _tested(
        values, model_of, whole.among, own, is_two_sided=is_two_sided, progress=progress
    )


def compare_groups(
    values: Array,
    is_first: NDArray[np.bool_],
    *,
    covariates: Array | None = None,
    seed: int = 0,
    is_two_sided: bool = False,
    progress: Progress | None = None,
) -> Findings:
    """Test that the mean of one group is above that of the other, by exchanging labels.

    The statistic is Welch's t, so that groups may differ in variance. With covariates it is the
    t of the linear model, and what they explain is taken away before the exchange (Freedman &
    Lane). All distinct exchanges are taken where there are at most 10,000 (with covariates, up
    to seven participants, or more where some are alike), otherwise so many random ones with +1.

    Parameters
    ----------
    values : (n_rows, n_participants)
        NaN = missing.
    is_first : (n_participants,)
        Who belongs to the first group; the others are the second.
    covariates : (n_participants, n_covariates)
        A participant with a NaN here is left out.
    seed
        Of random exchanges.
    is_two_sided
        Test that the groups differ.
    progress
        Told how many rows are done, and of how many.

    Returns
    -------
    findings
        `estimate` is the first mean less the second, at equal covariates. NaN for rows with
        fewer than two participants in a group, or with too few for the covariates.

    Raises
    ------
    ShapeError
        If `is_first` or `covariates` has not one row for each participant.
    NotEnoughDataError
        If covariates tell the groups apart by themselves.

    References
    ----------
    Welch (1947), Biometrika 34:28, doi:10.1093/biomet/34.1-2.28.
    Janssen (1997), Stat. Probab. Lett. 36:9, doi:10.1016/S0167-7152(97)00043-6.
    Freedman & Lane (1983), J. Bus. Econ. Stat. 1:292, doi:10.1080/07350015.1983.10509354.
    Winkler et al. (2014), NeuroImage 92:381, doi:10.1016/j.neuroimage.2014.01.060.

    Examples
    --------
    >>> is_first = np.array([True, True, False, False])
    >>> made = compare_groups(np.array([[3.0, 4.0, 1.0, 0.0]]), is_first)
    >>> made.estimate, made.p, made.p_floor
    (array([3.]), array([0.16666667]), array([0.16666667]))
    """
    further = _covariates(values, covariates)
    if is_first.shape != values.shape[1:]:
        raise ShapeError(
            f"values have shape {values.shape}, is_first has shape {is_first.shape}.",
            mend="Say for each participant (the last axis of values) who is in the first group.",
        )
    values = np.where(np.isnan(further).any(axis=1), np.nan, values)
    keys = np.random.default_rng(seed).random((RANDOM_FLIPS, len(is_first)))
    rows = np.column_stack([is_first.astype(np.float64), further])
    is_whole = bool(np.isfinite(values).all())

    def model_of(known: Marks) -> Model | None:
        return _model_of_groups(is_first[known], further[known])

    def own(known: Marks) -> Draws | None:
        return orders(rows[known], most=RANDOM_FLIPS)

    def shared(known: Marks) -> Draws:
        if is_whole and (every := own(known)):
            return every
        n, n_first = int(known.sum()), int(is_first[known].sum())
        return Draws(
            keys[:, known].argsort(axis=1),
            enumerated=False,
            n_distinct=n_orders(rows[known]),
            is_mirrored=not further.size and 2 * n_first == n,
        )

    return _tested(
        values,
        model_of,
        shared,
        (lambda _: None) if is_whole else own,
        is_two_sided=is_two_sided,
        progress=progress,
    )


def _model_of_groups(is_first: Marks, further: Float) -> Model | None:
    n, n_first = is_first.size, int(is_first.sum())
    if min(n_first, n - n_first) < LEAST_OF_A_GROUP:
        return None
    if not further.shape[1]:
        return Welch(is_first)
    model = linear(is_first.astype(np.float64), np.column_stack([np.ones(n), further]))
    if model is None and n > further.shape[1] + 2:
        raise NotEnoughDataError(
            "The covariates tell the two groups apart by themselves, so that what the groups add "
            "cannot be told.",
            mend="Leave out the covariate that is another name of the group.",
        )
    return model


def _covariates(values: Array, covariates: Array | None) -> Float:
    """Return covariates of mean 0 and SD 1, whatever their unit; what does not vary is 0."""
    if covariates is None:
        return np.empty((values.shape[1], 0))
    if covariates.ndim != 2 or len(covariates) != values.shape[1]:
        raise ShapeError(
            f"values have shape {values.shape}, covariates {covariates.shape}.",
            mend="Give covariates one row for each participant, the last axis of values.",
        )
    made = np.array(covariates, dtype=np.float64)
    for column in made.T:
        known = column[np.isfinite(column)]
        spread = known.std() if known.size else 0.0
        varies = spread > 1e-12 * np.abs(known).max(initial=0.0)
        column[:] = (column - known.mean()) / spread if varies else 0.0 * column
    return made


def _tested(
    values: Array,
    model_of: Callable[[Marks], Model | None],
    shared: Callable[[Marks], Draws],
    own: Callable[[Marks], Draws | None],
    *,
    is_two_sided: bool,
    progress: Progress | None,
) -> Findings:
    """Test rows, those with the same participants together.

    `shared` gives the draws of the family among some participants, `own` better ones for their
    rows alone, where there are such.
    """
    known = np.isfinite(values)
    out = {name: np.full(len(values), np.nan) for name in NUMBERS}
    n_permutations = np.zeros(len(values), dtype=np.intp)
    t_seen, highest, is_all, n_done = out["t"], None, True, 0
    patterns, place = np.unique(known, axis=0, return_inverse=True)
    in_family = np.zeros(len(values), dtype=np.bool_)
    for i, pattern in enumerate(patterns):
        if (model := model_of(pattern)) is None:
            continue
        common = shared(pattern)
        draws = own(pattern) or common
        is_all = is_all and common.enumerated
        rows = np.flatnonzero(place.ravel() == i)
        n_blocks = min(rows.size, -(-rows.size * len(common.values) // MOST_AT_ONCE))
        for some in np.array_split(rows, n_blocks):
            y = np.asarray(values[some][:, pattern].T, dtype=np.float64)  # (n, n_rows of these)
            made, t = _block(model, y, draws, common, is_two_sided=is_two_sided)
            for name, numbers in made.items():
                out[name][some] = numbers
            in_family[some] = own_vary = vary(t, model)
            sided = _sided(t, is_two_sided)
            which = np.stack([own_vary, np.ones_like(own_vary)])
            top = np.stack([sided.max(axis=1, where=one, initial=-np.inf) for one in which])
            if len(patterns) > 1:  # of other participants: on one scale
                top, t_seen[some] = (_as_z(one, model) for one in (top, t_seen[some]))
            highest = top if highest is None else np.maximum(highest, top)
            n_done += len(some)
            if progress is not None:
                progress(n_done, len(values))
        n_permutations[rows] = draws.n_distinct if draws.enumerated else len(draws.values)
    if highest is not None:
        # rows that some draw leaves without variance are compared with all, others without them
        varying, every = (_family_p(t_seen, one, enumerated=is_all) for one in highest)
        out["p_corrected"] = np.maximum(np.where(in_family, varying, every), out["p"])
    del out["t"]
    return Findings(**out, n_permutations=n_permutations, n_participants=known.sum(axis=1))


def _block(
    model: Model, y: Float, draws: Draws, common: Draws, *, is_two_sided: bool
) -> tuple[dict[str, Any], Float]:
    """Return the numbers of some rows, and t of each common draw (n_draws, n_rows)."""
    seen, null = model.null(y, common.identity())[0], model.null(y, draws)
    t = model.as_t(null if draws is common else model.null(y, common))
    made: dict[str, Any] = _t_test(model.fit(y), is_two_sided=is_two_sided)
    made["p_floor"] = floor = draws.floor(is_two_sided=is_two_sided)
    p = _row_p(_sided(seen, is_two_sided), _sided(null, is_two_sided), draws)
    made["p"] = np.maximum(p, floor)  # random draws may miss the mirrored one
    made["t"] = _sided(model.as_t(seen), is_two_sided)
    return made, t


def _as_z(t: Float, model: Model) -> Float:
    """Return the quantile of the normal distribution at the p of t."""
    p = stats.t.sf(t, max(freedom_of(model), 1))
    made: Float = stats.norm.isf(np.maximum(p, LEAST_P))
    return made


def _sided(t: Float, is_two_sided: bool) -> Float:  # noqa: FBT001
    return np.abs(t) if is_two_sided else t


def _row_p(seen: Float, null: Float, draws: Draws) -> Float:
    near = TOLERANCE * np.maximum(np.abs(seen), 1.0)
    count = (null >= seen - near).sum(axis=0)
    p: Float = count / len(null) if draws.enumerated else (count + 1) / (len(null) + 1)
    return p


def _family_p(seen: Float, highest: Float, *, enumerated: bool) -> Float:
    """Return how often the largest t of a draw is as large as that of each row (n_rows,)."""
    ranked = np.sort(highest)
    least = seen - NEAR * np.maximum(np.abs(seen), 1e-3)
    count = ranked.size - np.searchsorted(ranked, np.where(np.isnan(least), np.inf, least))
    p = count / ranked.size if enumerated else (count + 1) / (ranked.size + 1)
    return np.where(np.isnan(seen), np.nan, p)


def _t_test(fit: Fit, *, is_two_sided: bool) -> dict[str, Float]:
    df = np.where(fit.df > 0, fit.df, np.nan)
    t = fit.estimate / np.where(fit.error > 0, fit.error, np.nan)
    reach = stats.t.ppf(0.975, df) * fit.error
    return {
        "estimate": fit.estimate,
        "low": fit.estimate - reach,
        "high": fit.estimate + reach,
        "p_t": 2 * stats.t.sf(np.abs(t), df) if is_two_sided else stats.t.sf(t, df),
    }
