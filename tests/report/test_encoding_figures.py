"""report.encoding_figures: what is drawn is what the table says, where it says it."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from bids_dnn.report.canvas import DPI
from bids_dnn.report.encoding_figures import MOST_FIELDS, field_circles, layer_shares, part_bars
from bids_dnn.report.palette import DARK, LIGHT, region_colors
from bids_dnn.report.scales import category_colors
from tests.factories.looks import box_of, is_whole, legend_of, share_of

REGIONS = ("V1", "V4")
COLORS = region_colors(REGIONS)
SIDE = 8.0


def make_fields(n=3):
    """Fields in a row to the right of the center and above it; the last unit has none."""
    rows = pd.DataFrame(
        [
            (region, 0.5 * unit, 1.0 + r, 0.5 + 0.25 * unit, "deg")
            for r, region in enumerate(REGIONS)
            for unit in range(n + 1)
        ],
        columns=["region", "x", "y", "size", "measured_in"],
    )
    rows.loc[rows.groupby("region").tail(1).index, ["x", "y", "size"]] = np.nan
    return rows


def circles_of(axes):
    return [one for one in axes.patches if hasattr(one, "radius")]


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_fields_stand_in_the_frame_of_the_picture(drawn, theme):
    table = make_fields()
    png = field_circles(table, COLORS, side=SIDE, theme=theme)
    (figure,) = drawn
    assert len(figure.axes) == len(REGIONS)
    for axes, region in zip(figure.axes, REGIONS, strict=True):
        assert axes.get_title() == f"{region}: 3"
        rows = table[table["region"] == region].dropna()
        found = [(*one.center, 2 * one.radius) for one in circles_of(axes)]
        np.testing.assert_allclose(found, rows[["x", "y", "size"]])
        (low, high), (left, right) = axes.get_ylim(), axes.get_xlim()
        assert low < -SIDE / 2 < SIDE / 2 < high  # up is above zero
        assert left < -SIDE / 2 < SIDE / 2 < right
        for x, y in ((-1, -1), (-1, 1), (1, -1), (1, 1)):  # just within and without each corner
            for share, color in ((0.47, theme.band), (0.53, theme.paper)):
                at = np.array([x, y]) * SIDE * share
                assert share_of(box_of(figure, axes, [at, at + 0.1], png), color) > 0.9
        cross = box_of(figure, axes, [(-0.1, -0.1), (0.1, 0.1)], png)
        assert share_of(cross, theme.ink, within=40) > 0.1
    assert figure.get_supxlabel() == "degrees"


def test_a_circle_is_drawn_where_its_field_is(drawn):
    table = make_fields(1).assign(size=3.0)
    table.loc[[1, 3], "size"] = np.nan
    png = field_circles(table, COLORS, side=SIDE)
    axes = drawn[0].axes[0]
    image = box_of(drawn[0], axes, [(-SIDE / 2, -SIDE / 2), (SIDE / 2, SIDE / 2)], png)
    blue = image[..., 2] - image[..., 0] > 60  # that of V1
    rows, columns = np.nonzero(blue)
    pixel = SIDE / image.shape[1]
    middle = (columns.mean() + 0.5) * pixel - SIDE / 2, SIDE / 2 - (rows.mean() + 0.5) * pixel
    np.testing.assert_allclose(middle, (0.0, 1.0), atol=0.1)
    np.testing.assert_allclose((np.ptp(columns) + 1) * pixel, 3.0, atol=0.2)


def test_of_many_fields_some_are_drawn_and_all_are_counted(drawn):
    n = MOST_FIELDS + 50
    field_circles(make_fields(n).assign(measured_in="share"), COLORS, side=1.0)
    axes = drawn[0].axes[0]
    assert len(circles_of(axes)) == MOST_FIELDS
    assert axes.get_title() == f"V1: {n}"
    assert drawn[0].get_supxlabel() == "share of the picture"


def test_shares_of_layers_stand_one_behind_the_other(drawn):
    layers, shares = ("conv1", "conv2", "conv3"), (0.5, 0.2, 0.3)
    table = pd.DataFrame(
        [(region, "net", layer, share) for region in REGIONS
         for layer, share in zip(layers, shares, strict=True)],
        columns=["region", "network", "layer", "share"],
    )  # fmt: skip
    table.loc[table["region"] == "V4", "share"] = np.nan
    png = layer_shares(table)
    (figure,) = drawn
    (axes,) = figure.axes
    colors = category_colors(3)
    assert tuple(legend_of(figure)) == layers
    ends = np.cumsum(shares)
    for color, start, end in zip(colors, ends - shares, ends, strict=True):
        inside = [(start + 0.01, -0.3), (end - 0.01, 0.3)]
        assert share_of(box_of(figure, axes, inside, png), color) > 0.97
    unknown = box_of(figure, axes, [(0.05, 0.7), (0.95, 1.3)], png)
    assert np.ptp(unknown, axis=2).max() < 20  # no color of a layer
    assert 0.02 < 1 - share_of(unknown, LIGHT.paper) < 0.9  # lines on paper
    hatched = [one for one in axes.patches if one.get_hatch()]
    assert [round(one.get_y() + one.get_height() / 2) for one in hatched] == [1]


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_of_many_layers_a_bar_of_depth_names_some(drawn, theme):
    n = 30
    table = pd.DataFrame(
        [(region, "net", f"conv{k}", 1 / n) for region in REGIONS for k in range(1, n + 1)],
        columns=["region", "network", "layer", "share"],
    )
    png = layer_shares(table, theme=theme)
    figure = drawn[0]
    axes, bar = figure.axes
    assert not figure.legends
    figure.set_dpi(DPI)
    figure.canvas.draw()
    assert is_whole(figure, "30 layers, from first to last")
    labels = bar.get_xticklabels()
    assert [one.get_text() for one in labels] == ["conv1", "conv15", "conv30"]
    boxes = [one.get_window_extent() for one in labels]
    assert all(figure.bbox.containsx(x) for box in boxes for x in box.intervalx)
    assert not any(one.overlaps(two) for one, two in itertools.pairwise(boxes))
    colors = category_colors(n)
    for k in (1, 15, 30):  # the same color in the bars and in the bar of depth
        inside = [((k - 0.8) / n, -0.3), ((k - 0.2) / n, 0.3)]
        assert share_of(box_of(figure, axes, inside, png), colors[k - 1]) > 0.97
        inside = [(k - 0.2, 0.3), (k + 0.2, 0.7)]
        assert share_of(box_of(figure, bar, inside, png), colors[k - 1]) > 0.9


@pytest.mark.parametrize("part", ["space", "part"])
def test_bars_of_parts_are_as_long_as_what_they_explain(drawn, part):
    names, r2 = ("a", "b", "a & b"), {"V1": (0.3, 0.1, -0.05), "V4": (0.2, np.nan, 0.0)}
    table = pd.DataFrame(
        [(region, name, value) for region in REGIONS
         for name, value in zip(names, r2[region], strict=True)],
        columns=["region", part, "r2"],
    )  # fmt: skip
    png = part_bars(table, part=part)
    (figure,) = drawn
    (axes,) = figure.axes
    assert tuple(legend_of(figure)) == names
    colors = region_colors(names)
    assert [one.get_text() for one in axes.get_yticklabels()] == list(REGIONS)
    for bars, name, values in zip(axes.containers, names, zip(*r2.values(), strict=True),
                                  strict=True):  # fmt: skip
        np.testing.assert_array_equal([bar.get_width() for bar in bars], values)
        for bar in bars:
            x, y = bar.get_x(), bar.get_y() + bar.get_height() / 2
            inside = [(x + 0.005 * np.sign(bar.get_width()), y - 0.02),
                      (x + 0.9 * bar.get_width(), y + 0.02)]  # fmt: skip
            if np.nan_to_num(bar.get_width()):
                assert share_of(box_of(figure, axes, inside, png), colors[name]) > 0.9
