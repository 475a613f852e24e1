"""benchmarks.gram_streamed: both modes against the direct product, within a bound."""

import json

import numpy as np
import pytest

from benchmarks import gram_streamed
from benchmarks.gram_streamed import check, checked, direct, run
from tests.factories.networks import small_network


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(gram_streamed, "network_of", lambda _: small_network(size_px=16))
    monkeypatch.setattr(gram_streamed, "LAYER", "0")
    monkeypatch.setattr(gram_streamed, "SIZES", {"small": 40})
    monkeypatch.setattr(gram_streamed, "COLUMNS", 100)


def test_each_mode_is_compared_and_bounded(monkeypatch):
    def peak_of(function, **given):
        assert function == "benchmarks.gram_streamed:block_of"
        return json.loads(json.dumps(gram_streamed.block_of(**given))), 3e9

    monkeypatch.setattr(gram_streamed, "peak_of", peak_of)
    rows = run("small", "cpu")
    assert [row.line().split()[1:] for row in rows] == [
        ["3.000GB", "4.000GB", "1.33", "1.00", "ok"]
    ] * 2
    assert ["disk" in rows[0].name, "recompute" in rows[1].name] == [True, True]


def test_pictures_of_all_groups_are_checked():
    assert checked(1000)[0] == 0
    assert checked(1000)[-1] == 999
    assert len(checked(1000)) == 16


def test_other_products_are_refused():
    expected = direct(checked(40), "cpu")
    with pytest.raises(ArithmeticError, match=r"disk differs from .* by 1\.\d+e-05"):
        check(expected * (1 + 1e-5), expected, "disk")
    check(np.array(expected), expected, "disk")
