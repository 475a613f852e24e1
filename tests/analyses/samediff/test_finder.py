"""analyses.samediff.finder: the steepest descent, and a batch size by validation."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from bids_dnn.analyses.samediff.finder import (
    FALLBACK,
    has_fallen,
    range_test,
    search_batch_size,
    suggested,
)
from bids_dnn.analyses.samediff.objectives import cross_entropy
from bids_dnn.analyses.samediff.training import Problem, Training
from bids_dnn.errors import ConfigError, NotEnoughDataError


@pytest.fixture
def problem(rng):
    n = 60
    is_same = np.arange(n) % 2 == 0
    x = torch.tensor(rng.normal(size=(n, 4)) + 1.5 * is_same[:, None], dtype=torch.float32)
    entries = np.stack([np.arange(n), np.zeros(n, dtype=int)], axis=1)

    def supply(asked, *, epoch):
        return (x[torch.as_tensor(asked[:, 0])],)

    watched = {"train": entries[:40], "validation": entries[40:]}
    return Problem(lambda: torch.nn.Linear(4, 2), cross_entropy(), supply, entries[:40], watched,
                   is_same)  # fmt: skip


def test_the_range_test_rises_evenly_and_ends_where_the_loss_explodes(problem):
    table = range_test(problem, Training())
    ratio = table["rate"].to_numpy()[1:] / table["rate"].to_numpy()[:-1]
    np.testing.assert_allclose(ratio, ratio[0])
    assert table["rate"].iloc[0] == pytest.approx(1e-7)
    n_batches = 40 // 8  # of one size: their mean loss at the start is where the curve begins
    assert table["smoothed"].iloc[0] == pytest.approx(table["loss"][:n_batches].mean(), rel=1e-4)
    assert table.equals(range_test(problem, Training()))
    wild = Problem(lambda: torch.nn.Sequential(torch.nn.Linear(4, 200), torch.nn.ReLU(),
                   torch.nn.Linear(200, 2)), problem.objective, problem.supply, problem.train,
                   problem.watched, problem.truth)  # fmt: skip
    assert len(range_test(wild, Training())) < 100


def test_neither_hard_batches_nor_dropout_pass_for_learning(problem):
    def make():
        return torch.nn.Sequential(torch.nn.BatchNorm1d(4), torch.nn.Dropout(0.5),
                                   torch.nn.Linear(4, 2))  # fmt: skip

    table = range_test(replace(problem, make=make), Training())
    slow = table[table["rate"] < 1e-5]
    assert slow["loss"].std() > 0.05
    assert np.ptp(slow["smoothed"]) < 1e-3
    assert suggested(table) > 1e-4


def test_a_rate_that_learns_is_suggested(problem):
    rate = suggested(range_test(problem, Training()))
    assert 1e-4 < rate < 1


def test_the_steepest_point_before_the_least_loss_is_taken():
    rates = np.geomspace(1e-6, 1, 7)
    loss = [1.0, 1.0, 0.9, 0.5, 0.4, 3.0, 0.45]  # falls fastest later, after it has exploded
    table = pd.DataFrame({"rate": rates, "smoothed": loss})
    assert suggested(table) == pytest.approx(1e-4)


@pytest.mark.parametrize("loss", [[1.0, 2.0, 3.0, 4.0], [1.0, np.nan, np.nan, np.nan]])
def test_where_the_loss_never_falls_the_usual_rate_is_taken(loss):
    table = pd.DataFrame({"rate": np.geomspace(1e-5, 1e-2, 4), "smoothed": loss})
    assert suggested(table) == FALLBACK
    assert not has_fallen(table)


def test_a_fall_of_less_than_a_hundredth_is_none():
    table = pd.DataFrame({"rate": np.geomspace(1e-5, 1e-2, 4), "smoothed": [1.0, 0.995, 0.992, 2]})
    assert suggested(table) == FALLBACK
    assert suggested(table.assign(smoothed=[1.0, 0.98, 0.97, 2])) != FALLBACK


def test_the_batch_size_of_least_validation_loss_is_chosen(problem):
    table = search_batch_size(problem, Training(n_epochs=4), sizes=(8, 20, 40, 80))
    assert table["batch_size"].tolist() == [8, 20, 40]
    chosen = table["is_chosen"].tolist()
    good = (table["loss"] <= table["loss"].min() * 1.001).tolist()
    assert chosen == [k == good.index(True) for k in range(3)]


def test_refusals(problem):
    with pytest.raises(ConfigError, match=r"\(64, 128\) are above the 40"):
        search_batch_size(problem, Training(), sizes=(64, 128))
    blind = Problem(problem.make, problem.objective, problem.supply, problem.train,
                    {"train": problem.train}, problem.truth)  # fmt: skip
    with pytest.raises(NotEnoughDataError, match="no pair"):
        search_batch_size(blind, Training())
