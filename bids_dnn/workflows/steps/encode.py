"""Responses, regions and features -> encoding results, as derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bids_dnn.analyses.encode.fit import encode
from bids_dnn.containers.responses import Responses
from bids_dnn.derivatives.write import write_result
from bids_dnn.errors import LeakageError, NotEnoughDataError
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
    for index in features:
        check_scaling(measured, read_json(index)["scaled_on"])
        warnings += read_json(index)["warnings"]
    grams = [gram for index in features for gram in load_grams(index)]
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


def check_scaling(responses: Responses, scaled_on: Sequence[str]) -> None:
    """Refuse features that were scaled by stimuli which the folds will test.

    Parameters
    ----------
    responses
        Whose images are dealt onto folds.
    scaled_on
        Stimuli by whose features the columns were divided; none = they were not.

    Raises
    ------
    LeakageError
        If one of them is among the images of the responses.
    """
    shared = sorted(set(responses.samples["stimulus"]) & set(scaled_on))
    if shared:
        raise LeakageError(
            f"Features are scaled by the variance over {len(scaled_on)} training stimuli, and "
            f"{len(shared)} of them are tested here, such as {shared[0]!r}.",
            mend="Give the split 'train' in stimuli.tsv to stimuli that no participant saw, or "
            "leave scale out.",
        )
