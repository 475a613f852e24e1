"""Decode conditions from each region, with labels exchanged within runs as the null."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.chosen import COLUMNS as CHOICE
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
    say = progress or (lambda _: None)
    regions = region_units(responses, rois)
    disturbing, told = nuisance_columns(responses.samples, choices.nuisance)
    tasks = tasks_of(responses, choices)
    scene = _Scene(responses, regions, tasks, choices.c, disturbing, say)
    chosen = None
    if choose is not None:
        runs = sorted({fold.name for task in tasks for fold in task.folds})
        chosen = choose_by_run(choose, responses, regions, runs)
    found = dict(_by_all(scene) if chosen is None else _by_chosen(scene, chosen))
    where = sorted(found)  # region by region
    outcomes, own = [found[key] for key in where], [tasks[t] for _, t in where]
    made, space = (None, None) if chosen is None else chosen.share_map(responses.space)
    extras = {"confusion": confusion_table(outcomes, own)}
    return Result(
        analysis="decode",
        table=main_table(outcomes, own, n_permutations=choices.n_permutations),
        columns=COLUMNS,
        maps=() if made is None else (made,),
        space=space,
        meta=facts_of(
            responses, regions, tasks, [*told, *([] if chosen is None else chosen.warnings())]
        )
        | _settings(choices, responses),
        extras=extras if chosen is None else extras | {"choice": chosen.table()},
        extra_columns={} if chosen is None else {"choice": CHOICE},
    )


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


Scored = tuple[tuple[int, int], Outcome]  # numbers of region and task


def _by_all(scene: _Scene) -> Iterator[Scored]:
    """Decode from all units of each region."""
    grams = [linear_gram(scene.responses.values[:, region.units]) for region in scene.regions]
    for t, task in enumerate(scene.tasks):
        scene.say(f"decode {task.comparison.name} ({t + 1} of {len(scene.tasks)})")
        for r, (region, gram) in enumerate(zip(scene.regions, grams, strict=True)):
            n_units = region.units.size
            guess = scene.guess(task, gram, task.folds, n_units=n_units)
            yield (r, t), outcome_of(task, guess, region=region.name, n_units=n_units)


def _by_chosen(scene: _Scene, chosen: ChosenUnits) -> Iterator[Scored]:
    """Decode from the units that each fold's training runs chose, one Gram matrix at a time."""
    for r, region in enumerate(scene.regions):
        counts = {run: int(marks[r].sum()) for run, marks in chosen.marks.items()}
        guesses = [np.full_like(task.labelings.codes, -1) for task in scene.tasks]
        for run, n_units in counts.items():
            if not n_units:
                continue
            scene.say(f"decode {region.name} without run {run} ({len(counts)} runs)")
            gram = linear_gram(scene.responses.values[:, region.units[chosen.marks[run][r]]])
            for task, guess in zip(scene.tasks, guesses, strict=True):
                for fold in (one for one in task.folds if one.name == run):
                    made = scene.guess(task, gram, [fold], n_units=n_units)
                    guess[:, fold.test] = made[:, fold.test]
        for t, (task, guess) in enumerate(zip(scene.tasks, guesses, strict=True)):
            own = [counts[fold.name] for fold in task.folds]
            is_whole = min(own) > 0
            yield (
                (r, t),
                outcome_of(
                    task,
                    guess if is_whole else None,
                    region=region.name,
                    n_units=sorted(own)[(len(own) - 1) // 2],
                ),
            )


def _settings(choices: Choices, responses: Responses) -> dict[str, Any]:
    return {
        "n_permutations": choices.n_permutations,
        "seed": choices.seed,
        "c": choices.c,
        "conditions": conditions_of(responses),
        "nuisance": list(choices.nuisance),
    }
