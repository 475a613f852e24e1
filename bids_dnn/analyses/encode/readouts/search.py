"""Which settings to try, and how many of them live on: successive halving by unit."""

from __future__ import annotations

import math

import numpy as np
import torch

from bids_dnn.analyses.encode.readouts.descent import Columns, columns_of, train
from bids_dnn.analyses.encode.readouts.forms import Params, Setting, form_of
from bids_dnn.analyses.encode.readouts.problem import Problem

RANGES: dict[str, dict[str, tuple[float, float]]] = {
    "bashivan": {
        "smooth": (1e-4, 1.0),
        "ridge": (1e-3, 1.0),
        "places": (1e-4, 0.1),
        "rate": (0.01, 0.1),
    },
    "cadena": {
        "smooth": (1e-3, 10.0),
        "ridge": (1e-3, 10.0),
        "sparse": (1e-4, 0.1),
        "channels": (1e-4, 0.1),
        "rate": (0.003, 0.1),
    },
    "factorized": {"smooth": (1e-4, 1.0), "sparse": (1e-3, 1.0), "rate": (0.01, 0.1)},
}
SPARSE = ("sparse", "channels", "places")  # penalties that make weights zero
EACH = 4  # one of so many settings goes without such a penalty


def draw_settings(kind: str, n: int, rng: np.random.Generator) -> tuple[Setting, ...]:
    """Draw settings of a readout, each number uniform in its logarithm within `RANGES`.

    Each penalty of `SPARSE` is left out (0) of one in `EACH` settings, drawn by itself, so that
    a unit may choose none: weights that are all in use can be right. Smoothness and squares
    stay, as small as they may be.

    Parameters
    ----------
    kind
        Key of `forms.FORMS`.
    n : int
    rng
        Draws them.

    Raises
    ------
    ConfigError
        If there is no such readout.

    Examples
    --------
    >>> len(draw_settings("cadena", 3, np.random.default_rng(0)))
    3
    """
    form_of(kind)
    drawn = [
        {
            name: float(math.exp(rng.uniform(math.log(low), math.log(high))))
            for name, (low, high) in RANGES[kind].items()
        }
        for _ in range(n)
    ]
    for name in (one for one in SPARSE if one in RANGES[kind]):
        for k in rng.permutation(n)[: n // EACH]:
            drawn[k][name] = 0.0
    return tuple(Setting(**one) for one in drawn)


def rungs(n_settings: int, n_epochs: int) -> list[tuple[int, int]]:
    """Return, for each rung, the epoch it ends with and how many settings enter it.

    Each rung has half the settings of the one before, and about twice its epochs, so that the
    rungs cost about the same; the last has one.

    References
    ----------
    Jamieson & Talwalkar (2016), AISTATS, PMLR 51:240, arXiv:1502.07943.

    Examples
    --------
    >>> rungs(8, 24)
    [(3, 8), (6, 4), (12, 2), (24, 1)]
    >>> rungs(1, 5)
    [(5, 1)]
    """
    n_halvings = math.ceil(math.log2(n_settings)) if n_settings > 1 else 0
    n_halvings = min(n_halvings, n_epochs.bit_length() - 1)
    made, n = [], n_settings
    for k in range(n_halvings + 1):
        made.append((max(n_epochs >> (n_halvings - k), 1), n))
        n = math.ceil(n / 2)
    return made


def halve(problem: Problem, start: Params, settings: tuple[Setting, ...]) -> Columns:
    """Train all units under all settings, and drop the worse half of settings at each rung.

    A setting is judged by its least loss on the stimuli of validation so far, for each unit by
    itself or by the mean over units (`Options.choose`). What lives on goes on from where it is.

    Parameters
    ----------
    problem
        What is trained on.
    start
        First weights, each (n_units, ...).
    settings
        At least one.

    Returns
    -------
    columns
        One for each unit, in the order of units.
    """
    columns = columns_of(problem, start, settings)
    plan = rungs(len(settings), problem.options.n_epochs)
    for k, (until, _) in enumerate(plan):
        train(problem, columns, settings, until=until)
        n_left = plan[k + 1][1] if k + 1 < len(plan) else 1
        columns = columns.take(leading(columns, n_left, problem.options.choose))
    return columns


def leading(columns: Columns, n_left: int, choose: str) -> torch.Tensor:
    """Return the columns of the best settings of each unit, setting after setting.

    Of equal ones, as where nothing has become better than the start, those that are better now.

    Parameters
    ----------
    columns
        The same number of settings for each unit, setting after setting.
    n_left
        Settings that are kept for each unit.
    choose
        ``unit`` or ``region``.

    Returns
    -------
    keep : (n_left * n_units,) index
    """
    n_units = int(columns.unit.max()) + 1
    loss, last = columns.loss.view(-1, n_units), columns.last.view(-1, n_units)
    if choose == "region":
        loss, last = (one.mean(dim=1, keepdim=True).expand_as(one) for one in (loss, last))
    by_last = torch.argsort(last, dim=0, stable=True)
    by_both = torch.argsort(loss.gather(0, by_last), dim=0, stable=True)
    order = torch.sort(by_last.gather(0, by_both)[:n_left], dim=0).values  # (n_left, n_units)
    return (order * n_units + torch.arange(n_units, device=loss.device)).flatten()
