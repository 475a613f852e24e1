"""Receptive fields: a 2-D Gaussian fitted to how much each position weighs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from bids_dnn.errors import ConfigError, ShapeError

Array = NDArray[np.float64]
FLAT = 1e-6  # of the largest value: a map whose values lie closer has no field
LEAST_SD = 0.3  # cells; a smaller Gaussian is seen by one cell alone
FEWEST_CELLS = 3  # on a side of a map: of fewer no field can be told


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Fields in units of the stimulus.

    Parameters
    ----------
    x, y : (n_units,)
        Of the center. In degrees: from the center of the stimulus, to the right and up. In
        pixels: from the center of the first one (upper left), to the right and down.
    sd : (n_units,)
        Root of the product of the two SDs of the Gaussian.
    """

    x: Array
    y: Array
    sd: Array

    @property
    def diameter(self) -> Array:
        """Return 2 SD, the usual size of a field (n_units,)."""
        return 2 * self.sd


@dataclass(frozen=True, slots=True, eq=False)
class Fields:
    """Receptive fields of units, in cells of a layer's map; NaN for units without one.

    Parameters
    ----------
    x, y : (n_units,), cells
        Of the center, from the center of the first cell, to the right and down.
    major, minor : (n_units,), cells
        SD along the longer and the shorter axis.
    angle : (n_units,), radians, in (-pi/2, pi/2]
        Of the longer axis, from right towards up.
    r2 : (n_units,), at most 1
        Share of the map's variance that the Gaussian describes.
    shape
        (H, W) of the map.
    """

    x: Array
    y: Array
    major: Array
    minor: Array
    angle: Array
    r2: Array
    shape: tuple[int, int]

    @property
    def sd(self) -> Array:
        """Return the root of the product of the two SDs (n_units,), in cells."""
        return np.sqrt(self.major * self.minor)

    def in_degrees(self, height: float, width: float) -> Placed:
        """Return the fields in degrees of visual angle from the center of the stimulus.

        The cells are taken to tile the input evenly, as those of padded convolutions do.

        Parameters
        ----------
        height, width
            Of the whole stimulus that the network saw, degrees.

        Raises
        ------
        ConfigError
            If a side is not above zero.

        Examples
        --------
        >>> one = np.array([1.0])
        >>> field = Fields(0 * one, 0 * one, one, one, 0 * one, one, (2, 2))
        >>> placed = field.in_degrees(8.0, 8.0)
        >>> placed.x, placed.y, placed.diameter
        (array([-2.]), array([2.]), array([8.]))
        """
        down, right = self._per_cell(height, width, "degrees")
        return Placed(
            (self.x + 0.5) * right - width / 2,
            height / 2 - (self.y + 0.5) * down,
            self.sd * np.sqrt(down * right),
        )

    def in_pixels(self, height: int, width: int) -> Placed:
        """Return the fields in pixels of the picture that the network sees.

        The cells are taken to tile it evenly, as those of padded convolutions do.

        Parameters
        ----------
        height, width
            Of that picture, pixels.

        Raises
        ------
        ConfigError
            If a side is not above zero.

        Examples
        --------
        >>> one = np.array([1.0])
        >>> field = Fields(0 * one, 0 * one, one, one, 0 * one, one, (2, 2))
        >>> placed = field.in_pixels(8, 8)
        >>> placed.x, placed.y, placed.diameter
        (array([1.5]), array([1.5]), array([8.]))
        """
        down, right = self._per_cell(height, width, "pixels")
        return Placed(
            (self.x + 0.5) * right - 0.5,
            (self.y + 0.5) * down - 0.5,
            self.sd * np.sqrt(down * right),
        )

    def _per_cell(self, height: float, width: float, unit: str) -> tuple[float, float]:
        if not (height > 0 and width > 0):
            raise ConfigError(
                f"The stimulus is {height} x {width} {unit}; both must be above zero.",
                mend="Give its height and its width.",
            )
        return height / self.shape[0], width / self.shape[1]


