"""What identification leaves: a row for each region and model, and one for each set size."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.encode.choices import FEWEST_UNITS, Choices
from bids_dnn.analyses.encode.data import Data
from bids_dnn.analyses.encode.identify import Identification, identify, pattern_units
from bids_dnn.analyses.encode.identify_null import MOST_CROSSED, by_set_size, crossed_p
from bids_dnn.analyses.encode.model import Model
from bids_dnn.analyses.encode.tables import COLUMNS
from bids_dnn.stats.regions import columns_of

TOP = (1, 5)
SIZES = (2, 5, 10, 20, 50, 100, 200, 500, 1000)
KEYS = ("region", "target", "estimator", "network", "layer")
_NAMED = {name: COLUMNS[name] for name in KEYS}
IDENTIFIED = {
    **_NAMED,
    "n_images": "Images that were to be identified from the predicted patterns (Kay et al. 2008)",
    "n_candidates": "Measured patterns that each prediction was compared with: the test images of "
    "its fold (median over images)",
    "n_units": "Units of a pattern (median over folds, where encode.units chooses them on "
    "training images)",
    "top1_proportion": "Share of images whose own measured pattern correlates most",
    "top1_chance": "What guessing gives",
    "top1_low": "Lower end of Wilson's 95 % interval over images",
    "top1_high": "Upper end of that interval",
    "top5_proportion": "Share of images whose own measured pattern is among the five highest",
    "top5_chance": "What guessing gives",
    "top5_low": "Lower end of Wilson's 95 % interval over images",
    "top5_high": "Upper end of that interval",
    "mean_rank": "Mean share of the other candidates that the right one beats; 0.5 = chance",
    "mean_rank_low": "Lower end of its 95 % bootstrap interval over images",
    "mean_rank_high": "Upper end of that interval",
    "p": "One-sided p of mean_rank, not corrected. Ridge regression on a layer, in several folds, "
    f"with at most {MOST_CROSSED} images in all, without a nuisance or a choice of units: "
    "responses exchanged among the images of a fold before the model learns, predictions under "
    "all penalties alike. Else: predictions exchanged among the test images of a fold, and twice "
    "the mean p of the folds (Vovk & Wang 2020)",
}
CANDIDATES = {
    **_NAMED,
    "n_candidates": "Measured patterns among which the right one is to be found",
    "proportion": "Share of images whose own measured pattern correlates most: the mean over all "
    "sets of so many candidates",
    "chance": "What guessing gives",
    "extrapolated": "Whether an image had fewer candidates, so that correlations with further "
    "ones are taken to be normal with the mean and SD of those that were there",
}


def identify_model(
    model: Model,
    columns: NDArray[np.intp],
    about: tuple[Data, Choices],
    *,
    chosen: NDArray[np.bool_],
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Identify images from what a model predicts of some units.

    Parameters
    ----------
    model
    columns : (n_columns,)
        Of its predictions.
    about
        What was fitted, and how.
    chosen : (n_folds, n_columns) bool
        The units of the patterns in each fold.

    Returns
    -------
    row
        As `IDENTIFIED` has it, but for `KEYS`; NaN where there was no pattern.
    sizes
        Rows as `CANDIDATES` has them, but for `KEYS`, one for each of `SIZES`; none where there
        was no pattern.
    """
    data, choices = about
    own = model.columns[columns]
    truth, guess = columns_of(data.truth, own), columns_of(model.guess, columns)
    teaching = data.teaching and [columns_of(one, own) for one in data.teaching]
    units = pattern_units(truth, guess, data.folds, teaching)
    if (chosen & units).sum(axis=1).min() < FEWEST_UNITS:
        return {name: np.nan for name in IDENTIFIED if name not in KEYS} | {"n_images": 0}, []
    found = identify(
        truth,
        guess,
        folds=data.folds,
        teaching=teaching,
        top=TOP,
        n_permutations=choices.n_permutations,
        seed=choices.seed,
        chosen=chosen,
    )
    row = _row(found)
    if model.operator is not None and chosen.all() and _can_cross(data):
        row["p"] = crossed_p(
            model.operator,
            truth[:, units],
            folds=data.folds,
            n_permutations=choices.n_permutations,
            seed=choices.seed,
        )[1]
    return row, _sizes(found)


def _can_cross(data: Data) -> bool:
    """Tell whether exchanges before the fit are exact and can be paid for."""
    return len(data.folds) > 1 and not data.cleaning and len(data.stimuli) <= MOST_CROSSED


def _row(found: Identification) -> dict[str, Any]:
    row: dict[str, Any] = {
        "n_images": len(found.rows),
        "n_candidates": float(np.median(found.n_candidates)),
        "n_units": found.n_units,
        "mean_rank": found.mean_rank,
        "mean_rank_low": found.mean_rank_low,
        "mean_rank_high": found.mean_rank_high,
        "p": found.p,
    }
    for k, number in enumerate(TOP):
        for name in ("proportion", "chance", "low", "high"):
            row[f"top{number}_{name}"] = float(getattr(found, name)[k])
    return row


def _sizes(found: Identification) -> list[dict[str, Any]]:
    curve = by_set_size(found, SIZES)
    return [
        {
            "n_candidates": size,
            "proportion": float(curve.proportion[k]),
            "chance": float(curve.chance[k]),
            "extrapolated": bool(curve.extrapolated[k]),
        }
        for k, size in enumerate(SIZES)
    ]
