"""report.shown: which rows are drawn, and in what order columns stand."""

from __future__ import annotations

import pytest

from bids_dnn.report import shown
from tests.factories.results import make_decode, make_encode


@pytest.fixture
def decode(rng):
    return make_decode(rng)


@pytest.fixture
def encode(rng):
    return make_encode(rng)


def test_rows_of_other_metrics_are_not_drawn(encode):
    table = encode.table
    table.loc[table.index[::2], "metric"] = "r2"
    assert set(shown.main_rows(table)["metric"]) == {"pearson"}


def test_corrected_p_stand_before_plain_ones(decode, encode):
    for table in (decode.table, encode.table):
        names = list(shown.ordered(table).columns)
        assert names.index("p_corrected") + 1 == names.index("p")
        assert sorted(names) == sorted(table.columns)
