"""Decode each comparison around each unit: maps of scores, and maps under exchanged labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.classifiers.batches import decider
from bids_dnn.analyses.decode.prepare import Preparation
from bids_dnn.analyses.decode.scoring import chance_of, metric_of
from bids_dnn.analyses.decode.searchlight import Labeled, Lights, Means, search
from bids_dnn.analyses.decode.tables import SCALED, facts_of
from bids_dnn.analyses.decode.tasks import (
    Design,
    Task,
    averaging_warnings,
    decoded_samples,
    design_of,
)
from bids_dnn.containers.nulls import NullMap
from bids_dnn.containers.responses import Responses
from bids_dnn.containers.result import Result, StatMap, distinct, model_label
from bids_dnn.containers.space import Space
from bids_dnn.errors import ConfigError
from bids_dnn.stats.inference import p_floor
from bids_dnn.stats.neighbours import Neighbours
from bids_dnn.stats.regions import RegionUnits
from bids_dnn.stats.spheres import COLUMNS, p_map, p_of_maps, row_of

Progress = Callable[[int, int], None]
METRICS = ("accuracy", "balanced_accuracy")
ALONE_S, SHARED_S = 8e-5, 2e-5  # a support vector machine of 56 samples, on one core
PROBLEM_N, SHARED = 56, 8  # samples; labelings from which on these share work


@dataclass(frozen=True, slots=True, eq=False)
class Spheres:
    """A comparison, decoded around each center.

    Parameters
    ----------
    task
        The first labeling is that of the labels as they are, the others are exchanges; the same
        for all centers, so that each is a whole map.
    metric
        ``accuracy`` or ``balanced_accuracy``.
    chance
        Score expected by chance.
    lights
        Counts of right answers.
    """

    task: Task
    metric: str
    chance: float
    lights: Lights

    def scores(self, rows: slice = slice(None)) -> NDArray[np.float32]:
        """Return the scores (n_labelings, n_centers) under some labelings; NaN = not known."""
        return self.lights.scores(rows, is_balanced=self.metric == "balanced_accuracy")


def decode_spheres(
    responses: Responses,
    around: Neighbours,
    *,
    choices: Choices,
    means: Means | None = None,
    progress: Progress | None = None,
) -> list[Spheres]:
    """Tell the conditions of each comparison apart from the units around each center.

    Samples, folds and exchanges of labels are those of `decoding.decode`; of `choices`,
    `n_permutations` should be about 100, which group statistics of clusters ask for.

    Parameters
    ----------
    responses
        Samples with a condition and a run.
    around
        Units around each center, as `stats.neighbours` gives them for the space of the responses.
    choices
        With one linear classifier, and without preparation of patterns or nuisance.
    means
        What may be taken of the machine.
    progress
        Told how many centers are done, and of how many, over all comparisons.

    Raises
    ------
    ConfigError
        If `choices` asks for what a searchlight cannot do, or names what does not exist.
    NotEnoughDataError
        If there is one run, fewer than two conditions, or a run that alone holds all samples of
        one side.

    References
    ----------
    Kriegeskorte, Goebel & Bandettini (2006), PNAS 103:3863, doi:10.1073/pnas.0600244103.
    Stelzer, Chen & Turner (2013), NeuroImage 65:69, doi:10.1016/j.neuroimage.2012.09.063.
    """
    check_choices(choices)
    own = decoded_samples(responses, choices)
    return _decode(own, design_of(own, choices), around, choices, means, progress)


def map_spheres(
    responses: Responses,
    centers: RegionUnits,
    around: Neighbours,
    *,
    choices: Choices,
    means: Means | None = None,
    progress: Progress | None = None,
) -> Result:
    """Map how well conditions are told apart around each unit.

    Parameters
    ----------
    responses
        As for `decode_spheres`.
    centers
        The units around which is decoded.
    around
        Units around each of them.
    choices, means, progress
        As for `decode_spheres`.

    Returns
    -------
    result
        As `result_of` makes it.

    Raises
    ------
    ConfigError
        As `decode_spheres` does.
    NotEnoughDataError
        As `decode_spheres` does.
    """
    check_choices(choices)
    own = decoded_samples(responses, choices)
    design = design_of(own, choices)
    found = _decode(own, design, around, choices, means, progress)
    told = averaging_warnings(responses, choices)
    facts = facts_of(responses, [centers], design, choices, told)
    return result_of(found, responses.space.select(centers.units), meta=facts)


def _decode(
    own: Responses,
    design: Design,
    around: Neighbours,
    choices: Choices,
    means: Means | None,
    progress: Progress | None,
) -> list[Spheres]:
    decide = decider(choices.classifier)
    found: list[Spheres] = []
    tasks = design.tasks
    for task in tasks:
        metric = metric_of(task, choices)
        lights = search(
            own.values,
            around,
            Labeled(task.labelings.codes, task.folds, task.taught),
            decide,
            is_scaled=own.scale in SCALED,
            means=means,
            progress=None
            if progress is None
            else _from(progress, len(found) * len(around), len(tasks) * len(around)),
        )
        chance = chance_of(metric, len(task.comparison.sides))
        found.append(Spheres(task, metric, chance, lights))
    return found


def result_of(found: Sequence[Spheres], space: Space, *, meta: Mapping[str, Any]) -> Result:
    """Return maps of scores and of p, and a table with a row for each comparison.

    Parameters
    ----------
    found
        Around each unit of `space`.
    space
        Of the centers.
    meta
        Facts for the sidecar.

    Returns
    -------
    result
        With a map of scores and one of p for each comparison, and its maps under exchanged labels.
    """
    rows, maps, nulls = [], [], {}
    names = [one.task.comparison.name for one in found]
    for one, label in zip(found, distinct([model_label(name, "") for name in names]), strict=True):
        name, lights = one.task.comparison.name, one.lights
        scores = one.scores(slice(1))[0]  # (n_units,)
        under = (one.scores(slice(k, k + 1))[0] for k in range(1, len(lights.right)))
        p, p_corrected = p_of_maps(scores, under)
        drawn = one.task.labelings
        floor = p_floor(drawn.n_permutations, enumerated=drawn.enumerated)
        nulls[label] = chance_counts(one)
        rows.append(
            {
                "comparison": name,
                "n_classes": len(one.task.comparison.sides),
                "metric": one.metric,
                "chance": one.chance,
                "map": label,
                "n_samples": int(lights.n_tested[0].sum()),
                "n_maps": len(lights.right) - 1,
                "p_corrected": p_corrected,
                "p_floor": floor,
            }
            | row_of(scores, lights.n_units)
        )
        words = (
            f"{one.metric.replace('_', ' ').capitalize()} of {name} from the units around each "
            f"unit, 0 to 1, {one.chance:.3g} by chance; NaN where nothing varies."
        )
        maps.append(StatMap(one.metric.replace("_", ""), scores, label, words))
        maps.append(p_map(p, label, name=name, by="labels", floor=floor))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return Result("searchlight", table, COLUMNS, tuple(maps), space, dict(meta), null_maps=nulls)


def chance_counts(one: Spheres) -> NullMap:
    """Return the maps under exchanged labels as compactly as they can be kept.

    Returns
    -------
    null
        Counts of right answers, in one or two bytes; of a balanced accuracy, scores in single
        precision.
    """
    tested = one.lights.n_tested
    is_plain = one.metric == "accuracy" or bool((tested == tested[:, :1]).all())
    if not is_plain or (tested != tested[0]).any():
        return NullMap(one.scores(slice(1, None)), 1.0)
    counts = one.lights.right[1:].sum(axis=1, dtype=np.uint16)
    fits = counts.max(initial=0) <= np.iinfo(np.uint8).max
    return NullMap(counts.astype(np.uint8) if fits else counts, 1 / float(tested[0].sum()))


def hours_of(
    n_centers: int, n_train: int, *, n_folds: int, n_labelings: int, n_pairs: int
) -> float:
    """Return about how many hours a core takes, for the plan.

    Parameters
    ----------
    n_centers, n_folds, n_labelings
    n_train
        Samples of two sides that teach in a fold.
    n_pairs
        Of sides, which are told apart one against one. With one pair, all labelings have the
        same samples, and share work.

    Examples
    --------
    >>> round(hours_of(40_000, 56, n_folds=8, n_labelings=101, n_pairs=1), 1)
    0.2
    """
    n_problems = n_centers * n_folds * n_labelings * n_pairs
    each_s: float = ALONE_S if n_labelings < SHARED or n_pairs > 1 else SHARED_S
    each_s *= (n_train / PROBLEM_N) ** 2.5
    return n_problems * each_s / 3600


def _from(progress: Progress, before: int, total: int) -> Progress:
    return lambda done, _: progress(before + done, total)


def check_choices(choices: Choices) -> None:
    """Refuse what needs more than the inner products of a sphere's samples.

    Parameters
    ----------
    choices

    Raises
    ------
    ConfigError
        If they ask for parameters that are searched for, nuisance, preparation of patterns, a
        metric beside accuracy, or a classifier that is not linear.
    """
    decider(choices.classifier)
    asked = {
        "search": bool(choices.search),
        "nuisance": bool(choices.nuisance),
        "standardize, blank, anova, whiten or pca": choices.preparation != Preparation(),
        f"metric = {choices.metric!r}": choices.metric not in ("auto", *METRICS),
    }
    for name, is_asked in asked.items():
        if is_asked:
            raise ConfigError(
                f"A searchlight does not take {name}.",
                mend="Leave it out under [decode], or decode regions alone.",
            )
