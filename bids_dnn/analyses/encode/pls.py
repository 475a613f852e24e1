"""Partial least squares for every number of components in one run, from a Gram matrix.

Two forms. In PLS2 several targets share their components: each is the direction of features
whose covariance with all targets together is largest. In PLS1 each target has components of
its own. Letters: `u` and `s` eigenvectors and eigenvalues of the centered training Gram
matrix, `z` centered targets in the coordinates of `u`, `f` what is left of them, `t` scores of
the training samples (in the same coordinates, of unit length), `q` loadings of the targets.

In these coordinates features are ``diag(sqrt(s))``, whatever their number. The scores of test
samples follow from the same combinations of training samples, so that nothing is divided by a
small eigenvalue. Each score is made orthogonal to all before it, twice.

References
----------
de Jong (1993), Chemometr. Intell. Lab. Syst. 18:251, doi:10.1016/0169-7439(93)85002-X.
Lindgren, Geladi & Wold (1993), J. Chemometr. 7:45, doi:10.1002/cem.1180070104.
Rosipal & Trejo (2001), J. Mach. Learn. Res. 2:97.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, eigh_tridiagonal

from bids_dnn.analyses.encode.spectrum import Spectrum

Array = NDArray[np.float64]
EPS = float(np.finfo(np.float64).eps)
SMALL = 200  # sides up to which LAPACK is as fast as Lanczos


def joint_scores(found: Spectrum, z: Array, n_components: int) -> Iterator[tuple[Array, Array]]:
    """Give the scores of each component that all targets share (PLS2), one after another.

    Predictions of test samples from k components are the sum over them of ``outer(u, t @ z)``,
    with `u` the test scores and `t` the training scores.

    Parameters
    ----------
    found
        Of the training and test samples.
    z : (rank, n_targets)
        Targets less their training mean, times ``found.vectors.T``. Only ``z @ z.T`` matters.
    n_components : int

    Yields
    ------
    train : (rank,)
        Scores of the training samples, times ``found.vectors.T``, of unit length, orthogonal
        to those before.
    test : (n_test,)
        Scores of the test samples.

    Notes
    -----
    It ends early where the features, or what they share with the targets, are exhausted. The
    direction of each component is that of LAPACK, or of Lanczos steps down to rounding error:
    scikit-learn's power iterations stop where the squared change of the weights is below `tol`
    (1e-6), and agree where that is set near 1e-30.
    """
    s, root = found.values, np.sqrt(found.values)
    n = min(n_components, len(s))
    t, u = np.empty((n, len(s))), np.empty((n, len(found.test)))
    f, first = z.copy(), 0.0
    for a in range(n):
        direction, size = dominant(root[:, None] * f)
        first = first or size
        if size <= first * max(f.shape) * EPS:
            return
        g = f @ direction
        score, shown = s * g, found.test @ g
        length = np.linalg.norm(score)
        for _ in range(2):
            shares = t[:a] @ score
            score = score - shares @ t[:a]
            shown = shown - shares @ u[:a]
        left = np.linalg.norm(score)
        if left <= length * len(s) * EPS:
            return
        t[a], u[a] = score / left, shown / left
        f -= np.outer(t[a], t[a] @ f)
        yield t[a], u[a]


def single_scores(
    found: Spectrum, z: Array, n_components: int
) -> Iterator[tuple[Array, Array, Array]]:
    """Give the scores and loadings of each component, where each target has its own (PLS1).

    Predictions of test samples from k components are the sum over them of ``test * loading``.

    Parameters
    ----------
    found
        Of the training and test samples.
    z : (rank, n_targets)
        Targets less their training mean, times ``found.vectors.T``.
    n_components : int

    Yields
    ------
    train : (rank, n_targets)
        As in `joint_scores`; zero where a target is exhausted.
    test : (n_test, n_targets)
    loading : (n_targets,)

    Notes
    -----
    Memory is ``n_components * n_targets * (rank + n_test)`` numbers.
    """
    s, m = found.values, z.shape[1]
    n = min(n_components, len(s))
    t, u = np.zeros((m, n, len(s))), np.zeros((m, n, len(found.test)))
    f = np.ascontiguousarray(z.T)  # (n_targets, rank)
    first = np.sqrt(f**2 @ s)  # covariance with the first component
    for a in range(n):
        size = np.sqrt(f**2 @ s)
        score = f * s
        shown = f @ found.test.T
        length = np.linalg.norm(score, axis=1)
        for _ in range(2):
            shares = (t[:, :a] @ score[:, :, None])[:, None, :, 0]  # (n_targets, 1, a)
            score -= (shares @ t[:, :a])[:, 0]
            shown -= (shares @ u[:, :a])[:, 0]
        left = np.linalg.norm(score, axis=1)
        alive = (size > first * len(s) * EPS) & (left > length * len(s) * EPS)
        if not alive.any():
            return
        scale = np.where(alive, 1 / np.where(alive, left, 1.0), 0.0)[:, None]
        t[:, a], u[:, a] = score * scale, shown * scale
        loading = np.einsum("ij,ij->i", t[:, a], f)
        f -= loading[:, None] * t[:, a]
        yield t[:, a].T, u[:, a].T, loading


def dominant(h: Array) -> tuple[Array, float]:
    """Return the right singular vector of the largest singular value, and that value.

    The same bytes each time. LAPACK where a side is short; else Lanczos steps with full
    orthogonalization until the residual is rounding error, or LAPACK where that takes long.

    Parameters
    ----------
    h : (n_rows, n_columns)

    Returns
    -------
    vector : (n_columns,)
        Of unit length; its sign has no meaning.
    size : float
        Zero where `h` is.

    References
    ----------
    Golub & Van Loan (2013), Matrix Computations, chapter 10, ISBN 978-1-4214-0794-4.

    Examples
    --------
    >>> vector, size = dominant(np.array([[0.0, 3.0], [0.0, 4.0]]))
    >>> np.abs(vector).round(12).tolist(), round(size, 12)
    ([0.0, 1.0], 5.0)
    """
    if min(h.shape) > SMALL:
        found = _lanczos(h, most=min(h.shape) // 4)
        if found is not None:
            return found
    wide = h.shape[1] > h.shape[0]
    square = h @ h.T if wide else h.T @ h
    last = len(square) - 1
    value, vector = eigh(square, subset_by_index=[last, last], check_finite=False)
    size = float(np.sqrt(max(float(value[0]), 0.0)))
    side: Array = vector[:, 0]
    if wide and size > 0:
        side = h.T @ side
        side /= np.linalg.norm(side)
    elif wide:
        side = np.eye(1, h.shape[1])[0]
    return side, size


def _lanczos(h: Array, *, most: int) -> tuple[Array, float] | None:
    """Do what `dominant` does by at most so many Lanczos steps on ``h.T @ h``; None = too few."""
    v: Array = np.random.default_rng(0).normal(size=h.shape[1:])  # some of every direction
    v /= np.linalg.norm(v)
    basis = np.empty((most, h.shape[1]))
    diagonal, beside = np.empty(most), np.empty(most)
    for k in range(most):
        basis[k] = v
        w = h.T @ (h @ v)
        diagonal[k] = v @ w
        for _ in range(2):
            w -= (basis[: k + 1] @ w) @ basis[: k + 1]
        beside[k] = np.linalg.norm(w)
        closed = beside[k] <= EPS * diagonal[: k + 1].max()  # the space holds all that h does
        if closed or k % 5 == 4 or k == most - 1:
            value, weights = eigh_tridiagonal(
                diagonal[: k + 1], beside[:k], select="i", select_range=(k, k)
            )
            if closed or beside[k] * abs(weights[-1, 0]) <= 2 * EPS * value[0]:
                vector = weights[:, 0] @ basis[: k + 1]
                return vector / np.linalg.norm(vector), float(np.sqrt(max(value[0], 0.0)))
        v = w / beside[k]
    return None
