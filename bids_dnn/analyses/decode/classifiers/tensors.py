"""Decisions of linear classifiers by torch, on a GPU: many machines at once.

A support vector machine is fitted by the turns of `turns`. Each is one of a stack, with a linear
system of its own in each turn: rows and columns of samples that are not free are those of the
identity. What is left after a few turns, or cannot be solved, goes to `pivoting`, on the CPU, so
that no answer hangs on the device.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.classifiers.lda import lda_decisions
from bids_dnn.analyses.decode.classifiers.pivoting import TINY, solve_machines
from bids_dnn.analyses.decode.classifiers.ridge import ridge_decisions
from bids_dnn.analyses.decode.classifiers.turns import (
    CLOSE,
    PATIENCE,
    ROUNDING,
    TURNS,
    WEAK,
)
from bids_dnn.backend import namespace, pull, put
from bids_dnn.errors import ConfigError
from bids_dnn.stats.kernels import center_grams

Array = NDArray[np.float64]
AT_ONCE = 2**26  # numbers of the linear systems that are held at once
KINDS = ("svm-linear", "svm-rbf", "lda", "ridge")


def decide_on(
    train: Array,
    cross: Array,
    signs: NDArray[np.int8],
    classifier: Classifier,
    *,
    n_units: int | NDArray[np.integer[Any]],
    costs: float | NDArray[np.floating[Any]],
) -> Array:
    """Decide between two classes, for each labeling, where the classifier says.

    Parameters
    ----------
    train : (b, n, n)
        Inner products of the training samples, of each of b problems, or their kernel.
    cross : (b, m, n)
        Of m other samples with them.
    signs : (b, n, k) int8
        +1 and -1: the classes, for each of k labelings; both in each.
    classifier
        One of `KINDS`, with a device.
    n_units : int, or (b,)
        Units that the inner products sum over.
    costs : or what can be broadcast to (b, n, k)
        Of support vector machines.

    Returns
    -------
    decisions : (b, m, k)
        Above zero for class +1.

    Raises
    ------
    ConfigError
        If this classifier is made on the CPU alone.
    """
    import torch

    if classifier.kind not in KINDS:
        raise ConfigError(
            f"{classifier.kind!r} is decided on the CPU alone, not on {classifier.device!r}.",
            mend=f"Take one of {', '.join(KINDS)}, or leave the device out.",
        )
    device: Any = torch.zeros(0, dtype=torch.float64, device=classifier.device)
    there = put(train, device, dtype="float64"), put(cross, device, dtype="float64")
    if classifier.kind == "ridge":
        return pull(ridge_decisions(*there, signs, alpha=classifier.alpha))
    if classifier.kind == "lda":
        units: Any = np.reshape(np.asarray(n_units, dtype=np.float64), (-1, 1, 1))
        made = lda_decisions(
            *there,
            signs,
            n_units=put(units, device),
            shrinkage=classifier.shrinkage,
            is_weighted=classifier.is_weighted,
        )
        return pull(made)
    gram, seen = center_grams(*there)
    dual, intercept, done = solve_on(gram, signs, costs)
    for b in np.flatnonzero(~done.all(axis=1)):
        rows = np.flatnonzero(~done[b])
        own = np.broadcast_to(costs, signs.shape)[b : b + 1, :, rows]
        many = np.broadcast_to(n_units, len(done))[b : b + 1]
        few = solve_machines(pull(gram[b : b + 1]), signs[b : b + 1, :, rows], own, n_units=many)
        dual[b][:, rows], intercept[b][:, rows] = (put(one[0], gram) for one in few)
    return pull(seen @ dual + intercept)


def solve_on(
    gram: Array, signs: NDArray[Any], c: float | NDArray[np.floating[Any]]
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Fit a support vector machine to each labeling of each problem, where `gram` is.

    Parameters
    ----------
    gram : (b, n, n) tensor
        Inner products of the training samples, of each of b problems; in double precision.
    signs : (b, n, k) array
        +1 and -1: the classes, for each of k labelings; both in each.
    c : above 0; or what can be broadcast to (b, n, k)
        Cost.

    Returns
    -------
    dual : (b, n, k) tensor
        Weights of the training samples, as `pivoting.solve_machines` returns them.
    intercept : (b, 1, k) tensor
    done : (b, k) array
        False where a machine was not solved: its weights mean nothing.
    """
    b, n, k = signs.shape
    y = put(np.asarray(signs, dtype=np.float64).transpose(0, 2, 1).reshape(b * k, n), gram)
    high = np.broadcast_to(np.asarray(c, dtype=np.float64), signs.shape)
    high = put(high.transpose(0, 2, 1).reshape(b * k, n), gram)
    xp = namespace(gram)
    of = put(np.repeat(np.arange(b), k), gram)
    dual, intercept = xp.zeros_like(y), xp.zeros_like(y[:, 0])
    done = xp.zeros_like(of) > 0
    size = max(1, AT_ONCE // n**2)
    for start in range(0, b * k, size):
        some = slice(start, start + size)
        one = _Stack(gram[of[some]], y[some], high[some])
        dual[some], intercept[some], done[some] = one.fitted()
    return (
        dual.reshape(b, k, n).mT,
        intercept.reshape(b, k)[:, None, :],
        pull(done).reshape(b, k),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Stack:
    """Machines that are fitted together.

    Parameters
    ----------
    kernel : (p, n, n)
    y, c : (p, n)
        Classes +1 and -1, costs.
    """

    kernel: Any
    y: Any
    c: Any

    def fitted(self) -> tuple[Any, Any, Any]:
        """Return the weights (p, n), the intercepts (p,), and whether each was solved (p,)."""
        xp = namespace(self.y)
        dual, intercept = xp.zeros_like(self.y), xp.zeros_like(self.y[:, 0])
        done = intercept > 0
        spread = self._spread()
        state = self._begin(spread)
        left = xp.where(spread > 0)[0]
        fewest = xp.full_like(intercept, self.y.shape[1] + 1.0)
        patience = xp.full_like(intercept, PATIENCE)
        for _ in range(TURNS):
            if not len(left):
                break
            part = _Stack(self.kernel[left], self.y[left], self.c[left])
            turn = part.turn(state[left], spread[left])
            wrong = turn.wanted != state[left]
            n_wrong = wrong.sum(axis=1)
            right = turn.is_fine & (n_wrong == 0)
            dual[left[right]], intercept[left[right]] = turn.beta[right], turn.middle()[right]
            done[left[right]] = True
            patience[left] = xp.where(n_wrong < fewest[left], PATIENCE, patience[left] - 1)
            fewest[left] = xp.minimum(fewest[left], n_wrong.to(fewest.dtype))
            last = wrong & (wrong.flip(1).cumsum(1).flip(1) == 1)
            single = (patience[left] <= 0)[:, None]
            state[left] = xp.where(xp.where(single, last, wrong), turn.wanted, state[left])
            left = left[turn.is_fine & ~right]
        return dual, intercept, done

    def _spread(self) -> Any:
        """Return the mean diagonal of the centered matrices (p,), 0 where only rounding varies."""
        diagonal = self.kernel.diagonal(0, 1, 2).mean(1)
        spread = diagonal - self.kernel.mean((1, 2))
        return namespace(spread).where(spread > ROUNDING * diagonal, spread, 0.0)

    def _begin(self, spread: Any) -> Any:
        """Guess which samples are free (0), at their cost (1) or no support vectors (-1); (p, n).

        At low costs all are at theirs; else least squares says it.
        """
        xp = namespace(self.y)
        system = self.kernel + xp.diag_embed(1 / self.c)
        factor, _ = xp.linalg.cholesky_ex(system)
        found = xp.cholesky_solve(xp.stack([self.y, xp.ones_like(self.y)], 2), factor)
        right, ones = found[..., 0], found[..., 1]
        bias = right.sum(1, keepdims=True) / ones.sum(1, keepdims=True)
        length = self.y * (right - bias * ones)
        state = (length > self.c).to(xp.int8) - (length < 0).to(xp.int8)
        weak = self.c.mean(1) * spread * self.y.shape[1] ** 0.5 < WEAK
        return xp.where(weak[:, None], 1, state).to(xp.int8)

    def turn(self, state: Any, spread: Any) -> _Turn:
        """Solve for the free variables and the intercepts, and say what each sample should be.

        Parameters
        ----------
        state : (p, n)
        spread : (p,)
        """
        xp = namespace(self.y)
        state = self._let_go(state)
        penalty = TINY * spread[:, None]
        free = (state == 0).to(self.y.dtype)
        bound = xp.where(state > 0, self.c * self.y, 0.0)
        system = self.kernel * free[:, :, None] * free[:, None, :]
        system.diagonal(0, 1, 2).add_(xp.where(free > 0, penalty, 1.0))
        factor, info = xp.linalg.cholesky_ex(system)
        asked = free * (self.y - self._times(bound))
        found = xp.cholesky_solve(xp.stack([asked, free], 2), factor)
        right, ones = found[..., 0], found[..., 1]
        n_free, below = free.sum(1), ones.sum(1)
        bias = (bound.sum(1) + right.sum(1)) / xp.where(n_free > 0, below, 1.0)
        beta = xp.where(free > 0, right - bias[:, None] * ones, bound)
        slack = xp.where(free > 0, bias[:, None], self.y - penalty * beta - self._times(beta))
        made = _Turn(self, state, beta, slack, bias, CLOSE / spread, info == 0)
        if bool((n_free == 0).any()):
            alone = made.middle(near=0.0)
            made = _Turn(
                self, state, beta, slack, xp.where(n_free > 0, bias, alone), made.near, info == 0
            )
        return made

    def _let_go(self, state: Any) -> Any:
        """Free a sample at its cost where none is free and the classes do not balance.

        Of the class with too much, the one that is farthest on its side.
        """
        xp = namespace(self.y)
        bound = xp.where(state > 0, self.c * self.y, 0.0)
        total = bound.sum(1)
        stuck = (state != 0).all(1) & ((total / self.c[:, 0]).abs() >= CLOSE)
        if not bool(stuck.any()):
            return state
        short = self.y * (self.y - self._times(bound))
        able = (state > 0) & (self.y * total[:, None] > 0)
        chosen = xp.where(able, short, xp.inf).argmin(1)
        freed = state.clone()
        rows = xp.where(stuck)[0]
        freed[rows, chosen[rows]] = 0
        return freed

    def _times(self, beta: Any) -> Any:
        return (self.kernel @ beta[:, :, None])[:, :, 0]


@dataclass(frozen=True, slots=True, eq=False)
class _Turn:
    """What one turn found of some machines."""

    stack: _Stack
    state: Any  # (p, n)
    beta: Any  # (p, n)
    slack: Any  # (p, n)
    bias: Any  # (p,)
    near: Any  # (p,)
    is_fine: Any  # (p,), whether the system could be solved

    @property
    def room(self) -> Any:
        """How far a weight may be off its bound, (p, n)."""
        return namespace(self.beta).minimum(self.near[:, None], CLOSE * self.stack.c)

    @property
    def wanted(self) -> Any:
        """What each sample should be, (p, n)."""
        xp, c, y = namespace(self.beta), self.stack.c, self.stack.y
        length = y * self.beta
        of_free = (length > c + self.room).to(xp.int8) - (length < -self.room).to(xp.int8)
        short = y * (self.slack - self.bias[:, None])  # of the margin
        is_wrong = ((self.state < 0) & (short > CLOSE)) | ((self.state == 1) & (short < -CLOSE))
        of_bound = xp.where(is_wrong, 0, self.state)
        return xp.where(self.state == 0, of_free, of_bound).to(xp.int8)

    def middle(self, *, near: float | None = None) -> Any:
        """Return the intercepts (p,); where no weight is free, the middle of what is allowed."""
        xp, c, y = namespace(self.beta), self.stack.c, self.stack.y
        room = self.room if near is None else near
        length = y * self.beta
        is_inside = ((length > room) & (length < c - room)).any(1)
        is_below = (length > room) == (y > 0)
        bottom = xp.where(is_below, self.slack, xp.inf).amin(1)
        top = xp.where(is_below, -xp.inf, self.slack).amax(1)
        return xp.where(is_inside, self.bias, 0.5 * (top + bottom))
