"""Response-triggered averages: what images have in common to which a unit responds strongly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.errors import NotEnoughDataError, ShapeError, UnreadableError

Array = NDArray[np.float64]
BLOCK = 512  # images read at once
FEWEST = 3


@dataclass(frozen=True, slots=True, eq=False)
class Triggered:
    """Response-triggered averages of units.

    Parameters
    ----------
    average : (n_units, h, w), unit of the images
        Mean over images of (standardized response) x (image less the mean image): how much
        lighter a pixel is, for one SD of the response. NaN for units that do not vary.
    z : (n_units, h, w)
        The correlation of response and pixel times ``sqrt(n - 1)``: over all exchanges of
        responses among images its mean is 0 and its SD 1, exactly. NaN where the pixel or the
        unit does not vary.
    """

    average: Array
    z: Array


def triggered_average(images: Any, responses: NDArray[np.floating[Any]]) -> Triggered:
    """Weigh images by the responses to them, and average.

    Parameters
    ----------
    images : (n_stimuli, h, w)
        Luminance; anything with a shape that gives rows when sliced.
    responses : (n_stimuli, n_units)
        NaN = not measured; such images do not count for the unit.

    Raises
    ------
    ShapeError
        If images have not three axes, or there is not one row of responses for each.
    NotEnoughDataError
        If there are fewer than three images.
    UnreadableError
        If an image is not finite; names its index.

    References
    ----------
    Chichilnisky (2001), Network 12:199, doi:10.1080/713663221.
    Pitman (1937), Suppl. J. R. Stat. Soc. 4:225, doi:10.2307/2983647 (mean and SD of r over
    exchanges).

    Examples
    --------
    >>> images = np.zeros((4, 1, 2))
    >>> images[:, 0, 0] = [0.0, 1.0, 2.0, 3.0]
    >>> made = triggered_average(images, np.array([[0.0], [1.0], [2.0], [3.0]]))
    >>> made.z.round(3)
    array([[[1.732,   nan]]])
    """
    shape = tuple(images.shape)
    if len(shape) != 3 or responses.ndim != 2 or len(responses) != shape[0]:
        raise ShapeError(
            f"Images have shape {shape} and responses {responses.shape}.",
            mend="Give images (n_stimuli, h, w), and responses (n_stimuli, n_units) to them.",
        )
    if shape[0] < FEWEST:
        raise NotEnoughDataError(
            f"There are {shape[0]} images; an average needs {FEWEST}.",
            mend="Give more images.",
        )
    known = np.isfinite(responses)
    n = known.sum(axis=0)  # (n_units,)
    y = np.where(known, responses, 0.0).astype(np.float64)
    y = np.where(known, y - y.sum(axis=0) / np.maximum(n, 1), 0.0)
    level = np.zeros(shape[1:]).ravel()
    for start in range(0, shape[0], BLOCK):
        level += _block(images, start).sum(axis=0)
    level /= shape[0]
    cross, first, second = (np.zeros((len(n), level.size)) for _ in range(3))
    for start in range(0, shape[0], BLOCK):
        rows = slice(start, start + BLOCK)
        off = _block(images, start) - level  # so that little is lost in the sums of squares
        share = known[rows].T.astype(np.float64)
        cross += y[rows].T @ off
        first += share @ off
        second += share @ off**2
    count = np.maximum(n, 1)[:, None]
    sd = np.sqrt((y**2).sum(axis=0) / np.maximum(n, 1))  # (n_units,)
    variance = second / count - (first / count) ** 2
    variance = np.where(variance > 1e-12 * np.maximum(second / count, 1e-300), variance, np.nan)
    is_fit = (n >= FEWEST) & (sd > 0)
    average = cross / count / np.where(is_fit, sd, np.nan)[:, None]
    z = average / np.sqrt(variance) * np.sqrt(np.maximum(n - 1, 0))[:, None]
    maps = (len(n), *shape[1:])
    return Triggered(average.reshape(maps), z.reshape(maps))


def _block(images: Any, start: int) -> Array:
    """Read some images, (n, h * w)."""
    made = np.asarray(images[start : start + BLOCK], dtype=np.float64)
    is_whole = np.isfinite(made).all(axis=(1, 2))
    if not is_whole.all():
        raise UnreadableError(
            f"The image at index {start + int(np.argmin(is_whole))} holds NaN or infinite values.",
            mend="Give luminance of each pixel.",
        )
    return made.reshape(len(made), -1)
