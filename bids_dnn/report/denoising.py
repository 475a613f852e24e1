"""The section on denoising: each region's time series by strategy, with and without low-pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from bids_dnn.containers.timeseries import TimeSeries
from bids_dnn.report.canvas import WIDTH_IN, drawing, shorten
from bids_dnn.report.palette import LIGHT, OKABE_ITO, Theme
from bids_dnn.report.parts import Section, counted, listed, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Block = tuple[float, float, str]
MOST_NAMED = 28  # blocks whose names fit below the chart
LEAST_LIMIT = 0.5  # standard deviations


def denoising_section(series: TimeSeries) -> Section:
    """Return the section on denoising: one figure a region.

    Parameters
    ----------
    series
        Of one run.
    """
    strategies = list(series.strategies)
    is_filtered = bool(series.low_pass_hz)
    filtered = (
        f" Thin: as each strategy leaves it; thick: low-pass filtered at {series.low_pass_hz:g} "
        "Hz as well."
        if is_filtered
        else ""
    )
    pictures = tuple(
        picture(
            f"denoising_{_name(region)}",
            partial(_panels, series, region),
            alt=f"Time series of {region} in run {series.run}, one panel for each of "
            f"{counted(len(strategies), 'strategy', 'strategies')}: {listed(strategies)}.",
            caption=f"{region}, run {series.run}: mean over its units, in standard deviations of "
            f"each unit over the run.{filtered} Shaded spans: blocks of one condition, as the "
            "events have them (not shifted by the hemodynamic delay). Gaps: volumes left out.",
        )
        for region in series.series
    )
    named = listed([f"{name}" for name in strategies])
    return Section(
        "denoising",
        "Denoising",
        "What does each denoising strategy leave of a region's time series?",
        f"Run {series.run}, {counted(len(series.times_s), 'volume')}, "
        f"{counted(len(series.series), 'region')}, by "
        f"{counted(len(strategies), 'strategy', 'strategies')}: {named}.",
        pictures,
    )


def _panels(series: TimeSeries, region: str, theme: Theme) -> bytes:
    return series_panels(series, region, theme=theme)


def _name(region: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in region)


def series_panels(series: TimeSeries, region: str, *, theme: Theme = LIGHT) -> bytes:
    """Draw one region's time series, one panel a strategy.

    Parameters
    ----------
    series
        Of one run.
    region
        One of its regions.
    theme
        Light or dark.

    Returns
    -------
    png
        All panels share both axes; NaN leaves a gap.
    """
    made = series.series[region]
    strategies = series.strategies
    blocks = blocks_of(series.events)
    colors = condition_colors([name for _, _, name in blocks])
    known = np.concatenate([values[np.isfinite(values)] for values in made.values()])
    limit = max(1.1 * float(np.percentile(np.abs(known), 99.8)) if known.size else 0, LEAST_LIMIT)
    is_named = 0 < len(blocks) <= MOST_NAMED
    height = 0.78 * len(strategies) + (1.1 if is_named else 0.6) + 0.3
    with drawing(WIDTH_IN, height, theme) as (figure, stream):
        panels = figure.subplots(len(strategies), 1, sharex=True, sharey=True, squeeze=False)
        for axes, strategy in zip(panels[:, 0], strategies, strict=True):
            _spans(axes, blocks, colors, theme)
            axes.axhline(0, color=theme.faint, lw=0.6, zorder=1)
            is_thick = (strategy, True) in made
            for is_filtered, width, alpha in (
                (False, 0.8, 0.75 if is_thick else 1),
                (True, 1.5, 1),
            ):
                if (strategy, is_filtered) in made:
                    axes.plot(series.times_s, made[strategy, is_filtered], color=theme.ink,
                              lw=width, alpha=alpha, zorder=3 if is_filtered else 2)  # fmt: skip
            axes.set_title(shorten(strategy, 60), loc="left", fontsize=8, pad=3)
            axes.tick_params(length=2, labelsize=7.5)
        bottom = panels[-1, 0]
        bottom.set(ylim=(-limit, limit), xlim=_ends(series))
        if is_named:
            names = [shorten(name, 16) for _, _, name in blocks]
            bottom.set_xticks([start for start, _, _ in blocks], names, rotation=40, ha="right",
                              rotation_mode="anchor")  # fmt: skip
        else:
            bottom.set_xlabel("time (s)")
        figure.supylabel(f"{region} (standard deviations)", fontsize=8.5)
        _key(figure, series, colors, theme)
    return stream.getvalue()


def blocks_of(events: Sequence[Block], *, gap_s: float = 4.0) -> list[Block]:
    """Join events of one condition that follow each other into blocks.

    Parameters
    ----------
    events
        Onset, duration (s) and condition of each, by onset.
    gap_s : s
        Longest pause within a block.

    Returns
    -------
    blocks
        Onset, duration and condition of each.

    Examples
    --------
    >>> blocks_of([(0.0, 1.0, "face"), (2.0, 1.0, "face"), (4.0, 1.0, "house")])
    [(0.0, 3.0, 'face'), (4.0, 1.0, 'house')]
    """
    made: list[Block] = []
    for onset, duration, name in events:
        if made and made[-1][2] == name and onset - sum(made[-1][:2]) <= gap_s:
            start = made[-1][0]
            end = max(sum(made[-1][:2]), onset + duration)
            made[-1] = (start, end - start, name)
        else:
            made.append((onset, duration, name))
    return made


def condition_colors(names: Sequence[str]) -> dict[str, str]:
    """Return a color for each condition; none where there are more than can be told apart."""
    single = sorted(set(names))
    if len(single) > len(OKABE_ITO):
        return {}
    return {name: OKABE_ITO[i] for i, name in enumerate(single)}


def _spans(axes: Axes, blocks: Sequence[Block], colors: Mapping[str, str], theme: Theme) -> None:
    for start, duration, name in blocks:
        color = colors.get(name, theme.band)
        axes.axvspan(start, start + max(duration, 0.1), color=color, lw=0, zorder=0,
                     alpha=0.3 if name in colors else 1)  # fmt: skip


def _ends(series: TimeSeries) -> tuple[float, float]:
    times = series.times_s
    step = float(np.median(np.diff(times))) if times.size > 1 else 1.0
    return float(times[0]) - step / 2, float(times[-1]) + step / 2


def _key(figure: Figure, series: TimeSeries, colors: Mapping[str, str], theme: Theme) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Line2D | Patch] = []
    if series.low_pass_hz:
        handles += [
            Line2D([], [], color=theme.ink, lw=0.8, alpha=0.75, label="no low-pass"),
            Line2D([], [], color=theme.ink, lw=1.5, label=f"low-pass {series.low_pass_hz:g} Hz"),
        ]
    handles += [Patch(color=color, alpha=0.3, label=name) for name, color in colors.items()]
    if handles:
        figure.legend(handles=handles, loc="outside upper center", ncols=min(6, len(handles)),
                      fontsize=7.5)  # fmt: skip
