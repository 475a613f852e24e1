"""Times and memory against others, or against a bound, each after its answer was found right."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Size = Literal["small", "full"]
Device = Literal["cpu", "cuda"]
Unit = Literal["s", "GB"]


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison: of times, or of memory.

    Parameters
    ----------
    name
        Benchmark and case.
    ours, peer : float, in `unit`
        What we take, and what the peer takes, or the bound that holds. Times are each the least
        of several runs, taken in turns; memory is a peak.
    target : float
        The ratio aimed at.
    unit
        ``s`` = seconds, ``GB`` = 1e9 bytes.
    """

    name: str
    ours: float
    peer: float
    target: float
    unit: Unit = "s"

    @property
    def ratio(self) -> float:
        """Return how many times faster, or smaller, ours is."""
        return self.peer / self.ours

    def line(self) -> str:
        """Return the row as it is printed: name, ours, peer, ratio, target, verdict.

        Seconds stand without their unit.

        Examples
        --------
        >>> Row("ridge", 0.5, 1.0, 1.5).line()
        'ridge 0.500 1.000 2.00 1.50 ok'
        >>> Row("gram", 0.5, 2.0, 1.0, unit="GB").line()
        'gram 0.500GB 2.000GB 4.00 1.00 ok'
        """
        verdict = "ok" if self.ratio >= self.target else "short"
        unit = "" if self.unit == "s" else self.unit
        taken = f"{self.ours:.3f}{unit} {self.peer:.3f}{unit}"
        return f"{self.name} {taken} {self.ratio:.2f} {self.target:.2f} {verdict}"


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
