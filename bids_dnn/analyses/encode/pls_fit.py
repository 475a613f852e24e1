"""Fit partial least squares to all units, the number of components chosen on inner folds.

`fit_pls2` gives the units of a region their components together, `fit_pls1` gives each unit its
own; both have the shape of `layer.fit_layer`. No number of components is fitted twice: the
loss of each is summed while components come one after another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr

from bids_dnn.analyses.encode.pls import joint_scores, refuse_no_component, single_scores
from bids_dnn.analyses.encode.solvers import mix_penalties
from bids_dnn.analyses.encode.spectrum import Spectrum, decompose
from bids_dnn.errors import NotEnoughDataError, ShapeError
from bids_dnn.stats.folds import Fold

Array = NDArray[np.float64]
Values = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]
GramOf = Callable[[Mask], Array]
MOST = 50
BATCH = 128
BLOCK = 4096
PENALTIES = np.logspace(-4, 4, 9)  # of the operator, multiples of the mean diagonal


@dataclass(frozen=True, slots=True, eq=False)
class PlsFit:
    """What a layer says of each image and unit by partial least squares, out of fold.

    Parameters
    ----------
    guess : (n_stimuli, n_units) float32
        Predictions less the mean of the training images, in the unit of the responses. NaN for
        images that no fold tests.
    r2 : (n_units,)
        1 - SSE / SST against the training mean; NaN where the responses do not vary.
    n_components : (n_folds, n_units) intp
        The chosen number; units that share components have the same.
    most : int
        The largest number that was tried: what was asked for, or what the smallest inner
        training set allows (its images less one).
    operator : (n_stimuli, n_stimuli)
        From responses to predictions by ridge with penalties of the whole range in equal
        measure (`solvers.mix_penalties`), zero within a fold. Predictions by PLS are no linear
        function of the responses, so that a permutation test asks the question of the same
        features by way of this.
    """

    guess: NDArray[np.float32]
    r2: Array
    n_components: NDArray[np.intp]
    most: int
    operator: Array


def fit_pls2(
    gram: Array | GramOf,
    truth: Values,
    *,
    folds: Sequence[Fold],
    inner: Sequence[Sequence[Fold]],
    n_components: int = MOST,
    groups: Sequence[NDArray[np.intp]] | None = None,
    teaching: Sequence[Values] | None = None,
    scale: bool = False,
) -> PlsFit:
    """Predict each fold's images from the others, the units of a region by shared components.

    Only inner products of responses matter for the components and for the summed squared error,
    so that many units cost hardly more than as many as there are images.

    Parameters
    ----------
    gram : (n_stimuli, n_stimuli), or a function
        Inner products of the layer's features, not centered. A function is given the training
        images (n_stimuli,) bool of each fold and inner fold, and returns the matrix of features
        as these teach it: columns divided by their SD, or principal components.
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
        regions needs two columns). None = all together.
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
    columns = _checked(groups, truth.shape[1])
    made = _Pool.of(truth, folds)
    kept = None if scale or teaching is not None else [_reduced(truth, c) for c in columns]
    for f, (fold, splits) in enumerate(zip(folds, inner, strict=True)):
        own = truth if teaching is None else teaching[f]
        shared = kept
        if not scale and shared is None:
            shared = [_reduced(own, c) for c in columns]
        loss = np.zeros((most, len(columns)))
        for part, found in _spectra(gram, fold, splits):
            targets = shared or [_reduced(own, c, over=part.train) for c in columns]
            for g, y in enumerate(targets):
                loss[:, g] += _joint_loss(found, y, part, most)
        chosen = np.argmin(loss, axis=0) + 1
        found = _spectrum(gram, fold)
        targets = shared or [_reduced(own, c, over=fold.train) for c in columns]
        for y, c, k in zip(targets, columns, chosen.tolist(), strict=True):
            weights = _joint_operator(found, y[fold.train], k)
            for start in range(0, len(c), BLOCK):
                where = c[start : start + BLOCK]
                teach, told = _halves(own[:, where], fold)
                made.take(fold, where, guess=weights @ teach, told=told)
            made.n_components[f, c] = k
        made.add_operator(found, fold)
    return made.fit(truth, most)


