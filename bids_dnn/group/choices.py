"""What is asked of the group."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from bids_dnn.errors import ConfigError, nearest

Test = Literal["sign-flip", "t", "wilcoxon", "mixed", "prevalence"]
Correction = Literal["fdr", "max", "tfce", "none"]
TESTS: tuple[Test, ...] = get_args(Test)
CORRECTIONS: tuple[Correction, ...] = get_args(Correction)
NO_COVARIATES = ("wilcoxon", "mixed")
BESIDE = ("mixed", "prevalence")  # which have columns of their own, and are not corrected
STRONGER = ("max", "tfce")  # corrections by the largest of each flip
ROUNDING = 1e-6
ALPHA = 0.05  # of prevalence (within participants, and of its bounds), and of named layers


@dataclass(frozen=True, slots=True)
class Choices:
    """The settings of the group level.

    Parameters
    ----------
    tests
        ``sign-flip`` gives ``p`` and ``p_floor``, ``t`` gives ``p_t``, ``wilcoxon`` gives
        ``p_wilcoxon``; ``mixed`` fits scores of sessions; ``prevalence`` bounds and estimates
        how many have an effect.
    correct
        How p of the first of `tests` is corrected over a family: ``fdr``, ``max`` (the largest
        t of each flip), ``tfce`` (in maps of voxels or vertices the largest enhanced t, else as
        ``max``) or ``none``.
    contrasts
        As `contrasts.parse_contrast` reads them.
    covariates
        Columns of participants.tsv that hold numbers.
    n_flips : int
        Of ``tfce``, and of clusters of contrasts of maps.
    seed
        Of random flips, exchanges and combinations.
    p_unit : in (0, 1)
        A unit of a searchlight is part of a cluster where its score is as rare by chance, or a
        contrast's t under a t test.
    n_maps : int
        Chance maps of the group, against which clusters are compared.

    Raises
    ------
    ConfigError
        If there is no such test or correction, or two settings exclude each other.
    """

    tests: tuple[str, ...] = ("sign-flip", "t")
    correct: str = "fdr"
    contrasts: tuple[str, ...] = ()
    covariates: tuple[str, ...] = ()
    n_flips: int = 1000
    seed: int = 0
    p_unit: float = 0.001
    n_maps: int = 10_000

    def __post_init__(self) -> None:
        for test in self.tests:
            if test not in TESTS:
                raise ConfigError(f"There is no group test {test!r}.", mend=nearest(test, TESTS))
        if self.correct not in CORRECTIONS:
            raise ConfigError(
                f"There is no correction {self.correct!r}.",
                mend=nearest(self.correct, CORRECTIONS),
            )
        if self.correct in STRONGER and self.first_test != "sign-flip":
            raise ConfigError(
                f"group.correct is {self.correct!r}, and group.tests is {list(self.tests)}: the "
                "largest t is one of flipped signs.",
                mend="Put 'sign-flip' first, or take correct = 'fdr'.",
            )
        if (fewest := math.ceil(1 / self.p_unit - ROUNDING) - 1) > self.n_maps:
            raise ConfigError(
                f"group.p_unit is {self.p_unit:g}, and of group.n_maps = {self.n_maps} chance "
                "maps none can be as rare.",
                mend=f"Set n_maps = {fewest} or more.",
            )
        unable = [name for name in self.tests if name in NO_COVARIATES]
        if self.covariates and unable:
            raise ConfigError(
                f"group.covariates is {list(self.covariates)}, which the test {unable[0]!r} "
                "cannot take.",
                mend=f"Leave out {unable[0]!r}, or covariates.",
            )

    @property
    def first_test(self) -> str:
        """The test whose p is corrected; "" where there is none."""
        return next((name for name in self.tests if name not in BESIDE), "")
