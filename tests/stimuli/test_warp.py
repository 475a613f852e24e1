"""stimuli.warp: pictures whose warp is known."""

import numpy as np
import pytest

from bids_dnn.errors import ShapeError
from bids_dnn.stimuli.warp import retinawarp, spacing, steps, unwarp

MODES = ["exact", "fitted"]


def smooth(rng, n=200):
    """A picture without detail finer than n / 4 pixels."""
    y, x = (np.indices((n, n)) + 0.5) * (2 * np.pi / n)
    waves = [
        rng.normal() * np.cos(fx * x + fy * y + rng.uniform(0, 6))
        for fx in range(-3, 4)
        for fy in range(-3, 4)
    ]
    picture = np.repeat(sum(waves)[:, :, None], 3, axis=2)
    return ((picture - picture.min()) / np.ptp(picture)).astype(np.float32)


def distance(n):
    y, x = np.indices((n, n)) + 0.5 - n / 2
    return np.hypot(x, y)


def checkers(n, width):
    rows, columns = np.indices((n, n)) // width
    return np.repeat(((rows + columns) % 2)[:, :, None], 3, axis=2).astype(np.float32)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("density", [4.0, 10.0])
def test_checks_grow_in_the_center_and_shrink_at_the_edge_as_density_says(mode, density):
    width, law = 20, {"input_px": 500, "output_px": 224, "density": density, "mode": mode}
    warped = retinawarp(checkers(500, width), size_px=224, density=density, mode=mode)
    row = warped[112, 112:, 0]  # to the right of the fixation
    level = np.flatnonzero(np.diff(row > 0.5))
    seen = level + 1 + (0.5 - row[level]) / (row[level + 1] - row[level]) - 0.5
    expected = steps(10.0 + width * np.arange(12), **law)  # where checks meet
    np.testing.assert_allclose(seen, expected, atol=0.6)

    plain = width * 224 / 500
    middle, last = (seen[1] - seen[0]), (seen[-1] - seen[-2])
    assert middle > 1.15 * plain > plain > 1.15 * last
    between = (seen[:-1] + seen[1:]) / 2
    np.testing.assert_allclose(np.diff(seen), width / spacing(between, **law), atol=0.8)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("radius_px", [30, 90, 180])
def test_a_disk_stays_a_disk_of_the_radius_that_the_law_says(mode, radius_px):
    disk = np.repeat((distance(500) < radius_px)[:, :, None], 3, axis=2).astype(np.float32)
    warped = retinawarp(disk, size_px=224, mode=mode)[:, :, 0] > 0.5
    expected = steps(np.array(float(radius_px)), input_px=500, output_px=224, mode=mode)
    assert np.sqrt(warped.sum() / np.pi) == pytest.approx(expected, abs=0.3)
    off = distance(224) - expected
    assert warped[off < -1].all()
    assert not warped[off > 1].any()


@pytest.mark.parametrize("mode", MODES)
def test_unwarping_brings_the_fovea_back(rng, mode):
    picture = smooth(rng)
    back = unwarp(retinawarp(picture, size_px=200, mode=mode), size_px=200, mode=mode)
    fovea = distance(200) < 60
    np.testing.assert_allclose(back[fovea], picture[fovea], atol=0.01)


def test_unwarping_brings_all_back_where_enough_was_sampled(rng):
    picture = smooth(rng, 64)
    fixation = (0.2, -0.3)
    warped = retinawarp(picture, size_px=512, fixation=fixation)
    back = unwarp(warped, size_px=64, fixation=fixation)
    inside = np.s_[25:60, 25:60]  # all within the circle around the fixation
    np.testing.assert_allclose(back[inside], picture[inside], atol=0.01)


@pytest.mark.parametrize("mode", MODES)
def test_another_fixation_is_a_shifted_picture(rng, mode):
    picture = smooth(rng)
    warped = retinawarp(picture, size_px=100, fixation=(0.5, 0.25), mode=mode)
    shifted = retinawarp(np.roll(picture, (25, -50), axis=(0, 1)), size_px=100, mode=mode)
    near = distance(100) < 25
    np.testing.assert_allclose(warped[near], shifted[near], atol=1e-4)
    assert np.abs(warped - retinawarp(picture, size_px=100, mode=mode)).max() > 0.1


