"""Logistic regression of many labelings at once, on Gram matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]
Numbers = NDArray[np.number[Any]]
STEPS = 100
FLAT = 1e-8  # of the gradient's largest entry, by the cost: there it is the minimum
CUT = 1e-12  # of the largest eigenvalue: less is rounding
BLOCK = 64  # labelings at once


def logistic_decisions(train: Floats, cross: Floats, signs: Numbers, c: float | Array) -> Array:
    """Tell two classes apart by logistic regression with a squared penalty and an intercept.

    ``|w|^2 / 2 + C sum(log(1 + exp(-y f)))`` is minimized by Newton's method with step halving,
    over the principal components of the training samples; the intercept is not penalized.

    Parameters
    ----------
    train : (b, n, n)
        Inner products of the training samples, of each of b problems.
    cross : (b, m, n)
        Of m other samples with them.
    signs : (b, n, k)
        +1 and -1: the classes, for each of k labelings; both in each labeling.
    c : above 0; or (b, n, k)
        Cost of each sample.

    Returns
    -------
    decisions : (b, m, k)
        The log of the ratio of probabilities; above zero for class +1.

    References
    ----------
    Hastie, Tibshirani & Friedman (2009), The Elements of Statistical Learning, section 4.4.1.
    """
    wanted: Array = np.asarray(signs, dtype=np.float64)
    costs = np.broadcast_to(np.asarray(c, dtype=np.float64), wanted.shape)
    made = np.empty((len(train), cross.shape[1], wanted.shape[2]))
    for b in range(len(train)):
        values, vectors = np.linalg.eigh(np.asarray(train[b], dtype=np.float64))
        keep = values > CUT * max(float(values[-1]), 0.0)
        root = np.sqrt(values[keep])
        x = np.column_stack([vectors[:, keep] * root, np.ones(len(values))])  # (n, r + 1)
        other = np.column_stack([cross[b] @ (vectors[:, keep] / root), np.ones(cross.shape[1])])
        for start in range(0, wanted.shape[2], BLOCK):
            part = slice(start, start + BLOCK)
            made[b, :, part] = other @ _minimum(x, wanted[b, :, part], costs[b, :, part])
    return made


def _minimum(x: Array, signs: Array, costs: Array) -> Array:
    """Return the weights, (r + 1, k); the last is the intercept."""
    penalty = np.ones(x.shape[1])
    penalty[-1] = 0
    weights = np.zeros((x.shape[1], signs.shape[1]))
    loss = _loss(x, signs, costs, weights)
    for _ in range(STEPS):
        away = 1 / (1 + np.exp(signs * (x @ weights)))  # probability of the other class
        gradient = penalty[:, None] * weights - x.T @ (costs * signs * away)
        if np.abs(gradient).max() <= FLAT * costs.max():
            break
        curve = (costs * away * (1 - away)).T  # (k, n)
        hessian = x.T @ (curve[:, :, None] * x) + np.diag(penalty + 1e-12)
        step = np.linalg.solve(hessian, gradient.T[:, :, None])[:, :, 0].T
        size = np.ones(signs.shape[1])
        tried = loss
        for _ in range(STEPS):
            tried = _loss(x, signs, costs, weights - size * step)
            is_worse = tried > loss + 1e-12 * np.abs(loss)
            if not is_worse.any():
                break
            size = np.where(is_worse, size / 2, size)
        weights, loss = weights - size * step, tried
    return weights


def _loss(x: Array, signs: Array, costs: Array, weights: Array) -> Array:
    """Return what is minimized, (k,)."""
    loss: Array = (costs * np.logaddexp(0, -signs * (x @ weights))).sum(axis=0)
    loss += (weights[:-1] ** 2).sum(axis=0) / 2
    return loss
