"""Charts of scores: each function takes a tidy table and returns the bytes of a PNG.

The same input gives the same bytes: no global state of matplotlib, no dates.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.report.canvas import WIDTH_IN, drawing, shorten
from bids_dnn.report.palette import LIGHT, SCALE, Theme
from bids_dnn.report.shown import corrected_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_ROWS = 60  # comparisons in one chart
MOST_NAMED, MOST_UPRIGHT = 24, 68  # layers with a name below a heat map, below a line of panels
STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))


def stars_of(p: float) -> str:
    """Return the stars of a corrected p: ``*`` < 0.05, ``**`` < 0.01, ``***`` < 0.001.

    Examples
    --------
    >>> stars_of(0.02), stars_of(float("nan"))
    ('*', '')
    """
    return next((stars for bound, stars in STARS if p < bound), "")


def score_bars(
    table: pd.DataFrame,
    colors: Mapping[str, str],
    *,
    label: str,
    points: pd.DataFrame | None = None,
    theme: Theme = LIGHT,
) -> bytes:
    """Draw scores of comparisons, one panel a region, chance as a dashed line.

    Parameters
    ----------
    table
        ``region``, ``comparison``, ``score``, ``chance``; ``ci_low``, ``ci_high`` and
        ``p_corrected`` where known. NaN scores are hatched.
    colors
        Of each region.
    label
        Of the score's axis, with unit.
    points
        Single scores, drawn as dots: ``region``, ``comparison``, ``score``.
    theme
        Light or dark.

    Returns
    -------
    png
        At most `MOST_ROWS` comparisons: those with the highest mean.
    """
    regions = list(dict.fromkeys(table["region"]))
    comparisons = shown_comparisons(table)
    columns = min(4, len(regions))
    lines = -(-len(regions) // columns)
    height = lines * (0.75 + 0.27 * len(comparisons)) + 0.3
    with drawing(WIDTH_IN, height, theme) as (figure, stream):
        panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
        for axes, region in zip(panels.flat, regions, strict=False):
            rows = table[table["region"] == region].set_index("comparison").reindex(comparisons)
            if points is not None:
                own = points[points["region"] == region]
                own = own[own["comparison"].isin(comparisons)]
                _dots(axes, own["score"], own["comparison"].map(comparisons.index), theme)
                rows["highest"] = own.groupby("comparison")["score"].max().reindex(comparisons)
            _bars(axes, rows, color=colors[region], theme=theme)
            axes.set_title(region, loc="left", fontweight="bold")
            axes.set_yticks(range(len(comparisons)), [shorten(name) for name in comparisons])
            if is_share(table):
                axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        for axes in panels.flat[len(regions) :]:
            axes.set_visible(False)
        if is_share(table):
            panels[0, 0].set_xlim(0, 1.13)
        panels[0, 0].set_ylim(len(comparisons) - 0.4, -0.6)
        figure.supxlabel(label, fontsize=9)
    return stream.getvalue()


def shown_comparisons(table: pd.DataFrame) -> list[str]:
    """Return the comparisons that fit into one chart, in the order of the table."""
    mean = table.groupby("comparison", sort=False)["score"].mean()
    kept = set(mean.sort_values(ascending=False).index[:MOST_ROWS])
    return [name for name in mean.index if name in kept]


def is_share(table: pd.DataFrame) -> bool:
    """Tell whether scores lie between 0 and 1: all but d'."""
    return "metric" not in table or not (table["metric"] == "dprime").any()


