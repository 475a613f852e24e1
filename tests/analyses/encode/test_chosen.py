"""analyses.encode.chosen: choices on training images, known and under noise."""

from dataclasses import replace

import numpy as np
import pytest

from bids_dnn.analyses.encode.chosen import ChosenLayer
from bids_dnn.analyses.encode.layer import fit_layer
from bids_dnn.analyses.encode.scores import score_units
from bids_dnn.errors import LeakageError
from bids_dnn.stats.folds import by_stimulus


def make(rng, *, n=80, n_units=30, n_layers=4, noise=1.0):
    names = [f"{k:03}" for k in range(n)]
    folds = by_stimulus(names, 4, rng)
    inner = [by_stimulus([names[k] for k in np.flatnonzero(f.train)], 3, rng) for f in folds]
    layers = [rng.normal(size=(n, 6)) for _ in range(n_layers)]
    true = rng.integers(n_layers, size=n_units)
    signal = np.stack([layers[k] @ rng.normal(size=6) for k in true], axis=1)
    truth = signal + noise * signal.std() * rng.normal(size=signal.shape)
    return layers, true, truth, folds, inner


def chosen(layers, truth, folds, inner, *, select="gcv"):
    taken = ChosenLayer(folds, [f"{k:03}" for k in range(len(truth))], truth.shape[1])
    fits = []
    for k, x in enumerate(layers):
        fits.append(
            fit_layer(x @ x.T, truth, folds=folds, inner=inner, alphas=None, select=select)
        )
        taken.offer(k, fits[-1])
    return taken, fits


def test_each_unit_takes_its_own_layer(rng):
    layers, true, truth, folds, inner = make(rng, noise=0.3)
    taken, fits = chosen(layers, truth, folds, inner)
    np.testing.assert_array_equal(taken.assignment(), true)
    expected = np.stack([fits[k].guess[:, v] for v, k in enumerate(true)], axis=1)
    np.testing.assert_array_equal(taken.guess, expected)
    shares = taken.shares(4, np.arange(30))
    np.testing.assert_allclose(shares, np.bincount(true, minlength=4) / 30)


def test_the_choice_sees_no_test_image(rng):
    layers, _, truth, folds, inner = make(rng)
    before, _ = chosen(layers, truth, folds, inner)
    for f, fold in enumerate(folds):
        other = truth.copy()
        other[fold.test] = 100 * rng.normal(size=other[fold.test].shape)
        after, _ = chosen(layers, other, folds, inner)
        np.testing.assert_array_equal(after.layer[f], before.layer[f])


def test_a_choice_on_test_images_is_refused(rng):
    """Without the refusal, layers judged where they are tested would seem to predict noise."""
    layers, _, truth, folds, inner = make(rng)
    taken, fits = chosen(layers, truth, folds, inner)
    first = [np.flatnonzero(fold.test)[0] for fold in folds]
    seen = tuple(fold.train | (np.arange(80) == k) for fold, k in zip(folds, first, strict=True))
    told = rf"layers of fold '{folds[0].name}' were chosen on 1 of .*: {first[0]:03}\."
    with pytest.raises(LeakageError, match=told):
        taken.offer(0, replace(fits[0], judged=seen))
    everything = (np.ones(80, dtype=bool),) * 4
    with pytest.raises(LeakageError, match="chosen on 20 of"):
        taken.offer(0, replace(fits[0], judged=everything))


def test_under_noise_chosen_layers_score_nothing_where_the_highest_do(rng):
    scores, highest = [], []
    for _ in range(12):
        layers, _, truth, folds, inner = make(rng, n=40, n_layers=6)
        truth = rng.normal(size=truth.shape)
        taken, fits = chosen(layers, truth, folds, inner)
        scores.append(np.nanmean(score_units(truth, taken.guess, folds)))
        every = [score_units(truth, one.guess, folds) for one in fits]
        highest.append(np.nanmax(every, axis=0).mean())
    assert abs(np.mean(scores)) < 4 * np.std(scores) / np.sqrt(12) + 0.02
    assert np.mean(highest) > 0.15  # what choosing on test images would report


def test_layers_that_answer_all_images_alike_are_never_chosen(rng):
    layers, _, truth, folds, inner = make(rng)
    dead = np.ones((80, 3))
    taken, _ = chosen([dead, *layers], truth, folds, inner)
    assert (taken.layer > 0).all()
    nothing, _ = chosen([dead], truth, folds, inner)
    assert np.isnan(nothing.assignment()).all()
    assert np.isnan(nothing.shares(1, np.arange(30))).all()
    assert np.isnan(nothing.guess).all()
