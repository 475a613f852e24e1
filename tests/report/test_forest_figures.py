"""report.forest_figures: lines, marks and stars where they belong, the same bytes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bids_dnn.report.forest_figures import Panel, forest
from bids_dnn.report.palette import DARK, LIGHT

ROWS = pd.DataFrame(
    {
        "name": ["V1", "a very long name of a comparison: face+body+animal vs house+tool+vehicle"],
        "value": [0.2, -0.1],
        "low": [0.1, np.nan],
        "high": [0.3, np.nan],
        "star": ["*", ""],
    }
)


@pytest.fixture
def drawn(monkeypatch):
    """What was put on the axes."""
    from matplotlib.axes import Axes

    seen = {"lines": [], "dots": [], "stars": [], "titles": []}

    def spy(name, keep):
        plain = getattr(Axes, name)

        def record(self, *args, **how):
            keep(args)
            return plain(self, *args, **how)

        monkeypatch.setattr(Axes, name, record)

    spy("hlines", lambda a: seen["lines"].append(list(zip(a[1], a[2], strict=True))))
    spy("plot", lambda a: seen["dots"].append((a[2], list(a[0]))))
    spy("annotate", lambda a: seen["stars"].append(a[0]))
    spy("set_title", lambda a: seen["titles"].append(a[0]))
    return seen


def test_values_intervals_and_stars_are_drawn(drawn):
    panels = [Panel("first", ROWS, "#0072B2"), Panel("", ROWS[:1], "#E69F00")]
    png = forest(panels, label="difference", theme=LIGHT)
    assert png[:4] == b"\x89PNG"
    assert drawn["lines"][0][0] == (0.1, 0.3)
    assert drawn["dots"] == [("o", [0.2, -0.1]), ("o", [0.2])]
    assert drawn["stars"] == ["*", "", "*"]
    assert drawn["titles"] == ["first", ""]
    assert png == forest(panels, label="difference", theme=LIGHT)
    assert png != forest(panels, label="difference", theme=DARK)


def test_bounds_are_marked_where_they_are(drawn):
    rows = ROWS.assign(bound=[0.15, np.nan])
    forest([Panel("", rows, "#0072B2")], label="share", theme=LIGHT, limits=(0, 1))
    assert [mark for mark, _ in drawn["dots"]] == ["o", ">"]
    assert drawn["dots"][1][1][0] == 0.15
