"""analyses.decode.classifiers.batches: one problem after another decides alike."""

import numpy as np
import pytest

from bids_dnn.analyses.decode.classifiers.batches import BATCHES, Sights, decider
from bids_dnn.analyses.decode.classifiers.choice import WEIGHTED, Classifier
from bids_dnn.analyses.decode.classifiers.decisions import decide
from bids_dnn.errors import ConfigError
from bids_dnn.stats.kernels import spread_of

N_UNITS = np.array([30, 12, 5])
KINDS = [Classifier(kind=kind) for kind in BATCHES]
KINDS += [Classifier(kind=kind, is_weighted=True) for kind in BATCHES if kind in WEIGHTED]


@pytest.mark.parametrize("classifier", KINDS, ids=lambda c: f"{c.kind}-{c.is_weighted}")
def test_spheres_are_decided_as_each_alone(rng, classifier):
    others = rng.permutation(30)[:10]
    taught, tested = np.delete(np.arange(30), others), others[:6]
    patterns = [rng.normal(size=(30, n_units)) for n_units in N_UNITS]
    sights = Sights(np.array([x @ x.T for x in patterns]), taught, tested, N_UNITS)
    whole = np.stack([rng.permutation(np.repeat([1, -1], [12, 8])) for _ in range(3)], axis=1)
    part = np.where(rng.random((20, 4)) < 0.7, whole[:, [0, 1, 2, 0]], 0)
    signs = np.concatenate([whole, part], axis=1).astype(np.int8)
    found = decider(classifier)(sights, signs)
    for b, n_units in enumerate(N_UNITS):
        train, cross = sights.train()[b], sights.cross()[b]
        expected = decide(train, cross, signs, classifier, n_units=int(n_units))
        np.testing.assert_allclose(found[b], expected, rtol=0, atol=1e-4)


def test_radial_basis_functions_are_refused():
    with pytest.raises(ConfigError, match=r"linear classifiers, not 'svm-rbf'.*ridge"):
        decider(Classifier(kind="svm-rbf"))


def test_what_teaches_and_what_is_tested_are_rows_of_the_whole(rng):
    gram = np.cov(rng.normal(size=(2, 9, 5))[0])[None]
    sights = Sights(gram, np.array([1, 2, 5, 7]), np.array([8, 0]), np.array([5]))
    np.testing.assert_array_equal(sights.train()[0], gram[0][np.ix_([1, 2, 5, 7], [1, 2, 5, 7])])
    np.testing.assert_array_equal(sights.cross()[0], gram[0][np.ix_([8, 0], [1, 2, 5, 7])])
    np.testing.assert_allclose(sights.spread(), spread_of(sights.train()))
    assert (
        Sights(np.ones((1, 9, 9)), *(sights.taught, sights.tested), sights.n_units).spread() == 0
    )
