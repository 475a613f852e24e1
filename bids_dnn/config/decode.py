"""The settings of decoding."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from bids_dnn.config.section import Section


class UnitsConfig(Section):
    """Which units make up patterns, by their r on training stimuli."""

    top: int | None = Field(
        None, ge=3, description="So many of a region, those that are predicted best."
    )
    percent: float | None = Field(
        None, gt=0, le=100, description="This share of a region's, those that are predicted best."
    )
    above: float | None = Field(None, ge=-1, lt=1, description="Those whose r is above it.")

    @model_validator(mode="after")
    def _is_one(self) -> UnitsConfig:
        if [self.top, self.percent, self.above].count(None) != 2:
            raise ValueError("units takes top, percent or above; type units = { top = 500 }")
        return self


class DecodeConfig(Section):
    """Multivariate pattern analysis."""

    comparisons: tuple[str, ...] = Field(
        ("pairs", "all"),
        min_length=1,
        description="'a vs b', 'name:a+b vs other:c+d', 'pairs' (each), 'all' (at once).",
    )
    classifier: Literal["svm-linear", "svm-rbf", "lda", "ridge", "logistic"] = Field(
        "svm-linear",
        description="Support vector machine (linear, or with radial basis functions), linear "
        "discriminant analysis, ridge or logistic regression; several sides vote one against one.",
    )
    c: float = Field(1.0, gt=0, description="Cost of svm-linear, svm-rbf and logistic.")
    gamma: float = Field(
        1.0, gt=0, description="Of svm-rbf: exp(-gamma / n_units * distance squared)."
    )
    shrinkage: Annotated[float, Field(gt=0, le=1)] | Literal["auto"] = Field(
        "auto",
        description="Of lda: towards a scaled identity, 0 to 1; auto = as Ledoit and Wolf "
        "estimate it.",
    )
    alpha: float = Field(
        1.0,
        ge=0,
        description="Penalty of ridge, in multiples of the mean diagonal of the centered Gram "
        "matrix; 0 = least squares.",
    )
    search: dict[Literal["c", "gamma", "shrinkage", "alpha"], tuple[float, ...]] = Field(
        {},
        description="Values of parameters that are tried in inner folds, such as { c = [0.01, 1, "
        "100] }.",
    )
    folds: str = Field(
        "run",
        description="Column of the samples whose values are left out in turn: run, session, "
        "stimulus, or any column of the events.",
    )
    n_folds: int | None = Field(
        None, ge=2, description="So many groups of these values are left out; each by default."
    )
    average: int = Field(
        1, ge=1, description="Trials of a condition and run that are averaged into a sample."
    )
    balance: Literal["none", "weights", "subsample"] = Field(
        "none",
        description="weights = sides count alike; subsample = as many trials of each side in each "
        "run, drawn at random.",
    )
    standardize: Literal["none", "train"] = Field(
        "none", description="train = each unit is divided by its SD over the training samples."
    )
    blank: bool = Field(
        default=False,
        description="Take the mean pattern of each run, over the comparison's samples, out of it "
        "(cocktail blank).",
    )
    anova: int | None = Field(
        None,
        ge=1,
        description="So many units of a region, those with the largest F; all by default.",
    )
    whiten: bool = Field(
        default=False,
        description="Divide patterns by the root of the covariance within sides, shrunk "
        "(multivariate noise normalization).",
    )
    pca: int | None = Field(
        None, ge=1, description="So many principal components of a region; all by default."
    )
    metric: Literal["auto", "accuracy", "balanced_accuracy", "auc", "dprime"] = Field(
        "auto",
        description="What is tested; auto = accuracy, balanced where sides have different numbers "
        "of samples. All of them are written.",
    )
    interval: Literal["t", "bootstrap"] = Field(
        "t",
        description="Over what folds leave out: corrected resampled t, or bootstrap.",
    )
    correct: tuple[Literal["max", "fdr"], ...] = Field(
        ("max", "fdr"),
        min_length=1,
        description="p over regions and comparisons: maximum statistic, false discovery rate.",
    )
    units: UnitsConfig | None = Field(
        None,
        description="Units that are decoded from, by how well a layer of [encode] networks "
        "predicts them on the pictures of the training runs, in each fold anew: { top = 500 } or "
        "{ above = 0.1 }; penalties and inner folds are those of [encode]; all units by default.",
    )
    targets: tuple[str, ...] = Field(
        (), description="Numeric columns of the events that are predicted from patterns, too."
    )
    regressor: Literal["ridge", "svr"] = Field(
        "ridge", description="By what: ridge (alpha), or support vector regression (c)."
    )
    patterns: bool = Field(
        default=False,
        description="Map the activation pattern (Haufe) of each comparison of two sides.",
    )
    share: bool = Field(
        default=False,
        description="Leave the mean pattern of each condition and run, for group.across.",
    )
    permutations: int = Field(
        1000, ge=1, description="Of labels of trials, within runs and what folds leave out."
    )
    nuisance: tuple[str, ...] = Field(
        (),
        description="Numeric columns of the events, or networks such as 'pixels' or "
        "'pixels@luminance' (a layer), regressed out within each fold.",
    )
    baseline: tuple[str, ...] = Field(
        (),
        description="Numeric columns of the events, or networks, that conditions are decoded from "
        "alone, beside the score.",
    )
    components: int = Field(
        10,
        ge=1,
        description="Principal components of a network of nuisance or baseline, learnt on the "
        "training samples of each fold; at most one for five of these.",
    )
