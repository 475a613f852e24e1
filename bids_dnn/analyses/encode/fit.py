"""Encode: how well each layer predicts each region's responses to images it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from bids_dnn.analyses.encode.averages import averages_of
from bids_dnn.analyses.encode.choices import Choices
from bids_dnn.analyses.encode.data import Data, prepare, used_samples
from bids_dnn.analyses.encode.estimators import ESTIMATORS
from bids_dnn.analyses.encode.identify_tables import CANDIDATES, IDENTIFIED
from bids_dnn.analyses.encode.model import Task
from bids_dnn.analyses.encode.patterns import PATTERNS
from bids_dnn.analyses.encode.tables import (
    ALIGNED,
    COLUMNS,
    STATISTIC,
    ceiling_map,
    ceiling_table,
    network_facts,
    warnings_of,
)
from bids_dnn.analyses.encode.tally import Tally
from bids_dnn.analyses.encode.unit_choice import choice_map, choice_warnings, choose_units
from bids_dnn.containers.features import FeatureGram, FeatureValues, ShownMaps
from bids_dnn.containers.pictures import GreyPictures
from bids_dnn.containers.responses import Responses
from bids_dnn.containers.result import Result, model_label
from bids_dnn.containers.roi import Roi
from bids_dnn.errors import ConfigError, nearest


def encode(
    responses: Responses,
    rois: Sequence[Roi],
    grams: Sequence[FeatureGram],
    *,
    choices: Choices,
    features: Sequence[FeatureValues | ShownMaps] = (),
    pictures: GreyPictures | None = None,
    device: str = "cpu",
    progress: Callable[[str], None] | None = None,
) -> Result:
    """Predict responses to images from each layer, folds by image.

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
    Single units are tested by rotations. Models that choose on responses how they predict are
    tested with predictions as they are, fold by fold; see `exchange` and `units`.

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
    features
        As maps, for readouts in space and features; of each layer, where ``pls_scale`` is true.
    pictures
        Of all images, for response-triggered averages; None = there are none.
    device
        ``cpu`` or ``cuda``: where matrices are multiplied.
    progress
        Told which layer is next.

    Returns
    -------
    result
        One row a region, estimator, layer and target; maps over the union of the regions;
        `extras` holds ``ceiling``, ``identification``, ``candidates``, ``patterns``, what the
        estimators leave, and ``triggered``, which has arrays, where there are pictures.

    Raises
    ------
    ConfigError
        If `nuisance` names no column, there is no layer, or a layer twice; or if an estimator
        lacks the features that it needs.
    NotEnoughDataError
        If too few images have responses and features, or a region has no measured unit.
    LeakageError
        If images stand on both sides of a fold.
    SpaceError
        If a region lies on another grid.
    MissingInputError
        If `pictures` lacks an image.

    References
    ----------
    Naselaris et al. (2011), NeuroImage 56:400, doi:10.1016/j.neuroimage.2010.07.073.
    Nadeau & Bengio (2003), Machine Learning 52:239, doi:10.1023/A:1024068626366.
    """
    _check(grams, choices.estimators)
    used, left_out = used_samples(responses, grams, choices)
    data = prepare(responses.select(used), rois, choices)
    task = Task(data, grams, choices, device, progress or (lambda _: None), features)
    chosen = choose_units(task)
    tally = Tally(data, choices, chosen)
    made = [ESTIMATORS[name](task, tally.take) for name in choices.estimators]
    made += [averages_of(data, pictures)] if pictures is not None else []
    tables = {
        "ceiling": ceiling_table(data),
        **tally.identified(),
        "patterns": tally.patterns.table(),
    }
    facts = _facts(data, choices, grams)
    for one in made:
        tables |= one.tables
        facts |= one.facts
    return Result(
        analysis="encode",
        table=tally.table(),
        columns=COLUMNS,
        maps=(
            *tally.maps,
            ceiling_map(data, choices.ceiling),
            *([choice_map(task, chosen)] if choices.units is not None else []),
            *(made_map for one in made for made_map in one.maps),
        ),
        space=responses.space.select(data.units),
        meta=facts
        | {
            "left_out": left_out
            | {"units": {region.name: region.n_left_out for region, _ in data.regions}},
            "independence": responses.independence,
            "warnings": [
                *warnings_of(responses, data, left_out),
                *choice_warnings(task, chosen),
                *(text for one in made for text in one.warnings),
            ],
        },
        extras=tables,
        extra_columns={
            "identification": IDENTIFIED,
            "candidates": CANDIDATES,
            "patterns": PATTERNS,
        }
        | {name: told for one in made for name, told in one.columns.items()},
        arrays={name: kept for one in made for name, kept in one.arrays.items()},
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
        "estimators": list(choices.estimators),
        "stimulus_deg": choices.stimulus_deg,
        "ceiling": choices.ceiling,
        "floor": choices.floor,
        "n_permutations": choices.n_permutations,
        "score": ALIGNED,
        "permutation": "responses exchanged among the images of a fold, before the fit; "
        f"statistic: {STATISTIC}",
        "seed": choices.seed,
        "networks": network_facts(grams),
        "nuisance": list(choices.nuisance),
        "units": None if choices.units is None else asdict(choices.units),
    }


def _check(grams: Sequence[FeatureGram], estimators: Sequence[str]) -> None:
    if unknown := [name for name in estimators if name not in ESTIMATORS]:
        raise ConfigError(
            f"encode.estimator is {unknown[0]!r}, which does not exist.",
            mend=nearest(unknown[0], ESTIMATORS),
        )
    labels = [model_label(gram.network, gram.layer) for gram in grams]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if not grams or twice:
        found = f"{twice[0]!r} stands twice among the layers" if twice else "There is no layer"
        raise ConfigError(
            f"{found}; encoding needs one, and each once.",
            mend="Name layers with --network NAME@LAYER,LAYER.",
        )
