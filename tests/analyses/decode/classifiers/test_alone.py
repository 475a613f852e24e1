"""analyses.decode.classifiers.alone: decisions of lda and ridge, and edges of classes."""

import numpy as np
import pytest

from bids_dnn.analyses.decode.classifiers.alone import decide_alone
from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.classifiers.decisions import decide
from bids_dnn.stats.folds import Fold

N, N_LABELINGS = 30, 6
TEST = np.arange(N) % 5 == 0
FOLD = Fold("0", ~TEST, TEST)
CLASSIFIERS = [
    Classifier(kind="lda"),
    Classifier(kind="lda", is_weighted=True),
    Classifier(kind="lda", shrinkage=0.2),
    Classifier(kind="lda", shrinkage=1.0),
    Classifier(kind="ridge", alpha=0.01),
    Classifier(kind="ridge", alpha=3.0),
]


def make_case(rng, n_units):
    x = 4 + rng.normal(size=(N, n_units)) + rng.normal(size=(N, 2)) @ rng.normal(size=(2, n_units))
    signs = rng.choice([-1, 0, 1], p=[0.3, 0.3, 0.4], size=(N_LABELINGS, N))
    return x @ x.T, signs.astype(np.int8)


@pytest.mark.parametrize("n_units", [4, 25, 80])
@pytest.mark.parametrize("classifier", CLASSIFIERS, ids=str)
def test_decisions_are_those_of_each_labeling_alone(rng, classifier, n_units):
    gram, signs = make_case(rng, n_units)
    told = rng.random(signs.shape) < 0.8
    found = decide_alone(gram, FOLD, signs, told, classifier, n_units=n_units)
    for k, own in enumerate(signs):
        rows, test = np.flatnonzero((own != 0) & FOLD.train), np.flatnonzero(FOLD.test)
        train, cross = gram[np.ix_(rows, rows)], gram[np.ix_(test, rows)]
        expected = decide(train, cross, own[rows, None], classifier, n_units=n_units)[:, 0]
        expected = np.where(told[k, test], expected, 0)
        np.testing.assert_allclose(
            found[k, test], expected, rtol=0, atol=1e-7 * np.abs(expected).max()
        )
    assert (found[:, FOLD.train] == 0).all()


@pytest.mark.parametrize("classifier", CLASSIFIERS, ids=str)
def test_a_fold_without_two_classes_answers_with_the_one_it_has(rng, classifier):
    gram, signs = make_case(rng, 40)
    signs[0] = np.abs(signs[0])
    signs[1] = -np.abs(signs[1])
    signs[2, FOLD.train] = 0
    every = np.ones(signs.shape, dtype=bool)
    found = decide_alone(gram, FOLD, signs, every, classifier, n_units=40)[:, FOLD.test]
    np.testing.assert_array_equal(found[:3], np.array([[1.0], [-1.0], [0.0]]) * np.ones(6))
    assert (np.abs(found[3:]) > 1e-6).all()


@pytest.mark.parametrize("classifier", CLASSIFIERS, ids=str)
def test_patterns_that_do_not_vary_tell_nothing(rng, classifier):
    signs = make_case(rng, 3)[1]
    told = np.ones(signs.shape, dtype=bool)
    made = decide_alone(np.ones((N, N)), FOLD, signs, told, classifier, n_units=3)
    assert np.isfinite(made).all()
    spread = np.ptp(made[:, FOLD.test], axis=1)
    np.testing.assert_allclose(spread, 0, atol=1e-9)
