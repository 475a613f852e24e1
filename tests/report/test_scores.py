"""report.scores: answers are computed from the table, and say what is not significant."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bids_dnn.report import encoding, scores, shown
from tests.factories.results import make_decode, make_encode


@pytest.fixture
def decode(rng):
    return make_decode(rng)


@pytest.fixture
def encode(rng):
    return make_encode(rng)


def test_the_best_comparison_is_measured_from_chance(decode):
    table = decode.table
    table["score"] = table["chance"]
    table.loc[table["comparison"] == "all", "score"] = 0.7  # 0.6 of the way
    table.loc[table.index[0], "score"] = 0.75  # 0.5 of the way
    assert scores.best_comparison(table)["comparison"] == "all"
    table["score"] = np.nan
    assert scores.best_comparison(table) is None
    assert scores.decoding_answer(table, ["V1"]) == "No score could be computed."


def test_the_decoding_answer_counts_by_region(decode):
    answer = scores.decoding_answer(decode.table, ["V1", "noise"])
    assert "7 of 7 in V1, 0 of 7 in noise" in answer


def test_where_nothing_can_be_significant_that_is_said(decode, encode):
    for table, answer in (
        (decode.table, scores.decoding_answer(decode.table.assign(p_floor=0.25), ["V1"])),
        (encode.table, encoding.encoding_answer(encode.table.assign(p_floor=0.25))),
    ):
        assert answer.startswith("No p can fall below 0.25 here")
        assert "not significant" not in answer
        assert shown.nothing_can_be(table.assign(p_floor=0.001)) == ""
    weak = dataclasses.replace(encode, table=encode.table.assign(p_floor=0.25))
    one = scores.numbers(shown.Shown("encode", weak, {}))[0]
    assert one.value == "0.71 of ceiling"
    assert "cannot be below 0.25" in one.detail


def test_numbers_say_what_matters(decode, encode):
    one = scores.numbers(shown.Shown("decode", decode, {}))
    assert len(one) == 1
    assert "chance" in one[0].detail
    several = scores.numbers(shown.Shown("encode", encode, {}))
    assert several[0].value == "0.71 of ceiling"
    assert several[-1].value.startswith("r = ")
    assert "not significant" in several[-1].detail
