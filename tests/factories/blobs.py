"""Smooth maps of several participants in a small volume, and a blob in it."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from bids_dnn.containers.space import Grid

SHAPE = (9, 8, 7)
N = int(np.prod(SHAPE))
SPACE = Grid("MNI", SHAPE, np.diag([3.0, 3.0, 3.0, 1.0]), np.arange(N))


def smooth(rng, n=12, lift=0.0):
    noise = ndimage.gaussian_filter(rng.normal(size=(n, *SHAPE)), (0, 1, 1, 1))
    return (noise / noise.std() + lift).reshape(n, -1).T  # (n_units, n)


def blob(height):
    lift = np.zeros(SHAPE)
    lift[2:5, 3:6, 2:5] = height
    return lift
