"""Decode from the units around each center, under each labeling, many centers at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn import backend
from bids_dnn.analyses.decode.classifiers.batches import Decide, Sights
from bids_dnn.analyses.decode.classifiers.votes import TIE, pairs_of, shares_of
from bids_dnn.errors import NotEnoughDataError, ShapeError
from bids_dnn.stats.folds import Fold
from bids_dnn.stats.neighbours import Neighbours
from bids_dnn.stats.spheres import Patterns, blocks, lay_out

Array = NDArray[np.float64]
Codes = NDArray[np.integer[Any]]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Labeled:
    """Samples with their classes, under several labelings, and what is left out in turn.

    Parameters
    ----------
    codes : (n_labelings, n) intp
        Class of each sample, from 0; -1 = it is no part of this labeling. The first row is the
        labeling as it was.
    folds
        Masks over the samples; every class in each training set, under each labeling.
    taught : (n_labelings, n) intp
        As `codes`, of the samples that teach; None = the same.

    Raises
    ------
    ShapeError
        If a fold, or `taught`, is of another number of samples.
    NotEnoughDataError
        If there are fewer than two classes.
    """

    codes: Codes
    folds: Sequence[Fold]
    taught: Codes | None = None

    def __post_init__(self) -> None:
        n = self.codes.shape[1]
        if self.teaching.shape != self.codes.shape:
            raise ShapeError(
                f"codes have shape {self.codes.shape}, taught has {self.teaching.shape}.",
                mend="Give both for the same labelings and samples.",
            )
        for fold in self.folds:
            if len(fold.train) != n:
                raise ShapeError(
                    f"codes are of {n} samples, fold {fold.name!r} is of {len(fold.train)}.",
                    mend="Make folds over the same samples.",
                )
        if self.n_classes < 2:
            raise NotEnoughDataError(
                f"There is {self.n_classes} class, and decoding needs two.",
                mend="Name another comparison under [decode].",
            )

    @property
    def teaching(self) -> Codes:
        """Class of each sample that teaches, (n_labelings, n)."""
        return self.codes if self.taught is None else self.taught

    @property
    def n_classes(self) -> int:
        """Classes of the first labeling."""
        return int(self.codes[0].max()) + 1

    def n_tested(self) -> Codes:
        """Count the samples of each class that are tested, (n_labelings, n_classes)."""
        tested = np.any([fold.test for fold in self.folds], axis=0)
        counts = [(self.codes == k) & tested for k in range(self.n_classes)]
        return np.stack([one.sum(axis=1) for one in counts], axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Lights:
    """What was told apart around each center, as counts.

    Parameters
    ----------
    right : (n_labelings, n_classes, n_centers) uint8 or uint16
        Samples of each class whose class was told rightly.
    n_tested : (n_labelings, n_classes) intp
        How many there are.
    n_units : (n_centers,) intp
        Measured units around each center; 0 where nothing varies among them.
    """

    right: NDArray[np.unsignedinteger[Any]]
    n_tested: Codes
    n_units: Codes

    def scores(
        self, rows: slice = slice(None), *, is_balanced: bool = True
    ) -> NDArray[np.float32]:
        """Return the accuracy.

        Parameters
        ----------
        rows
            Of the labelings.
        is_balanced
            As the mean over classes; otherwise over samples.

        Returns
        -------
        scores : (n_labelings, n_centers), in [0, 1]
            NaN where `n_units` is 0.
        """
        right, tested = self.right[rows], self.n_tested[rows]
        if is_balanced:
            shares = (right / tested[:, :, None]).mean(axis=1)
        else:
            shares = right.sum(axis=1, dtype=np.int64) / tested.sum(axis=1)[:, None]
        return np.where(self.n_units > 0, shares, np.nan).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a searchlight may take of the machine; alters no number.

    Parameters
    ----------
    memory_gb
        Beyond the responses and the answer.
    n_threads
        Centers at once.
    """

    memory_gb: float = 1.0
    n_threads: int = 1


