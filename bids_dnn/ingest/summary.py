"""Counts of what came in, the same for every source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bids_dnn.errors import run_words
from bids_dnn.ingest.trials import BARELY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from bids_dnn.containers.responses import Responses


INFLATED = 10.0  # variance inflation above which single trials are hardly told apart
FEW = 4  # samples, under which a standard deviation says little
NAMED = 10  # trials that a warning names one by one
SCOPE = (
    "Mean and standard deviation are those of all samples of a run or session, and use no label. "
    "Where whole groups are left out for testing, none is shared with what is learnt; in encoding "
    "by stimulus, those of a group come from the test images too."
)


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


def warnings_of(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what a user should know of the runs, one sentence each.

    Parameters
    ----------
    runs
        Facts of each run, as fMRIPrep's door has them.
    """
    messages = []
    inflated = [_words(r) for r in runs if r.get("max_variance_inflation", 1.0) > INFLATED]
    if inflated:
        messages.append(
            f"Trials overlap much (variance inflation above {INFLATED:g}) in "
            f"{'; '.join(inflated)}: their estimates are noisy."
        )
    hardly = [
        f"{onset:g} s in {_words(r)}"
        for r in runs
        for onset in r.get("barely_estimated_onsets_s", ())
    ]
    if hardly:
        more = f" and {len(hardly) - NAMED} more" if len(hardly) > NAMED else ""
        messages.append(
            f"{len(hardly)} trials were left out, as the volumes that count hardly determine "
            f"them (error variance above {BARELY:g} times the median of the run): "
            f"{', '.join(hardly[:NAMED])}{more}."
        )
    if outside := sum(r["events_outside_run"] for r in runs):
        messages.append(f"{outside} events have no volume in their run and were left out.")
    if untyped := sum(r["n_events_without_type"] for r in runs):
        where = "; ".join(_words(r) for r in runs if r["n_events_without_type"])
        messages.append(
            f"{untyped} events have the trial_type n/a and were left out (in {where})."
        )
    return messages


def scaling_facts(samples: pd.DataFrame, standardize: str) -> tuple[dict[str, str], list[str]]:
    """Return whose mean and standard deviation z-scores use, and a warning where they are few.

    Parameters
    ----------
    samples
        With the columns ``run`` and ``session``.
    standardize
        Only ``run`` and ``session`` have anything to tell.
    """
    if standardize not in ("run", "session"):
        return {}, []
    smallest = int(samples.groupby(standardize).size().min())
    messages = []
    if smallest < FEW:
        messages.append(
            f"Responses are z-scored over as few as {smallest} samples of one {standardize}, "
            "which says little of their spread."
        )
    return {"standardize_scope": SCOPE}, messages


def _words(facts: Mapping[str, Any]) -> str:
    return run_words(facts["run"], facts.get("session", ""))
