"""Deal images onto training and test: outer folds, inner folds, or the split that is given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bids_dnn.analyses.encode.choices import Choices
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
    shown = responses.samples["stimulus"].astype(str).to_list()
    runs = responses.samples["run"].astype(str).to_list()
    hangs_together = responses.independence == "run"
    together = linked(names, shown, runs) if hangs_together else list(names)
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
        dealt = kept if _can_be_dealt(kept, choices.n_inner) else own
        inner.append(by_stimulus(dealt, choices.n_inner, rng))
        leakage.check(inner[-1], groups=own, what="stimuli")
    asked = choices.select
    auto: Selection = "gcv" if responses.independence == "sample" else "inner"
    select: Selection = auto if asked == "auto" else asked
    check_exchangeable(select, names)
    return Dealt(folds, inner, select, hangs_together and _share(folds, together))


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


def _share(folds: Sequence[Fold], groups: Sequence[str]) -> bool:
    """Tell whether a group stands on both sides of a fold."""
    labels = np.asarray(groups)
    return any(set(labels[fold.train]) & set(labels[fold.test]) for fold in folds)


def _can_be_dealt(groups: Sequence[str], n_folds: int) -> bool:
    """Tell whether folds of whole groups are all large enough, and of about one size."""
    sizes = sorted(Counter(groups).values())
    per_fold = len(groups) / n_folds
    fewest = len(sizes) // n_folds * sizes[0]
    return len(sizes) >= n_folds and fewest >= FEWEST and sizes[-1] <= max(per_fold, 1)
