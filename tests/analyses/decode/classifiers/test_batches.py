"""analyses.decode.classifiers.batches: one problem after another decides alike."""

import numpy as np
import pytest

from bids_dnn.analyses.decode.classifiers.batches import BATCHES, decider
from bids_dnn.analyses.decode.classifiers.choice import WEIGHTED, Classifier
from bids_dnn.analyses.decode.classifiers.decisions import decide
from bids_dnn.errors import ConfigError

N_UNITS = np.array([30, 12, 5])
KINDS = [Classifier(kind=kind) for kind in BATCHES]
KINDS += [Classifier(kind=kind, is_weighted=True) for kind in BATCHES if kind in WEIGHTED]


@pytest.mark.parametrize("classifier", KINDS, ids=lambda c: f"{c.kind}-{c.is_weighted}")
def test_spheres_are_decided_as_each_alone(rng, classifier):
    grams = []
    for n_units in N_UNITS:
        x = rng.normal(size=(26, n_units))
        grams.append(x @ x.T)
    gram = np.array(grams)
    train, cross = gram[:, :20, :20], gram[:, 20:, :20]
    whole = np.stack([rng.permutation(np.repeat([1, -1], [12, 8])) for _ in range(3)], axis=1)
    part = np.where(rng.random((20, 4)) < 0.7, whole[:, [0, 1, 2, 0]], 0)
    signs = np.concatenate([whole, part], axis=1).astype(np.int8)
    found = decider(classifier)(train, cross, signs, N_UNITS)
    for b, n_units in enumerate(N_UNITS):
        expected = decide(train[b], cross[b], signs, classifier, n_units=int(n_units))
        np.testing.assert_allclose(found[b], expected, rtol=0, atol=1e-4)


def test_radial_basis_functions_are_refused():
    with pytest.raises(ConfigError, match=r"linear classifiers, not 'svm-rbf'.*ridge"):
        decider(Classifier(kind="svm-rbf"))
