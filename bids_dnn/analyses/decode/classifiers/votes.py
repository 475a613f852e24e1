"""Guesses of several classes by the votes of all pairs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.classifiers.decisions import decide

Array = NDArray[np.float64]
Codes = NDArray[np.integer[Any]]
TIE = 1e-5  # of the largest decision, up to 1: less goes to the second class, as in libsvm


@dataclass(frozen=True, slots=True, eq=False)
class Guesses:
    """What is guessed of some samples, under each labeling.

    Parameters
    ----------
    guess : (k, m) intp
        Class of each sample.
    values : (n_pairs, k, m) float32
        Decisions of the pairs (0, 1), (0, 2) ... (1, 2) ...; above zero for the first class.
    """

    guess: Codes
    values: NDArray[np.float32]


def pairs_of(n_classes: int) -> list[tuple[int, int]]:
    """Return the pairs of classes in the order of decisions.

    Examples
    --------
    >>> pairs_of(3)
    [(0, 1), (0, 2), (1, 2)]
    """
    return list(combinations(range(n_classes), 2))


def guess_classes(
    train: Array,
    cross: Array,
    codes: Codes,
    classifier: Classifier,
    *,
    n_classes: int,
    n_units: int,
) -> Guesses:
    """Guess classes by the votes of all pairs, the first class winning ties, as in SVC.

    Parameters
    ----------
    train : (n, n)
        Inner products of the training samples.
    cross : (m, n)
        Of m other samples with them.
    codes : (k, n)
        Class of each training sample, under each labeling; -1 = it is no part of it.
    classifier, n_classes, n_units
    """
    pairs = pairs_of(n_classes)
    values = np.empty((len(pairs), len(codes), len(cross)), dtype=np.float32)
    for pair, own in enumerate(pairs):
        signs = signs_of(codes, own)
        shares = shares_of(codes, own) if classifier.is_weighted else None
        made = decide(train, cross, signs.T, classifier, n_units=n_units, shares=shares)
        values[pair] = made.T
    return Guesses(voted(values, n_classes), values)


def signs_of(codes: Codes, pair: tuple[int, int]) -> NDArray[np.int8]:
    """Return +1 for the first class of a pair, -1 for the second, 0 for all others.

    Parameters
    ----------
    codes : (...)
    pair
    """
    signs: NDArray[np.int8] = (codes == pair[0]).astype(np.int8)
    signs -= codes == pair[1]
    return signs


def shares_of(codes: Codes, pair: tuple[int, int]) -> Array:
    """Return the mean number of samples of a class, over that of a pair's.

    Costs of weighted classes that are multiplied with it make all classes count alike, as
    ``class_weight="balanced"`` of scikit-learn does; 1 where the pair are all classes.

    Parameters
    ----------
    codes : (k, n)
        Class of each sample that teaches, under each labeling; -1 = it does not.
    pair

    Returns
    -------
    shares : (k,)

    Examples
    --------
    >>> shares_of(np.array([[0, 0, 0, 1, 2, 2]]), (1, 2))
    array([1.33333333])
    """
    n_classes = max(int(codes.max(initial=-1)), *pair) + 1
    counts = np.stack([(codes == one).sum(axis=1) for one in range(n_classes)])
    mean = counts.sum(axis=0) / np.maximum((counts > 0).sum(axis=0), 1)
    own = (counts[pair[0]] + counts[pair[1]]) / 2
    made: Array = np.where(own > 0, mean / np.maximum(own, 0.5), 1.0)
    return made


def voted(values: NDArray[np.floating[Any]], n_classes: int) -> Codes:
    """Return the class with the most votes of pairs, the first of the best.

    Parameters
    ----------
    values : (n_pairs, k, m)
        Decisions of each pair for m samples that are tested together.
    n_classes

    Returns
    -------
    guess : (k, m) intp
    """
    votes = np.zeros((*values.shape[1:], n_classes), dtype=np.int16)
    for own, (first, second) in zip(values, pairs_of(n_classes), strict=True):
        reach = np.abs(own).max(axis=1, keepdims=True, initial=0)
        is_first = own > TIE * np.minimum(reach, 1)
        votes[..., first] += is_first
        votes[..., second] += ~is_first
    guess: Codes = votes.argmax(axis=2).astype(np.intp)
    return guess
