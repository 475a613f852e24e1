"""Luminance, contrast and apertures of pictures."""

from __future__ import annotations

from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Weights = Literal["rec601", "rec709"]
Shape = Literal["circle", "square"]

LUMINANCE = MappingProxyType({"rec601": (0.299, 0.587, 0.114), "rec709": (0.2126, 0.7152, 0.0722)})


def luminance(picture: Picture, weights: Weights = "rec601") -> Picture:
    """Return the weighted mean of red, green and blue of each pixel.

    Parameters
    ----------
    picture : (h, w, 3)
        As stored (gamma-encoded), as Pillow's ``L`` and most code take it.
    weights
        Of ITU-R BT.601 or BT.709.

    Returns
    -------
    luminance : (h, w)
    """
    return picture @ np.asarray(LUMINANCE[weights], dtype=np.float32)


def mean_luminance(picture: Picture) -> float:
    """Return the mean over pixels of the Rec. 601 luminance."""
    return float(luminance(picture).mean(dtype=np.float64))


def grey(picture: Picture, weights: Weights = "rec601") -> Picture:
    """Return (h, w, 3) with the luminance in each channel."""
    return np.repeat(luminance(picture, weights)[:, :, None], 3, axis=2)


def contrast(picture: Picture, *, factor: float, pivot: float) -> Picture:
    """Multiply distances from a grey.

    Parameters
    ----------
    picture : (h, w, 3)
    factor : float
        1 = as it is, 0 = uniform.
    pivot : float
        The grey that stays, in units of the picture.

    Returns
    -------
    picture : (h, w, 3)
        Not clipped.
    """
    level = np.float32(pivot)
    return level + np.float32(factor) * (picture - level)


def aperture(
    picture: Picture, *, shape: Shape, diameter_px: float, edge_px: float, background: float
) -> Picture:
    """Show a picture through a hole around its center.

    Parameters
    ----------
    picture : (h, w, 3)
    shape
        ``square`` has sides of `diameter_px`.
    diameter_px : float
        Outside of which all is background.
    edge_px : float
        Over which the picture fades (raised cosine), inside the diameter; 0 = a hard edge, whose
        pixels are covered in part.
    background : float
        In units of the picture.

    Returns
    -------
    picture : (h, w, 3)
    """
    height, width = picture.shape[:2]
    y = np.abs(np.arange(height) + 0.5 - height / 2)[:, None]
    x = np.abs(np.arange(width) + 0.5 - width / 2)[None, :]
    distance = np.hypot(x, y) if shape == "circle" else np.maximum(x, y)
    inside = diameter_px / 2 - distance  # px from the rim
    if edge_px > 0:
        shown = 0.5 - 0.5 * np.cos(np.pi * np.clip(inside / edge_px, 0, 1))
    else:
        shown = np.clip(inside + 0.5, 0, 1)
    opacity = shown.astype(np.float32)[:, :, None]
    level = np.float32(background)
    seen: Picture = level + opacity * (picture - level)
    return seen
