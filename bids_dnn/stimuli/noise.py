"""Pixel noise of a known size, the same for a stimulus wherever it stands."""

from __future__ import annotations

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

from bids_dnn.errors import ConfigError

Picture = NDArray[np.float32]


def add_noise(
    picture: Picture, *, snr: float, rng: np.random.Generator, is_grey: bool = False
) -> Picture:
    """Add Gaussian noise, independent from pixel to pixel.

    Parameters
    ----------
    picture : (h, w, 3)
    snr : float, above 0
        Variance of the picture (over its pixels, averaged over channels) divided by the variance
        of the noise. A uniform picture has no variance, and gets no noise.
    rng
        Draws the noise.
    is_grey
        Whether the three channels get the same noise; otherwise each its own.

    Returns
    -------
    picture : (h, w, 3)
        Not clipped: clipping would take noise away from dark and bright places.

    Raises
    ------
    ConfigError
        If `snr` is not above 0.

    Examples
    --------
    >>> picture = np.tile(np.float32([0, 1]), (100, 50))[:, :, None].repeat(3, axis=2)
    >>> noise = add_noise(picture, snr=4, rng=np.random.default_rng(0)) - picture
    >>> round(float(picture.var() / noise.var()), 1)
    4.0
    """
    if not snr > 0:
        raise ConfigError(f"snr is {snr!r}, which must be above 0.", mend="Type noise(snr=1).")
    variance = float(picture.var(axis=(0, 1), dtype=np.float64).mean())
    shape = (*picture.shape[:2], 1 if is_grey else picture.shape[2])
    drawn = rng.standard_normal(shape, dtype=np.float32)
    return (picture + np.float32(math.sqrt(variance / snr)) * drawn).astype(np.float32)


def generator(stimulus: str, *, seed: int, draw: int = 0, part: int = 0) -> np.random.Generator:
    """Return a stimulus's own source of randomness.

    It depends on nothing but what is given here, so that another order, a subset or another
    number of processes makes the same pictures.

    Parameters
    ----------
    stimulus
        Its id.
    seed : int
        Of all stimuli.
    draw : int
        Which of many draws.
    part : int
        Where one stimulus needs several sources.
    """
    words = np.frombuffer(hashlib.sha256(stimulus.encode()).digest(), dtype="<u4")
    return np.random.default_rng([seed, draw, part, *map(int, words)])
