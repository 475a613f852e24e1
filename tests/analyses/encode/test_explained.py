"""analyses.encode.explained: the metric of single showings, simulated truth, what is not known."""

import numpy as np
import pytest

from bids_dnn.analyses.encode import explained
from bids_dnn.analyses.encode.explained import share_of_explainable, showings_of
from bids_dnn.stats.folds import Fold, by_stimulus
from bids_dnn.stats.metrics import fev_explained


def make(rng, *, n=40, n_units=7, noise=1.0):
    counts = rng.integers(1, 5, size=n)
    which = np.repeat(np.arange(n), counts)
    signal = rng.normal(size=(n, n_units))
    values = signal[which] + noise * rng.normal(size=(len(which), n_units)) + 3.0
    truth = np.stack([values[which == k].mean(axis=0) for k in range(n)])
    folds = by_stimulus([f"{k:02}" for k in range(n)], 4, rng)
    means = [truth[fold.train].mean(axis=0) for fold in folds]
    return which, signal, values, truth, folds, means


@pytest.mark.parametrize("block", [2, 1024])
def test_it_is_the_metric_of_single_showings(rng, monkeypatch, block):
    monkeypatch.setattr(explained, "BLOCK", block)
    which, _, values, truth, folds, means = make(rng)
    guess = 0.5 * rng.normal(size=truth.shape)
    found = share_of_explainable(showings_of(values, which, 40), truth, guess, folds, means)
    whole = guess.copy()
    for fold, mean in zip(folds, means, strict=True):
        whole[fold.test] += mean
    expected = fev_explained(values, whole[which], [str(k) for k in which])
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_the_signal_itself_explains_all_and_the_mean_nothing(rng):
    which, signal, values, truth, _, _ = make(rng, n=3000, noise=2.0)
    train = np.arange(3000) < 1500
    fold, mean = Fold("given", train, ~train), truth[train].mean(axis=0)
    own = showings_of(values[~train[which]], which[~train[which]], 3000)
    perfect = signal + 3.0 - mean
    found = share_of_explainable(own, truth, perfect, [fold], [mean])
    # over about 3,750 showings; SD of the share about 0.06 a unit, seven units
    assert abs(found.mean() - 1) < 4 * 0.06 / np.sqrt(7)
    nothing = share_of_explainable(own, truth, np.zeros_like(truth), [fold], [mean])
    assert abs(nothing.mean()) < 4 * 0.06 / np.sqrt(7)


def test_without_repeats_there_is_nothing_to_tell(rng):
    assert showings_of(rng.normal(size=(5, 2)), np.arange(5), 5) is None


def test_where_repeats_differ_as_much_as_images_nothing_is_explainable(rng):
    values = np.array([[0.0], [1.0], [0.0], [1.0]])
    own = showings_of(values, np.array([0, 0, 1, 1]), 2)
    folds = [Fold("1", np.array([True, False]), np.array([False, True]))]
    found = share_of_explainable(own, np.full((2, 1), 0.5), np.zeros((2, 1)), folds, [np.zeros(1)])
    assert np.isnan(found).all()
