"""stimuli.noise: its size, its independence, its seed."""

import numpy as np
import pytest

from bids_dnn.errors import ConfigError
from bids_dnn.stimuli.noise import add_noise, generator


@pytest.mark.parametrize("snr", [0.1, 1.0, 20.0])
def test_the_ratio_of_variances_is_as_asked(rng, snr):
    picture = rng.random((100, 100, 3), dtype=np.float32)
    noise = add_noise(picture, snr=snr, rng=np.random.default_rng(1)) - picture
    # A variance of 30,000 draws has a relative error of sqrt(2 / 30,000) = 0.8 %.
    assert picture.var(axis=(0, 1)).mean() / noise.var() == pytest.approx(snr, rel=0.035)
    assert abs(noise.mean()) < 4 * noise.std() / np.sqrt(30_000)
    channels = np.corrcoef(noise.reshape(-1, 3).T)[np.triu_indices(3, 1)]
    assert np.abs(channels).max() < 0.045  # 4.5 standard errors of 10,000 pixels


def test_grey_noise_is_the_same_in_each_channel(rng):
    picture = rng.random((60, 60, 3), dtype=np.float32)
    noise = add_noise(picture, snr=1, rng=np.random.default_rng(1), is_grey=True) - picture
    np.testing.assert_allclose(noise[:, :, 0], noise[:, :, 2], atol=1e-6)


def test_noise_is_not_clipped():
    checks = (np.indices((50, 50)).sum(axis=0) % 2)[:, :, None].repeat(3, axis=2)
    noisy = add_noise(checks.astype(np.float32), snr=1, rng=np.random.default_rng(0))
    assert noisy.min() < -0.5
    assert noisy.max() > 1.5


def test_a_uniform_picture_has_no_variance_to_compare_with():
    grey = np.full((4, 4, 3), 0.5, np.float32)
    np.testing.assert_array_equal(add_noise(grey, snr=1, rng=np.random.default_rng(0)), grey)
    red = grey * np.float32([1, 0, 0])  # channels differ, pixels do not
    np.testing.assert_array_equal(add_noise(red, snr=1, rng=np.random.default_rng(0)), red)


@pytest.mark.parametrize("snr", [0.0, -1.0, float("nan")])
def test_no_ratio_is_refused(snr):
    with pytest.raises(ConfigError, match=f"snr is {snr!r}"):
        add_noise(np.zeros((2, 2, 3), np.float32), snr=snr, rng=np.random.default_rng(0))


def test_each_stimulus_has_its_own_source_whatever_comes_before():
    def draw(*args, **kwargs):
        return generator(*args, **kwargs).random(4)

    first = draw("a.png", seed=0)
    draw("b.png", seed=0)
    np.testing.assert_array_equal(draw("a.png", seed=0), first)
    for other in (
        draw("b.png", seed=0),
        draw("a.png", seed=1),
        draw("a.png", seed=0, draw=1),
        draw("a.png", seed=0, part=1),
    ):
        assert np.abs(other - first).min() > 0


def test_the_draws_are_the_same_everywhere():
    kept = [0.1301314324847711, 0.45922452333965036, 0.6706865419972328]
    np.testing.assert_array_equal(generator("a.png", seed=3, draw=2).random(3), kept)
