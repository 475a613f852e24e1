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
from bids_dnn.analyses.decode.classifiers.lda import lda_decisions
from bids_dnn.analyses.decode.classifiers.logistic import logistic_decisions
from bids_dnn.analyses.decode.classifiers.ridge import ridge_decisions
from bids_dnn.analyses.decode.classifiers.shifted import solve_compiled
from bids_dnn.errors import ConfigError
from bids_dnn.stats.kernels import VARIES

Array = NDArray[np.float64]
Codes = NDArray[np.integer[Any]]
Signs = NDArray[np.int8]
# Labelings, beyond which it pays to share what they have in common
FEW: dict[Kind, int] = {"lda": 24, "ridge": 2}


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
        return self.gram.take(self.tested, axis=1).take(self.taught, axis=2)

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
    batch = BATCHES[classifier.kind] if classifier.device is None else _on_device
    return partial(_by_parts, batch, classifier)


Batch = Callable[[Classifier, Sights, Signs], Array]  # (b, t, k) classes: none without part


def _by_parts(batch: Batch, classifier: Classifier, sights: Sights, signs: Signs) -> Array:
    """Decide with the samples that have a class, which may differ between labelings."""
    n_spheres = len(sights.gram)
    is_few = signs.shape[1] <= FEW.get(classifier.kind, 0) and classifier.device is None
    if is_few and not _is_least_squares(classifier):
        from bids_dnn.analyses.decode.classifiers.alone import decide_spheres  # numba

        return decide_spheres(
            sights.gram, sights.taught, sights.tested, signs, classifier, n_units=sights.n_units
        )
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


def _is_least_squares(classifier: Classifier) -> bool:
    return classifier.kind == "ridge" and classifier.alpha == 0


def _on_device(classifier: Classifier, sights: Sights, signs: Signs) -> Array:
    from bids_dnn.analyses.decode.classifiers.tensors import decide_on  # torch

    costs = costs_of(signs, classifier, sights.shares)
    return decide_on(
        sights.train(), sights.cross(), signs, classifier, n_units=sights.n_units, costs=costs
    )


def _machines(classifier: Classifier, sights: Sights, signs: Signs) -> Array:
    from bids_dnn.analyses.decode.classifiers.pivoting import solve_machines  # numba

    costs = costs_of(signs, classifier, sights.shares)
    dual, intercept = solve_machines(sights.train(), signs, costs, n_units=sights.n_units)
    return sights.cross() @ dual + intercept


def _lda(classifier: Classifier, sights: Sights, signs: Signs) -> Array:
    return lda_decisions(
        sights.train(),
        sights.cross(),
        signs,
        n_units=sights.n_units[:, None, None],
        shrinkage=classifier.shrinkage,
        is_weighted=classifier.is_weighted,
    )


def _ridge(classifier: Classifier, sights: Sights, signs: Signs) -> Array:
    train, cross = sights.train(), sights.cross()
    return ridge_decisions(train, cross, signs, alpha=classifier.alpha, solve=solve_compiled)


def _logistic(classifier: Classifier, sights: Sights, signs: Signs) -> Array:
    costs = costs_of(signs, classifier, sights.shares)
    return logistic_decisions(sights.train(), sights.cross(), signs, costs)


BATCHES: dict[Kind, Batch] = {
    "svm-linear": _machines,
    "lda": _lda,
    "ridge": _ridge,
    "logistic": _logistic,
}
