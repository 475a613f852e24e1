"""Adam over many readouts at once: a column is one unit under one setting.

Columns do not know each other: the loss is a sum over them, and Adam works on single weights. So
columns can be dropped, and units dealt onto groups, without a change of the others.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from bids_dnn.analyses.encode.readouts.forms import (
    Params,
    Setting,
    drive,
    penalty,
    strengths_of,
)
from bids_dnn.analyses.encode.readouts.problem import Problem
from bids_dnn.analyses.encode.readouts.sources import Index
from bids_dnn.containers.readout import linked

log = logging.getLogger(__name__)
BETAS = (0.9, 0.999)
EPS = 1e-12
BIAS_EPS = 1e-3  # the start's bias is the best: what is left of its gradient is rounding
RATE_FLOOR = 1e-30  # under a rate of which no log is taken
STEPS = ((0.5, 1 / 3), (0.75, 1 / 9))


@dataclass(slots=True, eq=False)
class Columns:
    """Readouts under training, and the best of each so far.

    Parameters
    ----------
    unit, setting : (n_columns,)
        Indices.
    params
        As they are now; each (n_columns, ...).
    first, second
        Adam's moments.
    best
        Weights of least loss on validation.
    loss : (n_columns,)
        That loss.
    last : (n_columns,)
        The loss of the weights as they are now.
    stale : (n_columns,)
        Epochs since.
    is_diverged : (n_columns,) bool
        Whether a loss was not finite.
    rates
        First step of each part, (n_columns,).
    """

    unit: torch.Tensor
    setting: torch.Tensor
    params: Params
    first: Params
    second: Params
    best: Params
    loss: torch.Tensor
    last: torch.Tensor
    stale: torch.Tensor
    is_diverged: torch.Tensor
    rates: Params
    n_steps: int = 0
    n_epochs: int = 0

    def take(self, keep: torch.Tensor) -> Columns:
        """Return some columns (index), with all that belongs to them."""

        def part(values: Any) -> Any:
            if isinstance(values, dict):
                return {name: value[keep] for name, value in values.items()}
            return values[keep] if isinstance(values, torch.Tensor) else values

        return Columns(*(part(getattr(self, name)) for name in self.__slots__))


def columns_of(problem: Problem, start: Params, settings: tuple[Setting, ...]) -> Columns:
    """Return one column for each setting and unit, setting by setting, at the start.

    Parameters
    ----------
    problem
        What is trained on.
    start
        First weights, each (n_units, ...).
    settings
        Tried with each unit.
    """
    n_units, n_settings = len(start["bias"]), len(settings)
    device = problem.truth.device
    unit = torch.arange(n_units, device=device).repeat(n_settings)
    setting = torch.arange(n_settings, device=device).repeat_interleave(n_units)
    params = {name: value[unit].clone() for name, value in start.items()}
    rate = torch.tensor([one.rate for one in settings], device=device)[setting]
    rates = {
        name: rate * value.flatten(1).square().mean(dim=1).sqrt() if name != "bias" else rate
        for name, value in params.items()
    }
    columns = Columns(
        unit=unit,
        setting=setting,
        params=params,
        first={name: torch.zeros_like(value) for name, value in params.items()},
        second={name: torch.zeros_like(value) for name, value in params.items()},
        best={name: value.clone() for name, value in params.items()},
        loss=torch.full((len(unit),), torch.inf, device=device),
        last=torch.full((len(unit),), torch.inf, device=device),
        stale=torch.zeros(len(unit), dtype=torch.long, device=device),
        is_diverged=torch.zeros(len(unit), dtype=torch.bool, device=device),
        rates=rates,
    )
    columns.loss = columns.last = held_loss(problem, columns)
    return columns


def train(
    problem: Problem, columns: Columns, settings: tuple[Setting, ...], *, until: int
) -> None:
    """Go on with training, in place, until an epoch; weights of columns that rest are kept.

    Parameters
    ----------
    problem
        What is trained on.
    columns
        Altered.
    settings
        Those that `columns.setting` numbers.
    until
        Epoch.
    """
    strengths = strengths_of(settings, columns.setting, str(problem.truth.device))
    while columns.n_epochs < until:
        for batch in batches(problem, columns.n_epochs):
            _step(problem, columns, batch, strengths)
        columns.n_epochs += 1
        _note(problem, columns)
        if bool((columns.stale >= problem.options.patience).all()):
            columns.n_epochs = until


def batches(problem: Problem, epoch: int) -> list[Index]:
    """Return the stimuli of each step of an epoch, in an order that the seed and epoch give.

    Stretches of stimuli that are best read together stay together; what is left over after
    whole batches goes with the last one, so that no step rests on a few stimuli.
    """
    rng = np.random.default_rng([problem.options.seed, 12, epoch])
    train, span = problem.train, problem.source.span
    parts = [train[start : start + span] for start in range(0, len(train), span)]
    order = np.concatenate([parts[k] for k in rng.permutation(len(parts))])
    n = max(len(train) // problem.options.batch_size, 1)
    return list(np.array_split(order, n))


def held_loss(problem: Problem, columns: Columns) -> torch.Tensor:
    """Return the loss of each column on validation, without penalties: (n_columns,)."""
    total = torch.zeros(len(columns.unit), device=problem.truth.device)
    with torch.no_grad():
        for maps, truth, known in problem.parts(problem.held):
            total += _losses(problem, columns.params, columns.unit, maps, truth, known).sum(dim=0)
    return total / len(problem.held)


def leveled(problem: Problem, params: Params, unit: torch.Tensor) -> tuple[Params, torch.Tensor]:
    """Bring the mean prediction of training stimuli to the mean response, in closed form.

    Where training stopped early, the level may lag behind: squared error gets the bias of least
    error, counts the factor of most likelihood.

    Parameters
    ----------
    problem
        What was trained on.
    params
        Not altered.
    unit : (n_columns,)
        Of each column.

    Returns
    -------
    params
        With another bias (gaussian).
    factor : (n_columns,)
        Of rates (poisson), else 1.
    """
    said, told, known_all = (torch.zeros(len(unit), device=unit.device) for _ in range(3))
    with torch.no_grad():
        for maps, truth, known in problem.parts(problem.train):
            u = drive(problem.form, params, maps, problem.gain)
            weight = known[:, unit]
            rate = linked(u, "elu") if problem.options.loss == "poisson" else u
            said += (rate * weight).sum(dim=0)
            told += (truth[:, unit] * weight).sum(dim=0)
            known_all += weight.sum(dim=0)
    if problem.options.loss == "poisson":
        return params, told / said.clamp(min=RATE_FLOOR)
    return params | {"bias": params["bias"] + (told - said) / known_all}, torch.ones_like(told)


def schedule(decay: str, share: float) -> float:
    """Return the size of a step as a share of the first, when a share of all steps is done.

    Examples
    --------
    >>> schedule("cosine", 0.5), schedule("step", 0.6), schedule("none", 0.9)
    (0.5, 0.3333333333333333, 1.0)
    """
    if decay == "cosine":
        return round(0.5 * (1 + float(np.cos(np.pi * min(share, 1.0)))), 12)
    if decay == "step":
        return min([1.0] + [size for after, size in STEPS if share >= after])
    return 1.0


def _losses(
    problem: Problem,
    params: Params,
    unit: torch.Tensor,
    maps: torch.Tensor,
    truth: torch.Tensor,
    known: torch.Tensor,
) -> torch.Tensor:
    """Return the loss of each stimulus and column, 0 where not measured."""
    u = drive(problem.form, params, maps, problem.gain)
    told, weight = truth[:, unit], known[:, unit]
    if problem.options.loss == "gaussian":
        return (u - told).square() * weight
    rate = linked(u, "elu")
    return (rate - told * rate.clamp(min=RATE_FLOOR).log()) * weight


def _step(
    problem: Problem, columns: Columns, batch: Index, strengths: dict[str, torch.Tensor]
) -> None:
    """Take one step of Adam with all columns that do not rest."""
    rows = torch.as_tensor(batch, device=problem.truth.device)
    maps = problem.maps(batch)
    params = {name: value.detach().requires_grad_() for name, value in columns.params.items()}
    made = _losses(problem, params, columns.unit, maps, problem.truth[rows], problem.known[rows])
    total = (made.sum(dim=0) / len(batch) + penalty(problem.form, params, strengths)).sum()
    gradients = torch.autograd.grad(total, list(params.values()))
    columns.n_steps += 1
    n_all = problem.options.n_epochs * max(len(problem.train) // problem.options.batch_size, 1)
    size = schedule(problem.options.decay, (columns.n_steps - 1) / n_all)
    correction = (1 - BETAS[1] ** columns.n_steps) ** 0.5 / (1 - BETAS[0] ** columns.n_steps)
    for name, gradient in zip(params, gradients, strict=True):
        m = columns.first[name].mul_(BETAS[0]).add_(gradient, alpha=1 - BETAS[0])
        v = columns.second[name].mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        step = columns.rates[name] * (size * correction)
        shaped = step.view(-1, *[1] * (m.ndim - 1))
        eps = BIAS_EPS if name == "bias" else EPS
        columns.params[name].sub_(shaped * m / (v.sqrt() + eps))


def _note(problem: Problem, columns: Columns) -> None:
    """Keep the weights of columns that have become better on validation; count for the others."""
    loss = held_loss(problem, columns)
    is_bad = ~loss.isfinite() & ~columns.is_diverged
    if bool(is_bad.any()):
        log.warning(
            "%d of %d readouts (units x settings) diverged in epoch %d: their loss is no number. "
            "Their best weights before are kept; a smaller rate would hold them.",
            int(is_bad.sum()),
            len(loss),
            columns.n_epochs,
        )
        columns.is_diverged |= is_bad
    columns.last = loss
    is_open = columns.stale < problem.options.patience
    is_better = is_open & (loss < columns.loss)
    columns.loss = torch.where(is_better, loss, columns.loss)
    columns.stale = torch.where(is_better, 0, columns.stale + 1)
    columns.stale[~is_open] = problem.options.patience
    for name, value in columns.params.items():
        columns.best[name][is_better] = value[is_better]
