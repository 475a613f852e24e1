"""benchmarks.encode_pls: answers are compared before times."""

import numpy as np
import pytest

from benchmarks import encode_pls
from benchmarks.encode_pls import check, make_case, ours, peer, run


@pytest.mark.parametrize("shape", [(40, 10, 20), (30, 80, 12)])
def test_both_answers_agree(shape):
    case = make_case(*shape, n_components=4)
    check(case)
    np.testing.assert_allclose(peer(case)[0], peer(case, exact=True)[0], atol=0.05)


def test_other_predictions_are_refused(monkeypatch):
    monkeypatch.setattr(
        encode_pls, "peer", lambda case, **_: (ours(case)[0] + 0.01, ours(case)[1])
    )
    with pytest.raises(ArithmeticError, match="predictions differ"):
        check(make_case(30, 10, 12, n_components=3))


def test_another_number_of_components_is_refused(monkeypatch):
    monkeypatch.setattr(encode_pls, "peer", lambda case, **_: (ours(case)[0], [9, 9, 9]))
    with pytest.raises(ArithmeticError, match=r"components, scikit-learn's are \[9, 9, 9\]"):
        check(make_case(30, 10, 12, n_components=3))


def test_a_row_has_both_times(monkeypatch):
    monkeypatch.setattr(encode_pls, "SIZES", {"small": ((36, 20, 8),)})
    monkeypatch.setattr(encode_pls, "N_COMPONENTS", {"small": 3})
    (row,) = run("small", "cpu")
    assert row.name == "encode_pls[36x8]"
    assert min(row.ours, row.peer) > 0
