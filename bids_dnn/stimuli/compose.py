"""Pictures on a canvas whose place and size are degrees of visual angle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bids_dnn.errors import ConfigError
from bids_dnn.stimuli.resize import FILTERS
from bids_dnn.stimuli.transform_names import check_inside

if TYPE_CHECKING:
    from bids_dnn.containers.network import Interpolation

Picture = NDArray[np.float32]
SNAP_PX = 0.02  # an edge that is this near to a pixel's edge lies on it
FEW_PX, COARSE_PX = 8, 128
LEAST_PX = 1 / 32  # of the longer side of an item


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """A picture, and where it is seen.

    Parameters
    ----------
    picture : (h, w, 3)
    x_deg, y_deg : float
        Of its center, from the center of the canvas: positive right and up.
    size_deg : float
        Its longer side; the shape stays.
    """

    picture: Picture
    x_deg: float
    y_deg: float
    size_deg: float


def compose(
    items: Sequence[Item],
    *,
    field_deg: float,
    size_px: int,
    background: float,
    interpolation: Interpolation = "bilinear",
) -> Picture:
    """Draw items on a uniform square, later ones over earlier ones.

    Parameters
    ----------
    items
    field_deg : float
        Width of the canvas.
    size_px : int
        Width of the canvas; a degree is ``size_px / field_deg`` pixels everywhere.
    background : float
        In units of the pictures.
    interpolation
        Of the resizing, with antialiasing.

    Returns
    -------
    canvas : (size_px, size_px, 3)
        Where an item ends within a pixel, the pixel is covered in part, so that centers and
        sizes are exact.

    Raises
    ------
    ConfigError
        If an item reaches beyond the canvas, or is far smaller than a pixel.

    Examples
    --------
    >>> white = np.ones((2, 2, 3), np.float32)
    >>> canvas = compose([Item(white, 1, 0, 2)], field_deg=4, size_px=4, background=0)
    >>> canvas[:, :, 0].tolist()
    [[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]]
    """
    canvas = np.full((size_px, size_px, 3), background, dtype=np.float32)
    for item in items:
        check_inside((item.x_deg, item.y_deg), item.size_deg, field_deg)
        _draw(canvas, item, size_px / field_deg, interpolation)
    return canvas


@dataclass(frozen=True, slots=True)
class _Span:
    """Along one axis: the pixels that an item touches, and the part of each that it covers."""

    first: int
    cover: Picture
    start: float  # where the first touched pixel begins, in pixels of the item's picture
    end: float


def _span(center: float, length: float, n_source: int, n_canvas: int) -> _Span:
    low, high = center - length / 2, center + length / 2
    if length > 1:
        low, high = _snapped(low), _snapped(high)
    first, last = max(0, math.floor(low)), min(n_canvas, math.ceil(high))
    edges = np.arange(first, last + 1)
    cover = np.minimum(edges[1:], high) - np.maximum(edges[:-1], low)
    scale = n_source / (high - low)
    return _Span(first, cover.astype(np.float32), (first - low) * scale, (last - low) * scale)


def _snapped(edge: float) -> float:
    return float(round(edge)) if abs(edge - round(edge)) < SNAP_PX else edge


def _coarse(picture: Picture, drawn_height: float, drawn_width: float) -> Picture:
    """Return a smaller picture where few pixels are drawn, beyond whose edge much would be."""
    height, width = (
        min(side, max(1, int(COARSE_PX * min(1, drawn)))) if drawn < FEW_PX else side
        for side, drawn in zip(picture.shape[:2], (drawn_height, drawn_width), strict=True)
    )
    if (height, width) == picture.shape[:2]:
        return picture
    planes = [Image.fromarray(np.ascontiguousarray(picture[:, :, k])) for k in range(3)]
    small = [np.asarray(one.resize((width, height), FILTERS["bilinear"])) for one in planes]
    return np.stack(small, axis=2)


def _beyond(span: _Span, n_source: int) -> tuple[int, float, float]:
    """Return the margin that sampling along an axis needs, and where it begins and ends then."""
    if n_source == 1:  # the same everywhere
        return 0, 0.0, 1.0
    margin = max(0, math.ceil(max(-span.start, span.end - n_source) - 1e-9))
    # A rounding error must not lead out of the source.
    return margin, max(0.0, span.start + margin), min(n_source + 2.0 * margin, span.end + margin)


def _check_size(item: Item, scale: float) -> None:
    if item.size_deg * scale < LEAST_PX:
        raise ConfigError(
            f"An item of {item.size_deg:g} degrees is {item.size_deg * scale:.2g} pixels wide; "
            f"{LEAST_PX:g} at least were expected.",
            mend="Type a larger size=, or a smaller field=.",
        )


def _draw(canvas: Picture, item: Item, scale: float, interpolation: Interpolation) -> None:
    size = len(canvas)
    _check_size(item, scale)
    shrink = (
        item.size_deg * scale / max(item.picture.shape[:2])
    )  # canvas pixels for each of its own
    drawn_height, drawn_width = (side * shrink for side in item.picture.shape[:2])
    picture = _coarse(item.picture, drawn_height, drawn_width)
    height, width = picture.shape[:2]
    across = _span(size / 2 + item.x_deg * scale, drawn_width, width, size)
    down = _span(size / 2 - item.y_deg * scale, drawn_height, height, size)

    # Pixels that the item covers in part are sampled beyond its edge, which is continued.
    beside, left, right = _beyond(across, width)
    above, top, bottom = _beyond(down, height)
    source = np.pad(picture, ((above, above), (beside, beside), (0, 0)), mode="edge")
    box = (left, top, right, bottom)
    shape = (len(across.cover), len(down.cover))
    rows = slice(down.first, down.first + shape[1])
    columns = slice(across.first, across.first + shape[0])
    cover = down.cover[:, None] * across.cover[None, :]
    for channel in range(3):
        plane = Image.fromarray(np.ascontiguousarray(source[:, :, channel], dtype=np.float32))
        drawn = np.asarray(plane.resize(shape, FILTERS[interpolation], box=box))
        below = canvas[rows, columns, channel]
        canvas[rows, columns, channel] = below + cover * (drawn - below)
