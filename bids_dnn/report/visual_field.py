"""Colors of the visual field: a wheel for the polar angle, rings for the eccentricity."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
NEAREST_DEG, FARTHEST_DEG = 0.5, 32.0  # colors of the eccentricity do not change beyond
RINGS_DEG = (1, 4, 16)
FITTED_DEG = (1.0, 20.0)  # the template was fitted within; beyond, it extrapolates

# From OKLab to linear sRGB: Ottosson (2020), https://bottosson.github.io/posts/oklab.
_TO_LMS = np.array(
    [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728],
     [1, -0.0894841775, -1.2914855480]]
)  # fmt: skip
_TO_RGB = np.array(
    [[4.0767416621, -3.3077115913, 0.2309699292], [-1.2684380046, 2.6097574011, -0.3413193965],
     [-0.0041960863, -0.7034186147, 1.7076147010]]
)  # fmt: skip


def angle_colors(angle_deg: Array) -> NDArray[np.float64]:
    """Return the color of each polar angle.

    Hue goes once around the field; what lies above is lighter than what lies below, so that a
    reader who cannot tell the hues apart still sees the vertical position.

    Parameters
    ----------
    angle_deg : (...)
        0 = upper vertical meridian, right visual field positive.

    Returns
    -------
    colors : (..., 3), in [0, 1]
        sRGB; gray where the angle is NaN.
    """
    turn = np.deg2rad(np.nan_to_num(np.asarray(angle_deg, dtype=np.float64)))
    light = 0.68 + 0.14 * np.cos(turn)
    hue = turn + np.deg2rad(110.0)  # yellow above, blue below, green right, red left
    chroma = 0.14
    lab = np.stack([light, chroma * np.cos(hue), chroma * np.sin(hue)], axis=-1)
    linear = ((lab @ _TO_LMS.T) ** 3) @ _TO_RGB.T
    linear = linear.clip(0, 1)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    colors: NDArray[np.float64] = np.where(np.isnan(angle_deg)[..., None], 0.5, curved)
    return colors


def eccentricity_colors(eccentricity_deg: Array) -> NDArray[np.float64]:
    """Return the color of each eccentricity, on a logarithmic scale.

    Parameters
    ----------
    eccentricity_deg : (...)
        Distance from the center of gaze.

    Returns
    -------
    colors : (..., 3), in [0, 1]
        sRGB; gray where it is NaN.
    """
    import matplotlib as mpl

    share = radius_of(eccentricity_deg)
    mapped = np.asarray(mpl.colormaps["viridis_r"](np.nan_to_num(share)))[..., :3]
    colors: NDArray[np.float64] = np.where(np.isnan(share)[..., None], 0.5, mapped)
    return colors


def radius_of(eccentricity_deg: Array) -> NDArray[np.float64]:
    """Return how far an eccentricity lies from the middle of the legend, in [0, 1]."""
    limited = np.clip(np.asarray(eccentricity_deg, dtype=np.float64), NEAREST_DEG, FARTHEST_DEG)
    share: NDArray[np.float64] = np.log2(limited / NEAREST_DEG) / np.log2(
        FARTHEST_DEG / NEAREST_DEG
    )
    return share


def wheel(side_px: int = 240) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the legends of polar angle and eccentricity: the visual field in its colors.

    Parameters
    ----------
    side_px : pixels
        Of the square pictures.

    Returns
    -------
    angle, eccentricity : (side_px, side_px, 4), in [0, 1]
        The left field is on the left, the upper one above; transparent outside the disk.
    """
    x, y = np.meshgrid(
        np.linspace(-1, 1, side_px), np.linspace(1, -1, side_px)
    )  # rows from the upper edge down
    radius = np.hypot(x, y)
    turn = np.rad2deg(np.arctan2(x, y))
    away = NEAREST_DEG * (FARTHEST_DEG / NEAREST_DEG) ** radius
    soft = np.clip((1 - radius) * side_px / 2, 0, 1)[..., None]
    return (
        np.concatenate([angle_colors(turn), soft], axis=2),
        np.concatenate([eccentricity_colors(away), soft], axis=2),
    )
