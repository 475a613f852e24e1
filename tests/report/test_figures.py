"""report.figures: same bytes, what is missing is hatched, what is shown is what is there."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from bids_dnn.report import figures
from bids_dnn.report.palette import DARK, LIGHT, OKABE_ITO, region_colors
from tests.factories.results import REGIONS, make_decode, make_encode

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


def test_all_missing_is_drawn_too(rng):
    encode = make_encode(rng).table
    encode[["score", "ceiling", "ci_low", "ci_high"]] = np.nan
    for png in (
        figures.layer_heat_map(encode, label="r"),
        figures.layer_profiles(encode, COLORS, label="r"),
    ):
        assert pixels(png).shape[1] > 1000


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
