"""Deal images onto training and test: outer folds, inner folds, or the split that is given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bids_dnn.analyses.encode.choices import Choices, Select
from bids_dnn.analyses.encode.select import Selection, check_exchangeable
from bids_dnn.containers.responses import Responses
from bids_dnn.errors import NotEnoughDataError
from bids_dnn.stats import leakage
from bids_dnn.stats.folds import Fold, by_stimulus, linked

FEWEST = 4  # images of a fold: of two, r is 1 or -1 whatever the model


@dataclass(frozen=True, slots=True, eq=False)
class Dealt:
    """Which images train and which test.

    Parameters
    ----------
    folds
        Over images.
    inner
        For each fold, folds over its training images.
    select
        How penalties are chosen.
    shares_runs
        Whether images of training and test folds were estimated in one run together, as there
        are not enough runs that share no image.
    """

    folds: list[Fold]
    inner: list[list[Fold]]
    select: Selection
    shares_runs: bool


def deal(responses: Responses, names: Sequence[str], choices: Choices) -> Dealt:
    """Deal images onto folds; images of runs that were estimated together go together.

    Parameters
    ----------
    responses
        Samples with a stimulus only.
    names : (n_stimuli,)
        Images, each once; rows of what is fitted.
    choices

    Raises
    ------
    NotEnoughDataError
        If there are fewer images than folds, or too few for training or test.
    LeakageError
        If a fold shares an image between training and test.
    """
    rng = np.random.default_rng([choices.seed, 1])
    together = groups_of(responses, names)
    if choices.split is not None:
        folds = [given_split(names, choices.split)]
        groups = together
    else:
        groups = together if _can_be_dealt(together, choices.n_folds) else list(names)
        folds = by_stimulus(groups, choices.n_folds, rng)
    leakage.check(folds, groups=names, what="stimuli")
    inner = []
    for fold in folds:
        rows = np.flatnonzero(fold.train).tolist()
        kept, own = [groups[k] for k in rows], [names[k] for k in rows]
        inner.append(deal_within(own, kept, n_folds=choices.n_inner, rng=rng))
    select = selection_of(choices.select, responses.independence)
    check_exchangeable(select, names)
    shares_runs = responses.independence == "run" and share_groups(folds, together)
    return Dealt(folds, inner, select, shares_runs)


def groups_of(responses: Responses, names: Sequence[str]) -> list[str]:
    """Name the groups of images that go together, (n_stimuli,): those of runs estimated together.

    Parameters
    ----------
    responses
        Samples with a stimulus only.
    names : (n_stimuli,)
        Images, each once.
    """
    if responses.independence != "run":
        return list(names)
    shown = responses.samples["stimulus"].astype(str).to_list()
    return linked(names, shown, responses.samples["run"].astype(str).to_list())


def deal_within(
    names: Sequence[str], groups: Sequence[str], *, n_folds: int, rng: np.random.Generator
) -> list[Fold]:
    """Deal training images onto inner folds, whole groups where there are enough of them.

    Parameters
    ----------
    names : (n_stimuli,)
        Images, each once.
    groups : (n_stimuli,)
        As `groups_of`.
    n_folds : int
        At least 2.
    rng

    Raises
    ------
    NotEnoughDataError
        If there are fewer images than folds.
    """
    folds = by_stimulus(groups if _can_be_dealt(groups, n_folds) else names, n_folds, rng)
    leakage.check(folds, groups=names, what="stimuli")
    return folds


def selection_of(asked: Select, independence: str) -> Selection:
    """Return how penalties are chosen: as asked, or as the noise of samples allows.

    Examples
    --------
    >>> selection_of("auto", "sample"), selection_of("auto", "run"), selection_of("loo", "run")
    ('gcv', 'inner', 'loo')
    """
    if asked != "auto":
        return asked
    return "gcv" if independence == "sample" else "inner"


def given_split(names: Sequence[str], split: Mapping[str, str]) -> Fold:
    """Return the split of images that is given.

    Parameters
    ----------
    names : (n_stimuli,)
        Images, each once, all of them in `split`.
    split
        ``train`` or ``test`` of each.

    Raises
    ------
    NotEnoughDataError
        If there are fewer than four of either.

    Examples
    --------
    >>> split = {name: "train" for name in "abcd"} | {name: "test" for name in "wxyz"}
    >>> given_split("abcdwxyz", split).test.sum()
    np.int64(4)
    """
    told = np.array([split[name] for name in names])
    for part in ("train", "test"):
        if (n := int((told == part).sum())) < FEWEST:
            raise NotEnoughDataError(
                f"{n} images with responses and features have the split {part!r}; encoding needs "
                f"{FEWEST}.",
                mend="Fill the column split of stimuli.tsv with train and test, or use folds "
                "(encode.folds = { stimulus = 5 } in analysis.toml).",
            )
    return Fold("given", told == "train", told == "test")


def share_groups(folds: Sequence[Fold], groups: Sequence[str]) -> bool:
    """Tell whether a group stands on both sides of a fold."""
    labels = np.asarray(groups)
    return any(set(labels[fold.train]) & set(labels[fold.test]) for fold in folds)


def _can_be_dealt(groups: Sequence[str], n_folds: int) -> bool:
    """Tell whether folds of whole groups are all large enough, and of about one size."""
    sizes = sorted(Counter(groups).values())
    per_fold = len(groups) / n_folds
    fewest = len(sizes) // n_folds * sizes[0]
    return len(sizes) >= n_folds and fewest >= FEWEST and sizes[-1] <= max(per_fold, 1)
