"""What a region answers to each stimulus, for ceilings over participants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.stats.regions import region_means
from bids_dnn.stats.repeats import averages

COLUMNS = {
    "region": "Name of the region",
    "stimulus": "What was shown: a stimulus, or a condition where no stimulus is known",
    "n_repeats": "How often it was shown",
    "response": "Mean over the region's units and over repeats, in the unit of the responses; "
    "units are not scaled, so that it is what encoding predicts with the target `mean`",
}


def response_profiles(
    values: NDArray[np.floating[Any]],
    stimuli: Sequence[str],
    regions: Mapping[str, NDArray[np.intp]],
) -> pd.DataFrame:
    """Return the mean response of each region's units to each stimulus.

    Units keep their scale: units that answer more weigh more, as in the mean that encoding
    predicts.

    Parameters
    ----------
    values : (n_samples, n_units)
        Single responses.
    stimuli : n_samples
        What was shown.
    regions : by name, (n_units_in_region,)
        Columns of `values`.

    Returns
    -------
    profiles
        One row a region and stimulus, with `COLUMNS`; stimuli in the order of their names.

    Raises
    ------
    NotEnoughDataError
        If a region has no unit.

    Examples
    --------
    >>> values = np.array([[1.0, 3.0], [5.0, 5.0], [3.0, 5.0]])
    >>> response_profiles(values, ["a", "b", "a"], {"V1": np.array([0, 1])})["response"].tolist()
    [3.0, 5.0]
    """
    names, which, counts = np.unique(
        np.asarray(stimuli, dtype=np.str_), return_inverse=True, return_counts=True
    )
    means = averages(which, len(names)) @ region_means(values, list(regions.values()))
    parts = [
        pd.DataFrame(
            {
                "region": region,
                "stimulus": names.astype(object),
                "n_repeats": counts,
                "response": means[:, k],
            }
        )
        for k, region in enumerate(regions)
    ]
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)]
