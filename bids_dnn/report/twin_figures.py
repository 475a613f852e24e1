"""Charts of networks decoded under noise, and of regions beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bids_dnn.report.canvas import WIDTH_IN, drawing, shorten
from bids_dnn.report.figures import MOST_NAMED, layer_labels, layer_ticks, layers_of, stars_of
from bids_dnn.report.palette import DIVERGING, LIGHT, Theme, region_colors

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LAYERS = 6  # panels of one chart of bars
MOST_HUES = 10  # comparisons of one chart of bars
WIDE = 0.84  # of a group of bars
DASHES = (0, (3, 2))
LINE_IN, EDGE_IN = 0.34, 0.7


def level_of(snr: float) -> str:
    """Return how a level of noise is written.

    Examples
    --------
    >>> level_of(float("inf")), level_of(0.5)
    ('none', '0.5')
    """
    return "none" if np.isinf(snr) else f"{snr:g}"


def hues_of(table: pd.DataFrame) -> list[str]:
    """Return the comparisons that are drawn, in the order of the table: those told best."""
    above = (table["score"] - table["chance"]) / (1 - table["chance"])
    mean = above.groupby(table["comparison"], sort=False).mean()
    kept = set(mean.sort_values(ascending=False, kind="stable").index[:MOST_HUES])
    return [name for name in mean.index if name in kept]


def panels_of(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the layers that have a panel: all, or some evenly, the first and last always."""
    layers = layers_of(table)
    return [layers[k] for k in layer_ticks(layers, MOST_LAYERS)[0]][:MOST_LAYERS]


