"""What encoding leaves: rows, maps and facts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.analyses.encode.data import Data
from bids_dnn.analyses.encode.layer import LayerFit
from bids_dnn.analyses.encode.scores import score_interval
from bids_dnn.containers.features import FeatureGram
from bids_dnn.containers.responses import Responses
from bids_dnn.containers.result import StatMap
from bids_dnn.stats.leakage import ceiling_doubts

Array = NDArray[np.float64]

ALIGNED = (
    "Predictions and responses are centered, and predictions scaled to unit variance, within each "
    "test fold before they are pooled, which is close to the mean of the folds' r"
)
STATISTIC = (
    "covariance of predicted and measured responses, averaged over all penalties alike, voxels "
    "standardized"
)
COLUMNS = {
    "region": "Name of the region",
    "network": "Name of the network",
    "layer": "Module path of the layer",
    "metric": "pearson = correlation of predicted and measured responses over images",
    "score": "Mean over the region's units of the signed out-of-fold correlation; -1 to 1. "
    + ALIGNED,
    "ceiling": "Noise ceiling of that correlation, of the voxels' mean reliability; n/a where "
    "the repeats agree no better than noise",
    "normalized": "score / ceiling",
    "r2": "Mean over voxels of 1 - SSE / SST, SST against the mean of the training images",
    "ci_low": "Lower end of the 95 % corrected resampled t interval of score over folds (Nadeau & "
    "Bengio 2003); n/a under 3 folds",
    "ci_high": "Upper end of that interval",
    "p": f"One-sided permutation p of the {STATISTIC}: responses exchanged among the images of a "
    "fold before the model learns",
    "p_floor": "The smallest p that the permutations allow",
    "p_corrected": "p corrected for all regions and layers of this table (maximum statistic)",
    "n_permutations": "Exchanges of images",
    "n_units": "Units (voxels, vertices, channels) of the region that have a score",
    "n_units_ceiling": "Units among them that have a noise ceiling of their own",
    "n_stimuli": "Images, each predicted once",
    "n_folds": "Folds of images",
    "best": "Whether the score is the region's highest over layers",
}


def score_rows(
    gram: FeatureGram, made: LayerFit, score: Array, data: Data
) -> list[dict[str, Any]]:
    """Score a layer in each region: one row of the table for each, but for what `fit` infers."""
    rows, tops = [], data.ceiling()
    for region, columns in data.regions:
        r, top = score[columns], data.ceiling_in(columns)
        capped = np.isfinite(r) & np.isfinite(tops[columns])
        low, high = score_interval(
            data.truth[:, columns], made.guess[:, columns], data.folds, center=_mean(r)
        )
        rows.append(
            {
                "region": region.name,
                "network": gram.network,
                "layer": gram.layer,
                "metric": "pearson",
                "score": _mean(r),
                "ceiling": top,
                "normalized": _mean(r) / top,
                "r2": _mean(made.r2[columns]),
                "ci_low": low,
                "ci_high": high,
                "n_units": int(np.isfinite(r).sum()),
                "n_units_ceiling": int(capped.sum()),
                "n_stimuli": len(data.stimuli),
                "n_folds": len(data.folds),
            }
        )
    return rows


def layer_maps(gram: FeatureGram, made: LayerFit, score: Array, data: Data) -> list[StatMap]:
    """Map a layer's scores over the units of all regions."""
    where = f"{gram.layer} of {gram.network}"
    told = {
        "pearson": (
            score,
            f"Correlation of predicted and measured responses over images, from {where}; -1 to 1.",
        ),
        "rsquared": (
            made.r2,
            f"1 - SSE / SST against the training mean, predicted from {where}; at most 1.",
        ),
        "normalized": (
            score / data.ceiling(),
            f"Correlation from {where} / noise ceiling; n/a where there is no ceiling.",
        ),
    }
    return [
        StatMap(stat, values.astype(np.float32), model_label(gram), text)
        for stat, (values, text) in told.items()
    ]


def ceiling_map(data: Data, method: str) -> StatMap:
    """Map the noise ceiling over the units of all regions."""
    return StatMap(
        "noiseceiling",
        data.ceiling().astype(np.float32),
        "",
        f"Highest correlation that noise allows for the mean over repeats ({method}); 0 to 1, "
        "n/a where it cannot be told.",
    )


def choices(gram: FeatureGram, made: LayerFit, data: Data) -> pd.DataFrame:
    """Count how often each penalty was chosen, over voxels and folds."""
    rows = []
    for region, columns in data.regions:
        values, counts = np.unique(made.alpha[:, columns].round(12), return_counts=True)
        rows += [
            (region.name, gram.network, gram.layer, float(value), int(count))
            for value, count in zip(values, counts, strict=True)
        ]
    return pd.DataFrame(rows, columns=["region", "network", "layer", "alpha", "count"])


def ceiling_table(data: Data) -> pd.DataFrame:
    """Give the noise ceiling of each region, and how many of its units have one."""
    tops = data.ceiling()
    rows = [
        (region.name, data.ceiling_in(columns), int(np.isfinite(tops[columns]).sum()))
        for region, columns in data.regions
    ]
    return pd.DataFrame(rows, columns=["region", "ceiling", "n"])


def network_facts(grams: Sequence[FeatureGram]) -> dict[str, dict[str, str]]:
    """Keep what made the features of each network, but for what differs between its layers."""
    out: dict[str, dict[str, str]] = {}
    for gram in grams:
        before = out.setdefault(gram.network, dict(gram.identity))
        out[gram.network] = {k: v for k, v in before.items() if gram.identity.get(k) == v}
    for name, identity in out.items():
        identity["layers"] = ", ".join(gram.layer for gram in grams if gram.network == name)
    return out


def flat_warnings(labels: Sequence[str]) -> list[str]:
    """Say which layers have no score because their features do not vary.

    Examples
    --------
    >>> flat_warnings(["clip+text"])
    ['clip+text answers all images alike, so that it predicts nothing.']
    """
    return [f"{one} answers all images alike, so that it predicts nothing." for one in labels]


def warnings_of(responses: Responses, data: Data, left_out: dict[str, Any]) -> list[str]:
    """Say what the reader of the results must know."""
    out = list(data.warnings)
    runs = responses.samples["run"]
    shown = responses.samples["stimulus"].fillna("").astype(str)
    if np.isfinite(data.reliability).any():
        out += ceiling_doubts(list(shown), runs=list(runs), independence=responses.independence)
    if data.shares_runs:
        out.append(
            "Images of training and test folds share runs, and so the noise of their estimates: "
            "where similar images follow each other, scores are too high and p too small."
        )
    without = left_out["stimuli_without_features"]
    if without:
        out.append(
            f"Images with responses but without features are left out: {len(without)}, such as "
            f"{without[0]!r}."
        )
    for region, columns in data.regions:
        if not np.isfinite(data.ceiling_in(columns)):
            out.append(
                f"{region.name} has no noise ceiling: no image repeats, or its repeats do not "
                "agree."
            )
    return out


def model_label(gram: FeatureGram) -> str:
    """Return the ``model-`` label of a layer: network and layer, letters and digits only."""
    return "+".join(re.sub(r"[^0-9A-Za-z]", "", part) for part in (gram.network, gram.layer))


def _mean(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
