"""The section on noise ceilings: how reliable each region's responses are."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bids_dnn.containers.result import Result
from bids_dnn.report.parts import Section, counted, listed, table_of

WORDS = {"stimulus": "stimuli", "condition": "conditions"}
METHODS = {"ncsnr": "ncsnr", "split-half": "split halves", "fev": "explainable variance"}


def ceiling_section(result: Result, *, link: str = "") -> Section:
    """Return the section on noise ceilings.

    Parameters
    ----------
    result
        Of the analysis ``ceiling``.
    link
        Where its TSV lies, from the page.
    """
    table = result.table
    shown = table_of(table, result.columns, caption="One row a region and method.", link=link)
    return Section(
        "ceiling",
        "Noise ceilings",
        "How well could the best model predict these responses?",
        ceiling_answer(table),
        tables=(shown,),
        how="The ceiling is the square root of the mean reliability over a region's units: the "
        "highest correlation of a prediction with the mean over repeats. Methods that agree speak "
        "for each other.",
    )


def ceiling_answer(table: pd.DataFrame) -> str:
    """Say in one sentence what the ceilings are, by the first method of the table."""
    first = table[table["method"] == table["method"].iloc[0]]
    row = first.iloc[0]
    if not row["n_repeated_items"]:
        return "Nobody can tell: nothing was shown twice."
    known = first[np.isfinite(first["ceiling"])].sort_values("ceiling", ascending=False)
    told = [f"{one['region']} {one['ceiling']:.2f}" for _, one in known.head(4).iterrows()]
    without = [str(name) for name in first["region"] if name not in set(known["region"])]
    said = f"Highest r that noise allows ({METHODS.get(row['method'], row['method'])}): "
    said += f"{listed(told)}" if told else "none above zero"
    said += f"; {listed(without)} no better than noise" if without else ""
    repeats = f"{row['n_repeats']:.3g} repeats on average"
    what = WORDS.get(str(row["item"]), str(row["item"]))
    n = counted(int(row["n_repeated_items"]), "name")
    return f"{said}. It rests on {n} of {what}, {repeats}."
