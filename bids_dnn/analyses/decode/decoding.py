"""Decode conditions from each region; the null exchanges labels of trials (`permutation`)."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.decode.baseline import baseline_of
from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.chosen import ChosenUnits, choose_by_run
from bids_dnn.analyses.decode.covariates import Covariates, component_warnings, covariates_of
from bids_dnn.analyses.decode.pattern_maps import activation_pattern, apart, pattern_map
from bids_dnn.analyses.decode.predict import Learner, Predictions, predict
from bids_dnn.analyses.decode.prepare import Patterns, linear_gram, patterns_of
from bids_dnn.analyses.decode.samples import number_trials, texts
from bids_dnn.analyses.decode.scoring import Outcome, outcome_of, scores_of
from bids_dnn.analyses.decode.tables import (
    COLUMNS,
    PARAMETER_COLUMNS,
    SCALED,
    SESSION_COLUMNS,
    extra_tables,
    facts_of,
    main_table,
    nulls_of,
)
from bids_dnn.analyses.decode.targets import COLUMNS as TARGET_COLUMNS
from bids_dnn.analyses.decode.targets import Predicted, Target, predict_target, targets_of
from bids_dnn.analyses.decode.tasks import (
    Design,
    Task,
    averaging_warnings,
    decoded_samples,
    design_of,
)
from bids_dnn.containers.features import FeatureGram
from bids_dnn.containers.responses import Responses
from bids_dnn.containers.result import Result, StatMap
from bids_dnn.containers.roi import Roi
from bids_dnn.stats.folds import Fold
from bids_dnn.stats.regions import RegionUnits, UnitLearner, region_units

Array = NDArray[np.float64]
Codes = NDArray[np.integer[Any]]
Say = Callable[[str], None]


def decode(
    responses: Responses,
    rois: Sequence[Roi],
    *,
    choices: Choices,
    choose: UnitLearner | None = None,
    spaces: Mapping[str, Sequence[FeatureGram]] | None = None,
    progress: Say | None = None,
) -> Result:
    """Tell conditions apart from the pattern over each region's voxels, leaving one run out.

    A classifier (one against one for more than two sides) is trained on all runs but one and
    tested on that one, until each run was left out; or on all but a session, a stimulus, or any
    other value of a column. What is done to patterns before is learnt on the training samples of
    each fold; what needs no labels (slopes of nuisance, the SD of voxels, components), on those
    of all conditions, whatever a comparison tells apart, so that it is one for all comparisons.
    Where responses are betas or percent signal change, they are multiplied in each fold by one
    number, so that voxels have unit variance on average: their unit does not matter, and the cost
    of a support vector machine means the same everywhere.

    The null comes from labels exchanged within each run and what folds leave out, the same
    exchange for all regions. All samples of a trial (the volumes of a block) are given a label
    together. Where at most `Choices.n_permutations` distinct labelings exist, all of them are
    used instead (see `permutation.count_labelings`). `p_corrected` takes regions and comparisons
    as one family: for several comparisons, the conditions of all trials are exchanged at once,
    and each comparison is decoded under the same exchanges. Over comparisons it controls the
    error only where no two conditions differ; `p_fdr` holds without that.

    With `choose`, the pattern of each fold is that over the units which all samples of its
    training runs choose, whatever their condition. The choice stands as it is under exchanged
    labels.

    What a network makes of the pictures (their pixels, say) can be a nuisance or a baseline, as
    principal components that the training samples of each fold teach.

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
    spaces
        Layers of the feature spaces that `Choices.nuisance` and `baseline` name, by that name.
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
        If a comparison, `nuisance` or `baseline` names what does not exist.
    NotEnoughDataError
        If a nuisance column holds no number, no sample shows a stimulus of a feature space, there
        is one run, fewer than two conditions, a region without voxels, or a run that alone holds
        all samples of one side.
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
    own = decoded_samples(responses, choices)
    design = design_of(own, choices)
    beside, covaried, told = _covariates(responses, choices, design.folds, spaces or {})
    told = [*averaging_warnings(responses, choices), *told]
    chosen = choose_by_run(
        choose,
        responses,
        regions,
        design.folds,
        runs=texts(own.samples["run"]),
        column=choices.left_out,
    )
    scene = _Scene(
        own,
        regions,
        design,
        choices,
        nuisance={one.name: beside["nuisance"].taught_by(one.train) for one in design.folds},
        baseline=beside["baseline"],
        chosen=chosen,
        say=progress or (lambda _: None),
    )
    made = list(scene.outcomes())
    outcomes = [outcome for outcome, _ in made]
    family = [null for _, null in made if null is not None]
    tasks = list(design.tasks) * len(regions)
    targets = targets_of(own.samples, design.runs, design.groups, choices)
    predicted = scene.predicted(targets)
    extras = extra_tables(outcomes, tasks, choices, predicted)
    if predicted:
        told = [*told, *(text for target in targets for text in target.warnings)]
    maps = scene.maps(outcomes) if choices.has_patterns else ()
    every = np.unique(np.concatenate([region.units for region in regions]))
    result = Result(
        analysis="decode",
        table=main_table(outcomes, choices, family=family or None),
        columns=COLUMNS,
        maps=maps,
        space=responses.space.select(every) if maps else None,
        meta=facts_of(responses, regions, design, choices, [*told, *chosen.warnings()]) | covaried,
        extras=extras,
        extra_columns={
            "parameters": PARAMETER_COLUMNS,
            "targets": TARGET_COLUMNS,
            "sessions": SESSION_COLUMNS,
        },
        nulls=nulls_of(outcomes, tasks),
    )
    return result if choose is None else chosen.told_in(result, responses.space)


