"""report.shown: which rows are drawn, and in what order columns stand."""

from __future__ import annotations

import pandas as pd
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


def test_rows_are_dealt_by_estimator_without_those_of_all_networks(encode):
    ridge = encode.table.assign(target="units", estimator="ridge")
    chosen = ridge.assign(network="*", layer="chosen layer")
    means = ridge.assign(target="mean")
    banded = chosen.assign(estimator="banded", layer="all spaces")
    pls = ridge.assign(estimator="pls")
    whole = pd.concat([chosen, ridge, means, banded, pls])
    made = shown.by_estimator(whole)
    assert list(made) == ["ridge", "pls"]
    pd.testing.assert_frame_equal(made["ridge"], ridge)
    pd.testing.assert_frame_equal(shown.main_rows(whole), ridge)
    assert list(shown.by_estimator(banded)) == ["banded"]  # nothing else there


def test_without_an_estimator_all_rows_are_one(decode):
    assert list(shown.by_estimator(decode.table)) == [""]
    assert shown.main_rows(decode.table.iloc[:0]).empty


@pytest.mark.parametrize(
    ("meta", "told"),
    [
        ({}, "t intervals over folds"),
        ({"folds": "split given"}, "bootstrap intervals over test images"),
        ({"level": "group", "folds": "split given"}, "over participants"),
    ],
)
def test_error_bars_are_called_what_they_are(encode, meta, told):
    encode.meta.update(meta)
    assert told in shown.Shown("encode", encode, {}).bars


def test_corrected_p_stand_before_plain_ones(decode, encode):
    for table in (decode.table, encode.table):
        names = list(shown.ordered(table).columns)
        assert names.index("p_corrected") + 1 == names.index("p")
        assert sorted(names) == sorted(table.columns)
