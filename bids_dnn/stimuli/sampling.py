"""Pictures between their pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]


def sampled(picture: Picture, x: Picture, y: Picture, *, fill: float) -> Picture:
    """Return a picture at any places, bilinear between the centers of pixels.

    Parameters
    ----------
    picture : (h, w, 3)
    x, y : (m, n), pixels
        From the upper left corner, right and down: the first pixel covers 0 to 1.
    fill : float
        Outside of the picture.

    Returns
    -------
    sampled : (m, n, 3)
    """
    height, width, n_channels = picture.shape
    outside = (x < 0) | (x > width) | (y < 0) | (y > height)
    left, part_x = _between(x, width)
    top, part_y = _between(y, height)
    flat = np.ascontiguousarray(picture, dtype=np.float32).reshape(-1, n_channels)
    right, below = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    above = _mixed(flat, top * width + left, top * width + right, part_x)
    under = _mixed(flat, below * width + left, below * width + right, part_x)
    made: Picture = above + part_y[:, :, None] * (under - above)
    made[outside] = fill
    return made


def _between(places: Picture, n: int) -> tuple[NDArray[np.intp], Picture]:
    """Return the pixel before each place, and how far on to the next it lies (0 to 1)."""
    index = np.clip(places - np.float32(0.5), 0, n - 1)
    before = index.astype(np.intp)
    return before, index - before.astype(np.float32)


def _mixed(
    flat: Picture, first: NDArray[np.intp], second: NDArray[np.intp], part: Picture
) -> Picture:
    start = flat.take(first, axis=0)
    return start + part[:, :, None] * (flat.take(second, axis=0) - start)


def averaged(
    picture: Picture, x: Picture, y: Picture, *, width_px: Picture, fill: float
) -> Picture:
    """Return means of a picture around any places, where `sampled` would skip pixels.

    The picture is halved again and again; between the two halvings whose pixels are about as wide
    as what is averaged over, it is interpolated.

    Parameters
    ----------
    picture, x, y, fill
        As in `sampled`.
    width_px : (m, n)
        Over which is averaged; up to 1 pixel = `sampled`.

    Returns
    -------
    averaged : (m, n, 3)

    References
    ----------
    Williams (1983), Comput. Graph. 17:1, doi:10.1145/964967.801126.
    """
    level = np.log2(np.clip(width_px, 1, min(picture.shape[:2]))).astype(np.float32)
    made = np.zeros((*x.shape, picture.shape[2]), dtype=np.float32)
    halved, scale = picture, np.float32(1)
    for number in range(int(np.ceil(level.max(initial=0))) + 1):
        share = np.maximum(0, 1 - np.abs(level - np.float32(number)))[:, :, None]
        made += share * sampled(halved, x * scale, y * scale, fill=fill)
        halved, scale = _halved(halved), scale / 2
    height, width = picture.shape[:2]
    made[(x < 0) | (x > width) | (y < 0) | (y > height)] = fill
    return made


def _halved(picture: Picture) -> Picture:
    """Return means of 2 x 2 pixels; an odd last row or column is repeated."""
    height, width = picture.shape[:2]
    even = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    rows = even[::2] + even[1::2]
    mean: Picture = (rows[:, ::2] + rows[:, 1::2]) * np.float32(0.25)
    return mean
