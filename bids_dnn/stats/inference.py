"""How surprising a score is, and how far it may be off."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bids_dnn.errors import NotEnoughDataError, ShapeError

Array = NDArray[np.floating[Any]]
TOLERANCE = 1e-12  # two scores nearer than this are one: sums in another order
ENUMERATED_FLIPS = 14
RANDOM_FLIPS = 10_000
FEWEST_FOLDS = 3


def p_floor(n_permutations: int, *, enumerated: bool) -> float:
    """Return the smallest p that a test can give.

    Parameters
    ----------
    n_permutations : int
        Random permutations drawn; or, where `enumerated`, how many there are, identity
        included.

    Examples
    --------
    >>> p_floor(999, enumerated=False), p_floor(4, enumerated=True)
    (0.001, 0.25)
    """
    return 1 / n_permutations if enumerated else 1 / (n_permutations + 1)


def permutation_p(observed: float, null: Array, *, enumerated: bool) -> float:
    """Return the one-sided p of a score: how often the null is at least as high.

    Parameters
    ----------
    observed
        The score of the data as they are.
    null : (n_permutations,)
        Scores of permuted data. Where `enumerated`, of every distinct permutation, the
        identity among them: p = count / n. Otherwise random ones: p = (count + 1) / (n + 1).

    Returns
    -------
    p : float, in (0, 1]
        NaN where the score is NaN.

    Raises
    ------
    NotEnoughDataError
        If there is no permutation.

    References
    ----------
    Phipson & Smyth (2010), Stat. Appl. Genet. Mol. Biol. 9:39, doi:10.2202/1544-6115.1585.

    Examples
    --------
    >>> permutation_p(0.9, np.array([0.5, 0.6, 0.4]), enumerated=False)
    0.25
    """
    if not null.size:
        raise NotEnoughDataError(
            "There is no permutation, and a p value needs one.", mend="Ask for 1000 permutations."
        )
    if np.isnan(observed):
        return float("nan")
    count = int((null >= observed - TOLERANCE).sum())
    return count / null.size if enumerated else (count + 1) / (null.size + 1)


def max_statistic(observed: Array, null: Array) -> NDArray[np.float64]:
    """Correct p for a family of tests by the largest standardized score of each permutation.

    Each test is standardized by the mean and SD of its own null (the observed score counted
    in, as one of the permutations), so that a noisy test cannot drown the others.

    Parameters
    ----------
    observed : (n_tests,)
    null : (n_permutations, n_tests)
        A row is one permutation of the data, for all tests at once. NaN = no score came out of
        it, which counts as higher than any.

    Returns
    -------
    p : (n_tests,), in (0, 1]
        Family-wise corrected, with +1; NaN where `observed` is, and such tests are no part of
        the family.

    Raises
    ------
    ShapeError
        If `null` has not one column for each test, or no row.

    References
    ----------
    Westfall & Young (1993), Resampling-Based Multiple Testing, ISBN 978-0-471-55761-6.
    Nichols & Holmes (2002), Human Brain Mapping 15:1, doi:10.1002/hbm.1058.

    Examples
    --------
    >>> max_statistic(np.array([5.0, 0.0]), np.array([[0.0, 1.0], [1.0, -1.0], [2.0, 0.5]]))
    array([0.25, 0.75])
    """
    if null.ndim != 2 or null.shape[1:] != observed.shape or not len(null):
        raise ShapeError(
            f"observed has shape {observed.shape}, null has shape {null.shape}.",
            mend="Give one row for each permutation and one column for each test.",
        )
    out = np.full(observed.shape, np.nan)
    keep = np.isfinite(observed)
    if not keep.any():
        return out
    both = np.vstack([observed[keep], null[:, keep]]).astype(np.float64)
    spread = np.nanstd(both, axis=0)
    z = (both - np.nanmean(both, axis=0)) / np.where(spread > 0, spread, 1.0)
    z = np.where(np.isnan(z), np.inf, z)
    highest = z.max(axis=1)[:, None]  # (1 + n_permutations, 1)
    out[keep] = (highest >= z[0] - TOLERANCE).mean(axis=0)
    return out


def fdr(p: Array) -> NDArray[np.float64]:
    """Adjust p values so that those under q are a set with false discovery rate q.

    Parameters
    ----------
    p : (n_tests,), in [0, 1]
        NaN = not tested, and no part of the family.

    Returns
    -------
    adjusted : (n_tests,), in [0, 1]
        NaN where `p` is.

    References
    ----------
    Benjamini & Hochberg (1995), J. R. Stat. Soc. B 57:289,
    doi:10.1111/j.2517-6161.1995.tb02031.x.

    Examples
    --------
    >>> fdr(np.array([0.01, np.nan, 0.04]))
    array([0.02,  nan, 0.04])
    """
    out = np.full(p.shape, np.nan)
    keep = np.flatnonzero(np.isfinite(p))
    order = keep[np.argsort(p[keep], kind="stable")]
    raised = p[order] * keep.size / np.arange(1, keep.size + 1)
    out[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0)
    return out


def sign_flip(values: Array, seed: int) -> tuple[float, float]:
    """Test one-sided that values are symmetric around zero, by flipping their signs.

    Parameters
    ----------
    values : (n,)
        One a participant, less what is expected by chance; NaN is left out.
    seed
        Of the random flips.

    Returns
    -------
    p : float, in (0, 1]
        Enumerated (all 2^n flips, the identity among them) for up to 14 values, otherwise of
        10,000 random flips with +1. NaN where there is no value.
    floor : float
        The smallest p that is possible.

    References
    ----------
    Nichols & Holmes (2002), Human Brain Mapping 15:1, doi:10.1002/hbm.1058.

    Examples
    --------
    >>> sign_flip(np.array([0.2, 0.1, 0.3]), 0)
    (0.125, 0.125)
    """
    known = np.asarray(values[np.isfinite(values)], dtype=np.float64)
    if not known.size:
        return float("nan"), float("nan")
    enumerated = known.size <= ENUMERATED_FLIPS
    if enumerated:
        signs = np.array(list(product((1.0, -1.0), repeat=known.size)))
    else:
        rng = np.random.default_rng(seed)
        signs = rng.integers(2, size=(RANDOM_FLIPS, known.size)) * 2.0 - 1.0
    null = signs @ known / known.size
    p = permutation_p(float(known.mean()), null, enumerated=enumerated)
    return p, p_floor(len(null), enumerated=enumerated)


def t_interval(values: Array, *, level: float = 0.95) -> tuple[float, float]:
    """Return the t interval of a mean over independent values; NaN is left out.

    Parameters
    ----------
    values : (n,)
        One a participant (never one a fold: folds are not independent).

    Returns
    -------
    low, high : float
        NaN under two values.

    Examples
    --------
    >>> low, high = t_interval(np.array([1.0, 2.0, 3.0]))
    >>> round(low, 2), round(high, 2)
    (-0.48, 4.48)
    """
    known = np.asarray(values[np.isfinite(values)], dtype=np.float64)
    if known.size < 2:
        return float("nan"), float("nan")
    reach = stats.t.ppf((1 + level) / 2, known.size - 1) * known.std(ddof=1) / np.sqrt(known.size)
    return float(known.mean() - reach), float(known.mean() + reach)


def corrected_t_interval(
    scores: Array, *, n_test: float, n_train: float, center: float, level: float = 0.95
) -> tuple[float, float]:
    """Return the t interval of a cross-validated score, from the scores of its folds.

    Folds share training samples, so that their scores are not independent: the variance of
    their mean is taken as s^2 (1 / k + n_test / n_train), not as s^2 / k.

    Parameters
    ----------
    scores : (n_folds,)
        NaN is left out.
    n_test, n_train : float
        Samples tested and learnt from in a fold (or their means over folds).
    center : float
        The score that is reported; the interval lies around it.
    level : float, in (0, 1)

    Returns
    -------
    low, high : float
        NaN under three folds, or where `center` is.

    References
    ----------
    Nadeau & Bengio (2003), Machine Learning 52:239, doi:10.1023/A:1024068626366.

    Examples
    --------
    >>> low, high = corrected_t_interval(
    ...     np.array([0.4, 0.5, 0.6]), n_test=10, n_train=20, center=0.5)
    >>> round(low, 2), round(high, 2)
    (0.11, 0.89)
    """
    known = np.asarray(scores[np.isfinite(scores)], dtype=np.float64)
    if known.size < FEWEST_FOLDS or not np.isfinite(center):
        return float("nan"), float("nan")
    spread = known.std(ddof=1) * np.sqrt(1 / known.size + n_test / n_train)
    reach = float(stats.t.ppf((1 + level) / 2, known.size - 1) * spread)
    return center - reach, center + reach


def t_one_sided(values: Array) -> float:
    """Return the p of a one-sided t test that the mean is above zero; NaN is left out.

    Parameters
    ----------
    values : (n,)
        One a participant, less what is expected by chance.

    Returns
    -------
    p : float, in [0, 1]
        NaN under two values, or where they do not vary.

    Examples
    --------
    >>> round(t_one_sided(np.array([1.0, 2.0, 3.0])), 3)
    0.037
    """
    known = np.asarray(values[np.isfinite(values)], dtype=np.float64)
    if known.size < 2 or np.ptp(known) == 0:
        return float("nan")
    t = known.mean() / (known.std(ddof=1) / np.sqrt(known.size))
    return float(stats.t.sf(t, known.size - 1))
