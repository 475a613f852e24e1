"""What is tested over participants at each unit of a map, and how they are exchanged."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from bids_dnn.errors import NotEnoughDataError, ShapeError
from bids_dnn.stats.exchange import Draws, Model, Welch, flips, linear, n_orders, orders

Float = NDArray[np.float64]
Marks = NDArray[np.bool_]
ROUNDING = 1e-6  # of the largest value: what is left of single precision
LEAST_OF_A_GROUP = 2


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """A mean over participants, or a difference of two groups of them, with covariates.

    Parameters
    ----------
    n : int
        Participants.
    is_first : (n,) bool
        Who belongs to the first group, which is compared with the others; None = the mean of
        all is compared with zero.
    covariates : (n, n_covariates)
        A participant with a NaN here is left out.
    is_two_sided
        Whether both directions count.

    Raises
    ------
    ShapeError
        If `is_first` or `covariates` has not one row for each participant.
    """

    n: int
    is_first: Marks | None = None
    covariates: Float = field(default_factory=lambda: np.empty((0, 0)))
    is_two_sided: bool = False

    def __post_init__(self) -> None:
        if self.covariates.size == 0:
            object.__setattr__(self, "covariates", np.empty((self.n, 0)))
        first = (self.n,) if self.is_first is None else self.is_first.shape
        if first != (self.n,) or len(self.covariates) != self.n:
            raise ShapeError(
                f"There are {self.n} participants, is_first has shape {first}, covariates "
                f"{self.covariates.shape}.",
                mend="Give one row for each participant.",
            )

    @property
    def who(self) -> Marks:
        """Participants (n,) whose covariates are known."""
        return np.asarray(np.isfinite(self.covariates).all(axis=1))

    def known(self) -> Design:
        """Return the same of those whose covariates are known."""
        who = self.who
        first = None if self.is_first is None else self.is_first[who]
        return replace(self, n=int(who.sum()), is_first=first, covariates=self.covariates[who])

    def model(self) -> Model:
        """Return what gives t; all covariates are known.

        Raises
        ------
        NotEnoughDataError
            If participants are too few for the covariates or a group, or covariates tell two
            groups apart by themselves.
        """
        z = _apart(self.covariates)
        made: Model | None
        if self.is_first is None:
            made = linear(np.ones(self.n), z) if self.n > z.shape[1] + 1 else None
        elif min(self.is_first.sum(), (~self.is_first).sum()) < LEAST_OF_A_GROUP:
            made = None
        elif not z.shape[1]:
            made = Welch(self.is_first)
        else:
            made = linear(self.is_first.astype(float), np.column_stack([np.ones(self.n), z]))
        if made is None:
            groups = "" if self.is_first is None else f", {self.is_first.sum()} in the first group"
            raise NotEnoughDataError(
                f"There are {self.n} participants{groups} and {self.covariates.shape[1]} "
                "covariates.",
                mend="Leave out covariates, or add participants.",
            )
        return made

    def draws(self, n_draws: int, seed: int) -> Draws:
        """Return all distinct flips or exchanges where they are no more than asked for.

        Parameters
        ----------
        n_draws : int
            Random ones, otherwise.
        seed
            Of these.
        """
        n = self.n
        if self.is_first is None:
            return flips(n, seed, n_random=n_draws, most=n_draws)
        rows = np.column_stack([self.is_first.astype(np.float64), self.covariates])
        if all_orders := orders(rows, most=n_draws):
            return all_orders
        drawn = np.random.default_rng(seed).random((n_draws, n)).argsort(axis=1)
        is_even = not self.covariates.size and 2 * int(self.is_first.sum()) == n
        return Draws(drawn, enumerated=False, n_distinct=n_orders(rows), is_mirrored=is_even)

    def varies(self, y: Float) -> Marks:
        """Tell where no flip or exchange leaves a variance of zero, so that t is finite in each.

        With covariates it tells where these do not fit the data as they are; which flips they
        fit is known from t (`exchange.vary`).

        That is the same for the data as they are and as they are exchanged. Scores are often
        counts: among many units, a few participants are alike in some.

        Parameters
        ----------
        y : (n_units, n)

        Returns
        -------
        varies : (n_units,)
        """
        near = ROUNDING * np.abs(y).max(initial=0.0)
        z = np.column_stack([np.ones(self.n), _apart(self.covariates)])
        basis = np.linalg.qr(z)[0]
        left: Marks = np.abs(y - (y @ basis) @ basis.T).max(axis=1, initial=0.0) > near
        if self.covariates.size:
            return left
        if self.is_first is None:
            size = np.abs(y)
            flat: Marks = np.ptp(size, axis=1) <= near
            return left & ~flat
        ranked, n_first = np.sort(y, axis=1), int(self.is_first.sum())
        for k in {n_first, self.n - n_first}:
            parts = (ranked[:, :k], ranked[:, k:])
            left &= ~np.all([np.ptp(part, axis=1) <= near for part in parts], axis=0)
        return left


def _apart(covariates: Float) -> Float:
    """Return the centered covariates that vary, orthonormal."""
    z = covariates - covariates.mean(axis=0) if covariates.size else covariates
    scale = np.linalg.norm(z, axis=0)
    spread = np.abs(covariates).max(axis=0, initial=0.0)
    keep = scale > 1e-12 * np.maximum(spread, 1e-300)
    u, s, _ = np.linalg.svd(z[:, keep] / scale[keep], full_matrices=False)
    return u[:, s > 1e-9]
