"""How many units regions share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from bids_dnn.containers.roi import Roi
from bids_dnn.errors import SpaceError

COLUMNS = {
    "region_a": "Name of a region.",
    "region_b": "Name of another region that shares units with it.",
    "n_units": "Number of units that both have.",
    "share_a": "Shared units over all units of region_a, in (0, 1].",
    "share_b": "Shared units over all units of region_b, in (0, 1].",
}


def overlaps(rois: Sequence[Roi]) -> pd.DataFrame:
    """Count the units that regions share, two by two.

    Parameters
    ----------
    rois
        On the places of one space.

    Returns
    -------
    table
        One row for each two regions that share a unit, in the order of `rois`; the columns of
        `COLUMNS`. No row where none overlap.

    Raises
    ------
    SpaceError
        If two regions lie on different places.
    """
    for other in rois[1:]:
        if not other.space.has_places_of(rois[0].space):
            raise SpaceError(
                f"Region {rois[0].name!r} lies on {rois[0].space.describe()}, region "
                f"{other.name!r} on {other.space.describe()}.",
                mend="Build both on the space of the responses.",
            )
    rows = []
    for a, b in combinations(rois, 2):
        n = np.intersect1d(a.space.index, b.space.index, assume_unique=True).size
        if n:
            rows.append((a.name, b.name, n, n / len(a.space), n / len(b.space)))
    return pd.DataFrame(rows, columns=pd.Index(list(COLUMNS)))


def overlap_warnings(table: pd.DataFrame) -> list[str]:
    """Return a sentence for each two regions that overlap.

    Parameters
    ----------
    table
        From `overlaps`.

    Examples
    --------
    >>> row = ("V1", "V2", 5, 0.5, 0.05)
    >>> overlap_warnings(pd.DataFrame([row], columns=list(COLUMNS)))
    ['Regions V1 and V2 share 5 units (50 % of V1, 5 % of V2).']
    """
    return [
        f"Regions {row['region_a']} and {row['region_b']} share {row['n_units']} units "
        f"({100 * row['share_a']:.0f} % of {row['region_a']}, "
        f"{100 * row['share_b']:.0f} % of {row['region_b']})."
        for row in table.to_dict("records")
    ]
