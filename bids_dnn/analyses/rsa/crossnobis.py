"""Distances of patterns that do not grow with noise: across runs, noise normalized."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.rdm import Rdm
from bids_dnn.errors import NotEnoughDataError, ShapeError

Array = NDArray[np.float64]
Texts = Sequence[str]
LEAST_RUNS = 2
LEAST_SHRINKAGE = 1e-4  # of the covariance towards a scaled identity, so that it has an inverse


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """The samples of each item in each run that shows all items.

    Parameters
    ----------
    items : n_items
        Names.
    runs : n_runs
        Those that show all items.
    cells : (n_runs, n_items) of samples
    df : int
        Samples of these runs, less one for each item and run: what noise is known by.
    """

    items: tuple[str, ...]
    runs: tuple[str, ...]
    cells: tuple[tuple[NDArray[np.intp], ...], ...]
    df: int

    def means(self, values: NDArray[np.floating]) -> Array:
        """Average samples within items and runs.

        Parameters
        ----------
        values : (n_samples, n_units)

        Returns
        -------
        means : (n_runs * n_items, n_units)
            All items of a run, then those of the next.
        """
        rows = [values[own].mean(axis=0, dtype=np.float64) for run in self.cells for own in run]
        return np.stack(rows)

    def residuals(self, values: NDArray[np.floating]) -> Array:
        """Return what differs between the samples of one item and run.

        Parameters
        ----------
        values : (n_samples, n_units)

        Returns
        -------
        residuals : (n_residuals, n_units)
            Independent of the means where noise is Gaussian; none where each item is shown once
            in a run.
        """
        made = [
            values[own] - values[own].mean(axis=0, dtype=np.float64)
            for run in self.cells
            for own in run
            if len(own) > 1
        ]
        return np.concatenate(made) if made else np.empty((0, values.shape[1]))


def parts_of(items: Texts, runs: Texts) -> Parts:
    """Find the runs that show all items.

    Parameters
    ----------
    items, runs : n_samples
        Names; samples of the item "" are left out.

    Raises
    ------
    ShapeError
        If they have different lengths.
    NotEnoughDataError
        If fewer than two runs show all items.
    """
    what, where = np.asarray(items, dtype=object), np.asarray(runs, dtype=object)
    if what.shape != where.shape:
        raise ShapeError(
            f"There are {len(what)} items and {len(where)} runs.",
            mend="Give one of each a sample.",
        )
    names = sorted({str(one) for one in what} - {""})
    shown = sorted({str(one) for one in where[what != ""]})
    cells = [[np.flatnonzero((where == run) & (what == one)) for one in names] for run in shown]
    whole = [k for k, own in enumerate(cells) if all(len(rows) for rows in own)]
    if len(whole) < LEAST_RUNS or len(names) < LEAST_RUNS:
        raise NotEnoughDataError(
            f"{len(whole)} of {len(shown)} runs show all of {len(names)} items, and crossnobis "
            "distances are between patterns of two runs.",
            mend='Compare conditions (items = "condition"), or take distance = "correlation".',
        )
    used = [tuple(cells[k]) for k in whole]
    df = sum(len(rows) - 1 for own in used for rows in own)
    return Parts(tuple(names), tuple(shown[k] for k in whole), tuple(used), df)


def crossnobis_rdm(
    values: NDArray[np.floating],
    items: Texts,
    runs: Texts,
    *,
    covariance: Array | None = None,
) -> Rdm:
    """Compare each pair of items by their distance across runs, in units of noise.

    The difference of two items in one run is multiplied with that in another, so that noise,
    which is independent between runs, is zero on average: a distance is zero, or below, where
    items do not differ. Differences are divided by the noise covariance of units.

    Parameters
    ----------
    values : (n_samples, n_units)
        Measured in all samples.
    items, runs : n_samples
        Names; samples of the item "", and runs without some item, are left out.
    covariance : (n_units, n_units)
        Of the noise; None = what differs within items and runs, shrunk (`noise_covariance`), or,
        where each item is shown once in a run, the identity.

    Returns
    -------
    rdm
        Squared distances over the number of units.

    Raises
    ------
    NotEnoughDataError
        If fewer than two runs show all items.
    ShapeError
        If lengths do not fit.

    References
    ----------
    Walther et al. (2016), NeuroImage 137:188, doi:10.1016/j.neuroimage.2015.12.012.
    Ledoit & Wolf (2004), J. Multivar. Anal. 88:365, doi:10.1016/S0047-259X(03)00096-4.

    Examples
    --------
    >>> x = np.array([[0.0, 1.0], [3.0, 1.0], [0.0, 1.0], [1.0, 1.0]])
    >>> crossnobis_rdm(x, ["a", "b", "a", "b"], ["1", "1", "2", "2"]).values
    array([1.5])
    """
    parts = parts_of(items, runs)
    if len(values) != len(items):
        raise ShapeError(
            f"values have shape {values.shape}, but there are {len(items)} items.",
            mend="Give one row a sample.",
        )
    means, n_units = parts.means(values), values.shape[1]
    if covariance is None and parts.df:
        rest = parts.residuals(values).T[None]
        covariance = noise_covariance(rest, np.array([n_units]), df=parts.df)[0]
    whole = None if covariance is None else np.asarray(covariance)[None]
    made = crossed_distances(means.T[None], len(parts.runs), covariance=whole)[0]
    pairs = made[~np.tri(len(made), dtype=bool)] / n_units
    return Rdm(pairs, parts.items, "crossnobis")


def crossed_distances(means: Array, n_runs: int, *, covariance: Array | None = None) -> Array:
    """Multiply differences of items between all pairs of runs, for several sets of units.

    Parameters
    ----------
    means : (n_sets, n_units, n_runs * n_items)
        As `Parts.means`; zero where a set has fewer units.
    n_runs
    covariance : (n_sets, n_units, n_units)
        Of the noise; None = the identity.

    Returns
    -------
    distances : (n_sets, n_items, n_items)
        Squared, summed over units.
    """
    n_sets, n_units, n = means.shape
    divided = means if covariance is None else np.linalg.solve(covariance, means)
    split = (n_sets, n_units, n_runs, n // n_runs)
    own, other = means.reshape(split), divided.reshape(split)
    total = own.sum(axis=2).mT @ other.sum(axis=2)  # all pairs of runs
    within = sum(own[:, :, k].mT @ other[:, :, k] for k in range(n_runs))
    crossed = (total - within) / (n_runs * (n_runs - 1))
    power = np.diagonal(crossed, axis1=1, axis2=2)
    made: Array = power[:, :, None] + power[:, None] - crossed - crossed.mT
    return made


def noise_covariance(residuals: Array, n_units: NDArray[np.integer], *, df: int) -> Array:
    """Estimate the covariance of noise between units, shrunk towards a scaled identity.

    Parameters
    ----------
    residuals : (n_sets, widest, n_residuals)
        As `Parts.residuals`, of several sets of units; zero where a set has fewer units.
    n_units : (n_sets,)
        Of each set.
    df
        Degrees of freedom of the residuals.

    Returns
    -------
    covariance : (n_sets, widest, widest)
        ``(1 - l) S + l m I``, with l as Ledoit & Wolf estimate it and m the mean variance; one in
        the diagonal, and zero beside it, for units that a set does not have, or that do not vary.

    References
    ----------
    Ledoit & Wolf (2004), J. Multivar. Anal. 88:365, doi:10.1016/S0047-259X(03)00096-4.
    """
    n = residuals.shape[2]
    counts = np.maximum(n_units, 1).astype(np.float64)
    products = residuals @ residuals.mT / n
    diagonal = np.einsum("spp->sp", products)
    mean = diagonal.sum(axis=1) / counts
    size = (products**2).sum(axis=(1, 2))
    fourth = (np.einsum("spk,spk->sk", residuals, residuals) ** 2).sum(axis=1) / n
    noise, rest = (fourth - size) / n, size - mean**2 * counts
    share = np.divide(noise, rest, out=np.ones_like(noise), where=rest > 0)
    weight = np.clip(share, LEAST_SHRINKAGE, 1.0)[:, None]
    made: Array = products * (1 - weight)[:, :, None]
    there = diagonal > 0
    np.einsum("spp->sp", made)[:] += np.where(there, weight * mean[:, None], df / n)
    made *= n / df
    return made
