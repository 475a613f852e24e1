"""stimuli.compose: places and sizes to the pixel and below."""

import tracemalloc

import numpy as np
import pytest
from PIL import Image

from bids_dnn.errors import ConfigError
from bids_dnn.stimuli.compose import Item, compose

WHITE = np.ones((9, 9, 3), np.float32)


def extent(canvas):
    """Return area, and center from the middle of the canvas: right and up, in pixels."""
    weight = canvas[:, :, 0].astype(np.float64)
    y, x = np.indices(weight.shape) + 0.5 - len(weight) / 2
    area = weight.sum()
    return area, (weight * x).sum() / area, -(weight * y).sum() / area


@pytest.mark.parametrize(
    ("x", "y", "size"), [(0, 0, 4), (2.5, -3, 2), (-3.3, 1.234, 3.21), (4.1, 4.1, 0.4)]
)
@pytest.mark.parametrize("size_px", [32, 224])
def test_center_and_size_are_exact(x, y, size, size_px):
    canvas = compose([Item(WHITE, x, y, size)], field_deg=10, size_px=size_px, background=0)
    area, right, up = extent(canvas)
    scale = size_px / 10
    assert area == pytest.approx((size * scale) ** 2, rel=0.02)
    # A pixel that is covered in part weighs at its center: at most 1/8 pixel for a side.
    bound = max(0.02, 0.125 / (size * scale))
    assert right == pytest.approx(x * scale, abs=bound)
    assert up == pytest.approx(y * scale, abs=bound)


def test_the_shape_of_an_item_stays():
    canvas = compose(
        [Item(np.ones((4, 8, 3), np.float32), 1, 0, 4)], field_deg=10, size_px=100, background=0
    )
    rows, columns = np.nonzero(canvas[:, :, 0])
    assert (rows.min(), rows.max() + 1) == (40, 60)
    assert (columns.min(), columns.max() + 1) == (40, 80)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(
    ("places", "corners"),
    [([(1, 1), (-1, -1)], [(168, 0), (0, 168)]), ([(-1, 1), (1, -1)], [(0, 0), (168, 168)])],
)
def test_thumbnails_in_the_corners_are_those_of_pillow(rng, interpolation, places, corners):
    # 224 px canvas of grey 125, two thumbnails of 56 px: 7 degrees away, 3.3 degrees wide.
    pictures = [rng.random((120, 120, 3), dtype=np.float32) for _ in range(2)]
    items = [
        Item(one, 7 / np.sqrt(2) * x, 7 / np.sqrt(2) * y, 3.3)
        for one, (x, y) in zip(pictures, places, strict=True)
    ]
    canvas = compose(
        items, field_deg=13.2, size_px=224, background=125 / 255, interpolation=interpolation
    )
    expected = np.full((224, 224, 3), 125 / 255, np.float32)
    kernel = Image.Resampling[interpolation.upper()]
    for one, (left, top) in zip(pictures, corners, strict=True):
        for channel in range(3):
            small = Image.fromarray(np.ascontiguousarray(one[:, :, channel])).resize(
                (56, 56), kernel
            )
            expected[top : top + 56, left : left + 56, channel] = small
    np.testing.assert_allclose(canvas, expected, atol=2e-6)


def test_half_a_pixel_is_covered_in_half():
    canvas = compose([Item(WHITE, 0.5, 0, 2)], field_deg=8, size_px=8, background=0)
    np.testing.assert_allclose(canvas[4, :, 1], [0, 0, 0, 0.5, 1, 0.5, 0, 0], atol=1e-6)


def test_a_place_between_pixels_keeps_the_content_where_it_is():
    ramp = np.tile(np.linspace(0, 1, 400, dtype=np.float32)[None, :, None], (400, 1, 3))
    canvas = compose([Item(ramp, 0.3, 0, 6)], field_deg=8, size_px=80, background=0)
    x = (np.arange(80) + 0.5) / 10 - 4
    inside = (x > -2) & (x < 2.5)
    np.testing.assert_allclose(canvas[40, inside, 0], (x[inside] - 0.3 + 3) / 6, atol=0.003)


def test_later_items_cover_earlier_ones():
    items = [Item(WHITE, 0, 0, 4), Item(WHITE / 2, 0, 0, 2)]
    canvas = compose(items, field_deg=8, size_px=8, background=0)
    assert canvas[4, 4, 0] == 0.5
    assert canvas[2, 2, 0] == 1


def test_an_item_below_a_pixel_still_weighs_its_area():
    canvas = compose([Item(WHITE, 0.02, 0.03, 0.005)], field_deg=8, size_px=80, background=0)
    assert extent(canvas)[0] == pytest.approx(0.05**2, rel=0.01)


def test_a_huge_picture_may_be_drawn_tiny():
    huge = np.broadcast_to(np.float32(1), (3000, 3000, 3))
    canvas = compose([Item(huge, 0.013, 0, 0.1)], field_deg=8, size_px=80, background=0)
    area, right, _ = extent(canvas)
    assert area == pytest.approx(1)
    assert right == pytest.approx(0.13)


@pytest.mark.parametrize("shape", [(500, 500), (1, 50), (50, 1), (1, 3000)])
def test_tiny_and_narrow_items_take_little_memory_and_weigh_their_area(shape):
    picture = np.ones((*shape, 3), np.float32)
    tracemalloc.start()
    try:
        canvas = compose([Item(picture, 0.1, 0, 0.02)], field_deg=100, size_px=224, background=0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20e6
    side = 0.02 * 2.24
    assert canvas.sum(dtype=float) / 3 == pytest.approx(
        side**2 * min(shape) / max(shape), rel=0.01
    )


@pytest.mark.parametrize(("size", "place"), [(0.06, 0.3), (0.3, 0.01), (0.9, 0)])
def test_an_item_about_a_pixel_shows_its_mean(rng, size, place):
    picture = rng.random((40, 30, 3), dtype=np.float32)
    canvas = compose([Item(picture, place, 0, size)], field_deg=8, size_px=8, background=0)
    area = size**2 * 3 / 4
    shown = canvas.sum(axis=(0, 1), dtype=float) / area
    np.testing.assert_allclose(shown, picture.mean(axis=(0, 1)), atol=0.06)


def test_an_item_far_below_a_pixel_is_refused():
    with pytest.raises(ConfigError, match=r"0\.01 degrees is 0\.022 pixels wide.*larger size="):
        compose([Item(WHITE, 0, 0, 0.01)], field_deg=100, size_px=224, background=0)


def test_the_items_are_not_altered(rng):
    picture = rng.random((5, 5, 3), dtype=np.float32)
    before = picture.copy()
    compose([Item(picture, 0.13, 0, 2)], field_deg=8, size_px=8, background=0)
    np.testing.assert_array_equal(picture, before)


@pytest.mark.parametrize(("x", "y"), [(3.5, 0), (0, -3.5), (-100, 0)])
def test_an_item_beyond_the_canvas_is_refused(x, y):
    with pytest.raises(ConfigError, match=rf"2 degrees at \({x}, {y}\).*field of 8.*field="):
        compose([Item(WHITE, x, y, 2)], field_deg=8, size_px=8, background=0)
