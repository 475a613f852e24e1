"""Dissimilarities that labels make: items of one label are alike, others are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from bids_dnn.containers.rdm import Rdm
from bids_dnn.errors import ConfigError, NotEnoughDataError, nearest

MOST_NAMED = 3


def category_rdm(labels: Mapping[str, str], items: Sequence[str], *, name: str) -> Rdm:
    """Return 0 for each pair of items of one label, and 1 for others.

    Parameters
    ----------
    labels
        Of each item.
    items : n
        In the order of the matrix.
    name
        What the labels are called, for messages.

    Returns
    -------
    rdm

    Raises
    ------
    NotEnoughDataError
        If an item has no label, all have one, or each has its own.

    References
    ----------
    Kriegeskorte, Mur & Bandettini (2008), Front. Syst. Neurosci. 2:4,
    doi:10.3389/neuro.06.004.2008 (conceptual models).

    Examples
    --------
    >>> category_rdm({"a": "x", "b": "x", "c": "y"}, ["a", "b", "c"], name="side").values
    array([0., 1., 1.])
    """
    if missing := [one for one in items if not labels.get(one)]:
        raise NotEnoughDataError(
            f"{len(missing)} of {len(items)} items have no label of {name!r}, such as "
            f"{', '.join(repr(str(one)) for one in missing[:MOST_NAMED])}.",
            mend="Give each a label, or leave it out of categories under [searchlight].",
        )
    told = np.array([labels[one] for one in items])
    n_labels = len(set(told))
    if n_labels in (1, len(items)):
        raise NotEnoughDataError(
            f"{len(items)} items have {n_labels} label(s) of {name!r}, so that all are equally "
            "far apart.",
            mend="Name labels that some items share and others do not, or leave it out of "
            "categories under [searchlight].",
        )
    apart = told[:, None] != told
    pairs = apart[~np.tri(len(items), dtype=bool)].astype(np.float64)
    return Rdm(pairs, tuple(items), "category")


def labels_of_column(samples: pd.DataFrame, column: str, *, items: str) -> dict[str, str]:
    """Return the label of each item in a column of the sample table.

    Parameters
    ----------
    samples
    column
        Of labels, or numbers that stand for such; missing = no label.
    items
        Column that names the items: ``stimulus`` or ``condition``.

    Returns
    -------
    labels
        Of those items that have one.

    Raises
    ------
    ConfigError
        If there is no such column.
    NotEnoughDataError
        If an item has several labels.

    Examples
    --------
    >>> told = pd.DataFrame({"stimulus": ["a", "a", "b"], "size": ["big", "big", "small"]})
    >>> labels_of_column(told, "size", items="stimulus")
    {'a': 'big', 'b': 'small'}
    """
    if column not in samples:
        raise ConfigError(
            f"[searchlight] categories names {column!r}, which is no column of the samples.",
            mend=nearest(column, map(str, samples.columns)),
        )
    names = samples[items].fillna("").astype(str)
    found: dict[str, set[str]] = {}
    for item, label in zip(names, samples[column].fillna("").astype(str), strict=True):
        if item and label:
            found.setdefault(item, set()).add(label)
    if several := sorted(item for item, own in found.items() if len(own) > 1):
        raise NotEnoughDataError(
            f"{len(several)} of {len(found)} items have several labels in the column {column!r}, "
            f"such as {several[0]!r}: {', '.join(sorted(found[several[0]])[:MOST_NAMED])}.",
            mend=f"Name a column with one label for each {items}, or leave it out of categories "
            "under [searchlight].",
        )
    return {item: next(iter(own)) for item, own in sorted(found.items())}
