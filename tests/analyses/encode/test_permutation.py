"""analyses.encode.permutation: exchanges within folds, products instead of fits."""

import numpy as np

from bids_dnn.analyses.encode import permutation
from bids_dnn.analyses.encode.permutation import FEW, covariances, draw_shuffles, similarity
from bids_dnn.stats.folds import Fold, by_stimulus


def make_folds(rng, n=30, n_folds=3):
    return by_stimulus([f"{k:02}" for k in range(n)], n_folds, rng)


def test_images_are_exchanged_within_folds(rng):
    folds = make_folds(rng)
    shuffles = draw_shuffles(folds, 50, rng)
    for row in shuffles:
        for fold in folds:
            assert set(row[fold.test]) == set(np.flatnonzero(fold.test))
    assert len(np.unique(shuffles, axis=0)) == 50


def test_similarity_is_the_gram_matrix_of_standardized_responses(rng):
    truth = rng.normal(size=(30, 8)) * np.arange(1, 9) + 5
    z = (truth - truth.mean(axis=0)) / truth.std(axis=0)
    np.testing.assert_allclose(similarity(truth), z @ z.T / (30 * 8))


def test_units_that_do_not_vary_are_no_part_of_the_similarity(rng):
    truth = rng.normal(size=(30, 8))
    with_flat = np.concatenate([truth, np.full((30, 2), 0.1)], axis=1)
    np.testing.assert_allclose(similarity(with_flat), similarity(truth))
    assert not similarity(np.ones((30, 2))).any()


def test_covariances_are_those_of_exchanged_responses(rng):
    folds = make_folds(rng)
    shuffles = draw_shuffles(folds, 6, rng)
    operators = rng.normal(size=(2, 30, 30))
    operators -= operators.mean(axis=2, keepdims=True)
    regions = [rng.normal(size=(30, n_units)) for n_units in (1, 8, FEW, FEW + 1, 40)]
    flat = np.full((30, 3), 0.1)  # counts nowhere
    given = [np.concatenate([one, flat[:, : k % 2]], axis=1) for k, one in enumerate(regions)]
    found = covariances(operators, given, shuffles)
    for b, order in enumerate(shuffles):
        for r, truth in enumerate(regions):
            z = (truth - truth.mean(axis=0)) / truth.std(axis=0) / np.sqrt(30)
            for k, operator in enumerate(operators):
                guess = operator @ z[order]
                expected = (guess * z[order]).sum(axis=0).mean()
                np.testing.assert_allclose(found[b, r, k], expected)


def test_of_a_split_only_the_rows_of_test_images_are_needed(rng):
    test = np.flatnonzero(rng.random(30) < 0.3)
    operators = np.zeros((2, 30, 30))
    operators[:, test] = rng.normal(size=(2, len(test), 30))
    is_test = np.isin(np.arange(30), test)
    split = [Fold("test", ~is_test, is_test)]
    shuffles = draw_shuffles(split, 6, rng)
    truth = rng.normal(size=(30, 2000))  # more than a block
    places = [truth, truth[:, :2]]
    whole = covariances(operators, places, shuffles)
    some = covariances(operators[:, test], places, shuffles, test)
    np.testing.assert_allclose(some, whole, rtol=1e-9)
    assert (np.ptp(some, axis=0) > 0).all()


def test_blocks_do_not_matter(rng, monkeypatch):
    shuffles = draw_shuffles(make_folds(rng), 5, rng)
    operators = [rng.normal(size=(30, 30)).astype(np.float32) for _ in range(3)]
    truth = rng.normal(size=(30, 60))
    whole = covariances(operators, [truth], shuffles)
    monkeypatch.setattr(permutation, "CELLS", 30 * 3 * 4)  # four images; the last has two
    np.testing.assert_allclose(covariances(operators, [truth], shuffles), whole, rtol=1e-9)
