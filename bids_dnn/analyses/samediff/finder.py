"""How fast and on how many pairs at once to learn, found on training and validation pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from bids_dnn.analyses.samediff.training import (
    BETAS,
    Learner,
    Problem,
    Progress,
    Training,
    named,
    reproducible,
    train,
)
from bids_dnn.errors import ConfigError, NotEnoughDataError

LOW, HIGH, N_STEPS = 1e-7, 10.0, 100
SMOOTH = 0.9  # share of the past in the smoothed loss
TOO_HIGH = 4.0  # times the least loss: the test ends
FALLBACK = 1e-3  # where the loss does not fall
FALL = 0.01  # of the loss at the start: less is not learning
SAME = 1e-3  # of the least loss: batch sizes that differ by less are equally good
BATCH_SIZES = (8, 16, 32, 64, 128)
TRIAL_EPOCHS = 10


def range_test(
    problem: Problem, options: Training, *, progress: Progress | None = None
) -> pd.DataFrame:
    """Train for a few steps at ever higher rates, and note the loss of each batch.

    Some batches are harder than others, and dropout is chance, neither of which must pass for
    learning: what is smoothed is the loss of a batch less that of the same batch, with the same
    units dropped, under the first weights.

    Parameters
    ----------
    problem
        Trained from fresh weights, which are thrown away.
    options
        Its rate and number of epochs are not used.
    progress
        Called after each step.

    Returns
    -------
    table
        ``rate``, ``loss`` (of the batch, before the step), ``smoothed`` (running mean of what
        was gained, from the mean loss at the start). It ends where that is four times the least.

    References
    ----------
    Smith (2017), WACV, doi:10.1109/WACV.2017.58.
    """
    rates = np.geomspace(LOW, HIGH, N_STEPS)
    rows: list[tuple[float, float, float]] = []
    with reproducible(options.seed, options.device):
        learner = Learner(problem, options)
        batches = learner.batches(0)[:N_STEPS]
        before = []
        for place, batch in enumerate(batches):
            torch.manual_seed(options.seed + place)  # the same units are dropped each time
            before.append(learner.loss_of(batch, 0))
        level = float(np.mean(before))
        mean, least = 0.0, level
        for k, rate in enumerate(rates):
            place = k % len(batches)
            torch.manual_seed(options.seed + place)
            loss = learner.step(batches[place], 0, rate=float(rate), beta=BETAS[0])
            mean = SMOOTH * mean + (1 - SMOOTH) * (loss - before[place])
            smoothed = level + mean / (1 - SMOOTH ** (k + 1))
            rows.append((float(rate), loss, smoothed))
            if progress is not None:
                progress("learning rate", k + 1, len(rates))
            least = min(least, smoothed)
            if not np.isfinite(loss) or smoothed > TOO_HIGH * least:
                break
    return pd.DataFrame(rows, columns=["rate", "loss", "smoothed"])


def suggested(table: pd.DataFrame) -> float:
    """Return the rate at which the smoothed loss falls fastest, per decade of the rate.

    Parameters
    ----------
    table
        See `range_test`.

    Returns
    -------
    rate : float
        1e-3 where the loss does not fall; see `has_fallen`.

    Examples
    --------
    >>> rates = np.geomspace(1e-5, 1e-1, 5)
    >>> suggested(pd.DataFrame({"rate": rates, "smoothed": [5.0, 4.9, 3.0, 1.0, 2.0]}))
    0.001
    """
    known = table[np.isfinite(table["smoothed"])]
    loss = known["smoothed"].to_numpy(float)
    if len(loss) < 3 or not has_fallen(table):
        return FALLBACK
    slope = np.gradient(loss, np.log10(known["rate"].to_numpy(float)))
    falling = slope[: int(loss.argmin()) + 1]  # what comes after the least loss is chance
    best = int(falling.argmin())
    return float(known["rate"].iloc[best]) if falling[best] < 0 else FALLBACK


def has_fallen(table: pd.DataFrame) -> bool:
    """Tell whether the smoothed loss falls by a hundredth, so that a rate can be taken from it.

    Parameters
    ----------
    table
        See `range_test`.

    Examples
    --------
    >>> has_fallen(pd.DataFrame({"smoothed": [0.693, 0.692, 0.7]}))
    False
    """
    loss = table["smoothed"].to_numpy(float)
    loss = loss[np.isfinite(loss)]
    return bool(loss.size) and bool(loss[0] - loss.min() >= FALL * abs(loss[0]))


def search_batch_size(
    problem: Problem,
    options: Training,
    sizes: Sequence[int] = BATCH_SIZES,
    *,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Train briefly with each batch size at its own rate, and note the loss on validation.

    Parameters
    ----------
    problem
        It must watch pairs of validation; the test is not looked at.
    options
        Its batch size and rate are not used; at most ten epochs are trained.
    sizes : int
        Those above the number of training pairs are left out.
    progress
        Called after each step.

    Returns
    -------
    table
        ``batch_size``, ``rate``, ``loss`` (mean of validation after the last epoch),
        ``accuracy``, ``is_chosen``: the least loss; of those within a thousandth of it the
        smallest size.

    Raises
    ------
    NotEnoughDataError
        If there is no pair to validate on.
    ConfigError
        If no size is left.
    """
    if not len(problem.watched.get("validation", ())):
        raise NotEnoughDataError(
            "A batch size is chosen by the loss on validation, and there is no pair for that.",
            mend="Give a share to validation, or type a number for the batch size.",
        )
    fitting = [size for size in sizes if size <= len(problem.train)]
    if not fitting:
        raise ConfigError(
            f"All batch sizes ({', '.join(map(str, sizes))}) are above the {len(problem.train)} "
            "pairs and copies that train.",
            mend=f"Type a batch size of at most {len(problem.train)}.",
        )
    rows = []
    for size in fitting:
        say = named(progress, f"batch size {size}")
        tried = replace(options, batch_size=size, n_epochs=min(options.n_epochs, TRIAL_EPOCHS))
        tried = replace(tried, rate=suggested(range_test(problem, tried, progress=say)))
        curves = train(problem, tried, progress=say).curves
        last = curves[curves["split"] == "validation"].iloc[-1]
        rows.append((size, tried.rate, float(last["loss"]), float(last["accuracy"])))
    table = pd.DataFrame(rows, columns=["batch_size", "rate", "loss", "accuracy"])
    loss = table["loss"].fillna(np.inf).to_numpy(float)
    is_good = loss <= loss.min() * (1 + SAME)
    return table.assign(is_chosen=np.arange(len(table)) == int(is_good.argmax()))
