"""report.glass: left is left, front is front, the highest value is seen, the outline."""

from __future__ import annotations

import numpy as np
import pytest

from bids_dnn.containers.space import Grid
from bids_dnn.report.glass import glass_brains
from bids_dnn.report.palette import DARK, LIGHT
from tests.factories.looks import is_whole, pixels, share_of

N = (13, 15, 11)  # of x, y and z
VIEWS = {"sagittal": (1, 2), "coronal": (0, 2), "axial": (0, 1)}  # to the right, and up


def grid_of(order=(0, 1, 2), signs=(1, 1, 1)):
    """A box whose axes run along x, y and z in any order and direction, 3 x 4 x 5 mm."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    shape = [0, 0, 0]
    for world, (axis, sign) in enumerate(zip(order, signs, strict=True)):
        affine[world, axis] = sign * (3 + world)
        shape[axis] = N[world]
    affine[:3, 3] = [-s * (3 + w) * (N[w] - 1) / 2 for w, s in enumerate(signs)]
    return Grid("MNI", tuple(shape), affine, np.arange(np.prod(shape)))


def marked(grid, place_mm, value=1.0):
    """Return values (n_units,) that are NaN but at one place."""
    ijk = np.rint(np.linalg.inv(grid.affine) @ [*place_mm, 1])[:3].astype(int)
    values = np.full(len(grid), np.nan)
    values[np.ravel_multi_index(ijk, grid.shape)] = value
    return values


def seen_at(image):
    """Return where the only voxel of a view lies, from 0 to 1 to the right and up."""
    shown = np.ma.getdata(image.get_array())
    ((row, column),) = np.argwhere(~np.ma.getmaskarray(image.get_array()))
    return (column + 0.5) / shown.shape[1], (row + 0.5) / shown.shape[0]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, -1)])
def test_each_view_shows_a_place_where_it_lies(drawn, order, signs):
    grid = grid_of(order, signs)
    place = np.array([-12.0, 20.0, -10.0])  # to the left, in front, below
    glass_brains([("one", marked(grid, place))], grid, label="r")
    expected = 0.5 + place / (np.array(N) * [3, 4, 5])
    images = drawn[0].axes[0].images
    assert len(images) == 3
    for image, (right, up) in zip(images, VIEWS.values(), strict=True):
        assert seen_at(image) == pytest.approx((expected[right], expected[up]))
        left, end, bottom, top = image.get_extent()
        assert (end - left) / N[right] == pytest.approx(3 + right)
        assert (top - bottom) / N[up] == pytest.approx(3 + up)


def test_the_highest_value_on_the_way_is_seen(drawn):
    grid = grid_of()
    values = marked(grid, (0, 0, 0), 0.5)
    values = np.fmax(values, marked(grid, (12, 0, 0), 0.9))
    signed = np.where(values == 0.9, -0.9, values)
    for maps, top in ((values, 0.9), (signed, -0.9)):
        glass_brains([("two", maps)], grid, label="r", is_signed=top < 0)
        sagittal = drawn[-1].axes[0].images[0].get_array()
        assert sagittal.compressed().tolist() == [top]
    glass_brains([("two", signed)], grid, label="r")
    assert drawn[-1].axes[0].images[0].get_array().compressed().tolist() == [0.5]


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_outline_and_titles_stand_whatever_is_found(drawn, theme):
    grid = grid_of()
    nothing = np.full(len(grid), np.nan)
    png = glass_brains([("first", nothing), ("second", nothing)], grid, label="r", theme=theme)
    assert is_whole(drawn[0], "first")
    assert is_whole(drawn[0], "second")
    assert 0.3 < share_of(pixels(png), theme.band) < 0.9
    some = glass_brains([("first", np.ones(len(grid)))], grid, label="r", theme=theme)
    assert share_of(pixels(some), theme.band) < 0.01  # all of it is covered


def test_the_same_map_gives_the_same_bytes():
    grid = grid_of()
    maps = [("one", marked(grid, (0, 4, 5)))]
    assert glass_brains(maps, grid, label="r") == glass_brains(maps, grid, label="r")
