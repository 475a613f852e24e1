"""Compare dissimilarities around each unit with those of the layers of networks."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import factorial
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from bids_dnn.analyses.rsa.dissimilarity import VARIES, rdm_from_gram
from bids_dnn.containers.features import FeatureGram
from bids_dnn.containers.nulls import NullMap
from bids_dnn.containers.responses import Responses
from bids_dnn.containers.result import Result, StatMap, distinct, model_label
from bids_dnn.errors import NotEnoughDataError
from bids_dnn.stats.inference import p_floor
from bids_dnn.stats.neighbours import Neighbours
from bids_dnn.stats.regions import RegionUnits
from bids_dnn.stats.spheres import (
    COLUMNS,
    RSA,
    Patterns,
    blocks,
    lay_out,
    p_map,
    p_of_maps,
    row_of,
)

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]
Items = Literal["stimulus", "condition"]
Distance = Literal["correlation", "euclidean"]
LEAST, MOST = 4, 400  # items: three pairs have too few ranks; pairs grow with the square
FEW = 9  # items whose orders may be listed
ALIKE = 1e-9  # of the largest dissimilarity: less between pairs is rounding
WORDS = {
    "correlation": "1 - Pearson's r over units",
    "euclidean": "squared distance",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RsaChoices:
    """How dissimilarities are compared.

    Parameters
    ----------
    items
        What is compared in pairs: each ``stimulus``, or each ``condition``.
    distance
        Of two items: ``correlation`` (1 - Pearson's r) or ``euclidean`` (squared distance).
    n_maps : int
        Exchanges of the items of a layer.
    seed
        Of what is drawn; the same for all participants.
    """

    items: Items = "stimulus"
    distance: Distance = "correlation"
    n_maps: int = 100
    seed: int = 0


def compare_spheres(
    responses: Responses,
    centers: RegionUnits,
    around: Neighbours,
    grams: Sequence[FeatureGram],
    *,
    choices: RsaChoices,
    progress: Progress | None = None,
) -> Result:
    """Correlate the dissimilarities of items around each unit with those in each layer.

    Responses to an item are averaged first, over all samples; features of a condition are the
    mean over its stimuli. Both matrices are compared by Spearman's rank correlation over pairs.
    The null comes from exchanging the items of the layer, the same exchange for all spheres and
    layers, so that each makes a whole map, and for all participants who have the same items: they
    have seen the same, so that what is shared by chance is shared by all. Where there are no more
    orders than maps asked for, all of them are taken.

    Parameters
    ----------
    responses
        Samples with a stimulus (and a condition, where these are compared); others are left out.
    centers
        The units around which is compared.
    around
        Units around each of them.
    grams
        Of layers, with the stimuli that were shown; those without features are left out.
    choices
    progress
        Told how many centers are done, and of how many.

    Returns
    -------
    result
        A row, a map of the correlation and one of p for each layer; NaN where the responses to an
        item do not vary over a sphere.

    Raises
    ------
    NotEnoughDataError
        If there are fewer than four items, more than 400, features of one are all equal, or all
        items of a layer are equally far apart.

    References
    ----------
    Kriegeskorte, Mur & Bandettini (2008), Front. Syst. Neurosci. 2:4,
    doi:10.3389/neuro.06.004.2008.
    Kriegeskorte, Goebel & Bandettini (2006), PNAS 103:3863, doi:10.1073/pnas.0600244103.
    """
    items = _items_of(responses, grams, choices.items)
    models = np.stack([_model(gram, items, choices.distance) for gram in grams])
    exchanges = _exchanges(items.names, choices)
    means = np.stack([responses.values[rows].mean(axis=0) for rows in items.rows])
    patterns = lay_out(means.astype(np.float32), around)
    found = np.empty((len(models), len(exchanges), len(around)), dtype=np.float32)
    n_units = np.zeros(len(around), dtype=np.intp)
    ranked = [_ranked(np.stack([one[e][:, e] for e in exchanges])) for one in models]
    for start, stop in blocks(len(around)):
        own, n_units[start:stop] = _spheres(patterns, start, stop, choices.distance)
        for k, one in enumerate(ranked):
            found[k, :, start:stop] = (own @ one.T).T
        if progress is not None:
            progress(stop, len(around))
    return _result(found, n_units, responses, centers, grams, items, choices)


@dataclass(frozen=True, slots=True)
class _Items:
    """What is compared in pairs."""

    names: tuple[str, ...]
    rows: tuple[NDArray[np.intp], ...]  # samples of each
    stimuli: tuple[tuple[str, ...], ...]  # of each
    warnings: tuple[str, ...]


def _items_of(responses: Responses, grams: Sequence[FeatureGram], kind: Items) -> _Items:
    samples = responses.samples
    shown = samples["stimulus"].fillna("").astype(str).to_numpy()
    known = set.intersection(*(set(gram.stimuli) for gram in grams))
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
    if not LEAST <= len(names) <= MOST:
        many = "condition" if kind == "stimulus" else "stimulus"
        what = {"stimulus": "stimuli", "condition": "conditions"}[kind]
        raise NotEnoughDataError(
            f"There are {len(names)} {what} with responses and features; dissimilarities "
            f"around each unit are compared between {LEAST} and {MOST}.",
            mend=f'Type items = "{many}" under [searchlight], or leave models out.',
        )
    rows = tuple(np.flatnonzero(is_own & (wanted == name)) for name in names)
    stimuli = tuple(tuple(sorted(set(shown[own]))) for own in rows)
    runs = {tuple(sorted(set(samples["run"].iloc[own]))) for own in rows}
    if len(runs) > 1:
        warnings.append(
            "Not all items were shown in the same runs: what differs between runs enters their "
            'dissimilarities (standardize = "run" under [responses] takes out its mean).'
        )
    return _Items(names, rows, stimuli, tuple(warnings))


def _model(gram: FeatureGram, items: _Items, distance: Distance) -> Array:
    """Return the dissimilarities (n, n) of items in a layer."""
    stimuli = tuple(dict.fromkeys(s for own in items.stimuli for s in own))
    place = {name: k for k, name in enumerate(stimuli)}
    mean = np.zeros((len(items.names), len(stimuli)))
    for row, own in zip(mean, items.stimuli, strict=True):
        row[[place[name] for name in own]] = 1 / len(own)
    at = {name: k for k, name in enumerate(gram.stimuli)}
    sums = None if gram.sums is None else mean @ gram.sums[[at[name] for name in stimuli]]
    products = mean @ gram.take(stimuli) @ mean.T
    made = rdm_from_gram(
        products, method=distance, n_features=gram.n_features, sums=sums, stimuli=items.names
    ).matrix()
    if np.isnan(made).any():
        raise NotEnoughDataError(
            f"Features of {gram.layer} of {gram.network} are all equal for an item, which has no "
            "correlation with others.",
            mend='Type distance = "euclidean" under [searchlight], or leave the layer out.',
        )
    pairs = made[~np.tri(len(made), dtype=bool)]
    if np.ptp(pairs) <= ALIKE * np.abs(pairs).max(initial=0):
        raise NotEnoughDataError(
            f"All items are equally far apart in {gram.layer} of {gram.network}, so that their "
            "dissimilarities have no ranks.",
            mend="Leave the network out of models under [searchlight], or name other layers.",
        )
    return made


def _exchanges(names: Sequence[str], choices: RsaChoices) -> NDArray[np.intp]:
    """Return orders (1 + n_maps, n) of the items; the first is as they are.

    The same for all who have the same items. Where there are no more, all orders.
    """
    n = len(names)
    if n <= FEW and factorial(n) <= choices.n_maps + 1:
        return np.array(list(permutations(range(n))), dtype=np.intp)
    rng = np.random.default_rng([choices.seed, _same(names)])
    drawn = [rng.permutation(n) for _ in range(choices.n_maps)]
    return np.stack([np.arange(n), *drawn]).astype(np.intp)


def _same(names: Sequence[str], *more: int) -> int:
    """Return a number that is one for all who have the same items."""
    return zlib.crc32("\n".join([*names, *map(str, more)]).encode())


def _ranked(matrices: Array) -> Array:
    """Return the ranks (k, n_pairs) of pairs, of mean zero and length one; NaN without spread."""
    n = matrices.shape[1]
    pairs = matrices[:, ~np.tri(n, dtype=bool)]
    ranks = rankdata(pairs, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    length = np.linalg.norm(ranks, axis=1, keepdims=True)
    made: Array = np.divide(ranks, length, out=np.full_like(ranks, np.nan), where=length > 0)
    return made


def _spheres(
    patterns: Patterns, start: int, stop: int, distance: Distance
) -> tuple[Array, NDArray[np.integer[Any]]]:
    """Return the ranked dissimilarities (b, n_pairs) of some spheres, and their units (b,)."""
    taken, n_units = patterns.take(start, stop)  # (b, widest, n)
    gram = taken.mT @ taken
    power = np.diagonal(gram, axis1=1, axis2=2)
    if distance == "euclidean":
        return _ranked(power[:, :, None] + power[:, None] - 2 * gram), n_units
    sums = taken.sum(axis=1) / np.sqrt(np.maximum(n_units, 1))[:, None]
    centered = gram - sums[:, :, None] * sums[:, None]
    left = np.diagonal(centered, axis1=1, axis2=2)
    scale = 1 / np.sqrt(np.where(left > VARIES * power, left, np.nan))
    made = _ranked(-np.nan_to_num(centered * scale[:, :, None] * scale[:, None]))
    made[np.isnan(scale).any(axis=1)] = np.nan
    return made, n_units


def _result(
    found: NDArray[np.float32],
    n_units: NDArray[np.intp],
    responses: Responses,
    centers: RegionUnits,
    grams: Sequence[FeatureGram],
    items: _Items,
    choices: RsaChoices,
) -> Result:
    rows, maps, nulls = [], [], {}
    n_maps = found.shape[1] - 1
    floor = p_floor(n_maps, enumerated=False)
    labels = distinct([model_label(gram.network, gram.layer) for gram in grams])
    for own, gram, label in zip(found, grams, labels, strict=True):
        scores, name = own[0], f"{gram.network} {gram.layer}"
        p, p_corrected = p_of_maps(scores, iter(own[1:]))
        nulls[label] = NullMap(own[1:])
        rows.append(
            {
                "comparison": name,
                "n_classes": 0,
                "metric": RSA,
                "chance": 0.0,
                "map": label,
                "n_samples": len(items.names),
                "n_maps": n_maps,
                "p_corrected": p_corrected,
                "p_floor": floor,
            }
            | row_of(scores, n_units)
        )
        words = (
            f"Spearman's correlation of dissimilarities around each unit with those in {name}, "
            "-1 to 1, 0 by chance; NaN where responses to an item do not vary."
        )
        maps.append(StatMap(RSA, scores, label, words))
        maps.append(p_map(p, label, name=name, by="items", floor=floor))
    meta = {
        "items": choices.items,
        "distance": WORDS[choices.distance],
        "n_items": len(items.names),
        "rsa_permutation": "items of the layer exchanged",
        "rsa_exchanges": f"{_same(items.names, choices.seed):08x}",
        "warnings": list(items.warnings),
    }
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    space = responses.space.select(centers.units)
    return Result("searchlight", table, COLUMNS, tuple(maps), space, meta, null_maps=nulls)
