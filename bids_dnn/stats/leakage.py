"""Stop a run in which training and test samples share what they must not share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from hashlib import sha256
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.errors import LeakageError, ShapeError
from bids_dnn.stats.folds import Fold

SHOWN = 5


def check(folds: Sequence[Fold], *, groups: Sequence[Hashable], what: str) -> None:
    """Raise where a group stands on both sides of a fold.

    Parameters
    ----------
    folds
        Splits of the same samples.
    groups : (n_samples,)
        What each sample belongs to, such as its stimulus or its run.
    what
        What the groups are, in the plural, for the message: ``stimuli``.

    Raises
    ------
    LeakageError
        If training and test samples of a fold share a group; names at most five of them.
    ShapeError
        If a fold has another number of samples than `groups`.

    Examples
    --------
    >>> fold = Fold("1", np.array([True, False]), np.array([False, True]))
    >>> check([fold], groups=["dog", "cat"], what="stimuli")
    """
    for fold in folds:
        if fold.train.shape != (len(groups),):
            raise ShapeError(
                f"Fold {fold.name!r} has {fold.train.size} samples, but there are {len(groups)} "
                f"{what}.",
                mend="Give one group for each sample.",
            )
    for fold, shared in zip(folds, _shared(folds, [f.train for f in folds], groups), strict=True):
        if shared:
            raise LeakageError(
                f"Training and test samples of fold {fold.name!r} share {len(shared)} {what}: "
                f"{_told(shared)}.",
                mend=f"Split the samples so that all samples of one of the {what} are on one "
                "side (stats.folds does).",
            )


def _shared(
    folds: Sequence[Fold], marks: Sequence[NDArray[np.bool_]], groups: Sequence[Hashable]
) -> list[list[Hashable]]:
    """Return the groups of marked samples that each fold tests, too."""
    number = {group: k for k, group in enumerate(dict.fromkeys(groups))}
    code = np.array([number[group] for group in groups], dtype=np.intp)
    names = list(number)
    return [
        [names[k] for k in np.intersect1d(code[own], code[fold.test])]
        for fold, own in zip(folds, marks, strict=True)
    ]


def _told(groups: Sequence[Hashable]) -> str:
    shown = ", ".join(str(one) for one in groups[:SHOWN])
    return shown + (f" and {len(groups) - SHOWN} more" if len(groups) > SHOWN else "")


def check_choice(
    folds: Sequence[Fold],
    *,
    chosen_on: Sequence[NDArray[np.bool_]],
    groups: Sequence[Hashable],
    what: str,
) -> None:
    """Raise where something was chosen on samples that it is then scored on.

    Parameters
    ----------
    folds
        Splits of the same samples.
    chosen_on : n_folds of (n_samples,) bool
        The samples whose responses told each fold's choice.
    groups : (n_samples,)
        What each sample belongs to: none of those chosen on is of the same as one that is tested.
    what
        What was chosen, in the plural, for the message: ``layers``.

    Raises
    ------
    LeakageError
        If a fold tests what its choice was made on; names at most five of the groups.
    ShapeError
        If there is not a mark for each fold and sample.

    References
    ----------
    Kriegeskorte et al. (2009), Nat. Neurosci. 12:535, doi:10.1038/nn.2303.

    Examples
    --------
    >>> fold = Fold("1", np.array([True, False]), np.array([False, True]))
    >>> check_choice([fold], chosen_on=[fold.train], groups=["dog", "cat"], what="layers")
    """
    if len(chosen_on) != len(folds) or any(one.shape != (len(groups),) for one in chosen_on):
        raise ShapeError(
            f"The {what} were chosen on samples of shapes {[one.shape for one in chosen_on]}, but "
            f"there are {len(folds)} folds of {len(groups)} samples.",
            mend="Choose anew in each fold, and mark each sample.",
        )
    for fold, shared in zip(folds, _shared(folds, chosen_on, groups), strict=True):
        if shared:
            raise LeakageError(
                f"The {what} of fold {fold.name!r} were chosen on {len(shared)} of the samples "
                f"that it tests, or others of the same: {_told(shared)}.",
                mend=f"Choose {what} on the training samples of each fold alone.",
            )


def check_copies(
    folds: Sequence[Fold], *, values: NDArray[np.floating[Any]], names: Sequence[str]
) -> None:
    """Raise where the responses to two samples are equal to the last bit across a fold.

    No two measurements are; a run that was copied under another name is.

    Parameters
    ----------
    folds
        Splits of the samples.
    values : (n_samples, n_units)
        Responses; units with NaN are left out, and samples whose responses do not vary.
    names : (n_samples,)
        Of the samples, for the message.

    Raises
    ------
    LeakageError
        If a fold tests a copy of what it trains on; names at most five pairs.

    Examples
    --------
    >>> fold = Fold("1", np.array([True, False]), np.array([False, True]))
    >>> check_copies([fold], values=np.array([[1.0, 2.0], [2.0, 1.0]]), names=["a", "b"])
    """
    known = np.ascontiguousarray(values[:, np.isfinite(values).all(axis=0)])
    varies = np.ptp(known, axis=1) > 0 if known.shape[1] else np.zeros(len(known), np.bool_)
    alike: dict[bytes, list[int]] = {}
    for sample in np.flatnonzero(varies):
        alike.setdefault(sha256(known[sample].tobytes()).digest(), []).append(int(sample))
    pairs = [pair for same in alike.values() for pair in combinations(same, 2)]
    for fold in folds:
        crossed = [
            f"{names[a]} and {names[b]}"
            for a, b in pairs
            if (fold.train[a] and fold.test[b]) or (fold.train[b] and fold.test[a])
        ]
        if crossed:
            raise LeakageError(
                f"Fold {fold.name!r} trains on copies of what it tests: the responses of "
                f"{_told(crossed)} are equal to the last bit.",
                mend="Leave the copy out (--run-id, --session-label, or correct the files).",
            )


def check_independence(
    folds: Sequence[Fold], *, runs: Sequence[Hashable], independence: str, how: str
) -> None:
    """Refuse folds within a run for estimates whose noise is correlated within a run.

    Single-trial estimates of one model share its noise: of two overlapping trials, one is
    estimated too high where the other is too low, which a classifier reads as a difference.

    Parameters
    ----------
    folds
        Splits of the same samples.
    runs : (n_samples,)
    independence
        Of the responses: ``run`` asks that no run stands on both sides of a fold.
    how
        What was asked for, for the message: ``decode.folds = "trial"``.

    Raises
    ------
    LeakageError
        If training and test samples of a fold share a run.

    References
    ----------
    Mumford et al. (2014), NeuroImage 103:130, doi:10.1016/j.neuroimage.2014.09.026.
    """
    if independence != "run":
        return
    try:
        check(folds, groups=runs, what="runs")
    except LeakageError as err:
        raise LeakageError(
            f"{how} splits samples within runs, but these are single-trial estimates, whose "
            f"noise is correlated within a run. {err.what}",
            mend='Leave whole runs out (folds = "run"), or use responses.model = "block".',
        ) from None


def ceiling_doubts(
    stimuli: Sequence[str], *, runs: Sequence[Hashable], independence: str
) -> list[str]:
    """Say why noise ceilings of responses are too high, a sentence each; none where they are not.

    Parameters
    ----------
    stimuli : (n_samples,)
        What repeats; "" = nothing known.
    runs : (n_samples,)
    independence
        Of the responses.

    References
    ----------
    Mumford et al. (2014), NeuroImage 103:130, doi:10.1016/j.neuroimage.2014.09.026.

    Examples
    --------
    >>> ceiling_doubts(["a", "a", "b"], runs=["1", "2", "1"], independence="run")
    []
    """
    if independence == "none":
        return [
            "Repeats are not independent: these estimates were denoised or regularized with all "
            "runs in view, so that noise ceilings are too high."
        ]
    if independence != "run":
        return []
    shown = Counter(pair for pair in zip(stimuli, runs, strict=True) if pair[0])
    repeated = {stimulus for (stimulus, _), n in shown.items() if n > 1}
    if not repeated:
        return []
    return [
        f"{len(repeated)} of {len({s for s, _ in shown})} stimuli repeat within a run, whose "
        "estimates share noise: where repeats follow each other closely, noise ceilings are too "
        "high."
    ]
