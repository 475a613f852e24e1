"""Readouts in space and features as estimators of encoding, with the fields of the units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.analyses.encode.model import Extras, Keep, Model, Task
from bids_dnn.containers.features import FeatureValues, ShownMaps
from bids_dnn.containers.readout import READOUTS
from bids_dnn.containers.result import StatMap, model_label
from bids_dnn.errors import ConfigError

if TYPE_CHECKING:
    from bids_dnn.analyses.encode.readouts.fit import ReadoutFit
    from bids_dnn.analyses.encode.readouts.forms import Setting
    from bids_dnn.analyses.encode.readouts.sources import FeatureSource

Array = NDArray[np.float64]
Maps = FeatureValues | ShownMaps
VALIDATION = 0.1  # share of the training images on which penalties are chosen
LEAST = 4  # of them, or more of few images
FROM = "from the center of the upper left pixel of the picture that the network sees, pixels"
FIELDS = {
    "unit": "Number of the unit among the columns of the responses",
    "x": "Center of the receptive field, to the right of the picture's center, in the unit of "
    "measured_in; n/a where the weights have no place",
    "y": "Center of the receptive field, above the picture's center, in the unit of measured_in",
    "size": "2 SD of the Gaussian, in the unit of measured_in",
    "r2": "Share of the variance of the weights of places that the Gaussian describes",
    "x_px": f"Center of the receptive field, to the right {FROM}",
    "y_px": f"Center of the receptive field, down {FROM}",
    "size_px": "2 SD of the Gaussian, pixels of the picture that the network sees",
    "measured_in": "Unit of x, y and size: deg = degrees of visual angle; share = share of the "
    "side of the picture that the network sees",
}
PENALTY = "of the setting that was chosen; 0 = none, n/a where the unit was not fitted"
SETTINGS = {
    "unit": FIELDS["unit"],
    "fold": "Fold whose training images chose",
    "setting": "Number of the setting that was chosen, among those drawn, from 0; n/a where the "
    "unit was not fitted",
    "smooth": f"Penalty on the squared Laplacian over space, {PENALTY}",
    "ridge": f"Penalty on squares of weights, {PENALTY}",
    "sparse": f"Penalty on sizes of weights (L1), {PENALTY}",
    "channels": f"Penalty on norms of channels (group sparsity), {PENALTY}",
    "places": f"Penalty on norms of places, {PENALTY}",
    "rate": "First step of Adam, as a share of the root mean square of the weights at the start",
    "loss": "Least loss on the part of the training images that was held out: mean squared error "
    "in units of the variance (gaussian), or negative log likelihood of rates over their mean, "
    "but for a constant (poisson)",
    "is_diverged": "Whether training ended in a loss that is no number; the weights are the best "
    "before",
}


def fit_readouts(kind: str, task: Task, keep: Keep) -> Extras:
    """Fit each layer that has maps by a readout in space and features.

    Penalties are chosen for each unit on a part of the training images, by successive halving;
    training stops early on the same part. What was chosen is told. The field of a unit is a
    Gaussian fitted to how much each position weighs, averaged over folds.

    Parameters
    ----------
    kind
        One of `containers.readout.READOUTS`.
    task
    keep
        Takes each model.

    Returns
    -------
    extras
        Table ``fields``: place and size of each unit's field, in degrees (or shares of the
        picture) and in pixels, and how much of its weights the Gaussian describes. Maps of them.
        Table ``settings``: the penalties of each unit and fold, and the loss they left.

    Raises
    ------
    ConfigError
        If no layer has maps.
    """
    given = task.maps()
    if not given:
        raise ConfigError(
            f"encode.estimator is {kind!r}, but none of the layers puts out maps of features.",
            mend="Name convolutions or stages, such as --network alexnet@conv3, without :mean.",
        )
    found: list[pd.DataFrame] = []
    settings: list[pd.DataFrame] = []
    made: list[StatMap] = []
    source: dict[str, str] = {}
    for number, maps in enumerate(given):
        task.say(f"{kind} {maps.network} {maps.layer} ({number + 1} of {len(given)})")
        model, space, chosen = _fit(kind, task, maps)
        keep(model)
        source[maps.network] = "images" if isinstance(maps, ShownMaps) else "cache"
        fields = _fields(task, maps, space)
        found.append(_of_regions(task, maps, fields))
        settings += [_of_regions(task, maps, one) for one in chosen]
        made += _field_maps(task, maps, fields, kind)
    unit = "deg" if task.choices.stimulus_deg else "share"
    told = pd.concat(settings, ignore_index=True)
    return Extras(
        tables={
            f"fields{kind}": pd.concat(found, ignore_index=True).assign(measured_in=unit),
            f"settings{kind}": told,
        },
        maps=made,
        warnings=divergence_warnings(kind, told),
        facts={"readout_features": source, "readout_loss": task.choices.loss},
        columns={f"fields{kind}": FIELDS, f"settings{kind}": SETTINGS},
    )


def divergence_warnings(kind: str, settings: pd.DataFrame) -> list[str]:
    """Say for how many units and folds training ended in no number.

    Parameters
    ----------
    kind
        Of the readout.
    settings
        ``network``, ``layer`` and ``is_diverged``, a row for each unit and fold.
    """
    bad = settings[settings["is_diverged"]]
    if bad.empty:
        return []
    first = bad.iloc[0]
    return [
        f"Training of {kind} ended in a loss that is no number for {len(bad)} of {len(settings)} "
        f"units and folds, such as in {first['layer']} of {first['network']}; their weights are "
        "the best before."
    ]


def _fit(kind: str, task: Task, maps: Maps) -> tuple[Model, Array, list[pd.DataFrame]]:
    """Fit one layer.

    Returns
    -------
    model
    space : (n_columns, H, W)
        How much each position weighs.
    chosen
        For each fold, what was chosen, a row for each column.
    """
    from bids_dnn.analyses.encode.readouts.fit import fit_folds
    from bids_dnn.analyses.encode.readouts.forms import Options
    from bids_dnn.analyses.encode.readouts.search import draw_settings

    data, choices = task.data, task.choices
    source = _source(task, maps)
    settings = draw_settings(kind, choices.n_settings, np.random.default_rng([choices.seed, 7]))
    fewest = min(int(fold.train.sum()) for fold in data.folds)
    share = min(max(VALIDATION, LEAST / fewest), 0.5)
    options = Options(loss=choices.loss, validation=share, seed=choices.seed, device=task.device)
    guess = np.full(data.truth.shape, np.nan, dtype=np.float32)
    space = np.zeros((data.truth.shape[1], *source.shape[1:]))
    made = fit_folds(
        source,
        data.truth,
        data.folds,
        kind=kind,
        settings=settings,
        options=options,
        teaching=data.teaching,
    )
    chosen = []
    for (fold, one, told), mean in zip(made, data.training_means(), strict=True):
        guess[fold.test] = told - mean
        chosen.append(_chosen(one, settings, fold.name))
        weighs = np.abs(one.readout.space()).astype(np.float64)
        total = weighs.sum(axis=(1, 2), keepdims=True)
        space += weighs / np.where(total > 0, total, 1.0) / len(data.folds)
    return Model.of_all((kind, maps.network, maps.layer), guess, data), space, chosen


def _chosen(made: ReadoutFit, settings: Sequence[Setting], fold: str) -> pd.DataFrame:
    """Return the chosen setting of each column, and how training under it went."""
    number = pd.Series(made.chosen)
    values = pd.DataFrame([asdict(one) for one in settings])
    table = values.reindex(number).reset_index(drop=True)  # -1 = not fitted: NaN
    table.insert(0, "setting", number.where(number >= 0).astype("Int64"))
    table.insert(0, "fold", fold)
    return table.assign(loss=made.loss, is_diverged=made.is_diverged)


def _source(task: Task, maps: Maps) -> FeatureSource:
    """Return what gives the maps of the images of the data."""
    from bids_dnn.analyses.encode.readouts.sources import ArraySource, NetworkSource

    rows = maps.rows_of(task.data.stimuli)
    if isinstance(maps, ShownMaps):
        return NetworkSource(maps.pictures, maps.look, order=rows, device=task.device)
    return ArraySource(maps.values, order=rows, device=task.device)


def _fields(task: Task, maps: Maps, space: Array) -> pd.DataFrame:
    """Return the field of each unit: place, size, and how well a Gaussian describes it."""
    from bids_dnn.analyses.encode.readouts.fields import FEWEST_CELLS, fit_fields

    n = task.data.n_units
    names = ["x", "y", "size", "r2", "x_px", "y_px", "size_px"]
    made = pd.DataFrame(np.full((n, len(names)), np.nan), columns=names)
    if min(space.shape[1:]) < FEWEST_CELLS:
        return made
    found = fit_fields(space[:n])
    side = task.choices.stimulus_deg or 1.0
    placed = found.in_degrees(side, side)
    made["x"], made["y"], made["size"], made["r2"] = placed.x, placed.y, placed.diameter, found.r2
    if maps.size_px:
        seen = found.in_pixels(maps.size_px, maps.size_px)
        made["x_px"], made["y_px"], made["size_px"] = seen.x, seen.y, seen.diameter
    return made


def _of_regions(task: Task, maps: Maps, columns: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each unit of each region, of a table with a row for each column."""
    made = []
    for region, own in task.data.regions:
        rows = columns.iloc[own].reset_index(drop=True)
        rows.insert(0, "unit", task.data.units[own])
        for name, value in (("layer", maps.layer), ("network", maps.network)):
            rows.insert(0, name, value)
        rows.insert(0, "region", region.name)
        made.append(rows)
    return pd.concat(made, ignore_index=True)


def _field_maps(task: Task, maps: Maps, fields: pd.DataFrame, kind: str) -> list[StatMap]:
    unit = "degrees" if task.choices.stimulus_deg else "shares of the picture's side"
    told = {
        "x": f"Center of the field, {unit} to the right of the picture's center",
        "y": f"Center of the field, {unit} above the picture's center",
        "size": f"Size of the field (2 SD of a Gaussian), {unit}",
    }
    model = model_label(maps.network, maps.layer, kind)
    return [
        StatMap(
            f"field{name}",
            fields[name].to_numpy(dtype=np.float32),
            model,
            f"{text}, as {kind} reads it from {maps.layer} of {maps.network}; n/a without one.",
        )
        for name, text in told.items()
    ]


ESTIMATORS: dict[str, Callable[[Task, Keep], Extras]] = {
    kind: partial(fit_readouts, kind) for kind in READOUTS
}
