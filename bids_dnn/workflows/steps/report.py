"""Derivatives -> report pages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bids_dnn import imaging
from bids_dnn.containers.result import Result
from bids_dnn.containers.roi import Roi
from bids_dnn.derivatives import names
from bids_dnn.derivatives.read import read_result
from bids_dnn.files import read_json, write_text
from bids_dnn.report.page import (
    GroupReport,
    ParticipantReport,
    render_group,
    render_participant,
)
from bids_dnn.workflows.steps.about import MARK

SHOWN = 24  # pictures on the contact sheet


def report_step(manifest: Path) -> Path:
    """Make one participant's page from its derivatives; returns the page."""
    told = read_json(manifest)
    results = _results(told["tables"])
    first = next(iter(results.values()))
    catalog = {name: Path(path) for name, path in told["stimuli"].items()}
    background = told["background"]
    data = ParticipantReport(
        told["participant"],
        results,
        told["ran"],
        task=told["task"],
        space=told["space"],
        facts=first.meta.get("ingest", {}),
        rois=_rois(told, first),
        background=imaging.read_volume(Path(background)) if background else None,
        stimuli=_spread(catalog),
        networks=tuple(told["networks"]),
        tables=_links(told),
        command=told["command"],
        config_toml=told["config_toml"],
        versions=told["versions"],
        seed=told["seed"],
        warnings=_warnings(results),
        left_out=tuple(told["left_out"]),
    )
    text = render_participant(data, Path(told["figures"]))
    return write_text(Path(told["page"]), text + MARK.format(told["fingerprint"]))


def group_report_step(manifest: Path) -> Path:
    """Make the group's page from the group's derivatives; returns the page."""
    told = read_json(manifest)
    results = _results(told["tables"])
    people = [name for made in results.values() for name in made.meta["participants"]]
    missing = [name for made in results.values() for name in made.meta["missing_participants"]]
    data = GroupReport(
        results,
        told["ran"],
        task=told["task"],
        space=told["space"],
        participants=tuple(sorted(set(people))),
        missing=tuple(sorted(set(missing))),
        tables=_links(told),
        command=told["command"],
        config_toml=told["config_toml"],
        versions=told["versions"],
        seed=told["seed"],
        warnings=(*told["warnings"], *_warnings(results)),
    )
    text = render_group(data, Path(told["figures"]))
    return write_text(Path(told["page"]), text + MARK.format(told["fingerprint"]))


def _results(tables: Mapping[str, str]) -> dict[str, Result]:
    return {name: read_result(Path(path)) for name, path in tables.items()}


def _rois(told: Mapping[str, Any], result: Result) -> tuple[Roi, ...]:
    made = []
    for region in result.meta.get("regions", ()):
        path = names.path_of(
            Path(told["output_dir"]),
            "region",
            participant=told["participant"],
            space=told["space"],
            region=names.label_of(region["name"]),
        )
        space = imaging.space_of_mask(path, name=told["space"])
        made.append(Roi(region["name"], space, region["source"], region["n_before"]))
    return tuple(made)


def _links(told: Mapping[str, Any]) -> dict[str, str]:
    folder = Path(told["page"]).parent
    return {
        name: Path(path).relative_to(folder).as_posix() for name, path in told["tables"].items()
    }


def _warnings(results: Mapping[str, Result]) -> tuple[str, ...]:
    found = [text for made in results.values() for text in made.meta.get("warnings", ())]
    return tuple(dict.fromkeys(found))


def _spread(catalog: Mapping[str, Path]) -> tuple[tuple[str, Path], ...]:
    """Return some pictures, evenly from the first to the last."""
    items = list(catalog.items())
    step = max(1, -(-len(items) // SHOWN))
    return tuple(items[::step])
