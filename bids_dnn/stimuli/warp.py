"""The picture as cones sample it: the fovea magnified, the periphery compressed.

Along a radius, the distance from one cone to the next is ``d(r) = c exp(a r / 2)``, so that cones
per area fall as ``exp(-a r)``; ``a = ln(density) / R`` makes the fovea `density` times as dense as
the edge of the picture, R pixels away. One step to the next cone is one pixel of the warped
picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, nnls

from bids_dnn.errors import ConfigError, ShapeError

Picture = NDArray[np.float32]
Array = NDArray[np.float64]
Mode = Literal["exact", "fitted"]

LEAST_FITTED_PX = 8


@dataclass(frozen=True, slots=True)
class _Law:
    """From steps of one cone (pixels of the warped picture) to pixels of the picture."""

    input_px: int
    output_px: int
    density: float
    mode: Mode


def radius(
    steps: Array, *, input_px: int, output_px: int, density: float = 10.0, mode: Mode = "exact"
) -> Array:
    """Return how far from the fixation in the picture a distance in the warped picture lies.

    The exact law is the integral of the spacing, ``r(i) = -(2 / a) ln(1 - a c i / 2)``, with c
    such that the edge of the warped picture, ``i = output_px / 2``, is the edge of the picture,
    ``r = input_px / 2``. The fitted law is ``r(i) = A i^2 + B i``, see `fitted`.

    Parameters
    ----------
    steps : any shape, pixels of the warped picture
    input_px, output_px : int
        Sides of the picture and of the warped one.
    density : float, at least 1
        Cones per area in the fovea over those at the edge; 1 is plain scaling.
    mode
        ``exact`` or ``fitted``.

    Returns
    -------
    radius : shape of `steps`, pixels of the picture
        Infinite where the exact law reaches no such distance.

    Raises
    ------
    ConfigError
        If `density` is below 1, or a size too small for the fitted law.

    References
    ----------
    The spacing of cones and the quadratic are those of the program retinawarp,
    https://github.com/dicarlolab/retinawarp.

    Examples
    --------
    >>> radius(np.array([0.0, 56.0, 112.0]), input_px=500, output_px=224).round(1)
    array([  0. ,  90.8, 250. ])
    """
    law = _law(input_px, output_px, density, mode)
    i = np.asarray(steps, dtype=np.float64)
    if mode == "fitted":
        a, b = fitted(input_px, output_px, density)
        return a * i**2 + b * i
    share = i * (2 / output_px)
    if density == 1:
        return share * (input_px / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.maximum(share * math.expm1(-math.log(law.density) / 2), -1.0)
        reached: Array = np.log1p(left) * (-input_px / math.log(law.density))
    return reached


def steps(
    radius: Array, *, input_px: int, output_px: int, density: float = 10.0, mode: Mode = "exact"
) -> Array:
    """Return how far out in the warped picture a distance in the picture lies.

    The inverse of `radius`, in closed form; see there for parameters.

    Parameters
    ----------
    radius : any shape, pixels of the picture
    input_px, output_px, density, mode
        As in `radius`.

    Returns
    -------
    steps : shape of `radius`, pixels of the warped picture

    Raises
    ------
    ConfigError
        As `radius`.
    """
    _law(input_px, output_px, density, mode)
    r = np.asarray(radius, dtype=np.float64)
    if mode == "fitted":
        a, b = fitted(input_px, output_px, density)
        return (
            2 * r / (b + np.sqrt(b**2 + 4 * a * r))
        )  # the root of a i^2 + b i = r, for a = 0 too
    share = r * (2 / input_px)
    if density != 1:
        half = -math.log(density) / 2
        share = np.expm1(share * half) / math.expm1(half)
    return share * (output_px / 2)


@lru_cache(maxsize=64)
def cone_density(input_px: int, output_px: int, density: float = 10.0) -> float:
    """Return the density of cones in the fovea that the fitted law rests on.

    Cones stand at ``r[0] = 0``, ``r[i + 1] = r[i] + d(r[i])``, ``d(r) = (pi rho)^(-1/2)
    exp(a r / 2)``; rho is such that the last of ``output_px // 2`` is ``input_px / 2`` away.

    Parameters
    ----------
    input_px, output_px : int
        Sides of the picture and of the warped one.
    density : float, at least 1
        As in `radius`.

    Returns
    -------
    rho : float
        Cones per pixel of the picture.

    Examples
    --------
    >>> round(cone_density(500, 224), 4), round(cone_density(224, 224), 3)
    (0.1761, 0.877)
    """
    even = input_px / 2 / (output_px // 2 - 1)  # spacing of cones if they were evenly spaced
    spacing = brentq(
        lambda c: _cones(c, input_px, output_px, density)[-1] - input_px / 2,
        even / (10 * math.sqrt(density)),
        even * 1.5,
        xtol=1e-13 * even,
    )
    return float(1 / (math.pi * spacing**2))


@lru_cache(maxsize=64)
def fitted(input_px: int, output_px: int, density: float = 10.0) -> tuple[float, float]:
    """Fit the quadratic through the places of cones, by least squares without negative terms.

    Parameters
    ----------
    input_px, output_px : int
        Sides of the picture and of the warped one.
    density : float, at least 1
        As in `radius`.

    Returns
    -------
    a, b : float
        Of ``r(i) = a i^2 + b i``, pixels of the picture.

    Examples
    --------
    >>> a, b = fitted(500, 224)
    >>> round(a, 6), round(b, 4)
    (0.009751, 1.1024)
    """
    rho = cone_density(input_px, output_px, density)
    reached = _cones(1 / math.sqrt(math.pi * rho), input_px, output_px, density)
    i = np.arange(len(reached), dtype=np.float64)
    (a, b), _ = nnls(np.column_stack([i**2, i]), reached)
    return float(a), float(b)


def retinawarp(
    picture: Picture,
    *,
    size_px: int,
    density: float = 10.0,
    fixation: tuple[float, float] = (0.0, 0.0),
    fill: float = 0.0,
    mode: Mode = "exact",
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
    law = _law(len(middle), size_px, density, mode)
    x, y = _seen(law, fixation)
    return _sampled(middle, x, y, fill)


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
    law = _law(size_px, len(warped), density, mode)
    x, y = _unseen(law, fixation)
    return _sampled(warped, x, y, fill)


def _law(input_px: int, output_px: int, density: float, mode: Mode) -> _Law:
    if not 1 <= density < math.inf:
        raise ConfigError(
            f"The density is {density!r}, which must be at least 1.",
            mend="Type density=10 for a fovea ten times as dense as the edge.",
        )
    if mode == "fitted" and min(input_px, output_px) < LEAST_FITTED_PX:
        raise ConfigError(
            f"{input_px} to {output_px} pixels are too few for the fitted quadratic, which needs "
            f"{LEAST_FITTED_PX}.",
            mend="Type mode=exact.",
        )
    return _Law(input_px, output_px, float(density), mode)


def _cones(spacing: float, input_px: int, output_px: int, density: float) -> Array:
    """Return where cones stand, (output_px // 2,), the first in the center."""
    a = math.log(density) / (input_px // 2)
    reached = np.zeros(output_px // 2)
    for i in range(1, len(reached)):
        reached[i] = reached[i - 1] + spacing * math.exp(min(a * reached[i - 1] / 2, 300.0))
    return reached


@lru_cache(maxsize=4)
def _seen(law: _Law, fixation: tuple[float, float]) -> tuple[Picture, Picture]:
    """Return for each pixel of the warped picture the place in the picture, in its pixels."""
    half = law.input_px / 2
    right, down = _offsets(law.output_px, (0.0, 0.0))
    distance = np.hypot(right, down)
    reached = radius(
        distance,
        input_px=law.input_px,
        output_px=law.output_px,
        density=law.density,
        mode=law.mode,
    )
    stretch = _ratio(reached, distance)
    return _places(half * (1 + fixation[0]), half * (1 - fixation[1]), right, down, stretch)


@lru_cache(maxsize=4)
def _unseen(law: _Law, fixation: tuple[float, float]) -> tuple[Picture, Picture]:
    """Return for each pixel of the picture the place in the warped one, in its pixels."""
    right, down = _offsets(law.input_px, fixation)
    distance = np.hypot(right, down)
    reached = steps(
        distance,
        input_px=law.input_px,
        output_px=law.output_px,
        density=law.density,
        mode=law.mode,
    )
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
    with np.errstate(invalid="ignore"):  # nothing times infinitely far: not there
        x = np.nan_to_num(center_x + right * stretch, nan=np.inf).astype(np.float32)
        y = np.nan_to_num(center_y + down * stretch, nan=np.inf).astype(np.float32)
    x.flags.writeable = y.flags.writeable = False  # they are remembered
    return x, y


def _sampled(picture: Picture, x: Picture, y: Picture, fill: float) -> Picture:
    """Return the picture at (x, y), where its first pixel covers 0 to 1; `fill` outside."""
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


def _middle(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]
