"""From the settings of [decode] to what the analysis takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.prepare import Preparation

# Settings that go under their own names.
# What is told of regions beside their scores, which is not made of spheres, as it is left out.
NOT_OF_SPHERES = {
    "comparisons": [],
    "permutations": 1,
    "correct": ["fdr"],
    "interval": "t",
    "targets": [],
    "regressor": "ridge",
    "baseline": [],
    "components": 1,
    "patterns": False,
    "share": False,
    "units": None,
}
PLAIN = ("folds", "n_folds", "average", "balance", "metric", "interval", "regressor")


def choices_of(settings: Mapping[str, Any], *, seed: int) -> Choices:
    """Return the settings of [decode] as the analysis takes them.

    Parameters
    ----------
    settings
        JSON-ready.
    seed
        Of this participant's analysis.

    Raises
    ------
    ConfigError
        If they do not go together.
    """
    shrinkage = settings["shrinkage"]
    return Choices(
        comparisons=tuple(settings["comparisons"]),
        classifier=Classifier(
            kind=settings["classifier"],
            c=settings["c"],
            gamma=settings["gamma"],
            shrinkage=None if shrinkage == "auto" else shrinkage,
            alpha=settings["alpha"],
            is_weighted=settings["balance"] == "weights",
        ),
        search={name: tuple(values) for name, values in settings["search"].items()},
        preparation=Preparation(
            is_standardized=settings["standardize"] == "train",
            is_blank=settings["blank"],
            anova=settings["anova"],
            is_whitened=settings["whiten"],
            pca=settings["pca"],
        ),
        correct=tuple(settings["correct"]),
        n_permutations=settings["permutations"],
        seed=seed,
        nuisance=tuple(settings["nuisance"]),
        baseline=tuple(settings["baseline"]),
        n_components=settings["components"],
        targets=tuple(settings["targets"]),
        has_patterns=settings["patterns"],
        **{name: settings[name] for name in PLAIN},
    )
