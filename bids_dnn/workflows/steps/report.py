"""Derivatives -> report pages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn import imaging
from bids_dnn.containers.mesh import Mesh
from bids_dnn.containers.portrait import Portrait
from bids_dnn.containers.result import Result
from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import HEMISPHERES, Hemisphere
from bids_dnn.derivatives import names
from bids_dnn.derivatives.places import read_places
from bids_dnn.derivatives.portrait import read_portrait
from bids_dnn.derivatives.read import read_result
from bids_dnn.files import read_json, write_text
from bids_dnn.report.page import (
    GroupReport,
    ParticipantReport,
    render_group,
    render_participant,
)
from bids_dnn.report.raster import Surfaces
from bids_dnn.report.surfaces import Retinotopy
from bids_dnn.workflows.steps.about import MARK, OWNER
from bids_dnn.workflows.steps.denoise import from_result

SCORED = ("decode", "encode")  # analyses with a section of scores
SHOWN = 24  # pictures on the contact sheet


def report_step(manifest: Path) -> Path:
    """Make one participant's page from its derivatives; returns the page."""
    told = read_json(manifest)
    whole = _results(told["tables"])
    results = {name: made for name, made in whole.items() if name in SCORED}
    first = next(iter(whole.values()))
    denoised = whole.get("denoise")
    facts = first.meta.get("ingest", {})
    background = told["background"]
    data = ParticipantReport(
        told["participant"],
        results,
        told["ran"],
        task=told["task"],
        space=told["space"],
        facts=facts,
        rois=_rois(told, first),
        background=imaging.read_volume(Path(background)) if background else None,
        stimuli=_spread(_shown(told["stimuli"], facts)),
        networks=tuple(told["networks"]),
        portraits=_portraits(told),
        tables=_links(told),
        command=told["command"],
        config_toml=told["config_toml"],
        versions=told["versions"],
        seed=told["seed"],
        warnings=(*told["alerts"], *_warnings(whole)),
        left_out=tuple(told["left_out"]),
        surfaces=_surfaces(told),
        retinotopy=_retinotopy(told),
        timeseries=None if denoised is None else from_result(denoised),
        ceiling=whole.get("ceiling"),
        twin=whole.get("twin"),
        searchlight=whole.get("searchlight"),
    )
    text = render_participant(data, Path(told["figures"])).rstrip("\n") + "\n"
    owner = OWNER.format(told["task"], told["space"])
    return write_text(Path(told["page"]), text + owner + MARK.format(told["fingerprint"]))


def group_report_step(manifest: Path) -> Path:
    """Make the group's page from the group's derivatives; returns the page."""
    told = read_json(manifest)
    results = _results(dict(sorted(told["tables"].items(), key=_is_last)))
    people = {name for made in results.values() for name in made.meta["participants"]}
    lacking: dict[str, list[str]] = {}
    for analysis, made in results.items():
        for name in made.meta["missing_participants"]:
            lacking.setdefault(name, []).append(analysis)
    data = GroupReport(
        results,
        told["ran"],
        task=told["task"],
        space=told["space"],
        participants=tuple(sorted(people)),
        missing=tuple(sorted(lacking.keys() - people)),
        partly=tuple(
            f"{name} ({', '.join(which)})"
            for name, which in sorted(lacking.items())
            if name in people
        ),
        portraits=_portraits(told),
        tables=_links(told),
        command=told["command"],
        config_toml=told["config_toml"],
        versions=told["versions"],
        seed=told["seed"],
        warnings=tuple(dict.fromkeys((*told["warnings"], *_warnings(results)))),
        surfaces=_surfaces(told),
        background=imaging.read_template(told["space"]),
        anatomy=imaging.TEMPLATE,
    )
    text = render_group(data, Path(told["figures"]))
    return write_text(Path(told["page"]), text + MARK.format(told["fingerprint"]))


def _is_last(item: tuple[str, str]) -> bool:
    """Tell whether an analysis stands behind the others on the page."""
    return item[0] in ("ceiling", "across")


def _shown(stimuli: Mapping[str, str], facts: Mapping[str, Any]) -> dict[str, Path]:
    unused = set(facts.get("unused_stimuli") or ())
    return {name: Path(path) for name, path in stimuli.items() if name not in unused}


def _results(tables: Mapping[str, str]) -> dict[str, Result]:
    return {name: read_result(Path(path)) for name, path in tables.items()}


def _rois(told: Mapping[str, Any], result: Result) -> tuple[Roi, ...]:
    root = Path(told["output_dir"])
    return tuple(
        Roi(
            region["name"],
            read_places([root / name for name in region["files"]], name=told["space"]),
            region["source"],
            region["n_before"],
        )
        for region in result.meta.get("regions", ())
    )


def _surfaces(told: Mapping[str, Any]) -> Surfaces:
    """Read the inflated meshes; those whose files are gone by now are not drawn."""
    made: dict[Hemisphere, tuple[Mesh, NDArray[np.float64] | None]] = {}
    for side in HEMISPHERES:
        one = told["surfaces"].get(side)
        if one is None or not Path(one["mesh"]).is_file():
            return {}
        folding = one["folding"]
        made[side] = (
            imaging.read_mesh(Path(one["mesh"]), is_sphere=True),  # any place will do
            imaging.read_curvature(Path(folding)) if folding else None,
        )
    return made


def _retinotopy(told: Mapping[str, Any]) -> Retinotopy | None:
    """Read the retinotopic maps that were written with the regions, None where there are none."""
    own = {"participant": told["participant"], "space": "fsnative"}
    root, made = Path(told["output_dir"]), {}
    if not told["surfaces"] or told["space"].startswith("fsaverage"):
        return None
    for stat in ("angle", "eccentricity"):
        paths = {h: names.path_of(root, "retinotopy", **own, hemi=h, stat=stat) for h in "LR"}
        if not all(path.is_file() for path in paths.values()):
            return None
        made[stat] = {h: imaging.read_curvature(paths[h]) for h in HEMISPHERES}
    areas = {h: names.path_of(root, "areas", **own, hemi=h) for h in HEMISPHERES}
    made["area"] = {h: imaging.read_labels(path)[0].astype(float) for h, path in areas.items()}
    return made


def _links(told: Mapping[str, Any]) -> dict[str, str]:
    folder, root = Path(told["page"]).parent, Path(told["output_dir"])
    paths = {name: Path(path) for name, path in told["tables"].items()}
    for name in told["portraits"]:
        labels = names.path_of(root, "predictions", network=names.label_of(name))
        if labels.is_file():
            paths[f"network:{name}"] = labels
    return {name: path.relative_to(folder).as_posix() for name, path in paths.items()}


def _portraits(told: Mapping[str, Any]) -> tuple[Portrait, ...]:
    return tuple(read_portrait(Path(path)) for path in told["portraits"].values())


def _warnings(results: Mapping[str, Result]) -> tuple[str, ...]:
    found = [text for made in results.values() for text in made.meta.get("warnings", ())]
    return tuple(dict.fromkeys(found))


def _spread(catalog: Mapping[str, Path]) -> tuple[tuple[str, Path], ...]:
    """Return some pictures, evenly from the first to the last."""
    items = list(catalog.items())
    step = max(1, -(-len(items) // SHOWN))
    return tuple(items[::step])
