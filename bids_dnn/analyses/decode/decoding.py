"""Decode conditions from each region, with labels exchanged within runs as the null."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.chosen import ChosenUnits, choose_by_run
from bids_dnn.analyses.decode.kernels import Codes, Gram, linear_gram, predict_labels
from bids_dnn.analyses.decode.scoring import Outcome, outcome_of
from bids_dnn.analyses.decode.tables import (
    COLUMNS,
    SCALED,
    confusion_table,
    facts_of,
    main_table,
)
from bids_dnn.analyses.decode.tasks import Task, conditions_of, tasks_of
from bids_dnn.containers.responses import Responses
from bids_dnn.containers.result import Result
from bids_dnn.containers.roi import Roi
from bids_dnn.stats.folds import Fold
from bids_dnn.stats.nuisance import nuisance_columns
from bids_dnn.stats.regions import RegionUnits, UnitLearner, region_units

Say = Callable[[str], None]


def decode(
    responses: Responses,
    rois: Sequence[Roi],
    *,
    choices: Choices,
    choose: UnitLearner | None = None,
    progress: Say | None = None,
) -> Result:
    """Tell conditions apart from the pattern over each region's voxels, leaving one run out.

    A linear support vector machine (one against one for more than two sides) is trained on all
    runs but one and tested on that one, until each run was left out. No voxel is scaled here:
    whatever standardization there is, was done within each run. Where responses are betas or
    percent signal change, the cost is `Choices.c` for voxels of unit variance on average: it is
    multiplied by the number of voxels over the mean diagonal of the centered training Gram
    matrix, one number learnt on the training runs, so that the unit does not matter.

    The null comes from labels exchanged within each run, the same exchange for all regions.
    All samples of a trial (the volumes of a block) are given a label together.
    Intervals are corrected resampled t intervals over the runs left out.
    Where at most `Choices.n_permutations` distinct labelings exist, all of them are used instead
    (see `permutation.count_labelings`). `p_corrected` takes regions and comparisons as one
    family; the exchanges of two comparisons are drawn apart, which makes it conservative where
    they share samples.

    With `choose`, the pattern of each fold is that over the units which all samples of its
    training runs choose, whatever their condition. The choice stands as it is under exchanged
    labels.

    Parameters
    ----------
    responses
        Samples with a condition ("" = none: such samples are left out) and a run.
    rois
        On the grid of the responses; where there is none, all units are one region.
    choices
        The settings.
    choose
        Learns which units of each region are taken, in each fold anew; None = all are.
    progress
        Told what is next.

    Returns
    -------
    result
        One row a region and comparison; `extras` holds ``confusion``. With `choose`, also
        ``choice`` (units by region and run) and the map ``chosen``; a region that has no unit in
        a fold has the score NaN.

    Raises
    ------
    ConfigError
        If a comparison or `nuisance` names what does not exist.
    NotEnoughDataError
        If a nuisance column holds no number, there is one run, fewer than two conditions, a
        region without voxels, or a run that alone holds all samples of one side.
    SpaceError
        If a region lies on another grid.
    ShapeError
        If `choose` does not answer with marks of each region's units.

    References
    ----------
    Nadeau & Bengio (2003), Machine Learning 52:239, doi:10.1023/A:1024068626366.
    Snoek et al. (2019), NeuroImage 184:741, doi:10.1016/j.neuroimage.2018.09.074.
    Etzel (2015), MVPA permutation schemes, PRNI, doi:10.1109/PRNI.2015.29.
    """
    regions = region_units(responses, rois)
    disturbing, told = nuisance_columns(responses.samples, choices.nuisance)
    tasks = tasks_of(responses, choices)
    chosen = choose_by_run(choose, responses, regions, tasks)
    scene = _Scene(responses, regions, tasks, choices.c, disturbing, progress or (lambda _: None))
    outcomes = list(_outcomes(scene, chosen))
    own = list(tasks) * len(regions)
    result = Result(
        analysis="decode",
        table=main_table(outcomes, own, n_permutations=choices.n_permutations),
        columns=COLUMNS,
        meta=facts_of(responses, regions, tasks, [*told, *chosen.warnings()])
        | _settings(choices, responses),
        extras={"confusion": confusion_table(outcomes, own)},
    )
    return result if choose is None else chosen.told_in(result, responses.space)


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    """What is decoded, and how."""

    responses: Responses
    regions: Sequence[RegionUnits]
    tasks: Sequence[Task]
    c: float
    nuisance: NDArray[np.float64]  # (n_samples, n_nuisance)
    say: Say

    def guess(self, task: Task, gram: Gram, folds: Sequence[Fold], *, n_units: int) -> Codes:
        """Predict the samples of a task that `folds` test, from products of all samples."""
        return predict_labels(
            gram[np.ix_(task.rows, task.rows)],
            task.labelings.codes,
            folds,
            c=self.c,
            n_units=n_units if self.responses.scale in SCALED else None,
            nuisance=self.nuisance[task.rows],
        )


def _outcomes(scene: _Scene, chosen: ChosenUnits) -> Iterator[Outcome]:
    """Decode each comparison in each region, region by region, from the units of each fold."""
    n_all = len(scene.regions) * len(scene.tasks)
    for r, region in enumerate(scene.regions):
        parts = [
            (runs, linear_gram(scene.responses.values[:, region.units[marks]]), int(marks.sum()))
            for marks, runs in chosen.alike(r)
        ]
        for t, task in enumerate(scene.tasks, start=r * len(scene.tasks) + 1):
            scene.say(f"decode {task.comparison.name} in {region.name} ({t} of {n_all})")
            guess = np.full_like(task.labelings.codes, -1)
            counts = []  # units of each fold
            for runs, gram, n_units in parts:
                folds = [fold for fold in task.folds if fold.name in runs]
                counts += [n_units] * len(folds)
                if n_units and folds:
                    made = scene.guess(task, gram, folds, n_units=n_units)
                    guess = np.where(made < 0, guess, made)
            middle = sorted(counts)[(len(counts) - 1) // 2]
            told = guess if min(counts) else None
            yield outcome_of(task, told, region=region.name, n_units=middle)


def _settings(choices: Choices, responses: Responses) -> dict[str, Any]:
    return {
        "n_permutations": choices.n_permutations,
        "seed": choices.seed,
        "c": choices.c,
        "conditions": conditions_of(responses),
        "nuisance": list(choices.nuisance),
    }
