"""Responses and regions -> noise ceilings, as derivatives."""

from __future__ import annotations

from pathlib import Path

from bids_dnn.analyses.ceiling.estimate import estimate_ceilings
from bids_dnn.derivatives.write import write_result
from bids_dnn.files import read_json
from bids_dnn.workflows.steps.about import with_facts
from bids_dnn.workflows.steps.artifacts import load_responses, load_rois


def ceiling_step(manifest: Path, responses: Path, regions: Path) -> Path:
    """Estimate noise ceilings in each region; returns the sidecar, which is written last."""
    told = read_json(manifest)
    measured, facts = load_responses(responses)
    rois, warnings = load_rois(regions)
    result = estimate_ceilings(measured, rois, seed=told["seed"])
    result = with_facts(
        result, ingest=facts, warnings=warnings, rois=rois, entities=told["entities"]
    )
    return write_result(
        result, Path(told["output_dir"]), entities=told["entities"], sidecar=told["sidecar"]
    )[-1]
