"""analyses.decode.predict: all folds at once are as each alone."""

from dataclasses import replace

import numpy as np
import pytest

from bids_dnn.analyses.decode import predict as module
from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.predict import Learner, predict
from bids_dnn.analyses.decode.prepare import Preparation, linear_gram, patterns_of
from bids_dnn.stats.folds import leave_one_run_out

RUNS = np.repeat(np.arange(5), 12)
CONDITIONS = np.tile(np.repeat(np.arange(4), 3), 5)
FOLDS = leave_one_run_out(RUNS.astype(str).astype(object))
HOW = Preparation()


def make_patterns(rng, n_units=80, **how):
    values = rng.normal(size=(len(RUNS), n_units)).astype(np.float32)
    values += 3 + 0.3 * rng.normal(size=(4, n_units))[CONDITIONS]
    given = {"runs": RUNS, "nuisance": np.empty((len(RUNS), 0)), "is_scaled": True}
    gram = linear_gram(values)
    return [
        patterns_of(values, fold, gram=gram, how=Preparation(**how), **given) for fold in FOLDS
    ]


def exchanged(rng, n=12):
    drawn = [rng.permuted(CONDITIONS.reshape(5, -1), axis=1).ravel() for _ in range(n)]
    return np.array([CONDITIONS, *drawn])


def both_ways(patterns, codes, classifier, **given):
    """Predict in all folds at once, and fold after fold."""
    learner = Learner((classifier,), HOW)
    told = {"groups": RUNS, **given}
    assert module._is_shared(patterns, FOLDS, codes, learner)
    alone = [replace(one, base=None) for one in patterns]
    return (
        predict(patterns, FOLDS, codes, learner, **told),
        predict(alone, FOLDS, codes, learner, **told),
    )


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_all_folds_at_once_are_as_each_alone(rng, n_classes, is_weighted):
    codes = exchanged(rng)
    codes = np.where(codes < n_classes, codes, -1)
    classifier = Classifier(is_weighted=is_weighted)
    at_once, alone = both_ways(make_patterns(rng), codes, classifier, n_classes=n_classes)
    assert (np.isnan(at_once.values) == np.isnan(alone.values)).all()
    assert np.nanmax(np.abs(at_once.values - alone.values)) < 1e-4
    is_sure = ~(np.abs(alone.values) < 1e-3).any(axis=0)
    assert is_sure.mean() > 0.95
    np.testing.assert_array_equal(at_once.guess[is_sure], alone.guess[is_sure])
    assert ((at_once.guess >= 0) == (codes >= 0)).all()
    assert at_once.chosen == alone.chosen


def test_what_teaches_and_what_is_tested_may_differ(rng):
    codes = exchanged(rng)
    taught, tested = np.where(codes < 2, codes, -1), np.where(codes >= 2, codes - 2, -1)
    at_once, alone = both_ways(
        make_patterns(rng), taught, Classifier(), n_classes=2, tested=tested, has_values=False
    )
    assert at_once.values.shape == (1, 1, len(RUNS))
    np.testing.assert_allclose(at_once.values, alone.values, rtol=0, atol=1e-4)
    assert (at_once.guess == alone.guess).mean() > 0.99
    assert ((at_once.guess >= 0) == (tested >= 0)).all()


def test_folds_are_fitted_one_by_one_where_they_share_nothing(rng):
    codes = np.where((made := exchanged(rng)) < 2, made, -1)
    patterns, learner = make_patterns(rng), Learner((Classifier(),), HOW)
    assert module._is_shared(patterns, FOLDS, codes, learner)
    assert not module._is_shared(patterns, FOLDS, codes[:1], learner)
    for how in ({"is_standardized": True}, {"anova": 10}, {"pca": 5}):
        assert not module._is_shared(make_patterns(rng, **how), FOLDS, codes, learner)
    assert not module._is_shared(make_patterns(rng, n_units=10), FOLDS, codes, learner)
    lda = Learner((Classifier(kind="lda"),), HOW)
    assert not module._is_shared(patterns, FOLDS, codes, lda)
    two = Learner((Classifier(), Classifier(c=2.0)), HOW)
    assert not module._is_shared(patterns, FOLDS, codes, two)
    late = Learner((Classifier(),), Preparation(is_blank=True))
    assert not module._is_shared(patterns, FOLDS, codes, late)
