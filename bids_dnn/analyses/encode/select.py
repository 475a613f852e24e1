"""How each target's penalty is chosen: by generalized cross-validation, leave-one-out or folds.

The first two need one eigendecomposition of the training samples' Gram matrix for all penalties
and targets. They take each training sample for exchangeable with the others: where samples of a
run or session share noise, or two rows show one stimulus, folds that keep them together are the
honest way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.encode.solvers import (
    BATCH,
    Array,
    Values,
    centered_block,
    choose_alpha,
    column_squares,
    cross_validate,
    predict_block,
    predict_fold,
)
from bids_dnn.analyses.encode.spectrum import Spectrum
from bids_dnn.backend import dtype_name, pull, put
from bids_dnn.errors import ConfigError, LeakageError, nearest
from bids_dnn.stats.folds import Fold

Selection = Literal["gcv", "loo", "inner"]
SELECTIONS: tuple[Selection, ...] = ("gcv", "loo", "inner")
SHOWN = 5
# From a spectrum as precise as the responses, and a block of these, in samples and in its
# directions, to the expected squared error of each penalty: (n_alphas, n_block).
Loss = Callable[[Spectrum, Values, Values], Array]


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """What a fold's training samples chose, and what they predict with it.

    Parameters
    ----------
    guess : (n_test, n_targets)
        Less the mean of the training samples, as precise as the responses.
    mean : (n_targets,) float64
        Of the training samples.
    alpha : (n_targets,), squared units of the features
    loss : (n_targets,)
        Expected squared error of that penalty.
    """

    guess: Values
    mean: Array
    alpha: Array
    loss: Array


def choose_and_predict(
    select: Selection,
    found: Spectrum,
    gram: Array,
    y: Values,
    *,
    fold: Fold,
    inner: Sequence[Fold],
    alphas: Array,
    batch: int = BATCH,
) -> Chosen:
    """Choose each target's penalty on the training samples, and predict the test samples.

    With ``gcv`` and ``loo``, responses are brought into the directions of the spectrum once, for
    both.

    Parameters
    ----------
    select
        ``gcv``, ``loo`` or ``inner``: what is least for the penalty that is chosen.
    found
        Of the fold's training samples. Of its principal components, where they are limited,
        ``inner`` learns as many anew in each split; the others take them as they are.
    gram : (n_samples, n_samples)
        Not centered; used by ``inner`` only.
    y : (n_samples, n_targets)
    fold
    inner
        Splits of its training samples; used by ``inner`` only.
    alphas : (n_alphas,), squared units of the features
    batch : int
        Targets worked on at once.

    Raises
    ------
    ConfigError
        If there is no such way to select, or a penalty is not above zero.
    """
    if select not in SELECTIONS:
        raise ConfigError(
            f"encode.select is {select!r}, which does not exist.", mend=nearest(select, SELECTIONS)
        )
    if select == "inner":
        loss = cross_validate(
            gram[np.ix_(fold.train, fold.train)],
            y[fold.train],
            folds=inner,
            alphas=alphas,
            n_components=found.n_components,
            batch=batch,
        )
        alpha = choose_alpha(loss, alphas)
        guess, mean = predict_fold(found, y, fold, alpha=alpha, batch=batch)
        return Chosen(guess, mean, alpha, loss.min(axis=0))
    expected = {"gcv": generalized_loss, "loo": leave_one_out_loss}[select](found, alphas)
    n_targets = y.shape[1]
    guess = np.empty((int(fold.test.sum()), n_targets), dtype=y.dtype)
    mean, alpha, least = np.empty(n_targets), np.empty(n_targets), np.empty(n_targets)
    own = found.cast(dtype_name(y))
    for start in range(0, n_targets, batch):
        where = slice(start, start + batch)
        teach, mean[where] = centered_block(y, fold, where, found)
        z = own.vectors.T @ teach
        loss = expected(own, teach, z)
        alpha[where], least[where] = choose_alpha(loss, alphas), loss.min(axis=0)
        guess[:, where] = predict_block(own, z, alpha[where])
    return Chosen(guess, mean, alpha, least)


def generalized_loss(found: Spectrum, alphas: Array) -> Loss:
    """Return what gives the generalized cross-validation error of blocks of targets.

    With m = n_train - 1 dimensions about the mean, of which a penalty leaves d free,
    ``(RSS / m) / (1 - d / m)^2``. The mean is fitted without a penalty, so that its direction
    belongs neither to the spectrum nor to m; counted as one more dimension that is never
    fitted, it would let the smallest penalty win by a residual of zero.

    Parameters
    ----------
    found
        Of the training samples.
    alphas : (n_alphas,), squared units of the features

    Returns
    -------
    loss
        See `Loss`; squared units of the responses.

    References
    ----------
    Golub, Heath & Wahba (1979), Technometrics 21:215, doi:10.1080/00401706.1979.10489751.
    """
    m = len(found.vectors) - 1
    kept = shares_kept_back(found, alphas)  # (n_alphas, rank)
    freedom = np.maximum(1 - found.degrees_of_freedom(alphas) / m, np.finfo(np.float64).tiny)
    is_whole = len(found.values) >= m  # no response lies outside of the features

    def loss(_: Spectrum, teach: Values, z: Values) -> Array:
        weights = put(kept**2, z, dtype=dtype_name(z))
        power = z**2  # (rank, n_block)
        residual = pull(weights @ power).astype(np.float64)
        if not is_whole:
            total = pull(column_squares(teach)).astype(np.float64)
            inside = pull(power.sum(axis=0)).astype(np.float64)
            residual += np.maximum(total - inside, 0.0)
        made: Array = residual / m / freedom[:, None] ** 2
        return made

    return loss


def leave_one_out_loss(found: Spectrum, alphas: Array) -> Loss:
    """Return what gives the mean squared error of samples left out in turn, exactly.

    The residual of a sample that is left out is its residual in the fit of all, divided by
    one less its leverage; the mean is fitted anew each time.

    Parameters
    ----------
    found
        Of the training samples.
    alphas : (n_alphas,), squared units of the features

    Returns
    -------
    loss
        See `Loss`; squared units of the responses.

    References
    ----------
    Allen (1974), Technometrics 16:125, doi:10.1080/00401706.1974.10489157.
    """
    n = len(found.vectors)
    kept = shares_kept_back(found, alphas)  # (n_alphas, rank)
    scale = 1 / np.maximum(freedom_of_samples(found, alphas), np.finfo(np.float64).eps)

    def loss(own: Spectrum, teach: Values, z: Values) -> Array:
        outside = teach - own.vectors @ z if len(found.values) < n - 1 else None
        made = np.empty((len(kept), z.shape[1]))
        for a, (share, weight) in enumerate(zip(kept, scale, strict=True)):
            left, freed = (put(one, z, dtype=dtype_name(z))[:, None] for one in (share, weight))
            residual = own.vectors @ (left * z)  # no difference of what is almost equal
            residual = residual if outside is None else residual + outside
            made[a] = pull(column_squares(residual * freed)) / n
        return made

    return loss


def freedom_of_samples(found: Spectrum, alphas: Array) -> Array:
    """Return one less the leverage of each training sample under each penalty.

    Parameters
    ----------
    found
        Of the training samples.
    alphas : (n_alphas,), squared units of the features

    Returns
    -------
    freedom : (n_alphas, n_train), in [0, 1)
        The mean is fitted, too.
    """
    fitted = 1 - shares_kept_back(found, alphas)
    made: Array = 1 - 1 / len(found.vectors) - fitted @ pull(found.vectors**2).T
    return made


def shares_kept_back(found: Spectrum, alphas: Array) -> Array:
    """Return the share of each dimension that each penalty leaves in the residual.

    Parameters
    ----------
    found
    alphas : (n_alphas,), squared units of the features

    Returns
    -------
    shares : (n_alphas, rank), in (0, 1)
        ``a / (s + a)``.
    """
    a = np.asarray(alphas, dtype=np.float64)[:, None]
    made: Array = a / (pull(found.values) + a)
    return made


def edges_of(alpha: Array, alphas: Array) -> NDArray[np.int8]:
    """Tell which chosen penalties are the smallest or largest that were offered.

    Parameters
    ----------
    alpha : (n_targets,)
        Chosen.
    alphas : (n_alphas,)
        Offered.

    Returns
    -------
    edges : (n_targets,)
        -1 = the smallest, 1 = the largest, 0 = between, or where only one was offered.

    Examples
    --------
    >>> edges_of(np.array([0.1, 1.0, 10.0]), np.array([0.1, 1.0, 10.0])).tolist()
    [-1, 0, 1]
    """
    if len(alphas) < 2:
        return np.zeros(len(alpha), dtype=np.int8)
    made: NDArray[np.int8] = (alpha >= max(alphas)).astype(np.int8) - (
        alpha <= min(alphas)
    ).astype(np.int8)
    return made


def check_exchangeable(select: Selection, stimuli: Sequence[Hashable]) -> None:
    """Refuse leave-one-out and generalized cross-validation where rows repeat a stimulus.

    The row that is left out would be predicted from its own repeat.

    Parameters
    ----------
    select
    stimuli : (n_samples,)
        Of each row.

    Raises
    ------
    LeakageError
        If a stimulus stands in several rows and `select` leaves out single rows.
    """
    if select == "inner":
        return
    twice = [name for name, count in Counter(stimuli).items() if count > 1]
    if twice:
        shown = ", ".join(map(str, twice[:SHOWN]))
        raise LeakageError(
            f"{len(twice)} stimuli stand in several rows, such as {shown}, so that {select!r} "
            "would predict one row from the other.",
            mend='Average over repeats first, or choose on folds of stimuli (select = "inner").',
        )
