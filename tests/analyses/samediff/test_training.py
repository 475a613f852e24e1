"""analyses.samediff.training: the cycle of rates, one known optimum, same seed same bytes."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch

from bids_dnn.analyses.samediff.objectives import contrastive, cross_entropy
from bids_dnn.analyses.samediff.training import (
    EPS,
    SECOND_BETA,
    Learner,
    Problem,
    Training,
    one_cycle,
    reproducible,
    train,
)


def problem(rng, n=40, n_features=3, *, make=None, apart=1.2):
    is_same = np.arange(n) % 2 == 0
    x = rng.normal(size=(n, n_features)) + apart * is_same[:, None]
    features = torch.tensor(x, dtype=torch.float32)
    entries = np.stack([np.arange(n), np.zeros(n, dtype=int)], axis=1)

    def supply(asked, *, epoch):
        return (features[torch.as_tensor(asked[:, 0])],)

    watched = {"train": entries[: n // 2], "validation": entries[n // 2 :]}
    make = make or (lambda: torch.nn.Linear(n_features, 2))
    return Problem(make, cross_entropy(), supply, entries[: n // 2], watched, is_same)


def test_the_cycle_is_that_of_torch():
    n, highest = 40, 0.3
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([parameter], lr=highest, betas=(0.95, 0.99))
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, highest, total_steps=n + 1, pct_start=0.25, div_factor=25,
        final_div_factor=1e5 / 25, base_momentum=0.85, max_momentum=0.95,
    )  # fmt: skip
    # torch peaks one step early: at 0.25 * total_steps - 1.
    rates, betas = [], []
    for _ in range(n + 1):
        rates.append(optimizer.param_groups[0]["lr"])
        betas.append(optimizer.param_groups[0]["betas"][0])
        optimizer.step()
        if len(rates) <= n:
            scheduler.step()
    peak = 0.25 * (n + 1) - 1
    shares = [0.25 * k / peak if k <= peak else 0.25 + 0.75 * (k - peak) / (n - peak)
              for k in range(n + 1)]  # fmt: skip
    ours = np.array([one_cycle(share) for share in shares])
    np.testing.assert_allclose(ours[:, 0] * highest, rates, rtol=1e-6)
    np.testing.assert_allclose(ours[:, 1], betas, rtol=1e-6)


def test_training_finds_the_optimum_of_a_convex_problem(rng):
    asked = problem(rng, apart=0.5)
    options = Training(n_epochs=300, batch_size=20, rate=0.1, weight_decay=0.0)
    fitted = train(asked, options)
    (x,) = asked.supply(asked.train, epoch=0)
    reference = torch.nn.Linear(3, 2)
    optimizer = torch.optim.LBFGS(reference.parameters(), max_iter=500, tolerance_grad=1e-9)
    labels = torch.as_tensor(asked.truth[:20])

    def loss():
        optimizer.zero_grad()
        made = asked.objective.loss(reference(x), labels).mean()
        made.backward()
        return made

    optimizer.step(loss)
    least = float(loss().detach())
    last = fitted.curves.query("split == 'train'")["loss"].iloc[-1]
    assert 0.1 < least == pytest.approx(last, rel=1e-3)


def test_a_step_is_that_of_adamw_in_closed_form(rng):
    asked = problem(rng)
    options = Training(batch_size=20, weight_decay=0.1)
    with reproducible(0, "cpu"):
        learner = Learner(asked, options)
        (batch,) = learner.batches(0)
        before = learner.module.weight.detach().clone()
        (x,) = asked.supply(batch, epoch=0)
        shown = before.clone().requires_grad_()
        made = torch.nn.functional.linear(x, shown, learner.module.bias.detach())
        asked.objective.loss(made, torch.as_tensor(asked.truth[batch[:, 0]])).mean().backward()
        learner.step(batch, 0, rate=0.01, beta=0.9)
    gradient = shown.grad  # the first step of Adam has the size of the rate
    expected = before * (1 - 0.01 * 0.1) - 0.01 * gradient / (gradient.abs() + EPS)
    torch.testing.assert_close(learner.module.weight.detach(), expected, rtol=1e-4, atol=1e-6)
    assert SECOND_BETA < 1


def with_dropout():
    return torch.nn.Sequential(
        torch.nn.Linear(3, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.5),
        torch.nn.Linear(8, 2),
    )  # fmt: skip


def test_same_seed_same_bytes_and_the_state_of_torch_is_left_alone(rng):
    asked = problem(rng, make=with_dropout)
    options = Training(n_epochs=5, rate=0.01, seed=3)
    torch.manual_seed(11)
    state = torch.random.get_rng_state()
    first = train(asked, options)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.rand(7)
    second, other = train(asked, options), train(asked, replace(options, seed=4))
    for one, two in zip(first.module.parameters(), second.module.parameters(), strict=True):
        assert torch.equal(one, two)
    assert first.curves.equals(second.curves)
    assert not first.curves.equals(other.curves)


def test_curves_begin_before_training_and_have_a_row_for_each_epoch_and_part(rng):
    seen = []
    curves = train(problem(rng), Training(n_epochs=3), progress=lambda *n: seen.append(n)).curves
    assert curves["epoch"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert curves["split"].tolist() == ["train", "validation"] * 4
    n_steps = len(seen)
    assert seen == [("training", k, n_steps) for k in range(1, n_steps + 1)]
    assert n_steps % 3 == 0


def test_batches_hold_each_pair_once_and_none_is_small(rng):
    learner = Learner(problem(rng), Training(batch_size=8))
    batches = learner.batches(2)
    assert [len(one) for one in batches] == [10, 10]
    together = np.concatenate(batches)[:, 0]
    assert sorted(together.tolist()) == list(range(20))
    assert not np.array_equal(together, np.concatenate(learner.batches(3))[:, 0])


def test_a_loss_that_is_no_number_is_told(rng, caplog):
    def make():
        module = torch.nn.Linear(3, 2)
        torch.nn.init.constant_(module.weight, 3e38)
        return module

    with caplog.at_level(logging.WARNING):
        train(problem(rng, make=make), Training(n_epochs=1))
    assert "loss of validation is no number" in caplog.text


def test_contrastive_loss_is_hadsells():
    one = contrastive(margin=2.0)
    distance = torch.tensor([0.3, 0.3, 2.5])
    is_same = torch.tensor([True, False, False])
    loss = one.loss(distance, is_same)
    torch.testing.assert_close(loss, torch.tensor([0.5 * 0.09, 0.5 * 1.7**2, 0.0]))
    assert (one.evidence(distance) > 0).tolist() == [True, True, False]
