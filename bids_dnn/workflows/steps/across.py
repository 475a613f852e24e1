"""Participants' mean patterns -> decoding across participants or tasks, as derivatives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bids_dnn.analyses.decode.across import across_participants
from bids_dnn.analyses.decode.across_tasks import across_tasks
from bids_dnn.derivatives.patterns import read_patterns
from bids_dnn.derivatives.write import write_result
from bids_dnn.files import read_json
from bids_dnn.workflows.decode_choices import choices_of


def across_step(manifest: Path) -> Path:
    """Decode across participants, or tasks; returns the sidecar, which is written last."""
    told = read_json(manifest)
    choices = choices_of(told["decode"], seed=told["seed"])
    is_standardized = told["settings"]["across_patterns"] == "zscore"
    shared = {
        label: {task: read_patterns(Path(path)) for task, path in paths.items()}
        for label, paths in told["patterns"].items()
    }
    if told["across"] == "tasks":
        result = across_tasks(shared, choices=choices, is_standardized=is_standardized)
    else:
        task = told["entities"]["task"]
        own = {label: one[task] for label, one in shared.items()}
        result = across_participants(own, choices=choices, is_standardized=is_standardized)
    there = result.meta["participants"]
    missing = {"missing_participants": sorted(set(told["expected"]) - set(there))}
    result = replace(result, meta=result.meta | missing)
    return write_result(
        result, Path(told["output_dir"]), entities=told["entities"], sidecar=told["sidecar"]
    )[-1]
