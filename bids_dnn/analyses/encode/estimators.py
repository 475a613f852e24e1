"""The estimators of encoding: each hands over its models one by one, so that none waits in memory.

To add one: a function from a `Task` and what takes a `Model` to `Extras`, and a line in
`ESTIMATORS`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.analyses.encode.chosen import ChosenLayer
from bids_dnn.analyses.encode.edges import ALPHAS, chosen_penalties, edge_warnings
from bids_dnn.analyses.encode.estimate_banded import fit_spaces
from bids_dnn.analyses.encode.estimate_readouts import ESTIMATORS as READOUT_ESTIMATORS
from bids_dnn.analyses.encode.layer import fit_layer
from bids_dnn.analyses.encode.model import (
    Columns,
    Extras,
    Keep,
    Model,
    Task,
)
from bids_dnn.analyses.encode.pls_fit import GramOf, PlsFit, fit_groups
from bids_dnn.analyses.encode.tables import assignment_table, flat_warnings, layer_map
from bids_dnn.backend import on_device
from bids_dnn.containers.features import FeatureGram
from bids_dnn.containers.result import CHOSEN, EVERY
from bids_dnn.errors import ConfigError
from bids_dnn.stats.kernels import principal, scaled_gram

Array = NDArray[np.float64]
COMPONENTS = {
    "fold": "Fold of images",
    "n_components": "Components that its training images chose, on inner folds",
    "most": "The most that were offered",
}


def fit_ridge(task: Task, keep: Keep) -> Extras:
    """Fit each layer by ridge regression, a penalty for each unit; then the layers units chose.

    Parameters
    ----------
    task
    keep
        Takes each model.

    Returns
    -------
    extras
        Tables ``alphas`` and, where there are several layers, ``assignment``.
    """
    data, choices = task.data, task.choices
    alphas = None if choices.alphas is None else np.asarray(choices.alphas, dtype=np.float64)
    taken = ChosenLayer(data.folds, data.stimuli, data.truth.shape[1])
    penalties: list[pd.DataFrame] = []
    flat: list[str] = []  # layers that answer all images alike
    for g, gram in enumerate(task.grams):
        task.say(f"encode {gram.network} {gram.layer} ({g + 1} of {len(task.grams)})")
        counts, label = _fit_one(task, g, alphas, taken, keep)
        penalties.append(counts)
        flat += [label] if label else []
    counted = pd.concat(penalties, ignore_index=True)
    extras = Extras(
        tables={"alphas": counted},
        warnings=[*flat_warnings(flat), *edge_warnings(counted, is_given=alphas is not None)],
        facts={
            "select": data.select,
            "alphas": "of the spectrum" if choices.alphas is None else list(choices.alphas),
            "alpha_unit": "mean diagonal of the centered training Gram matrix",
        },
        columns={"alphas": ALPHAS},
    )
    if len(task.grams) > 1:
        keep(Model.of_all(("ridge", EVERY, CHOSEN), taken.guess, data))
        extras.tables["assignment"] = assignment_table(taken, task.grams, data)
        extras.maps.append(layer_map(taken, task.grams, data))
    return extras


def _fit_one(
    task: Task, place: int, alphas: Array | None, taken: ChosenLayer, keep: Keep
) -> tuple[pd.DataFrame, str]:
    """Fit a layer, hand it over, and let its predictions go.

    Returns
    -------
    penalties
        How often each was chosen.
    label
        Of a layer that answers all images alike; else "".
    """
    data, gram = task.data, task.grams[place]
    made = fit_layer(
        on_device(gram.take(data.stimuli), task.device),
        data.truth,
        folds=data.folds,
        inner=data.inner,
        alphas=alphas,
        select=data.select,
        teaching=data.teaching,
        n_components=gram.n_components,
    )
    taken.offer(place, made)
    names = ("ridge", gram.network, gram.layer)
    model = Model.of_all(names, made.guess, data, operator=made.operator)
    keep(model)
    return chosen_penalties(gram, made, data), "" if made.operator.any() else model.label()


def fit_pls(task: Task, keep: Keep) -> Extras:
    """Fit each layer by partial least squares: a region's units together, its mean alone.

    Features and responses are divided by their SD over the training images of each fold, and of
    each inner fold, where the choices say so.

    Parameters
    ----------
    task
    keep
        Takes each model.

    Returns
    -------
    extras
        Table ``components``: how many were chosen.

    Raises
    ------
    ConfigError
        If features are to be scaled, and a layer's are not at hand or are principal components.
    """
    data = task.data
    places = data.places()
    columns = np.concatenate([own for *_, own in places])  # a unit of two regions is in both
    ends = np.cumsum([0, *(len(own) for *_, own in places)])
    groups = [np.arange(a, b) for a, b in pairwise(ends)]
    rows = []
    for g, gram in enumerate(task.grams):
        task.say(f"pls {gram.network} {gram.layer} ({g + 1} of {len(task.grams)})")
        made = _pls(task, gram, columns, groups)
        keep(Model("pls", gram.network, gram.layer, made.guess, columns, groups))
        rows += [
            (region.name, target, gram.network, gram.layer, fold.name, int(k[group[0]]), made.most)
            for (region, target, _), group in zip(places, groups, strict=True)
            for fold, k in zip(data.folds, made.n_components, strict=True)
        ]
    names = ["region", "target", "network", "layer", "fold", "n_components", "most"]
    return Extras(
        tables={"components": pd.DataFrame(rows, columns=names)},
        facts={"pls_scale": task.choices.pls_scale},
        columns={"components": COMPONENTS},
    )


def _pls(task: Task, gram: FeatureGram, columns: Columns, groups: list[Columns]) -> PlsFit:
    """Fit columns of the responses, in groups that share components."""
    data = task.data
    return fit_groups(
        _products(task, gram),
        data.truth[:, columns],
        folds=data.folds,
        inner=data.inner,
        groups=groups,
        teaching=data.teaching and [one[:, columns] for one in data.teaching],
        scale=task.choices.pls_scale,
    )


def _products(task: Task, gram: FeatureGram) -> GramOf | np.ndarray:
    """Return the products of a layer, or what makes those that a training set teaches."""
    if task.choices.pls_scale and gram.n_components:
        raise ConfigError(
            f"encode.pls_scale is true, but {gram.network} {gram.layer} is reduced to principal "
            "components, which would all weigh the same once they are divided by their SD.",
            mend="Leave pls_scale out, or project in another way (reduce = 'srp(n=1000)').",
        )
    if task.choices.pls_scale:
        return partial(scaled_gram, task.columns_of(gram), device=task.device)
    whole = gram.take(task.data.stimuli)
    if gram.n_components:
        return partial(principal, whole, n_components=gram.n_components)
    return whole


ESTIMATORS: dict[str, Callable[[Task, Keep], Extras]] = {
    "ridge": fit_ridge,
    "pls": fit_pls,
    "banded": fit_spaces,
    **READOUT_ESTIMATORS,
}
