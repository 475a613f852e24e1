"""analyses.encode.readouts.descent: ridge in closed form, columns that do not know each other."""

import logging

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from bids_dnn.analyses.encode.readouts.descent import (
    batches,
    columns_of,
    held_loss,
    schedule,
    train,
)
from bids_dnn.analyses.encode.readouts.forms import Setting
from bids_dnn.analyses.encode.readouts.start import start
from tests.factories.feature_maps import planted
from tests.factories.readouts import problem_of


@pytest.fixture
def world(rng):
    return planted(rng, n=120, n_channels=3, side=4, n_units=4)


@pytest.mark.parametrize("alpha", [0.1, 3.0])
def test_full_weights_with_the_ridge_penalty_reach_the_closed_form(world, alpha):
    problem = problem_of(
        world.maps, world.responses, "cadena", batch_size=200, n_epochs=400, patience=400
    )
    setting = (Setting(ridge=alpha, rate=0.3),)
    columns = columns_of(problem, start(problem), setting)
    train(problem, columns, setting, until=400)
    x = problem.maps(problem.train).flatten(1).double().numpy()
    y = problem.truth[problem.train].double().numpy()
    peer = Ridge(alpha=alpha * x.shape[1]).fit(x, y)
    made = columns.params["weights"].flatten(1) * problem.gain
    np.testing.assert_allclose(made, peer.coef_, atol=2e-3 * np.abs(peer.coef_).max())
    np.testing.assert_allclose(columns.params["bias"], peer.intercept_, atol=2e-3)


def test_a_strong_penalty_leaves_the_mean(world):
    problem = problem_of(
        world.maps, world.responses, "cadena", batch_size=200, n_epochs=300, patience=300
    )
    setting = (Setting(ridge=1e5, rate=0.1),)
    columns = columns_of(problem, start(problem), setting)
    train(problem, columns, setting, until=300)
    x = problem.maps(problem.held).flatten(1)
    guess = x @ columns.params["weights"].flatten(1).T * problem.gain + columns.params["bias"]
    assert guess.abs().max() < 0.05  # SD of the response


@pytest.mark.parametrize("kind", ["bashivan", "cadena", "factorized"])
def test_a_column_does_not_know_the_others(world, kind):
    settings = (Setting(smooth=0.1), Setting(smooth=0.01, sparse=0.1, rate=0.1))
    problem = problem_of(world.maps, world.responses, kind, batch_size=32, n_epochs=4)
    begin = start(problem)
    together = columns_of(problem, begin, settings)
    train(problem, together, settings, until=4)
    alone = columns_of(problem, begin, settings).take(torch.tensor([5]))  # unit 1, setting 1
    train(problem, alone, settings, until=4)
    for name, value in alone.params.items():
        np.testing.assert_allclose(value[0], together.params[name][5], rtol=1e-3, atol=1e-5)


def test_the_best_weights_are_kept_and_resting_ones_stay(world):
    problem = problem_of(
        world.maps, world.responses, "cadena", batch_size=32, n_epochs=12, patience=2
    )
    setting = (Setting(rate=0.5),)  # overfits
    columns = columns_of(problem, start(problem), setting)
    seen = [columns.loss.clone()]
    for until in range(1, 13):
        train(problem, columns, setting, until=until)
        seen.append(held_loss(problem, columns))
    path = torch.stack(seen)  # (n_epochs + 1, n_units)
    for unit in range(4):
        best, stale = path[0, unit], 0
        for loss in path[1:, unit]:
            best, stale = (loss, 0) if loss < best else (best, stale + 1)
            if stale >= 2:
                break
        assert columns.loss[unit] == best
    columns.params = columns.best
    np.testing.assert_array_equal(held_loss(problem, columns), columns.loss)


def test_divergence_is_said_and_the_best_weights_before_are_kept(world, caplog):
    problem = problem_of(world.maps, world.responses, "bashivan", batch_size=32, n_epochs=3)
    settings = (Setting(rate=0.01), Setting(rate=1e30))
    columns = columns_of(problem, start(problem), settings)
    before = columns.loss[4:].clone()
    with caplog.at_level(logging.WARNING):
        train(problem, columns, settings, until=3)
    np.testing.assert_array_equal(columns.is_diverged, [False] * 4 + [True] * 4)
    assert "4 of 8 readouts" in caplog.text
    np.testing.assert_array_equal(columns.loss[4:], before)
    assert all(bool(value.isfinite().all()) for value in columns.best.values())


def test_each_epoch_shows_each_stimulus_once_in_another_order(world):
    problem = problem_of(world.maps, world.responses, "cadena", batch_size=25)
    first, second = batches(problem, 0), batches(problem, 1)
    assert len(first) == len(problem.train) // 25
    for epoch in (first, second):
        np.testing.assert_array_equal(np.sort(np.concatenate(epoch)), problem.train)
    assert not np.array_equal(np.concatenate(first), np.concatenate(second))


@pytest.mark.parametrize(("decay", "ends"), [("cosine", 0.0), ("step", 1 / 9), ("none", 1.0)])
def test_steps_start_whole_and_never_grow(decay, ends):
    sizes = [schedule(decay, share) for share in np.linspace(0, 1, 21)]
    assert sizes[0] == 1
    assert sizes[-1] == pytest.approx(ends)
    assert (np.diff(sizes) <= 0).all()
