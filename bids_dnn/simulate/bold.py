"""The time series of one participant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.space import Grid
from bids_dnn.simulate import anatomy
from bids_dnn.simulate.nuisance import (
    AUTOCORRELATION,
    Nuisance,
    background,
    colored,
    disturb,
    error_of_mean,
)
from bids_dnn.simulate.timing import Run, cosines, plan_runs, trial_regressors
from bids_dnn.simulate.truth import PLAN, mix, noise_for

Array = NDArray[np.float64]
RESPONSE_PERCENT = 1.0  # standard deviation of the responses over stimuli, of the baseline
MEAN_RESPONSE = 2.0  # what all stimuli evoke, in those standard deviations
RESTING_NOISE = 0.5  # of voxels in no region, in those standard deviations


@dataclass(frozen=True, slots=True, eq=False)
class Participant:
    """One participant's design and data.

    Parameters
    ----------
    label
        Without ``sub-``.
    runs
        When which stimulus was shown.
    nuisances
        What disturbed each run.
    series
        For each run (n_volumes, n_units) float32.
    brain
        The units.
    regions
        The units of each region.
    """

    label: str
    runs: tuple[Run, ...]
    nuisances: tuple[Nuisance, ...]
    series: tuple[NDArray[np.float32], ...]
    brain: Grid
    regions: dict[str, NDArray[np.intp]]


def measure(
    label: str,
    categories: Sequence[str],
    scores: Mapping[str, Array],
    rng: np.random.Generator,
    *,
    n_runs: int,
) -> Participant:
    """Simulate one participant.

    Parameters
    ----------
    label
        Without ``sub-``.
    categories : n_stimuli
        Of each stimulus.
    scores : for each region that answers (n_stimuli, n_components)
    n_runs : int
    """
    brain = anatomy.brain()
    where = anatomy.regions(brain, rng)
    runs = plan_runs(categories, rng, n_runs=n_runs)
    nuisances = tuple(disturb(run.n_volumes, rng) for run in runs)
    error = error_of_mean(
        [modelled(run, nuisance) for run, nuisance in zip(runs, nuisances, strict=True)],
        len(runs[0].stimuli),
    )
    amplitudes = np.zeros((len(categories), len(brain)))
    noise = np.full(len(brain), RESTING_NOISE)
    for plan in PLAN:
        if plan.layer:
            amplitudes[:, where[plan.region]] = MEAN_RESPONSE + mix(scores[plan.region], rng)
            noise[where[plan.region]] = noise_for(plan.ceiling, error)
    baseline = rng.uniform(800, 1200, size=len(brain))
    series = []
    for run, nuisance in zip(runs, nuisances, strict=True):
        evoked = trial_regressors(run) @ amplitudes[run.stimuli]
        scatter = colored(rng, evoked.shape, memory=AUTOCORRELATION) * noise
        changes = evoked + scatter + background(nuisance, len(brain), rng)
        made = baseline * (1 + RESPONSE_PERCENT / 100 * changes)
        series.append(made.astype(np.float32))
    return Participant(label, runs, nuisances, tuple(series), brain, where)


def modelled(run: Run, nuisance: Nuisance) -> Array:
    """Return the usual least-squares-all design of a run.

    Returns
    -------
    design : (n_volumes, n_trials + k)
        The trials first, then slow cosines, motion with derivatives and squares, tissue, and
        a constant.
    """
    n = run.n_volumes
    signals = nuisance.signals
    moved = signals[:, :12]
    return np.hstack([trial_regressors(run), cosines(n), signals, moved**2 - 1, np.ones((n, 1))])
