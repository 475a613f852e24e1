"""report.decoded: activation patterns of the best comparisons, and tables beside the main one."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from bids_dnn.containers.result import StatMap, model_label
from bids_dnn.report.decoded import further_tables, pattern_pictures
from bids_dnn.report.scales import scale_of
from bids_dnn.report.shown import Shown
from tests.factories.reports import ball
from tests.factories.results import make_decode


@pytest.fixture
def result(rng):
    made = make_decode(rng)
    space = ball((6, 6, 6), 3)
    pairs = made.table[made.table["comparison"] != "all"]
    maps = tuple(
        StatMap("pattern", rng.normal(size=len(space)).astype(np.float32), label, "Pattern.")
        for label in dict.fromkeys(map(model_label, pairs["region"], pairs["comparison"]))
    )
    return dataclasses.replace(made, maps=maps, space=space)


def test_the_pattern_of_the_best_pair_of_each_region_is_drawn(result, undrawn):
    (picture,) = pattern_pictures(Shown("decode", result, {}))
    pairs = result.table[result.table["comparison"] != "all"]
    for region, rows in pairs.groupby("region"):
        best = rows.loc[rows["score"].idxmax(), "comparison"]
        assert f"{region}: {best}" in picture.alt
    assert "values below zero have the color of zero" not in picture.caption


def test_without_patterns_nothing_is_drawn(result):
    assert pattern_pictures(Shown("decode", dataclasses.replace(result, maps=()), {})) == []


def test_tables_that_are_there_are_shown(result):
    extra = pd.DataFrame({"region": ["V1"], "run": ["1"], "parameter": ["c"], "value": [0.1]})
    told = dataclasses.replace(
        result,
        extras=result.extras | {"parameters": extra},
        extra_columns={"parameters": {"value": "What was chosen"}},
    )
    (table,) = further_tables(Shown("decode", told, {}))
    assert "inner folds chose" in table.caption
    assert ("value", "What was chosen") in [(head.lower(), text) for head, text in table.heads]


def test_a_signed_scale_reaches_as_far_on_both_sides():
    scale = scale_of([np.array([-3.0, 1.0, np.nan])], is_signed=True)
    assert scale.low == -scale.high < -2.9
    assert scale_of([np.array([np.nan])], is_signed=True).high == 1.0
