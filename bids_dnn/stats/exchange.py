"""Ways to exchange participants, and the statistic of each of them for many rows at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import factorial, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.stats.inference import ENUMERATED_FLIPS, RANDOM_FLIPS, p_floor

Float = NDArray[np.float64]
Marks = NDArray[np.bool_]
FLAT = 1e-15  # of a sum of squares: less is rounding
STEEP = 1e4  # t over the root of its degrees of freedom: above, nothing but rounding varies
STEEPEST = 1e-9  # of 1 - r^2: a perfect r has a t that is large, but finite


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Ways to exchange participants.

    Parameters
    ----------
    values : (n_draws, n)
        Signs (float), or orders (int).
    enumerated
        Every distinct one is there, the identity among them.
    n_distinct
        How many there are.
    is_mirrored
        Each has one that turns the sign of the statistic.
    """

    values: NDArray[Any]
    enumerated: bool
    n_distinct: int
    is_mirrored: bool

    def among(self, known: Marks) -> Draws:
        """Return the signs of some participants (n,), the same as among all."""
        return Draws(
            self.values[:, known], self.enumerated, 2 ** int(known.sum()), self.is_mirrored
        )

    def identity(self) -> Draws:
        """Return the one that leaves all participants as they are."""
        n = self.values.shape[1]
        is_sign = np.issubdtype(self.values.dtype, np.floating)
        return Draws(np.ones((1, n)) if is_sign else np.arange(n)[None], False, 1, False)  # noqa: FBT003

    def floor(self, *, is_two_sided: bool) -> float:
        """Return the smallest p that is possible."""
        least = (2 if is_two_sided and self.is_mirrored else 1) / self.n_distinct
        if self.enumerated:
            return least
        return max(p_floor(len(self.values), enumerated=False), least)


def flips(
    n: int, seed: int, *, n_random: int = RANDOM_FLIPS, most: int = 2**ENUMERATED_FLIPS
) -> Draws:
    """Return all signs of some participants where there are no more, or random ones.

    Parameters
    ----------
    n
        Participants.
    seed
    n_random
        Random ones.
    most
        That are all taken.
    """
    if 2**n <= most:
        every = np.array(list(product((1.0, -1.0), repeat=n))).reshape(2**n, n)
        return Draws(every, enumerated=True, n_distinct=2**n, is_mirrored=True)
    rng = np.random.default_rng(seed)
    some = rng.integers(2, size=(n_random, n)) * 2.0 - 1.0
    return Draws(some, enumerated=False, n_distinct=2**n, is_mirrored=True)


def orders(rows: Float, most: int) -> Draws | None:
    """Return one order of participants for each way in which their rows can stand.

    Parameters
    ----------
    rows : (n, n_columns)
        What is exchanged, the group in the first column (1 = first): participants with equal
        rows are not told apart.
    most : int
        None is returned where there are more.

    Examples
    --------
    >>> orders(np.array([[1.0], [1.0], [0.0]]), most=10).values.tolist()
    [[2, 0, 1], [0, 2, 1], [0, 1, 2]]
    """
    n_distinct = n_orders(rows)
    if n_distinct > most:
        return None
    code = np.unique(rows, axis=0, return_inverse=True)[1].ravel()
    place = np.argsort(code, kind="stable")  # the participants of each kind
    made = np.empty((n_distinct, len(rows)), dtype=np.intp)
    for order, standing in zip(made, _standings(code[place]), strict=True):
        order[np.argsort(standing, kind="stable")] = place
    swapped = np.column_stack([1 - rows[:, 0], rows[:, 1:]])
    return Draws(
        made,
        enumerated=True,
        n_distinct=n_distinct,
        is_mirrored=Counter(map(tuple, rows.tolist())) == Counter(map(tuple, swapped.tolist())),
    )


def n_orders(rows: Float) -> int:
    """Return in how many ways rows (n, n_columns) can stand, equal ones not told apart."""
    counts = Counter(map(tuple, rows.tolist())).values()
    return factorial(len(rows)) // prod(map(factorial, counts))


