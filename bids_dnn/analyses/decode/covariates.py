"""What is known of samples beside responses: columns of the events, and features of pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.samples import texts
from bids_dnn.analyses.decode.tasks import decoded_samples
from bids_dnn.containers.features import FeatureGram
from bids_dnn.containers.responses import Responses
from bids_dnn.containers.space import Channels
from bids_dnn.errors import NotEnoughDataError
from bids_dnn.stats.folds import Fold
from bids_dnn.stats.kernels import VARIES, principal_scores, spread_of
from bids_dnn.stats.nuisance import nuisance_columns

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
SAMPLES_EACH = 5  # training samples for each component, at least


@dataclass(frozen=True, slots=True, eq=False)
class FeatureSpace:
    """Layers of a network as covariates of samples; each counts alike.

    Parameters
    ----------
    name
        As the settings name it.
    products : n_layers of (n_samples, n_samples)
        Inner products of the features that samples show, not centered; 0 where one shows none.
    known : (n_samples,) bool
        Whether a sample shows features.
    most : int
        Components that are taken at most.
    """

    name: str
    products: tuple[Array, ...]
    known: Mask
    most: int

    def n_components(self, train: Mask) -> int:
        """Return how many components these training samples allow."""
        n_train = int((train & self.known).sum())
        return max(1, min(self.most, n_train // SAMPLES_EACH))

    def scores(self, train: Mask) -> tuple[Array, float]:
        """Return the principal components, as training samples teach them.

        Parameters
        ----------
        train : (n_samples,) bool

        Returns
        -------
        scores : (n_samples, n_components)
            Centered on the training mean; NaN where a sample shows no features. There are none
            where features do not differ.
        share : in [0, 1]
            Of the variance over the training samples.
        """
        own = train[self.known]
        total = np.zeros((int(self.known.sum()),) * 2)
        for whole in self.products:
            gram = whole[np.ix_(self.known, self.known)]
            spread = float(spread_of(gram[np.ix_(own, own)])) if own.any() else 0.0
            total += gram / spread if spread else 0.0
        if not total.any():
            return np.empty((len(train), 0)), 0.0
        found = principal_scores(total, own, self.n_components(train))
        scores = np.full((len(train), found.shape[1]), np.nan)
        scores[self.known] = found
        variance = float((found[own] ** 2).sum()) / int(own.sum())
        return scores, variance / float(spread_of(total[np.ix_(own, own)]))


@dataclass(frozen=True, slots=True, eq=False)
class Covariates:
    """Columns of the sample table, and feature spaces.

    Parameters
    ----------
    columns : (n_samples, n_columns)
        NaN where a value is missing.
    spaces
    warnings
        Of what is missing.
    """

    columns: Array
    spaces: tuple[FeatureSpace, ...]
    warnings: tuple[str, ...]

    def taught_by(self, train: Mask) -> Array:
        """Return all of them as columns, feature spaces as components that samples teach.

        Parameters
        ----------
        train : (n_samples,) bool

        Returns
        -------
        covariates : (n_samples, n_columns + n_components)
            NaN where something is missing.
        """
        return np.hstack([self.columns, *(one.scores(train)[0] for one in self.spaces)])

    def scaled_by(self, train: Mask) -> Array:
        """Return all of them as patterns, of unit variance on average over training samples.

        Parameters
        ----------
        train : (n_samples,) bool

        Returns
        -------
        values : (n_samples, n_columns + n_components)
            Each column is divided by its SD, the components of a space by one number; what is
            missing is the mean of the training samples, which is 0.
        """
        own = [self.columns[:, [k]] for k in range(self.columns.shape[1])]
        own += [one.scores(train)[0] for one in self.spaces]
        made = []
        for values in own:
            known = np.isfinite(values)
            taught = known & train[:, None]
            n = np.maximum(taught.sum(axis=0), 1)
            centered = np.where(known, values - np.where(taught, values, 0).sum(axis=0) / n, 0.0)
            size = float(np.sqrt((centered[train] ** 2).mean())) if values.size else 0.0
            varies = size > VARIES * float(np.abs(values[known]).max(initial=0.0))
            made.append(centered / size if varies else np.zeros_like(centered))
        return np.hstack(made)

    def facts(self, folds: Sequence[Fold]) -> dict[str, dict[str, float | int]]:
        """Say of each feature space how many components are taken, and what they hold.

        Parameters
        ----------
        folds

        Returns
        -------
        facts
            By name: ``n_components`` (the fewest of a fold), ``share`` (of the variance over
            training samples, on average over folds).
        """
        made: dict[str, dict[str, float | int]] = {}
        for one in self.spaces:
            found = [one.scores(fold.train) for fold in folds]
            made[one.name] = {
                "n_components": min(scores.shape[1] for scores, _ in found),
                "share": round(float(np.mean([share for _, share in found])), 4),
            }
        return made


def covariates_of(
    responses: Responses,
    names: Sequence[str],
    choices: Choices,
    *,
    spaces: Mapping[str, Sequence[FeatureGram]],
    option: str,
) -> Covariates:
    """Return what settings name, of the samples that are decoded.

    Parameters
    ----------
    responses
        All samples, before they are averaged.
    names
        Columns of the sample table, or names of `spaces`.
    choices
    spaces
        Layers of each feature space, by its name in the settings.
    option
        ``nuisance`` or ``baseline``, for messages.

    Raises
    ------
    ConfigError
        If a name is neither a column nor a feature space.
    NotEnoughDataError
        If a column holds no number, or no sample shows a stimulus with features.
    """
    own = decoded_samples(responses, choices)
    told = [name for name in names if name not in spaces]
    columns, warnings = nuisance_columns(own.samples, told, option=option)
    made = []
    for name in (one for one in names if one in spaces):
        found = _space_of(responses, name, spaces[name], choices)
        if not found.known.any():
            raise NotEnoughDataError(
                f"decode.{option} names {name!r}, and none of {len(found.known)} samples shows a "
                "stimulus that has features.",
                mend="Put the pictures that the events name into stimuli/, or leave it out.",
            )
        if missing := int((~found.known).sum()):
            warnings.append(
                f"{missing} of {len(found.known)} samples show no stimulus that has features of "
                f"{name}: the mean of the training samples stands in for it."
            )
        made.append(found)
    return Covariates(columns, tuple(made), tuple(warnings))


def component_warnings(
    covariates: Covariates, folds: Sequence[Fold], *, asked: int, option: str
) -> list[str]:
    """Say where fewer components are taken than were asked for, or where they tell all apart.

    Parameters
    ----------
    covariates, folds
    asked
        Components that the settings ask for.
    option
        ``nuisance`` or ``baseline``.
    """
    out = []
    for one in covariates.spaces:
        told = f"decode.{option} {one.name}"
        fewest = min(folds, key=lambda fold: one.n_components(fold.train))
        n = one.n_components(fewest.train)
        if n < min(asked, one.most):
            n_train = int((fewest.train & one.known).sum())
            out.append(
                f"{told}: {n} of {asked} principal components are taken, as {n_train} training "
                f"samples allow one for every {SAMPLES_EACH}."
            )
        scores, share = one.scores(fewest.train)
        if option == "nuisance" and scores.shape[1] and share > 1 - 1e-9:
            out.append(
                f"{told}: its {scores.shape[1]} components tell all training stimuli apart, so "
                "that nothing is left in the patterns that pictures could tell."
            )
    return out


def _space_of(
    responses: Responses, name: str, grams: Sequence[FeatureGram], choices: Choices
) -> FeatureSpace:
    """Bring the inner products of stimuli to the samples that are decoded."""
    shown = texts(responses.samples["stimulus"])
    stimuli = [
        one for one in dict.fromkeys(map(str, shown)) if all(one in g.stimuli for g in grams)
    ]
    stimuli = stimuli or [grams[0].stimuli[0]]
    marks = np.asarray(shown[:, None] == np.array(stimuli, dtype=object), dtype=np.float32)
    space = Channels("stimuli", tuple(stimuli), np.arange(len(stimuli)))
    # Samples are averaged as responses are: shares of stimuli take the place of these.
    made = decoded_samples(replace(responses, values=marks, space=space), choices)
    shares = made.values.astype(np.float64)
    known: Any = shares.sum(axis=1) > 1 - 1e-6
    shares[~known] = 0
    told = [choices.n_components, *(one.n_components for one in grams if one.n_components)]
    products = tuple(shares @ one.take(stimuli) @ shares.T for one in grams)
    return FeatureSpace(name, products, np.asarray(known, dtype=np.bool_), min(told))