def test_there_is_fill_where_there_is_no_picture():
    white = np.ones((500, 500, 3), np.float32)
    warped = retinawarp(white, size_px=224, fill=0.25)
    assert (warped[distance(224) < 111] == 1).all()
    assert (warped[[0, 0, -1, -1], [0, -1, 0, -1]] == 0.25).all()
    assert set(np.unique(warped)) == {np.float32(0.25), np.float32(1)}
    beyond = retinawarp(white, size_px=224, fixation=(1, 0), fill=0.25)
    assert (beyond[:, 112:] == 0.25).all()  # fixated is the middle of the right edge
    assert (beyond[112, 60:112] == 1).all()


def test_each_picture_of_a_batch_is_warped_itself(rng):
    pictures = [rng.random((60, 60, 3), dtype=np.float32) for _ in range(3)]
    batch = [retinawarp(one, size_px=40) for one in pictures]
    assert np.abs(batch[0] - batch[1]).max() > 0.1
    assert np.abs(batch[1] - batch[2]).max() > 0.1
    for one, warped in zip(reversed(pictures), reversed(batch), strict=True):
        np.testing.assert_array_equal(retinawarp(one, size_px=40), warped)


@pytest.mark.parametrize("density", [1.0, 1 + 1e-7])
def test_even_density_is_plain_scaling(rng, density):
    picture = rng.random((64, 64, 3), dtype=np.float32)
    same = retinawarp(picture, size_px=64, density=density)
    np.testing.assert_allclose(same, picture, atol=1e-5)
    ramp = np.repeat(np.tile((np.arange(64) + 0.5) / 64, (64, 1))[:, :, None], 3, axis=2)
    twice = retinawarp(ramp.astype(np.float32), size_px=128, density=density)[:, 1:-1]
    expected = ((np.arange(128) + 0.5) / 128)[1:-1]
    np.testing.assert_allclose(twice[:, :, 0], np.tile(expected, (128, 1)), atol=1e-5)


def test_turning_and_mirroring_the_picture_turns_and_mirrors_the_warp(rng):
    picture = rng.random((90, 90, 3), dtype=np.float32)
    warped = retinawarp(picture, size_px=50)
    for turned in (np.rot90, np.fliplr, np.flipud):
        np.testing.assert_allclose(
            retinawarp(turned(picture), size_px=50), turned(warped), atol=1e-4
        )


def test_of_a_long_picture_the_middle_is_warped(rng):
    picture = rng.random((40, 60, 3), dtype=np.float32)
    np.testing.assert_array_equal(
        retinawarp(picture, size_px=30), retinawarp(picture[:, 10:50], size_px=30)
    )


def test_one_pixel_can_be_warped():
    assert (retinawarp(np.ones((1, 1, 3), np.float32), size_px=5)[2] == 1).all()


def test_antialiasing_averages_what_bilinear_sampling_skips(rng):
    grain = rng.random((1000, 1000, 3), dtype=np.float32)
    near, far = distance(100) < 15, (distance(100) > 35) & (distance(100) < 48)
    plain = retinawarp(grain, size_px=100)
    averaged = retinawarp(grain, size_px=100, antialias=True)
    assert plain[far].std() > 0.15
    assert averaged[far].std() < averaged[near].std() < 0.15
    assert averaged.mean() == pytest.approx(plain.mean(), abs=0.01)


def test_antialiasing_changes_nothing_where_the_picture_is_magnified(rng):
    picture = rng.random((32, 32, 3), dtype=np.float32)
    law = {"size_px": 200, "density": 2.0}
    np.testing.assert_allclose(
        retinawarp(picture, **law, antialias=True), retinawarp(picture, **law), atol=1e-6
    )


def test_what_is_no_square_was_not_warped():
    with pytest.raises(ShapeError, match=r"\(4, 5, 3\)"):
        unwarp(np.zeros((4, 5, 3), np.float32), size_px=8)