def _bars(axes: Axes, rows: pd.DataFrame, *, color: str, theme: Theme) -> None:
    places = np.arange(len(rows))
    score = rows["score"].to_numpy(float)
    known = np.isfinite(score)
    axes.barh(places[known], score[known], height=0.68, color=color, zorder=2)
    axes.barh(
        places[~known], 1.0, height=0.68, color="none", edgecolor=theme.faint, hatch="///", lw=0
    )
    ends = score.copy()
    if {"ci_low", "ci_high"} <= set(rows.columns):
        low, high = rows["ci_low"].to_numpy(float), rows["ci_high"].to_numpy(float)
        axes.hlines(places, low, high, color=theme.ink, lw=1.2, zorder=3)
        ends = np.fmax(ends, high)
    if "highest" in rows:
        ends = np.fmax(ends, rows["highest"].to_numpy(float))
    if "baseline" in rows:
        beside = rows["baseline"].to_numpy(float)
        axes.vlines(beside, places - 0.34, places + 0.34, color=theme.ink, lw=2.5, zorder=5)
        ends = np.fmax(ends, beside)
    chance = rows["chance"].to_numpy(float)
    axes.vlines(
        chance, places - 0.5, places + 0.5, color=theme.ink, ls=(0, (3, 2)), lw=1, zorder=4
    )
    if "p_corrected" in rows:
        most = 1.0 if is_share(rows) else np.inf
        corrected = [corrected_of(row) for _, row in rows.iterrows()]
        for place, end, p in zip(places, np.fmin(ends, most), corrected, strict=True):
            axes.text(end + 0.02, place + 0.12, stars_of(p), va="center", fontsize=9,
                      in_layout=False)  # fmt: skip
    axes.tick_params(length=0)
    axes.set_axisbelow(True)
    axes.grid(axis="x", color=theme.band, lw=0.8)


def _dots(axes: Axes, x: pd.Series[float], y: pd.Series[float], theme: Theme) -> None:
    axes.scatter(x, y, s=9, facecolor=theme.paper, edgecolor=theme.ink, lw=0.7, zorder=5)


def _known(table: pd.DataFrame, *names: str) -> list[str]:
    return [name for name in names if name in table]


def layer_heat_map(table: pd.DataFrame, *, label: str, theme: Theme = LIGHT) -> bytes:
    """Draw scores as a heat map of regions by layers, with the noise ceiling beside it.

    Parameters
    ----------
    table
        ``region``, ``network``, ``layer``, ``score``, ``ceiling``; one row each.
    label
        Of the color scale, with unit.
    theme
        Light or dark.

    Returns
    -------
    png
        The best layer of each region is boxed; what was not measured is hatched.
    """
    regions = list(dict.fromkeys(table["region"]))
    layers = layers_of(table)
    placed = table.set_index(["region", "network", "layer"])["score"]
    scores = np.array([[placed.get((r, *x), np.nan) for x in layers] for r in regions], float)
    ceiling = (
        table.groupby("region", sort=False)["ceiling"].mean().reindex(regions).to_numpy(float)
    )
    grown = np.concatenate([scores.ravel(), ceiling])
    top = float(np.nanmax(grown)) if np.isfinite(grown).any() else 1.0
    scale = {"vmin": 0.0, "vmax": max(top, 0.05), "cmap": SCALE, "aspect": "auto"}

    height = 1.5 + 0.42 * len(regions)
    with drawing(WIDTH_IN, height, theme) as (figure, stream):
        wide = [max(len(layers), 3), max(len(layers) / MOST_NAMED, 1)]
        main, side = figure.subplots(1, 2, width_ratios=wide, sharey=True)
        image = _cells(main, scores, scale=scale, theme=theme)
        _cells(side, ceiling[:, None], scale=scale, theme=theme)
        for row, values in enumerate(scores):
            if np.isfinite(values).any():
                _box(main, row, int(np.nanargmax(values)), theme)
        main.set_yticks(range(len(regions)), regions)
        main.set_xticks(*layer_ticks(layers, MOST_NAMED), rotation=35, ha="right",
                        rotation_mode="anchor")  # fmt: skip
        side.set_xticks([0], ["noise\nceiling"])
        main.set_xlabel("layer, from first to last")
        _separate(main, [network for network, _ in layers], theme)
        figure.colorbar(image, ax=[main, side], label=label, pad=0.02, fraction=0.05)
    return stream.getvalue()


def layer_labels(layers: Sequence[tuple[str, str]]) -> list[str]:
    """Return how layers are written under a chart: with the network where there are several.

    Examples
    --------
    >>> layer_labels([("alexnet", "features.0"), ("alexnet", "features.3")])
    ['features.0', 'features.3']
    """
    several = len({network for network, _ in layers}) > 1
    return [shorten(f"{net} {layer}" if several else layer, 24) for net, layer in layers]


