"""analyses.encode.readouts.triggered: planted filters, exchanges, missing responses."""

import numpy as np
import pytest
import zarr

from bids_dnn.analyses.encode.readouts import triggered
from bids_dnn.analyses.encode.readouts.triggered import triggered_average
from bids_dnn.errors import NotEnoughDataError, ShapeError, UnreadableError


def test_z_is_that_of_all_exchanges(rng):
    from itertools import permutations

    images, y = rng.normal(size=(6, 2, 3)), rng.normal(size=6)
    orders = list(permutations(range(6)))
    null = [triggered_average(images, y[list(order), None]).average[0] for order in orders]
    made = triggered_average(images, y[:, None])
    np.testing.assert_allclose(np.mean(null, axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(made.z[0], made.average[0] / np.std(null, axis=0), rtol=1e-9)


def test_the_filter_of_a_linear_unit_is_found_in_noise(rng):
    images = rng.normal(size=(4000, 5, 5)) * 3 + 100
    filters = rng.normal(size=(2, 5, 5))
    filters /= np.sqrt((filters**2).sum(axis=(1, 2), keepdims=True))
    made = triggered_average(images, np.einsum("nhw,uhw->nu", images, filters) - 7)
    # for white images: the SD of a pixel times the filter; Monte Carlo SD below 3 / sqrt(n)
    assert np.abs(made.average - 3 * filters).max() < 5 * 3 * np.sqrt(2 / 4000)


def test_noise_has_z_of_unit_variance(rng):
    made = triggered_average(rng.normal(size=(300, 10, 10)), rng.normal(size=(300, 20)))
    assert abs(made.z.std() - 1) < 6 / np.sqrt(2 * 2000)
    assert abs(made.z.mean()) < 6 / np.sqrt(2000)


def test_missing_responses_are_as_if_the_image_was_not_shown(rng, monkeypatch):
    monkeypatch.setattr(triggered, "BLOCK", 7)
    images, y = rng.normal(size=(40, 3, 4)) + 50, rng.normal(size=(40, 3))
    y[rng.random((40, 3)) < 0.3] = np.nan
    made = triggered_average(images, y)
    for unit in range(3):
        known = np.isfinite(y[:, unit])
        alone = triggered_average(images[known], y[known, unit : unit + 1])
        np.testing.assert_allclose(made.average[unit], alone.average[0], rtol=1e-8)
        np.testing.assert_allclose(made.z[unit], alone.z[0], rtol=1e-8)


def test_scale_and_offset_of_responses_do_not_matter(rng):
    images, y = rng.normal(size=(40, 3, 4)), rng.normal(size=(40, 2))
    first, second = triggered_average(images, y), triggered_average(images, 1e4 * y - 5e3)
    np.testing.assert_allclose(first.average, second.average, rtol=1e-7)


def test_units_and_pixels_that_do_not_vary_are_nan(rng, tmp_path):
    images = zarr.create_array(tmp_path / "z", shape=(9, 2, 2), dtype="f4")
    images[:] = rng.normal(size=(9, 2, 2)).astype("f4")
    images[:, 1, 1] = 0.1
    y = np.column_stack([rng.normal(size=9), np.ones(9), np.full(9, np.nan)])
    made = triggered_average(images, y)
    assert np.isnan(made.z[0, 1, 1])
    assert np.isfinite(made.z[0, :, 0]).all()
    assert np.isnan(made.average[1:]).all()


def test_what_does_not_fit_is_refused(rng):
    images = rng.normal(size=(9, 2, 2))
    with pytest.raises(ShapeError, match=r"\(9, 2, 2\) and responses \(8, 1\)"):
        triggered_average(images, np.zeros((8, 1)))
    with pytest.raises(NotEnoughDataError, match="There are 2 images"):
        triggered_average(images[:2], np.zeros((2, 1)))
    images[5, 0, 1] = np.inf
    with pytest.raises(UnreadableError, match="image at index 5"):
        triggered_average(images, np.zeros((9, 1)))
