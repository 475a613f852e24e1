"""The samples of each comparison, with their folds and labelings."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.comparisons import Comparison, parse
from bids_dnn.analyses.decode.permutation import Codes, Labelings, exchange_units, labelings
from bids_dnn.analyses.decode.samples import evenly, number_trials, texts
from bids_dnn.containers.responses import Responses
from bids_dnn.errors import ConfigError, NotEnoughDataError, nearest
from bids_dnn.stats import leakage
from bids_dnn.stats.folds import Fold, by_stimulus, leave_one_out


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """The samples of one comparison, with their folds and labelings.

    Parameters
    ----------
    comparison
    labels : (n,) intp
        Side of each sample; -1 = it is no part of the comparison.
    groups : (n,) intp
        What folds leave out.
    folds
        Those that test some of its samples; masks over all samples.
    labelings
        Over all samples; -1 as in `labels`.
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
    is_balanced: bool
    seed: int

    @property
    def rows(self) -> Codes:
        """The samples of the comparison."""
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
    tasks
    """

    folds: list[Fold]
    groups: Codes
    runs: Codes
    conditions: Codes
    names: list[str]
    tasks: list[Task]

    def shared_labels(
        self, trials: Codes, *, n: int, rng: np.random.Generator, is_even: bool
    ) -> list[Codes]:
        """Draw exchanges of all conditions at once, and return each task's labels under them.

        Parameters
        ----------
        trials : (n_samples,) intp
        n : int
            Exchanges.
        rng
        is_even
            Whether as many trials of each side and run are drawn, as `evenly` does.

        Returns
        -------
        codes : by task, (n, n_samples) intp
            -1 = the sample is no part of the comparison, under this exchange.
        """
        units, blocks = exchange_units(
            self.conditions, self.runs, trials=trials, groups=self.groups
        )
        drawn = labelings(
            self.conditions, blocks, units=units, n_permutations=n, rng=rng, enumerate_few=False
        ).codes[1:]
        made = []
        for task in self.tasks:
            side_of = task.comparison.side_of
            sides = np.array([side_of.get(name, -1) for name in self.names], dtype=np.intp)
            codes = sides[drawn]
            if is_even:
                kept = [evenly(row, self.runs, trials, rng) for row in codes]
                codes = np.where(np.array(kept), codes, -1)
            made.append(codes)
        return made


def conditions_of(responses: Responses) -> list[str]:
    """Return the conditions, sorted; "" is none."""
    return sorted({str(one) for one in texts(responses.samples["condition"])} - {""})


def design_of(responses: Responses, choices: Choices) -> Design:
    """Return the folds, and the task of each comparison.

    Parameters
    ----------
    responses
        Samples with a condition.
    choices

    Raises
    ------
    ConfigError
        If a comparison or `folds` names what does not exist.
    NotEnoughDataError
        If there is nothing to leave out, fewer than two conditions, or all samples of one side
        are left out together.
    LeakageError
        If folds split what must stay together.
    """
    names = conditions_of(responses)
    found = parse(choices.comparisons, names)
    runs = texts(responses.samples["run"])
    groups = _groups(responses, choices)
    folds = _folds(groups, choices)
    leakage.check(folds, groups=list(groups), what=f"values of {choices.folds}")
    leakage.check_independence(
        folds,
        runs=list(runs),
        independence=responses.independence,
        how=f'decode.folds = "{choices.folds}"',
    )
    condition = texts(responses.samples["condition"])
    design = Design(
        folds,
        groups=_numbered(groups),
        runs=_numbered(runs),
        conditions=np.searchsorted(names, condition.astype(str)).astype(np.intp),
        names=names,
        tasks=[],
    )
    trials = number_trials(responses.samples)
    design.tasks.extend(_task(one, design, choices, trials) for one in found)
    return design


def _groups(responses: Responses, choices: Choices) -> NDArray[np.object_]:
    """Return what folds leave out, of each sample."""
    samples = responses.samples
    if choices.folds not in samples:
        raise ConfigError(
            f"decode.folds names {choices.folds!r}, which is no column of the samples.",
            mend=nearest(choices.folds, map(str, samples.columns)),
        )
    groups = texts(samples[choices.folds])
    if missing := int((groups == "").sum()):
        raise NotEnoughDataError(
            f"{missing} of {len(groups)} samples have no {choices.folds}, by which decode.folds "
            "makes folds.",
            mend='Fill the column, or type folds = "run" under [decode].',
        )
    return groups


def _folds(groups: NDArray[np.object_], choices: Choices) -> list[Fold]:
    if choices.n_folds is None:
        return leave_one_out(list(groups), what=choices.folds)
    rng = np.random.default_rng([choices.seed, zlib.crc32(b"folds")])
    return by_stimulus(list(groups), choices.n_folds, rng)


def _task(comparison: Comparison, design: Design, choices: Choices, trials: Codes) -> Task:
    side_of = comparison.side_of
    sides = np.array([side_of.get(name, -1) for name in design.names], dtype=np.intp)
    labels = sides[design.conditions]
    rng = np.random.default_rng([choices.seed, zlib.crc32(comparison.name.encode())])
    if choices.balance == "subsample":
        labels = np.where(evenly(labels, design.runs, trials, rng), labels, -1)
    folds = _own_folds(comparison, labels, design.folds, what=choices.folds)
    rows = np.flatnonzero(labels >= 0)
    units, blocks = exchange_units(
        labels[rows], design.runs[rows], trials=trials[rows], groups=design.groups[rows]
    )
    own = labelings(
        labels[rows],
        _numbered(blocks),
        units=_numbered(units),
        n_permutations=choices.n_permutations,
        rng=rng,
    )
    codes = np.full((len(own.codes), len(labels)), -1, dtype=np.intp)
    codes[:, rows] = own.codes
    return Task(
        comparison=comparison,
        labels=labels,
        groups=design.groups,
        folds=folds,
        labelings=Labelings(codes, own.enumerated),
        is_balanced=np.unique(np.bincount(labels[rows])).size == 1,
        seed=int(rng.integers(2**32)),
    )


def _own_folds(
    comparison: Comparison, labels: Codes, folds: Sequence[Fold], *, what: str
) -> list[Fold]:
    """Return the folds that test samples of the comparison, with both sides to learn from."""
    own = [fold for fold in folds if (labels[fold.test] >= 0).any()]
    for fold in own:
        absent = set(range(len(comparison.sides))) - set(labels[fold.train])
        if absent:
            raise NotEnoughDataError(
                f"Without {what} {fold.name!r} no sample of {comparison.labels[min(absent)]!r} is "
                f"left to train on, for the comparison {comparison.name!r}.",
                mend="Add runs that hold this condition, or name other comparisons under "
                "decode.comparisons in analysis.toml.",
            )
    if len(own) < 2:
        raise NotEnoughDataError(
            f"The comparison {comparison.name!r} has samples in {len(own)} fold(s), and decoding "
            "needs two.",
            mend="Add runs, or name other comparisons under decode.comparisons in analysis.toml.",
        )
    return own


def _numbered(values: NDArray[np.object_] | Codes) -> Codes:
    texts_ = values.astype(str) if values.dtype == object else values
    return np.unique(texts_, return_inverse=True)[1].astype(np.intp)
