"""Participants' tables -> group statistics, as derivatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pandas as pd

from bids_dnn import imaging
from bids_dnn.containers.result import Result
from bids_dnn.derivatives.names import needs_reference
from bids_dnn.derivatives.nulls import read_null_maps, read_nulls
from bids_dnn.derivatives.read import read_result
from bids_dnn.derivatives.write import write_result
from bids_dnn.files import read_json
from bids_dnn.group.choices import Choices
from bids_dnn.group.cluster_names import with_names
from bids_dnn.group.maps import group_maps
from bids_dnn.group.searchlight import average_searchlights
from bids_dnn.group.stack import stack
from bids_dnn.group.tests import About, test_group
from bids_dnn.group.twin import group_twin
from bids_dnn.group.watch import Watch
from bids_dnn.stats.neighbours import Meshes
from bids_dnn.workflows.named_places import NamedPlaces
from bids_dnn.workflows.progress import Tickers
from bids_dnn.workflows.steps.group_ceiling import ceilings_of_group


def group_step(manifest: Path) -> Path:
    """Test one analysis over participants; returns the sidecar, which is written last."""
    told = read_json(manifest)
    results = {name: read_result(Path(path)) for name, path in told["tables"].items()}
    ticks = Tickers(Path(told["progress"]) if "progress" in told else None)
    try:
        result = DOERS.get(told["analysis"], _tested)(told, results, _choices(told), ticks)
    finally:
        ticks.close()
    said = [*result.meta.get("warnings", ()), *told.get("warnings", ())]
    result = replace(result, meta=result.meta | {"warnings": said})
    return write_result(
        result, Path(told["output_dir"]), entities=told["entities"], sidecar=told["sidecar"]
    )[-1]


def _choices(told: Mapping[str, Any]) -> Choices:
    settings, seed = told["settings"], told["seed"]
    known = {one.name for one in fields(Choices)}
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in settings.items()
        if name in known
    }
    return Choices(**given, seed=seed)


def _tested(
    told: Mapping[str, Any], results: Mapping[str, Result], choices: Choices, watch: Watch
) -> Result:
    """Test scores of regions, and maps in a common space."""
    table, _ = stack({name: made.table for name, made in results.items()}, told["expected"])
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
    if _is_common(told):
        meshes = _meshes(told)
        made_maps = group_maps(
            results, choices=choices, people=told["people"], meshes=meshes, watch=watch
        )
        said = [*result.meta["warnings"], *made_maps.warnings]
        result = replace(
            result,
            maps=made_maps.maps,
            space=made_maps.space,
            meta=result.meta | {"warnings": said},
        )
    return _with_networks(result, results)


def _twin(
    told: Mapping[str, Any], results: Mapping[str, Result], choices: Choices, watch: Watch
) -> Result:
    about = About(expected=told["expected"], people=told["people"])
    made = group_twin(results, choices=choices, about=about, watch=watch)
    return _with_networks(made, results)


def _with_networks(result: Result, results: Mapping[str, Result]) -> Result:
    """Say what the networks are, for the page: the same for each participant."""
    known: dict[str, Any] = {}
    for made in results.values():
        known |= made.meta.get("networks", {})
    return replace(result, meta=result.meta | {"networks": known}) if known else result


def _searchlight(
    told: Mapping[str, Any], results: Mapping[str, Result], choices: Choices, watch: Watch
) -> Result:
    """Average maps of a searchlight, and look for clusters, where all lie in one space."""
    if not _is_common(told):
        results = {name: replace(one, maps=(), space=None) for name, one in results.items()}
    made = average_searchlights(
        results,
        {name: read_null_maps(Path(path)) for name, path in told["nulls"].items()},
        choices=choices,
        about=About(expected=told["expected"], people=told["people"]),
        meshes=_meshes(told),
        watch=watch,
    )
    if made.space is None or told["places"] is None:
        return made
    layers, said = NamedPlaces.from_json(told["places"]).layers(made.space)
    meta = made.meta | {"warnings": [*made.meta["warnings"], *said]}
    return replace(with_names(made, layers), meta=meta)


def _ceilings(
    told: Mapping[str, Any], results: Mapping[str, Result], choices: Choices, _: Watch
) -> Result:
    return ceilings_of_group(told, results, choices)


def _meshes(told: Mapping[str, Any]) -> Meshes:
    return {side: imaging.read_mesh(Path(path)) for side, path in told["meshes"].items()}


def _is_common(told: Mapping[str, Any]) -> bool:
    """Tell whether all participants lie in one space, not each in one of their own."""
    return not needs_reference(told["entities"]["space"])


def _sessions(results: Mapping[str, Result]) -> pd.DataFrame:
    """Return the scores of single sessions that participants left, one below the other."""
    tables = {
        name: made.extras["sessions"]
        for name, made in results.items()
        if "sessions" in made.extras
    }
    return stack(tables, ())[0] if tables else pd.DataFrame()


Doer = Callable[[Mapping[str, Any], Mapping[str, Result], Choices, Watch], Result]
DOERS: dict[str, Doer] = {"searchlight": _searchlight, "ceiling": _ceilings, "twin": _twin}
