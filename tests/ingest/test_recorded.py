"""ingest.recorded: products by parts, means, motion."""

import numpy as np
import pandas as pd
import pytest

from bids_dnn.errors import ShapeError
from bids_dnn.ingest import recorded
from bids_dnn.ingest.confounds import Confounds
from bids_dnn.ingest.recorded import Recorded, mean_signal, times_series


@pytest.mark.parametrize("n_left_out", [0, 3])
@pytest.mark.parametrize("size", [4, 1000])
def test_products_by_parts_are_those_of_the_whole(rng, monkeypatch, size, n_left_out):
    monkeypatch.setattr(recorded, "CHUNK_UNITS", size)
    series = rng.normal(100, 1, size=(20, 11)).astype(np.float32)
    keep = np.arange(20) >= n_left_out
    series[~keep] = np.nan  # what is left out is not looked at
    weights = rng.normal(size=(5, 20 - n_left_out))
    kept = series[keep].astype(np.float64)
    expected = weights @ (kept - kept.mean(axis=0))
    found = times_series(weights, series, keep, out=np.float64)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert times_series(weights, series, keep, out=np.float32).dtype == np.float32
    is_good = np.arange(11) != 4
    mean = mean_signal(series, keep, is_good)
    assert mean == pytest.approx(kept[:, is_good].mean(), rel=1e-9)


def test_the_mean_of_no_unit_is_1():
    none = np.zeros(3, dtype=bool)
    assert mean_signal(np.zeros((4, 3), np.float32), np.ones(4, dtype=bool), none) == 1


def test_weights_of_another_run_are_refused():
    with pytest.raises(ShapeError, match=r"weights have 5 volumes, but 4 are kept"):
        times_series(
            np.zeros((2, 5)), np.zeros((4, 3), np.float32), np.ones(4, dtype=bool), out=np.float32
        )


def made(moved):
    keep = np.ones(5, dtype=bool)
    return Recorded(
        np.zeros((5, 2), np.float32),
        np.arange(5.0),
        1.0,
        pd.DataFrame({"run": ["01"]}),
        np.array([False]),
        {"nan": np.array([True, False]), "constant": np.array([False, False])},
        Confounds(np.zeros((5, 0)), (), keep),
        np.asarray(moved, dtype=float),
        None,
        {"events": "e.tsv"},
    )


def test_motion_is_the_mean_over_the_volumes_that_know_it():
    run = made([np.nan, 1.0, 2.0, 3.0, np.nan])
    seen = np.array([[1, 1, 0, 0, 0], [0, 1, 1, 1, 1], [1, 0, 0, 0, 1]], dtype=bool).T
    np.testing.assert_allclose(run.motion_in(seen), [1.0, 2.0, np.nan])
    assert np.isnan(made([np.nan] * 5).motion_in(seen)).all()
    assert run.is_good.tolist() == [False, True]
    assert "No trial is in run 01: of 1 events in e.tsv, 0 are rest" in str(run.no_trial())


def test_a_run_is_called_as_options_take_it():
    run = made([1.0] * 5)
    run.table["run"], run.facts["session"] = "02x01", "02"
    assert run.said == "session 02, run 01"
    assert "No trial is in session 02, run 01: of 1" in str(run.no_trial())
