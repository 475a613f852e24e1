"""What is shown of decoding beside its bars: activation patterns, and further tables."""

from __future__ import annotations

from bids_dnn.containers.result import model_label
from bids_dnn.report.maps import map_pictures
from bids_dnn.report.parts import Picture, Table, table_of
from bids_dnn.report.shown import Shown

MOST_MAPS = 6
TABLES = {
    "metrics": "Every metric of the labels as they are.",
    "parameters": "Parameters that inner folds chose, in each fold.",
    "targets": "Numbers of samples that were predicted from patterns.",
    "choice": "Units that the runs but one chose.",
}


def pattern_pictures(shown: Shown) -> list[Picture]:
    """Map the activation pattern of the best comparison of two sides of each region.

    Parameters
    ----------
    shown
    """
    space, result = shown.result.space, shown.result
    known = {one.model: one.values.astype(float) for one in result.maps if one.stat == "pattern"}
    if not known or space is None:
        return []
    table = result.table.dropna(subset="score")
    labels = [model_label(*row) for row in zip(table["region"], table["comparison"], strict=True)]
    pairs = table.assign(label=labels)
    pairs = pairs[pairs["label"].isin(list(known))]
    best = pairs.loc[pairs.groupby("region", sort=False)["score"].idxmax()]
    maps = [
        (f"{row['region']}: {row['comparison']}", known[str(row["label"])])
        for _, row in best.head(MOST_MAPS).iterrows()
    ]
    if not maps:
        return []
    return map_pictures(
        f"{shown.name}_patterns",
        maps,
        space,
        (shown.backdrop, shown.brain),
        label="change of response for a decision higher by 1 SD",
        what="Activation patterns of the best comparison of each region (above zero: higher on "
        "its first side)",
        is_signed=True,
    )


def further_tables(shown: Shown) -> list[Table]:
    """Return the tables beside the main one, where there are such.

    Parameters
    ----------
    shown
    """
    made = []
    for name, caption in TABLES.items():
        if (table := shown.result.extras.get(name)) is not None:
            told = shown.result.columns | shown.result.extra_columns.get(name, {})
            made.append(table_of(table, told, caption=caption))
    return made
