"""Compare dissimilarities around each unit with those of the layers of networks."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from math import factorial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.analyses.rsa.categories import category_rdm
from bids_dnn.analyses.rsa.dissimilarity import Method, rdm_from_gram
from bids_dnn.analyses.rsa.laid import (
    Distance,
    Items,
    Kind,
    items_of,
    lay_out_items,
    ranked_pairs,
)
from bids_dnn.containers.features import FeatureGram
from bids_dnn.containers.nulls import NullMap
from bids_dnn.containers.responses import Responses
from bids_dnn.containers.result import Result, StatMap, distinct, model_label
from bids_dnn.containers.space import Space
from bids_dnn.errors import NotEnoughDataError
from bids_dnn.stats.neighbours import Neighbours
from bids_dnn.stats.regions import RegionUnits
from bids_dnn.stats.spheres import (
    COLUMNS,
    RSA,
    blocks,
    p_map,
    p_of_maps,
    row_of,
)

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]
FEW = 9  # items whose orders may be listed
WEAK = 0.05  # floors of p from which on it is told
ALIKE = 1e-9  # of the largest dissimilarity: less between pairs is rounding
WORDS = {
    "correlation": "1 - Pearson's r over units",
    "euclidean": "squared distance",
    "crossnobis": "squared distance across runs, noise normalized",
}
OF_LAYERS: dict[Distance, Method] = {
    "correlation": "correlation",
    "euclidean": "euclidean",
    "crossnobis": "euclidean",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RsaChoices:
    """How dissimilarities are compared.

    Parameters
    ----------
    items
        What is compared in pairs: each ``stimulus``, or each ``condition``.
    distance
        Of two items: ``correlation`` (1 - Pearson's r), ``euclidean`` (squared distance) or
        ``crossnobis`` (squared distance across runs, in units of noise; in layers ``euclidean``).
    n_maps : int
        Exchanges of the items of a layer.
    seed
        Of what is drawn; the same for all participants.
    """

    items: Kind = "stimulus"
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
    labels: Mapping[str, Mapping[str, str]] | None = None,
    progress: Progress | None = None,
) -> Result:
    """Correlate the dissimilarities of items around each unit with those of each model.

    A model is a layer, or labels of items: those of one label are alike. Responses to an item are
    averaged first, over all samples (``crossnobis``: over those of each run that shows all items);
    features of a condition are the mean over its stimuli. Both matrices are compared by
    Spearman's rank correlation over pairs.
    The null comes from exchanging the items of the model, the same exchange for all spheres and
    models, so that each makes a whole map, and for all participants who have the same items: they
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
    labels
        Of items, by the name of a model; one that lacks an item is left out with a warning.
    progress
        Told how many centers are done, and of how many.

    Returns
    -------
    result
        A row, a map of the correlation and one of p for each model; NaN where the responses to an
        item do not vary over a sphere. Labels that cannot be compared are told in its warnings.

    Raises
    ------
    NotEnoughDataError
        If there is no model, or none is left, there are fewer than four items, more than 400,
        features of one are all equal, all items of a layer are equally far apart, or fewer than
        two runs show all items (``crossnobis``).

    References
    ----------
    Kriegeskorte, Mur & Bandettini (2008), Front. Syst. Neurosci. 2:4,
    doi:10.3389/neuro.06.004.2008.
    Kriegeskorte, Goebel & Bandettini (2006), PNAS 103:3863, doi:10.1073/pnas.0600244103.
    Walther et al. (2016), NeuroImage 137:188, doi:10.1016/j.neuroimage.2015.12.012 (crossnobis).
    """
    items = items_of(responses, grams, choices.items)
    models, lost = _models(grams, labels or {}, items, choices.distance)
    exchanges = _exchanges(items.names, choices)
    laid = lay_out_items(responses, items, around, choices.distance)
    found = np.empty((len(models), len(exchanges), len(around)), dtype=np.float32)
    n_units = np.zeros(len(around), dtype=np.intp)
    ranked = [
        ranked_pairs(np.stack([one.matrix[e][:, e] for e in exchanges])) for one in models.values()
    ]
    for start, stop in blocks(len(around)):
        own, n_units[start:stop] = laid.spheres(start, stop)
        for k, one in enumerate(ranked):
            found[k, :, start:stop] = (own @ one.T).T
        if progress is not None:
            progress(stop, len(around))
    items = replace(items, warnings=(*items.warnings, *lost, *laid.warnings))
    floors = [_floor(one.matrix, exchanges) for one in models.values()]
    space = responses.space.select(centers.units)
    return _result(found, n_units, space, models, items, choices, floors)


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    """What dissimilarities are compared with."""

    name: str
    label: str  # of its maps, before they are made distinct
    matrix: Array  # (n_items, n_items)


def _models(
    grams: Sequence[FeatureGram],
    labels: Mapping[str, Mapping[str, str]],
    items: Items,
    distance: Distance,
) -> tuple[dict[str, _Model], list[str]]:
    """Return layers, then labels of items, by the label of their maps; why labels are left out."""
    made, errors = [], []
    for gram in grams:
        name, label = f"{gram.network} {gram.layer}", model_label(gram.network, gram.layer)
        made.append(_Model(name, label, _model(gram, items, OF_LAYERS[distance])))
    for name, own in labels.items():
        try:
            matrix = category_rdm(own, items.names, name=name).matrix()
        except NotEnoughDataError as err:
            errors.append(err)
        else:
            made.append(_Model(name, model_label(name, ""), matrix))
    if errors and not made:
        raise errors[0]
    if not made:
        raise NotEnoughDataError(
            "There is no model to compare dissimilarities with.",
            mend="Name models or categories under [searchlight].",
        )
    lost = [f"The model is left out: {err}" for err in errors]
    return dict(zip(distinct([one.label for one in made]), made, strict=True)), lost


def _model(gram: FeatureGram, items: Items, distance: Method) -> Array:
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


def _floor(matrix: Array, exchanges: NDArray[np.intp]) -> float:
    """Return the smallest p: exchanges that leave a model as it is are as high as it."""
    same = [np.array_equal(matrix[np.ix_(order, order)], matrix) for order in exchanges]
    return float(np.mean(same))


def _weak(models: Mapping[str, _Model], floors: Sequence[float], n_maps: int) -> list[str]:
    """Say which models exchanges often leave as they are, however many maps are asked for."""
    return [
        f"Of {one.name!r}, {floor:.1%} of the exchanges of items are no other model: p of a unit "
        f"cannot fall below {floor:.2g}."
        for one, floor in zip(models.values(), floors, strict=True)
        if floor >= WEAK and floor * (n_maps + 1) > 1.5
    ]


def _same(names: Sequence[str], *more: int) -> int:
    """Return a number that is one for all who have the same items."""
    return zlib.crc32("\n".join([*names, *map(str, more)]).encode())


def _result(
    found: NDArray[np.float32],
    n_units: NDArray[np.intp],
    space: Space,
    models: Mapping[str, _Model],
    items: Items,
    choices: RsaChoices,
    floors: Sequence[float],
) -> Result:
    rows, maps, nulls = [], [], {}
    n_maps = found.shape[1] - 1
    for own, (label, model), floor in zip(found, models.items(), floors, strict=True):
        scores, name = own[0], model.name
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
        "rsa_permutation": "items of the model exchanged",
        "rsa_exchanges": f"{_same(items.names, choices.seed):08x}",
        "warnings": [*items.warnings, *_weak(models, floors, n_maps)],
    }
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return Result("searchlight", table, COLUMNS, tuple(maps), space, meta, null_maps=nulls)
