"""report.power_figures: a line for each number of runs, the same bytes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bids_dnn.report.power_figures import power_curves


def table_of(runs):
    rows = [
        (test, n_runs, n, *np.clip([p, p - 0.05, p + 0.05], 0, 1))
        for test in ("sign-flip", "t")
        for n_runs in runs
        for n, p in ((4, 0.2), (8, 0.6), (16, 0.95))
    ]
    names = ["test", "n_runs", "n_participants", "power", "power_low", "power_high"]
    return pd.DataFrame(rows, columns=names)


def test_curves_are_drawn_and_named(monkeypatch):
    from matplotlib.axes import Axes

    drawn = []
    plot = Axes.plot

    def spy(self, x, y, **how):
        drawn.append((how["label"], list(y)))
        return plot(self, x, y, **how)

    monkeypatch.setattr(Axes, "plot", spy)
    png = power_curves(table_of((1, 8)), alpha=0.05)
    assert png[:4] == b"\x89PNG"
    assert [label for label, _ in drawn] == ["1 run", "8 runs"] * 2
    assert drawn[0][1] == [0.2, 0.6, 0.95]
    assert png == power_curves(table_of((1, 8)), alpha=0.05)


def test_a_pilot_without_runs_is_one_line(monkeypatch):
    from matplotlib.axes import Axes

    labels = []
    plot = Axes.plot
    monkeypatch.setattr(
        Axes, "plot", lambda self, *a, **how: labels.append(how["label"]) or plot(self, *a, **how)
    )
    power_curves(table_of((0,)), alpha=0.01)
    assert labels == ["runs as in the pilot"] * 2