def fit_fields(maps: NDArray[np.floating[Any]]) -> Fields:
    """Fit a Gaussian with a base to each map, by least squares.

    Parameters
    ----------
    maps : (n_units, H, W)
        How much each position weighs, such as `Readout.space()`; the sign does not count.

    Returns
    -------
    fields
        NaN where a map is flat or not finite.

    Raises
    ------
    ShapeError
        If the maps have not three axes, or are smaller than 3 x 3 cells.
    """
    if maps.ndim != 3 or min(maps.shape[1:]) < FEWEST_CELLS:
        raise ShapeError(
            f"Maps have shape {maps.shape}; (n_units, H, W) with {FEWEST_CELLS} cells a side or "
            "more are needed for a field.",
            mend="Choose a layer with a finer map.",
        )
    found = np.full((len(maps), 6), np.nan)
    for unit, one in enumerate(np.abs(maps.astype(np.float64))):
        most = one.max()
        if np.isfinite(most) and most > 0 and np.ptp(one) > FLAT * most:
            found[unit] = _fit_one(one / most)
    x, y, major, minor, angle, r2 = found.T
    return Fields(x, y, major, minor, angle, r2, (maps.shape[1], maps.shape[2]))


def gaussian(parameters: Array, x: Array, y: Array) -> Array:
    """Return a Gaussian with a base at some positions.

    Parameters
    ----------
    parameters : (7,)
        Height, center x and y, log SD along two axes, turn of the first (radians, from x
        towards y), base.
    x, y : (n,)
    """
    height, x0, y0, first, second, turn, base = parameters
    dx, dy = x - x0, y - y0
    u = (np.cos(turn) * dx + np.sin(turn) * dy) / np.exp(first)
    v = (np.cos(turn) * dy - np.sin(turn) * dx) / np.exp(second)
    made: Array = base + height * np.exp(-0.5 * (u**2 + v**2))
    return made


def _fit_one(values: Array) -> Array:
    """Return x, y, major, minor, angle and r2 of one map, the largest of which is 1."""
    h, w = values.shape
    y, x = (k.ravel().astype(np.float64) for k in np.mgrid[:h, :w])
    told = values.ravel()
    widest = np.log(max(h, w))
    low = np.array([0.0, -0.5, -0.5, np.log(LEAST_SD), np.log(LEAST_SD), -np.inf, -np.inf])
    high = np.array([np.inf, w - 0.5, h - 0.5, widest, widest, np.inf, np.inf])
    best = None
    for begin in _starts(values, x, y):
        made = least_squares(
            lambda p: gaussian(p, x, y) - told,
            np.clip(begin, low + 1e-6, high - 1e-6),
            bounds=(low, high),
        )
        if best is None or made.cost < best.cost:
            best = made
    if best is None or not np.isfinite(best.x).all() or best.x[0] <= 0:
        return np.full(6, np.nan)
    _, x0, y0, first, second, turn, _ = best.x
    sds = np.exp([first, second])
    turn = turn if first >= second else turn + np.pi / 2
    angle = np.pi / 2 - (np.pi / 2 + turn) % np.pi  # y runs down; folded into half a turn
    r2 = 1 - 2 * best.cost / ((told - told.mean()) ** 2).sum()
    return np.array([x0, y0, sds.max(), sds.min(), angle, r2])


def _starts(values: Array, x: Array, y: Array) -> list[Array]:
    """Return two first guesses: moments of what stands out of the base, and the peak."""
    base = float(np.median(values))
    above = np.clip(values.ravel() - base, 0, None) ** 2
    total = above.sum()
    peak = int(values.argmax())
    found = [np.array([1 - base, x[peak], y[peak], 0.4, 0.3, 0.0, base])]
    if total > 0:
        x0, y0 = (above * x).sum() / total, (above * y).sum() / total
        spread = np.sqrt((above * ((x - x0) ** 2 + (y - y0) ** 2)).sum() / total)
        size = np.log(max(spread, LEAST_SD))
        found.append(np.array([1 - base, x0, y0, size + 0.05, size, 0.0, base]))
    return found
