"""Figures of encoding beside the heat map and profiles that the group shares."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bids_dnn.report.canvas import WIDTH_IN, drawing
from bids_dnn.report.figures import layer_labels
from bids_dnn.report.palette import LIGHT, SCALE, Theme, region_colors

MOST_NAMED = 24  # layers in the legend


def layer_shares(table: pd.DataFrame, *, theme: Theme = LIGHT) -> bytes:
    """Draw which layers the units of each region chose, as stacked bars.

    Parameters
    ----------
    table
        ``region``, ``network``, ``layer``, ``share``: one row each, shares of a region add to 1.
    theme
        Light or dark.

    Returns
    -------
    png
        Layers from first to last have the colors of the scale from dark to light; a region
        without shares is hatched.
    """
    import matplotlib as mpl

    regions = list(dict.fromkeys(table["region"]))
    layers = list(dict.fromkeys(zip(table["network"], table["layer"], strict=True)))
    placed = table.set_index(["region", "network", "layer"])["share"]
    shares = np.array([[placed.get((r, *x), np.nan) for x in layers] for r in regions], float)
    colors = mpl.colormaps[SCALE](np.linspace(0.05, 0.95, len(layers)))
    n_lines = -(-min(len(layers), MOST_NAMED) // 4)
    with drawing(WIDTH_IN, 1.2 + 0.34 * len(regions) + 0.2 * n_lines, theme) as (figure, stream):
        axes = figure.subplots()
        places = np.arange(len(regions))
        known = np.isfinite(shares).all(axis=1)
        left = np.zeros(len(regions))
        for k, label in enumerate(layer_labels(layers)):
            width = np.where(known, shares[:, k], 0.0)
            axes.barh(places, width, left=left, color=colors[k], label=label,
                      edgecolor=theme.paper, linewidth=0.4)  # fmt: skip
            left += width
        axes.barh(places[~known], 1.0, color="none", edgecolor=theme.faint, hatch="////", lw=0)
        axes.set_yticks(places, regions)
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        axes.set_xlabel("share of units and folds")
        if len(layers) <= MOST_NAMED:
            figure.legend(loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return stream.getvalue()


def part_bars(table: pd.DataFrame, *, part: str, theme: Theme = LIGHT) -> bytes:
    """Draw what feature spaces, or sets of them, bring to the variance explained.

    Parameters
    ----------
    table
        ``region``, the column `part` and ``r2``: one row each.
    part
        Column that names the spaces.
    theme
        Light or dark.

    Returns
    -------
    png
        A group of bars for each region; what is not known is left out.
    """
    regions = list(dict.fromkeys(table["region"]))
    parts = list(dict.fromkeys(table[part]))
    colors = region_colors(parts)
    placed = table.set_index(["region", part])["r2"]
    step = 0.8 / len(parts)
    n_lines = -(-len(parts) // 3)
    height = 0.9 + len(regions) * max(0.14 * len(parts) + 0.2, 0.4) + 0.2 * n_lines
    with drawing(WIDTH_IN, height, theme) as (figure, stream):
        axes = figure.subplots()
        places = np.arange(len(regions))
        for k, name in enumerate(parts):
            values = [float(placed.get((region, name), np.nan)) for region in regions]
            axes.barh(places - 0.4 + step * (k + 0.5), values, height=0.9 * step,
                      color=colors[name], label=name)  # fmt: skip
        axes.axvline(0, color=theme.ink, lw=0.8)
        axes.set_yticks(places, regions)
        axes.invert_yaxis()
        axes.set_xlabel("variance explained (cross-validated R², mean over units)")
        figure.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return stream.getvalue()
