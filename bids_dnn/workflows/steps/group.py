"""Participants' tables -> group statistics, as derivatives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from bids_dnn.containers.result import Result
from bids_dnn.derivatives.names import needs_reference
from bids_dnn.derivatives.nulls import read_nulls
from bids_dnn.derivatives.read import read_result
from bids_dnn.derivatives.write import write_result
from bids_dnn.files import read_json
from bids_dnn.group.choices import Choices
from bids_dnn.group.maps import group_maps
from bids_dnn.group.stack import stack
from bids_dnn.group.tests import About, test_group


def group_step(manifest: Path) -> Path:
    """Test one analysis over participants; returns the sidecar, which is written last."""
    told = read_json(manifest)
    results = {name: read_result(Path(path)) for name, path in told["tables"].items()}
    table, _ = stack({name: made.table for name, made in results.items()}, told["expected"])
    settings = told["settings"]
    choices = Choices(
        tests=tuple(settings["tests"]),
        correct=settings["correct"],
        contrasts=tuple(settings["contrasts"]),
        covariates=tuple(settings["covariates"]),
        seed=told["seed"],
    )
    result = test_group(
        table,
        analysis=told["analysis"],
        choices=choices,
        about=About(
            expected=told["expected"],
            people=told["people"],
            nulls={name: read_nulls(Path(path)) for name, path in told["nulls"].items()},
            sessions=_sessions(results),
        ),
    )
    if not needs_reference(told["entities"]["space"]):  # else each has a space of their own
        made_maps = group_maps(results, choices=choices, people=told["people"])
        said = [*result.meta["warnings"], *made_maps.warnings]
        result = replace(
            result,
            maps=made_maps.maps,
            space=made_maps.space,
            meta=result.meta | {"warnings": said},
        )
    known: dict[str, Any] = {}
    for made in results.values():
        known |= made.meta.get("networks", {})
    if known:  # what they are, for the page; they are the same for each participant
        result = replace(result, meta=result.meta | {"networks": known})
    return write_result(
        result, Path(told["output_dir"]), entities=told["entities"], sidecar=told["sidecar"]
    )[-1]


def _sessions(results: Mapping[str, Result]) -> pd.DataFrame:
    """Return the scores of single sessions that participants left, one below the other."""
    tables = {
        name: made.extras["sessions"]
        for name, made in results.items()
        if "sessions" in made.extras
    }
    return stack(tables, ())[0] if tables else pd.DataFrame()
