"""Choose, for each target, a mixture of feature spaces and a penalty from shared candidates.

A candidate is a set of weights of the spaces, which sum to 1. It is tried on all targets at
once: one eigendecomposition a split serves all penalties and targets. Letters: `k` a Gram
matrix, `s` and `u` its eigenvalues and eigenvectors, `z` responses in them, `a` a penalty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.encode.select import Selection, freedom_of_samples, generalized_loss
from bids_dnn.analyses.encode.solvers import BATCH
from bids_dnn.analyses.encode.spectrum import Spectrum, decompose
from bids_dnn.errors import ConfigError, ShapeError
from bids_dnn.stats.folds import Fold
from bids_dnn.stats.kernels import VARIES, centered, principal

Array = NDArray[np.float64]
Values = NDArray[np.floating[Any]]
Single = NDArray[np.float32]
Index = NDArray[np.intp]
Mask = NDArray[np.bool_]
Space = Array | Callable[[Mask], Array]
CONCENTRATIONS = (0.1, 1.0)
REACH = 3
KEPT = 1 << 30  # bytes of components of inner folds that are not learnt anew
FALLS = 2  # a descent goes on where so many times its last fall would win


@dataclass(frozen=True, slots=True, eq=False)
class Teaching:
    """Feature spaces of one fold's training images, on one scale.

    Parameters
    ----------
    grams : (n_spaces, n_train, n_train)
        Each divided by the mean diagonal of the centered one; not centered. Zero where the
        features of a space do not vary.
    scales : (n_spaces,)
        What they were divided by; infinite where the features do not vary.
    n_components : n_spaces
        Principal components that are kept in each split; 0 = all.
    """

    grams: Array
    scales: Array
    n_components: tuple[int, ...]
    _seen: dict[Fold, Array] = field(default_factory=dict, repr=False)

    def seen_by(self, split: Fold) -> Array:
        """Return the Gram matrices (n_spaces, n, n) as the split's training images see them.

        Components are learnt the first time that a split is asked for, and each time where those
        of all splits would take more memory than `KEPT`.
        """
        if not any(self.n_components):
            return self.grams
        if split in self._seen:
            return self._seen[split]
        made = np.stack(reduced(list(self.grams), split.train, self.n_components))
        if (1 + len(self._seen)) * made.nbytes <= KEPT:
            self._seen[split] = made
        return made


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What each target chose.

    Parameters
    ----------
    candidate : (n_targets,)
        Row of the candidates.
    penalty : (n_targets,)
        Number of the penalty.
    loss : (n_targets,)
        The least one; infinite where the responses are not numbers.
    """

    candidate: Index
    penalty: Index
    loss: Array


def draw_weights(
    n_spaces: int,
    n_candidates: int,
    rng: np.random.Generator,
    *,
    concentrations: Sequence[float] = CONCENTRATIONS,
) -> Array:
    """Draw weights of feature spaces: all alike, each space alone, then at random.

    Parameters
    ----------
    n_spaces, n_candidates : int
    rng
        Draws from Dirichlet distributions, with each concentration in turn.
    concentrations
        Below 1 = few spaces with much weight, 1 = any mixture alike.

    Returns
    -------
    weights : (n_candidates, n_spaces), each row sums to 1
        At least those that are not random; one row where there is one space.

    Raises
    ------
    ConfigError
        If there is no space, or a concentration is not above zero.

    Examples
    --------
    >>> draw_weights(2, 3, np.random.default_rng(0)).tolist()
    [[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]]
    """
    if n_spaces < 1 or not len(concentrations) or min(concentrations) <= 0:
        raise ConfigError(
            f"There are {n_spaces} feature spaces and the concentrations {list(concentrations)}.",
            mend="Give one space at least, and concentrations above zero, such as [0.1, 1.0].",
        )
    if n_spaces == 1:
        return np.ones((1, 1))
    fixed = np.vstack([np.full(n_spaces, 1 / n_spaces), np.eye(n_spaces)])
    drawn = [
        rng.dirichlet(np.full(n_spaces, concentrations[k % len(concentrations)]))
        for k in range(n_candidates - len(fixed))
    ]
    return np.vstack([fixed, *drawn])


def reduced(grams: Sequence[Array], train: Mask, n_components: Sequence[int]) -> list[Array]:
    """Keep the first principal components of each space, learnt on some training images.

    Parameters
    ----------
    grams : n_spaces of (n, n)
        Not centered.
    train : (n,) bool
    n_components : n_spaces
        0 = the space is left as it is.

    Raises
    ------
    ShapeError
        If a Gram matrix is not square, or `train` has another length.
    NotEnoughDataError
        If `train` names no image.
    """
    return [
        principal(gram, train, n) if n else gram
        for gram, n in zip(grams, n_components, strict=True)
    ]


