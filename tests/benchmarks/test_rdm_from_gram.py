"""benchmarks.rdm_from_gram: answers are compared before times."""

import numpy as np
import pytest

from benchmarks import rdm_from_gram
from benchmarks.rdm_from_gram import check, run


def test_both_answers_agree(monkeypatch):
    monkeypatch.setattr(rdm_from_gram, "SIZES", {"small": ((20, 30),)})
    (row,) = run("small", "cpu")
    assert row.name == "rdm_from_gram[20x30]"


def test_other_values_are_refused():
    with pytest.raises(ArithmeticError, match=r"differ from rsatoolbox's by 1\.\d+e-05"):
        check(np.ones(3) + 1e-5, np.ones(3))
    with pytest.raises(ArithmeticError, match="by nan"):
        check(np.full(3, np.nan), np.ones(3))
