"""Responses, regions and features -> encoding results, as derivatives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bids_dnn.analyses.encode.fit import encode
from bids_dnn.derivatives.write import write_result
from bids_dnn.errors import NotEnoughDataError
from bids_dnn.files import read_json
from bids_dnn.workflows.steps.about import leave_out, with_facts
from bids_dnn.workflows.steps.artifacts import load_responses, load_rois
from bids_dnn.workflows.steps.features import load_grams


def encode_step(manifest: Path, responses: Path, regions: Path, features: list[Path]) -> Path:
    """Fit each layer of each network to each voxel; returns the sidecar, written last."""
    told = read_json(manifest)
    measured, facts = load_responses(responses)
    rois, warnings = load_rois(regions)
    settings = told["settings"]
    grams = [
        replace(gram, network=read_json(index)["name"])
        for index in features
        for gram in load_grams(index)
    ]
    try:
        result = encode(
            measured,
            rois,
            grams,
            n_folds=settings["folds"]["stimulus"],
            n_inner=settings["folds"]["inner"],
            alphas=settings["alphas"],
            ceiling=settings["ceiling"],
            n_permutations=settings["permutations"],
            seed=told["seed"],
            nuisance=tuple(settings["nuisance"]),
        )
    except NotEnoughDataError as err:
        return leave_out(told, err)
    result = with_facts(
        result, ingest=facts, warnings=warnings, rois=rois, entities=told["entities"]
    )
    return write_result(
        result, Path(told["output_dir"]), entities=told["entities"], sidecar=told["sidecar"]
    )[-1]
