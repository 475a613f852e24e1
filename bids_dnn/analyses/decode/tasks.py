"""The samples of each comparison, with their folds and labelings."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.comparisons import Comparison, parse_known
from bids_dnn.analyses.decode.left_out import folds_of, groups_of, own_folds
from bids_dnn.analyses.decode.permutation import (
    Codes,
    Labelings,
    combined,
    exchange_units,
    labelings,
    numbered,
)
from bids_dnn.analyses.decode.samples import (
    averaged,
    evenly,
    known_comparisons,
    named_columns,
    number_trials,
    short_averages,
    texts,
    with_condition,
)
from bids_dnn.containers.responses import Responses
from bids_dnn.errors import NotEnoughDataError, run_words
from bids_dnn.stats import leakage
from bids_dnn.stats.folds import Fold


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """The samples of one comparison, with their folds and labelings.

    Parameters
    ----------
    comparison
    labels : (n,) intp
        Side of each sample that is tested; -1 = it is not.
    groups : (n,) intp
        What folds leave out.
    folds
        Those that test some of its samples; masks over all samples.
    labelings
        Of the samples that are tested, over all samples; -1 as in `labels`.
    taught : (n_labelings, n) intp
        Of the samples that teach; the same where these are tested in their turn.
    is_balanced
        Whether all sides have as many samples.
    seed
        Of what is drawn later.
    """

    comparison: Comparison
    labels: Codes
    groups: Codes
    folds: list[Fold]
    labelings: Labelings
    taught: Codes
    is_balanced: bool
    seed: int

    @property
    def rows(self) -> Codes:
        """The samples that are tested."""
        return np.flatnonzero(self.labels >= 0)


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """All comparisons of some samples.

    Parameters
    ----------
    folds
        Masks over all samples.
    groups, runs : (n,) intp
        Of each sample: what folds leave out, and its run.
    conditions : (n,) intp
        Of each sample, in the order of `names`.
    names
        Of the conditions, sorted.
    columns : by name, (n,) object
        Columns of the sample table that comparisons name.
    tasks
    lost : by name of a comparison
        Why these samples cannot tell it apart.
    """

    folds: list[Fold]
    groups: Codes
    runs: Codes
    conditions: Codes
    names: list[str]
    columns: dict[str, NDArray[np.object_]]
    tasks: list[Task]
    lost: dict[str, str]

    def shared_conditions(self, trials: Codes, *, n: int, rng: np.random.Generator) -> Codes:
        """Draw exchanges of all conditions at once.

        Parameters
        ----------
        trials : (n_samples,) intp
        n : int
            Exchanges.
        rng

        Returns
        -------
        conditions : (n, n_samples) int16
        """
        parts = combined([np.zeros_like(self.runs), *map(numbered, self.columns.values())])
        units, blocks = exchange_units(
            self.conditions, self.runs, trials=trials, groups=self.groups, parts=parts
        )
        drawn = labelings(
            self.conditions,
            numbered(blocks),
            units=numbered(units),
            n_permutations=n,
            rng=rng,
            enumerate_few=False,
        )
        return drawn.codes[1:].astype(np.int16)

    def shared_labels(
        self, task: Task, conditions: Codes, trials: Codes, *, is_even: bool
    ) -> tuple[Codes, Codes]:
        """Return a task's labels under exchanges of all conditions.

        Parameters
        ----------
        task
        conditions : (n, n_samples)
            As `shared_conditions` draws them.
        trials : (n_samples,) intp
        is_even
            Whether as many trials of each side and run are drawn, as `evenly` does.

        Returns
        -------
        taught, tested : (n, n_samples)
            Of the samples that teach, and that are tested; -1 = a sample is not, under this
            exchange.
        """
        taught, tested = self.labels_of(task.comparison, conditions)
        if is_even:
            rng = np.random.default_rng(task.seed)
            taught, tested = self._evenly(task.comparison, taught, tested, trials, rng)
        return taught, tested

    def _evenly(
        self,
        comparison: Comparison,
        taught: Codes,
        tested: Codes,
        trials: Codes,
        rng: np.random.Generator,
    ) -> tuple[Codes, Codes]:
        """Take as many trials of each side and run, of those that teach and are tested."""
        taught = np.where(evenly(taught, self.runs, trials, rng), taught, -1)
        if not comparison.is_crossed:
            return taught, taught
        return taught, np.where(evenly(tested, self.runs, trials, rng), tested, -1)

    def labels_of(self, comparison: Comparison, conditions: Codes) -> tuple[Codes, Codes]:
        """Return the sides of samples that teach, and of samples that are tested; -1 = neither.

        Parameters
        ----------
        comparison
        conditions : (..., n) intp
        """
        made = []
        for side_of, where in (
            (comparison.side_of, comparison.taught_where),
            (comparison.tested_side_of, comparison.tested_where),
        ):
            sides = np.array([side_of.get(name, -1) for name in self.names], dtype=np.intp)
            is_there = np.ones(len(self.runs), dtype=np.bool_)
            for column, value in where:
                is_there &= np.asarray(self.columns[column] == value, dtype=np.bool_)
            made.append(np.where(is_there, sides[conditions], -1).astype(np.int16))
        return made[0], made[1]


def conditions_of(responses: Responses) -> list[str]:
    """Return the conditions, sorted; "" is none."""
    return sorted({str(one) for one in texts(responses.samples["condition"])} - {""})


def design_of(responses: Responses, choices: Choices) -> Design:
    """Return the folds, and the task of each comparison that can be made.

    Parameters
    ----------
    responses
        Samples with a condition.
    choices

    Raises
    ------
    ConfigError
        If `folds`, or each comparison, names what does not exist.
    NotEnoughDataError
        If there is nothing to leave out, fewer than two conditions, or, for each comparison, all
        samples of one side are left out together.
    LeakageError
        If folds split what must stay together, or a sample is a copy of another fold's.
    """
    names = conditions_of(responses)
    found, lost = known_comparisons(choices.comparisons, responses)
    runs = texts(responses.samples["run"])
    groups = groups_of(responses, choices)
    folds = folds_of(groups, choices)
    leakage.check(folds, groups=list(groups), what=f"values of {choices.folds}")
    leakage.check_independence(
        folds,
        runs=list(runs),
        independence=responses.independence,
        how=f'decode.folds = "{choices.folds}"',
    )
    condition = texts(responses.samples["condition"])
    sessions = texts(responses.samples.reindex(columns=["session"])["session"])
    leakage.check_copies(
        folds,
        values=responses.values,
        names=[
            f"{name} in {run_words(str(run), str(session))}"
            for name, run, session in zip(condition, runs, sessions, strict=True)
        ],
    )
    design = Design(
        folds,
        groups=numbered(groups),
        runs=numbered(runs),
        conditions=np.searchsorted(names, condition.astype(str)).astype(np.intp),
        names=names,
        columns=named_columns(found, responses),
        tasks=[],
        lost={name: str(err) for name, err in lost.items()},
    )
    trials, errors = number_trials(responses.samples), []
    for one in found:
        try:
            design.tasks.append(_task(one, design, choices, trials))
        except NotEnoughDataError as err:
            design.lost[one.name] = str(err)
            errors.append(err)
    if not design.tasks:
        raise errors[0]
    return design


def _task(comparison: Comparison, design: Design, choices: Choices, trials: Codes) -> Task:
    taught, tested = design.labels_of(comparison, design.conditions)
    rng = np.random.default_rng([choices.seed, zlib.crc32(comparison.name.encode())])
    if choices.balance == "subsample":
        told = design._evenly(comparison, taught[None], tested[None], trials, rng)
        taught, tested = told[0][0], told[1][0]
        if not (taught >= 0).any() or not (tested >= 0).any():
            raise NotEnoughDataError(
                f"No run has trials of each side of the comparison {comparison.name!r}, so that "
                'balance = "subsample" leaves none.',
                mend='Type balance = "weights" under [decode], or leave it out.',
            )
    folds = own_folds(comparison, (taught, tested), design.folds, choices)
    labels = np.maximum(taught, tested)  # those that do both have one side
    rows = np.flatnonzero(labels >= 0)
    parts = combined([(taught >= 0).astype(np.intp), (tested >= 0).astype(np.intp)])
    units, blocks = exchange_units(
        labels[rows],
        design.runs[rows],
        trials=trials[rows],
        groups=design.groups[rows],
        parts=parts[rows],
    )
    own = labelings(
        labels[rows],
        numbered(blocks),
        units=numbered(units),
        n_permutations=choices.n_permutations,
        rng=rng,
    )
    codes = np.full((len(own.codes), len(labels)), -1, dtype=np.int16)
    codes[:, rows] = own.codes
    n_sides = len(comparison.sides)
    is_crossed = comparison.is_crossed
    return Task(
        comparison=comparison,
        labels=tested,
        groups=design.groups,
        folds=folds,
        labelings=Labelings(
            np.where(tested >= 0, codes, -1) if is_crossed else codes, own.enumerated
        ),
        taught=np.where(taught >= 0, codes, -1) if is_crossed else codes,
        is_balanced=np.unique(np.bincount(tested[tested >= 0], minlength=n_sides)).size == 1,
        seed=int(rng.integers(2**32)),
    )


def decoded_samples(responses: Responses, choices: Choices) -> Responses:
    """Return the samples that are decoded: those with a condition, averaged where asked for.

    Parameters
    ----------
    responses, choices

    Raises
    ------
    ConfigError
        If a comparison names what does not exist.
    NotEnoughDataError
        If there are fewer than two conditions.
    """
    own = with_condition(responses)
    return averaged(own, choices.average, columns=_kept_apart(own, choices))


def averaging_warnings(responses: Responses, choices: Choices) -> list[str]:
    """Warn where `decoded_samples` has fewer trials than it is told to average."""
    own = with_condition(responses)
    return short_averages(own, choices.average, columns=_kept_apart(own, choices))


def _kept_apart(own: Responses, choices: Choices) -> list[str]:
    """Return the columns by which folds are made, or samples told apart."""
    found, _ = parse_known(choices.comparisons, conditions_of(own))
    told = [name for one in found for name in one.columns]
    return [name for name in (choices.folds, *told) if name in own.samples]
