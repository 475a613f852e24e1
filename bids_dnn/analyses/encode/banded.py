"""Fit several feature spaces jointly, each unit with weights of its own for the spaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.encode.banded_refine import (
    Start,
    centered_stack,
    refine_weights,
    solve_weighted,
)
from bids_dnn.analyses.encode.banded_search import (
    CONCENTRATIONS,
    REACH,
    Index,
    Mask,
    Space,
    Teaching,
    draw_weights,
    groups,
    reduced,
    search_weights,
    teach,
)
from bids_dnn.analyses.encode.select import SELECTIONS, Selection
from bids_dnn.analyses.encode.solvers import BATCH, lesson_of
from bids_dnn.analyses.encode.spectrum import decompose, penalty_grid
from bids_dnn.errors import ConfigError, ShapeError, nearest
from bids_dnn.stats.folds import Fold

Array = NDArray[np.float64]
Values = NDArray[np.floating[Any]]
EXACT = 1e-7  # relative residual of the last solution
EDGE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """How weights of feature spaces and penalties are sought.

    Parameters
    ----------
    alphas : (n_alphas,), or None
        Penalties, where weights sum to 1 and each space is divided by the mean diagonal of its
        centered training Gram matrix. None = those that the spectra of each fold's training
        images ask for (see `grid_of`).
    n_candidates : int
        Sets of weights that all units try (see `banded_search.draw_weights`).
    concentrations
        Of the Dirichlet distributions that they are drawn from.
    select
        ``inner`` = inner folds; ``loo`` = exact leave-one-out; ``gcv`` = generalized
        cross-validation. The last two take images as exchangeable, and cost less.
    refine
        Whether each unit's own log weights then take a Gauss-Newton step where that lowers the
        error on the inner folds.
    reach : int
        Penalties on both sides of the best so far that later candidates try; 0 = all.
    seed
        The same seed draws the same candidates.

    Raises
    ------
    ConfigError
        If a penalty is not above zero, `select` does not exist, there is no candidate, `reach`
        is negative, or `refine` is asked for without inner folds.
    """

    alphas: Array | None
    n_candidates: int = 100
    concentrations: tuple[float, ...] = CONCENTRATIONS
    select: Selection = "inner"
    refine: bool = True
    reach: int = REACH
    seed: int = 0

    def __post_init__(self) -> None:
        if self.alphas is not None and not (self.alphas.size and (self.alphas > 0).all()):
            raise ConfigError(
                f"The penalties are {self.alphas.tolist()}; there must be one, and all above "
                "zero.",
                mend="Set encode.alphas in analysis.toml, such as [0.01, 0.1, 1.0, 10.0].",
            )
        if self.n_candidates < 1 or self.reach < 0:
            raise ConfigError(
                f"There are {self.n_candidates} candidates, with a reach of {self.reach}.",
                mend="Give one candidate at least, and a reach of 0 (all penalties) or more.",
            )
        if self.select not in SELECTIONS:
            raise ConfigError(
                f"Selection by {self.select!r} does not exist.",
                mend=nearest(self.select, SELECTIONS),
            )
        if self.refine and self.select != "inner":
            raise ConfigError(
                f"Refinement goes by inner folds, but selection is by {self.select!r}.",
                mend="Turn refinement off, or select by inner folds.",
            )


@dataclass(frozen=True, slots=True, eq=False)
class BandedFit:
    """What several feature spaces together say of each image and unit, out of fold.

    Parameters
    ----------
    guess : (n_stimuli, n_units) float32
        Predictions less the mean of the training images, in the unit of the responses. NaN for
        images that no fold tests.
    r2 : (n_units,)
        1 - SSE / SST against the training mean; NaN where tested responses do not vary.
    split : (n_spaces, n_units)
        The part of `r2` that each space's own prediction brings (product measure); sums to
        `r2`, and may be negative.
    weights : (n_folds, n_spaces, n_units)
        Of the spaces, each on one scale; sum to 1.
    alpha : (n_folds, n_units)
        Penalty, for these weights.
    at_edge : (n_folds, n_units) bool
        Whether the penalty is at or beyond an end of the grid, where there are several.
    """

    guess: NDArray[np.float32]
    r2: Array
    split: Array
    weights: Array
    alpha: Array
    at_edge: NDArray[np.bool_]


def fit_banded(
    grams: Sequence[Space],
    truth: Values,
    *,
    folds: Sequence[Fold],
    inner: Sequence[Sequence[Fold]],
    search: Search,
    teaching: Sequence[Values] | None = None,
    n_components: Sequence[int] = (),
    batch: int = BATCH,
) -> BandedFit:
    """Predict each fold's images from the others, by banded ridge on several feature spaces.

    Each unit has its own weight for each space, which is a penalty for each. With one space it
    is the ridge of `layer.fit_layer`. What a unit is given does not depend on other units.

    Parameters
    ----------
    grams : n_spaces of (n_stimuli, n_stimuli), or of functions
        Inner products of each space's features, not centered. A function is given the training
        images (n_stimuli,) bool of each fold, and returns the matrix as these teach it.
    truth : (n_stimuli, n_units)
        Responses to each image.
    folds
        Each image is tested once.
    inner
        For each fold, splits of its training images, on which weights and penalty are chosen:
        those of least squared error.
    search
    teaching : n_folds of (n_stimuli, n_units)
        For each fold, the responses less the nuisance as its training samples teach it; the
        rows of its test images are those of `truth`. None = `truth` for all.
    n_components : n_spaces of int
        Principal components of each space that are kept, learnt on training images of each
        fold, and anew within each of its inner folds; 0 = all, as if none are given.
    batch : int
        Units worked on at once.

    Raises
    ------
    ShapeError
        If Gram matrices, responses and `n_components` do not fit each other.
    ConfigError
        If components are asked for without inner folds, which alone can learn them anew, or a
        concentration is not above zero.

    References
    ----------
    Nunez-Elizalde, Huth & Gallant (2019), NeuroImage 197:482,
    doi:10.1016/j.neuroimage.2019.04.012.
    Dupre la Tour et al. (2022), NeuroImage 264:119728, doi:10.1016/j.neuroimage.2022.119728
    (the product measure is its equation of the split R^2).
    """
    n_units = truth.shape[1]
    kept = tuple(n_components) or (0,) * len(grams)
    if not len(grams) or len(kept) != len(grams):
        raise ShapeError(
            f"There are {len(grams)} Gram matrices, with {len(kept)} numbers of components.",
            mend="Give one or more feature spaces, and a number of components for each.",
        )
    if any(kept) and search.select != "inner":
        raise ConfigError(
            f"{kept} principal components are to be kept, with selection by {search.select!r}; "
            "components would have been learnt on what is left out.",
            mend="Select by inner folds, or keep all components.",
        )
    candidates = draw_weights(
        len(grams),
        search.n_candidates,
        np.random.default_rng(search.seed),
        concentrations=search.concentrations,
    )
    guess = np.full(truth.shape, np.nan, dtype=np.float32)
    weights = np.empty((len(folds), len(grams), n_units))
    alpha = np.empty((len(folds), n_units))
    at_edge = np.zeros(alpha.shape, dtype=np.bool_)
    gain, sst = np.zeros((len(grams), n_units)), np.zeros(n_units)
    for f, fold in enumerate(folds):
        own = lesson_of(truth, teaching, f)
        full = as_taught(grams, fold.train)
        spaces = teach(full, fold.train, kept)
        penalties = np.sort(grid_of(spaces) if search.alphas is None else search.alphas)
        start = _choose(
            spaces, own[fold.train], candidates, inner[f], search, penalties, batch=batch
        )
        for where, parts, told in _predict(full, spaces, own, fold, start, batch):
            whole = parts.sum(axis=0)
            guess[np.ix_(fold.test, where)] = whole
            gain[:, where] += np.einsum("iav,av->iv", parts, 2 * told - whole)
            sst[where] += (told**2).sum(axis=0)
        alpha[f] = 1 / start.ratio.sum(axis=0)
        at_edge[f] = (alpha[f] <= penalties[0] * (1 + EDGE)) | (
            alpha[f] >= penalties[-1] * (1 - EDGE)
        )
        at_edge[f] &= len(penalties) > 1
        weights[f] = start.ratio * alpha[f]
    tested = np.any([fold.test for fold in folds], axis=0)
    flat = np.ptp(truth[tested], axis=0) == 0
    split = np.where(flat, np.nan, gain / np.where(flat, 1.0, sst))
    return BandedFit(guess, split.sum(axis=0), split, weights, alpha, at_edge)


def grid_of(spaces: Teaching) -> Array:
    """Return the penalties that the spectra of all spaces and of their equal mix ask for.

    Of a space, those of the principal components that are kept.

    Parameters
    ----------
    spaces
        As training images teach them.

    Returns
    -------
    alphas : (n_alphas,), rising
        In steps of half a decade, in units of all of a space's variance.
    """
    everything = np.ones(len(spaces.grams[0]), dtype=np.bool_)
    seen = reduced(list(spaces.grams), everything, spaces.n_components)
    spectra = [decompose(k, k) for k in (*seen, np.mean(seen, axis=0))]
    asked = [penalty_grid(one) * one.scale for one in spectra if len(one.values)]
    steps = np.unique(np.round(2 * np.log10(np.concatenate(asked or [np.ones(1)]))))
    return np.asarray(10.0 ** (np.arange(steps[0], steps[-1] + 1) / 2))


def as_taught(grams: Sequence[Space], train: Mask) -> list[Array]:
    """Return the Gram matrix of each space as some training images teach it.

    Parameters
    ----------
    grams
        As in `fit_banded`.
    train : (n_stimuli,) bool

    Raises
    ------
    ShapeError
        If one is not (n_stimuli, n_stimuli).
    """
    made = [one(train) if callable(one) else one for one in grams]
    if any(one.shape != (len(train), len(train)) for one in made):
        raise ShapeError(
            f"The Gram matrices have shapes {[one.shape for one in made]}, for {len(train)} "
            "stimuli.",
            mend="Give one (n_stimuli, n_stimuli) a feature space.",
        )
    return made


def _choose(
    spaces: Teaching,
    y: Values,
    candidates: Array,
    splits: Sequence[Fold],
    search: Search,
    alphas: Array,
    *,
    batch: int,
) -> Start:
    """Choose weights over penalty of each unit, on training images."""
    choice = search_weights(
        spaces,
        y,
        candidates,
        splits=splits,
        alphas=alphas,
        select=search.select,
        reach=search.reach,
        batch=batch,
    )
    start = Start(
        candidates, choice.candidate, candidates[choice.candidate].T / alphas[choice.penalty]
    )
    if not search.refine or len(spaces.grams) == 1:
        return start
    ratio, _ = refine_weights(spaces, y, start, splits=splits, batch=batch)
    return Start(candidates, choice.candidate, ratio)


def _predict(
    grams: Sequence[Array],
    spaces: Teaching,
    y: Values,
    fold: Fold,
    start: Start,
    batch: int,
) -> Iterator[tuple[Index, Array, Array]]:
    """Give units in blocks: where, each space's predictions, and the responses, both centered.

    Shapes (n,), (n_spaces, n_test, n) and (n_test, n).
    """
    full = reduced(grams, fold.train, spaces.n_components)
    train, test = centered_stack(
        [k[np.ix_(fold.train, fold.train)] / a for k, a in zip(full, spaces.scales, strict=True)],
        [k[np.ix_(fold.test, fold.train)] / a for k, a in zip(full, spaces.scales, strict=True)],
    )
    for c, places in groups(start.candidate):
        mixture = start.candidates[c]
        found = decompose(
            np.tensordot(mixture, train, axes=1), np.tensordot(mixture, test, axes=1)
        )
        for first in range(0, len(places), batch):
            where = places[first : first + batch]
            ratio = start.ratio[:, where]
            taught = y[np.ix_(fold.train, where)].astype(np.float64)
            mean = taught.mean(axis=0)
            w = solve_weighted(train, taught - mean, ratio=ratio, found=found, tol=EXACT)
            parts = np.stack([g * (k @ w) for g, k in zip(ratio, test, strict=True)])
            yield where, parts, y[np.ix_(fold.test, where)] - mean
