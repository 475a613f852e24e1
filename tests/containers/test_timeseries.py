"""containers.timeseries: what fits, and what does not."""

import numpy as np
import pytest

from bids_dnn.containers.timeseries import TimeSeries
from bids_dnn.errors import ShapeError

TIMES = 2.0 * np.arange(5)
EVENTS = ((0.0, 2.0, "face"), (6.0, 2.0, "house"))


def test_strategies_keep_their_order():
    one = {("raw", False): np.zeros(5), ("raw", True): np.zeros(5), ("24-HMP", False): TIMES}
    made = TimeSeries("01", TIMES, {"V1": one, "FFA": dict(one)}, EVENTS, 0.1)
    assert made.strategies == ("raw", "24-HMP")
    assert TimeSeries("01", TIMES, {}, EVENTS).strategies == ()


def test_another_length_is_refused():
    with pytest.raises(ShapeError, match=r"'V1' by 'raw' has shape \(4,\).*01 has 5 volumes"):
        TimeSeries("01", TIMES, {"V1": {("raw", False): np.zeros(4)}}, EVENTS)


def test_regions_with_other_strategies_are_refused():
    series = {"V1": {("raw", False): TIMES}, "FFA": {("raw", True): TIMES}}
    with pytest.raises(ShapeError, match=r"The 2 regions of run 01 differ"):
        TimeSeries("01", TIMES, series, EVENTS)
