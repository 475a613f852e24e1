"""Identification of images within the section on encoding: curves over set sizes, and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bids_dnn.containers.result import EVERY
from bids_dnn.report.canvas import WIDTH_IN, drawing
from bids_dnn.report.estimators import patterns_text
from bids_dnn.report.palette import LIGHT, Theme
from bids_dnn.report.parts import Picture, Table, counted, many, picture, table_of
from bids_dnn.report.shown import Shown

KEYS = ["region", "estimator", "network", "layer"]


def identification_pictures(shown: Shown, rows: pd.DataFrame) -> list[Picture]:
    """Draw how many images are identified among few and among many.

    Parameters
    ----------
    shown
    rows
        Scores of layers that are drawn, of one estimator.
    """
    curves = best_curves(shown, rows)
    if curves.empty:
        return []
    names = list(dict.fromkeys(curves["region"]))
    which = _of_which(shown)[1:] or f" of all {many(shown.unit)}"
    return [
        picture(
            f"{shown.name}_identification",
            lambda theme: candidate_curves(curves, shown.colors, theme=theme),
            alt=f"Lines of the share of images identified against the number of candidates, for "
            f"{counted(len(names), 'region')}.",
            caption="Share of images whose own measured pattern correlates most with the "
            "predicted one, against the number of patterns to choose from: for each region, the "
            "layer of a network with the highest score. Dotted: extrapolated beyond the images "
            f"that a fold tests. Dashed: chance. Patterns are{which}.",
        )
    ]


def _of_which(shown: Shown) -> str:
    return patterns_text(shown.result.meta.get("units"), units=many(shown.unit))


def identification_tables(shown: Shown, rows: pd.DataFrame) -> list[Table]:
    """Return the tables on identification, those by set size for the layers that are drawn.

    Parameters
    ----------
    shown, rows
        As for `identification_pictures`.
    """
    told, words = shown.result.extras, shown.result.extra_columns
    tables = []
    if "identification" in told and not told["identification"].empty:
        tables.append(
            table_of(
                told["identification"],
                words.get("identification", {}),
                caption="Identification of images from predicted patterns, among the test images "
                f"of a fold{_of_which(shown)}.",
            )
        )
    curves = best_curves(shown, rows)
    if not curves.empty:
        tables.append(
            table_of(
                curves,
                words.get("candidates", {}),
                caption="Share of images identified by the number of candidates, for the layers "
                "that are drawn.",
            )
        )
    return tables


def best_curves(shown: Shown, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the curves of the layer with the highest score, for each region and network.

    Parameters
    ----------
    shown, rows
        As for `identification_pictures`.
    """
    table = shown.result.extras.get("candidates")
    known = rows.dropna(subset="score")
    if table is None or known.empty or not set(KEYS) <= set(known.columns):
        return pd.DataFrame()
    best = known.loc[known.groupby(["region", "network"], sort=False)["score"].idxmax(), KEYS]
    return best.merge(table, on=KEYS)


def candidate_curves(
    table: pd.DataFrame, colors: Mapping[str, str], *, theme: Theme = LIGHT
) -> bytes:
    """Draw the share of images identified against the number of candidates, a panel a network.

    Parameters
    ----------
    table
        ``region``, ``network``, ``n_candidates``, ``proportion``, ``chance``, ``extrapolated``:
        one row each, sizes from small to large.
    colors
        Of each region.
    theme
        Light or dark.

    Returns
    -------
    png
        A line for each region, dotted where it is extrapolated; chance as a dashed line.
    """
    networks = list(dict.fromkeys(table["network"]))
    regions = list(dict.fromkeys(table["region"]))
    columns = min(3, len(networks))
    lines = -(-len(networks) // columns)
    n_lines = -(-len(regions) // 6)
    sizes = np.unique(table["n_candidates"])
    among = np.geomspace(sizes[0], sizes[-1], 200)
    with drawing(WIDTH_IN, 2.6 * lines + 0.5 + 0.2 * n_lines, theme) as (figure, stream):
        panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
        panels[0, 0].set_xscale("log")
        panels[0, 0].set_xticks(sizes, [f"{size:,}" for size in sizes])
        panels[0, 0].minorticks_off()
        panels[0, 0].set_ylim(0, 1.03)
        for axes, network in zip(panels.flat, networks, strict=False):
            own = table[table["network"] == network]
            axes.plot(among, 1 / among, color=theme.ink, ls=(0, (3, 2)), lw=1, zorder=2)
            for region in regions:
                rows = own[own["region"] == region]
                size, share = rows["n_candidates"].to_numpy(), rows["proportion"].to_numpy(float)
                within = ~rows["extrapolated"].to_numpy(bool)
                n_within = int(within.sum())
                look: dict[str, Any] = {"color": colors[region], "lw": 1.8, "zorder": 3}
                axes.plot(size[:n_within], share[:n_within], marker="o", ms=4, **look)
                start = max(n_within - 1, 0)
                axes.plot(size[start:], share[start:], ls=(0, (1, 1)), **look)
            axes.set_xlabel("number of candidates")
            axes.set_title("all networks" if network == EVERY else network, loc="left",
                           fontweight="bold")  # fmt: skip
        for axes in panels.flat[len(networks) :]:
            axes.set_visible(False)
        handles = [
            panels[0, 0].plot([], [], color=colors[region], lw=1.8, label=region)[0]
            for region in regions
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=6, fontsize=8)
        figure.supylabel("share of images identified", fontsize=9)
    return stream.getvalue()
