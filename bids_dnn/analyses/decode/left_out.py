"""What folds of decoding leave out, and whether they can."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.comparisons import Comparison
from bids_dnn.analyses.decode.samples import texts
from bids_dnn.containers.responses import Responses
from bids_dnn.errors import ConfigError, NotEnoughDataError, nearest
from bids_dnn.stats.folds import Fold, by_stimulus, leave_one_out

Codes = NDArray[np.integer[Any]]
PLURALS = {"run": "runs", "session": "sessions", "stimulus": "stimuli"}


def groups_of(responses: Responses, choices: Choices) -> NDArray[np.object_]:
    """Return what folds leave out, of each sample, (n,).

    Parameters
    ----------
    responses
        Samples with a condition.
    choices

    Raises
    ------
    ConfigError
        If `folds` names no column.
    NotEnoughDataError
        If some samples have no value in it.
    """
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


def folds_of(groups: NDArray[np.object_], choices: Choices) -> list[Fold]:
    """Return the folds; how groups are dealt onto them knows no label.

    Were conditions dealt evenly, folds would be more even than under exchanged labels, and p too
    small: what is learnt from more of one side goes wrong on the other.

    Parameters
    ----------
    groups : (n,)
        What folds leave out, of each sample.
    choices

    Raises
    ------
    NotEnoughDataError
        If there are fewer groups than folds, or one alone.
    """
    if choices.n_folds is None:
        return leave_one_out(list(groups), what=choices.folds)
    rng = np.random.default_rng([choices.seed, zlib.crc32(b"folds")])
    what = PLURALS.get(choices.folds, f"values of {choices.folds}")
    return by_stimulus(
        list(groups),
        choices.n_folds,
        rng,
        what=what,
        setting="decode.n_folds",
    )


def own_folds(
    comparison: Comparison, labels: tuple[Codes, Codes], folds: Sequence[Fold], choices: Choices
) -> list[Fold]:
    """Return the folds that test samples of the comparison, with both sides to learn from.

    Parameters
    ----------
    comparison
    labels : (n,) and (n,)
        Sides of samples that teach, and that are tested; -1 = neither.
    folds, choices

    Raises
    ------
    NotEnoughDataError
        If a side is not tested, a fold leaves nothing to learn it from, fewer than two folds have
        samples, or the metric is not one of this comparison.
    """
    taught, tested = labels
    added = PLURALS.get(choices.folds, f"values of {choices.folds}")
    what = choices.folds if choices.n_folds is None else f"group of {added}"
    more = "" if choices.n_folds is None else ", ask for more groups (decode.n_folds)"
    own = [fold for fold in folds if (tested[fold.test] >= 0).any()]
    for side, name in enumerate(comparison.tested_labels):
        if not (tested == side).any():
            raise NotEnoughDataError(
                f"No sample of the side {name!r} is tested, for the comparison "
                f"{comparison.name!r}.",
                mend="Name conditions that these samples have, under decode.comparisons in "
                "analysis.toml.",
            )
    for fold in own:
        absent = set(range(len(comparison.sides))) - set(taught[fold.train])
        if absent:
            raise NotEnoughDataError(
                f"Without {what} {fold.name!r} no sample of {comparison.labels[min(absent)]!r} is "
                f"left to train on, for the comparison {comparison.name!r}.",
                mend=f"Add {added} that hold this condition{more}, or name other comparisons "
                "under decode.comparisons in analysis.toml.",
            )
    if len(own) < (1 if comparison.is_crossed else 2):
        raise NotEnoughDataError(
            f"The comparison {comparison.name!r} has samples in {len(own)} fold(s), and decoding "
            "needs two.",
            mend="Add runs, or name other comparisons under decode.comparisons in analysis.toml.",
        )
    _check_metric(comparison, tested, own, choices)
    return own


def _check_metric(
    comparison: Comparison, tested: Codes, folds: Sequence[Fold], choices: Choices
) -> None:
    if choices.metric == "dprime" and len(comparison.sides) > 2:
        raise NotEnoughDataError(
            f"dprime is of two sides, and the comparison {comparison.name!r} has "
            f"{len(comparison.sides)}.",
            mend='Type metric = "auc" under [decode], or leave this comparison out.',
        )
    if choices.metric == "auc" and not any(
        len(set(tested[fold.test]) - {-1}) > 1 for fold in folds
    ):
        raise NotEnoughDataError(
            f"auc compares samples within folds, and no fold of the comparison "
            f"{comparison.name!r} tests two sides.",
            mend='Type n_folds = 5 under [decode], or metric = "balanced_accuracy".',
        )