def spread_over(gram: Array, train: Mask) -> float:
    """Return the mean diagonal of a training set's centered Gram matrix; 0 where that is rounding.

    Parameters
    ----------
    gram : (n, n)
        Not centered.
    train : (n,) bool

    Raises
    ------
    ShapeError
        If the Gram matrix is not square, or `train` has another length.
    NotEnoughDataError
        If `train` names no image.

    Examples
    --------
    >>> x = np.array([[1.0], [3.0], [99.0]])
    >>> spread_over(x @ x.T, np.array([True, True, False]))
    1.0
    """
    own = gram[np.ix_(train, train)]
    everything = np.ones(len(own), dtype=np.bool_)
    spread = float(np.trace(centered(own, everything)))
    return spread / len(own) if spread > VARIES * float(np.trace(own)) else 0.0


def teach(grams: Sequence[Array], train: Mask, n_components: Sequence[int]) -> Teaching:
    """Bring the training images' Gram matrices to one scale.

    Parameters
    ----------
    grams : n_spaces of (n, n)
        Not centered.
    train : (n,) bool
    n_components : n_spaces

    Raises
    ------
    ShapeError
        If a Gram matrix is not square, or `train` has another length.
    NotEnoughDataError
        If `train` names no image.
    """
    n_train = int(train.sum())
    made, scales = np.zeros((len(grams), n_train, n_train)), np.full(len(grams), np.inf)
    for i, gram in enumerate(grams):
        if scale := spread_over(gram, train):
            made[i], scales[i] = gram[np.ix_(train, train)] / scale, scale
    return Teaching(made, scales, tuple(n_components))


def search_weights(
    spaces: Teaching,
    y: Values,
    candidates: Array,
    *,
    splits: Sequence[Fold],
    alphas: Array,
    select: Selection = "inner",
    reach: int = REACH,
    batch: int = BATCH,
) -> Choice:
    """Try candidates on all targets, and keep the one of least error of each.

    Parameters
    ----------
    spaces
        Of the training images.
    y : (n_train, n_targets)
    candidates : (n_candidates, n_spaces)
        One after another; a later one must be better to be chosen.
    splits
        Of the training images; looked at with ``inner`` only.
    alphas : (n_alphas,)
        Rising; of equal ones the largest is chosen.
    select
        ``inner`` = mean over splits of the mean squared error; ``loo`` = exact mean squared
        error of images left out one by one; ``gcv`` = generalized cross-validation.
    reach : int
        All penalties are tried with the first candidates, one more than there are spaces. From
        then on, so many on both sides of the one that a target holds, and others only as long
        as the error falls towards them fast enough to win; 0 = all.
    batch : int
        Targets worked on at once.

    Raises
    ------
    ShapeError
        If candidates are not for this number of spaces.

    References
    ----------
    Dupre la Tour et al. (2022), NeuroImage 264:119728, doi:10.1016/j.neuroimage.2022.119728.
    Golub, Heath & Wahba (1979), Technometrics 21:215, doi:10.1080/00401706.1979.10489751.
    """
    if candidates.ndim != 2 or candidates.shape[1] != len(spaces.grams):
        raise ShapeError(
            f"The candidates have shape {candidates.shape}, for {len(spaces.grams)} spaces.",
            mend="Give (n_candidates, n_spaces).",
        )
    n_targets = y.shape[1]
    y0 = (y - y.mean(axis=0, dtype=np.float64)).astype(np.float32)
    everything = np.ones(len(y), dtype=np.bool_)
    rows = [(one.train, one.test) for one in splits] if select == "inner" else [(everything,) * 2]
    seen = [spaces.seen_by(one) for one in splits] if select == "inner" else [spaces.grams]
    chosen, penalty = np.zeros(n_targets, dtype=np.intp), np.zeros(n_targets, dtype=np.intp)
    least = np.full(n_targets, np.inf)
    for c, weights in enumerate(candidates):
        parts = _parts(seen, rows, weights)
        if select == "gcv":
            expected = generalized_loss(parts[0].found, alphas)
        free = freedom_of_samples(parts[0].found, alphas) if select == "loo" else None
        for start in range(0, n_targets, batch):
            where = np.arange(start, min(start + batch, n_targets))
            where = where[np.argsort(penalty[where], kind="stable")]
            if select == "gcv":
                own = parts[0].found
                loss = expected(own, y0[:, where], own.vectors.T @ y0[:, where])
            else:
                near = reach if reach and c > len(spaces.grams) else len(alphas)
                loss = _Trial(parts, y0[:, where], alphas, free).descend(
                    penalty[where], near, least[where]
                )
            found = len(alphas) - 1 - np.argmin(loss[::-1], axis=0)
            lowest = loss[found, np.arange(len(where))]
            better = lowest < least[where]
            take = where[better]
            chosen[take], penalty[take], least[take] = c, found[better], lowest[better]
    return Choice(chosen, penalty, least)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """One split under one candidate: who teaches, who is told, and the spectrum in float32."""

    train: NDArray[np.bool_]
    told: NDArray[np.bool_]
    found: Spectrum


