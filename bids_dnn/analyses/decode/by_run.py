"""Which sides of a comparison runs hold, and what follows from it, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from bids_dnn.analyses.decode.tasks import Design, Task


def told_by_runs(design: Design) -> list[str]:
    """Say of which comparisons runs tell sides apart, in sentences.

    Parameters
    ----------
    design
    """
    out = []
    if whole := [task.comparison.name for task in design.tasks if _is_by_run(task, design)]:
        out.append(
            f"Each run holds one side only ({some(whole)}): what differs between runs cannot be "
            "told from what differs between sides. Whole runs are exchanged for p."
        )
    if apart := [task.comparison.name for task in design.tasks if _is_in_parts(task, design)]:
        out.append(
            f"Some sides are never in one run with others ({some(apart)}): what differs between "
            "runs may tell these apart, so that scores lie above chance for that alone. p is "
            "against labels that are exchanged within runs, where such scores come out, too."
        )
    return out


def is_mirrored(task: Task, design: Design) -> bool:
    """Tell whether each run has one sample of each of two sides.

    Parameters
    ----------
    task, design
    """
    counts = _counts(task, design)
    return counts.shape[1] == 2 and bool((counts[counts.any(axis=1)] == 1).all())


def some(names: Sequence[str]) -> str:
    """Name the first three.

    Parameters
    ----------
    names

    Examples
    --------
    >>> print(some(["a", "b", "c", "d"]))
    'a', 'b', 'c' ...
    """
    return f"{', '.join(map(repr, names[:3]))}{' ...' if names[3:] else ''}"


def _is_by_run(task: Task, design: Design) -> bool:
    """Tell whether no run has samples of two sides."""
    return bool(((_counts(task, design) > 0).sum(axis=1) <= 1).all())


def _is_in_parts(task: Task, design: Design) -> bool:
    """Tell whether runs hold several sides, but some sides share runs with no others."""
    counts = _counts(task, design)
    together = (counts.T @ counts > 0).astype(np.intp)
    n_parts = connected_components(together, directed=False)[0]
    return n_parts > 1 and not _is_by_run(task, design)


def _counts(task: Task, design: Design) -> NDArray[np.intp]:
    """Count the tested samples of each run and side."""
    rows = task.rows
    counts = np.zeros((design.runs.max() + 1, len(task.comparison.sides)), dtype=np.intp)
    np.add.at(counts, (design.runs[rows], task.labels[rows]), 1)
    return counts
