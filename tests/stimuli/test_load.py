"""stimuli.load: known answers, laws, refusals."""

import numpy as np
import pytest
from PIL import Image

from bids_dnn.containers.network import Card
from bids_dnn.errors import MissingInputError, UnreadableError
from bids_dnn.stimuli.load import read_rgb
from tests.factories.loaders import load_picture

PLAIN = Card(name="plain", layers=(), size_px=8, mean=(0.0, 0.0, 0.0), sd=(1.0, 1.0, 1.0))


def saved(tmp_path, picture, name="a.png", **options):
    picture.save(tmp_path / name, **options)
    return tmp_path / name


def test_one_color_is_normalised_by_the_card(tmp_path):
    path = saved(tmp_path, Image.new("RGB", (20, 10), (255, 0, 51)))
    card = Card(name="a", layers=(), size_px=4, mean=(0.5, 0.5, 0.5), sd=(0.5, 0.25, 0.1))
    made = load_picture(path, card)
    assert made.shape == (3, 4, 4)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made[:, 1, 2], [1.0, -2.0, -3.0], rtol=1e-6)


def test_no_resizing_leaves_the_pixels_alone(tmp_path, rng):
    pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    made = load_picture(saved(tmp_path, Image.fromarray(pixels)), PLAIN)
    np.testing.assert_array_equal(made, np.moveaxis(pixels, 2, 0).astype(np.float32) / 255)


def test_shrinking_averages_rather_than_skips(tmp_path):
    checks = np.indices((64, 64)).sum(axis=0) % 2 * 255
    made = load_picture(saved(tmp_path, Image.fromarray(checks.astype(np.uint8))), PLAIN)
    np.testing.assert_allclose(made, 0.5, atol=0.03)


def test_squash_keeps_the_edges_and_crop_loses_them(tmp_path):
    pixels = np.zeros((8, 24), dtype=np.uint8)
    pixels[:, :8] = 255
    path = saved(tmp_path, Image.fromarray(pixels))
    crop = Card("a", (), size_px=8, resize="center-crop", mean=(0.0,) * 3, sd=(1.0,) * 3)
    assert load_picture(path, PLAIN)[0].mean() == pytest.approx(1 / 3, abs=0.02)
    assert load_picture(path, crop).max() == 0


def test_the_camera_orientation_is_applied(tmp_path):
    picture = Image.new("RGB", (8, 4))
    exif = picture.getexif()
    exif[0x0112] = 6  # stored lying, to be turned by a quarter
    assert read_rgb(saved(tmp_path, picture, "a.jpg", exif=exif)).size == (4, 8)


@pytest.mark.parametrize(
    ("mode", "color", "expected"),
    [
        ("L", 51, (51, 51, 51)),
        ("1", 1, (255, 255, 255)),
        ("RGBA", (255, 0, 0, 0), (128, 128, 128)),
        ("RGBA", (255, 0, 0, 255), (255, 0, 0)),
        ("LA", (10, 255), (10, 10, 10)),
        ("I;16", 65535, (255, 255, 255)),
        ("I;16", 51 * 257, (51, 51, 51)),
    ],
)
def test_other_pixel_formats_become_rgb(tmp_path, mode, color, expected):
    made = read_rgb(saved(tmp_path, Image.new(mode, (4, 4), color)))
    assert made.mode == "RGB"
    assert made.getpixel((1, 1)) == expected


def test_a_palette_with_a_clear_color_shows_mid_grey(tmp_path):
    picture = Image.new("P", (4, 4), 1)
    picture.putpalette([9, 9, 9, 200, 100, 0])
    assert read_rgb(saved(tmp_path, picture)).getpixel((0, 0)) == (200, 100, 0)
    clear = saved(tmp_path, picture, "clear.png", transparency=1)
    assert read_rgb(clear).getpixel((0, 0)) == (128, 128, 128)


def test_floating_point_pixels_are_refused(tmp_path):
    path = saved(tmp_path, Image.fromarray(np.zeros((4, 4), np.float32)), "a.tif")
    with pytest.raises(UnreadableError, match=r"a\.tif holds floating-point"):
        load_picture(path, PLAIN)


@pytest.mark.parametrize("keep", [0, 30, 200])
def test_what_is_no_whole_picture_is_refused_by_name(tmp_path, rng, keep):
    path = saved(tmp_path, Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UnreadableError, match=r"a\.png is not a picture"):
        load_picture(path, PLAIN)


def test_an_absent_file_is_refused(tmp_path):
    with pytest.raises(MissingInputError, match=r"no picture .*b\.png"):
        load_picture(tmp_path / "b.png", PLAIN)
