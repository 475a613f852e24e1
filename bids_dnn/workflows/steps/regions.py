"""Masks and responses -> regions on the grid of the responses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bids_dnn.containers.roi import Roi
from bids_dnn.derivatives.write import write_region
from bids_dnn.errors import NotEnoughDataError
from bids_dnn.files import read_json
from bids_dnn.rois.define import left_out, read_region
from bids_dnn.workflows.steps.artifacts import load_responses, save_rois


def regions_step(manifest: Path, responses: Path, *, out_dir: Path) -> Path:
    """Build the regions, leave out units that were not measured, write the masks.

    A region that was found but not asked for, and has no voxel, is left out with a warning.

    Raises
    ------
    NotEnoughDataError
        If a region that was asked for has no measured voxel, or no region has one.
    """
    told = read_json(manifest)
    space = load_responses(responses)[0].space
    rois: list[Roi] = []
    warnings: list[str] = []
    for rule in told["rules"]:
        try:
            roi, said = read_region(
                rule["name"], Path(rule["path"]), mask_space=rule["space"], like=space
            )
            rois.append(replace(left_out(roi, space), source=rule["uri"]))
            warnings += said
        except NotEnoughDataError as err:
            if rule["asked"]:
                raise
            warnings.append(f"{err.what} It is left out.")
    if not rois:
        raise NotEnoughDataError(
            f"None of the {len(told['rules'])} masks found has a voxel that was measured.",
            mend="Name a region with --roi NAME=PATH@SPACE.",
        )
    for roi in rois:
        write_region(
            roi,
            Path(told["output_dir"]),
            entities={"participant": told["participant"]},
            sidecar=told["sidecar"] | {"Sources": [roi.source]},
        )
    return save_rois(out_dir / "regions.npz", rois, warnings)
