"""report.scales: numbers grow from zero, categories have a color and a name each."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest

from bids_dnn.report import scales
from bids_dnn.report.palette import SCALE


def test_numbers_grow_from_zero_to_the_highest():
    values = np.array([-1.0, 0.0, 0.25, 0.5, np.nan])
    scale = scales.scale_of([values, np.full(1000, 0.5)])
    assert (scale.low, scale.high, scale.legend, scale.legend_in) == (0.0, 0.5, (), 0.0)
    expected = mpl.colormaps[SCALE](np.array([0.0, 0.0, 0.5, 1.0]))[:, :3]
    np.testing.assert_array_equal(scale.rgb(values[:4]), expected)
    assert scales.scale_of([np.full(3, np.nan)]).high == 1.0


def test_counts_reach_their_highest_however_few_have_it():
    counts = np.zeros(5000)
    counts[7] = 6.0
    assert scales.scale_of([counts, np.ones(3)]).high == 6.0
    assert scales.scale_of([counts + 0.1]).high == pytest.approx(0.1)
    assert scales.scale_of([np.zeros(4)]).high == 1.0


@pytest.mark.parametrize("highest", [1, 2, 3, 24])
def test_counts_have_ticks_at_whole_numbers(highest):
    ticks = scales.scale_of([np.array([0.0, highest])]).ticks.tick_values(0, highest)
    np.testing.assert_array_equal(ticks, np.rint(ticks))
    assert len(ticks) >= 2
    assert scales.scale_of([np.array([0.0, highest + 0.5])]).ticks is None


@pytest.mark.parametrize("n", [1, 2, 5, scales.MOST_NAMED])
def test_each_category_has_the_color_of_its_number(n):
    scale = scales.scale_of([np.array([1.0, np.nan])], [f"layer {k}" for k in range(n)])
    found = scale.rgb(np.arange(1, n + 1))
    np.testing.assert_allclose(found, scales.category_colors(n)[:, :3])
    assert len(np.unique(found.round(3), axis=0)) == n
    assert len(scale.legend) == n


def test_of_too_many_categories_a_bar_names_the_first_middle_and_last():
    from matplotlib.figure import Figure

    n = scales.MOST_NAMED + 1
    scale = scales.scale_of([np.ones(2)], [f"layer {k}" for k in range(1, n + 1)])
    assert scale.legend == ()
    assert scale.legend_in > 0
    figure = Figure(layout="constrained")
    figure.subplots()
    scale.add_legend(figure)
    assert not figure.legends
    _, bar = figure.axes
    assert [one.get_text() for one in bar.get_xticklabels()] == ["layer 1", "layer 13", "layer 25"]
    np.testing.assert_array_equal(bar.get_xticks(), [1, 13, n])
    assert bar.get_xlim() == (0.5, n + 0.5)
    assert bar.get_xlabel() == "25 layers, from first to last"
    shades = bar.collections[-1].cmap(bar.collections[-1].norm(np.arange(1, n + 1)))
    np.testing.assert_allclose(shades, scales.category_colors(n))
