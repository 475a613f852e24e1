"""report.twin_figures: bars by noise, stars, chance, and the best layer boxed."""

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle
from PIL import Image

from bids_dnn.report.palette import DARK, LIGHT, region_colors
from bids_dnn.report.twin import patterns_of
from bids_dnn.report.twin_figures import (
    MOST_HUES,
    MOST_LAYERS,
    hues_of,
    nearest_lines,
    noise_bars,
    panels_of,
    titles_of,
    twin_heat_maps,
    twin_patterns,
)
from tests.factories.twins import make_twin

COLORS = region_colors(["V1", "V4"])


def heights(axes):
    return np.array([one.get_height() for one in axes.patches if isinstance(one, Rectangle)])


def test_bars_are_grouped_by_noise_in_one_order_of_comparisons(drawn):
    table = make_twin().extras["network"]
    noise_bars(table)
    first, second = drawn[0].axes
    assert [text.get_text() for text in second.get_xticklabels()] == ["none", "1"]
    own = table[table["layer"] == "conv2"]
    expected = [own.loc[own["comparison"] == name, "score"] for name in hues_of(table)]
    np.testing.assert_allclose(heights(second)[:10], np.concatenate(expected))
    places = [one.get_x() + one.get_width() / 2 for one in second.patches[:10]]
    assert (np.round(places[::2]) == 0).all()
    assert (np.round(places[1::2]) == 1).all()
    assert (np.diff(places[::2]) > 0).all()
    chance = [line.get_ydata()[0] for line in second.lines]
    assert chance == [0.25, 0.5]
    assert [text.get_text() for text in second.texts] == ["*"] * 8 + ["***"] * 2
    assert {text.get_text() for text in first.texts} == {""}


def test_many_layers_and_comparisons_are_thinned():
    table = make_twin().extras["network"]
    many = pd.concat([table.assign(layer=f"conv{k}") for k in range(9)])
    assert len(panels_of(many)) <= MOST_LAYERS
    assert panels_of(many)[0] == ("net", "conv0")
    assert panels_of(many)[-1] == ("net", "conv8")
    wide = [
        table.assign(comparison=table["comparison"] + str(k), score=table["score"] - 0.01 * k)
        for k in range(3)
    ]
    kept = hues_of(pd.concat(wide))
    assert len(kept) == MOST_HUES
    assert {"all0", "all1", "all2"} <= set(kept)  # those told best


def test_regions_stand_beside_their_layer(drawn):
    result = make_twin()
    titles = titles_of(result.table[result.table["best"]], ["V1", "V4"])
    patterns = patterns_of(result)
    twin_patterns(patterns, titles, COLORS)
    axes = drawn[0].axes[0]
    own = patterns[patterns["region"] == "V1"]
    np.testing.assert_allclose(heights(axes)[:10], [*own["brain"], *own["network"]])
    title = "V1: conv2, without noise, rho = 0.90 (0.50 to 1.00; p = 0.01)"
    assert axes.get_title(loc="left").startswith(title)
    assert titles["V4"].startswith("V4, no layer named; nearest: conv2, without noise, rho = 0.20")


def test_the_best_layer_is_boxed_and_what_is_not_known_is_hatched(drawn):
    table = make_twin().table
    table.loc[(table["region"] == "V1") & (table["layer"] == "conv1"), "rho"] = np.nan
    twin_heat_maps(table)
    axes = drawn[0].axes[0]
    marks = [one for one in axes.patches if isinstance(one, Rectangle)]
    assert [one.get_xy() for one in marks if one.get_hatch() is None] == [(0.5, -0.5)]
    assert [one.get_xy() for one in marks if one.get_hatch()] == [(-0.5, -0.5), (-0.5, 0.5)]
    image = axes.images[0]
    assert (image.norm.vmin, image.norm.vmax) == (-1, 1)


def test_lines_of_the_nearest_layer_show_mean_participants_and_agreement(drawn):
    best = make_twin().table.query("best").assign(lower=[0.4, np.nan], upper=[0.8, np.nan])
    dots = pd.DataFrame({"region": ["V1", "V4", "V1"], "rho": [0.7, -0.2, 0.95]})
    nearest_lines(best, dots, COLORS)
    axes = drawn[0].axes[0]
    band = axes.patches[0]
    assert (band.get_x(), band.get_width()) == pytest.approx((0.4, 0.4))
    own, means = (
        np.asarray(one.get_offsets()) for one in (axes.collections[0], axes.collections[2])
    )
    assert own.tolist() == [[0.7, 0], [-0.2, 1], [0.95, 0]]
    np.testing.assert_allclose(means, [[0.9, 0], [0.2, 1]])
    ends = [one.tolist() for one in axes.collections[1].get_segments()]
    assert ends == [[[0.5, 0], [1, 0]], [[0.5, 1], [1, 1]]]
    assert [text.get_text() for text in axes.texts] == ["*", ""]
    assert axes.get_yticklabels()[0].get_text() == "V1: conv2, without noise"


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_the_same_table_gives_the_same_picture(theme):
    table = make_twin().table
    once, again = (twin_heat_maps(table, theme=theme) for _ in range(2))
    assert once == again
    with Image.open(io.BytesIO(once)) as made:
        assert made.convert("RGB").getpixel((0, 0)) == tuple(
            int(theme.paper[i : i + 2], 16) for i in (1, 3, 5)
        )
