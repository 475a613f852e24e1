"""What failed, in words."""

from __future__ import annotations

from dataclasses import dataclass


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