def search(
    values: NDArray[np.float32],
    around: Neighbours,
    labeled: Labeled,
    decide: Decide,
    *,
    is_scaled: bool = False,
    means: Means | None = None,
    progress: Progress | None = None,
) -> Lights:
    """Tell classes apart from the units around each center, in folds, under each labeling.

    All that a linear classifier asks of a sphere is the inner products of its samples. They are
    made once a center, and serve all folds and labelings.

    Parameters
    ----------
    values : (n, n_units)
        A unit with NaN is part of no sphere.
    around
        Units around each center; a center is one of them.
    labeled
        Classes and folds of the samples. Several classes vote one against one, the first of the
        best winning.
    decide
        Between two classes; see `classifiers.batches`.
    is_scaled
        Responses are of an arbitrary unit: in each sphere and fold they are multiplied by one
        number, so that the variance of units over the training samples is one on average.
    means
    progress
        Told how many centers are done, and of how many.

    Returns
    -------
    lights
        For the centers in the order of `around`. The same whatever the `means`.

    References
    ----------
    Kriegeskorte, Goebel & Bandettini (2006), PNAS 103:3863, doi:10.1073/pnas.0600244103.
    """
    means = means or Means()
    scene = _scene_of(values, around, labeled, decide, is_scaled=is_scaled)
    n_most = int(scene.labeled.n_tested().max())
    right = np.zeros(
        (len(labeled.codes), labeled.n_classes, len(around)),
        dtype=np.uint8 if n_most <= np.iinfo(np.uint8).max else np.uint16,
    )
    n_units = np.zeros(len(around), dtype=np.intp)
    most = int(means.memory_gb * 1e9 / max(1, means.n_threads) / scene.bytes_each())
    parts = list(blocks(len(around), most=most))
    with backend.threads(1), ThreadPoolExecutor(max(1, means.n_threads)) as pool:
        for (start, stop), made in zip(parts, pool.map(scene.block, parts), strict=True):
            right[:, :, start:stop], n_units[start:stop] = made
            if progress is not None:
                progress(stop, len(around))
    return Lights(right, labeled.n_tested(), n_units)


def bytes_of(n_samples: int, n_units: int, n_labelings: int) -> int:
    """Return what a center takes while it is worked on.

    Parameters
    ----------
    n_samples, n_labelings
    n_units
        Of the largest sphere.
    """
    return 8 * n_samples * (2 * n_units + 4 * n_samples + 8 * n_labelings)


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    """What is decoded around each center."""

    patterns: Patterns  # less their mean
    labeled: Labeled
    decide: Decide
    is_scaled: bool

    def bytes_each(self) -> int:
        n = self.patterns.rows.shape[1]
        return bytes_of(n, self.patterns.widest, len(self.labeled.codes))

    def block(self, ends: tuple[int, int]) -> tuple[NDArray[Any], Codes]:
        """Return the right answers (n_labelings, n_classes, b), and the units (b,) of spheres."""
        gram, n_units = self._grams(*ends)
        codes, n_classes = self.labeled.codes, self.labeled.n_classes
        right = np.zeros((len(codes), n_classes, len(gram)), dtype=np.intp)
        varies = np.flatnonzero(n_units)
        taken, units = gram[varies], n_units[varies]
        for fold in self.labeled.folds:
            test = self._tested(fold)
            guess = self._guess(taken, units, fold)  # (b, m, n_labelings)
            truth = codes[:, test].T
            for k in range(n_classes):
                hits = ((guess == k) & (truth == k)).sum(axis=1)  # (b, n_labelings)
                right[:, k, varies] += hits.T
        return right, n_units

    def _grams(self, start: int, stop: int) -> tuple[Array, Codes]:
        """Return the inner products (b, n, n) of some spheres, and their units (b,)."""
        taken, n_known = self.patterns.take(start, stop)
        gram = taken.mT @ taken
        varies = np.trace(gram, axis1=1, axis2=2) > 0
        return gram, np.where(varies, n_known, 0)

    def _tested(self, fold: Fold) -> Codes:
        return np.flatnonzero(fold.test & (self.labeled.codes >= 0).any(axis=0))

    def _guess(self, gram: Array, n_units: Codes, fold: Fold) -> Codes:
        """Return the classes (b, m, n_labelings) that are told in a fold."""
        codes = self.labeled.teaching
        taught = np.flatnonzero(fold.train & (codes >= 0).any(axis=0))
        sights = Sights(gram, taught, self._tested(fold), n_units)
        if self.is_scaled:
            spread = sights.spread()
            factor = n_units / np.where(spread > 0, spread, n_units)
            sights = replace(sights, gram=factor[:, None, None] * gram)
        own = codes[:, taught].T  # (n_train, n_labelings)
        shape = (len(gram), len(sights.tested), len(codes), self.labeled.n_classes)
        votes = np.zeros(shape, dtype=np.int16)
        for first, second in pairs_of(self.labeled.n_classes):
            signs = (own == first).astype(np.int8) - (own == second).astype(np.int8)
            if self.labeled.n_classes > 2:
                sights = replace(sights, shares=shares_of(own.T, (first, second)))
            is_first = self.decide(sights, signs) > TIE
            votes[..., first] += is_first
            votes[..., second] += ~is_first
        guess: Codes = votes.argmax(axis=-1)
        return guess


def _scene_of(
    values: NDArray[np.float32],
    around: Neighbours,
    labeled: Labeled,
    decide: Decide,
    *,
    is_scaled: bool,
) -> _Scene:
    """Lay units out in rows, without their mean over the samples that have a class."""
    part = ((labeled.codes >= 0) | (labeled.teaching >= 0)).any(axis=0)
    mean = values[part].mean(axis=0, dtype=np.float64)
    return _Scene(lay_out(values, around, less=mean), labeled, decide, is_scaled)
