"""The share of explainable variance of single showings, from the means over repeats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.stats.folds import Fold
from bids_dnn.stats.repeats import variances

Array = NDArray[np.float64]
Values = NDArray[np.floating[Any]]
BLOCK = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Showings:
    """How single responses to the tested images vary.

    Parameters
    ----------
    counts : (n_stimuli,)
        Repeats of each image; 0 = not tested.
    total : (n_units,)
        Variance over all showings.
    noise : (n_units,)
        Mean variance over the repeats of an image that has several.
    within : (n_units,)
        Mean squared distance of a showing from the mean of its image.
    """

    counts: NDArray[np.intp]
    total: Array
    noise: Array
    within: Array

    def at(self, columns: NDArray[np.intp]) -> Showings:
        """Return those of some units."""
        return Showings(
            self.counts, self.total[columns], self.noise[columns], self.within[columns]
        )


def showings_of(values: Values, which: NDArray[np.intp], n_stimuli: int) -> Showings | None:
    """Return how single responses vary; None where no image repeats.

    Parameters
    ----------
    values : (n_samples, n_units)
        Single responses to tested images.
    which : (n_samples,)
        Image of each.
    n_stimuli : int
    """
    counts = np.bincount(which, minlength=n_stimuli)
    if not (counts > 1).any():
        return None
    return Showings(counts, *variances(values, which, n_stimuli))


def share_of_explainable(
    showings: Showings, truth: Values, guess: Values, folds: Sequence[Fold], means: Sequence[Array]
) -> Array:
    """Return the fraction of explainable variance that predictions explain.

    ``(total - error) / (total - noise)`` as `stats.metrics.fev_explained` of single responses:
    the error of a showing is its distance from the mean of its image and that mean's error.

    Parameters
    ----------
    showings
    truth : (n_stimuli, n_units)
        Means over repeats.
    guess : (n_stimuli, n_units)
        Predictions less the mean of the training images.
    folds
        Each image is tested once at most.
    means : n_folds of (n_units,)
        Of the training images.

    Returns
    -------
    share : (n_units,), about 1 where the signal is predicted
        Below 0 where predictions are worse than the mean; NaN where repeats differ as much as
        images.

    References
    ----------
    Cadena et al. (2019), PLOS Comput. Biol. 15:e1006897, doi:10.1371/journal.pcbi.1006897.
    """
    error = np.zeros(truth.shape[1])
    for fold, mean in zip(folds, means, strict=True):
        weights = showings.counts[fold.test] / showings.counts.sum()
        for start in range(0, truth.shape[1], BLOCK):
            part = slice(start, start + BLOCK)
            off = truth[fold.test, part].astype(np.float64) - mean[part] - guess[fold.test, part]
            error[part] += weights @ off**2
    explainable = showings.total - showings.noise
    known = explainable > 0
    share = (showings.total - showings.within - error) / np.where(known, explainable, 1.0)
    return np.where(known, share, np.nan)
