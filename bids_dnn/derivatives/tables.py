"""Tidy tables as BIDS writes them: text, and what each column is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

# Columns of further tables, where the analysis itself does not describe them.
COMMON_COLUMNS = {
    "participant": "Label of the participant.",
    "region": "Name of the region.",
    "comparison": "What was told apart.",
    "network": "Name of the network.",
    "layer": "Module path of the layer.",
    "truth": "Condition that was shown.",
    "guess": "Condition that the classifier named; in cross-decoding, one of those it learnt.",
    "count": "How often this happened.",
}


def table_text(table: pd.DataFrame) -> str:
    """Return a table as BIDS TSV: ``n/a`` for what is missing or empty, nine digits.

    Examples
    --------
    >>> table_text(pd.DataFrame({"p": [np.nan, 1 / 3]})).split()
    ['p', 'n/a', '0.333333333']
    """
    shown = table.copy()
    for column in shown.columns:
        if shown[column].dtype == bool:
            shown[column] = shown[column].map({True: "true", False: "false"})
        elif not pd.api.types.is_numeric_dtype(shown[column]):
            shown[column] = shown[column].astype(object).replace("", np.nan)
    text: str = shown.to_csv(
        sep="\t", index=False, na_rep="n/a", float_format="%.9g", lineterminator="\n"
    )
    return text


def format_of(column: pd.Series[Any]) -> str:
    """Return the BIDS word for what a column holds."""
    if column.dtype == bool:
        return "boolean"
    if pd.api.types.is_integer_dtype(column.dtype):
        return "integer"
    return "number" if pd.api.types.is_numeric_dtype(column.dtype) else "string"


def describe(table: pd.DataFrame, columns: dict[str, str]) -> dict[str, Any]:
    """Return what a sidecar says of each column.

    Parameters
    ----------
    table
        The columns.
    columns
        Descriptions by name; what lacks here is taken from `COMMON_COLUMNS`.
    """
    words = COMMON_COLUMNS | columns
    return {
        name: {
            "Description": words.get(name, f"{name.replace('_', ' ').capitalize()}."),
            "Format": format_of(table[name]),
        }
        for name in map(str, table.columns)
    }
