"""analyses.encode.readouts.search: rungs, draws, and who lives on."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from bids_dnn.analyses.encode.readouts.descent import columns_of, train
from bids_dnn.analyses.encode.readouts.forms import FORMS, Setting
from bids_dnn.analyses.encode.readouts.search import RANGES, draw_settings, halve, leading, rungs
from bids_dnn.analyses.encode.readouts.start import start
from bids_dnn.errors import ConfigError
from tests.factories.feature_maps import planted
from tests.factories.readouts import problem_of


@pytest.mark.parametrize("n_settings", [1, 2, 3, 7, 16, 40])
@pytest.mark.parametrize("n_epochs", [1, 3, 24])
def test_rungs_halve_settings_and_end_with_the_last_epoch(n_settings, n_epochs):
    made = rungs(n_settings, n_epochs)
    assert made[0][1] == n_settings
    assert made[-1][0] == n_epochs
    ends, counts = zip(*made, strict=True)
    assert all(later > before for before, later in pairwise(ends))
    assert all(k == -(-n // 2) for n, k in pairwise(counts))


@pytest.mark.parametrize("kind", FORMS)
def test_draws_fill_their_ranges(kind):
    made = draw_settings(kind, 200, np.random.default_rng(0))
    for name, (low, high) in RANGES[kind].items():
        share = np.log([getattr(one, name) / low for one in made]) / np.log(high / low)
        assert 0 <= share.min() < 0.05
        assert 0.95 < share.max() <= 1
        assert abs(share.mean() - 0.5) < 5 / np.sqrt(12 * 200)
    assert made == draw_settings(kind, 200, np.random.default_rng(0))


def test_draws_of_an_unknown_readout_are_refused():
    with pytest.raises(ConfigError, match="cadema"):
        draw_settings("cadema", 1, np.random.default_rng(0))


@pytest.fixture
def world(rng):
    return planted(rng, n=120, n_channels=3, side=4, n_units=4)


def test_the_leading_settings_are_those_of_least_loss(world):
    problem = problem_of(world.maps, world.responses, "cadena")
    columns = columns_of(problem, start(problem), tuple(Setting(rate=r) for r in (1, 2, 3)))
    columns.loss = torch.tensor([[3.0, 1, 5, 2], [2.0, 4, 5, 1], [1.0, 2, 5, 9]]).flatten()
    by_unit = leading(columns, 2, "unit")
    np.testing.assert_array_equal(
        columns.setting[by_unit].view(2, 4), [[1, 0, 0, 0], [2, 2, 1, 1]]
    )
    np.testing.assert_array_equal(columns.unit[by_unit].view(2, 4), [[0, 1, 2, 3]] * 2)
    columns.last = torch.tensor([[9.0] * 4, [torch.nan] * 4, [2.0] * 4]).flatten()
    equal = columns.take(torch.arange(12))
    equal.loss = torch.ones(12)
    np.testing.assert_array_equal(equal.setting[leading(equal, 1, "unit")], [2, 2, 2, 2])
    by_region = leading(columns, 1, "region")  # means 2.75, 3, 4.25
    np.testing.assert_array_equal(columns.setting[by_region], [0, 0, 0, 0])


def test_one_setting_is_trained_as_without_a_search(world):
    problem = problem_of(world.maps, world.responses, "bashivan", batch_size=32, n_epochs=4)
    begin, settings = start(problem), (Setting(smooth=0.1),)
    alone = columns_of(problem, begin, settings)
    train(problem, alone, settings, until=4)
    found = halve(problem, begin, settings)
    for name, value in alone.best.items():
        np.testing.assert_array_equal(found.best[name], value)


def test_settings_that_leave_nothing_are_dropped(rng):
    world = planted(rng, n=400, n_channels=3, side=4, n_units=4)
    bad = Setting(ridge=1e6, rate=1.0)
    settings = (bad, bad, Setting(ridge=0.01, rate=0.05), bad)
    problem = problem_of(
        world.maps, world.responses, "cadena", batch_size=32, n_epochs=8, start="covariance"
    )
    found = halve(problem, start(problem), settings)
    np.testing.assert_array_equal(found.unit, range(4))
    assert (found.setting == 2).all()
