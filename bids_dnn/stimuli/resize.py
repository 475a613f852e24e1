"""From a picture of any shape to a square, with antialiasing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from bids_dnn.containers.network import Interpolation, Resize

Picture = NDArray[np.float32]
MID_GREY = 128  # of 255
LONGEST = 100  # times the square: above, a picture is cropped before it is scaled

FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def square(
    picture: Image.Image,
    size_px: int,
    *,
    resize: Resize,
    interpolation: Interpolation = "bilinear",
    fill: float = MID_GREY,
    keep: float = 1.0,
) -> Image.Image:
    """Return a square of a picture; every output pixel averages what it covers.

    Parameters
    ----------
    picture
        Of mode ``RGB`` (8 bits, rounded and clipped) or ``F``.
    size_px : int
        Side of the square.
    resize
        ``squash`` = whatever the shape; ``center-crop`` = shorter side to `size_px`, then the
        middle, pixel by pixel what torchvision's ``Resize`` and ``CenterCrop`` give; ``pad`` =
        longer side to `size_px`, then a margin.
    interpolation
        Triangle or cubic (a = -0.5), widened where the picture shrinks.
    fill : float
        Of the margin, in units of the picture.
    keep : float, in (0, 1]
        Share of the shorter side that ``center-crop`` cuts out.

    Returns
    -------
    square
        In the mode of `picture`.
    """
    width, height = picture.size
    kernel = FILTERS[interpolation]
    if resize == "squash":
        return picture.resize((size_px, size_px), kernel)
    if resize == "center-crop":
        return _cropped(picture, size_px, kernel=kernel, keep=keep)
    scale = size_px / max(width, height)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    color = float(fill) if picture.mode == "F" else (round(fill),) * 3
    made = Image.new(picture.mode, (size_px, size_px), color)
    made.paste(
        picture.resize(inner, kernel), ((size_px - inner[0]) // 2, (size_px - inner[1]) // 2)
    )
    return made


def resized(
    picture: Picture,
    size_px: int,
    *,
    resize: Resize,
    interpolation: Interpolation = "bilinear",
    fill: float = MID_GREY / 255,
    keep: float = 1.0,
) -> Picture:
    """Return a square of a floating-point picture, neither rounded nor clipped; see `square`.

    Parameters
    ----------
    picture : (h, w, 3)
    size_px : int
    resize, interpolation, keep
        As in `square`.
    fill : float
        Of the margin, in units of the picture.

    Returns
    -------
    square : (size_px, size_px, 3)
    """
    channels = [
        square(
            Image.fromarray(np.ascontiguousarray(picture[:, :, channel], dtype=np.float32)),
            size_px,
            resize=resize,
            interpolation=interpolation,
            fill=fill,
            keep=keep,
        )
        for channel in range(3)
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=2)


def _cropped(
    picture: Image.Image, size_px: int, *, kernel: Image.Resampling, keep: float
) -> Image.Image:
    """Return the middle of a picture whose shorter side was scaled to `size_px` / `keep`.

    Of a very long picture, what is cut away is not made.
    """
    short = max(size_px, math.floor(size_px / keep))
    scaled = [max(size_px, int(short * side / min(picture.size))) for side in picture.size]
    left, top = (round((side - size_px) / 2) for side in scaled)
    right, bottom = left + size_px, top + size_px
    if max(scaled) <= LONGEST * size_px:
        whole = picture.resize((scaled[0], scaled[1]), kernel)
        return whole.crop((left, top, right, bottom))
    x, y = (side / whole for side, whole in zip(picture.size, scaled, strict=True))
    return picture.resize(
        (size_px, size_px), kernel, box=(left * x, top * y, right * x, bottom * y)
    )
