"""What is said of decoding: the classifier, what was done to patterns, folds, and the null."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bids_dnn.report.estimators import decoded_text, uncited

Told = Mapping[str, Any]
METRICS = {
    "accuracy": "accuracy (share of samples)",
    "balanced_accuracy": "balanced accuracy (mean share over sides)",
    "auc": "area under the ROC curve",
    "dprime": "d' (SD)",
}


def decoding_text(told: Told, *, units: str, cost: str = "") -> str:
    """Describe decoding, with citations.

    Parameters
    ----------
    told
        The settings of ``decode``; what is missing is as by default.
    units
        What units are called.
    cost
        What is said of the cost of support vector machines, after it.
    """
    parts = [
        f"Conditions were decoded from the pattern over the {units} of each region [@haxby2001] "
        f"with {_classifier(told, cost)}, {_folds(told)}.",
        _samples(told),
        decoded_text(told.get("units"), units=units).strip(),
        _covariates(told),
        _preparation(told, units),
        _search(told),
        _interval(told),
        f"The null distribution came from exchanging labels {_exchanged(told)} "
        f"[@ojala2010] ({told.get('permutations', 0)} times, or every distinct "
        "labeling where there are fewer); p counts the labeling as observed among them "
        "[@phipson2010].",
        _correction(told),
        _targets(told, units),
    ]
    return " ".join(part for part in parts if part)


def decoded_how(told: Told, *, units: str) -> str:
    """Describe decoding below its pictures, without citations.

    Parameters
    ----------
    told, units
        As of `decoding_text`.
    """
    parts = [
        f"Classifier: {_classifier(told, '')}, {_folds(told)}.",
        _samples(told),
        _covariates(told),
        _preparation(told, units),
        _search(told),
        f"p come from exchanging labels {_exchanged(told)}.",
        _correction(told),
    ]
    return uncited(" ".join(part for part in parts if part))


def classifier_and_folds(told: Told) -> str:
    """Name the classifier and what its folds leave out, with citations.

    Parameters
    ----------
    told
        As of `decoding_text`.

    Examples
    --------
    >>> classifier_and_folds({"classifier": "ridge", "alpha": 0})
    'least-squares classification, leaving one run out'
    """
    return f"{_classifier(told, '')}, {_folds(told)}"


def _classifier(told: Told, cost: str) -> str:
    c = f"{_cost(told)}{cost}"
    gamma = f"gamma = {told.get('gamma', 1):g} over the number of units"
    gamma = "gamma of inner folds" if _is_searched(told, "gamma") else gamma
    weighted = ", sides weighted to count alike" if told.get("balance") == "weights" else ""
    shrinkage = told.get("shrinkage", "auto")
    shrunk = "as Ledoit and Wolf estimate it [@ledoit2004]"
    if shrinkage != "auto":
        shrunk = f"by {shrinkage:g}"
    is_ridge = told.get("alpha", 1.0) or _is_searched(told, "alpha")
    words = {
        "svm-linear": f"a linear support vector machine ({c}{weighted}) [@chang2011; "
        "@pedregosa2011]",
        "svm-rbf": f"a support vector machine with radial basis functions ({c}, {gamma}"
        f"{weighted}) [@chang2011; @pedregosa2011]",
        "lda": "linear discriminant analysis, its covariance shrunk towards a scaled identity "
        f"{shrunk}{weighted}",
        "ridge": f"ridge classification ({_penalty(told)}) [@hoerl1970]"
        if is_ridge
        else "least-squares classification",
        "logistic": f"logistic regression with a squared penalty ({c}{weighted})",
    }
    return words[told.get("classifier", "svm-linear")]


def _is_searched(told: Told, name: str) -> bool:
    return name in (told.get("search") or {})


def _cost(told: Told) -> str:
    return "C of inner folds" if _is_searched(told, "c") else f"C = {told.get('c', 1):g}"


def _penalty(told: Told) -> str:
    much = "of inner folds," if _is_searched(told, "alpha") else f"{told.get('alpha', 1.0):g}"
    return f"penalty {much} times the mean diagonal of the centered Gram matrix"


def _folds(told: Told) -> str:
    column, n = told.get("folds", "run"), told.get("n_folds")
    if n:
        return f"leaving out one of {n} groups of each {column} in turn"
    return f"leaving one {column} out"


def _exchanged(told: Told) -> str:
    """Return what was exchanged: other folds than runs keep together what was labeled together."""
    column = told.get("folds", "run")
    if column == "run":
        return "of trials within runs, all samples of a trial together"
    return (
        f"of trials within runs and folds, or, where each {column} has one condition throughout, "
        f"of the samples of each {column} together, within runs where each occurs in one run only"
    )


def _samples(told: Told) -> str:
    parts = []
    if (n := told.get("average", 1)) > 1:
        parts.append(f"Samples were means of {n} trials of a condition and run.")
    if told.get("balance") == "subsample":
        parts.append("As many trials of each side and run were drawn at random.")
    return " ".join(parts)


def _covariates(told: Told) -> str:
    """Say what was taken out of patterns, and what conditions were decoded from beside them."""
    parts = []
    if names := told.get("nuisance"):
        parts.append(
            f"Within each fold, {', '.join(names)} {'was' if len(names) == 1 else 'were'} "
            "regressed out of the responses, as training samples teach it [@snoek2019]."
        )
    if names := told.get("baseline"):
        parts.append(
            f"As a baseline, conditions were decoded from {', '.join(names)} alone, by the same "
            "classifier and folds."
        )
    if spaces := told.get("feature_spaces"):
        parts.append(
            f"The features of pictures ({', '.join(spaces)}) went in as at most "
            f"{told.get('components', 10)} principal components, learnt on the training samples "
            "of each fold."
        )
    return " ".join(parts)


def _preparation(told: Told, units: str) -> str:
    steps = []
    if told.get("standardize") == "train":
        steps.append(f"{units} were divided by their SD over the training samples")
    if told.get("anova"):
        steps.append(
            f"the {told['anova']} {units} were kept whose means differed most (F; all, where a "
            "region has no more)"
        )
    if told.get("whiten"):
        steps.append(
            "patterns were whitened by the shrunk covariance within sides [@ledoit2004; "
            "@walther2016]"
        )
    if told.get("pca"):
        steps.append(f"at most {told['pca']} principal components were kept")
    parts = []
    if told.get("blank"):
        parts.append(
            "The mean pattern of each run, over all samples of the comparison in it, was taken "
            "out of the run; that asks for no labels."
        )
    if steps:
        parts.append(f"Within each fold, on training samples alone: {'; '.join(steps)}.")
    return " ".join(parts)


def _targets(told: Told, units: str) -> str:
    """Say how numbers were predicted."""
    names = told.get("targets")
    if not names:
        return ""
    by = f"ridge regression ({_penalty(told)}) [@hoerl1970]"
    if told.get("regressor") == "svr":
        epsilon = "epsilon = 0.1 SD of the numbers"
        by = f"support vector regression ({_cost(told)}, {epsilon}) [@chang2011]"
    return (
        f"Numbers ({', '.join(names)}) were predicted from the same {units} in the same folds by "
        f"{by}. The score is the correlation of predicted and true numbers within what folds left "
        "out, averaged over these; for p, numbers were exchanged as labels were."
    )


def _search(told: Told) -> str:
    search = told.get("search") or {}
    if not search:
        return ""
    names = " and ".join(f"{name} (of {len(values)} values)" for name, values in search.items())
    return f"Inner folds of the training samples chose {names}, anew for each labeling."


def _interval(told: Told) -> str:
    if told.get("interval") == "bootstrap":
        return (
            "Intervals are 95 % bootstrap intervals over what folds left out, of classifiers as "
            "they were trained [@efron1993]."
        )
    return (
        "Intervals are 95 % corrected resampled t intervals over what folds left out "
        "[@nadeau2003]."
    )


def _correction(told: Told) -> str:
    ways = told.get("correct", ("max", "fdr"))
    parts = []
    if "max" in ways:
        parts.append(
            "Corrected p control the family of all regions and comparisons by the maximum "
            "statistic [@westfall1993; @nichols2002], under exchanges that all share: over "
            "regions for each comparison, over comparisons where no two conditions differ."
        )
    if "fdr" in ways:
        parts.append("The false discovery rate was controlled over them [@benjamini1995].")
    return " ".join(parts)
