"""analyses.encode.banded_refine: closed forms, finite differences, a descent that never rises."""

import numpy as np
import pytest

from bids_dnn.analyses.encode import banded_refine
from bids_dnn.analyses.encode.banded_refine import (
    Start,
    centered_stack,
    refine_weights,
    solve_weighted,
)
from bids_dnn.analyses.encode.banded_search import draw_weights, search_weights, teach
from bids_dnn.analyses.encode.spectrum import decompose
from bids_dnn.errors import ShapeError
from bids_dnn.stats.folds import by_stimulus

ALPHAS = np.logspace(-2, 2, 5)


def make(rng, *, n=48, n_targets=12):
    xs = [rng.normal(size=(n, p)) for p in (5, 15, 60)]
    y = sum(
        x @ rng.normal(size=(x.shape[1], n_targets)) * rng.random(n_targets) / np.sqrt(x.shape[1])
        for x in xs
    )
    y = y + rng.normal(size=y.shape)
    spaces = teach([x @ x.T for x in xs], np.ones(n, dtype=bool), (0, 0, 0))
    return y, spaces, by_stimulus([f"{k:03}" for k in range(n)], 4, rng)


def begin(rng, y, spaces, folds, n_candidates=6):
    candidates = draw_weights(3, n_candidates, rng)
    choice = search_weights(spaces, y, candidates, splits=folds, alphas=ALPHAS)
    ratio = candidates[choice.candidate].T / ALPHAS[choice.penalty]
    return choice, Start(candidates, choice.candidate, ratio)


def loss_of(spaces, y, ratio, folds):
    """Return each target's mean squared error over folds, by solving each on its own."""
    out = np.zeros(y.shape[1])
    for fold in folds:
        train, test = centered_stack(
            spaces.grams[:, fold.train][:, :, fold.train],
            spaces.grams[:, fold.test][:, :, fold.train],
        )
        mean = y[fold.train].mean(axis=0)
        for unit in range(y.shape[1]):
            k = np.tensordot(ratio[:, unit], train, 1) + np.eye(train.shape[1])
            dual = np.linalg.solve(k, y[fold.train, unit] - mean[unit])
            told = np.tensordot(ratio[:, unit], test, 1) @ dual
            out[unit] += ((y[fold.test, unit] - mean[unit] - told) ** 2).mean()
    return out / len(folds)


def test_each_target_solves_its_own_system(rng):
    y, spaces, _ = make(rng)
    k, _ = centered_stack(spaces.grams, spaces.grams)
    ratio = np.exp(rng.normal(size=(3, y.shape[1])) * 2)
    ratio[0, 0] = 0.0
    found = decompose(k.mean(axis=0), k.mean(axis=0))
    w = solve_weighted(k, y, ratio=ratio, found=found, tol=1e-10)
    for unit in range(y.shape[1]):
        expected = np.linalg.solve(np.tensordot(ratio[:, unit], k, 1) + np.eye(48), y[:, unit])
        np.testing.assert_allclose(w[:, unit], expected, rtol=1e-7, atol=1e-8)


def test_a_target_of_zeros_or_of_no_numbers_harms_no_other(rng):
    y, spaces, _ = make(rng)
    k, _ = centered_stack(spaces.grams, spaces.grams)
    found, ratio = decompose(k.mean(axis=0), k.mean(axis=0)), np.ones((3, 12))
    expected = solve_weighted(k, y, ratio=ratio, found=found, tol=1e-10)
    y[:, 0], y[3, 1] = 0.0, np.nan
    w = solve_weighted(k, y, ratio=ratio, found=found, tol=1e-10)
    assert not w[:, 0].any()
    assert np.isnan(w[:, 1]).any()
    np.testing.assert_allclose(w[:, 2:], expected[:, 2:], rtol=1e-6, atol=1e-9)


def test_the_derivative_is_that_of_finite_differences(rng):
    y, spaces, folds = make(rng)
    _, start = begin(rng, y, spaces, folds)
    part = next(banded_refine._parts(spaces, y, start, splits=folds, batch=100, kept={}))
    ratio = start.ratio[:, part.where]
    jacobian, off = banded_refine._linearize(part, ratio)

    def told(ratio):
        w = solve_weighted(part.train, part.taught, ratio=ratio, found=part.found, tol=1e-12)
        return sum(g * (k @ w) for g, k in zip(ratio, part.test, strict=True))

    np.testing.assert_allclose(off, part.told - told(ratio), atol=1e-8)
    for i in range(3):
        up, down = ratio.copy(), ratio.copy()
        up[i], down[i] = ratio[i] * np.exp(1e-4), ratio[i] * np.exp(-1e-4)
        slope = (told(up) - told(down)) / 2e-4
        np.testing.assert_allclose(jacobian[i], slope, atol=1e-5 * np.abs(jacobian).max())


def test_the_error_never_rises_and_falls_by_what_is_said(rng):
    y, spaces, folds = make(rng)
    choice, start = begin(rng, y, spaces, folds)
    ratio, fall = refine_weights(spaces, y, start, splits=folds, batch=5)
    after = loss_of(spaces, y, ratio, folds)
    np.testing.assert_allclose(loss_of(spaces, y, start.ratio, folds), choice.loss, rtol=1e-4)
    np.testing.assert_allclose(choice.loss - after, fall, atol=2e-4 * choice.loss.max())
    assert (fall >= 0).all()
    assert (fall > 0).mean() > 0.5
    same = fall == 0
    np.testing.assert_array_equal(ratio[:, same], start.ratio[:, same])


def test_a_step_that_does_not_help_is_not_taken(rng, monkeypatch):
    y, spaces, folds = make(rng)
    _, start = begin(rng, y, spaces, folds)
    monkeypatch.setattr(banded_refine, "PARTS_OF_STEP", (-1.0,))
    ratio, fall = refine_weights(spaces, y, start, splits=folds, batch=100)
    stayed = fall == 0
    assert stayed.mean() > 0.5
    np.testing.assert_array_equal(ratio[:, stayed], start.ratio[:, stayed])


def test_spectra_that_are_not_kept_are_made_again(rng, monkeypatch):
    y, spaces, folds = make(rng)
    _, start = begin(rng, y, spaces, folds)
    ratio, fall = refine_weights(spaces, y, start, splits=folds, batch=100)
    monkeypatch.setattr(banded_refine, "KEPT_BYTES", 0)
    again, fall_again = refine_weights(spaces, y, start, splits=folds, batch=100)
    np.testing.assert_array_equal(again, ratio)
    np.testing.assert_array_equal(fall_again, fall)


def test_spaces_that_do_not_vary_stay_where_they_are(rng):
    y, _, folds = make(rng)
    spaces = teach([np.ones((48, 48))] * 3, np.ones(48, dtype=bool), (0, 0, 0))
    _, start = begin(rng, y, spaces, folds)
    ratio, fall = refine_weights(spaces, y, start, splits=folds, batch=100)
    np.testing.assert_array_equal(ratio, start.ratio)
    assert not fall.any()


def test_stacks_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match=r"\(3, 4\)"):
        centered_stack(np.ones((1, 3, 4)), np.ones((1, 2, 3)))
