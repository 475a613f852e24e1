"""report.surfaces: colors stand where units lie, on the mesh that they belong to."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from bids_dnn.containers.space import Surface
from bids_dnn.report import raster, surfaces
from bids_dnn.report.palette import DARK, LIGHT, region_colors
from bids_dnn.report.scales import category_colors
from tests.factories.looks import bytes_of, is_whole, legend_of
from tests.factories.reports import (
    make_channel_rois,
    make_cortex_rois,
    make_mesh,
    make_retinotopy,
    make_rois,
    make_surface_rois,
    make_surfaces,
)

pytestmark = pytest.mark.whole


@pytest.fixture(scope="module")
def brain():
    return raster.make_brain(make_surfaces())


def rgb(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def share_of(image, color):
    """Share of pixels that have the hue of a color, lit or not."""
    want = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)], float)
    lit = image @ want / (want @ want)
    near = np.abs(image - lit[..., None] * want).max(axis=2) < 14
    return near & (lit > 0.65) & (lit < 1.01)


def test_values_stand_on_their_vertices():
    space = Surface("x", (4, 3), np.array([1, 3, 4, 6]))
    values = np.array([10.0, 30.0, 40.0, 60.0])
    left = surfaces.vertex_values(values, space, "L", 4)
    right = surfaces.vertex_values(values, space, "R", 3)
    np.testing.assert_array_equal(left, [np.nan, 10, np.nan, 30])
    np.testing.assert_array_equal(right, [40, np.nan, 60])


def test_grayordinates_stand_where_the_same_vertices_do():
    kept = np.arange(600) % 4 > 0
    for one, two in zip(make_surface_rois(), make_cortex_rois(), strict=True):
        for h in ("L", "R"):
            found = [
                np.isfinite(surfaces.vertex_values(np.ones(len(r.space)), r.space, h, 600))
                for r in (one, two)
            ]
            np.testing.assert_array_equal(found[0] & kept, found[1])


def test_fits_only_meshes_of_the_same_size(brain):
    assert surfaces.fits(brain, make_surface_rois()[0].space)
    assert surfaces.fits(brain, make_cortex_rois()[0].space)
    assert surfaces.fits(brain, Surface("x", (600, 0), np.arange(3)))
    assert not surfaces.fits(brain, Surface("x", (600, 599), np.arange(3)))
    assert not surfaces.fits(brain, make_rois()[0].space)
    assert not surfaces.fits(brain, make_channel_rois()[0].space)
    assert not surfaces.fits(None, make_surface_rois()[0].space)


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_a_region_is_drawn_in_its_color_on_its_side(brain, theme):
    """A region of the left hemisphere only is seen in the left half of the figure only."""
    whole = make_surface_rois()[0]
    left = dataclasses.replace(
        whole, space=whole.space.select(whole.space.in_hemisphere("L")), name="V1"
    )
    colors = region_colors(["V1"])
    image = rgb(surfaces.region_brains([left], colors, brain=brain, theme=theme))
    drawn = share_of(image[: image.shape[0] * 8 // 10], colors["V1"])
    middle = image.shape[1] // 2
    assert drawn[:, :middle].sum() > 2000
    assert drawn[:, middle + 10 :].sum() == 0


def test_a_small_region_is_seen_within_a_large_one(brain):
    large = make_surface_rois()[0]
    small = dataclasses.replace(large, space=large.space.at(large.space.index[::2]), name="in")
    colors = region_colors([small.name, large.name])
    image = rgb(surfaces.region_brains([small, large], colors, brain=brain))
    cut = image[: image.shape[0] * 8 // 10]
    assert share_of(cut, colors["in"]).sum() > 1000
    assert share_of(cut, colors[large.name]).sum() > 1000


def test_the_same_input_gives_the_same_bytes(brain):
    rois = make_surface_rois()
    colors = region_colors([roi.name for roi in rois])
    one, two = (surfaces.region_brains(rois, colors, brain=brain) for _ in range(2))
    assert one == two
    one, two = (surfaces.retinotopy_brains(make_retinotopy(), brain=brain) for _ in range(2))
    assert one == two


def test_maps_of_nan_and_of_one_hemisphere_are_drawn(brain):
    space = make_surface_rois()[0].space
    png = surfaces.map_brains(
        [("all n/a", np.full(len(space), np.nan))], space, brain=brain, label="r"
    )
    assert rgb(png).shape[1] > 1000
    single = raster.make_brain({"L": (make_mesh("L"), None)})
    assert rgb(
        surfaces.map_brains([("r", np.ones(len(space)))], space, brain=single, label="r")
    ).any()


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_categories_have_a_color_each_and_a_name(brain, drawn, theme):
    """The left hemisphere chose the first of three layers, the right one the last."""
    space = make_surface_rois()[0].space
    values = np.where(space.in_hemisphere("L"), 1.0, 3.0)
    names = ["conv1", "conv2", "conv3"]
    png = surfaces.map_brains(
        [("chosen layer", values)], space, brain=brain, label="layer", names=names, theme=theme
    )
    (figure,) = drawn
    colors = category_colors(3)
    assert legend_of(figure) == {
        name: tuple(bytes_of(color)) for name, color in zip(names, colors, strict=True)
    }
    assert len(figure.axes) == 1  # no scale of numbers beside it
    assert is_whole(figure, "chosen layer")
    image = rgb(png)[: rgb(png).shape[0] * 8 // 10]  # without the legend
    middle = image.shape[1] // 2
    hexed = ["#{:02x}{:02x}{:02x}".format(*bytes_of(color)) for color in colors]
    first, second, third = (share_of(image, color) for color in hexed)
    assert first[:, :middle].sum() > 1000
    assert third[:, middle:].sum() > 1000
    assert second.sum() + first[:, middle:].sum() + third[:, :middle].sum() < 50


def test_retinotopy_needs_three_maps_on_the_same_mesh(brain):
    made = make_retinotopy()
    assert surfaces.fits_retinotopy(brain, made)
    assert not surfaces.fits_retinotopy(brain, {k: v for k, v in made.items() if k != "area"})
    assert not surfaces.fits_retinotopy(brain, make_retinotopy(100))
    assert not surfaces.fits_retinotopy(brain, None)


def test_sulci_are_darker(brain):
    gray = surfaces.folds(brain, "L")
    curvature = brain.curvature["L"]
    assert gray[curvature > 0].max() < gray[curvature < 0].min()


def test_a_noisy_figure_stays_small(rng):
    brain = raster.make_brain(make_surfaces(20_000))
    space = Surface("x", (20_000, 20_000), np.arange(40_000))
    maps = [(str(i), rng.normal(size=40_000)) for i in range(4)]
    png = surfaces.map_brains(maps, space, brain=brain, label="r", theme=DARK)
    assert len(png) < 500_000
    assert "#{:02x}{:02x}{:02x}".format(*rgb(png)[0, -1]) == DARK.paper
