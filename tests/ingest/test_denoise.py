"""ingest.denoise: series are cleaned as nilearn does, and averaged over regions."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from nilearn import signal

from bids_dnn import imaging
from bids_dnn.errors import ConfigError, MissingInputError, NotEnoughDataError
from bids_dnn.ingest.confounds import Confounds, read_confounds
from bids_dnn.ingest.denoise import _clean, region_time_series
from bids_dnn.ingest.inventory import take_inventory
from tests.factories.trees import T_R_S, tiny_tree

STRATEGIES = ("raw", "detrend+cosine", "6-HMP_2-Phys_SpikeReg_cosine", "simple")
UNITS = {"V1": np.array([0, 2, 5]), "FFA": np.array([11, 2])}


@pytest.fixture
def run(tmp_path, rng):
    tree = tiny_tree(tmp_path / "data", rng, participants=("01",), n_runs=1)
    for path in tree.rglob("*_desc-confounds_timeseries.tsv"):
        table = pd.read_csv(path, sep="\t", na_values="n/a")
        table["cosine00"] = np.cos(np.pi * (np.arange(40) + 0.5) / 40)
        table["motion_outlier00"] = (np.arange(40) == 17).astype(float)
        table.to_csv(path, sep="\t", index=False, na_rep="n/a")
    return take_inventory(tree).participants[0].runs[0]


def space_of(run):
    return imaging.space_of_mask(run.mask, name="T1w")


@pytest.mark.parametrize("is_early", [False, True])
def test_series_are_cleaned_as_nilearn_does(run, is_early):
    if is_early:
        table = pd.read_csv(run.confounds, sep="\t", na_values="n/a")
        table["non_steady_state_outlier00"] = (np.arange(40) == 0).astype(float)
        table.to_csv(run.confounds, sep="\t", index=False, na_rep="n/a")
    space = space_of(run)
    made = region_time_series(run, space, UNITS, strategies=STRATEGIES, low_pass_hz=0.1)
    assert made.strategies == STRATEGIES
    series = imaging.read_units(run.bold, space).astype(float)
    for strategy in STRATEGIES:
        tokens = {"raw": "none", "detrend+cosine": "cosine"}.get(strategy, strategy)
        found = read_confounds(run.confounds, run.bold, strategy=tokens, n_volumes=40)
        assert found.keep.sum() == (39 if is_early and strategy != "raw" else 40)
        for cutoff in (None, 0.1):
            expected = signal.clean(
                series,
                detrend=strategy == "detrend+cosine",
                standardize="zscore_sample",
                sample_mask=None if found.keep.all() else np.flatnonzero(found.keep),
                confounds=found.values if found.names else None,
                low_pass=cutoff,
                t_r=T_R_S,
            )
            for region, units in UNITS.items():
                values = made.series[region][strategy, cutoff is not None]
                assert np.isnan(values[~found.keep]).all()
                mean = expected[:, units].mean(axis=1)
                np.testing.assert_allclose(values[found.keep], mean, atol=1e-6)


def test_times_and_events_are_on_one_clock(run):
    made = region_time_series(run, space_of(run), UNITS, strategies=("raw",), rest=("house",))
    np.testing.assert_allclose(made.times_s, run.start_s + T_R_S * np.arange(40))
    assert [event[2] for event in made.events] == ["face"] * 3
    assert made.events[0][:2] == (2.0, 2.0)
    assert (made.run, made.low_pass_hz) == ("01", 0.152)
    none = replace(run, events=None)
    assert region_time_series(none, space_of(run), UNITS, strategies=("raw",)).events == ()


def test_without_a_low_pass_there_are_plain_series_alone(run):
    made = region_time_series(
        run, space_of(run), UNITS, strategies=("raw", "simple"), low_pass_hz=None
    )
    assert list(made.series["V1"]) == [("raw", False), ("simple", False)]
    assert made.low_pass_hz == 0


def test_dead_units_take_no_part(run):
    space = space_of(run)
    series = imaging.read_units(run.bold, space)
    series[:, 2] = np.nan
    series[:, 5] = 7
    imaging.write_series(run.bold, series, space, t_r_s=T_R_S)
    made = region_time_series(run, space, UNITS, strategies=("raw",))
    z = (series[:, 0] - series[:, 0].mean()) / series[:, 0].std(ddof=1)
    np.testing.assert_allclose(made.series["V1"]["raw", False], z, atol=1e-5)
    with pytest.raises(NotEnoughDataError, match=r"Region 'dead' has 2 units, none of which"):
        region_time_series(run, space, {"dead": np.array([2, 5])}, strategies=("raw",))


def test_what_cannot_be_is_refused(run):
    space = space_of(run)
    with pytest.raises(ConfigError, match=r"'24-HPM' is no strategy"):
        region_time_series(run, space, UNITS, strategies=("24-HPM",))
    with pytest.raises(ConfigError, match=r"a cut-off between 0 and 0\.25 Hz"):
        region_time_series(run, space, UNITS, strategies=("raw",), low_pass_hz=0.3)
    with pytest.raises(MissingInputError, match=r"lacks 4 columns that '4-GS' needs"):
        region_time_series(run, space, UNITS, strategies=("4-GS",))
    with pytest.raises(ConfigError, match=r"There are 0 regions and 1 strategies"):
        region_time_series(run, space, {}, strategies=("raw",))


def test_volumes_that_are_left_out_do_not_spread(rng):
    keep = np.ones(150, dtype=bool)
    keep[[20, 129]] = False  # mirror images of each other, which nilearn does not interpolate
    found = Confounds(np.zeros((150, 0)), (), keep)
    series = rng.normal(100, 1, size=(150, 3)).astype(np.float32)
    settings = {"t_r_s": 2.0, "low_pass_hz": 0.1, "has_trend": True}
    expected = _clean(series, found, **settings)
    series[20] = 5000
    np.testing.assert_allclose(_clean(series, found, **settings), expected)
