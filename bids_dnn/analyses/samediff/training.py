"""Training of any module that judges pairs: AdamW, one cycle of rates, curves; seeded."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from bids_dnn.analyses.samediff.material import Entries
from bids_dnn.analyses.samediff.objectives import Objective

log = logging.getLogger(__name__)
Inputs = tuple[torch.Tensor, ...]
Progress = Callable[[str, int, int], None]  # what is done, steps done, steps in all
RISE = 0.25  # share of all steps in which the rate rises
START, END = 1 / 25, 1e-5  # first and last rate, as shares of the highest
BETAS = (0.95, 0.85)  # first moment: at the ends, and where the rate is highest
SECOND_BETA, EPS = 0.99, 1e-8
READ = 64  # pairs judged at once
ORDER = 52  # tells this draw from others of the same seed


@dataclass(frozen=True, slots=True)
class Training:
    """How a module is trained.

    Parameters
    ----------
    n_epochs : int
    batch_size : int
        Pairs of a step; what is left over after whole batches goes with the others.
    rate : float
        Highest of the cycle.
    weight_decay : float
        Of AdamW: each step takes ``rate x weight_decay`` of each weight away.
    seed : int
        Of first weights, order, dropout and noise.
    device
        Of torch.
    """

    n_epochs: int = 100
    batch_size: int = 8
    rate: float = 1e-3
    weight_decay: float = 1e-2
    seed: int = 0
    device: str = "cpu"


class Supply(Protocol):
    """Gives what a module takes for some pairs: tensors (n, ...) on the device."""

    def __call__(self, entries: Entries, *, epoch: int) -> Inputs:
        """Return the inputs for pairs under some augmentation, in an epoch."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """What is trained, on what, and what is watched.

    Parameters
    ----------
    make
        A fresh module from torch's current random state, on the device.
    objective
    supply
    train : (n, 2)
        Pairs and copies that are learnt from.
    watched
        Plain pairs of each part whose loss is noted after each epoch.
    truth : (n_pairs,)
        Class of all rows of the table of pairs.
    """

    make: Callable[[], torch.nn.Module]
    objective: Objective
    supply: Supply
    train: Entries
    watched: dict[str, Entries]
    truth: NDArray[np.integer[Any] | np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A module after training.

    Parameters
    ----------
    module
        In evaluation mode.
    curves
        ``epoch`` (0 = before training), ``split``, ``loss`` (mean), ``accuracy``.
    """

    module: torch.nn.Module
    curves: pd.DataFrame


def train(problem: Problem, options: Training, *, progress: Progress | None = None) -> Trained:
    """Train a module from fresh weights; the same seed gives the same weights.

    Parameters
    ----------
    problem
    options
    progress
        Called after each step.

    References
    ----------
    Loshchilov & Hutter (2019), ICLR, doi:10.48550/arXiv.1711.05101.
    Smith (2018), arXiv, doi:10.48550/arXiv.1803.09820.
    """
    rows: list[dict[str, object]] = []
    with reproducible(options.seed, options.device):
        learner = Learner(problem, options)
        rows += _noted(learner, 0)
        n_all = options.n_epochs * len(learner.batches(0))
        done = 0
        for epoch in range(options.n_epochs):
            for batch in learner.batches(epoch):
                factor, beta = one_cycle(done / n_all)
                learner.step(batch, epoch, rate=options.rate * factor, beta=beta)
                done += 1
                if progress is not None:
                    progress("training", done, n_all)
            rows += _noted(learner, epoch + 1)
    curves = pd.DataFrame(rows, columns=["epoch", "split", "loss", "accuracy"])
    return Trained(learner.module.eval(), curves)


def named(progress: Progress | None, name: str) -> Progress | None:
    """Return what puts a name before what it tells.

    Parameters
    ----------
    progress
        None = nobody is told.
    name
    """
    if progress is None:
        return None
    say = progress
    return lambda what, done, n_all: say(f"{name}: {what}", done, n_all)


