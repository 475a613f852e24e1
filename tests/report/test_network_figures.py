"""report.network_figures: pictures of the right size and colors, the same bytes twice."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from bids_dnn.containers.portrait import Maps
from bids_dnn.report import network_figures as figures
from bids_dnn.report.palette import DARK, LIGHT, THEMES
from tests.factories.portraits import make_portrait

pytestmark = pytest.mark.whole

DRAW = {
    "filters": lambda one, theme: figures.draw_filters(one.filters, theme=theme),
    "activations": lambda one, theme: figures.draw_activations(
        one.activations, one.examples["picture"], theme=theme
    ),
    "examples": lambda one, theme: figures.draw_examples(one.examples, theme=theme),
    "dimensionality": lambda one, theme: figures.draw_dimensionality(
        one.dimensionality, theme=theme
    ),
    "rdms": lambda one, theme: figures.draw_rdms(one.rdms, one.categories, theme=theme),
}


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def colors(png):
    return {tuple(one) for one in pixels(png).reshape(-1, 3).tolist()}


@pytest.mark.parametrize("what", list(DRAW))
def test_each_figure_is_drawn_the_same_twice_on_its_paper(what):
    one = make_portrait()
    for theme in THEMES:
        png = DRAW[what](one, theme)
        assert png == DRAW[what](one, theme)
        paper = tuple(int(theme.paper[i : i + 2], 16) for i in (1, 3, 5))
        seen = pixels(png)
        assert tuple(seen[-1, -1]) == paper
        assert abs(seen.shape[1] - 1209) <= 2
        assert (seen != paper).any()


def test_tiles_have_one_contrast_whatever_their_scale(rng):
    filters = rng.normal(size=(4, 3, 3, 3))
    tiles = figures.tiles_of(filters)
    np.testing.assert_allclose(figures.tiles_of(7 * filters + 3), tiles, atol=1e-9)
    inside = (tiles > 0) & (tiles < 1)
    scaled = (filters - filters.mean((1, 2, 3), keepdims=True)) / filters.std(
        (1, 2, 3), keepdims=True
    )
    np.testing.assert_allclose(tiles[inside], scaled[inside] + 0.5)


def test_a_kernel_that_does_not_vary_is_grey():
    assert np.all(figures.tiles_of(np.full((1, 2, 2, 3), 4.0)) == 0.5)


def test_a_red_filter_is_red():
    filters = np.zeros((1, 4, 4, 3))
    filters[..., 0] = 1
    assert (255, 0, 0) in colors(figures.draw_filters(filters))


def test_maps_go_from_dark_to_bright():
    values = np.zeros((1, 4, 4), np.float32)
    values[0, 0, 0] = 5
    seen = colors(figures.draw_activations({"a": Maps(values, (3,), 9)}, None))
    assert {(68, 1, 84), (253, 231, 36)} <= seen


def test_a_map_that_does_not_vary_is_drawn():
    flat = Maps(np.full((2, 4, 4), 3.0, np.float32), (0, 1), 2)
    assert (68, 1, 84) in colors(figures.draw_activations({"a": flat}, None))


def test_a_distance_that_is_not_known_has_the_color_of_frames():
    ranks = np.array([[0, np.nan, 1], [np.nan, 0, 0], [1, 0, 0]])
    for theme, faint in ((LIGHT, (201, 206, 214)), (DARK, (74, 81, 92))):
        assert faint in colors(figures.draw_rdms({"a": ranks}, theme=theme))


@pytest.mark.parametrize(
    ("categories", "n"),
    [((), 0), (("a",) * 4, 0), (("a", "a", "b", "b"), 1), (tuple("abcdefghijklmnop"), 0)],
)
def test_few_categories_are_parted(categories, n):
    assert len(figures._borders(categories)) == n


@pytest.mark.parametrize("n", [1, 41])
def test_any_number_of_layers_is_drawn(n):
    layers = [f"blocks.{i}.attention.projection" for i in range(n)]
    one = make_portrait()
    assert figures.draw_dimensionality(dict.fromkeys(layers, 3.0))
    assert figures.draw_rdms(dict.fromkeys(layers, one.rdms["features.0"]))
    assert figures.draw_activations(dict.fromkeys(layers, one.activations["features.0"]), None)