def fit_pls1(
    gram: Array | GramOf,
    truth: Values,
    *,
    folds: Sequence[Fold],
    inner: Sequence[Sequence[Fold]],
    n_components: int = MOST,
    teaching: Sequence[Values] | None = None,
    batch: int = BATCH,
) -> PlsFit:
    """Predict each fold's images from the others, each unit by components of its own.

    Made for few targets, such as means over regions: the cost of a unit grows with the square
    of the number of components. Dividing a unit by its SD would change nothing.

    Parameters
    ----------
    gram, truth, folds, inner, n_components, teaching
        As in `fit_pls2`; the number of components is chosen for each unit.
    batch : int
        Units worked on at once, at ``8 * batch * n_components * n_stimuli`` bytes.

    Raises
    ------
    ConfigError
        If `n_components` is below one.
    ShapeError
        If shapes do not fit.
    NotEnoughDataError
        If a response is not finite, or an inner fold teaches with one image.

    References
    ----------
    Rosipal & Trejo (2001), J. Mach. Learn. Res. 2:97.
    """
    most = _most(truth, folds, inner, n_components)
    made = _Pool.of(truth, folds)
    blocks = [slice(k, k + batch) for k in range(0, truth.shape[1], batch)]
    for f, (fold, splits) in enumerate(zip(folds, inner, strict=True)):
        own = truth if teaching is None else teaching[f]
        loss = np.zeros((most, truth.shape[1]))
        for part, found in _spectra(gram, fold, splits):
            for where in blocks:
                loss[:, where] += _single_loss(found, own[:, where], part, most)
        made.n_components[f] = np.argmin(loss, axis=0) + 1
        found = _spectrum(gram, fold)
        for where in blocks:
            teach, told = _halves(own[:, where], fold)
            guess, chosen = np.zeros_like(told), made.n_components[f, where]
            steps = single_scores(found, found.vectors.T @ teach, int(chosen.max()))
            for a, (_, u, q) in enumerate(steps):
                guess += u * np.where(a < chosen, q, 0.0)
            made.take(fold, where, guess=guess, told=told)
        made.add_operator(found, fold)
    return made.fit(truth, most)


@dataclass(frozen=True, slots=True, eq=False)
class _Pool:
    """What the folds add to."""

    guess: NDArray[np.float32]
    sse: Array
    sst: Array
    n_components: NDArray[np.intp]
    operator: Array

    @classmethod
    def of(cls, truth: Values, folds: Sequence[Fold]) -> _Pool:
        n, m = truth.shape
        return cls(
            np.full((n, m), np.nan, dtype=np.float32),
            np.zeros(m),
            np.zeros(m),
            np.empty((len(folds), m), dtype=np.intp),
            np.zeros((n, n)),
        )

    def take(
        self, fold: Fold, where: slice | NDArray[np.intp], *, guess: Array, told: Array
    ) -> None:
        """Keep predictions and responses of a fold, both less the training mean."""
        rows = np.flatnonzero(fold.test)
        self.guess[rows[:, None], np.arange(self.guess.shape[1])[where]] = guess
        self.sse[where] += ((told - guess) ** 2).sum(axis=0)
        self.sst[where] += (told**2).sum(axis=0)

    def add_operator(self, found: Spectrum, fold: Fold) -> None:
        scale = found.scale if found.values.size else 1.0  # features that do not vary
        self.operator[np.ix_(fold.test, fold.train)] = mix_penalties(found, PENALTIES * scale)

    def fit(self, truth: Values, most: int) -> PlsFit:
        flat = np.ptp(truth, axis=0) == 0
        r2 = np.where(flat, np.nan, 1 - self.sse / np.where(flat, 1.0, self.sst))
        return PlsFit(self.guess, r2, self.n_components, most, self.operator)


def _most(
    truth: Values, folds: Sequence[Fold], inner: Sequence[Sequence[Fold]], n_components: int
) -> int:
    """Return the largest number of components that all training sets allow."""
    refuse_no_component(n_components)
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


def _checked(
    groups: Sequence[NDArray[np.intp]] | None, n_units: int
) -> Sequence[NDArray[np.intp]]:
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


def _reduced(y: Values, columns: NDArray[np.intp], *, over: Mask | None = None) -> Array:
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


def _joint_loss(found: Spectrum, y: Array, fold: Fold, most: int) -> Array:
    """Return the squared error of 1 to `most` shared components, a mean over test images."""
    teach, left = _halves(y, fold)
    z = found.vectors.T @ teach
    loss = np.empty(most)
    loss[:] = (left**2).sum()
    for a, (t, u) in enumerate(joint_scores(found, z, most)):
        left -= np.outer(u, t @ z)
        loss[a:] = (left**2).sum()
    return loss / len(left)


def _joint_operator(found: Spectrum, teach: Array, k: int) -> Array:
    """Return the weights (n_test, n_train) of training responses in predictions."""
    z = found.vectors.T @ (teach - teach.mean(axis=0))
    made = np.zeros((len(found.test), len(found.values)))
    for t, u in joint_scores(found, z, k):
        made += np.outer(u, t)
    weights: Array = made @ found.vectors.T
    return weights


def _single_loss(found: Spectrum, y: Values, fold: Fold, most: int) -> Array:
    """Return the squared error of 1 to `most` components of each unit, a mean over test images."""
    teach, left = _halves(y, fold)
    loss = np.empty((most, y.shape[1]))
    loss[:] = (left**2).mean(axis=0)
    for a, (_, u, q) in enumerate(single_scores(found, found.vectors.T @ teach, most)):
        left -= u * q
        loss[a:] = (left**2).mean(axis=0)
    return loss
