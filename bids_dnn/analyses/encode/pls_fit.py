"""Fit partial least squares to all units, the number of components chosen on inner folds.

The units of a group are given their components together, a unit that is alone in its group has
its own. No number of components is fitted twice: the loss of each is summed while components
come one after another. One spectrum of each training set serves all groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr

from bids_dnn.analyses.encode.pls import joint_scores, single_scores
from bids_dnn.analyses.encode.solvers import lesson_of
from bids_dnn.analyses.encode.spectrum import Spectrum, decompose
from bids_dnn.errors import ConfigError, NotEnoughDataError, ShapeError
from bids_dnn.stats.folds import Fold

Array = NDArray[np.float64]
Values = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]
Columns = NDArray[np.intp]
GramOf = Callable[[Mask], Array]
MOST = 50
BATCH = 128  # units alone that are worked on at once, at 8 BATCH n_components n_stimuli bytes
BLOCK = 4096


@dataclass(frozen=True, slots=True, eq=False)
class PlsFit:
    """What a layer says of each image and unit by partial least squares, out of fold.

    Parameters
    ----------
    guess : (n_stimuli, n_units) float32
        Predictions less the mean of the training images, in the unit of the responses. NaN for
        images that no fold tests.
    n_components : (n_folds, n_units) intp
        The chosen number; units that share components have the same.
    most : int
        The largest number that was tried: what was asked for, or what the smallest inner
        training set allows (its images less one).
    """

    guess: NDArray[np.float32]
    n_components: NDArray[np.intp]
    most: int


def fit_groups(
    gram: Array | GramOf,
    truth: Values,
    *,
    folds: Sequence[Fold],
    inner: Sequence[Sequence[Fold]],
    n_components: int = MOST,
    groups: Sequence[Columns] | None = None,
    teaching: Sequence[Values] | None = None,
    scale: bool = False,
) -> PlsFit:
    """Predict each fold's images from the others, the units of a group by shared components.

    Only inner products of responses matter for components that are shared and for the summed
    squared error, so that many units cost hardly more than as many as there are images. The
    cost of a unit that is alone grows with the square of the number of components.

    Parameters
    ----------
    gram : (n_stimuli, n_stimuli), or a function
        Inner products of the layer's features, not centered. A function is given the training
        images (n_stimuli,) bool of each fold and inner fold, and returns the matrix of features
        as these teach it: columns divided by their SD (`kernels.scaled_gram`), or principal
        components.
    truth : (n_stimuli, n_units)
        Responses to each image.
    folds
        Each image is tested once.
    inner
        For each fold, splits of its training images, on which the number of components is
        chosen: the one of least squared error, summed over the units of a group; of equal ones
        the least.
    n_components : int, at least 1
        The largest number that is tried.
    groups : each (n_units_in_group,)
        Columns of `truth` that share components, each column in one group (a unit of two
        regions needs two columns): the units of a region together (PLS2), its mean alone
        (PLS1). None = all together.
    teaching : n_folds of (n_stimuli, n_units)
        As in `layer.fit_layer`.
    scale : bool
        Divide each unit by its SD over the training images, so that units of large variance do
        not decide; losses are then in these units. With features divided by theirs (see
        `gram`) this is scikit-learn's ``scale=True``.

    Raises
    ------
    ConfigError
        If `n_components` is below one.
    ShapeError
        If a column is in no group or in two, or shapes do not fit.
    NotEnoughDataError
        If a response is not finite, or an inner fold teaches with one image.

    References
    ----------
    Rosipal & Trejo (2001), J. Mach. Learn. Res. 2:97.
    """
    most = _most(truth, folds, inner, n_components)
    together, alone = _dealt(_checked(groups, truth.shape[1]), scale=scale)
    is_same = not scale and teaching is None
    kept = [_reduced(truth, columns) for columns in together] if is_same else None
    guess = np.full(truth.shape, np.nan, dtype=np.float32)
    chosen = np.empty((len(folds), truth.shape[1]), dtype=np.intp)
    for f, (fold, splits) in enumerate(zip(folds, inner, strict=True)):
        own = lesson_of(truth, teaching, f)
        shared: list[Array | None] = [None] * len(together)
        if not scale:
            shared = [*(kept or (_reduced(own, columns) for columns in together))]
        sets: list[_Together | _Alone] = [
            *(_Together(own, c, y) for c, y in zip(together, shared, strict=True)),
            *(_Alone(own, columns) for columns in alone),
        ]
        losses: list[Array | float] = [0.0] * len(sets)
        for part, found in _spectra(gram, fold, splits):
            for k, one in enumerate(sets):
                losses[k] = losses[k] + one.loss(found, part, most)
        found = _spectrum(gram, fold)
        for one, loss in zip(sets, losses, strict=True):
            best = np.argmin(loss, axis=0) + 1
            chosen[f, one.columns] = best
            for where, told in one.predict(found, fold, best):
                guess[np.ix_(fold.test, where)] = told
    return PlsFit(guess, chosen, most)


@dataclass(frozen=True, slots=True, eq=False)
class _Together:
    """Columns of the responses that share components.

    `reduced` stands for them (see `_reduced`); None = to be made for each training set, with
    columns divided by their SD.
    """

    responses: Values
    columns: Columns
    reduced: Array | None

    def loss(self, found: Spectrum, fold: Fold, most: int) -> Array:
        """Return the squared error of 1 to `most` components (most,), a mean over test images."""
        teach, left = _halves(self._standing_for(fold), fold)
        z = found.vectors.T @ teach
        loss = np.empty(most)
        loss[:] = (left**2).sum()
        for a, (t, u) in enumerate(joint_scores(found, z, most)):
            left -= np.outer(u, t @ z)
            loss[a:] = (left**2).sum()
        return loss / len(left)

    def predict(
        self, found: Spectrum, fold: Fold, k: NDArray[np.intp]
    ) -> Iterator[tuple[Columns, Array]]:
        """Give columns with their predictions by `k` components, less the training mean."""
        teach, _ = _halves(self._standing_for(fold), fold)
        weights = np.zeros((len(found.test), len(found.values)))
        for t, u in joint_scores(found, found.vectors.T @ teach, int(k)):
            weights += np.outer(u, t)
        weights = weights @ found.vectors.T  # of training responses in predictions
        for start in range(0, len(self.columns), BLOCK):
            where = self.columns[start : start + BLOCK]
            yield where, weights @ _halves(self.responses[:, where], fold)[0]

    def _standing_for(self, fold: Fold) -> Array:
        if self.reduced is not None:
            return self.reduced
        return _reduced(self.responses, self.columns, over=fold.train)


@dataclass(frozen=True, slots=True, eq=False)
class _Alone:
    """Columns of the responses that have components of their own, worked on at once."""

    responses: Values
    columns: Columns

    def loss(self, found: Spectrum, fold: Fold, most: int) -> Array:
        """Return the squared error of 1 to `most` components (most, n_columns)."""
        teach, left = _halves(self.responses[:, self.columns], fold)
        loss = np.empty((most, len(self.columns)))
        loss[:] = (left**2).mean(axis=0)
        for a, (_, u, q) in enumerate(single_scores(found, found.vectors.T @ teach, most)):
            left -= u * q
            loss[a:] = (left**2).mean(axis=0)
        return loss

    def predict(
        self, found: Spectrum, fold: Fold, k: NDArray[np.intp]
    ) -> Iterator[tuple[Columns, Array]]:
        """Give columns with their predictions by `k` components of each."""
        teach, told = _halves(self.responses[:, self.columns], fold)
        guess = np.zeros_like(told)
        steps = single_scores(found, found.vectors.T @ teach, int(k.max()))
        for a, (_, u, q) in enumerate(steps):
            guess += u * np.where(a < k, q, 0.0)
        yield self.columns, guess


def _most(
    truth: Values, folds: Sequence[Fold], inner: Sequence[Sequence[Fold]], n_components: int
) -> int:
    """Return the largest number of components that all training sets allow."""
    if n_components < 1:
        raise ConfigError(
            f"{n_components} components of partial least squares are asked for.",
            mend="Ask for one at least, such as 50.",
        )
    if truth.ndim != 2 or any(len(fold.train) != len(truth) for fold in folds):
        raise ShapeError(
            f"truth has shape {truth.shape}, the folds are over {len(folds[0].train)} images.",
            mend="Give (n_stimuli, n_units), and folds over the same stimuli.",
        )
    if bad := int((~np.isfinite(truth)).any(axis=0).sum()):
        raise NotEnoughDataError(
            f"{bad} of {truth.shape[1]} units have responses that are not finite.",
            mend="Leave out units that were not measured for each image.",
        )
    fewest = min(int(split.train.sum()) for splits in inner for split in splits)
    if fewest < 2:
        raise NotEnoughDataError(
            f"An inner fold has {fewest} training image, and a component needs two.",
            mend="Ask for fewer folds (encode.folds in analysis.toml), or add stimuli.",
        )
    return min(n_components, fewest - 1)


def _checked(groups: Sequence[Columns] | None, n_units: int) -> Sequence[Columns]:
    if groups is None:
        return [np.arange(n_units)]
    count = np.bincount(np.concatenate([np.arange(0), *groups]), minlength=n_units)
    if len(count) != n_units or (count != 1).any():
        raise ShapeError(
            f"{int((count == 0).sum())} of {n_units} units are in no group, "
            f"{int((count > 1).sum())} in several, {len(count) - n_units} do not exist.",
            mend="Give each column of truth in one group; repeat the column of a unit that lies "
            "in two regions.",
        )
    return groups


def _dealt(groups: Sequence[Columns], *, scale: bool) -> tuple[list[Columns], list[Columns]]:
    """Part groups from units that are alone, which are worked on in batches.

    Where each is divided by an SD, so is the loss of one that is alone.
    """
    together = [one for one in groups if len(one) > 1 or (scale and len(one))]
    single = np.array([one[0] for one in groups if len(one) == 1 and not scale], dtype=np.intp)
    return together, [single[k : k + BATCH] for k in range(0, len(single), BATCH)]


def _spectrum(gram: Array | GramOf, fold: Fold) -> Spectrum:
    k = gram(fold.train) if callable(gram) else gram
    return decompose(k[np.ix_(fold.train, fold.train)], k[np.ix_(fold.test, fold.train)])


def _spectra(
    gram: Array | GramOf, fold: Fold, splits: Sequence[Fold]
) -> Iterator[tuple[Fold, Spectrum]]:
    """Give each inner fold, with masks over all images, and its spectrum."""
    rows = np.flatnonzero(fold.train)
    for split in splits:
        masks = np.zeros((2, len(fold.train)), dtype=np.bool_)
        masks[0, rows[split.train]] = masks[1, rows[split.test]] = True
        part = Fold(split.name, masks[0], masks[1])
        yield part, _spectrum(gram, part)


def _halves(y: Values, fold: Fold) -> tuple[Array, Array]:
    """Return training and test rows, less the training mean."""
    teach = y[fold.train].astype(np.float64)
    mean = teach.mean(axis=0)
    return teach - mean, y[fold.test].astype(np.float64) - mean


def _reduced(y: Values, columns: Columns, *, over: Mask | None = None) -> Array:
    """Return at most n columns with the inner products of the centered rows of many (n, n_units).

    Each unit is divided by its SD over the rows `over`. The QR decomposition is made block by
    block, and no inner product is squared.
    """
    left = np.empty((0, len(y)))
    for start in range(0, len(columns), BLOCK):
        block = y[:, columns[start : start + BLOCK]].astype(np.float64)
        block -= block.mean(axis=0)
        if over is not None:
            taught = block[over]
            sd = taught.std(axis=0, ddof=1)
            block /= np.where(np.ptp(taught, axis=0) == 0, 1.0, sd)
        left = np.vstack([left, block.T])
        if len(left) > len(y):
            left = qr(left, mode="r", overwrite_a=True, check_finite=False)[0][: len(y)]
    return np.ascontiguousarray(left.T)
