"""Responses and regions with known truth, in memory."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bids_dnn.containers.features import FeatureGram
from bids_dnn.containers.responses import Responses
from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Grid


def make_space(n_units):
    return Grid("T1w", (n_units, 1, 1), np.eye(4), np.arange(n_units))


def make_responses(values, *, stimuli=None, conditions=None, runs=None):
    n = len(values)
    stimuli = [""] * n if stimuli is None else list(stimuli)
    samples = pd.DataFrame(
        {
            "stimulus": stimuli,
            "condition": ["x"] * n if conditions is None else list(conditions),
            "run": ["1"] * n if runs is None else [str(run) for run in runs],
            "session": "",
        }
    )
    samples["repeat"] = samples.groupby("stimulus").cumcount()
    return Responses(
        np.asarray(values, dtype=np.float32), samples, make_space(values.shape[1]), "beta"
    )


def make_roi(name, responses, units):
    return Roi(name, responses.space.select(np.asarray(units)), "made", len(units))


def make_gram(features, stimuli, *, network="net", layer="conv1"):
    features = np.asarray(features, dtype=np.float64)
    return FeatureGram(
        tuple(stimuli),
        network,
        layer,
        features @ features.T,
        features.shape[1],
        {"weights": "random", "weights_sha256": "0" * 64, "layer": layer},
    )


def make_patterns(rng, *, n_runs=5, conditions=("a", "b"), n_each=2, n_units=20, effect=1.0):
    """Give each condition its own mean pattern of length `effect` in unit noise."""
    labels = np.tile(np.repeat(conditions, n_each), n_runs)
    runs = np.repeat(np.arange(n_runs), n_each * len(conditions))
    means = {one: effect * rng.normal(size=n_units) for one in conditions}
    values = np.array([means[one] for one in labels]) + rng.normal(size=(len(labels), n_units))
    return make_responses(values, conditions=labels, runs=runs)
