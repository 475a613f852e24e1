"""Cholesky factors of small matrices, compiled: a call of LAPACK costs more than their work."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bids_dnn.stats.compiled import compiled

Array = NDArray[np.float64]


@compiled
def factorize(matrix: Array, n: int) -> bool:
    """Put the Cholesky factor of a matrix into its lower triangle; false where there is none.

    Two rows by two columns are made at once, so that each number that is read serves twice.

    Parameters
    ----------
    matrix : (at least n, at least n)
        Only its first n rows and columns are taken, and of them the lower triangle.
    n : int
    """
    for i in range(0, n - 1, 2):
        first, second = matrix[i], matrix[i + 1]
        for j in range(0, i, 2):
            left, right = matrix[j], matrix[j + 1]
            a, b, c, d = first[j], first[j + 1], second[j], second[j + 1]
            for k in range(j):
                a -= first[k] * left[k]
                b -= first[k] * right[k]
                c -= second[k] * left[k]
                d -= second[k] * right[k]
            first[j], second[j] = a / left[j], c / left[j]
            first[j + 1] = (b - first[j] * right[j]) / right[j + 1]
            second[j + 1] = (d - second[j] * right[j]) / right[j + 1]
        a, b, c = first[i], second[i], second[i + 1]
        for k in range(i):
            a -= first[k] * first[k]
            b -= first[k] * second[k]
            c -= second[k] * second[k]
        if not a > 0.0:
            return False
        first[i] = np.sqrt(a)
        second[i] = b / first[i]
        c -= second[i] * second[i]
        if not c > 0.0:
            return False
        second[i + 1] = np.sqrt(c)
    return n % 2 == 0 or _factorize_last(matrix, n - 1)


@compiled
def _factorize_last(matrix: Array, i: int) -> bool:
    last = matrix[i]
    for j in range(i):
        row, value = matrix[j], last[j]
        for k in range(j):
            value -= last[k] * row[k]
        last[j] = value / row[j]
    value = last[i]
    for k in range(i):
        value -= last[k] * last[k]
    if not value > 0.0:
        return False
    last[i] = np.sqrt(value)
    return True


@compiled
def substitute(factor: Array, n: int, x: Array, y: Array) -> None:
    """Solve for two right sides with a Cholesky factor, in place.

    Parameters
    ----------
    factor : (at least n, at least n)
    n : int
    x, y : (at least n,)
    """
    for i in range(n):
        row, a, b = factor[i], x[i], y[i]
        for k in range(i):
            a -= row[k] * x[k]
            b -= row[k] * y[k]
        x[i], y[i] = a / row[i], b / row[i]
    for i in range(n - 1, -1, -1):
        row = factor[i]
        a, b = x[i] / row[i], y[i] / row[i]
        x[i], y[i] = a, b
        for k in range(i):
            x[k] -= row[k] * a
            y[k] -= row[k] * b


@compiled
def invert_factor(factor: Array, n: int, inverse: Array) -> None:
    """Write the inverse of the matrix whose Cholesky factor L is given: ``L^-T L^-1``.

    Parameters
    ----------
    factor : (at least n, at least n)
        Is overwritten.
    n : int
    inverse : (n, n)
    """
    _invert_triangle(factor, n, inverse)
    for i in range(0, n - 1, 2):
        for j in range(i, n - 1, 2):
            first, second = inverse[i, j:], inverse[i + 1, j:]
            left, right = inverse[j, j:], inverse[j + 1, j:]
            a, b, c, d = 0.0, 0.0, 0.0, 0.0
            for k in range(n - j):  # from 0: only then is the loop made of vectors
                a += first[k] * left[k]
                b += first[k] * right[k]
                c += second[k] * left[k]
                d += second[k] * right[k]
            factor[j, i], factor[j + 1, i] = a, b
            factor[j, i + 1], factor[j + 1, i + 1] = c, d
    if n % 2 == 1:
        for i in range(n):
            factor[n - 1, i] = inverse[i, n - 1] * inverse[n - 1, n - 1]
    for i in range(n):
        for j in range(i + 1):
            inverse[i, j] = factor[i, j]
            inverse[j, i] = factor[i, j]


@compiled
def _invert_triangle(factor: Array, n: int, columns: Array) -> None:
    """Write the columns of the inverse of a Cholesky factor, each as a row."""
    spare = np.zeros(n)
    for first in range(0, n, 2):
        x, y = columns[first], columns[first + 1] if first + 1 < n else spare
        x[:], y[:] = 0.0, 0.0
        x[first] = 1.0 / factor[first, first]
        if first + 1 < n:
            row = factor[first + 1]
            y[first + 1] = 1.0 / row[first + 1]
            x[first + 1] = -row[first] * x[first] * y[first + 1]
        own, other = x[first:], y[first:]
        for i in range(first + 2, n, 2):
            upper, lower = factor[i, first:], factor[min(i + 1, n - 1), first:]
            a, b, c, d, m = 0.0, 0.0, 0.0, 0.0, i - first
            for k in range(m):
                a -= upper[k] * own[k]
                b -= upper[k] * other[k]
                c -= lower[k] * own[k]
                d -= lower[k] * other[k]
            own[m], other[m] = a / upper[m], b / upper[m]
            if i + 1 < n:
                own[m + 1] = (c - lower[m] * own[m]) / lower[m + 1]
                other[m + 1] = (d - lower[m] * other[m]) / lower[m + 1]


@compiled
def solve_each(gram: Array, right: Array, scale: Array, shift: Array) -> None:
    """Solve ``(scale gram + shift I) a = right`` for several right sides, in place.

    Parameters
    ----------
    gram : (b, n, n)
        Of b problems.
    right : (b, k, n)
        NaN is written where there is no factor.
    scale, shift : (b, k)
        Neighbours that are the same share a factor.
    """
    n = gram.shape[1]
    factor, spare = np.empty((n, n)), np.zeros(n)
    for b in range(len(gram)):
        k = 0
        while k < right.shape[1]:
            for i in range(n):
                for j in range(i + 1):
                    factor[i, j] = scale[b, k] * gram[b, i, j]
                factor[i, i] += shift[b, k]
            first, is_fine = k, factorize(factor, n)
            while k < right.shape[1] and (
                scale[b, k] == scale[b, first] and shift[b, k] == shift[b, first]
            ):
                second = k + 1
                is_pair = second < right.shape[1] and (
                    scale[b, second] == scale[b, k] and shift[b, second] == shift[b, k]
                )
                if is_fine:
                    substitute(factor, n, right[b, k], right[b, second] if is_pair else spare)
                else:
                    right[b, k, :] = np.nan
                    if is_pair:
                        right[b, second, :] = np.nan
                k += 2 if is_pair else 1


@compiled
def sum_each(gram: Array, rows: NDArray[np.int64], sums: Array) -> None:
    """Add up the diagonal, and all, of part of symmetric matrices.

    Parameters
    ----------
    gram : (b, at least n, at least n)
    rows : (n,)
        Rows and columns that are taken.
    sums : (b, 2)
        Is written: of the diagonal, of all.
    """
    for b in range(len(gram)):
        trace, below = 0.0, 0.0
        for i in range(len(rows)):
            row = gram[b, rows[i]]
            trace += row[rows[i]]
            for j in range(i):
                below += row[rows[j]]
        sums[b, 0], sums[b, 1] = trace, trace + 2 * below
