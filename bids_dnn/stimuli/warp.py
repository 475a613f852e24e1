"""The picture as cones sample it: the fovea magnified, the periphery compressed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bids_dnn.errors import ShapeError
from bids_dnn.stimuli.sampling import averaged, sampled
from bids_dnn.stimuli.warp_law import (
    Array,
    Mode,
    cone_density,
    fitted,
    radius,
    spacing,
    steps,
)

__all__ = ["cone_density", "fitted", "radius", "retinawarp", "spacing", "steps", "unwarp"]

Picture = NDArray[np.float32]

FAR_PX = 1e9  # in place of infinitely far


@dataclass(frozen=True, slots=True)
class _Law:
    """Arguments of `radius`."""

    input_px: int
    output_px: int
    density: float
    mode: Mode


def retinawarp(
    picture: Picture,
    *,
    size_px: int,
    density: float = 10.0,
    fixation: tuple[float, float] = (0.0, 0.0),
    fill: float = 0.0,
    mode: Mode = "exact",
    antialias: bool = False,
) -> Picture:
    """Warp one picture around where it is fixated.

    Parameters
    ----------
    picture : (h, w, 3)
        The middle is cut out first where it is no square.
    size_px : int
        Side of the warped picture.
    density : float, at least 1
        Cones per area in the fovea over those at the edge.
    fixation : x, y
        From the center, right and up, in half widths of the picture: (1, 0) is the middle of
        its right edge.
    fill : float
        Where there is no picture, in units of the picture.
    mode
        See `radius`.
    antialias
        Whether each pixel averages about what lies between cones, rather than a place; for
        pictures that are much larger than `size_px`.

    Returns
    -------
    warped : (size_px, size_px, 3)
        Bilinear between pixels. The fixation is in the middle, angles around it stay.

    Raises
    ------
    ConfigError
        If `density` is below 1, or a size too small for the fitted law.
    """
    middle = _middle(picture)
    law = _Law(len(middle), size_px, float(density), mode)
    x, y, width_px = _seen(law, fixation)
    if antialias:
        return averaged(middle, x, y, width_px=width_px, fill=fill)
    return sampled(middle, x, y, fill=fill)


def unwarp(
    warped: Picture,
    *,
    size_px: int,
    density: float = 10.0,
    fixation: tuple[float, float] = (0.0, 0.0),
    fill: float = 0.0,
    mode: Mode = "exact",
) -> Picture:
    """Take a warped picture back to where things were.

    Fine detail comes back around the fixation alone: elsewhere it was not sampled.

    Parameters
    ----------
    warped : (n, n, 3)
        From `retinawarp`.
    size_px : int
        Side of the picture that was warped.
    density, fixation, fill, mode
        As they were.

    Returns
    -------
    picture : (size_px, size_px, 3)
        `fill` where the warped picture does not reach.

    Raises
    ------
    ShapeError
        If `warped` is no square.
    ConfigError
        As `retinawarp`.
    """
    if warped.shape[0] != warped.shape[1]:
        raise ShapeError(
            f"The warped picture has shape {warped.shape}.", mend="It must be (n, n, 3)."
        )
    x, y = _unseen(_Law(size_px, len(warped), float(density), mode), fixation)
    return sampled(warped, x, y, fill=fill)


@lru_cache(maxsize=4)
def _seen(law: _Law, fixation: tuple[float, float]) -> tuple[Picture, Picture, Picture]:
    """Return for each pixel of the warped picture the place in the picture, in its pixels.

    And how wide a part of the picture it stands for: the mean of both directions.
    """
    half = law.input_px / 2
    right, down = _offsets(law.output_px, (0.0, 0.0))
    distance = np.hypot(right, down)
    reached = radius(distance, **asdict(law))
    stretch = _ratio(reached, distance)
    x, y = _places(half * (1 + fixation[0]), half * (1 - fixation[1]), right, down, stretch)
    apart = spacing(distance, **asdict(law))
    across = np.where(distance > 0, stretch, apart)  # along a circle around the fixation
    width_px = np.sqrt(across * apart).astype(np.float32)
    width_px.flags.writeable = False
    return x, y, width_px


@lru_cache(maxsize=4)
def _unseen(law: _Law, fixation: tuple[float, float]) -> tuple[Picture, Picture]:
    """Return for each pixel of the picture the place in the warped one, in its pixels."""
    right, down = _offsets(law.input_px, fixation)
    distance = np.hypot(right, down)
    reached = steps(distance, **asdict(law))
    center = law.output_px / 2
    return _places(center, center, right, down, _ratio(reached, distance))


def _offsets(size_px: int, fixation: tuple[float, float]) -> tuple[Array, Array]:
    """Return how far right and down of the fixation each pixel's center lies."""
    center = np.arange(size_px, dtype=np.float64) + 0.5 - size_px / 2
    right = center[None, :] - fixation[0] * size_px / 2
    down = center[:, None] + fixation[1] * size_px / 2
    return right, down


def _ratio(reached: Array, distance: Array) -> Array:
    return np.divide(reached, distance, out=np.ones_like(distance), where=distance > 0)


def _places(
    center_x: float, center_y: float, right: Array, down: Array, stretch: Array
) -> tuple[Picture, Picture]:
    finite = np.minimum(stretch, FAR_PX)
    x = (center_x + right * finite).astype(np.float32)
    y = (center_y + down * finite).astype(np.float32)
    x.flags.writeable = y.flags.writeable = False  # they are remembered
    return x, y


def _middle(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]
