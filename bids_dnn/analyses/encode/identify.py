"""Identify images from predicted patterns: which of N measured patterns is the right one.

For each held-out image the predicted pattern over units is correlated with the measured
patterns of all candidates. Unit by unit, measured and predicted responses are taken less the
mean of the training images and divided by their SD: otherwise the mean pattern, which all
images share, and the loudest units would decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from bids_dnn.analyses.encode.choices import FEWEST_UNITS
from bids_dnn.analyses.encode.exchange import average_p
from bids_dnn.analyses.encode.solvers import lesson_of
from bids_dnn.errors import ConfigError, NotEnoughDataError, ShapeError
from bids_dnn.stats.folds import Fold
from bids_dnn.stats.inference import TOLERANCE, permutation_p
from bids_dnn.stats.regions import varies

Array = NDArray[np.float64]
Values = NDArray[np.floating[Any]]
Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]
BLOCK = 1024
DRAWN, N_DRAWS = 100, 20  # samples of the bootstrap at once, and times
LEVEL = 0.95
VARIES = 1e-28  # of the squared pattern: less is rounding


@dataclass(frozen=True, slots=True, eq=False)
class Identification:
    """Which images were identified from their predicted patterns.

    Parameters
    ----------
    rows : (n_images,) intp
        Row of `truth` of each image.
    n_candidates : (n_images,) intp
        Measured patterns that each prediction was compared with, the right one among them.
    better, tied : (n_images,) intp
        Wrong ones that correlate more than the right one, and equally.
    z : (n_images,)
        Correlation with the right one, as standard deviations above the wrong ones (after
        Fisher's transform); NaN where these do not differ.
    normalized_rank : (n_images,), in [0, 1]
        Share of wrong candidates that the right one beats, ties counted by half: 1 = identified,
        0.5 = chance.
    top : (n_top,) int
        Numbers of highest candidates.
    proportion, chance, low, high : (n_top,), in [0, 1]
        Share of images whose right candidate is among so many highest ones (a tie across the
        border counts by the probability of a fair draw), what guessing gives, and Wilson's
        95 % interval over images.
    mean_rank, mean_rank_low, mean_rank_high : float, in [0, 1]
        Mean of `normalized_rank`, and its 95 % bootstrap interval over images.
    p : float
        Of `mean_rank`, by exchange of the predictions among the images of a fold, and twice the
        mean p of the folds where there are several (see `exchange`; `identify_null.crossed_p`
        has more power). NaN where candidates were not tested in the fold.
    n_units : int
        Of the patterns (median over folds, where they were chosen).

    Notes
    -----
    Images compete, so that a sample of images drawn with replacement would have other sets of
    candidates. Both intervals are over the outcomes of images, among the candidates they had.
    Wilson's is for a proportion, and keeps its width where all or none are identified.
    """

    rows: Rows
    n_candidates: Rows
    better: Rows
    tied: Rows
    z: Array
    normalized_rank: Array
    top: Rows
    proportion: Array
    chance: Array
    low: Array
    high: Array
    mean_rank: float
    mean_rank_low: float
    mean_rank_high: float
    p: float
    n_units: int


def identify(
    truth: Values,
    guess: Values,
    *,
    folds: Sequence[Fold] | None = None,
    teaching: Sequence[Values] | None = None,
    top: Sequence[int] = (1, 5),
    n_permutations: int = 1000,
    seed: int = 0,
    chosen: NDArray[np.bool_] | None = None,
) -> Identification:
    """Rank each image's measured pattern among others by correlation with its prediction.

    Parameters
    ----------
    truth : (n_stimuli, n_units)
        Measured responses. Units that hold NaN, here or in `guess`, are left out, as are units
        that do not vary over the training images.
    guess : (n_stimuli, n_units)
        Predictions less the mean of the training images, as `layer.fit_layer` gives them.
    folds
        Each image is tested once. None = all images are held out: `truth` is then less the
        mean of the training images too, and units are taken in the scale they come in.
    teaching : n_folds of (n_stimuli, n_units)
        For each fold, the responses less the nuisance as its training images teach it, as
        `fit_layer` takes them; their mean and SD bring patterns to one scale. None = `truth`.
    top : n_top of int, at least 1
        For each, the share of images with the right candidate among so many highest.
    n_permutations : int, at least 1
    seed
        Of the permutations and of the bootstrap.
    chosen : (n_folds, n_units) bool
        The units of the patterns in each fold, chosen on its training images alone, as Kay et
        al. took the voxels that are predicted best. None = all.

    Raises
    ------
    ShapeError
        If shapes do not fit.
    ConfigError
        If a number of `top` is below one, or `n_permutations` is.
    NotEnoughDataError
        If a fold tests one image only, or fewer than three units are left.

    References
    ----------
    Kay et al. (2008), Nature 452:352, doi:10.1038/nature06713.
    Wilson (1927), J. Am. Stat. Assoc. 22:209, doi:10.1080/01621459.1927.10502953.
    """
    _check(truth, guess, top=top, n_permutations=n_permutations)
    keep = pattern_units(truth, guess, folds, teaching)
    units = np.flatnonzero(keep)
    fewest = len(units) if chosen is None else int((chosen & keep).sum(axis=1).min())
    if fewest < FEWEST_UNITS:
        raise NotEnoughDataError(
            f"{fewest} of {truth.shape[1]} units were measured, vary and are chosen; a pattern "
            f"needs {FEWEST_UNITS}.",
            mend="Take a larger region, or choose more units (encode.units in analysis.toml).",
        )
    rng = np.random.default_rng([seed, 6])
    parts: list[tuple[Rows, Rows, Rows, Array, Rows]] = []
    single: list[float] = []  # p of each fold
    counts: list[int] = []  # units of its patterns
    for f, (tested, taught) in enumerate(_sets(len(truth), folds)):
        lesson = None if taught is None else (lesson_of(truth, teaching, f), taught)
        own_units = units if chosen is None else units[chosen[f, units]]
        counts.append(len(own_units))
        r = _correlations((truth, guess), tested, own_units, lesson)
        parts.append((tested, *_standing(r), np.full(len(tested), len(tested))))
        single.append(_fold_p(r, parts[-1], n_permutations, rng))
    rows, better, tied, z, count = _in_order(parts)
    normalized = _normalized(better, tied, count)
    tops = np.asarray(top, dtype=np.intp)
    hits = np.clip((tops - better[:, None]) / (tied[:, None] + 1), 0, 1)  # (n_images, n_top)
    low, high = _wilson(hits.mean(axis=0), len(hits))
    rank_low, rank_high = _bootstrap(normalized, np.random.default_rng([seed, 5]))
    return Identification(
        rows=rows,
        n_candidates=count,
        better=better,
        tied=tied,
        z=z,
        normalized_rank=normalized,
        top=tops,
        proportion=hits.mean(axis=0),
        chance=np.minimum(tops / count[:, None], 1).mean(axis=0),
        low=low,
        high=high,
        mean_rank=float(normalized.mean()),
        mean_rank_low=rank_low,
        mean_rank_high=rank_high,
        p=float(average_p(np.array(single)[:, None])[0]),
        n_units=int(np.median(counts)),
    )


def _fold_p(
    r: Array,
    part: tuple[Rows, Rows, Rows, Array, Rows],
    n_permutations: int,
    rng: np.random.Generator,
) -> float:
    """Test the mean normalized rank of one fold, predictions exchanged among its images."""
    _, better, tied, _, count = part
    rank = float(_normalized(better, tied, count).mean())
    return permutation_p(rank, _null(r, n_permutations, rng), enumerated=False)


def _in_order(
    parts: Sequence[tuple[Rows, Rows, Rows, Array, Rows]],
) -> tuple[Rows, Rows, Rows, Array, Rows]:
    """Join what folds found, in the order of images."""
    rows, better, tied, z, count = (np.concatenate(one) for one in zip(*parts, strict=True))
    order = np.argsort(rows)
    return rows[order], better[order], tied[order], z[order], count[order]


def _check(truth: Values, guess: Values, *, top: Sequence[int], n_permutations: int) -> None:
    if truth.shape != guess.shape or truth.ndim != 2:
        raise ShapeError(
            f"truth has shape {truth.shape}, guess has shape {guess.shape}.",
            mend="Both must be (n_stimuli, n_units), stimuli in the same order.",
        )
    if not len(top) or min(top) < 1 or n_permutations < 1:
        raise ConfigError(
            f"The highest {list(top)} candidates are to count, with {n_permutations} "
            "permutations; all must be above zero.",
            mend="Ask for the highest 1 and 5, and for 1000 permutations.",
        )


def _sets(n: int, folds: Sequence[Fold] | None) -> Iterator[tuple[Rows, Mask | None]]:
    """Give the images of each test set, and those that taught (None = not at hand)."""
    sets = [(np.arange(n), None)] if folds is None else [
        (np.flatnonzero(fold.test), fold.train) for fold in folds
    ]  # fmt: skip
    for tested, taught in sets:
        if len(tested) < 2:
            raise NotEnoughDataError(
                f"A test set has {len(tested)} image, which cannot be told from others.",
                mend="Ask for fewer folds (encode.folds in analysis.toml), or add stimuli.",
            )
        yield tested, taught


def pattern_units(
    truth: Values,
    guess: Values,
    folds: Sequence[Fold] | None,
    teaching: Sequence[Values] | None = None,
) -> NDArray[np.bool_]:
    """Mark the units that patterns can be made of.

    Parameters
    ----------
    truth, guess : (n_stimuli, n_units)
    folds
        None = all images are held out.
    teaching
        As in `identify`.

    Returns
    -------
    marks : (n_units,)
        Measured and predicted for each image that is tested, with responses that vary over the
        training images of every fold.
    """
    keep = np.asarray(np.isfinite(truth).all(axis=0))
    tested = np.ones(len(truth), dtype=np.bool_)
    if folds is not None:
        tested = np.any([fold.test for fold in folds], axis=0)
        for f, fold in enumerate(folds):
            keep &= varies(lesson_of(truth, teaching, f), fold.train)
    return keep & np.asarray(np.isfinite(guess).all(axis=0, where=tested[:, None]))


def _correlations(
    patterns: tuple[Values, Values], rows: Rows, units: Rows, lesson: tuple[Values, Mask] | None
) -> Array:
    """Correlate predicted with measured patterns over units, (n_images, n_images).

    `patterns` are measured and predicted ones, of which `rows` are compared. Both are brought to
    the mean and SD of `lesson`, responses (n_stimuli, n_units) and which of them taught. Zero
    where one of the two does not vary, so that all candidates tie.
    """
    truth, guess = patterns
    blocks = [units[start : start + BLOCK] for start in range(0, len(units), BLOCK)]
    scales = [_scale(lesson, c) for c in blocks]

    def pairs() -> Iterator[tuple[Array, Array]]:
        for c, (mean, sd) in zip(blocks, scales, strict=True):
            told = guess[np.ix_(rows, c)].astype(np.float64) / sd
            yield told, (truth[np.ix_(rows, c)].astype(np.float64) - mean) / sd

    n = len(rows)
    level = [np.zeros((n, 1)), np.zeros((n, 1))]
    for pair in pairs():
        for total, raw in zip(level, pair, strict=True):
            total += raw.sum(axis=1, keepdims=True) / len(units)
    product = np.zeros((n, n))
    squares = [np.zeros((2, n)), np.zeros((2, n))]
    for pair in pairs():
        centered = [raw - middle for raw, middle in zip(pair, level, strict=True)]
        product += centered[0] @ centered[1].T
        for total, raw, less in zip(squares, pair, centered, strict=True):
            total += (raw**2).sum(axis=1), (less**2).sum(axis=1)
    weights = []
    for raw, less in squares:
        is_real = less > VARIES * raw
        weights.append(np.where(is_real, 1 / np.sqrt(np.where(is_real, less, 1.0)), 0.0))
    made: Array = np.clip(product * weights[0][:, None] * weights[1], -1, 1)
    return made


def _scale(lesson: tuple[Values, Mask] | None, units: Rows) -> tuple[Array, Array]:
    """Return mean and SD of some units over the images that taught, 0 and 1 without these."""
    if lesson is None:
        return np.zeros(len(units)), np.ones(len(units))
    values, taught = lesson
    own = values[np.ix_(taught, units)].astype(np.float64)
    return own.mean(axis=0), own.std(axis=0)


def _standing(r: Array) -> tuple[Rows, Rows, Array]:
    """Return how many wrong candidates are better, how many tie, and how far the right one is."""
    right = np.diag(r)
    better = (r > right[:, None] + TOLERANCE).sum(axis=1)
    tied = (r >= right[:, None] - TOLERANCE).sum(axis=1) - better - 1
    fisher = np.arctanh(np.clip(r, TOLERANCE - 1, 1 - TOLERANCE))
    told = np.diag(fisher).copy()
    np.fill_diagonal(fisher, np.nan)
    spread = np.nanstd(fisher, axis=1)
    flat = spread <= TOLERANCE
    z = (told - np.nanmean(fisher, axis=1)) / np.where(flat, 1.0, spread)
    return better, tied, np.where(flat, np.nan, z)


def _normalized(better: Rows, tied: Rows, n_candidates: Rows | int) -> Array:
    """Return the share of wrong candidates that the right one beats, ties counted by half."""
    made: Array = 1 - (better + tied / 2) / (n_candidates - 1)
    return made


def _null(r: Array, n_permutations: int, rng: np.random.Generator) -> Array:
    """Return the mean normalized rank for random pairs of predictions and measured patterns."""
    n = len(r)
    beaten = np.empty((n, n))  # by each candidate, if it were the right one
    for row, found in zip(r, beaten, strict=True):
        ordered = np.sort(row)
        below = np.searchsorted(ordered, row - TOLERANCE, side="left")
        above = n - np.searchsorted(ordered, row + TOLERANCE, side="right")
        found[:] = (below + (n - below - above - 1) / 2) / (n - 1)
    rows = np.arange(n)
    return np.array([beaten[rows, rng.permutation(n)].mean() for _ in range(n_permutations)])


def _wilson(share: Array, n: int) -> tuple[Array, Array]:
    """Return Wilson's interval of a proportion."""
    k = float(ndtri((1 + LEVEL) / 2))
    middle = (share + k**2 / (2 * n)) / (1 + k**2 / n)
    reach = k * np.sqrt(share * (1 - share) / n + k**2 / (4 * n**2)) / (1 + k**2 / n)
    return np.clip(middle - reach, 0, 1), np.clip(middle + reach, 0, 1)


def _bootstrap(values: Array, rng: np.random.Generator) -> tuple[float, float]:
    """Return the percentile interval of a mean."""
    n = len(values)
    means = [values[rng.integers(n, size=(DRAWN, n))].mean(axis=1) for _ in range(N_DRAWS)]
    drawn = np.concatenate(means)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
