"""Responses of which only some units follow a layer, to pictures of two categories."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from tests.factories.responses import make_gram, make_responses, make_roi


def make_followers(
    rng, *, n_units=200, n_signal=20, n_runs=4, n_images=24, noise=1.0, signal=1.0, repeats=True
):
    """Give the first units what a layer says of each picture, and noise to all.

    The layer's first feature is the category. With `repeats` each run shows the same pictures,
    else pictures of its own.
    """
    per_run = [[f"{'ab'[k % 2]}{k:02}" for k in range(n_images)]] * n_runs
    if not repeats:
        per_run = [[f"{name}-{run}" for name in per_run[0]] for run in range(n_runs)]
    shown = [name for names in per_run for name in names]
    stimuli = sorted(set(shown))
    features = rng.normal(size=(len(stimuli), 5))
    features[:, 0] = [1.0 if name[0] == "a" else -1.0 for name in stimuli]
    rows = features[np.searchsorted(stimuli, shown)]
    values = noise * rng.normal(size=(len(shown), n_units))
    weights = rng.normal(size=(5, n_signal))
    values[:, :n_signal] += signal * rows @ (weights / np.linalg.norm(weights, axis=0))
    responses = make_responses(
        values,
        stimuli=shown,
        conditions=[name[0] for name in shown],
        runs=np.repeat(np.arange(n_runs), n_images),
    )
    # A layer that tells nothing stands before the one that is followed.
    grams = [
        make_gram(rng.normal(size=(len(stimuli), 8)), stimuli, layer="c0"),
        make_gram(features, stimuli, layer="c1"),
    ]
    rois = [
        make_roi("whole", responses, range(n_units)),
        make_roi("noise", responses, range(n_signal, n_units)),
    ]
    return SimpleNamespace(responses=responses, rois=rois, grams=grams)