def layers_of(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the network and layer of each layer of a table, in its order."""
    return list(dict.fromkeys(zip(table["network"], table["layer"], strict=True)))


def layer_ticks(layers: Sequence[tuple[str, str]], most: int) -> tuple[list[int], list[str]]:
    """Return places and names of layers: of all, or of some evenly, the first and last always.

    Examples
    --------
    >>> layer_ticks([("net", f"conv{k}") for k in range(1, 7)], 3)
    ([0, 2, 5], ['conv1', 'conv3', 'conv6'])
    """
    n = len(layers)
    places = list(range(0, n, -(-n // most) or 1))
    if len(places) > 1:
        places[-1] = n - 1
    labels = layer_labels(layers)
    return places, [labels[k] for k in places]


def _cells(axes: Axes, values: NDArray[np.float64], *, scale: dict[str, Any], theme: Theme) -> Any:
    axes.set_facecolor(theme.paper)
    for row, column in np.argwhere(~np.isfinite(values)):
        _hatched(axes, row, column, theme)
    image = axes.imshow(np.ma.masked_invalid(values), zorder=2, **scale)
    if values.shape[1] <= 16:
        for (row, column), value in np.ndenumerate(values):
            if np.isfinite(value):
                is_dark = value - scale["vmin"] < 0.6 * (scale["vmax"] - scale["vmin"])
                ink = "#ffffff" if is_dark else "#000000"
                text = f"{value:.2f}".replace("-0.00", "0.00")
                axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=8,
                          zorder=4, in_layout=False)  # fmt: skip
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return image


def _hatched(axes: Axes, row: int, column: int, theme: Theme) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor="none", edgecolor=theme.faint,
                  hatch="////", lw=0, zorder=1)
    )  # fmt: skip


def _box(axes: Axes, row: int, column: int, theme: Theme) -> None:
    from matplotlib.patches import Rectangle

    for color, width in ((theme.paper, 4.5), (theme.ink, 2.2)):
        axes.add_patch(
            Rectangle((column - 0.46, row - 0.44), 0.92, 0.88, facecolor="none", edgecolor=color,
                      lw=width, zorder=5)
        )  # fmt: skip


def _separate(axes: Axes, networks: Sequence[str], theme: Theme) -> None:
    for place, (one, two) in enumerate(itertools.pairwise(networks)):
        if one != two:
            axes.axvline(place + 0.5, color=theme.paper, lw=4, zorder=3)


def layer_profiles(
    table: pd.DataFrame,
    colors: Mapping[str, str],
    *,
    label: str,
    points: pd.DataFrame | None = None,
    theme: Theme = LIGHT,
) -> bytes:
    """Draw how the score goes from layer to layer, one panel a region.

    Parameters
    ----------
    table
        ``region``, ``network``, ``layer``, ``score``, ``ceiling``; ``ci_low`` and ``ci_high``
        where known, ``lower`` and ``upper`` where the ceiling has bounds.
    colors
        Of each region.
    label
        Of the score's axis, with unit.
    points
        Single scores, drawn as dots: ``region``, ``network``, ``layer``, ``score``.
    theme
        Light or dark.

    Returns
    -------
    png
        Gray is what lies above the region's noise ceiling, or between its bounds; the best layer
        has a full marker.
    """
    regions = list(dict.fromkeys(table["region"]))
    layers = layers_of(table)
    columns = min(4, len(regions))
    lines = -(-len(regions) // columns)
    names = ["score", "ceiling", *_known(table, "ci_low", "ci_high", "lower", "upper")]
    known = table[names].to_numpy(float)
    finite = known[np.isfinite(known)]
    top = float(finite.max()) * 1.12 if finite.size and finite.max() > 0 else 1.0
    low = min(0.0, float(finite.min())) * 1.12 if finite.size else 0.0
    with drawing(WIDTH_IN, lines * 1.9 + 0.9, theme) as (figure, stream):
        panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
        panels[0, 0].set_ylim(low, top)
        for axes, region in zip(panels.flat, regions, strict=False):
            rows = table[table["region"] == region].set_index(["network", "layer"])
            _profile(axes, rows.reindex(layers), color=colors[region], theme=theme)
            if points is not None:
                own = points[points["region"] == region]
                place = [layers.index(x) for x in zip(own["network"], own["layer"], strict=True)]
                _dots(axes, pd.Series(place, dtype=float), own["score"], theme)
            axes.set_title(region, loc="left", fontweight="bold")
            axes.set_xticks(*layer_ticks(layers, MOST_UPRIGHT // columns), rotation=90, fontsize=8)
        for axes in panels.flat[len(regions) :]:
            axes.set_visible(False)
        figure.supylabel(label, fontsize=9)
    return stream.getvalue()


def _profile(axes: Axes, rows: pd.DataFrame, *, color: str, theme: Theme) -> None:
    places = np.arange(len(rows))
    score = rows["score"].to_numpy(float)
    ceiling = rows["ceiling"].to_numpy(float)
    if np.isfinite(ceiling).any():
        axes.axhspan(float(np.nanmean(ceiling)), 10.0, color=theme.band, zorder=0)
    if "upper" in rows and np.isfinite(rows["upper"]).any():
        axes.axhspan(rows["lower"].mean(), rows["upper"].mean(), color=theme.band, zorder=0)
    axes.axhline(0, color=theme.ink, lw=0.8, zorder=1)
    if {"ci_low", "ci_high"} <= set(rows.columns):
        bounds = rows["ci_low"].to_numpy(float), rows["ci_high"].to_numpy(float)
        axes.vlines(places, *bounds, color=theme.ink, lw=1.2, zorder=2)
    size = 5 if len(rows) <= MOST_NAMED else 3
    for network in dict.fromkeys(rows.index.get_level_values(0)):
        own = rows.index.get_level_values(0) == network
        axes.plot(places[own], score[own], color=color, lw=1.8, marker="o", ms=size,
                  markerfacecolor=theme.paper, markeredgewidth=1.6, zorder=3)  # fmt: skip
    if np.isfinite(score).any():
        best = int(np.nanargmax(score))
        axes.plot([best], [score[best]], marker="o", ms=7, color=color, zorder=4)
    axes.tick_params(length=0)


def confusion_matrices(table: pd.DataFrame, *, theme: Theme = LIGHT) -> bytes:
    """Draw which condition was taken for which, one panel a region.

    Parameters
    ----------
    table
        ``region``, ``truth``, ``guess`` and ``count``, how often.
    theme
        Light or dark.

    Returns
    -------
    png
        Each row of a panel adds to one.
    """
    regions = list(dict.fromkeys(table["region"]))
    conditions = sorted(set(table["truth"]) | set(table["guess"]))
    columns = min(4, len(regions))
    lines = -(-len(regions) // columns)
    size = WIDTH_IN / columns
    scale = {"vmin": 0.0, "vmax": 1.0, "cmap": SCALE, "aspect": "equal"}
    with drawing(WIDTH_IN, lines * (size + 0.2) + 0.4, theme) as (figure, stream):
        panels = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
        for axes, region in zip(panels.flat, regions, strict=False):
            rows = table[table["region"] == region]
            counts = rows.pivot_table(
                index="truth", columns="guess", values="count", aggfunc="sum"
            )
            square = counts.reindex(index=conditions, columns=conditions).to_numpy(float)
            total = np.nansum(square, axis=1, keepdims=True)
            share = np.nan_to_num(square) / np.where(total > 0, total, np.nan)
            image = _cells(axes, share, scale=scale, theme=theme)
            axes.set_title(region, loc="left", fontweight="bold")
            short = [shorten(name, 14) for name in conditions]
            axes.set_xticks(range(len(conditions)), short, rotation=90, fontsize=8)
            axes.set_yticks(range(len(conditions)), short, fontsize=8)
        for axes in panels.flat[len(regions) :]:
            axes.set_visible(False)
        figure.supxlabel("named by the classifier", fontsize=9)
        figure.supylabel("shown", fontsize=9)
        figure.colorbar(image, ax=panels, label="share of the shown", fraction=0.03, pad=0.02)
    return stream.getvalue()
