"""What is done to the patterns of a fold before they are classified."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_selection import f_classif

from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.errors import ConfigError
from bids_dnn.stats.folds import Fold
from bids_dnn.stats.kernels import VARIES, principal, spread_of
from bids_dnn.stats.nuisance import removal

Array = NDArray[np.float64]
Codes = NDArray[np.integer[Any]]
Gram = NDArray[np.float64]
Mask = NDArray[np.bool_]
BLOCK = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """What is done to patterns, in this order; all of it is learnt on training samples.

    Parameters
    ----------
    is_standardized
        Each unit is divided by its SD over the training samples.
    is_blank
        The mean pattern of each run, over the samples of the comparison, is taken out of it
        ("cocktail blank").
    anova : at least 1
        So many units are kept, those whose means differ most between the sides (largest F).
    is_whitened
        Patterns are divided by the root of the covariance within sides, shrunk as Ledoit & Wolf.
    pca : at least 1
        So many principal components are kept.

    Raises
    ------
    ConfigError
        If `anova` or `pca` is below 1.
    """

    is_standardized: bool = False
    is_blank: bool = False
    anova: int | None = None
    is_whitened: bool = False
    pca: int | None = None

    def __post_init__(self) -> None:
        for name in ("anova", "pca"):
            told = getattr(self, name)
            if told is not None and told < 1:
                raise ConfigError(
                    f"{name} is {told}; at least 1 is needed.",
                    mend=f"Set decode.{name} in analysis.toml, or leave it out.",
                )

    @property
    def needs_labels(self) -> bool:
        """Whether patterns depend on who is labeled what, and not only on who is labeled."""
        return self.anova is not None or self.is_whitened

    @property
    def is_late(self) -> bool:
        """Whether patterns depend on labels in any way."""
        return self.is_blank or self.needs_labels


@dataclass(frozen=True, slots=True, eq=False)
class Patterns:
    """The patterns of all samples in a fold, before anything depends on labels.

    Parameters
    ----------
    gram : (n, n)
        Inner products.
    values : (n, n_units)
        None where only inner products are needed.
    n_units
    runs : (n,) intp
    train : (n,) bool
    base : (n, n)
        Inner products that are those of `gram` but for a factor, where other folds have the same;
        None = they have their own.
    factor
        `gram` is so many times `base`.
    """

    gram: Gram
    values: Array | None
    n_units: int
    runs: Codes
    train: Mask
    base: Gram | None = None
    factor: float = 1.0

    def labeled(self, codes: Codes, is_part: Mask, how: Preparation) -> tuple[Gram, int]:
        """Finish what depends on labels; returns the Gram matrix, and of how many units.

        Parameters
        ----------
        codes : (n,)
            Side of each sample that teaches; -1 = it does not.
        is_part : (n,) bool
            Whether it teaches or is tested.
        how
        """
        if not how.is_late:
            return self.gram, self.n_units
        gram, n_units = self.gram, self.n_units
        own = self.train & (codes >= 0)
        if how.anova is not None and self.values is not None:
            is_blank = how.is_blank
            values = _blank(self.runs, is_part) @ self.values if is_blank else self.values
            best = _highest_f(values[own], codes[own], how.anova)
            gram, n_units = linear_gram(values[:, best]), len(best)
        elif how.is_blank:
            gram = blanked(gram, self.runs, is_part)
        if how.is_whitened:
            gram = whitened(gram, codes, own, n_units)
        if how.pca is not None:
            gram = principal(gram, own, how.pca)
        return gram, n_units


def linear_gram(values: NDArray[np.floating]) -> Gram:
    """Return the inner products of samples, summed in double precision.

    Parameters
    ----------
    values : (n_samples, n_units)

    Returns
    -------
    gram : (n_samples, n_samples)
    """
    gram = np.zeros((len(values), len(values)))
    for start in range(0, values.shape[1], BLOCK):
        block = values[:, start : start + BLOCK].astype(np.float64, copy=False)
        gram += block @ block.T
    return gram


def patterns_of(
    values: NDArray[np.float32],
    fold: Fold,
    *,
    runs: Codes,
    how: Preparation,
    nuisance: Array,
    is_scaled: bool,
    gram: Gram | None = None,
) -> Patterns:
    """Prepare what does not depend on labels: nuisance, standardization, scale, components.

    Parameters
    ----------
    values : (n, n_units)
    fold
    runs : (n,) intp
    how
    nuisance : (n, n_nuisance)
        Regressed out, with slopes learnt on the training samples.
    is_scaled
        Responses are of an arbitrary unit: they are multiplied by one number, so that the
        variance of units over the training samples is one on average.
    gram : (n, n)
        Inner products of `values`, where they are known already.
    """
    clean = removal(nuisance, fold.train) if nuisance.shape[1] else None
    needs_values = how.is_standardized or how.anova is not None
    base, factor = None if needs_values or clean is not None or how.pca else gram, 1.0
    kept: Array | None = None
    if needs_values:
        kept = values.astype(np.float64) if clean is None else clean @ values
        if how.is_standardized:
            sd = kept[fold.train].std(axis=0)
            varies = sd > VARIES * np.abs(kept[fold.train]).max(axis=0)
            kept = kept / np.where(varies, sd, 1.0)
            kept[:, ~varies] = 0
        gram = linear_gram(kept)
    else:
        gram = linear_gram(values) if gram is None else gram
        gram = gram if clean is None else clean @ gram @ clean.T
    if is_scaled:
        spread = float(spread_of(gram[np.ix_(fold.train, fold.train)]))
        factor = float(values.shape[1] / (spread or values.shape[1]))
        gram = factor * gram
        kept = None if kept is None else np.sqrt(factor) * kept
    if how.pca is not None and not how.is_late:
        gram = principal(gram, fold.train, how.pca)
    return Patterns(
        gram,
        kept if how.anova is not None else None,
        values.shape[1],
        runs,
        fold.train,
        base,
        factor,
    )


def blanked(gram: Gram, runs: Codes, is_part: Mask) -> Gram:
    """Take the mean pattern of each run out of it, over some samples ("cocktail blank").

    Parameters
    ----------
    gram : (n, n)
    runs : (n,) intp
    is_part : (n,) bool
        The samples over which means are taken.

    Returns
    -------
    gram : (n, n)
        Zero where a sample is no part.

    Examples
    --------
    >>> x = np.array([[1.0], [3.0], [7.0]])
    >>> blanked(x @ x.T, np.array([0, 0, 0]), np.array([True, True, False])).tolist()
    [[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    rows = np.flatnonzero(is_part)
    _, places, sizes = np.unique(runs[rows], return_inverse=True, return_counts=True)
    alike = np.zeros((len(rows), len(sizes)))
    alike[np.arange(len(rows)), places] = 1
    own = gram[np.ix_(rows, rows)]
    own = own - alike @ ((alike.T @ own) / sizes[:, None])
    own -= ((own @ alike) / sizes) @ alike.T
    made = np.zeros_like(gram, dtype=np.float64)
    made[np.ix_(rows, rows)] = own
    return made


def whitened(gram: Gram, codes: Codes, train: Mask, n_units: int) -> Gram:
    """Divide patterns by the root of the covariance within sides, learnt on training samples.

    Parameters
    ----------
    gram : (n, n)
    codes : (n,)
        Side of each sample.
    train : (n,) bool
        Samples that teach; each with a side.
    n_units
        Units that the inner products sum over.

    Returns
    -------
    gram : (n, n)
        ``X S^-1 X'`` with ``S = (1 - l) R'R / n_train + l m I`` of the residuals R of the training
        samples from the means of their sides; l as Ledoit & Wolf estimate it, m the mean variance.

    References
    ----------
    Ledoit & Wolf (2004), J. Multivar. Anal. 88:365, doi:10.1016/S0047-259X(03)00096-4.
    Walther et al. (2016), NeuroImage 137:188, doi:10.1016/j.neuroimage.2015.12.012.
    """
    own = np.flatnonzero(train)
    sides = codes[own][:, None] == np.unique(codes[own])  # (n_train, n_sides)
    means = sides / sides.sum(axis=0)
    maker = np.eye(len(own)) - sides @ means.T  # takes the means of sides out
    seen = gram[:, own] @ maker.T  # (n, n_train): patterns with residuals
    inner = maker @ seen[own]
    n = len(own)
    mean = float(np.trace(inner)) / n / n_units
    if mean <= 0:
        return gram
    size = float((inner**2).sum()) / n**2
    rest = size - mean**2 * n_units
    noise = (float((np.diagonal(inner) ** 2).sum()) / n - size) / n
    weight = float(np.clip(noise / rest, 1e-4, 1.0)) if rest > 0 else 1.0
    added = weight * mean
    if weight == 1.0:
        return gram / added
    inner = inner + np.eye(n) * (n * added / (1 - weight))
    made: Gram = (gram - seen @ np.linalg.solve(inner, seen.T)) / added
    return (made + made.T) / 2


def kernel_of(gram: Gram, classifier: Classifier, n_units: int) -> Gram:
    """Return what a classifier takes inner products for: of radial basis functions, their values.

    Parameters
    ----------
    gram : (n, n)
    classifier, n_units
    """
    if classifier.kind != "svm-rbf":
        return gram
    diagonal = np.diagonal(gram)
    distance = diagonal[:, None] + diagonal - 2 * gram
    made: Gram = np.exp(-classifier.gamma / n_units * np.maximum(distance, 0))
    return made


def _blank(runs: Codes, is_part: Mask) -> Array:
    """Return the matrix that takes the mean over the comparison's samples out of each run."""
    alike = (runs[:, None] == runs) & is_part
    made: Array = np.eye(len(runs)) - alike / np.maximum(alike.sum(axis=1, keepdims=True), 1)
    return made


def _highest_f(values: Array, codes: Codes, n: int) -> Codes:
    """Return the `n` units whose F is largest; those that do not vary come last."""
    if len(np.unique(codes)) < 2:
        return np.arange(min(n, values.shape[1]))
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Features .* are constant")
        f = f_classif(values, codes)[0]
    order = np.argsort(-np.where(np.isnan(f), -1.0, f), kind="stable")
    return np.sort(order[:n])
