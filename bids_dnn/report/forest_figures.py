"""Values with their intervals, a line each, in panels below one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bids_dnn.report.canvas import WIDTH_IN, drawing, shorten
from bids_dnn.report.palette import Theme

ROW_IN, PANEL_IN, EDGE_IN = 0.2, 0.45, 0.6
LONGEST = 46  # characters of a name
MARK_SIZE = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Some lines under one title.

    Parameters
    ----------
    title
        "" = none.
    rows
        ``name``, ``value``, ``low``, ``high`` (NaN = not known); ``bound`` is marked where it is
        there, ``star`` stands at the end of the line.
    color
        Of its lines.
    """

    title: str
    rows: pd.DataFrame
    color: str


def forest(
    panels: Sequence[Panel], *, label: str, theme: Theme, limits: tuple[float, float] | None = None
) -> bytes:
    """Draw values with their intervals.

    Parameters
    ----------
    panels
        From top to bottom; they share the axis of values.
    label
        Of the values, with unit.
    limits
        Of the axis; found by itself where None, with a line at zero.

    Returns
    -------
    png
        The same panels give the same bytes.
    """
    heights = [PANEL_IN + ROW_IN * len(panel.rows) for panel in panels]
    with drawing(WIDTH_IN, EDGE_IN + sum(heights), theme) as (figure, stream):
        axes = figure.subplots(
            len(panels), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights}
        )[:, 0]
        for ax, panel in zip(axes, panels, strict=True):
            rows, y = panel.rows, np.arange(len(panel.rows))
            if limits is None:
                ax.axvline(0, color=theme.faint, linewidth=1, linestyle="--", zorder=0)
            ax.hlines(y, rows["low"], rows["high"], color=panel.color, linewidth=1.5)
            ax.plot(rows["value"], y, "o", color=panel.color, markersize=MARK_SIZE)
            if "bound" in rows:
                ax.plot(rows["bound"], y, ">", color=theme.ink, markersize=MARK_SIZE)
            for place, star in zip(y, rows["star"], strict=True):
                ax.annotate(star, (1.01, place), xycoords=("axes fraction", "data"), va="center")
            ax.set_yticks(y, [shorten(str(name), LONGEST) for name in rows["name"]])
            ax.set_ylim(len(rows) - 0.5, -0.5)
            ax.tick_params(axis="y", length=0)
            ax.set_title(panel.title, loc="left")
        if limits is not None:
            axes[-1].set_xlim(*limits)
        axes[-1].set_xlabel(label)
    return stream.getvalue()