def noise_bars(table: pd.DataFrame, *, theme: Theme = LIGHT) -> bytes:
    """Draw scores by level of noise, a color for each comparison, a panel for each layer.

    Parameters
    ----------
    table
        ``network``, ``layer``, ``snr``, ``comparison``, ``score``, ``chance``, ``ci_low``,
        ``ci_high``, ``p_corrected``.
    theme
        Light or dark.

    Returns
    -------
    png
        Chance is dashed, stars stand for corrected p. At most `MOST_LAYERS` layers and
        `MOST_HUES` comparisons.
    """
    layers, hues = panels_of(table), hues_of(table)
    levels = list(dict.fromkeys(table["snr"]))
    colors = region_colors(hues)
    labels = layer_labels(layers)
    height = 0.9 + 1.55 * len(layers)
    with drawing(WIDTH_IN, height, theme) as (figure, stream):
        panels = figure.subplots(len(layers), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        for axes, (network, layer), label in zip(panels, layers, labels, strict=True):
            own = table[(table["network"] == network) & (table["layer"] == layer)]
            for number, name in enumerate(hues):
                rows = own[own["comparison"] == name].set_index("snr").reindex(levels)
                step = WIDE / len(hues)
                places = np.arange(len(levels)) - WIDE / 2 + (number + 0.5) * step
                _bars(axes, places, rows, step=step, look=(colors[name], theme))
            for chance in sorted(set(own["chance"])):
                axes.axhline(chance, color=theme.ink, ls=DASHES, lw=0.9, zorder=4)
            axes.set_title(label, loc="left", fontweight="bold")
            _plain(axes, theme)
        panels[0].set_ylim(0, 1.12)
        panels[0].set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
        panels[-1].set_xticks(range(len(levels)), [level_of(snr) for snr in levels])
        panels[-1].set_xlabel("signal-to-noise ratio (none = without noise)")
        figure.supylabel("accuracy", fontsize=9)
        handles = [
            panels[0].bar([np.nan], [np.nan], color=colors[name], label=shorten(name))
            for name in hues
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=8)
    return stream.getvalue()


def _bars(
    axes: Axes, places: np.ndarray, rows: pd.DataFrame, *, step: float, look: tuple[str, Theme]
) -> None:
    color, theme = look
    score = rows["score"].to_numpy(float)
    low, high = (rows[name].to_numpy(float) for name in ("ci_low", "ci_high"))
    axes.bar(places, score, width=0.9 * step, color=color, zorder=2)
    axes.vlines(places, low, high, color=theme.ink, lw=1.0, zorder=3)
    ends = np.fmin(np.fmax(score, high), 1.0)
    for place, end, p in zip(places, ends, rows["p_corrected"], strict=True):
        axes.text(place, end, stars_of(float(p)), ha="center", va="bottom", fontsize=7,
                  in_layout=False)  # fmt: skip


def twin_patterns(
    patterns: pd.DataFrame,
    titles: Mapping[str, str],
    colors: Mapping[str, str],
    *,
    theme: Theme = LIGHT,
) -> bytes:
    """Draw the scores of each region, and those of the layer that comes nearest, side by side.

    Parameters
    ----------
    patterns
        ``region``, ``comparison``, ``brain``, ``network`` (scores) and ``chance``.
    titles
        What stands above each region's panel.
    colors
        Of each region.
    theme
        Light or dark.

    Returns
    -------
    png
        Full bars are the region, hollow ones the network; chance is dashed.
    """
    regions = list(dict.fromkeys(patterns["region"]))
    names = list(dict.fromkeys(patterns["comparison"]))[: 2 * MOST_NAMED]
    height = 1.3 + 1.45 * len(regions)
    with drawing(WIDTH_IN, height, theme) as (figure, stream):
        panels = figure.subplots(len(regions), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        places = np.arange(len(names))
        for axes, region in zip(panels, regions, strict=True):
            rows = patterns[patterns["region"] == region].set_index("comparison").reindex(names)
            color = colors[region]
            axes.bar(places - 0.2, rows["brain"], width=0.36, color=color, zorder=2)
            axes.bar(places + 0.2, rows["network"], width=0.36, color=theme.paper, lw=1.3,
                     edgecolor=color, zorder=2)  # fmt: skip
            axes.hlines(rows["chance"], places - 0.45, places + 0.45, color=theme.ink, ls=DASHES,
                        lw=1, zorder=4)  # fmt: skip
            axes.set_title(titles[region], loc="left", fontsize=8, fontweight="bold")
            _plain(axes, theme)
        panels[0].set_ylim(0, 1.02)
        panels[0].set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
        panels[-1].set_xticks(
            places, [shorten(name, 22) for name in names], rotation=35, ha="right",
            rotation_mode="anchor",
        )  # fmt: skip
        figure.supylabel("accuracy", fontsize=9)
        look = {"lw": 1.3, "edgecolor": theme.ink}
        handles = [
            panels[0].bar([np.nan], [np.nan], color=fill, label=label, **look)
            for fill, label in ((theme.ink, "region"), (theme.paper, "network"))
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=8)
    return stream.getvalue()


def twin_heat_maps(table: pd.DataFrame, *, theme: Theme = LIGHT) -> bytes:
    """Draw the rank correlation of each region with each layer and level of noise.

    Parameters
    ----------
    table
        ``region``, ``network``, ``layer``, ``snr``, ``rho``, ``is_named``.
    theme
        Light or dark.

    Returns
    -------
    png
        A panel for each region, layers from left to right, noise from top to bottom. The one
        named is boxed; what is not known is hatched.
    """
    regions = list(dict.fromkeys(table["region"]))
    layers, levels = layers_of(table), list(dict.fromkeys(table["snr"]))
    columns = 2 if len(regions) > 1 and len(layers) <= 10 else 1
    lines = -(-len(regions) // columns)
    height = 1.3 + lines * (0.55 + 0.26 * len(levels))
    with drawing(WIDTH_IN, height, theme) as (figure, stream):
        panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
        image = None
        for axes, region in zip(panels.flat, regions, strict=False):
            own = table[table["region"] == region].set_index(["network", "layer", "snr"])
            rho = np.array(
                [[own["rho"].get((*one, snr), np.nan) for one in layers] for snr in levels], float
            )
            image = axes.imshow(
                np.ma.masked_invalid(rho), vmin=-1, vmax=1, cmap=DIVERGING, aspect="auto"
            )
            for row, column in np.argwhere(~np.isfinite(rho)):
                _square(axes, row, column, hatch="///", lw=0, edgecolor=theme.faint)
            for network, layer, snr in own.index[own["is_named"].to_numpy(bool)]:
                place = levels.index(snr), layers.index((network, layer))
                _square(axes, *place, lw=2, edgecolor="#1d2126")
            axes.set_title(region, loc="left", fontweight="bold")
            axes.set_xticks(*layer_ticks(layers, MOST_NAMED // columns), rotation=35, ha="right",
                            rotation_mode="anchor")  # fmt: skip
            axes.set_yticks(range(len(levels)), [level_of(snr) for snr in levels])
            axes.tick_params(length=0)
        for axes in list(panels.flat)[len(regions) :]:
            axes.set_visible(False)
        figure.supylabel("signal-to-noise ratio", fontsize=9)
        if image is not None:
            figure.colorbar(image, ax=panels, label="Spearman's rho", pad=0.02, fraction=0.05)
    return stream.getvalue()


def nearest_lines(
    best: pd.DataFrame, dots: pd.DataFrame, colors: Mapping[str, str], *, theme: Theme = LIGHT
) -> bytes:
    """Draw the mean rho of each region's nearest layer, with participants and how they agree.

    Parameters
    ----------
    best
        A row a region: ``region``, ``layer``, ``snr``, ``rho``, ``ci_low``, ``ci_high``,
        ``lower``, ``upper``, ``is_named``.
    dots
        ``region`` and ``rho`` of single participants.
    colors
        Of each region.
    theme
        Light or dark.

    Returns
    -------
    png
    """
    y = np.arange(len(best))
    with drawing(WIDTH_IN, EDGE_IN + LINE_IN * len(best), theme) as (figure, stream):
        axes = figure.subplots()
        low, high = best["lower"].to_numpy(float), best["upper"].to_numpy(float)
        axes.barh(y, high - low, left=low, height=0.7, color=theme.band, zorder=1)
        places = dots["region"].map(dict(zip(best["region"], y, strict=True)))
        axes.scatter(dots["rho"], places, s=16, facecolor=theme.paper, edgecolor=theme.ink,
                     lw=0.7, zorder=3)  # fmt: skip
        shades = [colors[name] for name in best["region"]]
        axes.hlines(y, best["ci_low"], best["ci_high"], color=shades, lw=2, zorder=2)
        axes.scatter(best["rho"], y, s=34, color=shades, zorder=4)
        for place, is_named in zip(y, best["is_named"], strict=True):
            axes.annotate("*" * bool(is_named), (1.01, place), va="center",
                          xycoords=("axes fraction", "data"))  # fmt: skip
        told = zip(best["region"], best["layer"], best["snr"], strict=True)
        axes.set_yticks(y, [shorten(f"{a}: {b}, {noise_of(c)}", 46) for a, b, c in told])
        axes.set_ylim(len(best) - 0.5, -0.5)
        axes.axvline(0, color=theme.faint, lw=1, ls="--", zorder=0)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("Spearman's rho")
    return stream.getvalue()


def _square(axes: Axes, row: int, column: int, **look: float | str) -> None:
    from matplotlib.patches import Rectangle

    corner = (column - 0.5, row - 0.5)
    axes.add_patch(Rectangle(corner, 1, 1, fill=False, zorder=5, **look))  # type: ignore[arg-type]


def _plain(axes: Axes, theme: Theme) -> None:
    axes.tick_params(length=0)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=theme.band, lw=0.8)


def titles_of(best: pd.DataFrame, regions: Sequence[str]) -> dict[str, str]:
    """Return what stands above each region: its nearest layer and level, with rho.

    Parameters
    ----------
    best
        The row of each region that has one: ``region``, ``layer``, ``snr``, ``rho``, ``ci_low``,
        ``ci_high``, ``p_corrected``, ``is_named``.
    regions
        All of them.

    Examples
    --------
    >>> row = {"region": "V1", "layer": "conv1", "snr": 2.0, "rho": 0.5, "ci_low": 0.1}
    >>> row |= {"ci_high": 0.8, "p_corrected": 0.3, "is_named": False}
    >>> titles_of(pd.DataFrame([row]), ["V1", "V2"])["V1"]
    'V1, no layer named; nearest: conv1, signal-to-noise 2, rho = 0.50 (0.10 to 0.80; p = 0.3)'
    """
    told = {}
    for row in best.to_dict("records"):
        named = ":" if row["is_named"] else ", no layer named; nearest:"
        ends = f"{row['ci_low']:.2f} to {row['ci_high']:.2f}; " if row["ci_low"] <= 1 else ""
        told[row["region"]] = (
            f"{row['region']}{named} {row['layer']}, {noise_of(row['snr'])}, rho = "
            f"{row['rho']:.2f} ({ends}p = {_p_text(row['p_corrected'])})"
        )
    return {name: told.get(name, name) for name in regions}


def _p_text(p: float) -> str:
    return "n/a" if np.isnan(p) else f"{p:.2g}"


def noise_of(snr: float) -> str:
    """Return a level of noise in words.

    Examples
    --------
    >>> noise_of(float("inf")), noise_of(4.0)
    ('without noise', 'signal-to-noise 4')
    """
    return "without noise" if np.isinf(snr) else f"signal-to-noise {snr:g}"
