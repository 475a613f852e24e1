"""Models made of labels, as [searchlight] categories names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from bids_dnn.analyses.decode.comparisons import AbsentConditionError, parse
from bids_dnn.analyses.rsa.categories import labels_of_column
from bids_dnn.errors import BidsDnnError, ConfigError, NotEnoughDataError


def labels_of(
    settings: Mapping[str, Any], samples: pd.DataFrame
) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Return the labels of stimuli or conditions that [searchlight] categories asks for.

    Parameters
    ----------
    settings
        JSON-ready.
    samples

    Returns
    -------
    labels
        By model, of each item; those of no side have none.
    lost
        Why other models are left out: an item has several labels, or a condition was not shown.

    Raises
    ------
    ConfigError
        If there is no such column, samples are named, or there is no such condition and no other
        model.
    NotEnoughDataError
        If items have several labels, and there is no other model.
    """
    made: dict[str, dict[str, str]] = {}
    errors: list[tuple[str, BidsDnnError]] = []
    for text in settings["categories"]:
        try:
            name, own = _labels(text, samples, settings["items"])
        except (NotEnoughDataError, AbsentConditionError) as err:
            errors.append((text, err))
        else:
            made[name] = own
    if errors and not (made or settings["models"]):
        raise errors[0][1]
    return made, [f"The model {text!r} is left out: {err}" for text, err in errors]


def _labels(text: str, samples: pd.DataFrame, items: str) -> tuple[str, dict[str, str]]:
    """Return the name of one model, and the labels of items."""
    if " vs " not in text:
        return text, labels_of_column(samples, text, items=items)
    conditions = labels_of_column(samples, "condition", items=items)
    (one,) = parse((text,), sorted(set(conditions.values())))
    if one.is_crossed:
        raise ConfigError(
            f"[searchlight] categories names {text!r}, which says of which samples.",
            mend="Name sides alone, such as 'animate:face+cat vs inanimate:house'.",
        )
    side = {name: label for label, members in one.sides for name in members}
    return one.name, {
        item: side[condition] for item, condition in conditions.items() if condition in side
    }
