"""ingest.standardize: trends, confounds and z-scores."""

import numpy as np
import pytest
from scipy.signal import detrend
from sklearn.preprocessing import StandardScaler

from bids_dnn.errors import NotEnoughDataError
from bids_dnn.ingest.standardize import by_group, remove_trend


def test_linear_trend_agrees_with_scipy(rng):
    series = rng.normal(size=(30, 5)).astype(np.float32) + 100
    none = np.zeros((30, 0))
    found = remove_trend(series, none, positions=np.arange(30), is_linear=True)
    np.testing.assert_allclose(found, detrend(series.astype(np.float64), axis=0), atol=1e-5)


def test_confounds_agree_with_least_squares(rng):
    series = rng.normal(size=(30, 5)).astype(np.float32)
    confounds = rng.normal(size=(30, 3))
    x = np.column_stack([confounds, np.arange(30), np.ones(30)])
    expected = series - x @ np.linalg.lstsq(x, series, rcond=None)[0]
    found = remove_trend(series, confounds, positions=np.arange(30), is_linear=True)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("is_linear", [True, False])
def test_the_unit_of_a_confound_does_not_matter(rng, is_linear):
    confounds = rng.normal(size=(30, 3))
    series = (confounds @ rng.normal(size=(3, 5)) + rng.normal(size=(30, 5))).astype(np.float32)
    options = {"positions": np.arange(30), "is_linear": is_linear}
    expected = remove_trend(series, confounds, **options)
    found = remove_trend(series, confounds * [1e6, 1e-8, 1], **options)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    centered = confounds - confounds.mean(axis=0)
    np.testing.assert_allclose(centered.T @ found, 0, atol=1e-4)


def test_a_constant_confound_changes_nothing(rng):
    series = rng.normal(size=(30, 5)).astype(np.float32)
    confounds = np.column_stack([rng.normal(size=30), np.full(30, 0.1), np.zeros(30)])
    options = {"positions": np.arange(30), "is_linear": True}
    expected = remove_trend(series, confounds[:, :1], **options)
    np.testing.assert_array_equal(remove_trend(series, confounds, **options), expected)


def test_mean_stays_without_a_trend(rng):
    series = rng.normal(size=(30, 5)).astype(np.float32) + 7
    confounds = rng.normal(size=(30, 2))
    found = remove_trend(series, confounds, positions=np.arange(30), is_linear=False)
    np.testing.assert_allclose(found.mean(axis=0), series.mean(axis=0), rtol=1e-5)
    same = remove_trend(series, confounds[:, :0], positions=np.arange(30), is_linear=False)
    np.testing.assert_array_equal(same, series)


def test_a_confound_twice_changes_nothing(rng):
    series = rng.normal(size=(30, 5)).astype(np.float32)
    confounds = rng.normal(size=(30, 2))
    twice = np.column_stack([confounds, confounds])
    once = remove_trend(series, confounds, positions=np.arange(30), is_linear=True)
    found = remove_trend(series, twice, positions=np.arange(30), is_linear=True)
    np.testing.assert_allclose(found, once, atol=1e-5)


def test_groups_agree_with_scikit_learn(rng):
    values = rng.normal(3, 2, size=(20, 4)).astype(np.float32)
    groups = np.repeat(["01", "02"], 10)
    expected = [StandardScaler().fit_transform(values[groups == g]) for g in ("01", "02")]
    found, flat = by_group(values, groups)
    np.testing.assert_allclose(found, np.concatenate(expected), atol=1e-5)
    assert not flat.any()


def test_flat_units_are_marked(rng):
    values = rng.normal(size=(20, 3)).astype(np.float32)
    values[:10, 1] = 5
    found, flat = by_group(values, np.repeat(["01", "02"], 10))
    assert flat.tolist() == [False, True, False]
    assert (found[:10, 1] == 0).all()


def test_a_single_sample_is_refused():
    with pytest.raises(NotEnoughDataError, match=r"'02' has 1 sample"):
        by_group(np.zeros((3, 1), np.float32), np.array(["01", "01", "02"]))


@pytest.mark.parametrize("is_linear", [True, False])
def test_a_filter_goes_over_series_and_confounds(rng, is_linear):
    series = rng.normal(size=(30, 5)).astype(np.float32) + 7
    confounds = rng.normal(size=(30, 2))
    smooth = np.apply_along_axis(np.convolve, 0, np.eye(30), np.ones(3) / 3, mode="same")
    options = {"positions": np.arange(30), "is_linear": is_linear}
    mean = series.mean(axis=0)
    expected = remove_trend(
        (smooth @ (series - mean) + mean).astype(np.float32), smooth @ confounds, **options
    )
    found = remove_trend(series, confounds, low_pass=smooth, **options)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_many_units_are_as_few(rng, monkeypatch):
    series = rng.normal(size=(30, 11)).astype(np.float32)
    options = {"positions": np.arange(30), "is_linear": True}
    confounds = rng.normal(size=(30, 2))
    groups = np.repeat(["01", "02"], 15)
    whole = remove_trend(series, confounds, **options), by_group(series, groups)[0]
    monkeypatch.setattr("bids_dnn.ingest.standardize.CHUNK_UNITS", 4)
    parts = remove_trend(series, confounds, **options), by_group(series, groups)[0]
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
