"""analyses.decode.by_labeling: guesses are those of all labelings at once, fold after fold."""

import numpy as np
import pytest

from bids_dnn.analyses.decode import by_labeling
from bids_dnn.analyses.decode import predict as module
from bids_dnn.analyses.decode.by_labeling import guess_by_labeling, of_same_samples, pays
from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.predict import Learner, predict
from bids_dnn.analyses.decode.prepare import Preparation, linear_gram, patterns_of
from bids_dnn.stats.folds import leave_one_run_out

RUNS = np.repeat(np.arange(5), 12)
CONDITIONS = np.tile(np.repeat(np.arange(4), 3), 5)
FOLDS = leave_one_run_out(RUNS.astype(str).astype(object))
HOW = Preparation()
CLASSIFIERS = [
    Classifier(),
    Classifier(is_weighted=True),
    Classifier(kind="lda"),
    Classifier(kind="lda", shrinkage=0.3, is_weighted=True),
    Classifier(kind="ridge", alpha=0.2),
]


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


def both_ways(monkeypatch, patterns, codes, classifier, *, how=HOW, **given):
    """Predict labeling after labeling, and fold after fold."""
    learner = Learner((classifier,), how)
    assert pays(patterns, FOLDS, codes, classifier)
    made = predict(patterns, FOLDS, codes, learner, groups=RUNS, **given)
    monkeypatch.setattr(module, "pays", lambda *_: False)
    return made, predict(patterns, FOLDS, codes, learner, groups=RUNS, **given)


@pytest.mark.parametrize("n_classes", [2, 3, 4])
@pytest.mark.parametrize("classifier", CLASSIFIERS, ids=str)
def test_labelings_are_guessed_as_all_at_once(rng, monkeypatch, n_classes, classifier):
    codes = exchanged(rng)
    codes = np.where(codes < n_classes, codes, -1)
    if classifier.is_weighted:
        codes[(codes == 0) & (rng.random(codes.shape) < 0.4)] = -1
    patterns = make_patterns(rng)
    found, alone = both_ways(monkeypatch, patterns, codes, classifier, n_classes=n_classes)
    assert (np.isnan(found.values) == np.isnan(alone.values)).all()
    assert np.nanmax(np.abs(found.values - alone.values)) < 1e-4
    is_sure = ~(np.abs(alone.values) < 1e-3).any(axis=0)
    assert is_sure.mean() > 0.95
    np.testing.assert_array_equal(found.guess[is_sure], alone.guess[is_sure])
    assert ((found.guess >= 0) == (codes >= 0)).all()
    assert found.chosen == alone.chosen


def test_what_teaches_and_what_is_tested_may_differ(rng, monkeypatch):
    codes = exchanged(rng)
    taught, tested = np.where(codes < 2, codes, -1), np.where(codes >= 2, codes - 2, -1)
    found, alone = both_ways(
        monkeypatch,
        make_patterns(rng),
        taught,
        Classifier(),
        n_classes=2,
        tested=tested,
        has_values=False,
    )
    assert found.values.shape == (1, 1, len(RUNS))
    np.testing.assert_allclose(found.values, alone.values, rtol=0, atol=1e-4)
    assert (found.guess == alone.guess).mean() > 0.99
    assert ((found.guess >= 0) == (tested >= 0)).all()


@pytest.mark.parametrize("kind", ["lda", "ridge"])
def test_folds_may_have_patterns_of_their_own(rng, monkeypatch, kind):
    codes = np.where((made := exchanged(rng)) < 2, made, -1)
    patterns = make_patterns(rng, is_standardized=True, pca=7)
    found, alone = both_ways(monkeypatch, patterns, codes, Classifier(kind=kind), n_classes=2)
    np.testing.assert_allclose(found.values, alone.values, rtol=0, atol=1e-6)


@pytest.mark.parametrize("classifier", CLASSIFIERS, ids=str)
def test_the_mean_of_a_run_is_that_of_a_labelings_samples(rng, monkeypatch, classifier):
    codes = exchanged(rng)
    codes = np.where(codes < 2, codes, -1)
    codes = np.concatenate([codes, np.where(codes >= 0, 1 - codes, -1)])  # pairs share samples
    found, alone = both_ways(
        monkeypatch,
        make_patterns(rng),
        codes,
        classifier,
        how=Preparation(is_blank=True),
        n_classes=2,
    )
    np.testing.assert_allclose(found.values, alone.values, rtol=0, atol=1e-4)
    is_sure = ~(np.abs(alone.values) < 1e-3).any(axis=0)
    np.testing.assert_array_equal(found.guess[is_sure], alone.guess[is_sure])


def test_labelings_of_the_same_samples_are_found():
    codes = np.array([[0, 1, -1], [0, -1, 1], [1, 0, -1], [1, -1, 0]])
    found = of_same_samples(codes, np.where(codes < 0, -1, 0))
    assert [rows.tolist() for rows in found] == [[0, 2], [1, 3]]
    assert len(of_same_samples(codes, np.eye(4, 3, dtype=int) - 1)) == 4


def test_decisions_are_nan_where_there_is_no_guess(rng):
    codes = np.where((made := exchanged(rng)) < 2, made, -1)
    guess, values = guess_by_labeling(
        make_patterns(rng)[1:], FOLDS[1:], codes, codes, Classifier(kind="lda"), n_classes=2
    )
    is_there = (codes >= 0) & ~FOLDS[0].test
    assert (np.isfinite(values[0]) == is_there).all()
    assert (guess[codes < 0] == -1).all()


def test_it_pays_where_labelings_share_no_samples(rng):
    codes = np.where((made := exchanged(rng)) < 2, made, -1)
    patterns, machine, lda = make_patterns(rng), Classifier(), Classifier(kind="lda")
    assert pays(patterns, FOLDS, codes, machine)
    assert pays(patterns, FOLDS, made, machine)  # of several classes, pairs have their own
    same = np.where(codes[:1] >= 0, np.stack([codes[0], 1 - codes[0]]), -1)
    for other in (same, codes[:1]):
        assert not pays(patterns, FOLDS, other, machine)
        assert not pays(patterns, FOLDS, other, lda)
    for how in ({"is_standardized": True}, {"anova": 10}, {"pca": 5}):
        assert not pays(make_patterns(rng, **how), FOLDS, codes, machine)
        assert pays(make_patterns(rng, **how), FOLDS, codes, lda)
    assert not pays(make_patterns(rng, n_units=10), FOLDS, codes, machine)
    assert pays(patterns, FOLDS, codes, Classifier(kind="ridge"))
    for other in (Classifier(kind="ridge", alpha=0.0), Classifier(kind="logistic")):
        assert not pays(patterns, FOLDS, codes, other)


def test_blocks_of_labelings_alter_nothing(rng, monkeypatch):
    codes = exchanged(rng)
    given = (make_patterns(rng), FOLDS, codes, codes, Classifier(kind="lda"))
    whole = guess_by_labeling(*given, n_classes=4)
    monkeypatch.setattr(by_labeling, "AT_ONCE", 4 * codes.shape[1])
    guess, values = guess_by_labeling(*given, n_classes=4, n_kept=3)
    np.testing.assert_array_equal(guess, whole[0])
    np.testing.assert_array_equal(values, whole[1][:, :3])
