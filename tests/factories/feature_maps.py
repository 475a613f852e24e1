"""Feature maps, and units whose place and features are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

SIDE, SPREAD, MEAN = 12, 3.0, 2.0  # of the maps


@dataclass(frozen=True)
class Planted:
    maps: np.ndarray  # (n, C, H, W) float32
    signal: np.ndarray  # (n, n_units), of unit variance
    responses: np.ndarray  # (n, n_units) float32, with noise
    masks: np.ndarray  # (n_units, H, W)
    x: np.ndarray  # (n_units,), cells
    y: np.ndarray
    train: np.ndarray  # (n,) bool, the rest tests


def planted(rng, *, n=400, n_channels=6, side=SIDE, n_units=8, noise=0.5, sd=1.3, blur=0.0):
    """Make units that pool rectified features through a Gaussian in space."""
    maps = rng.normal(size=(n, n_channels, side, side))
    if blur:
        maps = gaussian_filter(maps, (0, 0, blur, blur))
        maps /= maps.std()
    x, y = rng.uniform(0.25 * side, 0.7 * side, size=(2, n_units))
    down, right = np.mgrid[:side, :side]
    square = (right - x[:, None, None]) ** 2 + (down - y[:, None, None]) ** 2
    masks = np.exp(-0.5 * square / sd**2)
    vectors = rng.normal(size=(n_units, n_channels))
    signal = np.einsum("nchw,uhw,uc->nu", np.maximum(maps, 0), masks, vectors, optimize=True)
    signal = (signal - signal.mean(axis=0)) / signal.std(axis=0)
    responses = 5.0 + 2.0 * (signal + noise * rng.normal(size=signal.shape))
    return Planted(
        (SPREAD * maps + MEAN).astype(np.float32),
        signal,
        responses.astype(np.float32),
        masks,
        x,
        y,
        np.arange(n) < 0.75 * n,
    )
