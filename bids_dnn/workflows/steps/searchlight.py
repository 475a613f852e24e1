"""Responses, and features -> maps of decoding and RSA around each unit, as derivatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.comparisons import AbsentConditionError
from bids_dnn.analyses.decode.searchlight import Means
from bids_dnn.analyses.decode.spheres import map_spheres
from bids_dnn.analyses.encode.tables import network_facts
from bids_dnn.analyses.rsa.spheres import RsaChoices, compare_spheres
from bids_dnn.containers.features import FeatureGram
from bids_dnn.containers.responses import Responses
from bids_dnn.containers.result import Result
from bids_dnn.containers.roi import Roi
from bids_dnn.derivatives.write import write_result
from bids_dnn.errors import ConfigError, NotEnoughDataError, nearest
from bids_dnn.files import read_json
from bids_dnn.stats.neighbours import Neighbours, neighbours
from bids_dnn.stats.regions import RegionUnits, region_units
from bids_dnn.workflows.categories import labels_of
from bids_dnn.workflows.decode_choices import NOT_OF_SPHERES
from bids_dnn.workflows.decode_choices import choices_of as decode_choices
from bids_dnn.workflows.meshes import read_meshes
from bids_dnn.workflows.progress import Ticker
from bids_dnn.workflows.steps.about import leave_out, with_facts
from bids_dnn.workflows.steps.artifacts import load_responses, load_rois
from bids_dnn.workflows.steps.features import load_grams


def searchlight_step(
    manifest: Path, responses: Path, regions: Path, features: list[Path] | None = None
) -> Path:
    """Decode and compare around each unit; returns the sidecar, which is written last."""
    told = read_json(manifest)
    measured, facts = load_responses(responses)
    rois, warnings = load_rois(regions)
    settings = told["settings"]
    centers = centers_of(measured, rois, settings["within"])
    radius = settings["radius_mm"]
    meshes = read_meshes(told["meshes"])
    around = neighbours(measured.space, radius, meshes=meshes, centers=centers.units)
    ticker = Ticker(Path(told["progress"]), "spheres")
    made = []
    try:
        if settings["models"] or settings["categories"]:  # first: little time, may be refused
            compared, lost = _compared(told, (measured, centers, around), features or [], ticker)
            made += compared
            warnings += lost
            warnings += [text for index in features or [] for text in read_json(index)["warnings"]]
        if settings["comparisons"]:
            decoded = map_spheres(
                measured,
                centers,
                around,
                choices=choices_of(settings, told["decode"], seed=told["seed"]),
                means=Means(n_threads=told["n_threads"]),
                progress=ticker,
            )
            made.insert(0, decoded)
    except NotEnoughDataError as err:
        return leave_out(told, err)
    finally:
        ticker.close()
    result = joined(made)
    said = {"radius_mm": radius, "within": settings["within"]}
    result = with_facts(
        replace(result, meta=result.meta | said),
        ingest=facts,
        warnings=warnings,
        rois=rois,
        entities=told["entities"],
    )
    return write_result(
        result, Path(told["output_dir"]), entities=told["entities"], sidecar=told["sidecar"]
    )[-1]


def _compared(
    told: Mapping[str, Any],
    measured: tuple[Responses, RegionUnits, Neighbours],
    features: Sequence[Path],
    ticker: Ticker,
) -> tuple[list[Result], list[str]]:
    """Compare dissimilarities around each unit with models.

    Returns none, and why, where items or models are lacking and there is decoding beside.
    """
    settings = told["settings"]
    responses, centers, around = measured
    grams = models_of(settings, features)
    how = RsaChoices(
        items=settings["items"],
        distance=settings["distance"],
        n_maps=settings["n_maps"],
        seed=told["run_seed"],
    )
    try:
        labels, lost = labels_of(settings, responses.samples)
        made = compare_spheres(
            responses, centers, around, grams, choices=how, labels=labels, progress=ticker
        )
    except (NotEnoughDataError, AbsentConditionError) as err:
        if not settings["comparisons"]:
            raise
        return [], [f"No dissimilarities are compared: {err}"]
    if grams:  # the page takes an empty table for one of no network at all
        made = replace(made, meta=made.meta | {"networks": network_facts(grams)})
    return [made], lost


def models_of(settings: Mapping[str, Any], features: Sequence[Path]) -> list[FeatureGram]:
    """Return the layers of the networks that [searchlight] names.

    Parameters
    ----------
    settings
        JSON-ready.
    features
        Indexes that `features_step` wrote.
    """
    used = [one for one in features if read_json(one)["name"] in settings["models"]]
    return [gram for index in used for gram in load_grams(index)]


def joined(results: Sequence[Result]) -> Result:
    """Put searchlights of the same centers together: what is told apart, and what is compared.

    Parameters
    ----------
    results
        One or two.
    """
    first, *others = results
    for other in others:
        first = replace(
            first,
            table=pd.concat([first.table, other.table], ignore_index=True),
            maps=(*first.maps, *other.maps),
            null_maps={**first.null_maps, **other.null_maps},
            meta=other.meta
            | first.meta
            | {"warnings": [*first.meta["warnings"], *other.meta["warnings"]]},
        )
    return first


def choices_of(settings: Mapping[str, Any], of_decode: Mapping[str, Any], *, seed: int) -> Choices:
    """Return the settings of [searchlight] as the analysis takes them.

    Parameters
    ----------
    settings
        JSON-ready.
    of_decode
        Those of [decode] that a searchlight takes: the classifier, folds, how samples are made.
    seed
        Of this participant's analysis.

    Raises
    ------
    ConfigError
        If they do not go together.
    """
    own = {"comparisons": settings["comparisons"], "permutations": settings["n_maps"]}
    return decode_choices(dict(of_decode) | NOT_OF_SPHERES | own, seed=seed)


def centers_of(responses: Responses, rois: Sequence[Roi], within: Sequence[str]) -> RegionUnits:
    """Return the units around which is decoded: those measured in all samples, by their place.

    Parameters
    ----------
    responses
    rois
        On their grid.
    within
        Names of regions; none = all units.

    Raises
    ------
    ConfigError
        If there is no such region.
    NotEnoughDataError
        If no unit was measured in all samples.
    """
    known = {roi.name: roi for roi in rois}
    for name in within:
        if name not in known:
            raise ConfigError(
                f"[searchlight] within names the region {name!r}, which is not there.",
                mend=nearest(name, known),
            )
    chosen = region_units(responses, [known[name] for name in within])
    units = np.unique(np.concatenate([one.units for one in chosen]))
    units = units[np.argsort(responses.space.index[units], kind="stable")]  # as maps are read back
    return RegionUnits(", ".join(within), units, sum(one.n_left_out for one in chosen))
