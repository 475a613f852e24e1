"""Decisions of linear classifiers on many Gram matrices at once, for a searchlight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.decode.classifiers.choice import Classifier, Kind
from bids_dnn.analyses.decode.classifiers.decisions import costs_of
from bids_dnn.analyses.decode.classifiers.lda import TINY, lda_decisions
from bids_dnn.analyses.decode.classifiers.logistic import logistic_decisions
from bids_dnn.analyses.decode.classifiers.ridge import ridge_decisions
from bids_dnn.analyses.decode.classifiers.shifted import solve_compiled
from bids_dnn.errors import ConfigError
from bids_dnn.stats.kernels import VARIES

Array = NDArray[np.float64]
Codes = NDArray[np.integer[Any]]
Signs = NDArray[np.int8]
FEW = 24  # labelings, beyond which it pays to share what they have in common


@dataclass(frozen=True, slots=True, eq=False)
class Sights:
    """What there is of some spheres, and what a fold teaches and tests.

    Parameters
    ----------
    gram : (b, n, n)
        Inner products of all samples, of each of b spheres; not centered.
    taught : (t,)
        Numbers of the samples that teach, in their order.
    tested : (m,)
        Of those that are told.
    n_units : (b,)
        Units that inner products sum over.
    shares : (k,)
        By how much the costs of each labeling are multiplied, as `decisions.costs_of` takes them.
    """

    gram: Array
    taught: Codes
    tested: Codes
    n_units: Codes
    shares: Array | None = None

    def train(self) -> Array:
        """Return the inner products (b, t, t) of what teaches."""
        return self.gram.take(self.taught, axis=2).take(self.taught, axis=1)

    def cross(self) -> Array:
        """Return the inner products (b, m, t) of what is tested with what teaches."""
        return self.tests().take(self.taught, axis=2)

    def tests(self) -> Array:
        """Return the inner products (b, m, n) of what is tested with all samples."""
        return self.gram.take(self.tested, axis=1)

    def spread(self) -> Array:
        """Return the variance of the units in all, (b,), over the samples that teach.

        As `stats.kernels.spread_of` does; nothing is copied.
        """
        from bids_dnn.analyses.decode.classifiers.factors import sum_each  # numba

        n, sums = len(self.taught), np.empty((len(self.gram), 2))
        sum_each(np.ascontiguousarray(self.gram), self.taught.astype(np.int64), sums)
        level = sums[:, 0] / n
        found = level - sums[:, 1] / n**2
        return np.where(found > VARIES * level, found, 0.0)

    def spread_out(self, values: Array) -> Array:
        """Put values (b, t, k) of what teaches among those of all samples, (b, n, k)."""
        made = np.zeros((len(values), self.gram.shape[1], values.shape[2]))
        made[:, self.taught] = values
        return made


# spheres, (t, k) classes +1 and -1 (0: no part) under k labelings -> decisions (b, m, k), above
# zero for +1
Decide = Callable[[Sights, Signs], Array]


def decider(classifier: Classifier) -> Decide:
    """Return what decides between two classes, in many spheres at once.

    Parameters
    ----------
    classifier
        A linear one.

    Raises
    ------
    ConfigError
        If the classifier is not linear.
    """
    if classifier.kind not in BATCHES:
        raise ConfigError(
            f"A searchlight takes linear classifiers, not {classifier.kind!r}.",
            mend=f"Type one of {', '.join(BATCHES)}.",
        )
    return partial(_by_parts, BATCHES[classifier.kind], classifier)


Batch = Callable[[Classifier, Sights, Signs], Array]  # (b, t, k) classes: none without part


def _by_parts(batch: Batch, classifier: Classifier, sights: Sights, signs: Signs) -> Array:
    """Decide with the samples that have a class, which may differ between labelings."""
    n_spheres = len(sights.gram)
    if signs.all():
        return batch(classifier, sights, np.broadcast_to(signs, (n_spheres, *signs.shape)))
    made = np.empty((n_spheres, len(sights.tested), signs.shape[1]))
    parts, which = np.unique(signs != 0, axis=1, return_inverse=True)
    for number, part in enumerate(parts.T):
        rows, columns = np.flatnonzero(part), np.flatnonzero(which.ravel() == number)
        own = signs[np.ix_(rows, columns)]
        told = np.broadcast_to(own, (n_spheres, *own.shape))
        shares = None if sights.shares is None else sights.shares[columns]
        part_of = replace(sights, taught=sights.taught[rows], shares=shares)
        made[:, :, columns] = batch(classifier, part_of, told)
    return made


def _machines(classifier: Classifier, sights: Sights, signs: Signs) -> Array:
    from bids_dnn.analyses.decode.classifiers.pivoting import solve_machines  # numba

    costs = costs_of(signs, classifier, sights.shares)
    dual, intercept = solve_machines(sights.train(), signs, costs, n_units=sights.n_units)
    return sights.cross() @ dual + intercept


def _lda(classifier: Classifier, sights: Sights, signs: Signs) -> Array:
    units, weight = sights.n_units[:, None, None], classifier.shrinkage
    if weight is None or signs.shape[2] > FEW:
        return lda_decisions(
            sights.train(),
            sights.cross(),
            signs,
            n_units=units,
            shrinkage=weight,
            is_weighted=classifier.is_weighted,
        )
    n = signs.shape[1]
    first = (signs > 0).sum(axis=1, keepdims=True)
    contrast = np.where(signs > 0, 1 / first, -1 / (n - first))  # means' difference
    share = first * (n - first) / n**2
    total, whole = sights.spread()[:, None, None], sights.spread_out(contrast)
    within = total - share * (whole * (sights.gram @ whole)).sum(axis=1, keepdims=True)
    within = np.maximum(within, TINY * total)
    shift = weight * np.where(within > 0, within, 1.0) / units
    found, _ = _balanced(sights, contrast, np.full((1, 1, 1), (1 - weight) / n), shift)
    seen = sights.gram @ sights.spread_out(found)
    reach = (whole * seen).sum(axis=1, keepdims=True)
    slope = seen[:, sights.tested] - seen[:, sights.taught].mean(axis=1, keepdims=True)
    made: Array = slope - (n - 2 * first) / (2 * n) * reach
    made /= 1 - (1 - weight) * share * reach
    return made if classifier.is_weighted else made + np.log(first / (n - first))


def _ridge(classifier: Classifier, sights: Sights, signs: Signs) -> Array:
    alpha = classifier.alpha
    if alpha == 0 or signs.shape[2] > FEW:
        train, cross = sights.train(), sights.cross()
        return ridge_decisions(train, cross, signs, alpha=alpha, solve=solve_compiled)
    size = sights.spread()[:, None, None]
    shift = np.where(size > 0, alpha * size, 1.0)
    found, intercept = _balanced(sights, signs, np.ones((1, 1, 1)), shift)
    return sights.tests() @ sights.spread_out(found) + intercept


def _balanced(
    sights: Sights, right: NDArray[np.number[Any]], scale: Array, shift: Array
) -> tuple[Array, Array]:
    """Solve ``(scale train + shift I) a + b = right`` with ``sum(a) = 0``.

    The same as to solve for a centered matrix, without the time that it takes to center many.
    """
    n_right = right.shape[2]
    one = np.ones((*right.shape[:2], 1))
    if shift.shape[2] == 1:  # one factor serves all
        both, told = np.concatenate([right, one], axis=2), shift
    else:  # one factor serves a right side and the ones beside it
        beside = np.stack([right, np.broadcast_to(one, right.shape)], axis=3)
        both, told = beside.reshape(*one.shape[:2], 2 * n_right), np.repeat(shift, 2, axis=2)
    made = solve_compiled(sights.gram, both, scale, told, part=sights.taught)
    if shift.shape[2] == 1:
        plain, one = made[:, :, :n_right], made[:, :, n_right:]
    else:
        plain, one = made[:, :, ::2], made[:, :, 1::2]
    intercept = plain.sum(axis=1, keepdims=True) / one.sum(axis=1, keepdims=True)
    return plain - intercept * one, intercept


def _logistic(classifier: Classifier, sights: Sights, signs: Signs) -> Array:
    costs = costs_of(signs, classifier, sights.shares)
    return logistic_decisions(sights.train(), sights.cross(), signs, costs)


BATCHES: dict[Kind, Batch] = {
    "svm-linear": _machines,
    "lda": _lda,
    "ridge": _ridge,
    "logistic": _logistic,
}