def _covariates(
    responses: Responses,
    choices: Choices,
    folds: Sequence[Fold],
    spaces: Mapping[str, Sequence[FeatureGram]],
) -> tuple[dict[str, Covariates], dict[str, Any], list[str]]:
    """Return nuisance and baseline, what is told of their feature spaces, and warnings."""
    made: dict[str, Covariates] = {}
    facts: dict[str, Any] = {}
    told: list[str] = []
    for option, names in (("nuisance", choices.nuisance), ("baseline", choices.baseline)):
        own = covariates_of(responses, names, choices, spaces=spaces, option=option)
        told += [*own.warnings]
        told += component_warnings(own, folds, asked=choices.n_components, option=option)
        facts |= own.facts(folds)
        made[option] = own
    return made, {"feature_spaces": facts} if facts else {}, told


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    """What is decoded, and how."""

    responses: Responses
    regions: Sequence[RegionUnits]
    design: Design
    choices: Choices
    nuisance: Mapping[str, Array]  # by fold, (n_samples, n_nuisance)
    baseline: Covariates
    chosen: ChosenUnits
    say: Say

    def outcomes(self) -> Iterator[tuple[Outcome, Array | None]]:
        """Decode each comparison in each region; with the scores under shared exchanges."""
        tasks = self.design.tasks
        shared = self._shared()
        sessions = texts(self.responses.samples[self.choices.apart])
        n_all = len(self.regions) * len(tasks)
        baselines = [baseline_of(task, self.baseline, self.choices) for task in tasks]
        for r, region in enumerate(self.regions):
            patterns = self._patterns(r)
            for t, task in enumerate(tasks):
                where = f"{region.name} ({r * len(tasks) + t + 1} of {n_all})"
                self.say(f"decode {task.comparison.name} in {where}")
                own = [patterns[fold.name] for fold in task.folds]
                counts = sorted(one.n_units for one in own if one is not None)
                is_whole = len(counts) == len(own)
                labels = task.taught, task.labelings.codes
                made = self._predict(task, own, task.folds, labels) if is_whole else None
                n_units = counts[(len(counts) - 1) // 2] if is_whole else 0
                told = outcome_of(
                    task,
                    made,
                    self.choices,
                    sessions=sessions,
                    region=region.name,
                    n_units=n_units,
                )
                told.row["baseline"] = baselines[t]
                yield told, self._family(task, told, patterns, shared)

    def _shared(self) -> Codes | None:
        """Draw the exchanges that all comparisons share, where there are several."""
        if "max" not in self.choices.correct or len(self.design.tasks) == 1:
            return None
        rng = np.random.default_rng([self.choices.seed, zlib.crc32(b"shared")])
        trials = number_trials(self.responses.samples)
        return self.design.shared_conditions(trials, n=self.choices.n_permutations, rng=rng)

    def maps(self, outcomes: Sequence[Outcome]) -> tuple[StatMap, ...]:
        """Map the activation pattern of each comparison of two sides, in each region."""
        every = np.unique(np.concatenate([region.units for region in self.regions]))
        candidates, made = self.choices.candidates(), []
        if self.choices.classifier.kind == "svm-rbf":
            return ()
        for r, region in enumerate(self.regions):
            patterns = self._patterns(r)
            taken = {name: marks for marks, names in self.chosen.alike(r) for name in names}
            for t, task in enumerate(self.design.tasks):
                outcome = outcomes[r * len(self.design.tasks) + t]
                if len(task.comparison.sides) > 2 or not np.isfinite(outcome.row["score"]):
                    continue
                units = [region.units[taken[fold.name]] for fold in task.folds]
                found = activation_pattern(
                    [self.responses.values[:, own] for own in units],
                    [one for fold in task.folds if (one := patterns[fold.name]) is not None],
                    task.folds,
                    task.taught[0],
                    classifiers=[candidates[outcome.chosen[fold.name]] for fold in task.folds],
                    preparation=self.choices.preparation,
                )
                made.append(pattern_map(found, units, every, region.name, task.comparison))
        return apart(made)

    def predicted(self, targets: Sequence[Target]) -> list[Predicted]:
        """Predict each target in each region that has units in all folds."""
        made: list[Predicted] = []
        for r, region in enumerate(self.regions if targets else ()):
            patterns = {k: one for k, one in self._patterns(r).items() if one is not None}
            if len(patterns) < len(self.design.folds):
                continue
            for target in targets:
                self.say(f"predict {target.name} in {region.name}")
                own = predict_target(
                    target, patterns, self.design.folds, self.choices, region=region.name
                )
                made.append(own)
        return made

    def _patterns(self, place: int) -> dict[str, Patterns | None]:
        """Prepare a region's patterns in each fold; None where a fold has no unit."""
        region = self.regions[place]
        made: dict[str, Patterns | None] = {}
        for marks, names in self.chosen.alike(place):
            values = self.responses.values[:, region.units[marks]]
            gram = linear_gram(values)
            for fold in self.design.folds:
                if fold.name in names:
                    made[fold.name] = (
                        patterns_of(
                            values,
                            fold,
                            runs=self.design.runs,
                            how=self.choices.preparation,
                            nuisance=self.nuisance[fold.name],
                            is_scaled=self.responses.scale in SCALED,
                            gram=gram,
                        )
                        if values.shape[1]
                        else None
                    )
        return made

    def _predict(
        self,
        task: Task,
        patterns: Sequence[Patterns | None],
        folds: Sequence[Fold],
        labels: tuple[Codes, Codes],
    ) -> Predictions:
        return predict(
            [one for one in patterns if one is not None],
            folds,
            labels[0],
            Learner(self.choices.candidates(), self.choices.preparation),
            groups=task.groups,
            n_classes=len(task.comparison.sides),
            tested=labels[1],
            has_values=self.choices.metric == "auc",
        )

    def _family(
        self,
        task: Task,
        told: Outcome,
        patterns: Mapping[str, Patterns | None],
        shared: Codes | None,
    ) -> Array | None:
        """Return the scores under exchanges that all rows of the table share."""
        n = self.choices.n_permutations
        if "max" not in self.choices.correct:
            return None
        if not np.isfinite(told.row["score"]):
            return np.full(n, np.nan)
        if shared is None:  # one comparison: its own exchanges are those of all regions
            if not task.labelings.enumerated:
                return told.null
            pick = np.random.default_rng(task.seed).integers(told.null.size, size=n)
            return told.null[pick]
        # An exchange may bring samples of the comparison into any fold.
        folds = [fold for fold in self.design.folds if patterns[fold.name] is not None]
        labels = self.design.shared_labels(
            task,
            shared,
            number_trials(self.responses.samples),
            is_even=self.choices.balance == "subsample",
        )
        made = self._predict(task, [patterns[fold.name] for fold in folds], folds, labels)
        return scores_of(
            told.row["metric"],
            labels[1],
            made,
            folds,
            n_classes=len(task.comparison.sides),
        )
