"""Where cones stand: from the picture to the warped picture, along a radius.

The distance from one cone to the next is ``d(r) = c exp(a r / 2)``, so that cones per area fall as
``exp(-a r)``; ``a = ln(density) / R`` makes the fovea `density` times as dense as the edge of the
picture, R pixels away. One step to the next cone is one pixel of the warped picture.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, nnls

from bids_dnn.errors import ConfigError

Array = NDArray[np.float64]
Mode = Literal["exact", "fitted"]

LEAST_FITTED_PX = 8


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
    The spacing of cones and the quadratic are those of the program retinawarp
    (https://github.com/dicarlolab/retinawarp) of Bashivan, Kar & DiCarlo (2019), Science
    364:eaav9436, doi:10.1126/science.aav9436.

    Examples
    --------
    >>> radius(np.array([0.0, 56.0, 112.0]), input_px=500, output_px=224).round(1)
    array([  0. ,  90.8, 250. ])
    """
    check_law(input_px, output_px, density, mode)
    i = np.asarray(steps, dtype=np.float64)
    if mode == "fitted":
        a, b = fitted(input_px, output_px, density)
        return a * i**2 + b * i
    share = i * (2 / output_px)
    if density == 1:
        return share * (input_px / 2)
    with np.errstate(divide="ignore"):
        left = np.maximum(share * math.expm1(-math.log(density) / 2), -1.0)
        reached: Array = np.log1p(left) * (-input_px / math.log(density))
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
    check_law(input_px, output_px, density, mode)
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


def spacing(
    steps: Array, *, input_px: int, output_px: int, density: float = 10.0, mode: Mode = "exact"
) -> Array:
    """Return how far apart cones are: the derivative of `radius`; see there for parameters.

    Parameters
    ----------
    steps : any shape, pixels of the warped picture
        Where `radius` is finite.
    input_px, output_px, density, mode
        As in `radius`.

    Returns
    -------
    spacing : shape of `steps`, pixels of the picture for each pixel of the warped one

    Raises
    ------
    ConfigError
        As `radius`.
    """
    i = np.asarray(steps, dtype=np.float64)
    if mode == "fitted":
        check_law(input_px, output_px, density, mode)
        a, b = fitted(input_px, output_px, density)
        return 2 * a * i + b
    r = radius(i, input_px=input_px, output_px=output_px, density=density, mode=mode)
    half = math.log(density) / 2
    even = input_px / output_px
    fovea = even if density == 1 else -even * math.expm1(-half) / half
    return fovea * np.exp(half * r * (2 / input_px))


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


def check_law(input_px: int, output_px: int, density: float, mode: Mode) -> None:
    """See to it that there is such a law; see `radius` for parameters.

    Raises
    ------
    ConfigError
        If `density` is below 1, or a size too small for the fitted law.
    """
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


def _cones(spacing: float, input_px: int, output_px: int, density: float) -> Array:
    """Return where cones stand, (output_px // 2,), the first in the center."""
    a = math.log(density) / (input_px // 2)
    reached = np.zeros(output_px // 2)
    for i in range(1, len(reached)):
        reached[i] = reached[i - 1] + spacing * math.exp(min(a * reached[i - 1] / 2, 300.0))
    return reached
