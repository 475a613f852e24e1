"""stats.metrics: known answers, laws, refusals."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, r2_score

from bids_dnn.errors import ShapeError
from bids_dnn.stats.metrics import accuracy, balanced_accuracy, pearson, r2, within_range


def test_pearson_agrees_with_numpy(rng):
    truth, guess = rng.normal(size=(2, 40, 3))
    expected = [np.corrcoef(truth[:, v], guess[:, v])[0, 1] for v in range(3)]
    np.testing.assert_allclose(pearson(truth, guess), expected)


@pytest.mark.parametrize(("scale", "sign"), [(2.0, 1), (-0.5, -1)])
def test_pearson_ignores_scale_and_offset(rng, scale, sign):
    truth = rng.normal(size=(40, 3))
    np.testing.assert_allclose(pearson(truth, scale * truth + 7), sign * np.ones(3))


def test_pearson_of_a_column_that_does_not_vary_is_nan(rng):
    truth = rng.normal(size=(10, 2))
    truth[:, 1] = 0.1  # no exact binary value: its mean differs from it by rounding
    assert np.isnan(pearson(truth, truth)).tolist() == [False, True]


def test_pearson_refuses_other_shapes():
    with pytest.raises(ShapeError, match=r"\(4, 2\).*\(4, 3\)"):
        pearson(np.zeros((4, 2)), np.zeros((4, 3)))


def test_r2_against_the_own_mean_is_that_of_scikit_learn(rng):
    truth, guess = rng.normal(size=(2, 30, 4))
    expected = r2_score(truth, guess, multioutput="raw_values")
    np.testing.assert_allclose(r2(truth, guess, baseline=truth.mean(axis=0)), expected)


def test_r2_of_the_baseline_is_zero(rng):
    truth, baseline = rng.normal(size=(2, 30, 4))
    np.testing.assert_array_equal(r2(truth, baseline, baseline=baseline), np.zeros(4))


def test_r2_of_a_flat_target_is_nan():
    flat = np.ones((5, 1))
    assert np.isnan(r2(flat, flat + 1, baseline=np.zeros(1)))


def test_r2_refuses_a_baseline_of_other_targets():
    with pytest.raises(ShapeError, match=r"\(3,\).*\(5, 2\)"):
        r2(np.zeros((5, 2)), np.zeros((5, 2)), baseline=np.zeros(3))


def test_balanced_accuracy_is_that_of_scikit_learn(rng):
    truth = rng.choice(["a", "b", "c"], size=50, p=[0.6, 0.3, 0.1])
    guess = rng.permutation(truth)
    expected = balanced_accuracy_score(truth, guess)
    np.testing.assert_allclose(balanced_accuracy(truth, guess), expected)


def test_both_accuracies_agree_where_classes_are_of_one_size(rng):
    truth = np.repeat([0, 1, 2], 10)
    guess = rng.integers(3, size=30)
    np.testing.assert_allclose(balanced_accuracy(truth, guess), accuracy(truth, guess))


@pytest.mark.parametrize("score", [accuracy, balanced_accuracy])
def test_accuracy_without_samples_is_nan(score):
    assert np.isnan(score(np.array([]), np.array([])))


@pytest.mark.parametrize("score", [accuracy, balanced_accuracy])
def test_accuracy_refuses_other_lengths(score):
    with pytest.raises(ShapeError, match=r"\(2,\).*\(3,\)"):
        score(np.zeros(2), np.zeros(3))


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("accuracy", (0.0, 1.0)),
        ("balanced_accuracy", (0.0, 1.0)),
        ("auc", (0.0, 1.0)),
        ("pearson", (-1.0, 1.0)),
        ("accuracy, balanced_accuracy", (0.0, 1.0)),
        ("accuracy, dprime", (-1.5, 1.2)),
        ("dprime", (-1.5, 1.2)),
    ],
)
def test_an_interval_is_cut_to_what_a_score_can_be(metric, expected):
    assert within_range((-1.5, 1.2), metric) == expected
    assert within_range((0.2, 0.3), metric) == (0.2, 0.3)
    assert np.isnan(within_range((np.nan, np.nan), metric)).all()
