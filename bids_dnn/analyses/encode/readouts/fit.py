"""Fit a readout to all units of a region: predictions of stimuli that it never saw.

What the sweep of 16 layers of VGG-19 x 15 implants (U = 660 units in all, which can be trained as
one, since units do not know each other) x 2 readouts on n = 22,248 images takes, with S = 16
settings and E = 24 epochs. Maps pooled to at most 28 x 28 cells (the layer option ``pool(28)``)
have p = C H W weights: 50,176 (2 layers), 100,352 (2), 200,704 (4), 401,408 (4) and 100,352 (4),
3.1 million in all.

- Readings of the features: 1 for the moments of channels, 1 for the covariance, 5 for the start
  (2 rounds of 2, 1), E = 24 for Adam, 1 for the level: 32. All 16 layers are 4 n p = 277 GB of
  float32, the largest 36 GB: one layer at a time lies on the GPU, made by one pass of the
  network (2 * 19.6e9 operations an image, less for early layers). 32 readings for 2 readouts,
  five touches each (normalization, forward, backward): 89 TB, 19 s at 4.8 TB/s.
- Multiplications of Adam: successive halving trains 16, 8, 4, 2, 1 settings until epoch
  1, 3, 6, 12, 24: 16 + 16 + 12 + 12 + 12 = 68 settings x epochs. Forward and both gradients are
  6 n p U each: 68 * 6 * 22,248 * 3.1e6 * 660 = 1.9e16 for a readout, 3.7e16 for two. At the 40e12
  float32 operations a second that such a card may sustain: 16 minutes.
- Weights in full (`cadena`): 68 * 78 steps touch 660 * 3.1e6 weights about 12 times, 0.52e15
  bytes: 2 minutes.
- The start: 2 n p U for each of 6 readings, 0.5e15, and n D^2 U (D = C or H W, at most 784) for
  sums of squares: under 1 minute.

In all about 20 minutes, and 16 passes of the network, at most 6 minutes: this is arithmetic for
one H200-class GPU, not a measurement.

Full maps of the first two layers (3.2 million weights) do not fit; `NetworkSource` makes them
anew each time. Without pooling the weights are 14.9 million, 4.8 times as many.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bids_dnn.analyses.encode.readouts.descent import leveled
from bids_dnn.analyses.encode.readouts.forms import Options, Params, Setting, form_of, rectifies
from bids_dnn.analyses.encode.readouts.problem import (
    Problem,
    Scaling,
    channel_moments,
    check_shapes,
    check_values,
    divide,
    scaling_of,
    standardized,
)
from bids_dnn.analyses.encode.readouts.search import halve
from bids_dnn.analyses.encode.readouts.sources import FeatureSource, finite_rows, stretches
from bids_dnn.analyses.encode.readouts.start import MOST_CELLS, start
from bids_dnn.analyses.encode.solvers import lesson_of
from bids_dnn.containers.readout import Readout
from bids_dnn.errors import ConfigError
from bids_dnn.stats.folds import Fold

log = logging.getLogger(__name__)
Values = NDArray[np.floating[Any]]
COPIES = 6  # of weights in training: now, gradient, two moments, best, one in passing


@dataclass(frozen=True, slots=True, eq=False)
class ReadoutFit:
    """A readout and how it came about.

    Parameters
    ----------
    readout
        With the best weights of each unit.
    chosen : (n_units,)
        Index of the setting of each unit; -1 for units that were not fitted.
    loss : (n_units,)
        Least loss on the stimuli of validation: the mean squared error in units of the variance
        (gaussian), or the negative log likelihood of rates over their mean, but for a constant
        (poisson). NaN for units that were not fitted.
    is_diverged : (n_units,) bool
        Whether training of the chosen setting ended in a loss that is no number; then the
        weights are the best before.
    learn, held : (n,) index
        Stimuli that the weights, and the stopping and choosing, rest on.
    """

    readout: Readout
    chosen: NDArray[np.intp]
    loss: NDArray[np.float64]
    is_diverged: NDArray[np.bool_]
    learn: NDArray[np.intp]
    held: NDArray[np.intp]


def fit_folds(
    source: FeatureSource,
    responses: Values,
    folds: Sequence[Fold],
    *,
    kind: str,
    settings: Sequence[Setting],
    options: Options,
    teaching: Sequence[Values] | None = None,
) -> Iterator[tuple[Fold, ReadoutFit, NDArray[np.float32]]]:
    """Predict each fold's stimuli from the others, one fold after another.

    Parameters
    ----------
    source
        Feature maps of `n_stimuli` stimuli.
    responses : (n_stimuli, n_units)
        NaN = not measured.
    folds
        Over stimuli; the split for early stopping is made within the training stimuli of each.
    kind
        Key of `forms.FORMS`.
    settings
        Tried, and chosen from, within the training stimuli; see `search.draw_settings`.
    options
        Of training.
    teaching : n_folds of (n_stimuli, n_units)
        As in `layer.fit_layer`.

    Yields
    ------
    fold
    made
        What was fitted to its training stimuli: not kept, as weights may be many.
    guess : (n_test, n_units) float32
        In the unit of the responses; NaN for units that were not fitted.

    Raises
    ------
    ShapeError
        If responses or folds do not fit the stimuli.
    NotEnoughDataError
        If a fold has too few training stimuli.
    UnreadableError
        If features or responses are not finite.
    ConfigError
        If there is no such readout, or no setting.
    """
    check_shapes(responses, {f"Fold {fold.name!r}": fold.train for fold in folds}, source.n)
    for f, fold in enumerate(folds):
        own = lesson_of(responses, teaching, f)
        made = fit_readout(source, own, fold.train, kind=kind, settings=settings, options=options)
        test = np.flatnonzero(fold.test)
        yield fold, made, predict(made.readout, source, test, device=options.device)


def fit_readout(
    source: FeatureSource,
    responses: Values,
    train: NDArray[np.bool_],
    *,
    kind: str,
    settings: Sequence[Setting],
    options: Options,
) -> ReadoutFit:
    """Fit a readout to training stimuli; nothing of the others is read.

    All units and settings are trained together, as far as memory allows; on the CPU the same
    seed gives the same bytes.

    Parameters
    ----------
    source
        Feature maps of `n_stimuli` stimuli.
    responses : (n_stimuli, n_units)
        NaN = not measured. Units that do not vary over the training stimuli, or were measured
        for too few of them, are not fitted.
    train : (n_stimuli,) bool
    kind
        Key of `forms.FORMS`.
    settings
        Those to try.
    options
        Of training.

    Raises
    ------
    ShapeError
        If responses or `train` do not fit the stimuli.
    NotEnoughDataError
        If there are too few training stimuli to learn and to validate.
    UnreadableError
        If features or responses of training stimuli are not finite.
    ConfigError
        If there is no such readout, or no setting.
    """
    form, tried = form_of(kind), tuple(settings)
    if not tried:
        raise ConfigError(
            f"There is no setting to fit readout {kind!r} with.",
            mend="Give one Setting(), or draw some with search.draw_settings.",
        )
    check_shapes(responses, {"train": train}, source.n)
    learn, held = divide(np.flatnonzero(train), options.validation, options.seed)
    own = np.full(responses.shape, np.nan, dtype=responses.dtype)
    own[train] = responses[train]
    check_values(own, options.loss)
    scaling = scaling_of(own, learn, held, options.loss)
    mean, sd = channel_moments(source, learn, held, options.device)
    made = _blank(kind, responses.shape[1], source.shape)
    for units in groups_of(np.flatnonzero(scaling.is_fitted), source, len(tried), options, kind):
        own_scaling = Scaling(scaling.offset[units], scaling.scale[units])
        truth, known = standardized(own[:, units], own_scaling, learn, held, options.device)
        problem = Problem(source, form, options, learn, held, mean, sd, truth, known)
        columns = halve(problem, start(problem), tried)
        params, factor = leveled(problem, columns.best, columns.unit)
        facts = {
            "chosen": columns.setting,
            "loss": columns.loss,
            "bad": columns.is_diverged,
            "factor": factor,
        }
        for name, value in (_in_use(problem, params) | facts).items():
            made[name][units] = value.cpu().numpy()
    readout = Readout(
        kind=kind,
        mean=mean.cpu().numpy(),
        sd=sd.cpu().numpy(),
        is_rectified=rectifies(form, options),
        bias=made["bias"],
        offset=scaling.offset.astype(np.float32),
        scale=(scaling.scale * made["factor"]).astype(np.float32),
        link="elu" if options.loss == "poisson" else "identity",
        mask=made.get("mask"),
        vector=made.get("vector"),
        weights=made.get("weights"),
    )
    return ReadoutFit(readout, made["chosen"], made["loss"], made["bad"], learn, held)


def predict(
    readout: Readout, source: FeatureSource, index: NDArray[np.intp], *, device: str = "cpu"
) -> NDArray[np.float32]:
    """Return the responses (len(index), n_units) to stimuli of a source.

    Raises
    ------
    UnreadableError
        If their features are not finite.
    """
    respond = readout.on(device)
    made = np.empty((len(index), readout.n_units), dtype=np.float32)
    done = 0
    with torch.no_grad():
        for part in stretches(index):
            made[done : done + len(part)] = respond(finite_rows(source, part)).cpu().numpy()
            done += len(part)
    return made


def groups_of(
    units: NDArray[np.intp], source: FeatureSource, n_settings: int, options: Options, kind: str
) -> list[NDArray[np.intp]]:
    """Deal units onto groups that are trained together within the memory of the options.

    With one setting for the region, all units are one group.

    Parameters
    ----------
    units : (n,) index
    source
        Gives the shape of the maps.
    n_settings
        Tried with each unit.
    options, kind
        Of training.
    """
    if not len(units) or options.choose == "region":
        return [units] if len(units) else []
    c, h, w = source.shape
    if form_of(kind).mask is None:
        column = COPIES * c * h * w
    else:
        column = COPIES * (c + h * w) + 6 * min(c, h * w) * options.batch_size
    widest = max(c, h * w if h * w <= MOST_CELLS else 1)
    solving = 10 * widest**2 + 3 * widest * options.batch_size + 3 * c * h * w
    n_each = max(options.memory // (4 * max(n_settings * column, solving)), 1)
    if n_each < len(units):
        log.info("%d units are trained in groups of %d, to fit into memory.", len(units), n_each)
    return [units[k : k + n_each] for k in range(0, len(units), n_each)]


def _in_use(problem: Problem, params: Params) -> Params:
    """Return weights as the container has them."""
    form = problem.form
    if form.mask is None:
        return {"weights": params["weights"] * problem.gain, "bias": params["bias"]}
    mask, vector = form.mask(params["mask"]), params["vector"] * problem.gain
    return {"mask": mask, "vector": vector, "bias": params["bias"]}


def _blank(kind: str, n_units: int, shape: tuple[int, int, int]) -> dict[str, NDArray[Any]]:
    """Return what stands for units that are not fitted."""
    c, h, w = shape
    made: dict[str, NDArray[Any]] = {
        "bias": np.zeros(n_units, dtype=np.float32),
        "chosen": np.full(n_units, -1, dtype=np.intp),
        "loss": np.full(n_units, np.nan),
        "bad": np.zeros(n_units, dtype=np.bool_),
        "factor": np.ones(n_units),
    }
    if form_of(kind).mask is None:
        made["weights"] = np.zeros((n_units, c, h, w), dtype=np.float32)
    else:
        made["mask"] = np.zeros((n_units, h, w), dtype=np.float32)
        made["vector"] = np.zeros((n_units, c), dtype=np.float32)
    return made
