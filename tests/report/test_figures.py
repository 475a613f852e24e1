"""report.figures: same bytes, what is missing is hatched, what is shown is what is there."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bids_dnn.report import figures
from bids_dnn.report.canvas import DPI
from bids_dnn.report.palette import DARK, LIGHT, OKABE_ITO, region_colors
from tests.factories.looks import box_of, share_of
from tests.factories.results import LAYERS, REGIONS, make_decode, make_encode

COLORS = region_colors(REGIONS)


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def rgb(color):
    return tuple(int(color[i : i + 2], 16) for i in (1, 3, 5))


def share(png, color):
    return (np.abs(pixels(png).astype(int) - rgb(color)).max(axis=2) < 12).mean()


def draw(name, rng, theme=LIGHT):
    decode, encode = make_decode(rng), make_encode(rng)
    return {
        "bars": lambda: figures.score_bars(decode.table, COLORS, label="accuracy", theme=theme),
        "heat": lambda: figures.layer_heat_map(encode.table, label="r", theme=theme),
        "profiles": lambda: figures.layer_profiles(encode.table, COLORS, label="r", theme=theme),
        "confusion": lambda: figures.confusion_matrices(decode.extras["confusion"], theme=theme),
    }[name]()


@pytest.mark.parametrize("name", ["bars", "heat", "profiles", "confusion"])
def test_the_same_input_gives_the_same_bytes(name):
    one, two = (draw(name, np.random.default_rng(0)) for _ in range(2))
    assert one == two
    assert b"Software" not in one


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_the_paper_has_the_color_of_the_theme(rng, theme):
    png = draw("bars", rng, theme)
    assert tuple(pixels(png)[0, 0]) == rgb(theme.paper)


def test_each_region_has_its_color(rng):
    png = draw("bars", rng)
    assert all(share(png, COLORS[name]) > 0.01 for name in REGIONS)


def test_missing_scores_have_no_color_of_a_value(rng):
    table = make_decode(rng).table
    table.loc[table["region"] == "LOC", ["score", "ci_low", "ci_high"]] = np.nan
    png = figures.score_bars(table, COLORS, label="accuracy")
    assert share(png, COLORS["LOC"]) == 0
    assert share(png, LIGHT.faint) > 0


def test_a_baseline_is_marked_and_none_is_not(rng):
    table = make_decode(rng).table
    plain = figures.score_bars(table, COLORS, label="accuracy")
    none = figures.score_bars(table.assign(baseline=np.nan), COLORS, label="accuracy")
    beside = figures.score_bars(table.assign(baseline=0.55), COLORS, label="accuracy")
    assert none == plain
    assert share(beside, LIGHT.ink) > share(plain, LIGHT.ink)


def test_all_missing_is_drawn_too(rng):
    encode = make_encode(rng).table
    encode[["score", "ceiling", "ci_low", "ci_high"]] = np.nan
    for png in (
        figures.layer_heat_map(encode, label="r"),
        figures.layer_profiles(encode, COLORS, label="r"),
    ):
        assert pixels(png).shape[1] > 1000


def heat_map(rng, drawn, theme):
    """Draw a heat map that lacks a cell and a region; returns figure, PNG and scores."""
    table = make_encode(rng).table
    table.loc[table["region"] == "noise", ["score", "ceiling"]] = np.nan
    png = figures.layer_heat_map(table, label="r", theme=theme)
    scores = table.pivot_table(index="region", columns="layer", values="score", dropna=False)
    return drawn[-1], png, scores.reindex(index=REGIONS, columns=LAYERS).to_numpy()


def rectangles(axes, *, is_hatched):
    return [one for one in axes.patches if (one.get_hatch() is not None) == is_hatched]


def cells_of(patches):
    """Return row and column of the cells that patches lie on, each once."""
    middles = [(one.get_y() + one.get_height() / 2, one.get_x() + one.get_width() / 2)
               for one in patches]  # fmt: skip
    return {tuple(np.round(middle).astype(int).tolist()) for middle in middles}


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_the_best_layer_of_each_region_is_boxed(rng, drawn, theme):
    figure, png, scores = heat_map(rng, drawn, theme)
    main, side = figure.axes[:2]
    best = {(r, int(np.nanargmax(row))) for r, row in enumerate(scores[:3])}
    assert np.isnan(scores[3]).all()  # no region of noise, no box
    assert cells_of(rectangles(main, is_hatched=False)) == best
    assert not rectangles(side, is_hatched=False)
    for row, column in np.ndindex(*scores.shape):
        edge = [(column - 0.47, row - 0.3), (column - 0.45, row + 0.3)]
        ink = share_of(box_of(figure, main, edge, png), theme.ink)
        assert (ink > 0.3) == ((row, column) in best), (row, column)


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_cells_without_a_score_are_hatched_and_have_no_color(rng, drawn, theme):
    figure, png, scores = heat_map(rng, drawn, theme)
    main, side = figure.axes[:2]
    missing = {(row, column) for row, column in np.argwhere(np.isnan(scores)).tolist()}
    assert missing == {(2, 0), *((3, column) for column in range(len(LAYERS)))}
    assert cells_of(rectangles(main, is_hatched=True)) == missing
    assert cells_of(rectangles(side, is_hatched=True)) == {(3, 0)}
    shown = [(main, row, column) for row, column in np.ndindex(*scores.shape)]
    for axes, row, column in [*shown, *((side, row, 0) for row in range(len(REGIONS)))]:
        part = box_of(figure, axes, [(column - 0.3, row - 0.4), (column + 0.3, row + 0.4)], png)
        has_color = (np.ptp(part, axis=2) > 30).mean() > 0.3
        is_missing = (row, column) in missing if axes is main else row == 3
        assert has_color != is_missing, (row, column)
        if is_missing:
            assert 0.02 < 1 - share_of(part, theme.paper) < 0.9  # lines on paper


@pytest.mark.parametrize("n_layers", [16, 40, 100])
@pytest.mark.parametrize("name", ["heat", "profiles"])
def test_names_of_many_layers_do_not_lie_on_each_other(drawn, name, n_layers):
    table = pd.DataFrame(
        [
            (region, "net", f"features.{k}", 0.3, 0.6)
            for region in REGIONS
            for k in range(n_layers)
        ],
        columns=["region", "network", "layer", "score", "ceiling"],
    )
    if name == "heat":
        figures.layer_heat_map(table, label="r")
    else:
        figures.layer_profiles(table, COLORS, label="r")
    figure = drawn[0]
    figure.set_dpi(DPI)
    figure.canvas.draw()
    axes = figure.axes[0]
    labels = [one for one in axes.get_xticklabels() if one.get_text()]
    assert labels[0].get_text() == "features.0"
    assert labels[-1].get_text() == f"features.{n_layers - 1}"
    assert (len(labels) == n_layers) == (n_layers == 16)
    ends = [one.get_position()[0] for one in labels]
    places = axes.transData.transform([(x, 0) for x in ends])[:, 0]
    letters = labels[0].get_fontsize() * DPI / 72  # pixels
    slant = np.sin(np.radians(labels[0].get_rotation()))
    assert np.diff(places).min() * slant > 0.9 * letters


def test_many_comparisons_are_cut_to_the_highest(rng):
    table = make_decode(rng).table
    table = table[table["region"] == "V1"].iloc[np.zeros(80, int)].reset_index(drop=True)
    table["comparison"] = [f"a{i}" for i in range(80)]
    table["score"] = np.linspace(0.2, 0.9, 80)
    shown = figures.shown_comparisons(table)
    assert shown == [f"a{i}" for i in range(20, 80)]


def test_stars_follow_the_usual_bounds():
    stars = [figures.stars_of(p) for p in (0.0009, 0.009, 0.049, 0.05, float("nan"))]
    assert stars == ["***", "**", "*", "", ""]


def test_colors_repeat_only_after_all_were_used():
    made = region_colors([f"r{i}" for i in range(9)])
    assert list(made.values())[:7] == list(OKABE_ITO)
    assert len(set(made.values())) == len(made)
