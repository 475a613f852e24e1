"""What is in the time series besides responses: motion, physiology, drift, noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from bids_dnn.simulate.timing import cosines

Array = NDArray[np.float64]
AUTOCORRELATION = 0.3  # from one volume to the next
MOTION_SHARE = 0.8  # standard deviations, in units of that of the responses
PHYSIOLOGY_SHARE = 0.5
DRIFT_SHARE = 1.2
TRANSLATION_MM = 0.15
ROTATION_RAD = 0.002


@dataclass(frozen=True, slots=True, eq=False)
class Nuisance:
    """What disturbs a run, known to the confound table.

    Parameters
    ----------
    motion : (n_volumes, 6)
        Three translations in mm, three rotations in rad.
    tissue : (n_volumes, 2)
        Mean of the cerebrospinal fluid and of the white matter, in image units.
    """

    motion: Array
    tissue: Array

    @property
    def signals(self) -> Array:
        """Motion, its derivative, and tissue, (n_volumes, 14), each standardized."""
        both = np.hstack([self.motion, derivative(self.motion), self.tissue])
        return np.asarray((both - both.mean(axis=0)) / both.std(axis=0))


def derivative(values: Array) -> Array:
    """Return backward differences of (n_volumes, k); the first row is 0."""
    return np.diff(values, axis=0, prepend=values[:1])


def colored(rng: np.random.Generator, shape: tuple[int, ...], *, memory: float) -> Array:
    """Return first-order autoregressive noise of variance 1 along the first axis."""
    white = rng.normal(size=shape)
    start = white[:1] * (1 / np.sqrt(1 - memory**2) - 1)  # stationary from the first row on
    white[:1] += start
    return np.asarray(lfilter([np.sqrt(1 - memory**2)], [1, -memory], white, axis=0))


def disturb(n_volumes: int, rng: np.random.Generator) -> Nuisance:
    """Draw the motion and physiology of a run."""
    slow = colored(rng, (n_volumes, 6), memory=0.97)
    quick = colored(rng, (n_volumes, 6), memory=0.3)
    unit = np.array([TRANSLATION_MM] * 3 + [ROTATION_RAD] * 3)
    motion = (slow - slow[:1] + 0.15 * quick) * unit
    tissue = colored(rng, (n_volumes, 2), memory=0.6) * (12.0, 6.0) + (900.0, 700.0)
    return Nuisance(motion, tissue)


def background(nuisance: Nuisance, n_units: int, rng: np.random.Generator) -> Array:
    """Return motion-related signal, physiology and drift of each voxel, (n_volumes, n_units).

    Each is a random mixture of columns of the confound table, so that a model with those
    columns explains it whole. The unit is the standard deviation of the responses.
    """
    signals = nuisance.signals
    shares = np.repeat([MOTION_SHARE, MOTION_SHARE / 3, PHYSIOLOGY_SHARE], [6, 6, 2])
    shares /= np.sqrt(np.repeat([6, 6, 2], [6, 6, 2]))
    slow = cosines(len(signals)) * np.sqrt(len(signals))
    drift = slow @ rng.normal(scale=DRIFT_SHARE / slow.shape[1], size=(slow.shape[1], n_units))
    return np.asarray(signals @ (rng.normal(size=(14, n_units)) * shares[:, None]) + drift)


def error_of_mean(designs: list[Array], n_trials: int) -> float:
    """Return how noise of variance 1 shows in the mean of two single-trial betas.

    Parameters
    ----------
    designs
        For each run (n_volumes, k): the trials' regressors first, then all that is modelled
        beside them.
    n_trials : int
        In each run.

    Returns
    -------
    variance
        Of the mean over two repeats in different runs, averaged over stimuli, for ordinary
        least squares and the autocorrelated noise of `colored`.
    """
    found = []
    for design in designs:
        estimate = np.linalg.pinv(design)[:n_trials]  # (n_trials, n_volumes)
        steps = np.arange(len(design))
        covariance = AUTOCORRELATION ** np.abs(steps[:, None] - steps)
        found.append(np.einsum("ij,jk,ik->i", estimate, covariance, estimate).mean())
    return float(np.mean(found) / 2)


def displacement(motion: Array) -> Array:
    """Return framewise displacement in mm, (n_volumes,), for a head of 50 mm radius.

    References
    ----------
    Power et al. (2012), NeuroImage 59:2142, doi:10.1016/j.neuroimage.2011.10.018.
    """
    moved = np.abs(derivative(motion)) * ([1.0] * 3 + [50.0] * 3)
    return np.asarray(moved.sum(axis=1))
