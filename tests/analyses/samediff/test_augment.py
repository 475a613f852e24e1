"""analyses.samediff.augment: each copy against its definition, seeded noise."""

import numpy as np
import pytest

from bids_dnn.analyses.samediff.augment import (
    KINDS,
    WORDS,
    Copy,
    augmented,
    parse_copies,
)
from bids_dnn.errors import ConfigError, ShapeError


@pytest.fixture
def picture(rng):
    return rng.random((24, 20, 3), dtype=np.float32)


def made(picture, kind, *, seed=(0,), is_flipped=False):
    return augmented(picture, Copy(kind, is_flipped), seed=seed)


def test_closed_forms(picture):
    np.testing.assert_array_equal(made(picture, "plain"), picture)
    np.testing.assert_array_equal(made(picture, "invert"), 1 - picture)
    np.testing.assert_allclose(made(picture, "gamma"), 0.9 * picture**0.4, rtol=1e-6)
    np.testing.assert_allclose(made(picture, "log"), np.log2(1 + picture), rtol=1e-6)


def test_contrast_takes_percentiles_15_and_85_to_0_and_1(picture):
    stretched = made(picture, "contrast")
    low, high = np.percentile(picture, [15, 85])
    inside = (picture > low) & (picture < high)
    np.testing.assert_allclose(
        stretched[inside], ((picture - low) / (high - low))[inside], atol=1e-6
    )
    assert np.mean(stretched == 0) == pytest.approx(0.15, abs=0.002)
    assert np.mean(stretched == 1) == pytest.approx(0.15, abs=0.002)


def test_contrast_leaves_a_flat_picture_alone():
    flat = np.full((6, 6, 3), 0.3, np.float32)
    np.testing.assert_array_equal(made(flat, "contrast"), flat)


def test_blur_is_the_mean_of_ten_by_ten_pixels_and_mixes_no_colors(picture):
    blurred = made(picture, "blur")
    expected = picture[4:14, 3:13].mean(axis=(0, 1))
    np.testing.assert_allclose(blurred[9, 8], expected, rtol=1e-5)
    one = np.zeros((30, 30, 3), np.float32)
    one[15, 15, 1] = 1
    spread = made(one, "blur")
    assert np.count_nonzero(spread[..., 1] > 1e-6) == 100
    assert not spread[..., [0, 2]].any()


def test_noise_has_its_sd_and_follows_the_seed():
    grey = np.full((100, 100, 3), 0.5, np.float32)
    noisy = made(grey, "noise", seed=(1, 2))
    assert noisy.std() == pytest.approx(0.1, rel=0.03)  # 30,000 values: 7 SE
    np.testing.assert_array_equal(noisy, made(grey, "noise", seed=(1, 2)))
    assert not np.array_equal(noisy, made(grey, "noise", seed=(1, 3)))


@pytest.mark.parametrize("kind", ["plain", *KINDS])
def test_laws(picture, kind):
    before = picture.copy()
    plain = made(picture, kind)
    np.testing.assert_array_equal(picture, before)
    assert plain.dtype == np.float32
    assert 0 <= plain.min() <= plain.max() <= 1
    np.testing.assert_array_equal(made(picture, kind, is_flipped=True), plain[:, ::-1])


def test_all_makes_the_fourteen_copies_of_the_seed_project():
    copies = parse_copies(["all"])
    assert len({one.name for one in copies}) == 14
    assert copies[0] == Copy()
    assert [one.name for one in copies if one.is_drawn] == ["noise", "noise+flip"]
    assert parse_copies([]) == (Copy(),)
    assert set(WORDS) == {*KINDS, "flip"}


def test_refusals(picture):
    with pytest.raises(ConfigError, match=r"'gama'.*'gamma'"):
        parse_copies(["gama"])
    with pytest.raises(ShapeError, match=r"\(24, 20\)"):
        augmented(picture[..., 0], Copy(), seed=[0])
    with pytest.raises(ShapeError, match=r"to 200; \[0, 1\]"):
        augmented(picture * 0 + 200, Copy(), seed=[0])
    with pytest.raises(ShapeError, match="float64"):
        augmented(picture.astype(float), Copy(), seed=[0])
