"""benchmarks.encode_banded: answers are compared before times."""

import numpy as np
import pytest

from benchmarks import encode_banded
from benchmarks.encode_banded import check, held_out, make_case, ours, peer, searches


def test_the_same_search_gives_the_same_predictions():
    case = make_case(60, 20, 8)
    mine = ours(case, searches(case)["same"])
    np.testing.assert_allclose(mine, peer(case, 8, None, "float64"), rtol=1e-3, atol=1e-3)


def test_worse_predictions_are_refused(monkeypatch):
    case = make_case(60, 20, 8)
    told = peer(case, 8, None, "float64")
    search = searches(case)["same"]
    check(case, search, told, name="same")
    monkeypatch.setattr(encode_banded, "ours", lambda *_: np.zeros_like(told))
    assert held_out(case, np.zeros_like(told)) == 0
    with pytest.raises(ArithmeticError, match=r"encode_banded\[same\]: held-out R\^2 is 0.0000"):
        check(case, search, told, name="same")


def test_each_search_is_a_row(monkeypatch):
    monkeypatch.setattr(encode_banded, "SIZES", {"small": ((60, 20, 8),)})
    monkeypatch.setattr(encode_banded, "LESS", 1.0)  # so few images say little
    rows = encode_banded.run("small", "cpu")
    assert [row.name for row in rows] == [
        "encode_banded[same:60x20]",
        "encode_banded[refined:60x20]",
        "encode_banded[gcv:60x20]",
    ]
    assert all(row.ours > 0 for row in rows)