def _standings(codes: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """Give each distinct order of sorted codes (n,), in lexical order."""
    codes = codes.copy()
    while True:
        yield codes.copy()
        rises = np.flatnonzero(codes[:-1] < codes[1:])
        if not rises.size:
            return
        i = rises[-1]
        j = np.flatnonzero(codes > codes[i])[-1]
        codes[[i, j]] = codes[[j, i]]
        codes[i + 1 :] = codes[i + 1 :][::-1]


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """Of the data as they are, (n_rows,) each: coefficient, standard error, freedom."""

    estimate: Float
    error: Float
    df: Float


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """One regressor of interest beside others, whose share is taken away before an exchange.

    Parameters
    ----------
    x : (n,)
        The regressor, at right angles to the others, of length one.
    scale
        By which a coefficient of `x` is one of the regressor.
    basis : (n, n_others)
        Of the others, orthonormal.
    df
        Degrees of freedom that are left.
    """

    x: Float
    scale: float
    basis: Float
    df: int

    def fit(self, y: Float) -> Fit:
        """Fit values (n, n_rows)."""
        rest = self._rest(y)
        b = self.x @ rest
        rss = (rest**2).sum(axis=0) - b**2
        rss = np.where(rss > FLAT * (y**2).sum(axis=0), rss, 0.0)
        error = np.sqrt(rss / self.df) if self.df > 0 else np.full(len(b), np.nan)
        return Fit(self.scale * b, self.scale * error, np.full(len(b), float(self.df)))

    def null(self, y: Float, draws: Draws) -> Float:
        """Return the partial correlation of each draw and row (n_draws, n_rows)."""
        rest = self._rest(y)  # (n, n_rows)
        whole = (rest**2).sum(axis=0)
        left = np.broadcast_to(whole, (len(draws.values), len(whole))).copy()
        for one in self.basis.T:
            left -= (_moved(one, draws) @ rest) ** 2
        b = _moved(self.x, draws) @ rest
        is_there = left > FLAT * whole
        r = np.where(is_there, b / np.sqrt(np.where(is_there, left, 1.0)), 0.0)
        return np.clip(r, -1.0, 1.0)

    def as_t(self, null: Float) -> Float:
        """Return t of what `null` gives."""
        t: Float = null * np.sqrt(max(self.df, 1) / np.maximum(1 - null**2, STEEPEST))
        return t

    def _rest(self, y: Float) -> Float:
        rest: Float = y - self.basis @ (self.basis.T @ y)
        return rest


def _moved(one: Float, draws: Draws) -> Float:
    """Return a regressor (n,) exchanged, which is as good as exchanging the values."""
    is_sign = np.issubdtype(draws.values.dtype, np.floating)
    made: Float = draws.values * one if is_sign else one[draws.values]
    return made


def linear(x: Float, others: Float) -> Linear | None:
    """Return the model of a regressor beside others.

    Parameters
    ----------
    x : (n,)
    others : (n, n_others)
        They may depend on one another.

    Returns
    -------
    model
        None where the others tell all of `x`, or leave no degree of freedom.
    """
    u, s, _ = np.linalg.svd(others, full_matrices=False)
    basis = u[:, s > 1e-10 * max(s.max(initial=0.0), 1.0)]
    rest = x - basis @ (basis.T @ x)
    length = float(np.linalg.norm(rest))
    df = len(x) - basis.shape[1] - 1
    if length < 1e-6 * np.linalg.norm(x) or df < (1 if others.shape[1] else 0):
        return None
    return Linear(rest / length, 1 / length, basis, df)


@dataclass(frozen=True, slots=True, eq=False)
class Welch:
    """Two groups of two or more, each with its own variance.

    Parameters
    ----------
    is_first : (n,)
        Who belongs to the first.
    """

    is_first: Marks

    def fit(self, y: Float) -> Fit:
        """Compare values (n, n_rows)."""
        a, b = y[self.is_first], y[~self.is_first]
        va, vb = a.var(axis=0, ddof=1) / len(a), b.var(axis=0, ddof=1) / len(b)
        both = va + vb
        below = va**2 / (len(a) - 1) + vb**2 / (len(b) - 1)
        df = np.where(below > 0, both**2 / np.where(below > 0, below, 1.0), np.nan)
        return Fit(a.mean(axis=0) - b.mean(axis=0), np.sqrt(both), df)

    def null(self, y: Float, draws: Draws) -> Float:
        """Return Welch's t of each draw and row (n_draws, n_rows)."""
        y = y - y.mean(axis=0)
        n, n_first = self.is_first.size, int(self.is_first.sum())
        chosen = self.is_first[draws.values].astype(np.float64)  # (n_draws, n)
        first, va = _moments(chosen, y, n_first)
        second, vb = _moments(1 - chosen, y, n - n_first)
        whole = (y**2).mean(axis=0)
        least = np.where(whole > 0, 1e-12 * whole, 1.0)  # no variance: t is large, but finite
        t: Float = (first - second) / np.sqrt(np.maximum(va + vb, least))
        return t

    def as_t(self, null: Float) -> Float:
        """Return t of what `null` gives: itself."""
        return null


def _moments(weights: Float, y: Float, n: int) -> tuple[Float, Float]:
    """Return mean and squared standard error of those with weight one (n_draws, n_rows)."""
    mean = weights @ y / n
    return mean, (weights @ y**2 / n - mean**2) / (n - 1)


Model = Linear | Welch


def freedom_of(model: Model) -> int:
    """Return the degrees of freedom of t; of Welch's, those of equal variances."""
    return model.is_first.size - 2 if isinstance(model, Welch) else model.df


def vary(t: Float, model: Model) -> Marks:
    """Tell where no draw leaves a variance of zero, which makes t as large as rounding lets it.

    Parameters
    ----------
    t : (n_draws, n_rows)
    model
        That it is of.

    Returns
    -------
    vary : (n_rows,)
        False everywhere without a degree of freedom.
    """
    df = freedom_of(model)
    if df < 1:
        return np.zeros(t.shape[1], dtype=np.bool_)
    made: Marks = (np.abs(t) < STEEP * np.sqrt(df)).all(axis=0)
    return made
