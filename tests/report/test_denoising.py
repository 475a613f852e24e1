"""report.denoising: one panel a strategy, blocks where the events are, gaps where none is."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
from PIL import Image

from bids_dnn.containers.timeseries import TimeSeries
from bids_dnn.report import denoising
from bids_dnn.report.palette import OKABE_ITO
from tests.factories.reports import make_timeseries


def size_of(png):
    return Image.open(io.BytesIO(png)).size


def test_a_figure_for_each_region_with_all_strategies():
    series = make_timeseries(n_strategies=3)
    made = denoising.denoising_section(series)
    assert [picture.name for picture in made.pictures] == ["denoising_V1", "denoising_FFA"]
    assert "3 strategies: raw, detrend + cosine, 6-HMP_SpikeReg_cosine" in made.answer
    assert "0.152 Hz" in made.pictures[0].caption


def test_the_same_input_gives_the_same_bytes():
    series = make_timeseries(n_strategies=3)
    one, two = (denoising.series_panels(series, "V1") for _ in range(2))
    assert one == two


def test_more_strategies_make_a_taller_figure():
    series = make_timeseries()
    few = {
        region: {key: values for key, values in made.items() if key[0] == "raw"}
        for region, made in series.series.items()
    }
    single = dataclasses.replace(series, series=few)
    small = size_of(denoising.series_panels(single, "V1"))
    large = size_of(denoising.series_panels(series, "V1"))
    assert large[1] > 2 * small[1]


def test_events_of_one_condition_make_a_block():
    events = [(0.0, 1.0, "a"), (3.0, 1.0, "a"), (10.0, 1.0, "a"), (12.0, 2.0, "b")]
    assert denoising.blocks_of(events) == [
        (0.0, 4.0, "a"), (10.0, 1.0, "a"), (12.0, 2.0, "b"),
    ]  # fmt: skip
    assert denoising.blocks_of([]) == []


def test_few_conditions_have_colors_many_have_none():
    assert denoising.condition_colors(["b", "a", "b"]) == {"a": OKABE_ITO[0], "b": OKABE_ITO[1]}
    assert denoising.condition_colors([str(i) for i in range(8)]) == {}


def test_series_without_events_filter_or_numbers_are_drawn():
    values = np.full(20, np.nan)
    series = TimeSeries("01", np.arange(20.0), {"V1": {("raw", False): values}}, ())
    assert "Hz" not in denoising.denoising_section(series).pictures[0].caption


def test_many_blocks_are_told_by_the_key_alone():
    series = make_timeseries(n=180, n_blocks=60, n_strategies=2)
    assert len(denoising.blocks_of(series.events, gap_s=0)) > denoising.MOST_NAMED
    assert size_of(denoising.series_panels(series, "V1"))[0] > 1000
