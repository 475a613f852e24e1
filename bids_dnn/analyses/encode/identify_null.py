"""How identification goes with the number of candidates, and where folds teach each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, log_ndtr

from bids_dnn.analyses.encode.identify import Identification
from bids_dnn.analyses.encode.permutation import draw_shuffles
from bids_dnn.errors import ConfigError, ShapeError
from bids_dnn.stats.folds import Fold
from bids_dnn.stats.inference import permutation_p

Array = NDArray[np.float64]
Values = NDArray[np.floating[Any]]
BLOCK = 1024
MOST_CROSSED = 500  # images: of twice as many, an exchange takes ten times as long
TIE = 1e-10  # of the largest of a row: nearer is equal


@dataclass(frozen=True, slots=True, eq=False)
class SizeCurve:
    """The share of images that would be identified among fewer or more candidates.

    Parameters
    ----------
    sizes : (n_sizes,) int
        Candidates, the right one among them.
    proportion : (n_sizes,), in [0, 1]
        NaN where it is extrapolated and an image's wrong candidates cannot be told apart.
    chance : (n_sizes,)
    extrapolated : (n_sizes,) bool
        An image had fewer candidates than this: see `by_set_size`.
    """

    sizes: NDArray[np.intp]
    proportion: Array
    chance: Array
    extrapolated: NDArray[np.bool_]


def by_set_size(found: Identification, sizes: Sequence[int]) -> SizeCurve:
    """Return the expected share of images identified, against the number of candidates.

    Up to the number that was there it is exact: the mean over all subsets of candidates that
    hold the right one, by the hypergeometric distribution (ties fall by a fair draw). Beyond,
    it is extrapolated: wrong candidates are taken to correlate normally, after Fisher's
    transform, with the mean and SD of those that were there.

    Parameters
    ----------
    found
    sizes : n_sizes of int, at least 2

    Raises
    ------
    ConfigError
        If there is no size, or one is below two.

    References
    ----------
    Kay et al. (2008), Nature 452:352, doi:10.1038/nature06713 (performance by set size).
    """
    if not len(sizes) or min(sizes) < 2:
        raise ConfigError(
            f"Numbers of candidates are {list(sizes)}; there must be one, and all at least 2.",
            mend="Give numbers such as 2, 10, 100.",
        )
    wanted = np.asarray(sizes, dtype=np.intp)
    proportion = np.empty(len(wanted))
    for k, size in enumerate(wanted.tolist()):
        inside = size <= found.n_candidates
        share = np.empty(len(inside))
        share[inside] = _subsets(
            found.n_candidates[inside], found.better[inside], found.tied[inside], size
        )
        share[~inside] = np.exp((size - 1) * log_ndtr(found.z[~inside]))
        proportion[k] = share.mean()
    return SizeCurve(wanted, proportion, 1 / wanted, wanted > found.n_candidates.min())


def crossed_p(
    operator: Values,
    truth: Values,
    *,
    folds: Sequence[Fold],
    n_permutations: int,
    seed: int,
) -> tuple[float, float]:
    """Test identification within several folds, with images exchanged before the fit.

    Exchanging predictions after the fit is too liberal where images of one fold teach the
    models of others (see `permutation`). Here the responses to images of a fold are exchanged
    before a fixed linear operator predicts from them, so that the null is exact. Inner products
    of responses are all that is needed, so that the number of units does not matter.

    Parameters
    ----------
    operator : (n_stimuli, n_stimuli)
        From responses to predictions, zero within a fold, rows that sum to zero
        (`layer.LayerFit.operator`).
    truth : (n_stimuli, n_units)
        Finite. Units are divided by their SD; those that do not vary are left out.
    folds
        Each image is tested once. Candidates are the images of the same test fold.
    n_permutations : int, at least 1
    seed

    Returns
    -------
    mean_rank : float, in [0, 1]
        Mean normalized rank of the operator's predictions, which need not be that of the
        predictions that were scored; 0.5 = chance.
    p : float, in (0, 1]

    Raises
    ------
    ShapeError
        If `operator` has not one row and one column for each image.
    NotEnoughDataError
        If there is no permutation.
    """
    n = len(truth)
    if operator.shape != (n, n):
        raise ShapeError(
            f"The operator has shape {operator.shape}, but there are {n} images.",
            mend="Give the operator of the fit to these responses.",
        )
    alike = _products(truth)
    parts = [_Part.of(operator, alike, fold) for fold in folds]
    drawn = draw_shuffles(folds, n_permutations, np.random.default_rng([seed, 7]))
    ranks = [
        float(np.concatenate([part.ranks(alike, order) for part in parts]).mean())
        for order in (np.arange(n), *drawn)
    ]
    return ranks[0], permutation_p(ranks[0], np.array(ranks[1:]), enumerated=False)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """A fold, and what of it no exchange within folds changes but for the order."""

    train: NDArray[np.intp]
    test: NDArray[np.intp]
    operator: Array  # (n_test, n_train)
    lean: Array  # (n_stimuli,) product of each pattern with the training mean
    size: Array  # (n_stimuli,) of each pattern less the training mean; 0 = the same

    @classmethod
    def of(cls, operator: Values, alike: Array, fold: Fold) -> _Part:
        train, test = np.flatnonzero(fold.train), np.flatnonzero(fold.test)
        lean = alike[:, train].mean(axis=1)
        square = np.diag(alike) - 2 * lean + lean[train].mean()
        size = np.sqrt(np.where(square > TIE * np.diag(alike), square, 0.0))
        own = operator[np.ix_(test, train)].astype(np.float64, copy=False)
        return cls(train, test, own, lean, size)

    def ranks(self, alike: Array, order: NDArray[np.intp]) -> Array:
        """Return each test image's normalized rank with responses in another order."""
        teach, told = order[self.train], order[self.test]
        product = self.operator @ (alike[np.ix_(teach, told)] - self.lean[teach][:, None])
        size = self.size[told]
        r = np.where(size > 0, product / np.where(size > 0, size, 1.0), 0.0)
        near = TIE * np.abs(r).max(axis=1)
        right = np.diag(r)
        better = (r > (right + near)[:, None]).sum(axis=1)
        tied = (r >= (right - near)[:, None]).sum(axis=1) - better - 1
        made: Array = 1 - (better + tied / 2) / max(len(r) - 1, 1)
        return made


