"""What can be chosen of decoding, as one value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bids_dnn.analyses.decode.classifiers.choice import Classifier, candidates
from bids_dnn.analyses.decode.prepare import Preparation
from bids_dnn.errors import ConfigError

Metric = Literal["auto", "accuracy", "balanced_accuracy", "auc", "dprime"]
Balance = Literal["none", "weights", "subsample"]
Correction = Literal["max", "fdr"]
Interval = Literal["t", "bootstrap"]
Regressor = Literal["ridge", "svr"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """The settings of [decode], by name.

    Parameters
    ----------
    comparisons
        See `comparisons.parse`.
    classifier
        Costs are for voxels of unit variance on average where the responses are ``beta`` or
        ``psc``, as they are otherwise.
    search
        Values of parameters that are tried in inner folds, by name; none = no search.
    preparation
        What is done to patterns within folds.
    folds
        Column of the sample table whose values are left out in turn.
    n_folds : at least 2
        So many groups of these values are left out in turn; None = each value.
    average : at least 1
        Trials of a condition and run that make a sample.
    balance
        ``weights`` = sides count alike; ``subsample`` = as many trials of each side and run.
    metric
        ``auto`` = accuracy, balanced where sides have different numbers of samples.
    interval
        ``t`` = corrected resampled t interval; ``bootstrap`` = over what folds leave out.
    correct
        ``max`` = maximum statistic, ``fdr`` = false discovery rate, over all regions and
        comparisons.
    n_permutations : int, at least 1
    seed
        The same seed gives the same table; a comparison's numbers do not depend on which others
        are asked for, but for `p_corrected` and `p_fdr`.
    nuisance
        Numeric columns of the sample table, or feature spaces, regressed out of the responses
        within each fold.
    baseline
        Numeric columns of the sample table, or feature spaces, that are decoded from alone,
        beside the score.
    n_components : at least 1
        Principal components of a feature space, learnt on the training samples of each fold;
        fewer where these allow less than one for every `covariates.SAMPLES_EACH`.
    targets
        Numeric columns of the sample table that are predicted from patterns.
    regressor
        By what: ridge regression with `Classifier.alpha`, or support vector regression with
        `Classifier.c`.
    has_patterns
        Whether activation patterns are mapped.
    apart
        Column of the sample table whose values are scored apart, too, where there are several.

    Raises
    ------
    ConfigError
        If `n_permutations`, `average`, `n_components` or `n_folds` is too small, `correct` is
        empty, or a parameter cannot be searched for.
    """

    comparisons: tuple[str, ...]
    n_permutations: int
    seed: int
    classifier: Classifier = field(default_factory=Classifier)
    search: dict[str, tuple[float, ...]] = field(default_factory=dict)
    preparation: Preparation = field(default_factory=Preparation)
    folds: str = "run"
    n_folds: int | None = None
    average: int = 1
    balance: Balance = "none"
    metric: Metric = "auto"
    interval: Interval = "t"
    correct: tuple[Correction, ...] = ("max", "fdr")
    nuisance: tuple[str, ...] = ()
    baseline: tuple[str, ...] = ()
    n_components: int = 10
    targets: tuple[str, ...] = ()
    regressor: Regressor = "ridge"
    has_patterns: bool = False
    apart: str = "session"

    def __post_init__(self) -> None:
        least = {"n_permutations": 1, "average": 1, "n_components": 1}
        if self.n_folds is not None:
            least["n_folds"] = 2
        for name, number in least.items():
            if getattr(self, name) < number:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}; it must be at least {number}.",
                    mend="Set it under [decode] in analysis.toml.",
                )
        if not self.correct:
            raise ConfigError(
                "correct names no way to correct p.", mend='Type correct = ["max", "fdr"].'
            )
        self.candidates()

    @property
    def left_out(self) -> str:
        """What a fold leaves out, in words: ``run``, or ``2 groups of run``."""
        return self.folds if self.n_folds is None else f"{self.n_folds} groups of {self.folds}"

    def candidates(self) -> tuple[Classifier, ...]:
        """Return the classifiers that inner folds choose from; one where there is no search."""
        return tuple(candidates(self.classifier, self.search))
