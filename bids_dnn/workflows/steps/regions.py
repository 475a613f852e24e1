"""Rules and responses -> regions on the places of the responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Space
from bids_dnn.derivatives.retinotopy import write_retinotopy
from bids_dnn.derivatives.write import write_region
from bids_dnn.errors import NotEnoughDataError
from bids_dnn.files import read_json
from bids_dnn.rois.build import build_region
from bids_dnn.rois.define import left_out
from bids_dnn.rois.overlap import overlap_warnings, overlaps
from bids_dnn.rois.retinotopy import participant_maps
from bids_dnn.rois.rule import from_json
from bids_dnn.workflows.regions import benson_files
from bids_dnn.workflows.steps.about import CIRCULAR
from bids_dnn.workflows.steps.artifacts import AREAS, load_responses, load_rois, save_rois
from bids_dnn.workflows.steps.terms import resolver

SHOWN = 3  # overlaps that are told one by one; the page counts all
NOTABLE = 0.01  # of a region


def regions_step(manifest: Path, responses: Path, *, out_dir: Path) -> Path:
    """Build the regions, leave out units that were not measured, write them.

    A region that was found but not asked for, and has no unit, is left out with a warning.

    Raises
    ------
    NotEnoughDataError
        If a region that was asked for has no measured unit, or no region has one.
    """
    told = read_json(manifest)
    space = load_responses(responses)[0].space
    own = load_rois(responses.with_name(AREAS))[0]
    rois = [roi for roi in own if not roi.is_part] if told["own"] else []
    warnings: list[str] = []
    for rule in told["rules"]:
        try:
            roi, said = _region(rule, space, own)
        except NotEnoughDataError as err:
            if rule["asked"]:
                raise
            warnings.append(f"{err.what} It is left out.")
            continue
        rois.append(roi)
        warnings += said
    if told["rules"] and not rois:
        raise NotEnoughDataError(
            f"None of the {len(told['rules'])} masks found has a voxel that was measured.",
            mend="Name a region with --roi NAME=PATH@SPACE.",
        )
    warnings += _overlapping([roi for roi in rois if roi not in own])
    sources = {rule["name"]: rule["uris"] for rule in told["rules"]}
    for roi in rois:
        write_region(
            roi,
            Path(told["output_dir"]),
            entities={"participant": told["participant"]},
            sidecar=told["sidecar"] | {"Sources": sources.get(roi.name, [])},
        )
    _write_retinotopy(told)
    return save_rois(out_dir / "regions.npz", rois, list(dict.fromkeys(warnings)))


def _region(rule: Mapping[str, Any], space: Space, own: Sequence[Roi]) -> tuple[Roi, list[str]]:
    resolve = resolver(rule["terms"], measured=space, own=own)
    roi, warnings = build_region(rule["name"], from_json(rule["tree"]), space, resolve)
    is_circular = any(told.get("circular") for told in rule["terms"].values())
    source = f"{rule['source']} ({CIRCULAR})" if is_circular else rule["source"]
    return replace(left_out(roi, space), source=source), warnings


def _overlapping(rois: Sequence[Roi]) -> list[str]:
    table = overlaps(rois)
    said = overlap_warnings(table[table[["share_a", "share_b"]].max(axis=1) >= NOTABLE])
    if len(said) <= SHOWN:
        return said
    return [*said[:SHOWN], f"{len(said) - SHOWN} more pairs of regions share units."]


def _write_retinotopy(told: Mapping[str, Any]) -> None:
    """Write the participant's retinotopic maps where a rule is made from them."""
    needed = [t for rule in told["rules"] for t in rule["terms"].values() if "benson" in t]
    if not needed or told["space"].startswith("fsaverage"):
        return
    maps = participant_maps(benson_files(needed[0]["benson"])).hemispheres
    write_retinotopy(
        {
            "angle": {h: one.angle_deg for h, one in maps.items()},
            "eccentricity": {h: one.eccentricity_deg for h, one in maps.items()},
            "sigma": {h: one.sigma_deg for h, one in maps.items()},
        },
        {h: one.area for h, one in maps.items()},
        Path(told["output_dir"]),
        entities={"participant": told["participant"], "space": "fsnative"},
        sidecar=told["sidecar"] | {"Sources": needed[0]["uris"]},
    )
