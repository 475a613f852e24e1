"""Response-triggered averages of some units of each region, over the training images."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.analyses.encode.data import Data
from bids_dnn.analyses.encode.model import Extras
from bids_dnn.analyses.encode.patterns import evenly
from bids_dnn.containers.pictures import GreyPictures
from bids_dnn.containers.result import RowArrays
from bids_dnn.errors import MissingInputError

NAME = "triggered"
MOST_UNITS = 24  # of a region
COLUMNS = {
    "unit": "Number of the unit among the columns of the responses",
    "network": "Name of the network that sees the pictures so",
    "n_images": "Training images to which the unit has a response",
    "z_low": "Lowest z of the unit's map; n/a where the unit does not vary",
    "z_high": "Highest z of the unit's map",
}
WORDS = {
    "average": "Response-triggered average: mean over training images of (response, in SD) x "
    "(image less the mean image), in 8-bit gray levels; rows as in the table, then down and to "
    "the right",
    "z": "The same over its SD under all exchanges of responses among images (mean 0, SD 1); NaN "
    "where the pixel or the unit does not vary",
}


def averages_of(data: Data, pictures: GreyPictures) -> Extras:
    """Average the training images by the responses to them, for some units of each region.

    Images that only test are not used. With natural images, the averages hold the correlations
    of pixels with each other beside what the unit answers to.

    Parameters
    ----------
    data
    pictures
        Of all images of the data.

    Returns
    -------
    extras
        Table ``triggered``, a row a unit, at most `MOST_UNITS` of a region, evenly; arrays
        ``average`` and ``z`` (n_rows, h, w).

    Raises
    ------
    MissingInputError
        If an image has no picture.
    NotEnoughDataError
        If there are fewer than three training images.
    """
    from bids_dnn.analyses.encode.readouts.triggered import triggered_average

    trained: NDArray[np.bool_] = np.any([fold.train for fold in data.folds], axis=0)
    place = {name: row for row, name in enumerate(pictures.stimuli)}
    names = [name for name, keep in zip(data.stimuli, trained, strict=True) if keep]
    if missing := [name for name in names if name not in place]:
        raise MissingInputError(
            f"{len(missing)} images have no picture, such as {missing[0]!r}.",
            mend="Put it into the stimuli folder, or leave triggered out.",
        )
    shown = pictures.values[[place[name] for name in names]]
    told, tables = data.truth[trained], []
    chosen = [(region.name, evenly(columns, MOST_UNITS)) for region, columns in data.regions]
    made = triggered_average(shown, told[:, np.concatenate([own for _, own in chosen])])
    for region, own in chosen:
        rows = {"unit": data.units[own], "n_images": np.isfinite(told[:, own]).sum(axis=0)}
        table = pd.DataFrame(rows)
        table.insert(0, "network", pictures.network)
        table.insert(0, "region", region)
        tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    known = np.isfinite(made.z)
    table["z_low"] = _or_nan(np.where(known, made.z, np.inf).min(axis=(1, 2)))
    table["z_high"] = _or_nan(np.where(known, made.z, -np.inf).max(axis=(1, 2)))
    values = {name: getattr(made, name).astype(np.float32) for name in WORDS}
    return Extras(
        tables={NAME: table}, columns={NAME: COLUMNS}, arrays={NAME: RowArrays(values, WORDS)}
    )


def _or_nan(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isfinite(values), values, np.nan)
