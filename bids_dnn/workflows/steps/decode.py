"""Responses and regions -> decoding results, as derivatives."""

from __future__ import annotations

from pathlib import Path

from bids_dnn.analyses.decode.decoding import decode
from bids_dnn.derivatives.write import write_result
from bids_dnn.errors import NotEnoughDataError
from bids_dnn.files import read_json
from bids_dnn.workflows.steps.about import leave_out, with_facts
from bids_dnn.workflows.steps.artifacts import load_responses, load_rois


def decode_step(manifest: Path, responses: Path, regions: Path) -> Path:
    """Decode each comparison in each region; returns the sidecar, which is written last."""
    told = read_json(manifest)
    measured, facts = load_responses(responses)
    rois, warnings = load_rois(regions)
    settings = told["settings"]
    try:
        result = decode(
            measured,
            rois,
            comparisons=tuple(settings["comparisons"]),
            c=settings["c"],
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
