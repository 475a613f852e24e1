"""The patterns of items, laid out so that dissimilarities around each unit can be taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.rsa.crossnobis import (
    Parts,
    crossed_distances,
    noise_covariance,
    parts_of,
)
from bids_dnn.analyses.rsa.dissimilarity import VARIES
from bids_dnn.containers.features import FeatureGram
from bids_dnn.containers.responses import Responses
from bids_dnn.errors import ConfigError, NotEnoughDataError
from bids_dnn.stats.neighbours import Neighbours
from bids_dnn.stats.rank_correlation import standard_ranks
from bids_dnn.stats.spheres import Patterns, lay_out

Array = NDArray[np.float64]
Kind = Literal["stimulus", "condition"]
Distance = Literal["correlation", "euclidean", "crossnobis"]
LEAST, MOST = 4, 400  # items: three pairs have too few ranks; pairs grow with the square


@dataclass(frozen=True, slots=True)
class Items:
    """What is compared in pairs.

    Parameters
    ----------
    names
        Sorted.
    rows
        Samples of each.
    stimuli
        Of each.
    warnings
    """

    names: tuple[str, ...]
    rows: tuple[NDArray[np.intp], ...]
    stimuli: tuple[tuple[str, ...], ...]
    warnings: tuple[str, ...]


def items_of(responses: Responses, grams: Sequence[FeatureGram], kind: Kind) -> Items:
    """Return the stimuli or conditions with responses, and with features in all layers.

    Parameters
    ----------
    responses
    grams
        Of all layers; none = features are not needed.
    kind

    Raises
    ------
    NotEnoughDataError, ConfigError
        As of `check_number`.
    """
    samples = responses.samples
    shown = samples["stimulus"].fillna("").astype(str).to_numpy()
    known = set.intersection(*(set(gram.stimuli) for gram in grams)) if grams else set(shown)
    wanted = samples[kind].fillna("").astype(str).to_numpy()
    is_own = np.array([s in known for s in shown]) & (wanted != "")
    absent = sorted(set(shown[(shown != "") & ~np.isin(shown, list(known))]))
    warnings = []
    if absent:
        warnings.append(
            f"{len(absent)} stimuli have no features, such as {absent[0]!r}: dissimilarities are "
            "compared without them."
        )
    names = tuple(sorted(set(wanted[is_own])))
    check_number(len(names), kind)
    rows = tuple(np.flatnonzero(is_own & (wanted == name)) for name in names)
    stimuli = tuple(tuple(sorted(set(shown[own]))) for own in rows)
    return Items(names, rows, stimuli, tuple(warnings))


def check_number(n: int, kind: Kind) -> None:
    """Refuse so few or so many items that their dissimilarities are not compared.

    Parameters
    ----------
    n
    kind

    Raises
    ------
    NotEnoughDataError
        If there are fewer than four: a participant may lack some.
    ConfigError
        If there are more than 400.
    """
    if LEAST <= n <= MOST:
        return
    many = "condition" if kind == "stimulus" else "stimulus"
    what = {"stimulus": "stimuli", "condition": "conditions"}[kind]
    kind_of_error = NotEnoughDataError if n < LEAST else ConfigError
    raise kind_of_error(
        f"There are {n} {what} that can be compared; dissimilarities around each unit are "
        f"compared between {LEAST} and {MOST}.",
        mend=f'Type items = "{many}" under [searchlight], or leave models out.',
    )


def ranked_pairs(matrices: Array) -> Array:
    """Return the ranks of pairs, of mean zero and length one.

    Parameters
    ----------
    matrices : (k, n, n)

    Returns
    -------
    ranks : (k, n_pairs)
        NaN where all pairs are one.
    """
    n = matrices.shape[1]
    return standard_ranks(matrices[:, ~np.tri(n, dtype=bool)])


@dataclass(frozen=True, slots=True, eq=False)
class Laid:
    """Patterns of items, laid out so that spheres can be taken from them.

    Parameters
    ----------
    patterns
        Columns are items; where there are `parts`, those of each run, and then what differs within
        items and runs.
    distance
    parts
        None = each item has one pattern.
    warnings
    """

    patterns: Patterns
    distance: Distance
    parts: Parts | None
    warnings: tuple[str, ...]

    def spheres(self, start: int, stop: int) -> tuple[Array, NDArray[np.integer[Any]]]:
        """Return the ranked dissimilarities of some spheres.

        Parameters
        ----------
        start, stop
            Numbers of the first center, and of the one after the last.

        Returns
        -------
        ranks : (b, n_pairs)
            NaN where the responses to an item do not vary.
        n_units : (b,)
            Measured units of each.
        """
        taken, n_units = self.patterns.take(start, stop)  # (b, widest, n)
        if self.parts is not None:
            return _across_runs(taken, n_units, self.parts), n_units
        gram = taken.mT @ taken
        power = np.diagonal(gram, axis1=1, axis2=2)
        if self.distance == "euclidean":
            return ranked_pairs(power[:, :, None] + power[:, None] - 2 * gram), n_units
        sums = taken.sum(axis=1) / np.sqrt(np.maximum(n_units, 1))[:, None]
        centered = gram - sums[:, :, None] * sums[:, None]
        left = np.diagonal(centered, axis1=1, axis2=2)
        scale = 1 / np.sqrt(np.where(left > VARIES * power, left, np.nan))
        made = ranked_pairs(-np.nan_to_num(centered * scale[:, :, None] * scale[:, None]))
        made[np.isnan(scale).any(axis=1)] = np.nan
        return made, n_units


def lay_out_items(
    responses: Responses, items: Items, around: Neighbours, distance: Distance
) -> Laid:
    """Average responses to each item, over all samples or within runs.

    Parameters
    ----------
    responses
    items
    around
        Units around each center.
    distance

    Raises
    ------
    NotEnoughDataError
        If distances are across runs, and fewer than two show all items.
    """
    values = responses.values
    if distance != "crossnobis":
        means = np.stack([values[rows].mean(axis=0) for rows in items.rows])
        patterns = lay_out(means.astype(np.float32), around)
        return Laid(patterns, distance, None, _mixed_runs(responses, items))
    names = np.full(len(values), "", dtype=object)
    for name, rows in zip(items.names, items.rows, strict=True):
        names[rows] = name
    samples = responses.samples
    runs = (samples["session"].fillna("").astype(str) + " " + samples["run"].astype(str)).tolist()
    parts = parts_of(list(names), runs)
    told = []
    if (n_shown := len(set(np.array(runs)[names != ""]))) > len(parts.runs):
        told.append(
            f"{n_shown - len(parts.runs)} of {n_shown} runs do not show all items, and "
            "crossnobis distances are taken without them."
        )
    if not parts.df:
        told.append(
            "Each item has one sample in each run, so that noise is not known: crossnobis "
            "distances are not divided by it."
        )
    rows = np.concatenate([parts.means(values), parts.residuals(values)])
    return Laid(lay_out(rows.astype(np.float32), around), distance, parts, tuple(told))


def _across_runs(taken: Array, n_units: NDArray[np.integer[Any]], parts: Parts) -> Array:
    """Return the ranked crossnobis distances (b, n_pairs) of spheres."""
    n_means = len(parts.runs) * len(parts.items)
    means, rest = taken[:, :, :n_means], taken[:, :, n_means:]
    covariance = noise_covariance(rest, n_units, df=parts.df) if parts.df else None
    made = crossed_distances(means, len(parts.runs), covariance=covariance)
    varies = (np.ptp(means, axis=2) > 0).any(axis=1)
    ranked = ranked_pairs(made)
    ranked[~varies] = np.nan
    return ranked


def _mixed_runs(responses: Responses, items: Items) -> tuple[str, ...]:
    """Warn where items were shown in different runs."""
    run = responses.samples["run"]
    if len({tuple(sorted(set(run.iloc[own]))) for own in items.rows}) == 1:
        return ()
    return (
        "Not all items were shown in the same runs: what differs between runs enters their "
        'dissimilarities (standardize = "run" under [responses] takes out its mean).',
    )
