"""analyses.encode.estimate_banded: spaces of joined layers, the grid of penalties."""

from types import SimpleNamespace

import numpy as np

from bids_dnn.analyses.encode.estimate_banded import spaces_of
from bids_dnn.analyses.encode.model import Task
from tests.factories.responses import make_gram

STIMULI = tuple(f"s{k:02}.png" for k in range(30))
TRAIN = np.arange(30) < 20


def task_of(features, **choices):
    grams = [make_gram(x, STIMULI, layer=f"conv{k}") for k, x in enumerate(features)]
    data = SimpleNamespace(stimuli=STIMULI)
    settings = SimpleNamespace(**({"spaces": "network"} | choices))
    return Task(data, grams, settings, "cpu", print)


def test_layers_of_a_network_are_scaled_by_training_images_alone(rng):
    features = [rng.normal(size=(30, 5)), 40 * rng.normal(size=(30, 8)), np.full((30, 3), 2.0)]
    seen = []
    for _ in range(2):
        made = spaces_of(task_of(features))["net"](TRAIN)
        seen.append(made[np.ix_(TRAIN, TRAIN)])
        expected = np.hstack([x / np.sqrt(x[TRAIN].var(axis=0).sum()) for x in features[:2]])
        np.testing.assert_allclose(made, expected @ expected.T, atol=1e-10)
        features = [np.where(TRAIN[:, None], x, 100 * x + 3) for x in features]
    np.testing.assert_allclose(seen[0], seen[1], atol=1e-12)
