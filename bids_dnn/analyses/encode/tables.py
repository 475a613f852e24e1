"""What encoding leaves: rows, maps and facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.analyses.encode.choices import Choices
from bids_dnn.analyses.encode.chosen import ChosenLayer
from bids_dnn.analyses.encode.data import Data
from bids_dnn.analyses.encode.model import Columns, Model
from bids_dnn.analyses.encode.scores import mean_r, score_intervals
from bids_dnn.analyses.encode.units import share_above_chance
from bids_dnn.containers.features import FeatureGram
from bids_dnn.containers.responses import Responses
from bids_dnn.containers.result import StatMap
from bids_dnn.stats.inference import fdr
from bids_dnn.stats.leakage import ceiling_doubts
from bids_dnn.stats.metrics import finite_mean
from bids_dnn.stats.regions import columns_of

Array = NDArray[np.float64]
SOMETIMES = ("p", "q", "fevexplained")  # maps of some models and data only

ALIGNED = (
    "Predictions and responses are centered, and predictions scaled to unit variance, within each "
    "test fold before they are pooled, which is close to the mean of the folds' r"
)
STATISTIC = (
    "covariance of predicted and measured responses, averaged over all penalties alike, voxels "
    "standardized"
)
TESTS = {  # of single units, by whether the model chooses on responses how it predicts
    False: "rotation test of the covariance of predicted and measured responses under all "
    "penalties alike",
    True: "t test of the correlation of predicted and measured responses in each fold, twice the "
    "mean p of the folds",
}
COLUMNS = {
    "region": "Name of the region",
    "estimator": "ridge = ridge regression, a penalty for each unit; pls = partial least squares, "
    "components shared by the units of a region; banded = ridge regression on all feature spaces, "
    "weighted for each unit; bashivan, cadena, factorized = readouts in space and features",
    "network": "Name of the network; * = all of them",
    "layer": "Module path of the layer; chosen layer = the one that each unit chose on training "
    "images alone, in each fold anew",
    "target": "units = each unit of the region is predicted, and scores are averaged; mean = the "
    "mean response of the region's units is predicted",
    "metric": "pearson = correlation of predicted and measured responses over images",
    "score": "Mean over the region's units, through Fisher's z, of the signed out-of-fold "
    "correlation; -1 to 1. " + ALIGNED,
    "median": "Median over the region's units of that correlation",
    "ceiling": "Noise ceiling of that correlation, of the units' mean reliability; n/a where "
    "the repeats agree no better than noise",
    "normalized": "score / ceiling; with a floor of reliability above 0 in the settings, both are "
    "of the units that are not below it (and so not of all units); n/a where there is none",
    "r2": "Mean over units of 1 - SSE / SST, SST against the mean of the training images",
    "fev_explained": "Mean over units of the fraction of explainable variance of single showings "
    "that is explained (Cadena et al. 2019); n/a where no image repeats",
    "ci_low": "Lower end of the 95 % interval of score: a corrected resampled t interval over "
    "folds (Nadeau & Bengio 2003), n/a under 3 folds; a bootstrap over test images where the "
    "split of images was given",
    "ci_high": "Upper end of that interval",
    "boot_low": "Lower end of the 95 % bootstrap interval of score over test images, drawn within "
    "folds: other images are tested, by the models as they are; 200 to 2000 samples",
    "boot_high": "Upper end of that interval",
    "above_chance": "Share of the region's units that are predicted above chance, false discovery "
    "rate over all units below 0.05. Ridge regression on a layer: rotation test (Langsrud 2005). "
    "Others: t test of the correlation in each fold, and twice the mean p of the folds (Vovk & "
    "Wang 2020)",
    "p": f"One-sided permutation p. Ridge regression on a layer: of the {STATISTIC}, responses "
    "exchanged among the images of a fold before the model learns. Others: of the mean "
    "correlation in each fold, test images exchanged, and twice the mean p of the folds (Vovk & "
    "Wang 2020)",
    "p_floor": "The smallest p that the permutations allow",
    "p_corrected": "p corrected for all regions, targets and layers of an estimator (maximum "
    "statistic); chosen layers are a family of their own",
    "n_permutations": "Exchanges of images",
    "n_units": "Units (voxels, vertices, channels) of the region that have a score",
    "n_units_ceiling": "Units among them that have a noise ceiling of their own, not below the "
    "floor of the settings",
    "n_stimuli": "Images that are predicted, each once",
    "n_folds": "Folds of images; 1 = the split that was given",
    "best": "Whether the score is the region's highest over layers; chosen after the fact, so "
    "that its score is the highest of several (see the rows of network *)",
}


@dataclass(frozen=True, slots=True, eq=False)
class UnitScores:
    """How well each column of a model's predictions does.

    Parameters
    ----------
    pearson, r2, fev : (n_columns,)
        Correlation, R^2, and fraction of explainable variance explained.
    p : (n_columns,)
        Of single units; NaN where there is none.
    """

    pearson: Array
    r2: Array
    fev: Array
    p: Array

    def at(self, columns: Columns) -> UnitScores:
        """Return those of some columns."""
        return UnitScores(*(getattr(self, one.name)[columns] for one in fields(self)))


def score_row(
    model: Model,
    columns: Columns,
    scores: UnitScores,
    units: Array,
    about: tuple[Data, Choices],
) -> dict[str, Any]:
    """Score a model in one region and target: what `tally` adds nothing to.

    Parameters
    ----------
    model
    columns
        Of its predictions.
    scores
        Of all its predictions.
    units : (n_units,)
        p of single units, of all regions.
    about
        What was fitted, and how.
    """
    data, choices = about
    here, own = scores.at(columns), model.columns[columns]
    r = here.pearson
    known = r[np.isfinite(r)]
    ends = score_intervals(
        columns_of(data.truth, own),
        columns_of(model.guess, columns),
        data.folds,
        center=mean_r(r),
        seed=choices.seed,
    )
    is_mean = bool((own >= data.n_units).all())
    return {
        "metric": "pearson",
        "score": mean_r(r),
        "median": float(np.median(known)) if known.size else float("nan"),
        "ceiling": data.ceiling_in(own),
        "normalized": normalized(r, own, about),
        "r2": finite_mean(here.r2),
        "fev_explained": finite_mean(here.fev),
        "ci_low": ends.low,
        "ci_high": ends.high,
        "boot_low": ends.boot_low,
        "boot_high": ends.boot_high,
        "above_chance": float("nan") if is_mean else share_above_chance(units, own),
        "n_units": int(np.isfinite(r).sum()),
        "n_units_ceiling": int((np.isfinite(r) & has_ceiling(own, about)).sum()),
        "n_stimuli": int(data.tested().sum()),
        "n_folds": len(data.folds),
    }


def has_ceiling(columns: Columns, about: tuple[Data, Choices]) -> NDArray[np.bool_]:
    """Mark the columns of `Data.truth` whose reliability is above zero and not below the floor.

    Parameters
    ----------
    columns
        Of `Data.truth`.
    about
        What was fitted, and how.
    """
    data, choices = about
    known = data.reliability[columns]
    marks: NDArray[np.bool_] = known >= max(choices.floor, np.finfo(np.float64).tiny)
    return marks


def normalized(r: Array, columns: Columns, about: tuple[Data, Choices]) -> float:
    """Return the score over the ceiling, of a region's units that are not below the floor.

    Without a floor (0) all units count, also those whose estimate of reliability falls below
    zero, so that a region of noise has no ceiling.

    Parameters
    ----------
    r : (n,)
        Of units.
    columns : (n,)
        Of `Data.truth`, that they are.
    about
        What was fitted, and how.

    Returns
    -------
    score : float
        Not clipped; NaN where no unit is left, or they have no ceiling.
    """
    data, choices = about
    kept = has_ceiling(columns, about) if choices.floor > 0 else np.ones(len(r), dtype=np.bool_)
    return mean_r(r[kept]) / data.ceiling_in(columns[kept])


def unit_maps(scores: UnitScores, model: Model, about: tuple[Data, Choices]) -> list[StatMap]:
    """Map scores over the units of all regions.

    Parameters
    ----------
    scores
        One for each unit.
    model
        What predicts.
    about
        What was fitted, and how.
    """
    where = f"{model.layer} of {model.network}"
    data, choices = about
    kept = has_ceiling(np.arange(data.n_units), about)
    top = np.where(kept, data.ceiling()[: data.n_units], np.nan)
    told = {
        "pearson": (
            scores.pearson,
            f"Correlation of predicted and measured responses over images, from {where}; -1 to 1.",
        ),
        "rsquared": (
            scores.r2,
            f"1 - SSE / SST against the training mean, predicted from {where}; at most 1.",
        ),
        "normalized": (
            scores.pearson / top,
            f"Correlation from {where} / noise ceiling; n/a where there is no ceiling, or the "
            f"reliability is below {choices.floor:g}.",
        ),
        "p": (
            scores.p,
            f"One-sided p of each unit, predicted from {where}: {TESTS[model.operator is None]}; "
            "not corrected.",
        ),
        "q": (
            fdr(scores.p),
            f"The same p, predicted from {where}, adjusted for a false discovery rate over the "
            "units of all regions; layers are not corrected for.",
        ),
        "fevexplained": (
            scores.fev,
            f"Fraction of explainable variance of single showings that {where} explains; at most "
            "1, n/a without repeats.",
        ),
    }
    return [
        StatMap(stat, values.astype(np.float32), model.label(), text)
        for stat, (values, text) in told.items()
        if np.isfinite(values).any() or stat not in SOMETIMES
    ]


def ceiling_map(data: Data, method: str) -> StatMap:
    """Map the noise ceiling over the units of all regions."""
    return StatMap(
        "noiseceiling",
        data.ceiling()[: data.n_units].astype(np.float32),
        "",
        f"Highest correlation that noise allows for the mean over repeats ({method}); 0 to 1, "
        "n/a where it cannot be told.",
    )


def assignment_table(taken: ChosenLayer, grams: Sequence[FeatureGram], data: Data) -> pd.DataFrame:
    """Say how often each layer was chosen on training images, in each region and target."""
    rows = [
        (region.name, target, gram.network, gram.layer, float(share))
        for region, target, columns in data.places()
        for gram, share in zip(grams, taken.shares(len(grams), columns), strict=True)
    ]
    return pd.DataFrame(rows, columns=["region", "target", "network", "layer", "share"])


def layer_map(taken: ChosenLayer, grams: Sequence[FeatureGram], data: Data) -> StatMap:
    """Map the layer that each unit chose on training images."""
    names = ", ".join(f"{k} = {g.layer} of {g.network}" for k, g in enumerate(grams, start=1))
    values = (taken.assignment()[: data.n_units] + 1).astype(np.float32)
    text = f"Layer that each unit chose on training images in most folds: {names}."
    return StatMap("layer", values, "", text)


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
    if left_out.get("stimuli_without_split"):
        out.append(
            f"{left_out['stimuli_without_split']} images have neither train nor test as their "
            "split, and are left out."
        )
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
