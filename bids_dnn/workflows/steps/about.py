"""What was counted on the way travels with the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bids_dnn.containers.result import Result
from bids_dnn.containers.roi import Roi

MARK = "<!-- fingerprint {} -->\n"  # the last line of a report page


def with_facts(
    result: Result, *, ingest: dict[str, Any], warnings: Sequence[str], rois: Sequence[Roi]
) -> Result:
    """Return the result with the facts of its responses and regions among its own."""
    own = list(result.meta.get("warnings", ()))
    regions = [
        {
            "name": roi.name,
            "source": roi.source,
            "n_voxels": len(roi.space),
            "n_before": roi.n_before,
        }
        for roi in rois
    ]
    told = [*warnings, *ingest.get("warnings", ()), *own]
    facts = {"ingest": ingest, "regions": regions, "warnings": list(dict.fromkeys(told))}
    return replace(result, meta=result.meta | facts)
