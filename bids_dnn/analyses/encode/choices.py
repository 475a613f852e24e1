"""What can be chosen of an encoding model, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.encode.select import SELECTIONS
from bids_dnn.errors import ConfigError, nearest

Select = Literal["auto", "gcv", "loo", "inner"]
FEWEST_UNITS = 3  # of a pattern: of two, r is 1 or -1
Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
CEILINGS = ("ncsnr", "split-half", "fev")


@dataclass(frozen=True, slots=True)
class UnitChoice:
    """How units are chosen by their scores on training images.

    Parameters
    ----------
    top : int, at least `FEWEST_UNITS`
        This many of a region, those of the highest scores; None = no limit.
    above : float, in [-1, 1)
        Those whose r is above it; None = whatever it is.
    percent : float, in (0, 100]
        This share of a region's units that have a score, those of the highest scores, and
        `FEWEST_UNITS` at least; None = no limit.

    Raises
    ------
    ConfigError
        If several or none are given, or one is out of range.
    """

    top: int | None = None
    above: float | None = None
    percent: float | None = None

    def __post_init__(self) -> None:
        told = f"top = {self.top}, above = {self.above}, percent = {self.percent}"
        if [self.top, self.above, self.percent].count(None) != 2:
            raise ConfigError(
                f"units is {{ {told} }}; one is needed.",
                mend="Type units = { top = 500 }, { percent = 10 } or { above = 0.1 }.",
            )
        is_too_few = self.top is not None and self.top < FEWEST_UNITS
        is_share = self.percent is None or 0 < self.percent <= 100
        if is_too_few or not is_share or not -1 <= (self.above or 0) < 1:
            raise ConfigError(
                f"units is {{ {told} }}: top is a number from {FEWEST_UNITS}, above a correlation "
                "from -1 to below 1, percent lies above 0 and up to 100.",
                mend="Type units = { top = 500 }, { percent = 10 } or { above = 0.1 }.",
            )

    def choose(self, r: Array) -> Mask:
        """Return which units of a region are taken.

        Parameters
        ----------
        r : (n_units,)
            Scores on training images; units without one (NaN) are not taken. Of equal scores at
            the border, the first are taken.

        Examples
        --------
        >>> UnitChoice(top=3).choose(np.array([0.1, np.nan, 0.3, 0.0, 0.2])).tolist()
        [True, False, True, False, True]
        >>> int(UnitChoice(percent=50).choose(np.arange(9.0)).sum())
        5
        """
        known = np.isfinite(r)
        if self.above is not None:
            return np.asarray(known & (np.where(known, r, -np.inf) > self.above))
        n = self.top
        if self.percent is not None:
            n = max(FEWEST_UNITS, int(np.ceil(self.percent / 100 * known.sum())))
        order = np.argsort(-np.where(known, r, -np.inf), kind="stable")[:n]
        taken = np.zeros(len(r), dtype=np.bool_)
        taken[order] = True
        return taken & known


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """The settings of [encode], by name.

    Parameters
    ----------
    n_folds : int
        Outer folds of stimuli; not used where `split` is given.
    n_inner : int, at least 2
        Inner folds, on which penalties are chosen where `select` says so.
    alphas
        Penalties, as multiples of the mean diagonal of the centered training Gram matrix; None =
        those that the spectrum asks for.
    select
        How penalties are chosen (see `select`); ``auto`` = generalized cross-validation where
        the noise of any two samples is independent, else inner folds.
    split
        ``train`` or ``test`` of each stimulus, in place of folds; stimuli that have neither are
        left out. None = folds.
    ceiling
        ``ncsnr``, ``split-half`` or ``fev``.
    floor : float, in [0, 1)
        Reliability (share of signal in the variance of what is tested) below which a unit has
        no normalized score.
    n_permutations : int, at least 1
    seed
        The same seed gives the same table.
    nuisance
        Numeric columns of the sample table, regressed out of the responses within each fold.
    estimators
        Names of `estimators.ESTIMATORS`.
    spaces
        What a feature space of banded ridge is: each layer, or all layers of a network.
    n_candidates : int, at least 1
        Sets of weights of feature spaces that banded ridge tries.
    is_partitioned
        Whether banded ridge divides the variance into unique and shared parts.
    n_settings : int, at least 1
        Sets of penalties that readouts try, by successive halving within training stimuli.
    loss
        Of readouts.
    pls_scale
        Whether partial least squares divides features and responses by their SD over the
        training stimuli.
    units
        Which units make up the patterns by which images are identified; None = all.
    stimulus_deg : degrees
        Side of the square that the network sees, for the places of receptive fields; None =
        they are told in shares of it.

    Raises
    ------
    ConfigError
        If a name does not exist, or a number is out of its range.
    """

    n_folds: int
    n_inner: int
    alphas: tuple[float, ...] | None
    select: Select
    ceiling: str
    floor: float
    n_permutations: int
    seed: int
    nuisance: tuple[str, ...] = ()
    estimators: tuple[str, ...] = ("ridge",)
    spaces: Literal["layer", "network"] = "layer"
    n_candidates: int = 100
    is_partitioned: bool = False
    n_settings: int = 8
    loss: Literal["gaussian", "poisson"] = "gaussian"
    pls_scale: bool = False
    stimulus_deg: float | None = None
    split: Mapping[str, str] | None = None
    units: UnitChoice | None = None

    def __post_init__(self) -> None:
        if self.select not in ("auto", *SELECTIONS):
            raise ConfigError(
                f"encode.select is {self.select!r}, which does not exist.",
                mend=nearest(self.select, ("auto", *SELECTIONS)),
            )
        if self.ceiling not in CEILINGS:
            raise ConfigError(
                f"encode.ceiling is {self.ceiling!r}, which does not exist.",
                mend=nearest(self.ceiling, CEILINGS),
            )
        is_grid = self.alphas is None or (len(self.alphas) > 0 and min(self.alphas) > 0)
        if not is_grid or self.n_permutations < 1:
            raise ConfigError(
                f"encode.alphas is {list(self.alphas or ())}, with {self.n_permutations} "
                "permutations; all must be above zero.",
                mend="Set them under [encode] in analysis.toml.",
            )
        if not 0 <= self.floor < 1:
            raise ConfigError(
                f"encode.floor is {self.floor}; it is a share of variance, from 0 to below 1.",
                mend="Set floor = 0.05 under [encode] in analysis.toml, or leave it out.",
            )
