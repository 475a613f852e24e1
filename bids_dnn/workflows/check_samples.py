"""What settings name in the samples, refused before responses are estimated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bids_dnn.analyses.decode.comparisons import ALL, PAIRS
from bids_dnn.analyses.decode.samples import known_comparisons, with_condition
from bids_dnn.analyses.decode.tasks import decoded_samples, design_of
from bids_dnn.config.covariates import feature_spaces
from bids_dnn.containers.responses import Independence, Responses
from bids_dnn.containers.space import Channels
from bids_dnn.errors import BidsDnnError, NotEnoughDataError
from bids_dnn.ingest.samples_ahead import independence_ahead, samples_ahead
from bids_dnn.stats.nuisance import nuisance_columns
from bids_dnn.workflows.categories import labels_of
from bids_dnn.workflows.decode_choices import choices_of

if TYPE_CHECKING:
    from bids_dnn.config.schema import Analysis, Config
    from bids_dnn.ingest.records import Subject
    from bids_dnn.workflows.scene import Manifest

LATE = ("motion", "n_events")  # columns that come with the responses
Named = list[tuple[str, str]]  # the setting, and a column of the samples


def why_not_samples(
    config: Config, analysis: Analysis, subject: Subject, settings: Manifest
) -> BidsDnnError | None:
    """Tell what an analysis names that a participant's samples do not have, None where nothing.

    Comparisons, folds, columns and categories are checked. Samples are read from events, a design
    or ``samples.tsv``, and only where something is named; no response is.

    Parameters
    ----------
    config
    analysis
    subject
        From the inventory.
    settings
        Those of [responses] that its reader takes.
    """
    named, comparisons = _columns(config, analysis), _comparisons(config, analysis)
    by_folds = config.decode.folds if analysis == "decode" else "run"
    labeled = analysis == "searchlight" and config.searchlight.categories
    if not (named or labeled or set(comparisons) - {PAIRS, ALL} or by_folds != "run"):
        return None
    try:
        samples = samples_ahead(subject, settings)
    except BidsDnnError:
        return None  # reading responses will say it, of all analyses at once
    if samples is None:
        return None
    try:
        own = without_values(samples, independence_ahead(subject, settings))
        if comparisons:
            own = with_condition(own)
            known_comparisons(comparisons, own)
        for option, name in named:
            is_late = name in LATE and subject.source != "table"
            if name in own.samples or not is_late:
                nuisance_columns(own.samples, (name,), option=option)
        if analysis == "decode":
            _check_design(config, own)
        if labeled:
            _check_labels(config, samples)
    except BidsDnnError as err:
        return err
    return None


def without_values(samples: pd.DataFrame, independence: Independence = "sample") -> Responses:
    """Return responses of one unit that are all zero, where only the samples matter.

    Parameters
    ----------
    samples
        A sample table.
    independence
        Between which of them noise is independent.
    """
    space = Channels("none", ("1",), np.arange(1))
    values = np.zeros((len(samples), 1), np.float32)
    return Responses(values, samples, space, "raw", independence)


def _columns(config: Config, analysis: Analysis) -> Named:
    told, spaces = config.decode, feature_spaces(config)
    options: dict[str, Sequence[str]] = {}
    if analysis == "encode":
        options = {"encode.nuisance": config.encode.nuisance}
    if analysis in ("decode", "twin"):
        options = {"decode.nuisance": told.nuisance}
    if analysis == "decode":
        options |= {"decode.baseline": told.baseline, "decode.targets": told.targets}
    return [
        (option, name) for option, own in options.items() for name in own if name not in spaces
    ]


def _comparisons(config: Config, analysis: Analysis) -> tuple[str, ...]:
    if analysis == "searchlight":
        return config.searchlight.comparisons
    if analysis == "twin":
        return config.twin.comparisons or config.decode.comparisons
    return config.decode.comparisons if analysis == "decode" else ()


def _check_labels(config: Config, samples: pd.DataFrame) -> None:
    """Let the models made of labels refuse what they name, or that there is nothing else to do."""
    try:
        labels_of(config.searchlight.model_dump(mode="json"), samples)
    except NotEnoughDataError:
        if not config.searchlight.comparisons:
            raise


def _check_design(config: Config, own: Responses) -> None:
    """Let the design of decoding refuse what settings name; what data allow its step says."""
    choices = choices_of(config.decode.model_dump(mode="json"), seed=0)
    try:
        choices = replace(choices, n_permutations=1)
        design_of(decoded_samples(own, choices), choices)
    except NotEnoughDataError:
        return
