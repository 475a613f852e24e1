"""Which analyses are asked for, and which of them need networks."""

from __future__ import annotations

from typing import get_args

from bids_dnn.config.covariates import NUISANCE, OPTIONS, feature_spaces
from bids_dnn.config.schema import Analysis, Config

ONLY_ASKED: tuple[Analysis, ...] = ("twin", "searchlight")  # never done unless named
EVERY: tuple[Analysis, ...] = tuple(one for one in get_args(Analysis) if one not in ONLY_ASKED)


def asked(config: Config) -> tuple[Analysis, ...]:
    """Return the analyses that are asked for: those named, else every one that the data allow."""
    return config.run.analysis or EVERY


def uses_features(config: Config, analysis: Analysis) -> bool:
    """Tell whether an analysis needs the features of networks.

    Decoding does where its units are chosen by what the layers of networks predict, or a network
    is a nuisance or a baseline; a searchlight where it compares dissimilarities; the twin of
    decoding is made of them.

    Examples
    --------
    >>> config = Config.model_validate({"decode": {"units": {"top": 500}}})
    >>> [uses_features(config, one) for one in ("decode", "encode", "ceiling")]
    [True, True, False]
    >>> uses_features(Config(), "decode")
    False
    """
    if analysis == "decode":
        return config.decode.units is not None or bool(feature_spaces(config))
    if analysis == "searchlight":
        return bool(config.searchlight.models)
    return analysis in ("encode", "twin")


def any_uses_features(config: Config) -> bool:
    """Tell whether any analysis that is asked for needs the features of networks."""
    return any(uses_features(config, one) for one in asked(config))


def estimators(config: Config) -> tuple[str, ...]:
    """Return the estimators of encoding that are asked for, none where encoding is not.

    Examples
    --------
    >>> estimators(Config.model_validate({"run": {"analysis": ["decode"]}}))
    ()
    """
    return config.encode.estimator if "encode" in asked(config) else ()


def networks_of(config: Config, analysis: Analysis) -> tuple[str, ...]:
    """Return the names of the networks that an analysis is done with; none = all.

    Examples
    --------
    >>> networks_of(Config.model_validate({"searchlight": {"models": ["a"]}}), "searchlight")
    ('a',)
    """
    if analysis == "searchlight":
        return config.searchlight.models
    own = NUISANCE if analysis == "twin" else OPTIONS
    beside = [name for name, _ in feature_spaces(config, own).values()]
    is_whole = config.decode.units is not None  # chosen by the layers of all
    if analysis == "decode":
        return () if is_whole else tuple(dict.fromkeys(beside))
    if analysis == "twin" and config.twin.networks and not is_whole:
        return tuple(dict.fromkeys([*config.twin.networks, *beside]))
    return ()


def decodes(config: Config, analysis: Analysis) -> bool:
    """Tell whether an analysis tells conditions apart, so that it needs two runs or more.

    Examples
    --------
    >>> decodes(Config(), "twin"), decodes(Config(), "searchlight"), decodes(Config(), "encode")
    (True, True, False)
    """
    if analysis == "searchlight":
        return bool(config.searchlight.comparisons)
    return analysis in ("decode", "twin")
