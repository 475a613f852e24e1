"""Pictures of patterns: what a region's units do for some pictures, beside what models predict."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.report.canvas import WIDTH_IN, drawing, shorten
from bids_dnn.report.palette import DIVERGING, LIGHT, Theme

LIMIT_SD = 2.0  # where the colors end
MOST_COLUMNS = 4  # models beside the data


def pattern_panels(table: pd.DataFrame, *, theme: Theme = LIGHT) -> bytes:
    """Draw measured patterns beside those that models predict, a line of panels for each region.

    Parameters
    ----------
    table
        ``region``, ``estimator``, ``layer``, ``stimulus``, ``unit``, ``measured`` and
        ``predicted`` (SD): one row each.
    theme
        Light or dark.

    Returns
    -------
    png
        Rows are pictures, columns units, from those that respond alike at one end to those that
        do so at the other. Predictions are scaled to the SD that they have in the panel, since
        those of noisy units are small. What was not measured is hatched. Beside each model: the
        mean over pictures of the correlation over units.
    """
    regions = list(dict.fromkeys(table["region"]))
    models = list(dict.fromkeys(table["estimator"]))[:MOST_COLUMNS]
    n_images = table["stimulus"].nunique()
    height = (0.55 + 0.14 * n_images) * len(regions) + 0.5
    with drawing(WIDTH_IN, height, theme) as (figure, stream):
        panels = figure.subplots(len(regions), 1 + len(models), squeeze=False)
        image: Any = None
        for line, region in zip(panels, regions, strict=True):
            own = table[table["region"] == region]
            first = own[own["estimator"] == own["estimator"].iloc[0]]
            measured = _square(first, "measured")
            order = _order(measured)
            image = _draw(line[0], measured[:, order], theme)
            names = [shorten(str(one), 18) for one in dict.fromkeys(first["stimulus"])]
            line[0].set_yticks(range(len(names)), names, fontsize=6)
            line[0].set_title(f"{region}: measured", fontsize=8)
            for axes, model in zip(line[1:], models, strict=True):
                rows = own[own["estimator"] == model]
                if rows.empty:
                    axes.set_axis_off()
                    continue
                told = _square(rows, "predicted")
                image = _draw(axes, _scaled(told)[:, order], theme)
                axes.set_yticks([])
                layer = shorten(str(rows["layer"].iloc[0]), 16)
                axes.set_title(
                    f"{model}, {layer}\nr = {pattern_r(measured, told):.2f}", fontsize=8
                )
        figure.supxlabel("units", fontsize=9)
        figure.colorbar(image, ax=panels, label="SD", pad=0.01, fraction=0.03, shrink=0.8)
    return stream.getvalue()


def pattern_r(measured: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    """Return the mean over pictures of the correlation over units.

    Parameters
    ----------
    measured, predicted : (n_images, n_units)
        NaN = not measured.

    Returns
    -------
    r : float, in [-1, 1]
        NaN where no picture has three units that are known and vary.
    """
    found = []
    for one, other in zip(measured, predicted, strict=True):
        known = np.isfinite(one) & np.isfinite(other)
        if known.sum() > 2 and np.ptp(one[known]) > 0 and np.ptp(other[known]) > 0:
            found.append(float(np.corrcoef(one[known], other[known])[0, 1]))
    return float(np.mean(found)) if found else float("nan")


def _square(rows: pd.DataFrame, column: str) -> NDArray[np.float64]:
    """Return (n_images, n_units)."""
    n_images = rows["stimulus"].nunique()
    return rows[column].to_numpy(dtype=np.float64).reshape(n_images, -1)


def _order(measured: NDArray[np.float64]) -> NDArray[np.intp]:
    """Order units by what they have in common most: the first component of their responses."""
    known = np.nan_to_num(measured)
    _, _, directions = np.linalg.svd(known, full_matrices=False)
    return np.argsort(directions[0] * np.sign(directions[0].sum() or 1.0), kind="stable")


def _scaled(told: NDArray[np.float64]) -> NDArray[np.float64]:
    known = told[np.isfinite(told)]
    spread = known.std() if known.size else 0.0
    return told / spread if spread > 0 else told


def _draw(axes: Any, values: NDArray[np.float64], theme: Theme) -> Any:
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle((0, 0), 1, 1, transform=axes.transAxes, facecolor="none", hatch="////",
                  edgecolor=theme.faint, lw=0, zorder=0)
    )  # fmt: skip
    shown = np.ma.masked_invalid(values)
    image = axes.imshow(shown, cmap=DIVERGING, vmin=-LIMIT_SD, vmax=LIMIT_SD, aspect="auto",
                        interpolation="nearest")  # fmt: skip
    axes.set_xticks([])
    return image
