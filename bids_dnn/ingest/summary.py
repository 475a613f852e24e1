"""Counts of what came in, the same for every source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from bids_dnn.containers.responses import Responses


def summarize(responses: Responses, lost: Mapping[str, NDArray[np.bool_]]) -> dict[str, Any]:
    """Return JSON-ready counts of samples, units and what has no stimulus.

    Parameters
    ----------
    responses
        As they leave the door.
    lost
        For each reason, the units (n_before,) that were left out for it.

    Returns
    -------
    facts
        ``n_samples``, ``n_units``, ``n_runs``, ``n_sessions`` (0 where there are none),
        ``left_out_units`` and why, ``has_stimuli``, samples by condition, samples and
        conditions without a stimulus, ``space`` and ``scale``.
    """
    samples = responses.samples
    unknown = samples[samples["stimulus"] == ""]
    counts = samples["condition"].value_counts().sort_index()
    return {
        "space": responses.space.name,
        "scale": responses.scale,
        "n_samples": len(samples),
        "n_units": len(responses.space),
        "n_runs": int(samples["run"].nunique()),
        "n_sessions": len(set(samples["session"]) - {""}),
        "left_out_units": int(np.any(list(lost.values()), axis=0).sum()),
        "left_out_because": {name: int(which.sum()) for name, which in lost.items()},
        "has_stimuli": len(unknown) < len(samples),
        "samples_without_stimulus": len(unknown),
        "conditions_without_stimulus": sorted(set(unknown["condition"])),
        "samples_by_condition": {str(name): int(n) for name, n in counts.items()},
    }