def _products(truth: Values) -> Array:
    """Return the inner products of patterns of z-scored units, less each pattern's own mean."""
    total, row = np.zeros((len(truth), len(truth))), np.zeros(len(truth))
    n_units = 0
    for start in range(0, truth.shape[1], BLOCK):
        t = truth[:, start : start + BLOCK].astype(np.float64)
        t = t[:, np.ptp(t, axis=0) > 0]
        t = (t - t.mean(axis=0)) / t.std(axis=0)
        total += t @ t.T
        row += t.sum(axis=1)
        n_units += t.shape[1]
    return total - np.outer(row, row) / max(n_units, 1)


def _subsets(
    n: NDArray[np.intp], better: NDArray[np.intp], tied: NDArray[np.intp], size: int
) -> Array:
    """Return the chance that no better candidate is in a random subset, and ties fall well."""
    whole = _log_choose(n - 1, size - 1)
    above = np.exp(_log_choose(n - better, size) - whole)
    below = np.exp(_log_choose(n - 1 - better - tied, size) - whole)
    made: Array = np.clip((above - below) / (tied + 1), 0, 1)
    return made


def _log_choose(n: NDArray[np.intp], k: int) -> Array:
    """Return the log of the number of subsets; minus infinity where there is none."""
    fits = n >= k
    top = np.where(fits, n, k)
    made: Array = np.where(fits, gammaln(top + 1) - gammaln(k + 1) - gammaln(top - k + 1), -np.inf)
    return made
