"""Pictures of response-triggered averages: small maps over the frame of the picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.report.canvas import WIDTH_IN, drawing
from bids_dnn.report.palette import DIVERGING, LIGHT, Theme

COLUMNS = 12  # maps in a line
LEAST_Z = 3.0  # where the colors end at the least
GAP = 0.14  # between maps, of a side
TITLE_IN = 0.26
LEFT_IN, RIGHT_IN = 0.1, 0.85  # the color bar is to the right


def triggered_maps(table: pd.DataFrame, z: NDArray[np.float32], *, theme: Theme = LIGHT) -> bytes:
    """Draw the response-triggered average of each unit, a block of small maps for each region.

    Parameters
    ----------
    table
        ``region`` and ``unit``, a row for each map.
    z : (n_rows, h, w)
        NaN = not known, which is hatched.
    theme
        Light or dark.

    Returns
    -------
    png
        The frame of a map is that of the picture; its number is that of the unit. One scale of
        colors for all, from blue (darker) over white to red (lighter).
    """
    blocks = list(table.groupby("region", sort=False).indices.items())
    lines = [-(-len(rows) // COLUMNS) for _, rows in blocks]
    limit = max(LEAST_Z, _largest(z))
    side = (WIDTH_IN - LEFT_IN - RIGHT_IN) / COLUMNS
    height = sum(lines) * side * (1 + GAP) + len(blocks) * TITLE_IN + 0.1
    with drawing(WIDTH_IN, height, theme) as (figure, stream):
        figure.set_layout_engine("none")
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set(xlim=(0, WIDTH_IN), ylim=(height, 0), autoscale_on=False)
        top, image = 0.05, None
        for (region, rows), n_lines in zip(blocks, lines, strict=True):
            axes.text(LEFT_IN, top + TITLE_IN / 2, str(region), va="center", fontsize=9)
            top += TITLE_IN
            for k, row in enumerate(rows):
                left = LEFT_IN + (k % COLUMNS) * side
                down = top + (k // COLUMNS) * side * (1 + GAP)
                box = (left, left + side * (1 - GAP), down + side * (1 - GAP), down)
                unit = str(table["unit"].iloc[row])
                image = _draw(axes, z[row], box, limit=limit, name=unit, theme=theme)
            top += n_lines * side * (1 + GAP)
        tall = min(2.4, height - 0.5)
        beside = figure.add_axes(
            (1 - 0.62 / WIDTH_IN, 0.5 - tall / height / 2, 0.1 / WIDTH_IN, tall / height)
        )
        if image is not None:
            figure.colorbar(image, cax=beside)
            beside.set_title("z", fontsize=9)
    return stream.getvalue()


def _largest(z: NDArray[np.float32]) -> float:
    """Return the size of z that one of a thousand pixels exceeds."""
    known = np.abs(z[np.isfinite(z)])
    return float(np.quantile(known, 0.999)) if known.size else 0.0


def _draw(
    axes: Any,
    values: NDArray[np.float32],
    box: tuple[float, float, float, float],
    *,
    limit: float,
    name: str,
    theme: Theme,
) -> Any:
    from matplotlib.patches import Rectangle

    left, right, bottom, top = box
    frame = ((left, top), right - left, bottom - top)
    axes.add_patch(
        Rectangle(*frame, facecolor="none", hatch="////", edgecolor=theme.faint, lw=0, zorder=0)
    )
    image = axes.imshow(np.ma.masked_invalid(values), cmap=DIVERGING, vmin=-limit, vmax=limit,
                        extent=box, interpolation="nearest", aspect="auto")  # fmt: skip
    axes.add_patch(Rectangle(*frame, facecolor="none", edgecolor=theme.faint, lw=0.6, zorder=3))
    axes.text(left, bottom + 0.005, name, ha="left", va="top", fontsize=5.5, color=theme.ink)
    return image
