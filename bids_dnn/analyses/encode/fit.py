"""Encode: how well each layer predicts each region's responses to images it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.analyses.encode.data import CEILINGS, Data, prepare, used_samples
from bids_dnn.analyses.encode.layer import fit_layer
from bids_dnn.analyses.encode.permutation import covariances, draw_shuffles, similarity
from bids_dnn.analyses.encode.scores import score_units
from bids_dnn.analyses.encode.tables import (
    ALIGNED,
    COLUMNS,
    STATISTIC,
    ceiling_map,
    ceiling_table,
    choices,
    flat_warnings,
    layer_maps,
    model_label,
    network_facts,
    score_rows,
    warnings_of,
)
from bids_dnn.containers.features import FeatureGram
from bids_dnn.containers.responses import Responses
from bids_dnn.containers.result import Result, StatMap
from bids_dnn.containers.roi import Roi
from bids_dnn.errors import ConfigError, nearest
from bids_dnn.stats.inference import max_statistic, permutation_p

Array = NDArray[np.float64]


def encode(  # noqa: PLR0913 the settings of [encode], by name
    responses: Responses,
    rois: Sequence[Roi],
    grams: Sequence[FeatureGram],
    *,
    n_folds: int,
    n_inner: int,
    alphas: Sequence[float],
    ceiling: str,
    n_permutations: int,
    seed: int,
    nuisance: Sequence[str] = (),
    progress: Callable[[str], None] | None = None,
) -> Result:
    """Predict responses to images from each layer by ridge regression, folds by image.

    Responses are averaged over the repeats of an image. Where they were estimated run by run and
    enough runs share no image, folds hold whole runs, else images. Each fold's images are
    predicted by a model that learnt on the others; each voxel's penalty is the one of least
    squared error on inner folds of the training images. The score of a voxel is the signed
    correlation over all images. Predictions and responses are centered, and predictions scaled
    to unit variance,
    within each test fold before they are pooled, which is close to the mean of the folds' r.
    Its interval is a corrected resampled t interval over folds.

    `p` is that of the covariance of predicted and measured responses, averaged over all
    penalties alike (so that the null is exact: nothing in it was chosen on the responses) and
    over the region's voxels, standardized, with responses exchanged among images before the
    fit; see `permutation`. With `nuisance`, it is taken out of the exchanged responses again.

    Parameters
    ----------
    responses
        Samples with a stimulus; others are left out and counted.
    rois
        On the grid of the responses; where there is none, all units are one region. A voxel in
        two regions is fitted once.
    grams
        One a layer. Images that lack features in one of them are left out and counted.
    n_folds, n_inner : int, at least 2
        Outer folds, and inner ones on which penalties are chosen.
    alphas
        Penalties, as multiples of the mean diagonal of the centered training Gram matrix.
    ceiling
        ``ncsnr``, ``split-half`` or ``fev``.
    n_permutations : int, at least 1
    seed
        The same seed gives the same table.
    nuisance
        Numeric columns of the sample table, regressed out of the responses within each fold.
    progress
        Told which layer is next.

    Returns
    -------
    result
        One row a region and layer; maps over the union of the regions; `extras` holds
        ``ceiling`` and ``alphas``.

    Raises
    ------
    ConfigError
        If `nuisance` names no column, there is no layer, a layer twice, a penalty that is not
        above zero, another ceiling, or no permutation.
    NotEnoughDataError
        If too few images have responses and features, or a region has no measured voxel.
    SpaceError
        If a region lies on another grid.

    References
    ----------
    Naselaris et al. (2011), NeuroImage 56:400, doi:10.1016/j.neuroimage.2010.07.073.
    Nadeau & Bengio (2003), Machine Learning 52:239, doi:10.1023/A:1024068626366.
    """
    _check(grams, alphas, ceiling, n_permutations)
    used, left_out = used_samples(responses, grams, n_folds)
    data = prepare(
        responses.select(used),
        rois,
        n_folds=n_folds,
        n_inner=n_inner,
        ceiling=ceiling,
        seed=seed,
        nuisance=nuisance,
    )
    penalties = np.asarray(alphas, dtype=np.float64)

    rows: list[dict[str, Any]] = []
    maps: list[StatMap] = []
    chosen: list[pd.DataFrame] = []
    operators = []
    flat = []  # layers that answer all images alike
    for g, gram in enumerate(grams):
        if progress is not None:
            progress(f"encode {gram.network} {gram.layer} ({g + 1} of {len(grams)})")
        made = fit_layer(
            gram.take(data.stimuli),
            data.truth,
            folds=data.folds,
            inner=data.inner,
            alphas=penalties,
            teaching=data.teaching,
            n_components=gram.n_components,
        )
        score = score_units(data.truth, made.guess, data.folds)
        rows += score_rows(gram, made, score, data)
        maps += layer_maps(gram, made, score, data)
        chosen.append(choices(gram, made, data))
        operators.append(data.under_null(made.operator))
        flat += [] if made.operator.any() else [model_label(gram)]
    maps.append(ceiling_map(data, ceiling))
    table = _infer(pd.DataFrame(rows), operators, data, n_permutations=n_permutations, seed=seed)
    return Result(
        analysis="encode",
        table=table,
        columns=COLUMNS,
        maps=tuple(maps),
        space=responses.space.select(data.units),
        meta={
            "folds": "by stimulus"
            if data.shares_runs or responses.independence != "run"
            else "by stimulus, whole runs together",
            "n_folds": n_folds,
            "n_inner": n_inner,
            "alphas": penalties.tolist(),
            "alpha_unit": "mean diagonal of the centered training Gram matrix",
            "ceiling": ceiling,
            "n_permutations": n_permutations,
            "score": ALIGNED,
            "permutation": "responses exchanged among the images of a fold, before the fit; "
            f"statistic: {STATISTIC}",
            "seed": seed,
            "networks": network_facts(grams),
            "left_out": left_out
            | {"units": {region.name: region.n_left_out for region, _ in data.regions}},
            "nuisance": list(nuisance),
            "independence": responses.independence,
            "warnings": [*warnings_of(responses, data, left_out), *flat_warnings(flat)],
        },
        extras={
            "ceiling": ceiling_table(data),
            "alphas": pd.concat(chosen, ignore_index=True),
        },
    )


def _check(
    grams: Sequence[FeatureGram], alphas: Sequence[float], ceiling: str, n_permutations: int
) -> None:
    labels = [model_label(gram) for gram in grams]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if not grams or twice:
        found = f"{twice[0]!r} stands twice among the layers" if twice else "There is no layer"
        raise ConfigError(
            f"{found}; encoding needs one, and each once.",
            mend="Name layers with --network NAME@LAYER,LAYER.",
        )
    if ceiling not in CEILINGS:
        raise ConfigError(
            f"encode.ceiling is {ceiling!r}, which does not exist.",
            mend=nearest(ceiling, CEILINGS),
        )
    if not len(alphas) or min(alphas) <= 0 or n_permutations < 1:
        raise ConfigError(
            f"encode.alphas is {list(alphas)}, with {n_permutations} permutations; "
            "all must be above zero.",
            mend="Set them under [encode] in analysis.toml.",
        )


def _infer(
    table: pd.DataFrame,
    operators: Sequence[Array],
    data: Data,
    *,
    n_permutations: int,
    seed: int,
) -> pd.DataFrame:
    """Add p, corrected p and the best layer; rows are sorted by region, then layer."""
    n_stimuli, n_regions = len(data.stimuli), len(data.regions)
    drawn = draw_shuffles(data.folds, n_permutations, np.random.default_rng([seed, 3]))
    shuffles = np.vstack([np.arange(n_stimuli), drawn])  # the data as they are come first
    alike = [similarity(data.truth[:, columns]) for _, columns in data.regions]
    found = covariances(operators, alike, shuffles).reshape(len(shuffles), -1)
    order = np.arange(len(table)).reshape(len(operators), n_regions).T.ravel()
    out = table.iloc[order].reset_index(drop=True)
    known = np.isfinite(out["score"].to_numpy(dtype=np.float64))
    observed = np.where(known, found[0], np.nan)
    out["p"] = [
        permutation_p(float(one), found[1:, k], enumerated=False) for k, one in enumerate(observed)
    ]
    out["p_floor"] = 1 / (n_permutations + 1)
    out["p_corrected"] = np.maximum(max_statistic(observed, found[1:]), out["p"].to_numpy())
    out["n_permutations"] = n_permutations
    highest = out.groupby("region")["score"].transform("max")
    out["best"] = (out["score"] == highest).to_numpy(dtype=np.bool_)
    return out[list(COLUMNS)]
