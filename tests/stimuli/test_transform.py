"""stimuli.transform: what is done, in which order, to how many pictures."""

import numpy as np
import pytest

from bids_dnn.errors import ConfigError
from bids_dnn.stimuli.compose import Item, compose
from bids_dnn.stimuli.resize import resized
from bids_dnn.stimuli.tone import aperture, contrast, grey, mean_luminance
from bids_dnn.stimuli.transform import (
    APPLY,
    NAMES,
    describe,
    examples,
    parse_transforms,
    transformed,
)
from bids_dnn.stimuli.warp import retinawarp

EXAMPLES = {
    "squash": "squash",
    "center-crop": "center-crop(keep=0.9)",
    "pad": "pad",
    "grey": "grey",
    "aperture": "aperture(edge=0.1)",
    "contrast": "contrast(factor=0.5)",
    "place": "place(size=4, field=10)",
    "pair": "pair",
    "noise": "noise(snr=2)",
    "retinawarp": "retinawarp",
}


@pytest.fixture
def picture(rng):
    return rng.random((40, 60, 3), dtype=np.float32)


def seen(pictures, *texts, stimulus="a.png", **options):
    options = {"size_px": 32, "resize": "squash", **options}
    return transformed(pictures, parse_transforms(texts), stimulus=stimulus, **options)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(40, 60), (1, 1), (3, 200)])
def test_each_transform_makes_a_picture_of_the_networks_size(rng, name, shape):
    given = rng.random((*shape, 3), dtype=np.float32)
    before = given.copy()
    made = seen([given], EXAMPLES[name])
    assert made.shape == (32, 32, 3)
    assert made.dtype == np.float32
    assert np.isfinite(made).all()
    np.testing.assert_array_equal(given, before)


def test_each_name_is_done():
    assert tuple(APPLY) == NAMES == tuple(EXAMPLES)
    assert all(describe(name) for name in NAMES)


def test_without_transforms_the_picture_is_resized(picture):
    for rule in ("squash", "center-crop", "pad"):
        for kernel in ("bilinear", "bicubic"):
            made = seen([picture], resize=rule, interpolation=kernel)
            expected = resized(picture, 32, resize=rule, interpolation=kernel)
            np.testing.assert_array_equal(made, expected)


def test_options_reach_what_they_name(picture):
    small = resized(picture, 32, resize="squash")
    mean = mean_luminance(small)
    hole = aperture(small, shape="square", diameter_px=16, edge_px=3, background=mean)
    expected = {
        "pad(fill=51)": resized(picture, 32, resize="pad", fill=0.2),
        "pad(fill=mean)": resized(picture, 32, resize="pad", fill=mean_luminance(picture)),
        "center-crop(keep=0.5)": resized(picture, 32, resize="center-crop", keep=0.5),
        "grey(weights=rec709)": grey(small, "rec709"),
        "aperture(shape=square, diameter=0.5, edge=3px, background=mean)": hole,
        "contrast(factor=2)": contrast(small, factor=2, pivot=mean),
        "contrast(factor=2, about=grey)": contrast(small, factor=2, pivot=128 / 255),
        "retinawarp(density=4, x=0.1, y=-0.2, fill=255, mode=fitted)": retinawarp(
            picture, size_px=32, density=4, fixation=(0.1, -0.2), fill=1.0, mode="fitted"
        ),
        "retinawarp(antialias=yes)": retinawarp(picture, size_px=32, antialias=True),
        "place(x=1, y=2, size=3, field=12, background=51)": compose(
            [Item(picture, 1, 2, 3)], field_deg=12, size_px=32, background=0.2
        ),
    }
    for text, made in expected.items():
        np.testing.assert_allclose(seen([picture], text), made, atol=1e-6, err_msg=text)


def test_what_makes_a_square_takes_the_picture_as_it_is(picture):
    warped = retinawarp(grey(picture), size_px=32)
    np.testing.assert_array_equal(seen([picture], "grey", "retinawarp"), warped)
    later = seen([picture], "retinawarp", "grey")
    np.testing.assert_allclose(later, warped, atol=1e-5)
    again = seen([picture], "retinawarp", "place(size=5, field=10)")
    expected = compose(
        [Item(retinawarp(picture, size_px=32), 0, 0, 5)],
        field_deg=10,
        size_px=32,
        background=128 / 255,
    )
    np.testing.assert_array_equal(again, expected)


