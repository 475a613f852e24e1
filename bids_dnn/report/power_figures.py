"""Curves of power over participants, a line for each number of runs."""

from __future__ import annotations

import pandas as pd

from bids_dnn.report.canvas import WIDTH_IN, drawing
from bids_dnn.report.palette import LIGHT, OKABE_ITO, Theme
from bids_dnn.report.parts import counted

TARGETS = (0.8, 0.9)
HEIGHT_IN = 3.2
TITLES = {"sign-flip": "flipped signs", "t": "t test"}


def power_curves(table: pd.DataFrame, *, alpha: float, theme: Theme = LIGHT) -> bytes:
    """Draw the power of each test.

    Parameters
    ----------
    table
        ``test``, ``n_runs`` (0 = as in the pilot), ``n_participants``, ``power`` and its
        interval, ``power_low`` and ``power_high``.
    alpha
        Level of the tests.

    Returns
    -------
    png
        The same table gives the same bytes.
    """
    tests = list(dict.fromkeys(table["test"]))
    runs = list(dict.fromkeys(table["n_runs"]))
    with drawing(WIDTH_IN, HEIGHT_IN, theme) as (figure, stream):
        axes = figure.subplots(1, len(tests), sharey=True, squeeze=False)[0]
        for ax, test in zip(axes, tests, strict=True):
            for target in TARGETS:
                ax.axhline(target, color=theme.faint, linewidth=1, linestyle="--", zorder=0)
            for k, n_runs in enumerate(runs):
                rows = table[(table["test"] == test) & (table["n_runs"] == n_runs)]
                x, color = rows["n_participants"], OKABE_ITO[k % len(OKABE_ITO)]
                label = counted(int(n_runs), "run") if n_runs else "runs as in the pilot"
                ax.plot(x, rows["power"], color=color, label=label)
                ax.fill_between(
                    x, rows["power_low"], rows["power_high"], color=color, alpha=0.2, linewidth=0
                )
            ax.set(
                title=TITLES.get(test, test),
                xlabel="participants",
                ylim=(0, 1.02),
                xlim=(table["n_participants"].min(), table["n_participants"].max()),
            )
        axes[0].set_ylabel(f"power (one-sided, p < {alpha:g})")
        axes[-1].legend(loc="lower right")
    return stream.getvalue()
