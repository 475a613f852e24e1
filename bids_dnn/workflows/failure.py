"""What failed, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SHARED = ("responses", "regions")  # steps that all analyses of a participant need


@dataclass(frozen=True, slots=True)
class Failure:
    """A node that failed.

    Parameters
    ----------
    node
        Full name: workflow, participant, step.
    message
        Two sentences where the user can mend it, else the last line of the traceback.
    crash_file
        The traceback, "" where the user can mend it.
    """

    node: str
    message: str
    crash_file: str


def why_failed(
    failures: Iterable[Failure], participant: str, analysis: str, *, needs_features: bool
) -> str:
    """Return why an analysis of a participant has no new result, "" where nothing failed.

    Parameters
    ----------
    failures
        Of the graph of analyses.
    participant
        The name of the participant's part of the graph.
    analysis
        Its step.
    needs_features
        Whether it waits for the networks' features too.
    """
    for failure in failures:
        part, step = [*failure.node.split("."), "", ""][1:3]
        if part == participant and step in (*SHARED, analysis):
            return failure.message
        if needs_features and part.startswith("features_"):
            return failure.message
    return ""