def test_the_order_is_the_one_that_was_asked_for(picture):
    noise, fade = "noise(snr=1)", "contrast(factor=0)"
    assert np.ptp(seen([picture], noise, fade)) < 1e-5
    assert np.ptp(seen([picture], "contrast(factor=0.1)", noise)) < 1
    assert np.ptp(seen([picture], noise, "grey"), axis=2).max() < 1e-5
    assert np.ptp(seen([picture], "grey", noise), axis=2).max() > 0.1


def test_noise_belongs_to_the_stimulus_the_seed_and_the_draw(picture):
    def noisy(*texts, stimulus="a.png"):
        return seen([picture], *texts, stimulus=stimulus) - seen([picture])

    first = noisy("noise(snr=1)")
    np.testing.assert_array_equal(noisy("noise(snr=1)"), first)
    np.testing.assert_array_equal(noisy("noise(snr=1, seed=0, draw=0)"), first)
    np.testing.assert_allclose(noisy("noise(snr=4)"), first / 2, atol=1e-6)
    for other in (
        noisy("noise(snr=1)", stimulus="b.png"),
        noisy("noise(snr=1, seed=1)"),
        noisy("noise(snr=1, draw=1)"),
    ):
        # 3,072 draws: a correlation of 0 has a standard error of 0.018.
        assert abs(np.corrcoef(other.ravel(), first.ravel())[0, 1]) < 0.08
    twice = noisy("noise(snr=1)", "noise(snr=1)")  # 1 + 2 times the variance, not (1 + 1.4)^2
    assert twice.var() / first.var() == pytest.approx(3, abs=0.3)


def test_a_pair_shows_both_files_or_the_one_file_twice(rng):
    first, second = (np.full((10, 10, 3), level, np.float32) for level in (0.0, 1.0))
    normal = seen([first, second], "pair", size_px=224)
    inverted = seen([first, second], "pair(orientation=inverted)", size_px=224)
    corners = ([20, 20, 200, 200], [20, 200, 20, 200])  # upper left, upper right, lower ...
    grey_125 = np.float32(125 / 255)
    np.testing.assert_array_equal(normal[corners][:, 0], [grey_125, 0, 1, grey_125])
    np.testing.assert_array_equal(inverted[corners][:, 0], [0, grey_125, grey_125, 1])
    same = seen([second], "pair", size_px=224)
    np.testing.assert_array_equal(same[corners][:, 0], [grey_125, 1, 1, grey_125])


def test_each_item_of_a_pair_has_its_own_noise(picture):
    picture = picture[:, :40]
    made = seen([picture, picture], "noise(snr=1)", "pair", size_px=224)
    first, second = made[:56, 168:], made[168:, :56]
    assert np.abs(first - second).max() > 0.1
    clean = seen([picture, picture], "pair", size_px=224)
    np.testing.assert_array_equal(clean[:56, 168:], clean[168:, :56])


def test_several_pictures_need_a_pair(picture):
    with pytest.raises(ConfigError, match=r"'a\.png' is made of 2 pictures.*Add a pair"):
        seen([picture, picture], "grey")
    with pytest.raises(ConfigError, match=r"'a\.png' is made of 3 pictures.*pair takes two"):
        seen([picture] * 3, "pair")


def test_examples_show_each_step_clipped(picture):
    texts = ["grey", "noise(snr=0.1)", "noise(snr=0.1)", "retinawarp"]
    transforms = parse_transforms(texts)
    shown = examples([picture], transforms, size_px=32, resize="pad", stimulus="a.png")
    names = [str(one) for one in transforms]
    assert list(shown) == ["picture", *names[:2], f"{names[2]} #2", names[3]]
    assert {(one.shape, str(one.dtype)) for one in shown.values()} == {((32, 32, 3), "uint8")}
    assert (shown["picture"][0] == 128).all()  # the margin of the network's own rule
    assert np.ptp(shown[names[0]], axis=2).max() <= 1
    assert shown[names[1]].min() == 0
    assert shown[names[1]].max() == 255
    final = seen([picture], *texts, resize="pad")
    np.testing.assert_array_equal(shown[names[3]], np.rint(final.clip(0, 1) * 255))


def test_examples_of_a_pair_show_the_first_item_until_both_are_there(picture):
    transforms = parse_transforms(["grey", "pair"])
    dark = picture * np.float32(0.1)
    shown = list(examples([dark, picture], transforms, size_px=224, resize="squash").values())
    assert shown[1].max() < 30
    assert shown[2].max() > 125
