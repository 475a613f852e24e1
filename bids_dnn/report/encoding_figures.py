"""Figures of encoding beside the heat map and profiles that the group shares."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from bids_dnn.report.canvas import WIDTH_IN, drawing
from bids_dnn.report.figures import layer_labels, layers_of
from bids_dnn.report.palette import LIGHT, Theme, region_colors
from bids_dnn.report.scales import category_colors, scale_of

MOST_FIELDS = 200  # drawn for a region


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
        Layers from first to last have the colors of the scale from dark to light, with a legend
        or, of many, a bar that names some; a region without shares is hatched.
    """
    regions = list(dict.fromkeys(table["region"]))
    layers = layers_of(table)
    placed = table.set_index(["region", "network", "layer"])["share"]
    shares = np.array([[placed.get((r, *x), np.nan) for x in layers] for r in regions], float)
    colors = category_colors(len(layers))
    scale = scale_of((), layer_labels(layers))
    height = 1.05 + 0.34 * len(regions) + scale.legend_in
    with drawing(WIDTH_IN, height, theme) as (figure, stream):
        axes = figure.subplots()
        places = np.arange(len(regions))
        known = np.isfinite(shares).all(axis=1)
        left = np.zeros(len(regions))
        for k, color in enumerate(colors):
            width = np.where(known, shares[:, k], 0.0)
            axes.barh(places, width, left=left, color=color, edgecolor=theme.paper, linewidth=0.4)
            left += width
        axes.barh(places[~known], 1.0, color="none", edgecolor=theme.faint, hatch="////", lw=0)
        axes.set_yticks(places, regions)
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        axes.set_xlabel("share of units and folds")
        scale.add_legend(figure)
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


def field_circles(
    table: pd.DataFrame, colors: Mapping[str, str], *, side: float, theme: Theme = LIGHT
) -> bytes:
    """Draw the receptive fields of units over the frame of the stimulus, one panel a region.

    Parameters
    ----------
    table
        ``region``, ``x``, ``y`` (from the center, to the right and up), ``size`` (2 SD) and
        ``measured_in``; NaN = no field.
    colors
        Of each region.
    side
        Of the stimulus, in the unit of the fields.
    theme
        Light or dark.

    Returns
    -------
    png
        A circle for each unit with a field, at most `MOST_FIELDS` a region; the frame is the
        stimulus, the cross its center.
    """
    from matplotlib.patches import Circle, Rectangle

    regions = list(dict.fromkeys(table["region"]))
    columns = min(4, len(regions))
    lines = -(-len(regions) // columns)
    unit = "degrees" if (table["measured_in"] == "deg").all() else "share of the picture"
    with drawing(WIDTH_IN, 2.3 * lines + 0.4, theme) as (figure, stream):
        panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
        for axes in panels.flat[len(regions) :]:
            axes.set_axis_off()
        for axes, region in zip(panels.flat, regions, strict=False):
            rows = table[table["region"] == region].dropna(subset=["x", "y", "size"])
            shown = rows.iloc[
                np.linspace(0, len(rows) - 1, min(len(rows), MOST_FIELDS)).astype(int)
            ]
            axes.add_patch(
                Rectangle((-side / 2, -side / 2), side, side, facecolor=theme.band, lw=0, zorder=0)
            )
            for x, y, size in shown[["x", "y", "size"]].to_numpy(float):
                axes.add_patch(
                    Circle((x, y), size / 2, facecolor="none", edgecolor=colors[region], alpha=0.5,
                           lw=0.9)
                )  # fmt: skip
            axes.plot([0], [0], marker="+", color=theme.ink, ms=7, mew=1.2)
            axes.set_title(f"{region}: {len(rows)}", fontsize=9)
            axes.set_xlim(-0.6 * side, 0.6 * side)
            axes.set_ylim(-0.6 * side, 0.6 * side)
            axes.set_aspect("equal")
        figure.supxlabel(unit, fontsize=9)
    return stream.getvalue()
