"""Banded ridge as an estimator of encoding: feature spaces from layers, tables of their shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.analyses.encode.banded import BandedFit, Search, fit_banded
from bids_dnn.analyses.encode.banded_search import Mask, Space, spread_over
from bids_dnn.analyses.encode.edges import banded_warnings
from bids_dnn.analyses.encode.model import Extras, Keep, Model, Task
from bids_dnn.analyses.encode.partition import MOST, partition_variance
from bids_dnn.analyses.encode.select import Selection
from bids_dnn.containers.features import FeatureGram
from bids_dnn.containers.result import EVERY, StatMap, model_label
from bids_dnn.errors import ConfigError
from bids_dnn.stats.metrics import finite_mean

Array = NDArray[np.float64]
SPACES = "all spaces"  # in place of a layer


def fit_spaces(task: Task, keep: Keep) -> Extras:
    """Fit all feature spaces jointly by banded ridge, each unit with weights of its own.

    Parameters
    ----------
    task
    keep
        Takes the model of all spaces.

    Returns
    -------
    extras
        Table ``spaces``: what each brings, and its weight; where asked for, ``partition``: what
        each explains alone and what they share. Maps of the former.

    Raises
    ------
    ConfigError
        If there is one space only, or variance is to be divided between more than four.
    """
    data, choices = task.data, task.choices
    grams = spaces_of(task)
    check_spaces(
        [(one.network, one.layer, one.n_components) for one in task.grams],
        spaces=choices.spaces,
        select=choices.select,
        is_partitioned=choices.is_partitioned,
    )
    n_components = _components(task, grams)
    kept = tuple(n_components.values())
    search = _search(task)
    task.say(f"banded ridge on {len(grams)} feature spaces")
    how: dict[str, Any] = {
        "folds": data.folds,
        "inner": data.inner,
        "search": search,
        "teaching": data.teaching,
    }
    if choices.is_partitioned:
        found = partition_variance(grams, data.truth, n_components=n_components, **how)
        made = found.whole
        parts: Mapping[str, Array] = found.parts
    else:
        made = fit_banded(list(grams.values()), data.truth, n_components=kept, **how)
        parts = {}
    keep(Model.of_all(("banded", EVERY, SPACES), made.guess, data))
    extras = Extras(
        tables={"spaces": _spaces_table(task, made, list(grams))},
        maps=_maps(task, made, list(grams), parts),
        warnings=banded_warnings(
            float(made.at_edge[:, : data.n_units].mean()), is_given=search.alphas is not None
        ),
        facts={
            "spaces": list(grams),
            "banded": {
                "select": search.select,
                "n_candidates": search.n_candidates,
                "refined": search.refine,
                "alphas": "of the spectrum" if search.alphas is None else search.alphas.tolist(),
                "share_at_edge": float(made.at_edge.mean()),
            },
        },
    )
    if parts:
        extras.tables["partition"] = _partition_table(task, parts)
    return extras


def check_spaces(
    layers: Sequence[tuple[str, str, int]], *, spaces: str, select: str, is_partitioned: bool
) -> None:
    """Refuse what banded ridge cannot do with some layers.

    Parameters
    ----------
    layers
        Network, layer, and number of principal components that are kept (0 = all).
    spaces, select, is_partitioned
        As in `Choices`.

    Raises
    ------
    ConfigError
        If there is one space only, variance is to be divided between more than four, or
        principal components cannot be learnt anew where they are needed.
    """
    joins = spaces == "network"
    names = list(dict.fromkeys(net if joins else f"{net} {layer}" for net, layer, _ in layers))
    limited = sorted({network for network, _, n_components in layers if n_components})
    if len(names) < 2:
        raise ConfigError(
            f"Banded ridge joins feature spaces, and there is one: {', '.join(names)}.",
            mend="Name another layer or network (--network NAME@LAYER,LAYER), or use ridge.",
        )
    if is_partitioned and len(names) > MOST:
        raise ConfigError(
            f"encode.partition asks for the variance that {len(names)} feature spaces share; "
            f"{MOST} can be divided at most.",
            mend="Name fewer layers, or join those of a network (encode.spaces = 'network').",
        )
    if limited and joins:
        raise ConfigError(
            f"The layers of {limited[0]} are to be one feature space, and of each the first "
            "principal components are to be kept.",
            mend="Leave reduce out, or take each layer as a space (encode.spaces = 'layer').",
        )
    if limited and select not in ("auto", "inner"):
        raise ConfigError(
            f"Principal components of {limited[0]} are to be kept, with encode.select = "
            f"{select!r}; for banded ridge they would have been learnt on what is left out.",
            mend="Select by inner folds (encode.select = 'inner'), or leave reduce out.",
        )


def spaces_of(task: Task) -> dict[str, Space]:
    """Return each feature space, by name: a Gram matrix, or a function as `fit_banded` takes it.

    Layers of a network that is one space are added, each divided by its variance over the
    training images of the fold, so that none decides by its scale.

    Parameters
    ----------
    task
    """
    stimuli = task.data.stimuli
    if task.choices.spaces == "layer":
        return {f"{one.network} {one.layer}": one.take(stimuli) for one in task.grams}
    layers: dict[str, list[FeatureGram]] = {}
    for gram in task.grams:
        layers.setdefault(gram.network, []).append(gram)
    return {name: partial(_joined, grams, stimuli) for name, grams in layers.items()}


def _joined(layers: Sequence[FeatureGram], stimuli: Sequence[str], train: Mask) -> Array:
    """Add layers, each divided by its variance over some training images; one at a time."""
    total = np.zeros((len(stimuli), len(stimuli)))
    for layer in layers:
        gram = layer.take(stimuli)
        if spread := spread_over(gram, train):
            total += gram / spread
    return total


def _components(task: Task, grams: Mapping[str, Space]) -> dict[str, int]:
    """Return how many principal components of each space are kept; 0 = all."""
    if task.choices.spaces == "layer":
        return {f"{one.network} {one.layer}": one.n_components for one in task.grams}
    return dict.fromkeys(grams, 0)


def _search(task: Task) -> Search:
    """Return how weights are sought: on inner folds unless said otherwise, refined there."""
    choices = task.choices
    select: Selection = "inner" if choices.select == "auto" else choices.select
    given = choices.alphas
    return Search(
        None if given is None else np.asarray(given),
        n_candidates=choices.n_candidates,
        select=select,
        refine=select == "inner",
        seed=choices.seed,
    )


def _spaces_table(task: Task, made: BandedFit, names: list[str]) -> pd.DataFrame:
    rows = [
        (
            region.name,
            target,
            name,
            finite_mean(made.split[k, columns]),
            float(made.weights[:, k, columns].mean()),
        )
        for region, target, columns in task.data.places()
        for k, name in enumerate(names)
    ]
    return pd.DataFrame(rows, columns=["region", "target", "space", "r2", "weight"])


def _partition_table(task: Task, parts: Mapping[str, Array]) -> pd.DataFrame:
    rows = [
        (region.name, target, name, finite_mean(values[columns]))
        for region, target, columns in task.data.places()
        for name, values in parts.items()
    ]
    return pd.DataFrame(rows, columns=["region", "target", "part", "r2"])


def _maps(
    task: Task, made: BandedFit, names: list[str], parts: Mapping[str, Array]
) -> list[StatMap]:
    n = task.data.n_units
    maps = [
        StatMap(
            "rsquaredsplit",
            made.split[k, :n].astype(np.float32),
            model_label("", name, "banded"),
            f"The part of R^2 that {name} brings in banded ridge (product measure); sums over "
            "spaces to R^2, and may be negative.",
        )
        for k, name in enumerate(names)
    ]
    return maps + [
        StatMap(
            "rsquaredunique",
            parts[name][:n].astype(np.float32),
            model_label("", name, "banded"),
            f"R^2 of all spaces less that of all but {name}.",
        )
        for name in names
        if name in parts
    ]
