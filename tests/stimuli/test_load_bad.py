"""stimuli.load: pictures of every kind, and what is none."""

import struct
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bids_dnn.errors import MissingInputError, UnreadableError
from bids_dnn.stimuli.load import read_rgb


def saved(tmp_path, picture, name="a.png", **options):
    picture.save(tmp_path / name, **options)
    return tmp_path / name


def png(width, height, *, bits=8, color=2, rows=b""):
    """A PNG written by hand: any size may stand in its header."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    )


# --- Size


def test_twenty_thousand_squared_is_refused_before_it_is_decoded(tmp_path):
    (tmp_path / "a.png").write_bytes(png(20_000, 20_000))  # no pixels: decoding would fail
    with pytest.raises(UnreadableError, match=r"a\.png has 20000 x 20000.*--max-pixels 400000000"):
        read_rgb(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "tif", "webp", "bmp"])
def test_the_limit_is_the_one_that_is_given(tmp_path, suffix):
    path = saved(tmp_path, Image.new("RGB", (30, 20)), f"a.{suffix}")
    assert read_rgb(path, max_pixels=600).size == (30, 20)
    with pytest.raises(UnreadableError, match="30 x 20 pixels, more than the 599"):
        read_rgb(path, max_pixels=599)


def test_pillows_own_limit_neither_stops_us_nor_is_changed(tmp_path, monkeypatch):
    path = saved(tmp_path, Image.new("RGB", (30, 20)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert read_rgb(path).size == (30, 20)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_one_pixel_is_a_picture(tmp_path):
    made = read_rgb(saved(tmp_path, Image.new("RGB", (1, 1), (1, 2, 3))))
    assert made.getpixel((0, 0)) == (1, 2, 3)


# --- Pixels


def test_cmyk_becomes_rgb(tmp_path):
    path = saved(tmp_path, Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "a.tif")
    assert read_rgb(path).getpixel((4, 4)) == (255, 0, 0)
    jpeg = saved(tmp_path, Image.new("CMYK", (8, 8), (255, 0, 0, 0)), "a.jpg")
    assert read_rgb(jpeg).getpixel((4, 4)) == pytest.approx((0, 255, 255), abs=3)


def test_16_bit_color_keeps_its_upper_half(tmp_path):
    value = 0x80C0
    row = b"\0" + struct.pack(">HHH", 65535, value, 0) * 2
    (tmp_path / "a.png").write_bytes(png(2, 2, bits=16, rows=row * 2))
    made = read_rgb(tmp_path / "a.png").getpixel((1, 1))
    assert made == (255, 128, 0)
    assert abs(made[1] - value / 257) <= 1


WIDE = np.array([[0, 257, 385, 386, 65535]], dtype=np.uint16)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_16_bit_grey_is_divided_by_257(tmp_path, name):
    made = read_rgb(saved(tmp_path, Image.fromarray(WIDE), name))
    assert np.asarray(made)[0, :, 0].tolist() == [0, 1, 1, 2, 255]


@pytest.mark.parametrize("bits", [8, 16])
def test_a_tiff_of_which_0_is_white_is_no_negative(tmp_path, bits):
    grey = WIDE if bits == 16 else np.array([[0, 1, 1, 2, 255]], dtype=np.uint8)
    path = saved(tmp_path, Image.fromarray(grey), "a.tif", tiffinfo={262: 0})
    stored = path.read_bytes()
    assert struct.pack("<HHIH", 262, 3, 1, 0) in stored  # the tag is there
    if bits == 8:  # pillow turns the pixels as it writes them, but those of 16 bits
        assert np.asarray(read_rgb(path))[0, :, 0].tolist() == [0, 1, 1, 2, 255]
    else:
        assert np.asarray(read_rgb(path))[0, :, 0].tolist() == [255, 254, 254, 253, 0]


def test_what_is_clear_in_16_bit_grey_shows_mid_grey(tmp_path):
    path = saved(tmp_path, Image.fromarray(WIDE), transparency=65535)
    assert np.asarray(read_rgb(path))[0, :, 0].tolist() == [0, 1, 1, 2, 128]


def test_16_bit_grey_of_a_portable_graymap_is_divided_by_257(tmp_path):
    path = tmp_path / "a.pgm"  # by hand: old releases of pillow read, but do not write it
    path.write_bytes(b"P5 5 1 65535\n" + WIDE.astype(">u2").tobytes())
    assert np.asarray(read_rgb(path))[0, :, 0].tolist() == [0, 1, 1, 2, 255]


def test_a_palette_with_half_clear_colors_is_mixed_with_grey(tmp_path):
    picture = Image.new("P", (2, 1))
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.putpixel((1, 0), 1)
    made = read_rgb(saved(tmp_path, picture, transparency=bytes([128, 255])))
    assert made.getpixel((0, 0)) == pytest.approx((192, 64, 64), abs=1)
    assert made.getpixel((1, 0)) == (0, 0, 255)


@pytest.mark.parametrize(
    ("turn", "undo"),
    [(1, None), (3, 180), (6, 270), (8, 90)],
)
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_pictures_stand_upright_whatever_the_camera_says(tmp_path, rng, turn, undo, suffix):
    coarse = rng.integers(0, 256, (3, 2, 3), dtype=np.uint8)
    lying = Image.fromarray(coarse.repeat(16, axis=0).repeat(16, axis=1))
    exif = lying.getexif()
    exif[0x0112] = turn
    made = read_rgb(saved(tmp_path, lying, f"a.{suffix}", exif=exif))
    upright = lying.rotate(undo, expand=True) if undo else lying
    assert made.size == upright.size
    centers = np.s_[8::16, 8::16]
    off = np.asarray(made)[centers].astype(int) - np.asarray(upright)[centers]
    assert np.abs(off).max() < 40  # JPEG and WebP blur colors


def test_the_content_says_what_a_file_is(tmp_path, rng):
    pixels = rng.integers(0, 256, (5, 5, 3), dtype=np.uint8)
    path = saved(tmp_path, Image.fromarray(pixels), "a.png")
    np.testing.assert_array_equal(read_rgb(path.rename(tmp_path / "a.jpg")), pixels)


# --- Frames


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_frames_that_differ_are_refused(tmp_path, suffix):
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "red", "blue")]
    path = saved(tmp_path, frames[0], f"a.{suffix}", save_all=True, append_images=frames[1:])
    # Some formats store equal frames once.
    with pytest.raises(UnreadableError, match=rf"a\.{suffix} has [23] frames that differ"):
        read_rgb(path)


def test_frames_that_differ_in_what_is_clear_are_refused(tmp_path):
    frames = [Image.new("RGBA", (8, 8), (255, 0, 0, alpha)) for alpha in (255, 0)]
    path = saved(tmp_path, frames[0], "a.tif", save_all=True, append_images=frames[1:])
    with pytest.raises(UnreadableError, match="2 frames that differ"):
        read_rgb(path)


def test_pages_of_another_size_are_refused(tmp_path):
    pages = [Image.new("RGB", (8, 8), "red"), Image.new("RGB", (4, 4), "red")]
    path = saved(tmp_path, pages[0], "a.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(UnreadableError, match="2 frames that differ"):
        read_rgb(path)


def test_equal_frames_are_one_picture(tmp_path):
    frame = Image.new("RGB", (8, 8), (9, 8, 7))
    path = saved(tmp_path, frame, "a.tif", save_all=True, append_images=[frame, frame])
    assert read_rgb(path).getpixel((0, 0)) == (9, 8, 7)


def test_of_what_a_camera_took_at_once_the_first_is_the_picture(tmp_path):
    frames = [Image.new("RGB", (16, 16), color) for color in ("red", "blue")]
    path = saved(tmp_path, frames[0], "a.mpo", save_all=True, append_images=frames[1:])
    assert read_rgb(path).getpixel((8, 8))[0] > 250


# --- No pictures


@pytest.mark.filterwarnings("ignore:Truncated File Read:UserWarning:PIL")
@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "tif", "webp", "bmp"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_a_cut_file_is_refused(tmp_path, rng, suffix, share):
    picture = Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8))
    path = saved(tmp_path, picture, f"a.{suffix}")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UnreadableError, match=rf"a\.{suffix} is not a picture that can be read"):
        read_rgb(path)


@pytest.mark.parametrize(
    "content",
    [
        b"hello",
        b"%PDF-1.7 ...",
        b"\0" * 1000,
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    ],
)
def test_what_is_no_picture_is_refused(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UnreadableError, match=r"a\.png is not a picture.*no format"):
        read_rgb(tmp_path / "a.png")


def test_an_empty_file_is_called_empty(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(UnreadableError, match=r"a\.png is not a picture.*empty"):
        read_rgb(tmp_path / "a.png")


def test_a_folder_is_called_a_folder(tmp_path):
    with pytest.raises(UnreadableError, match="is a folder"):
        read_rgb(tmp_path)


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    path = saved(tmp_path, Image.new("RGB", (4, 4)))

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UnreadableError, match=r"a\.png cannot be opened \(Permission denied\)"):
        read_rgb(path)


def test_what_was_not_fetched_names_the_command(tmp_path):
    (tmp_path / "a.png").symlink_to(tmp_path / ".git" / "annex" / "objects" / "x")
    (tmp_path / "b.png").write_text("/annex/objects/MD5E-s12--x.png\n")
    for name in "ab":
        with pytest.raises(MissingInputError, match=rf"datalad get .*{name}\.png"):
            read_rgb(tmp_path / f"{name}.png")


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # of damaged metadata
@pytest.mark.parametrize("seed", range(3))
def test_damaged_bytes_never_raise_anything_else(tmp_path, seed):
    rng = np.random.default_rng(seed)
    path = tmp_path / "a"
    for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP"):
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(path, kind)
        whole = np.frombuffer(path.read_bytes(), dtype=np.uint8)
        for _ in range(30):
            damaged = whole.copy()
            damaged[rng.integers(0, min(len(whole), 200), 4)] = rng.integers(0, 256, 4)
            path.write_bytes(damaged.tobytes())
            with suppress(UnreadableError):
                assert read_rgb(path).mode == "RGB"
