"""When which stimulus is shown, and what a voxel makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gamma

Array = NDArray[np.float64]
T_R_S = 1.5
START_S = T_R_S / 2  # slice timing moves every volume to the middle of its acquisition
DURATION_S = 2.0
FIRST_ONSET_S = 6.0
LAST_REST_S = 15.0
MEAN_SOA_S = 6.0
JITTER_S = (-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5)
STEP_S = 0.05
HRF_LENGTH_S = 32.0
CUTOFF_S = 128.0


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """The trials of one run.

    Parameters
    ----------
    label
        As in the file names.
    stimuli : (n_trials,) int
        Which stimulus each trial shows.
    onsets_s : (n_trials,) s
        From the start of the first volume.
    n_volumes : int
    """

    label: str
    stimuli: NDArray[np.intp]
    onsets_s: Array
    n_volumes: int

    @property
    def times_s(self) -> Array:
        """When the volumes were taken, (n_volumes,) s."""
        return np.asarray(np.arange(self.n_volumes) * T_R_S + START_S, dtype=np.float64)


def plan_runs(
    categories: Sequence[str], rng: np.random.Generator, *, n_runs: int
) -> tuple[Run, ...]:
    """Spread two showings of each stimulus over runs, each run with as many of each category.

    Parameters
    ----------
    categories : n_stimuli
        Of each stimulus; each category has ``n_runs * (n_runs - 1)`` of them, so that those
        that one run shows first can be spread evenly over all the others for the second time.
    n_runs : int

    Returns
    -------
    runs
        No stimulus stands twice in one run.
    """
    shown: list[list[int]] = [[] for _ in range(n_runs)]
    kinds = np.asarray(categories)
    for kind in sorted(set(categories)):
        order = rng.permutation(np.flatnonzero(kinds == kind)).reshape(n_runs, n_runs - 1)
        for run, group in enumerate(order):
            shown[run].extend(group)
            for step, stimulus in enumerate(group, start=1):
                shown[(run + step) % n_runs].append(stimulus)
    return tuple(
        _one_run(f"{i:02}", rng.permutation(trials), rng)
        for i, trials in enumerate(shown, start=1)
    )


def _one_run(label: str, stimuli: NDArray[np.intp], rng: np.random.Generator) -> Run:
    between = MEAN_SOA_S + rng.choice(JITTER_S, size=len(stimuli) - 1)
    onsets = FIRST_ONSET_S + np.concatenate([[0.0], np.cumsum(between)])
    # One length for all runs, whatever the jitter: the last trial always has its rest.
    length = FIRST_ONSET_S + (MEAN_SOA_S + 0.5) * len(stimuli) + LAST_REST_S
    end = onsets[-1] + LAST_REST_S
    return Run(label, stimuli, onsets, int(np.ceil(max(length, end) / T_R_S)))


def canonical_hrf(times_s: Array) -> Array:
    """Return SPM's canonical response at `times_s` (n,) after a brief event.

    The difference of two gamma densities, peaking at 5 s and 15 s, the second a sixth of the
    first.

    References
    ----------
    Friston et al. (1998), NeuroImage 7:30, doi:10.1006/nimg.1997.0306.
    """
    t = np.maximum(times_s, 0.0)
    peak = t**5 * np.exp(-t) / gamma(6)
    dip = t**15 * np.exp(-t) / gamma(16)
    return np.asarray(peak - dip / 6)


def trial_regressors(run: Run, *, duration_s: float = DURATION_S) -> Array:
    """Return what each trial alone would give, (n_volumes, n_trials), with a peak of 1."""
    grid = np.arange(0, HRF_LENGTH_S + duration_s, STEP_S)
    brief = canonical_hrf(grid)
    n_on = round(duration_s / STEP_S)
    shape = np.convolve(brief, np.ones(n_on))[: len(grid)]
    shape /= shape.max()
    since = run.times_s[:, None] - run.onsets_s[None, :]  # (n_volumes, n_trials)
    return np.asarray(np.interp(since, grid, shape, left=0.0, right=0.0))


def cosines(n_volumes: int) -> Array:
    """Return the slow cosines that a high-pass filter of 128 s takes out, (n_volumes, k)."""
    k = int(np.floor(2 * n_volumes * T_R_S / CUTOFF_S))
    phase = np.pi * (2 * np.arange(n_volumes) + 1) / (2 * n_volumes)
    return np.asarray(np.sqrt(2 / n_volumes) * np.cos(np.outer(phase, np.arange(1, k + 1))))
