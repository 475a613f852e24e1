"""benchmarks.tfce: enhanced values are compared before times."""

import numpy as np
import pytest

from benchmarks import tfce
from benchmarks.tfce import check, run


def test_both_answers_agree(monkeypatch):
    monkeypatch.setattr(tfce, "SHAPES", {"small": (9, 10, 9)})
    monkeypatch.setattr(tfce, "N_FLIPS", {"small": 3})
    (row,) = run("small", "cpu")
    assert row.name.startswith("tfce[")
    assert row.name.endswith("x3]")


def test_other_values_are_refused():
    with pytest.raises(ArithmeticError, match=r"nilearn's by 0\.100 of the highest"):
        check(np.array([1.0, 2.2]), np.array([1.0, 2.0]))
    with pytest.raises(ArithmeticError, match="by nan"):
        check(np.array([np.nan]), np.ones(1))