class Learner:
    """A module and its optimizer.

    Parameters
    ----------
    problem
    options
    """

    def __init__(self, problem: Problem, options: Training) -> None:
        self.problem, self.options = problem, options
        self.module = problem.make()
        learnt = [p for p in self.module.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(
            learnt, betas=(BETAS[0], SECOND_BETA), eps=EPS, weight_decay=options.weight_decay
        )
        self._truth = torch.as_tensor(problem.truth, device=options.device)

    def batches(self, epoch: int) -> list[Entries]:
        """Return the pairs of each step of an epoch, in an order that seed and epoch give."""
        rng = np.random.default_rng([self.options.seed, ORDER, epoch])
        order = self.problem.train[rng.permutation(len(self.problem.train))]
        return list(np.array_split(order, max(len(order) // self.options.batch_size, 1)))

    def step(self, batch: Entries, epoch: int, *, rate: float, beta: float) -> float:
        """Take one step; returns the mean loss of the batch before it."""
        for group in self._optimizer.param_groups:
            group["lr"], group["betas"] = rate, (beta, SECOND_BETA)
        loss = self._loss(batch, epoch)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        return float(loss.detach())

    def loss_of(self, batch: Entries, epoch: int) -> float:
        """Return the mean loss of a batch in training mode, without learning."""
        with torch.no_grad():
            return float(self._loss(batch, epoch))

    def judged(self, entries: Entries) -> Judged:
        """Return what is answered to pairs, without learning."""
        return judge(self.module, self.problem, entries, device=self.options.device)

    def _loss(self, batch: Entries, epoch: int) -> torch.Tensor:
        self.module.train()
        made = self.module(*self.problem.supply(batch, epoch=epoch))
        truth = self._truth[torch.as_tensor(batch[:, 0], device=self._truth.device)]
        return self.problem.objective.loss(made, truth).mean()


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What is answered to pairs.

    Parameters
    ----------
    guess : (n,)
        Class that is answered.
    evidence, loss : (n,)
        See `Objective`.
    """

    guess: NDArray[np.intp]
    evidence: NDArray[np.float64]
    loss: NDArray[np.float64]


def judge(module: torch.nn.Module, problem: Problem, entries: Entries, *, device: str) -> Judged:
    """Return what a module answers to pairs, with what evidence and loss.

    Parameters
    ----------
    module
        Judges in evaluation mode.
    problem
    entries : (n, 2)
    device
        Of torch.
    """
    module.eval()
    objective = problem.objective
    parts: list[torch.Tensor] = []
    with torch.no_grad():
        for start in range(0, len(entries), READ):
            batch = entries[start : start + READ]
            made = module(*problem.supply(batch, epoch=0))
            truth = torch.as_tensor(problem.truth[batch[:, 0]], device=device)
            told = (objective.guess(made), objective.evidence(made), objective.loss(made, truth))
            parts.append(torch.stack([one.double() for one in told]).cpu())
    guess, evidence, loss = torch.cat(parts, dim=1).numpy()
    return Judged(guess.astype(np.intp), evidence, loss)


def one_cycle(share: float) -> tuple[float, float]:
    """Return the rate, as a share of the highest, and the momentum, when a share of steps is done.

    Both go along cosines: the rate from 1/25 up to 1 in the first quarter, then down to 1e-5.

    References
    ----------
    Smith (2018), arXiv, doi:10.48550/arXiv.1803.09820.

    Examples
    --------
    >>> one_cycle(0.25), one_cycle(1.0)
    ((1.0, 0.85), (1e-05, 0.95))
    """
    if share < RISE:
        return _between(START, 1.0, share / RISE), _between(BETAS[0], BETAS[1], share / RISE)
    done = (share - RISE) / (1 - RISE)
    return _between(1.0, END, done), _between(BETAS[1], BETAS[0], done)


def _between(start: float, end: float, share: float) -> float:
    return float(end + (start - end) * (1 + np.cos(np.pi * share)) / 2)


@contextmanager
def reproducible(seed: int, device: str) -> Iterator[None]:
    """Seed torch, and let cuDNN choose no algorithm by chance; afterwards all is as it was.

    Parameters
    ----------
    seed : int
    device
        Of torch.
    """
    cuda = [torch.device(device)] if device.startswith("cuda") else []
    with (
        torch.random.fork_rng(devices=cuda),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True),
    ):
        torch.manual_seed(seed)
        yield


def _noted(learner: Learner, epoch: int) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for part, entries in learner.problem.watched.items():
        judged = learner.judged(entries)
        is_right, loss = judged.guess == learner.problem.truth[entries[:, 0]], judged.loss
        told = {"loss": float(loss.mean()), "accuracy": float(is_right.mean())}
        rows.append({"epoch": epoch, "split": part, **told})
        if not np.isfinite(loss).all():
            log.warning(
                "In epoch %d the loss of %s is no number; a smaller rate would hold it.",
                epoch,
                part,
            )
    return rows
