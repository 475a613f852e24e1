"""Figures of what was chosen on training images: penalties of ridge, numbers of components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.report.canvas import WIDTH_IN, drawing, shorten
from bids_dnn.report.figures import layer_labels, layers_of
from bids_dnn.report.palette import LIGHT, Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
Layers = list[tuple[str, str]]
COLUMNS = 3  # panels beside each other
MOST_PANELS = 12
MOST_LINES = 120  # of layers, one panel below the other
ROW_IN, LEAST_ROW_IN, MOST_IN = 0.26, 0.06, 9.0  # of a layer, and of all layers of a panel
TEXT_IN = 0.13  # lower rows have no text of their own
GUTTER = 0.15  # of a panel, on either side
TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500)  # numbers of components


def panel_regions(regions: Sequence[str], n_layers: int, *, weight: pd.Series[float]) -> list[str]:
    """Return the regions that fit into one figure: all, or those with the highest weight.

    Parameters
    ----------
    regions
        In their order, which is kept.
    n_layers
        Rows of a panel.
    weight
        Of each region.
    """
    lines = max(1, MOST_LINES // max(n_layers, 1))
    most = min(MOST_PANELS, COLUMNS * lines)
    ranked = sorted(regions, key=lambda name: -float(np.nan_to_num(weight.get(name, 0.0))))
    kept = set(ranked[:most])
    return [name for name in regions if name in kept]


def percent(share: float) -> str:
    """Return a share in percent; what is not none or all is not rounded to that, "" = none.

    Examples
    --------
    >>> percent(0.0), percent(0.004), percent(0.5), percent(0.999), percent(1.0)
    ('', '<1%', '50%', '>99%', '100%')
    """
    if not share > 0:
        return ""
    if share < 0.005:
        return "<1%"
    return ">99%" if 0.995 <= share < 1 else f"{share:.0%}"


def penalty_bars(table: pd.DataFrame, colors: Mapping[str, str], *, theme: Theme = LIGHT) -> bytes:
    """Draw which penalties were chosen in each layer, and how many at an end of those offered.

    Parameters
    ----------
    table
        ``region``, ``network``, ``layer``, ``alpha``, ``count``, ``n_smallest``, ``n_largest``:
        one row for each penalty that was chosen; NaN as ``alpha`` = nothing was predicted.
    colors
        Of each region.
    theme
        Light or dark.

    Returns
    -------
    png
        A panel for each region, a row for each layer, with bars as high as the share of units
        and folds that chose a penalty. Dark: it was the smallest or largest that was offered,
        whose shares stand left and right. Layers where nothing was predicted are hatched.
    """
    regions = list(dict.fromkeys(table["region"]))
    layers = layers_of(table)
    table = table.assign(place=np.log10(table["alpha"]))
    total = table.dropna(subset="alpha").groupby(["region", "network", "layer"])["count"].sum()
    keys = pd.MultiIndex.from_frame(table[["region", "network", "layer"]])
    of_all = total.reindex(keys).to_numpy(dtype=np.float64)
    for name in ("count", "n_smallest", "n_largest"):
        table[name] = table[name].to_numpy(dtype=np.float64) / of_all
    places = np.unique(table["place"].dropna().to_numpy(float).round(6))
    step = float(np.clip(np.diff(places).min(), 0.1, 0.5)) if len(places) > 1 else 0.5
    low, high = (places[0], places[-1]) if len(places) else (0.0, 0.0)
    room = max(high - low, 2.0) / 2 + step
    limits = (low + high) / 2 + np.array([-1, 1]) * room / (1 - 2 * GUTTER)
    highest = float(np.nanmax([*table["count"], 0.0])) or 1.0

    panels = _Panels(regions, layers)
    with drawing(WIDTH_IN, panels.height_in + 0.25, theme) as (figure, stream):
        for axes, region in panels.each(figure, theme):
            rows = table[(table["region"] == region) & table["alpha"].notna()]
            y = np.array(
                [layers.index(x) for x in zip(rows["network"], rows["layer"], strict=True)], float
            )
            _gutters(axes, theme)
            size = 0.84 * step, 0.84 / highest
            _bars(axes, rows, y, size=size, look=(colors[region], theme))
            for which, is_left in (("n_smallest", True), ("n_largest", False)):
                shares = rows.groupby(y)[which].sum()
                _ends(axes, shares, is_left=is_left, has_text=panels.has_text, theme=theme)
            _hatch(axes, sorted(set(range(len(layers))) - set(y.astype(int))), theme)
            axes.set_xlim(*limits)
            ticks = np.arange(np.ceil(low - step), np.floor(high + step) + 1)
            ticks = ticks[:: -(-len(ticks) // 5) or 1]
            axes.set_xticks(ticks, [f"$10^{{{tick:.0f}}}$" for tick in ticks], fontsize=8)
        figure.supxlabel(
            "penalty, in multiples of the mean diagonal of the training Gram matrix", fontsize=9
        )
        _legend(figure, [("s", theme.ink, theme.ink, "smallest or largest that was offered")])
    return stream.getvalue()


def component_dots(
    table: pd.DataFrame, colors: Mapping[str, str], *, theme: Theme = LIGHT
) -> bytes:
    """Draw how many components were chosen in each layer and fold, for units and for the mean.

    Parameters
    ----------
    table
        ``region``, ``target`` (``units`` or ``mean``), ``network``, ``layer``, ``fold``,
        ``n_components`` and ``most``, how many were offered: one row each; NaN as
        ``n_components`` = nothing was predicted.
    colors
        Of each region.
    theme
        Light or dark.

    Returns
    -------
    png
        A panel for each region, a row for each layer. Dots are as large as the number of folds:
        full ones above for units, hollow ones below for the mean. A line marks the most that
        were offered; dots there have a dark edge. Layers where nothing was predicted are hatched.
    """
    regions = list(dict.fromkeys(table["region"]))
    layers = layers_of(table)
    top = float(np.nanmax([*table["most"], *table["n_components"], 1.0]))
    panels = _Panels(regions, layers)
    n_folds = max(table["fold"].nunique(), 1)
    largest = min(0.42 * panels.row_in * 72, 9.0) ** 2  # square points
    with drawing(WIDTH_IN, panels.height_in + 0.25, theme) as (figure, stream):
        for axes, region in panels.each(figure, theme):
            rows = table[(table["region"] == region) & table["n_components"].notna()]
            _dots(axes, rows, layers, largest=largest / n_folds, look=(colors[region], theme))
            there = {layers.index(x) for x in zip(rows["network"], rows["layer"], strict=True)}
            _hatch(axes, sorted(set(range(len(layers))) - there), theme)
            axes.set_xscale("log")
            axes.set_xlim(0.8, top * 1.25)
            ticks = [*(tick for tick in TICKS if tick < 0.75 * top), round(top)]
            axes.set_xticks(ticks, [str(tick) for tick in ticks], fontsize=8)
            axes.minorticks_off()
        figure.supxlabel("components that were chosen", fontsize=9)
        _legend(
            figure,
            [
                ("o", theme.ink, theme.ink, "units of the region together"),
                ("o", theme.paper, theme.ink, "mean of the region"),
                ("|", theme.ink, theme.ink, "most that were offered"),
            ],
        )
    return stream.getvalue()


def _dots(
    axes: Axes, rows: pd.DataFrame, layers: Layers, *, largest: float, look: tuple[str, Theme]
) -> None:
    """Draw a dot for each number that was chosen, and the most that were offered."""
    color, theme = look
    keys = ["network", "layer", "target", "n_components", "most"]
    found = rows.groupby(keys, sort=False).size().reset_index(name="count")
    y = np.array([layers.index(x) for x in zip(found["network"], found["layer"], strict=True)])
    is_units = found["target"].to_numpy() == "units"
    is_most = (found["n_components"] == found["most"]).to_numpy()
    axes.vlines(found["most"], y - 0.42, y + 0.42, color=theme.ink, lw=1.4, zorder=2)
    axes.scatter(
        found["n_components"],
        y + np.where(is_units, -0.2, 0.2),
        s=largest * found["count"],
        facecolor=[color if one else theme.paper for one in is_units],
        edgecolor=[theme.ink if one else color for one in is_most],
        lw=1.1,
        zorder=3,
    )


class _Panels:
    """Where the panels of regions stand, whose rows are layers."""

    def __init__(self, regions: Sequence[str], layers: Layers) -> None:
        n = max(len(layers), 1)
        self.regions, self.layers = regions, layers
        self.columns = 2 if len(regions) == 4 else min(COLUMNS, len(regions))
        self.lines = -(-len(regions) // self.columns)
        self.row_in = float(np.clip(MOST_IN / n, LEAST_ROW_IN, ROW_IN))
        self.height_in = self.lines * (max(n * self.row_in, 0.5) + 0.62) + 0.35

    @property
    def has_text(self) -> bool:
        """Whether rows are high enough for text."""
        return self.row_in >= TEXT_IN

    def each(self, figure: Figure, theme: Theme) -> list[tuple[Axes, str]]:
        """Return axes for each region, with layers named at the left."""
        made = figure.subplots(self.lines, self.columns, sharex=True, sharey=True, squeeze=False)
        for axes in made.flat[len(self.regions) :]:
            axes.set_visible(False)
        n = len(self.layers)
        every = max(1, int(np.ceil(TEXT_IN / self.row_in)))
        named = [k for k in range(n) if k % every == 0]
        labels = layer_labels(self.layers)
        for axes, region in zip(made.flat, self.regions, strict=False):
            axes.set_title(shorten(region), loc="left", fontweight="bold", pad=13)
            axes.set_yticks(named, [labels[k] for k in named], fontsize=8 if every == 1 else 7)
            axes.set_ylim(n - 0.5, -0.5)
            axes.tick_params(length=0)
            axes.tick_params(axis="x", labelbottom=True)
            for k in range(1, n):
                if self.layers[k][0] != self.layers[k - 1][0]:
                    axes.axhline(k - 0.5, color=theme.ink, lw=0.8, zorder=4)
        return list(zip(made.flat, self.regions, strict=False))


def _bars(
    axes: Axes,
    rows: pd.DataFrame,
    y: Array,
    *,
    size: tuple[float, float],
    look: tuple[str, Theme],
) -> None:
    """Draw bars that stand on the lower edge of their row, the part at an end dark and below."""
    (color, theme), (width, unit) = look, size
    floor = y + 0.42
    x = rows["place"].to_numpy(float)
    whole = rows["count"].to_numpy(float) * unit
    at_end = (rows["n_smallest"] + rows["n_largest"]).to_numpy(float) * unit
    axes.hlines(np.unique(floor), GUTTER, 1 - GUTTER, color=theme.faint, lw=0.6, zorder=1,
                transform=axes.get_yaxis_transform())  # fmt: skip
    axes.bar(x, -(whole - at_end), bottom=floor - at_end, width=width, color=color, zorder=2)
    axes.bar(x, -at_end, bottom=floor, width=width, color=theme.ink, zorder=3)


def _gutters(axes: Axes, theme: Theme) -> None:
    """Set off the places at the left and right of a panel, and name them."""
    from matplotlib.patches import Rectangle

    for left, word in ((0.0, "smallest"), (1 - GUTTER, "largest")):
        axes.add_patch(
            Rectangle((left, 0), GUTTER, 1, transform=axes.transAxes, color=theme.band, lw=0,
                      zorder=0)
        )  # fmt: skip
        axes.annotate(word, (1.0 if left else 0.0, 1.0), xytext=(0, 2), fontsize=7,
                      xycoords="axes fraction", textcoords="offset points", va="bottom",
                      ha="right" if left else "left", in_layout=False)  # fmt: skip


def _ends(
    axes: Axes, shares: pd.Series[float], *, is_left: bool, has_text: bool, theme: Theme
) -> None:
    """Draw the share at an end of what was offered in the gutter of each row."""
    y, share = shares.index.to_numpy(float), shares.to_numpy(float)
    how: dict[str, Any] = {"transform": axes.get_yaxis_transform()}
    wide = GUTTER * share
    axes.barh(y, wide if is_left else -wide, left=0 if is_left else 1, height=0.8,
              color=theme.faint, zorder=1, **how)  # fmt: skip
    if has_text:
        for place, one in zip(y, share.tolist(), strict=True):
            axes.text(0.01 if is_left else 0.99, place, percent(one), fontsize=7, va="center",
                      ha="left" if is_left else "right", fontweight="bold" if one >= 0.1 else None,
                      in_layout=False, zorder=5, **how)  # fmt: skip


def _hatch(axes: Axes, rows: Sequence[int], theme: Theme) -> None:
    axes.barh(rows, 1.0, height=0.84, color="none", edgecolor=theme.faint, hatch="////", lw=0,
              transform=axes.get_yaxis_transform(), zorder=1)  # fmt: skip


def _legend(figure: Figure, entries: Sequence[tuple[str, str, str, str]]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [], [], ls="", marker=marker, markerfacecolor=face, markeredgecolor=edge, label=name
        )
        for marker, face, edge, name in entries
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=3, fontsize=8)
