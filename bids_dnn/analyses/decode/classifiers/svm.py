"""Support vector machines of many labelings at once, on Gram matrices."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC

Array = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]
Numbers = NDArray[np.number[Any]]
Mask = NDArray[np.bool_]
Places = NDArray[np.intp]
GAP = 1e-4  # between the lowest and the highest intercept that the samples ask for
RELAX = 1.6  # over-relaxation
PENALTY = 0.3  # at first, where the mean diagonal of the Gram matrix is 1
ROUGH, FINE = 200, 1500  # steps in single, then in double precision
FIRST, EVERY = 15, 5  # steps before and between two looks at the gap
TUNE = 25  # steps between two looks at the penalty
UNEQUAL = 1.5  # a penalty that is off by more is changed
TINY = 1e-12
NEAR = 3e-4  # a dual variable so near to one of its bounds lies on it
EXACT = 1e-6  # tolerance of libsvm
MOST, LAST = 200_000, 10_000_000  # steps of libsvm: at first, and where nothing else helps


@dataclass(frozen=True, slots=True, eq=False)
class Machines:
    """Support vector machines of two classes.

    Parameters
    ----------
    dual : (b, n, k) float64
        Weights of the training samples; above zero for class +1, below for class -1, zero for
        what is no support vector. Decisions are ``cross @ dual + intercept``.
    intercept : (b, 1, k) float64
    """

    dual: Array
    intercept: Array


@dataclass(slots=True, eq=False)
class _State:
    """Problems that are being solved, with the same labelings of several Gram matrices.

    Parameters
    ----------
    gram : (b, n, n)
        Of mean diagonal 1.
    wanted, low, high : (b, n, k)
        Wanted outputs, and between what the dual variables lie.
    z, u : (b, n, k)
        Dual variables within their bounds, and scaled multipliers.
    penalty : (b, 1, 1)
    """

    gram: Floats
    wanted: Floats
    low: Floats
    high: Floats
    z: Floats
    u: Floats
    penalty: Floats

    def part(self, rows: Places, columns: Places, dtype: type[np.floating[Any]]) -> _State:
        """Take some Gram matrices and some labelings, in a precision."""
        one = (self.gram, self.penalty)
        many = (self.wanted, self.low, self.high, self.z, self.u)
        gram, penalty = (a[rows].astype(dtype, copy=False) for a in one)
        wanted, low, high, z, u = (
            np.ascontiguousarray(a[rows][:, :, columns], dtype=dtype) for a in many
        )
        return _State(gram, wanted, low, high, z, u, penalty)

    def operator(self) -> Floats:
        """Return what takes ``wanted + penalty (z - u)`` to the next step, (b, n, n)."""
        n = self.gram.shape[1]
        inverse = np.linalg.inv(self.gram.astype(np.float64) + self.penalty * np.eye(n))
        sums = inverse.sum(axis=2, keepdims=True)
        inverse -= sums * sums.mT / sums.sum(axis=1, keepdims=True)
        return inverse.astype(self.gram.dtype)

    def step(self, operator: Floats) -> tuple[Floats, Floats]:
        """Take a step; returns the two residuals of each Gram matrix, squared."""
        z, u, penalty = self.z, self.u, self.penalty
        x = operator @ (self.wanted + penalty * (z - u))
        u = RELAX * x
        u += (1 - RELAX) * z
        u += self.u
        self.z = np.clip(u, self.low, self.high)
        u -= self.z
        self.u = u
        return x, z

    def tune(self, x: Floats, before: Floats) -> bool:
        """Change the penalty where one residual is much larger; tells whether it did.

        Each residual is taken relative to what it is a difference of.
        """
        primal = _size(x - self.z) / np.maximum(_size(self.z), TINY)
        dual = self.penalty * _size(self.z - before) / _size(self.wanted)
        factor = np.sqrt(primal / np.maximum(dual, TINY))
        is_off = (factor > UNEQUAL) | (factor < 1 / UNEQUAL)
        factor = np.where(is_off, np.clip(factor, 0.1, 10), 1)
        self.penalty = (self.penalty * factor).astype(self.gram.dtype)
        self.u = (self.u / factor).astype(self.gram.dtype)
        return bool(is_off.any())

    def look(self) -> tuple[Mask, Floats]:
        """Return which machines have converged, (b, k), and the intercepts, (b, 1, k)."""
        slope = self.wanted - self.gram @ self.z  # what each sample wants the intercept to be
        inf = slope.dtype.type(np.inf)
        near = _near(self.low, self.high)
        top = np.where(self.z < self.high - near, slope, -inf).max(axis=1)
        bottom = np.where(self.z > self.low + near, slope, inf).min(axis=1)
        is_whole = np.abs(self.z.sum(axis=1)) <= GAP * np.abs(self.z).max(axis=1)
        with np.errstate(invalid="ignore"):
            middle = (top + bottom) / 2
        # of one class alone: one side bounds nothing, and no side where there is no sample
        only = np.sign(self.wanted.sum(axis=1))
        intercept = np.where(np.isfinite(middle), middle, only)
        return (top - bottom <= GAP) & is_whole, intercept[:, None]


def _size(values: Floats) -> Floats:
    """Return the root of the sum of squares of each Gram matrix, (b, 1, 1)."""
    made: Floats = np.sqrt(np.square(values).sum(axis=(1, 2), keepdims=True))
    return made


def _near(low: Floats, high: Floats) -> Floats:
    """Return how near to its bounds a dual variable counts as bound, which margins of 1 scale."""
    made: Floats = NEAR * np.minimum(high - low, 1)
    return made


def fit_machines(gram: Floats, signs: Numbers, c: float | Array) -> Machines:
    """Fit a support vector machine to each labeling.

    The dual is solved in signed variables, ``min b'Kb / 2 - y'b`` where ``sum(b) = 0`` and
    ``0 <= y b <= C``, by the alternating direction method of multipliers: its operator, the
    inverse of ``K + penalty I`` less what the constraint on the sum takes, is one for all
    labelings, so that a step is a matrix product. Machines that have converged are taken out.
    Those that do not in single precision go on in double precision, and what is then left is
    handed to libsvm.

    Parameters
    ----------
    gram : (b, n, n)
        Inner products of the training samples, of each of b problems.
    signs : (b, n, k)
        +1 and -1: the classes, for each of k labelings; 0: the sample is no part of this one.
    c : above 0; or (b, n, k)
        Cost.

    Returns
    -------
    machines
        Optimal to within a gap of 1e-4 (scikit-learn's default is 1e-3). Where no support vector
        is free, the intercept is the middle of what the optimum allows, as libsvm's. A labeling
        of one class answers with it, +1 or -1, and one without any sample with 0.

    References
    ----------
    Boyd et al. (2011), Found. Trends Mach. Learn. 3:1, doi:10.1561/2200000016, sections 3.1,
    3.4.1 and 3.4.3.
    Fan, Chen & Lin (2005), J. Mach. Learn. Res. 6:1889 (the gap and the intercept).
    """
    grams: Array = np.asarray(gram, dtype=np.float64)
    wanted: Array = np.asarray(signs, dtype=np.float64)
    size = np.trace(grams, axis1=1, axis2=2)[:, None, None] / grams.shape[1]  # (b, 1, 1)
    size = np.where(size > 0, size, 1.0)
    bounds = np.asarray(c, dtype=np.float64) * size * wanted
    state = _State(
        gram=grams / size,
        wanted=wanted,
        low=np.minimum(bounds, 0),
        high=np.maximum(bounds, 0),
        z=np.zeros(wanted.shape),
        u=np.zeros(wanted.shape),
        penalty=np.full(size.shape, PENALTY),
    )
    left = np.ones((len(wanted), wanted.shape[2]), dtype=np.bool_)
    intercept = np.zeros((len(wanted), 1, wanted.shape[2]))
    for dtype, n_steps in ((np.float32, ROUGH), (np.float64, FINE)):
        if left.any():
            _solve(state, intercept, left, dtype, n_steps=n_steps)
            _polish(state, intercept, left)
    dual = state.z / size
    for b, k in np.argwhere(left):
        cost = np.abs(bounds[b, :, k]) / size[b, 0]
        fitted = _by_libsvm(grams[b], wanted[b, :, k], cost, n_steps=LAST)
        dual[b, :, k], intercept[b, 0, k] = fitted[:2]
    return Machines(dual, intercept)


def fit_exactly(gram: Floats, signs: Numbers, c: float | Array) -> Machines:
    """Fit the same machines by libsvm, one by one, to its tolerance 1e-6.

    Those that it does not finish (of fewer units than samples, at a high cost) are fitted by
    `fit_machines`.

    Parameters
    ----------
    gram, signs, c
        As of `fit_machines`; both classes in each labeling.
    """
    grams: Array = np.asarray(gram, dtype=np.float64)
    wanted: Array = np.asarray(signs, dtype=np.float64)
    costs = np.broadcast_to(np.asarray(c, dtype=np.float64), wanted.shape)
    dual = np.zeros(wanted.shape)
    intercept = np.zeros((len(wanted), 1, wanted.shape[2]))
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        for b, k in np.ndindex(len(wanted), wanted.shape[2]):
            one = grams[b], wanted[b, :, k], costs[b, :, k]
            dual[b, :, k], intercept[b, 0, k], is_done = _by_libsvm(*one, n_steps=MOST)
            if not is_done:
                other = fit_machines(one[0][None], one[1][None, :, None], one[2][None, :, None])
                dual[b, :, k], intercept[b, 0, k] = other.dual[0, :, 0], other.intercept[0, 0, 0]
    return Machines(dual, intercept)


def _polish(state: _State, intercept: Array, left: Mask) -> None:
    """Solve for the free support vectors that the steps point to; take what is the optimum."""
    for b, k in np.argwhere(left):
        low, high = state.low[b, :, k], state.high[b, :, k]
        near = _near(low, high)
        z = np.where(state.z[b, :, k] - low <= near, low, state.z[b, :, k])
        z = np.where(high - z <= near, high, z)
        free = np.flatnonzero((z > low) & (z < high))
        if not free.size:
            continue
        z[free] = 0
        matrix = np.ones((free.size + 1, free.size + 1))
        matrix[:-1, :-1] = state.gram[b][np.ix_(free, free)]
        matrix[-1, -1] = 0
        asked = state.wanted[b, free, k] - state.gram[b][free] @ z
        z[free] = np.linalg.lstsq(matrix, np.append(asked, -z.sum()))[0][:-1]
        if (z < low).any() or (z > high).any():
            continue
        one = np.array([b]), np.array([k])
        tried = state.part(*one, np.float64)
        tried.z[0, :, 0] = z
        done, found = tried.look()
        if done[0, 0]:
            state.z[b, :, k], intercept[b, 0, k], left[b, k] = z, found[0, 0, 0], False


def _solve(
    whole: _State,
    intercept: Array,
    left: Mask,
    dtype: type[np.floating[Any]],
    *,
    n_steps: int,
) -> None:
    """Take steps until machines have converged, which are then no longer `left`."""
    is_one = len(left) == 1  # then labelings leave one by one, otherwise Gram matrices
    rows = np.flatnonzero(left.any(axis=1))
    columns = np.flatnonzero(left[0]) if is_one else np.arange(left.shape[1])
    state = whole.part(rows, columns, dtype)
    operator = state.operator()
    for step in range(1, n_steps + 1):
        x, before = state.step(operator)
        if step % TUNE == 0 and state.tune(x, before):
            operator = state.operator()
        if step < n_steps and (step < FIRST or (step - FIRST) % EVERY):
            continue
        done, found = state.look()
        fresh = left[np.ix_(rows, columns)]  # a copy
        if step < n_steps:
            fresh &= done
        r, k = np.nonzero(fresh)
        whole.z[rows[r], :, columns[k]] = state.z[r, :, k]
        if step == n_steps:
            whole.u[rows[r], :, columns[k]] = state.u[r, :, k]
        intercept[rows[r], 0, columns[k]] = found[r, 0, k]
        left[rows[r], columns[k]] = ~done[r, k]
        still = left[np.ix_(rows, columns)]
        keep = np.flatnonzero(still.any(axis=1))
        stay = np.flatnonzero(still[0]) if is_one else np.arange(len(columns))
        if not still.any() or step == n_steps:
            break
        if len(keep) < len(rows) or len(stay) < len(columns):
            state, operator = state.part(keep, stay, dtype), operator[keep]
            rows, columns = rows[keep], columns[stay]
    whole.penalty[rows] = state.penalty


def _by_libsvm(
    gram: Array, signs: Array, cost: Array, *, n_steps: int
) -> tuple[Array, float, bool]:
    """Fit one machine by libsvm, whose cost may differ; tells whether it came to its end."""
    own = np.flatnonzero(signs)
    model: Any = SVC(kernel="precomputed", C=1.0, tol=EXACT, max_iter=n_steps)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is told by `fit_status_`
        model.fit(gram[np.ix_(own, own)], signs[own], sample_weight=cost[own])
    dual = np.zeros(len(signs))
    dual[own[model.support_]] = model.dual_coef_[0]
    return dual, float(model.intercept_[0]), model.fit_status_ == 0
