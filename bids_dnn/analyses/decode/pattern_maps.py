"""Which units carry what tells two sides apart: activation patterns of linear classifiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.classifiers.decisions import decide
from bids_dnn.analyses.decode.comparisons import Comparison
from bids_dnn.analyses.decode.permutation import Codes
from bids_dnn.analyses.decode.prepare import Patterns, Preparation
from bids_dnn.containers.result import StatMap, distinct, model_label
from bids_dnn.stats.folds import Fold

Array = NDArray[np.float64]


def activation_pattern(
    values: Sequence[NDArray[np.float32]],
    patterns: Sequence[Patterns],
    folds: Sequence[Fold],
    codes: Codes,
    *,
    classifiers: Sequence[Classifier],
    preparation: Preparation,
) -> list[Array]:
    """Return how responses change with the decision, of each fold, by its training samples.

    The weights of a classifier also cancel noise, so that a unit without any effect may have a
    large one. The activation pattern is what the decision predicts of each unit: the covariance of
    its responses with the decision over the variance of the decision.

    Parameters
    ----------
    values : by fold, (n, n_units)
        Responses as they were measured, of the units that the fold takes.
    patterns, folds
        What classifiers learn from.
    codes : (n,)
        0 and 1: the side of each sample that teaches; -1 = it does not.
    classifiers : by fold
        Linear ones.
    preparation

    Returns
    -------
    maps : by fold, (n_units,)
        Change of response for a decision that is higher by one SD, in the unit of responses; above
        zero where the first side's is higher. NaN where decisions do not vary.

    References
    ----------
    Haufe et al. (2014), NeuroImage 87:96, doi:10.1016/j.neuroimage.2013.10.067, equation 7.
    """
    made = []
    signs = ((codes == 0).astype(np.int8) - (codes == 1))[:, None]
    for x, own, fold, classifier in zip(values, patterns, folds, classifiers, strict=True):
        gram, n_units = own.labeled(codes, codes >= 0, preparation)
        taught = np.flatnonzero(fold.train & (codes >= 0))
        train = gram[np.ix_(taught, taught)]
        told = decide(train, train, signs[taught], classifier, n_units=n_units)[:, 0]
        told = told - told.mean()
        spread = float(np.sqrt(np.mean(told**2)))
        responses = x[taught].astype(np.float64)
        responses -= responses.mean(axis=0)
        change = told @ responses / len(told) / spread if spread > 0 else np.nan
        made.append(np.broadcast_to(change, x.shape[1:]).astype(np.float64))
    return made


def pattern_map(
    found: Sequence[Array],
    units: Sequence[NDArray[np.intp]],
    every: NDArray[np.intp],
    region: str,
    comparison: Comparison,
) -> StatMap:
    """Average the patterns of folds into a map.

    Parameters
    ----------
    found : by fold, (n_units,)
    units : by fold, (n_units,)
        Columns of the responses.
    every : (n_all,)
        Those that the map has a value for, ascending.
    region, comparison
    """
    total, counts = np.zeros(len(every)), np.zeros(len(every))
    for values, own in zip(found, units, strict=True):
        places = np.searchsorted(every, own)
        total[places] += values
        counts[places] += 1
    mean = np.where(counts > 0, total / np.maximum(counts, 1), np.nan)
    first, second = comparison.labels
    return StatMap(
        "pattern",
        mean.astype(np.float32),
        model_label(region, comparison.name),
        f"Change of response in {region} for a decision higher by one SD, in the unit of the "
        f"responses; above zero where {first!r} is higher than {second!r}; mean over folds.",
    )


def apart(maps: Sequence[StatMap]) -> tuple[StatMap, ...]:
    """Give maps of one label numbers, as letters and digits alone tell labels apart.

    Parameters
    ----------
    maps
    """
    labels = distinct([one.model for one in maps])
    return tuple(replace(one, model=label) for one, label in zip(maps, labels, strict=True))
