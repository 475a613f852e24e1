"""What searchlights share: inner products of spheres' patterns, p of maps, rows of their table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.result import StatMap
from bids_dnn.stats.neighbours import Neighbours

Array = NDArray[np.float64]
Numbers = NDArray[np.integer[Any]]
MOST_AT_ONCE = 32  # centers: what is made of more leaves the caches
TOLERANCE = 1e-6  # two scores nearer than this are one: single precision
RSA = "spearman"  # metric of rows, and stat of maps, that compare dissimilarities
SCORES = ("accuracy", "balancedaccuracy", RSA)  # what maps of scores are called
COLUMNS = {
    "comparison": "what is told apart, or the layer whose dissimilarities are compared",
    "n_classes": "sides of the comparison; 0 where dissimilarities are compared",
    "metric": "accuracy, balanced (the mean over sides) where sides have different numbers; or "
    "spearman, the rank correlation of dissimilarities",
    "chance": "score expected by chance",
    "map": "label of its maps, in the names of their files",
    "n_centers": "units around which there is a score",
    "n_units": "units of a sphere or disk, median",
    "n_samples": "samples that are tested, or stimuli or conditions that are compared",
    "n_maps": "maps under exchanged labels",
    "mean": "mean score over centers",
    "highest": "highest score",
    "highest_unit": "number of the unit around which it is, among the units of the map",
    "p_corrected": "share of maps, this one among them, whose highest score is at least as high",
    "p_floor": "the smallest p that a unit can have",
}


@dataclass(frozen=True, slots=True, eq=False)
class Patterns:
    """Responses laid out so that spheres can be taken from them.

    Parameters
    ----------
    rows : (n_units + 1, n) float32
        Responses of each unit; zero where it was not measured, and in the last row.
    is_known : (n_units,)
        Whether it was measured.
    around
        Units around each center.
    """

    rows: NDArray[np.float32]
    is_known: NDArray[np.bool_]
    around: Neighbours

    @property
    def widest(self) -> int:
        """Units of the largest sphere."""
        return int(self.around.sizes.max(initial=1))

    def take(self, start: int, stop: int) -> tuple[Array, Numbers]:
        """Return the patterns (b, widest, n) of some spheres, and their measured units (b,).

        Units come in their order, then zeros: sums do not hang on which spheres are taken.
        """
        sizes = self.around.sizes[start:stop]
        first = self.around.indptr[start]
        members = np.full((stop - start, self.widest), len(self.is_known), dtype=np.int64)
        inside = np.arange(self.widest) < sizes[:, None]
        members[inside] = self.around.indices[first : self.around.indptr[stop]]
        known = np.append(self.is_known, [False])[members]
        return self.rows[members].astype(np.float64), known.sum(axis=1)


def lay_out(
    values: NDArray[np.float32],
    around: Neighbours,
    *,
    less: NDArray[np.floating[Any]] | None = None,
) -> Patterns:
    """Lay responses out in rows of units.

    Parameters
    ----------
    values : (n, n_units)
        A unit with NaN was not measured.
    around
        Units around each center.
    less : (n_units,)
        What is taken out of each unit; None = nothing.
    """
    is_known: NDArray[np.bool_] = np.all(np.isfinite(values), axis=0)
    rows = np.zeros((values.shape[1] + 1, values.shape[0]), dtype=np.float32)
    own = values[:, is_known]
    rows[:-1][is_known] = (own if less is None else own - less[is_known]).T
    return Patterns(rows, is_known, around)


def blocks(n: int, *, most: int = MOST_AT_ONCE) -> Iterator[tuple[int, int]]:
    """Give the ends of blocks of centers.

    Parameters
    ----------
    n
        Centers.
    most
        That memory allows at once.

    Examples
    --------
    >>> list(blocks(40))
    [(0, 32), (32, 40)]
    """
    size = min(MOST_AT_ONCE, max(1, most))
    for start in range(0, n, size):
        yield start, min(start + size, n)


def p_of_maps(
    scores: NDArray[np.float32], under: Iterable[NDArray[np.float32]]
) -> tuple[NDArray[np.float32], float]:
    """Return p of each unit for itself, and p of the highest score of the map.

    The map as it is counts among those that it is compared with.

    Parameters
    ----------
    scores : (n_units,)
        NaN = not known.
    under : n_maps of (n_units,)
        Scores under exchanged labels.

    Returns
    -------
    p : (n_units,), in (0, 1]
        NaN where `scores` are.
    p_corrected
        NaN where none is known.

    Examples
    --------
    >>> p_of_maps(np.array([0.9, 0.5]), np.array([[0.5, 0.6], [0.4, 0.4], [0.9, 0.1]]))
    (array([0.5, 0.5], dtype=float32), 0.5)
    """
    top = float(np.max(scores, initial=-np.inf, where=np.isfinite(scores)))
    count, n_higher, n_maps = np.ones(len(scores)), 1, 1
    for one in under:
        count += one >= scores - TOLERANCE
        highest = np.max(one, initial=-np.inf, where=np.isfinite(one))
        n_higher += int(highest >= top - TOLERANCE)
        n_maps += 1
    p = np.where(np.isfinite(scores), count / n_maps, np.nan).astype(np.float32)
    return p, n_higher / n_maps if np.isfinite(top) else np.nan


def p_map(p: NDArray[np.float32], label: str, *, name: str, by: str, floor: float) -> StatMap:
    """Return the map of p of a map of scores.

    Parameters
    ----------
    p : (n_units,)
    label
        Of the map of scores.
    name
        Of what is told apart, or compared.
    by
        What was exchanged.
    floor
        The smallest p that is possible.
    """
    words = (
        f"One-sided p of each unit for {name} for itself, by exchanged {by}: not corrected for "
        f"how many units there are; {floor:.3g} to 1."
    )
    return StatMap("p", p, label, words)


def row_of(scores: NDArray[np.float32], n_units: Numbers) -> dict[str, Any]:
    """Return what the table says of a map's scores: how many, how large spheres, the highest.

    Parameters
    ----------
    scores : (n_centers,)
        NaN = not known.
    n_units : (n_centers,)
        Units of each sphere.
    """
    known = np.isfinite(scores)
    is_any = bool(known.any())
    return {
        "n_centers": int(known.sum()),
        "n_units": float(np.median(n_units[known])) if is_any else 0.0,
        "mean": float(scores[known].mean()) if is_any else np.nan,
        "highest": float(scores[known].max()) if is_any else np.nan,
        "highest_unit": int(np.nanargmax(scores)) if is_any else -1,
    }
