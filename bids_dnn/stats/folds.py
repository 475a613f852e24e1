"""Which samples train and which test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from bids_dnn.errors import NotEnoughDataError, ShapeError


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """One split of samples.

    Parameters
    ----------
    name
        What is left out, such as a run's id.
    train, test : (n_samples,) bool
        No sample in both, at least one in each.

    Raises
    ------
    ShapeError
        If the masks differ in length, overlap, or one is empty.
    """

    name: str
    train: NDArray[np.bool_]
    test: NDArray[np.bool_]

    def __post_init__(self) -> None:
        fits = self.train.shape == self.test.shape and self.train.ndim == 1
        if (
            not fits
            or (self.train & self.test).any()
            or not (self.train.any() and self.test.any())
        ):
            raise ShapeError(
                f"Fold {self.name!r} has masks of shapes {self.train.shape} and "
                f"{self.test.shape} that overlap, or one of them is empty.",
                mend="Give two boolean masks over the same samples, with none in common.",
            )


def leave_one_run_out(runs: Sequence[str] | NDArray[np.object_]) -> list[Fold]:
    """Make one fold for each run: tested on that run, trained on all others.

    Parameters
    ----------
    runs : (n_samples,)
        Run of each sample.

    Returns
    -------
    folds : n_runs
        Sorted by run.

    Raises
    ------
    NotEnoughDataError
        If there are fewer than two runs.

    Examples
    --------
    >>> [fold.name for fold in leave_one_run_out(["1", "1", "2"])]
    ['1', '2']
    """
    return leave_one_out(runs, what="run")


def leave_one_out(groups: Sequence[str] | NDArray[np.object_], *, what: str) -> list[Fold]:
    """Make one fold for each group: tested on its samples, trained on all others.

    Parameters
    ----------
    groups : (n_samples,)
        Group of each sample.
    what
        A group is, in the singular, for the message: ``run``.

    Returns
    -------
    folds : n_groups
        Sorted by group, and named by it.

    Raises
    ------
    NotEnoughDataError
        If there are fewer than two groups.

    Examples
    --------
    >>> [int(fold.test.sum()) for fold in leave_one_out(["x", "y", "y"], what="position")]
    [1, 2]
    """
    labels = np.asarray([str(group) for group in groups], dtype=object)
    names = sorted(set(labels))
    if len(names) < 2:
        found = f"one {what} ({names[0]!r})" if names else f"no {what}"
        raise NotEnoughDataError(
            f"There is {found}, and leave-one-{what}-out needs two.",
            mend="Add runs with --run-id or --session-label, or leave this analysis out.",
        )
    return [Fold(name, labels != name, labels == name) for name in names]


def by_stimulus(
    stimuli: Sequence[str],
    n_folds: int,
    rng: np.random.Generator,
    *,
    what: str = "stimuli",
    setting: str = "encode.folds",
) -> list[Fold]:
    """Deal stimuli at random onto folds of equal size; all samples of a stimulus go together.

    The folds depend on the set of stimuli and on `rng` alone, not on the order of the samples.

    Parameters
    ----------
    stimuli : (n_samples,)
        Stimulus of each sample.
    n_folds : int
        At least 2.
    rng
        Draws the order of the stimuli.
    what
        What is dealt, in the plural, for messages; sessions and runs are dealt alike.
    setting
        Where `n_folds` comes from, for messages.

    Returns
    -------
    folds : n_folds
        Named ``1``, ``2`` ...; the numbers of stimuli in two folds differ by one at most.

    Raises
    ------
    NotEnoughDataError
        If there are fewer stimuli than folds, or fewer than two folds are asked for.

    Examples
    --------
    >>> folds = by_stimulus(["a", "b", "a", "c"], 3, np.random.default_rng(0))
    >>> sorted(int(fold.test.sum()) for fold in folds)
    [1, 1, 2]
    """
    names, which = np.unique(np.asarray(stimuli, dtype=object).astype(str), return_inverse=True)
    if n_folds < 2 or len(names) < n_folds:
        raise NotEnoughDataError(
            f"There are {len(names)} {what} for {n_folds} folds; each fold needs one, and "
            "there must be two folds.",
            mend=f"Ask for fewer folds ({setting} in analysis.toml), or add {what}.",
        )
    fold_of = np.empty(len(names), dtype=np.intp)
    fold_of[rng.permutation(len(names))] = np.arange(len(names)) % n_folds
    of_sample = fold_of[which]
    return [Fold(str(k + 1), of_sample != k, of_sample == k) for k in range(n_folds)]


def linked(names: Sequence[str], stimuli: Sequence[str], runs: Sequence[str]) -> list[str]:
    """Name the groups of stimuli that share runs, directly or through others.

    Folds over these groups have no run in common, in which trials were estimated together.

    Parameters
    ----------
    names : (n_names,)
        Stimuli, each once.
    stimuli, runs : (n_samples,)
        Of each sample.

    Returns
    -------
    groups : (n_names,)
        One label for all that hang together.

    Examples
    --------
    >>> linked(["a", "b", "c"], ["a", "b", "b", "c"], ["1", "1", "2", "3"])
    ['0', '0', '1']
    """
    place = {name: i for i, name in enumerate(names)}
    number = {run: len(names) + i for i, run in enumerate(dict.fromkeys(runs))}
    rows = [place[name] for name in stimuli]
    columns = [number[run] for run in runs]
    n = len(names) + len(number)
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(n, n))
    _, labels = connected_components(graph, directed=False)
    codes = {label: str(i) for i, label in enumerate(dict.fromkeys(labels[: len(names)].tolist()))}
    return [codes[label] for label in labels[: len(names)].tolist()]
