"""Pictures of how same/different was learnt, each as the bytes of a PNG."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from bids_dnn.report.canvas import WIDTH_IN, drawing
from bids_dnn.report.palette import LIGHT, OKABE_ITO, Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PARTS = {"train": OKABE_ITO[0], "validation": OKABE_ITO[1]}


def draw_curves(curves: pd.DataFrame, *, chance: float = 0.5, theme: Theme = LIGHT) -> bytes:
    """Draw loss and accuracy from epoch to epoch, a row a variant.

    Parameters
    ----------
    curves
        ``variant``, ``epoch``, ``split``, ``loss``, ``accuracy``.
    chance
        Accuracy that is dashed.
    theme
        Light or dark.
    """
    variants = list(dict.fromkeys(curves["variant"]))
    with drawing(WIDTH_IN, 0.3 + 2.3 * len(variants), theme) as (figure, stream):
        panels = figure.subplots(len(variants), 2, squeeze=False, sharex="col")
        for row, variant in zip(panels, variants, strict=True):
            own = curves[curves["variant"] == variant]
            for axes, name in zip(row, ("loss", "accuracy"), strict=True):
                _lines(axes, own, name, theme)
                axes.set_title(f"{variant}: {name}", loc="left", fontweight="bold")
            row[1].axhline(chance, color=theme.ink, ls=(0, (3, 2)), lw=1)
            row[1].set_ylim(-0.02, 1.02)
            top = float(own["loss"].max())
            row[0].set_ylim(0, 1.12 * top if 0 < top < float("inf") else 1)
        panels[0, 1].legend(loc="lower right", fontsize=8)
        for axes in panels[-1]:
            axes.set_xlabel("epoch")
    return stream.getvalue()


def draw_rates(rates: pd.DataFrame, chosen: dict[str, float], *, theme: Theme = LIGHT) -> bytes:
    """Draw the loss of batches while the rate rises, and the rate that was taken.

    Parameters
    ----------
    rates
        ``variant``, ``rate``, ``loss``, ``smoothed``.
    chosen
        Rate by variant.
    theme
        Light or dark.
    """
    variants = list(dict.fromkeys(rates["variant"]))
    with drawing(WIDTH_IN, 2.5, theme) as (figure, stream):
        panels = figure.subplots(1, max(len(variants), 2), squeeze=False)[0]
        for axes, variant in zip(panels, variants, strict=False):
            own = rates[rates["variant"] == variant]
            axes.plot(own["rate"], own["loss"], color=theme.faint, lw=0.8, label="batch")
            axes.plot(own["rate"], own["smoothed"], color=OKABE_ITO[0], lw=1.8, label="smoothed")
            axes.axvline(chosen[variant], color=OKABE_ITO[5], lw=1.4, label="taken")
            axes.set_xscale("log")
            top = float(own["smoothed"].max())
            axes.set_ylim(0, 1.15 * top if top > 0 else 1)
            axes.set_title(variant, loc="left", fontweight="bold")
            axes.set_xlabel("rate")
        for axes in panels[len(variants) :]:
            axes.set_visible(False)
        panels[0].set_ylabel("loss")
        panels[0].legend(loc="upper left", fontsize=8)
    return stream.getvalue()


def _lines(axes: Axes, curves: pd.DataFrame, name: str, theme: Theme) -> None:
    for part, color in PARTS.items():
        own = curves[curves["split"] == part]
        if len(own):
            axes.plot(own["epoch"], own[name], color=color, lw=1.6, label=part)
    axes.tick_params(length=0)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=theme.band, lw=0.8)
