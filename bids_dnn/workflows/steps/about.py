"""What was counted on the way travels with the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bids_dnn.containers.result import Result
from bids_dnn.containers.roi import Roi
from bids_dnn.derivatives.names import label_of
from bids_dnn.derivatives.places import paths_of
from bids_dnn.derivatives.provenance import FINGERPRINT
from bids_dnn.errors import NotEnoughDataError
from bids_dnn.files import write_json

CIRCULAR = "circular: chosen on runs that are analyzed"
CIRCULAR_COLUMN = {
    "circular": "Whether the region was chosen on runs that are analyzed (--allow-circular), "
    "which makes scores too high"
}
OWNER = "<!-- page of task-{} space-{} -->\n"  # the line before the last one
MARK = "<!-- fingerprint {} -->\n"  # the last line of a report page


def with_facts(
    result: Result,
    *,
    ingest: dict[str, Any],
    warnings: Sequence[str],
    rois: Sequence[Roi],
    entities: Mapping[str, str],
) -> Result:
    """Return the result with the facts of its responses and regions among its own.

    Parameters
    ----------
    result
        Of an analysis.
    ingest
        Facts of the responses.
    warnings
        Of the regions.
    rois
        The regions.
    entities
        ``participant`` and ``space``, which are in the names of the regions' files.
    """
    own = list(result.meta.get("warnings", ()))
    regions = [
        {
            "name": roi.name,
            "source": roi.source,
            "n_units": len(roi.space),
            "unit": roi.space.unit,
            "n_before": roi.n_before,
            "files": [path.as_posix() for path in _files(roi, entities)],
        }
        for roi in rois
    ]
    told = [*warnings, *ingest.get("warnings", ()), *own]
    facts = {"ingest": ingest, "regions": regions, "warnings": list(dict.fromkeys(told))}
    made = replace(result, meta=result.meta | facts)
    circular = [roi.name for roi in rois if CIRCULAR in roi.source]
    if not circular or "region" not in result.table:
        return made
    table = result.table.assign(circular=result.table["region"].isin(circular))
    return replace(made, table=table, columns={**result.columns, **CIRCULAR_COLUMN})


def _files(roi: Roi, entities: Mapping[str, str]) -> tuple[Path, ...]:
    """Return where the region lies, from the root of the output."""
    own = {key: entities[key] for key in ("participant", "space")}
    return paths_of(Path(), "region", roi.space, **own, region=label_of(roi.name))


def leave_out(told: Mapping[str, Any], err: NotEnoughDataError) -> Path:
    """Say why an analysis that nobody asked for by name is left out; returns where it is said.

    Raises
    ------
    NotEnoughDataError
        `err` itself, where the analysis was asked for.
    """
    if told["is_asked"]:
        raise err
    said = {"what": err.what, FINGERPRINT: told["sidecar"][FINGERPRINT]}
    return write_json(Path(told["left_out"]), said)
