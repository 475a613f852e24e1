"""Encode: how well each layer predicts each region's responses to images it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.analyses.encode.choices import Choices
from bids_dnn.analyses.encode.chosen import ChosenLayer
from bids_dnn.analyses.encode.data import Data, prepare, used_samples
from bids_dnn.analyses.encode.layer import fit_layer
from bids_dnn.analyses.encode.permutation import covariances, draw_shuffles, similarity
from bids_dnn.analyses.encode.scores import score_units
from bids_dnn.analyses.encode.tables import (
    ALIGNED,
    COLUMNS,
    STATISTIC,
    TARGETS,
    ceiling_map,
    ceiling_table,
    chosen_penalties,
    chosen_tables,
    edge_warnings,
    flat_warnings,
    layer_maps,
    model_label,
    network_facts,
    score_rows,
    warnings_of,
)
from bids_dnn.analyses.encode.units import unit_p
from bids_dnn.backend import on_device
from bids_dnn.containers.features import FeatureGram
from bids_dnn.containers.responses import Responses
from bids_dnn.containers.result import Result, StatMap
from bids_dnn.containers.roi import Roi
from bids_dnn.errors import ConfigError
from bids_dnn.stats.inference import max_statistic, permutation_p

Array = NDArray[np.float64]


def encode(
    responses: Responses,
    rois: Sequence[Roi],
    grams: Sequence[FeatureGram],
    *,
    choices: Choices,
    device: str = "cpu",
    progress: Callable[[str], None] | None = None,
) -> Result:
    """Predict responses to images from each layer by ridge regression, folds by image.

    Responses are averaged over the repeats of an image. Where they were estimated run by run and
    enough runs share no image, folds hold whole runs, else images; or the split of images is
    given. Each fold's images are predicted by a model that learnt on the others; each unit's
    penalty is the one of least error that its training images let expect (see `select`). The
    mean response of each region is predicted beside its units. The score of a unit is the signed
    correlation over all images. Predictions and responses are centered, and predictions scaled
    to unit variance, within each test fold before they are pooled, which is close to the mean of
    the folds' r. Regions average over units through Fisher's z.

    Each unit also takes the layer that its training images let expect to be best, so that the
    score of the chosen layers is not the highest of several.

    `p` is that of the covariance of predicted and measured responses, averaged over all
    penalties alike (so that the null is exact: nothing in it was chosen on the responses) and
    over the region's units, standardized, with responses exchanged among images before the
    fit; see `permutation`. With a nuisance, it is taken out of the exchanged responses again.
    Single units are tested by rotations; see `units`.

    Parameters
    ----------
    responses
        Samples with a stimulus; others are left out and counted.
    rois
        On the grid of the responses; where there is none, all units are one region. A unit in
        two regions is fitted once.
    grams
        One a layer. Images that lack features in one of them are left out and counted.
    choices
        The settings.
    device
        ``cpu`` or ``cuda``: where matrices are multiplied.
    progress
        Told which layer is next.

    Returns
    -------
    result
        One row a region, layer and target; maps over the union of the regions; `extras` holds
        ``ceiling``, ``alphas``, ``chosen`` and ``assignment``.

    Raises
    ------
    ConfigError
        If `nuisance` names no column, there is no layer, or a layer twice.
    NotEnoughDataError
        If too few images have responses and features, or a region has no measured unit.
    LeakageError
        If images stand on both sides of a fold.
    SpaceError
        If a region lies on another grid.

    References
    ----------
    Naselaris et al. (2011), NeuroImage 56:400, doi:10.1016/j.neuroimage.2010.07.073.
    Nadeau & Bengio (2003), Machine Learning 52:239, doi:10.1023/A:1024068626366.
    """
    _check(grams)
    used, left_out = used_samples(responses, grams, choices)
    data = prepare(responses.select(used), rois, choices)
    about = data, choices
    alphas = None if choices.alphas is None else np.asarray(choices.alphas, dtype=np.float64)

    rows: list[dict[str, Any]] = []
    maps: list[StatMap] = []
    penalties: list[pd.DataFrame] = []
    operators = []
    flat = []  # layers that answer all images alike
    taken = ChosenLayer(data.folds, *data.truth.shape)
    for g, gram in enumerate(grams):
        if progress is not None:
            progress(f"encode {gram.network} {gram.layer} ({g + 1} of {len(grams)})")
        made = fit_layer(
            on_device(gram.take(data.stimuli), device),
            data.truth,
            folds=data.folds,
            inner=data.inner,
            alphas=alphas,
            select=data.select,
            teaching=data.teaching,
            n_components=gram.n_components,
        )
        taken.offer(g, made)
        score = score_units(data.truth, made.guess, data.folds)
        operator = data.under_null(made.operator)
        rng = np.random.default_rng([choices.seed, 5])  # one set of rotations for all layers
        p = unit_p(operator, data.truth, data.folds, rng)
        rows += score_rows(gram, made, score, p, data, choices)
        maps += layer_maps(gram, made, score, p, about)
        penalties.append(chosen_penalties(gram, made, data))
        operators.append(operator)
        flat += [] if made.operator.any() else [model_label(gram)]
    maps.append(ceiling_map(data, choices.ceiling))
    chosen, chosen_maps = chosen_tables(taken, grams, about)
    counted = pd.concat(penalties, ignore_index=True)
    return Result(
        analysis="encode",
        table=_infer(pd.DataFrame(rows), operators, data, choices),
        columns=COLUMNS,
        maps=(*maps, *(chosen_maps if len(grams) > 1 else ())),
        space=responses.space.select(data.units),
        meta=_facts(data, choices, grams)
        | {
            "left_out": left_out
            | {"units": {region.name: region.n_left_out for region, _ in data.regions}},
            "independence": responses.independence,
            "warnings": [
                *warnings_of(responses, data, left_out),
                *flat_warnings(flat),
                *edge_warnings(counted, is_given=alphas is not None),
            ],
        },
        extras={"ceiling": ceiling_table(data), "alphas": counted}
        | (chosen if len(grams) > 1 else {}),
    )


def _facts(data: Data, choices: Choices, grams: Sequence[FeatureGram]) -> dict[str, Any]:
    """Say how the models were fitted and scored."""
    how = (
        "by stimulus"
        if data.shares_runs or not data.keeps_runs
        else ("by stimulus, whole runs together")
    )
    return {
        "folds": how if choices.split is None else "split given",
        "n_folds": len(data.folds),
        "n_inner": choices.n_inner,
        "select": data.select,
        "alphas": "of the spectrum" if choices.alphas is None else list(choices.alphas),
        "alpha_unit": "mean diagonal of the centered training Gram matrix",
        "ceiling": choices.ceiling,
        "floor": choices.floor,
        "n_permutations": choices.n_permutations,
        "score": ALIGNED,
        "permutation": "responses exchanged among the images of a fold, before the fit; "
        f"statistic: {STATISTIC}",
        "seed": choices.seed,
        "networks": network_facts(grams),
        "nuisance": list(choices.nuisance),
    }


def _check(grams: Sequence[FeatureGram]) -> None:
    labels = [model_label(gram) for gram in grams]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if not grams or twice:
        found = f"{twice[0]!r} stands twice among the layers" if twice else "There is no layer"
        raise ConfigError(
            f"{found}; encoding needs one, and each once.",
            mend="Name layers with --network NAME@LAYER,LAYER.",
        )


def _infer(
    table: pd.DataFrame, operators: Sequence[Array], data: Data, choices: Choices
) -> pd.DataFrame:
    """Add p, corrected p and the best layer; rows are sorted by region, target, then layer."""
    n_stimuli = len(data.stimuli)
    drawn = draw_shuffles(
        data.folds, choices.n_permutations, np.random.default_rng([choices.seed, 3])
    )
    shuffles = np.vstack([np.arange(n_stimuli), drawn])  # the data as they are come first
    alike = [
        similarity(data.truth[:, own if target == "units" else data.mean_of(place)])
        for place, (_, own) in enumerate(data.regions)
        for target in TARGETS
    ]
    found = covariances(operators, alike, shuffles).reshape(len(shuffles), -1)
    order = np.arange(len(table)).reshape(len(operators), len(alike)).T.ravel()
    out = table.iloc[order].reset_index(drop=True)
    known = np.isfinite(out["score"].to_numpy(dtype=np.float64))
    observed = np.where(known, found[0], np.nan)
    out["p"] = [
        permutation_p(float(one), found[1:, k], enumerated=False) for k, one in enumerate(observed)
    ]
    out["p_floor"] = 1 / (choices.n_permutations + 1)
    out["p_corrected"] = np.maximum(max_statistic(observed, found[1:]), out["p"].to_numpy())
    out["n_permutations"] = choices.n_permutations
    highest = out.groupby(["region", "target"])["score"].transform("max")
    out["best"] = (out["score"] == highest).to_numpy(dtype=np.bool_)
    return out[list(COLUMNS)]
