"""Times against other packages, each after its answer was found to be the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Size = Literal["small", "full"]
Device = Literal["cpu", "cuda"]


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison of times.

    Parameters
    ----------
    name
        Benchmark and case.
    ours_s, peer_s : float, seconds
        Each the least of several runs, taken in turns.
    target : float
        The ratio aimed at.
    """

    name: str
    ours_s: float
    peer_s: float
    target: float

    @property
    def ratio(self) -> float:
        """Return how many times faster ours is."""
        return self.peer_s / self.ours_s

    def line(self) -> str:
        """Return the row as it is printed: name, ours_s, peer_s, ratio, target, verdict.

        Examples
        --------
        >>> Row("ridge", 0.5, 1.0, 1.5).line()
        'ridge 0.500 1.000 2.00 1.50 ok'
        """
        verdict = "ok" if self.ratio >= self.target else "short"
        times = f"{self.ours_s:.3f} {self.peer_s:.3f} {self.ratio:.2f} {self.target:.2f}"
        return f"{self.name} {times} {verdict}"


def time_both(
    ours: Callable[[], object], peer: Callable[[], object], *, n_repeats: int
) -> tuple[float, float]:
    """Return the least time of each, in seconds, run in turns.

    Parameters
    ----------
    ours, peer
        What is timed.
    n_repeats : int
        Runs of each.
    """
    best = [float("inf"), float("inf")]
    for _ in range(n_repeats):
        for k, call in enumerate((ours, peer)):
            start = time.perf_counter()
            call()
            best[k] = min(best[k], time.perf_counter() - start)
    return best[0], best[1]
