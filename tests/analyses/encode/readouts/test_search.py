"""analyses.encode.readouts.search: rungs, draws, and who lives on."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from bids_dnn.analyses.encode.readouts.descent import columns_of, train
from bids_dnn.analyses.encode.readouts.forms import FORMS, PENALTIES, Setting
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
        values = np.array([getattr(one, name) for one in made])
        assert (values == 0).sum() == (50 if name in ("sparse", "channels", "places") else 0)
        used = values[values > 0]
        share = np.log(used / low) / np.log(high / low)
        assert 0 <= share.min() < 0.05
        assert 0.95 < share.max() <= 1
        assert abs(share.mean() - 0.5) < 5 / np.sqrt(12 * len(used))
    assert made == draw_settings(kind, 200, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("bashivan", {"smooth", "ridge", "places"}),
        ("cadena", {"smooth", "ridge", "sparse", "channels"}),
        ("factorized", {"smooth", "sparse"}),
    ],
)
def test_the_penalties_that_were_published_are_tried(kind, names):
    made = draw_settings(kind, 8, np.random.default_rng(0))
    tried = {name for one in made for name in PENALTIES if getattr(one, name) > 0}
    assert tried == names


def test_sparse_penalties_go_missing_from_some_settings_each_by_itself():
    made = draw_settings("cadena", 8, np.random.default_rng(0))
    for name in ("sparse", "channels"):
        assert [getattr(one, name) > 0 for one in made].count(False) == 2
    many = draw_settings("cadena", 400, np.random.default_rng(0))
    assert {(one.sparse > 0, one.channels > 0) for one in many} == {
        (True, True), (True, False), (False, True), (False, False)
    }  # fmt: skip
    (one,) = draw_settings("cadena", 1, np.random.default_rng(0))
    assert min(one.sparse, one.channels) > 0


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
