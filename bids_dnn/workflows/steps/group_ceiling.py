"""Participants' profiles and patterns -> noise ceilings over participants."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bids_dnn.analyses.rsa.conditions import condition_rdms
from bids_dnn.containers.result import Result
from bids_dnn.derivatives.patterns import read_patterns
from bids_dnn.group.ceilings import Left, group_ceilings
from bids_dnn.group.choices import Choices


def ceilings_of_group(
    told: Mapping[str, Any], results: Mapping[str, Result], _: Choices
) -> Result:
    """Bound how well one model could do in all participants.

    Parameters
    ----------
    told
        The manifest: patterns under ``shared``, and who is ``expected``.
    results
        Of the analysis ``ceiling``, by participant.
    """
    left = Left(
        profiles={
            label: made.extras["profiles"]
            for label, made in results.items()
            if "profiles" in made.extras
        },
        rdms={
            label: rdms
            for label, path in told["shared"].items()
            if (rdms := condition_rdms(read_patterns(Path(path))))
        },
        own={label: made.table for label, made in results.items()},
        expected=told["expected"],
    )
    return group_ceilings(left)
