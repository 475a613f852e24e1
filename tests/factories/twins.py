"""Layers whose geometry is known, and the stimuli that they see."""

from __future__ import annotations

import numpy as np

from tests.factories.responses import make_gram


def make_stimuli(conditions, n_each):
    """Return the condition of each stimulus, by its id."""
    return {f"{one}{k:02d}.png": one for one in conditions for k in range(n_each)}


def make_layer(rng, stimuli, means, *, network="net", layer="conv1", spread=1.0):
    """Give each condition its mean in features, and each stimulus a place around it."""
    p = len(next(iter(means.values())))
    values = np.array([means[one] for one in stimuli.values()])
    values = values + spread * rng.normal(size=(len(stimuli), p))
    return values, make_gram(values, stimuli, network=network, layer=layer)


def make_means(rng, conditions, *, n_features=30, effect=1.0):
    return {one: effect * rng.normal(size=n_features) for one in conditions}
