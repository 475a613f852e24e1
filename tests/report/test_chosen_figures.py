"""report.chosen_figures: what was chosen is drawn in its row, ends of what was offered as such."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from bids_dnn.report import chosen_figures
from bids_dnn.report.canvas import DPI
from bids_dnn.report.chosen_figures import component_dots, panel_regions, penalty_bars
from bids_dnn.report.palette import DARK, LIGHT, region_colors
from tests.factories.looks import box_of, bytes_of, is_whole, share_of

REGIONS = ("V1", "V4")
LAYERS = ("conv1", "conv2", "flat")
COLORS = region_colors(REGIONS)
ALPHAS = ["region", "network", "layer", "alpha", "count", "n_smallest", "n_largest"]


def make_alphas():
    """Half of conv1 at the smallest, a quarter of V4's conv2 at the largest; flat is not known."""
    return pd.DataFrame(
        [
            ("V1", "net", "conv1", 0.1, 50, 50, 0),
            ("V1", "net", "conv1", 1.0, 50, 0, 0),
            ("V1", "net", "conv2", 10.0, 100, 0, 0),
            ("V1", "net", "flat", np.nan, 100, 0, 0),
            ("V4", "net", "conv1", 1.0, 100, 0, 0),
            ("V4", "net", "conv2", 1.0, 50, 0, 0),
            ("V4", "net", "conv2", 10.0, 50, 0, 25),
            ("V4", "net", "flat", np.nan, 100, 0, 0),
        ],
        columns=ALPHAS,
    )


def make_components(most=8):
    return pd.DataFrame(
        [
            (region, target, "net", layer, f"fold {f}", np.nan if layer == "flat" else n, most)
            for region, target, layer in itertools.product(REGIONS, ("units", "mean"), LAYERS)
            for f, n in enumerate((2, 2, 5, most if target == "units" else 4))
        ],
        columns=["region", "target", "network", "layer", "fold", "n_components", "most"],
    )


def texts_of(axes):
    """Return each text of a panel with the row that it stands in and whether it is at the left."""
    texts = axes.texts
    return {(round(one.get_position()[1]), one.get_position()[0] < 0.5): one.get_text()
            for one in texts if one.get_text() and not hasattr(one, "xyann")}  # fmt: skip


def again(figure):
    """Draw a figure once more as it was saved, so that the places of its texts are known."""
    figure.set_dpi(DPI)
    figure.canvas.draw()


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_bars_are_as_high_as_the_share_and_dark_at_an_end(drawn, theme):
    png = penalty_bars(make_alphas(), COLORS, theme=theme)
    (figure,) = drawn
    v1, v4 = figure.axes
    whole = 0.84  # of a row; here one penalty has all units of a layer
    for axes, row, place, dark, light in (
        (v1, 0, -1, 0.5, 0.0),
        (v1, 0, 0, 0.0, 0.5),
        (v1, 1, 1, 0.0, 1.0),
        (v4, 1, 0, 0.0, 0.5),
        (v4, 1, 1, 0.25, 0.25),
    ):
        color = COLORS["V1" if axes is v1 else "V4"]
        column = box_of(figure, axes, [(place - 0.2, row + 0.42), (place + 0.2, row - 0.42)], png)
        assert share_of(column, theme.ink, within=20) == pytest.approx(dark, abs=0.08)
        assert share_of(column, color, within=20) == pytest.approx(light, abs=0.08)
        bottom = box_of(
            figure, axes, [(place - 0.2, row + 0.39), (place + 0.2, row + 0.42 - 0.2 * whole)], png
        )
        assert share_of(bottom, theme.ink if dark else color, within=20) > 0.9


def test_the_shares_at_an_end_stand_beside_their_row(drawn):
    penalty_bars(make_alphas(), COLORS)
    (figure,) = drawn
    v1, v4 = figure.axes
    assert texts_of(v1) == {(0, True): "50%"}
    assert texts_of(v4) == {(1, False): "25%"}
    assert [one.get_text() for one in v1.get_yticklabels()] == list(LAYERS)
    again(figure)
    for word in ("penalty, in multiples of the mean diagonal of the training Gram matrix",
                 "smallest or largest that was offered"):  # fmt: skip
        assert is_whole(figure, word)


def overlap(one, other):
    return one.get_window_extent().overlaps(other.get_window_extent())


def test_no_text_lies_on_another(drawn):
    names = [f"region {k} with a long name" for k in range(6)]
    one = make_alphas()[:3]
    table = pd.concat([one.assign(region=name) for name in names], ignore_index=True)
    penalty_bars(table, region_colors(names))
    figure = drawn[0]
    again(figure)
    told = [figure.legends[0], figure._supxlabel]
    for axes in figure.axes:
        told += [axes._left_title, *axes.texts]
    for first, second in itertools.combinations([x for x in told if x.get_visible()], 2):
        if not hasattr(first, "get_text") or (first.get_text() and second.get_text()):
            assert not overlap(first, second), (first, second)