def _parts(
    seen: Sequence[Array],
    rows: Sequence[tuple[NDArray[np.bool_], NDArray[np.bool_]]],
    weights: Array,
) -> list[_Part]:
    """Mix the spaces, and take each split apart in double precision."""
    made: list[_Part] = []
    k = np.empty(0)
    for j, (grams, (train, told)) in enumerate(zip(seen, rows, strict=True)):
        if not j or grams is not seen[j - 1]:
            k = np.tensordot(weights, grams, axes=1)
        found = decompose(k[np.ix_(train, train)], k[np.ix_(told, train)])
        made.append(_Part(train, told, found.cast("float32")))
    return made


class _Trial:
    """One candidate on a batch of targets, sorted by the penalty that each holds.

    `free` (n_alphas, n_train) is what a residual is divided by where samples are left out one by
    one; None where test images taught nothing.
    """

    def __init__(
        self, parts: Sequence[_Part], y: Single, alphas: Array, free: Array | None
    ) -> None:
        self.parts, self.alphas, self.free = parts, alphas, free
        self.loss = np.full((len(alphas), y.shape[1]), np.inf)
        self.z: list[Single] = []
        self.told: list[Single] = []
        for part in parts:
            taught = y[part.train]
            mean = taught.mean(axis=0)
            self.z.append(part.found.vectors.T @ (taught - mean))
            self.told.append(y[part.told] - mean)

    def descend(self, held: Index, near: int, least: Array) -> Array:
        """Return the loss (n_alphas, n_targets) around the penalty `held`, until it rises.

        Or until it is too far above `least` to win. Infinite where it was not asked for, or is
        not a number.
        """
        top = len(self.alphas) - 1
        for a in range(top + 1):  # targets are sorted: those that ask for one are neighbors
            first, last = np.searchsorted(held, [a - near, a + near + 1])
            if last > first:
                self._measure(a, slice(first, last))
        low, high = np.maximum(held - near, 0), np.minimum(held + near, top)
        columns = np.arange(len(held))
        for edge, step in ((low, -1), (high, 1)):
            before = self.loss[np.clip(edge - step, 0, top), columns]
            best = np.argmin(self.loss, axis=0)
            going = np.flatnonzero((best == edge) & np.isfinite(self.loss[best, columns]))
            while True:
                at = self.loss[edge[going], going]
                fall = before[going] - at  # what is far behind by now will not catch up
                may = (fall > 0) & (at - FALLS * fall < least[going])
                going = going[may & (edge[going] + step >= 0) & (edge[going] + step <= top)]
                if not going.size:
                    break
                before[going] = self.loss[edge[going], going]
                edge[going] += step
                for a, places in groups(edge[going]):
                    self._measure(a, going[places])
        return self.loss

    def _measure(self, a: int, where: slice | Index) -> None:
        total: Array | float = 0.0
        for part, z, told in zip(self.parts, self.z, self.told, strict=True):
            shrink = (1 / (part.found.values + self.alphas[a])).astype(np.float32)
            off = (part.found.test * shrink) @ z[:, where]
            np.subtract(told[:, where], off, out=off)
            if self.free is not None:
                off /= self.free[a][:, None].astype(np.float32)
            total = total + np.einsum("ij,ij->j", off, off).astype(np.float64) / len(off)
        self.loss[a, where] = np.where(np.isnan(total), np.inf, total / len(self.parts))


def groups(labels: Index) -> Iterator[tuple[int, Index]]:
    """Give each label with the places that bear it.

    Examples
    --------
    >>> [(k, places.tolist()) for k, places in groups(np.array([2, 0, 2]))]
    [(0, [1]), (2, [0, 2])]
    """
    order = np.argsort(labels, kind="stable")
    values, starts = np.unique(labels[order], return_index=True)
    for value, places in zip(values, np.split(order, starts[1:]), strict=True):
        yield int(value), places