@pytest.mark.parametrize("draw", [penalty_bars, component_dots])
def test_where_nothing_was_predicted_is_hatched(drawn, draw):
    table = make_alphas() if draw is penalty_bars else make_components()
    png = draw(table, COLORS)
    for axes in drawn[0].axes:
        hatched = [one for one in axes.patches if one.get_hatch()]
        assert [round(one.get_y() + one.get_height() / 2) for one in hatched] == [2]
        left, right = axes.transData.inverted().transform(
            axes.transAxes.transform([(0.3, 0), (0.7, 0)])
        )[:, 0]
        part = box_of(drawn[0], axes, [(left, 1.7), (right, 2.3)], png)
        assert np.ptp(part, axis=2).max() < 20  # no color of a region
        assert 0.02 < 1 - share_of(part, LIGHT.paper) < 0.9  # lines on paper


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_dots_stand_at_their_number_units_above_the_mean(drawn, theme):
    png = component_dots(make_components(), COLORS, theme=theme)
    (figure,) = drawn
    for axes, region in zip(figure.axes, REGIONS, strict=True):
        (dots,) = axes.collections[1:]
        places = {tuple(one) for one in np.round(dots.get_offsets().filled(), 3).tolist()}
        rows = [(n, row - 0.2) for row in (0, 1) for n in (2.0, 5.0, 8.0)]
        rows += [(n, row + 0.2) for row in (0, 1) for n in (2.0, 4.0, 5.0)]
        assert places == {(n, round(y, 3)) for n, y in rows}
        sizes = dict(zip(map(tuple, np.round(dots.get_offsets().filled(), 3).tolist()),
                         dots.get_sizes(), strict=True))  # fmt: skip
        assert sizes[2.0, -0.2] == pytest.approx(2 * sizes[5.0, -0.2])  # of two folds
        full = box_of(figure, axes, [(1.98, -0.22), (2.02, -0.18)], png)
        hollow = box_of(figure, axes, [(1.98, 0.18), (2.02, 0.22)], png)
        assert share_of(full, COLORS[region]) == 1
        assert share_of(hollow, theme.paper) == 1
        most = box_of(figure, axes, [(7.97, 0.25), (8.03, 0.4)], png)
        assert share_of(most, theme.ink, within=60) > 0.3
        dark = {(x, round(y, 3)) for (x, y), edge in
                zip(dots.get_offsets().filled().tolist(), dots.get_edgecolors(), strict=True)
                if (bytes_of(edge) == bytes_of(theme.ink)).all()}  # fmt: skip
        assert dark == {(8.0, -0.2), (8.0, 0.8)}


@pytest.mark.parametrize("draw", [penalty_bars, component_dots])
def test_all_missing_and_a_single_layer_are_drawn(draw):
    table = make_alphas() if draw is penalty_bars else make_components()
    value = "alpha" if draw is penalty_bars else "n_components"
    for rows in (table.assign(**{value: np.nan}), table[table["layer"] == "conv1"][:1]):
        assert draw(rows, COLORS)[:4] == b"\x89PNG"


@pytest.mark.parametrize("draw", [penalty_bars, component_dots])
def test_the_same_table_gives_the_same_bytes(draw):
    table = make_alphas() if draw is penalty_bars else make_components()
    assert draw(table, COLORS) == draw(table, COLORS)


@pytest.mark.parametrize("draw", [penalty_bars, component_dots])
def test_of_many_layers_some_are_named(drawn, draw):
    table = make_alphas() if draw is penalty_bars else make_components()
    one = table[table["layer"] == "conv1"]
    many = pd.concat([one.assign(layer=f"conv{k}") for k in range(150)], ignore_index=True)
    draw(many, COLORS)
    (figure,) = drawn
    again(figure)
    labels = [one for one in figure.axes[0].get_yticklabels() if one.get_text()]
    assert 40 < len(labels) <= 75
    assert labels[0].get_text() == "conv0"
    for first, second in itertools.pairwise(labels):
        assert not overlap(first, second)
    assert figure.get_figheight() < 12


def test_regions_with_most_at_an_end_are_drawn_in_their_order():
    names = [f"r{k}" for k in range(40)]
    weight = pd.Series({name: k % 10 for k, name in enumerate(names)}, dtype=float)
    kept = panel_regions(names, 5, weight=weight)
    assert len(kept) == chosen_figures.MOST_PANELS
    assert kept == sorted(kept, key=names.index)
    assert {weight[name] for name in kept} == {9.0, 8.0, 7.0}
    assert len(panel_regions(names, 100, weight=weight)) == chosen_figures.COLUMNS
    assert panel_regions(names[:2], 500, weight=weight * np.nan) == names[:2]
