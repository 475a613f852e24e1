"""benchmarks.encode_ridge: answers are compared before times."""

import numpy as np
import pytest

from benchmarks import encode_ridge
from benchmarks.encode_ridge import check, make_case, ours, peer


@pytest.mark.parametrize("shape", [(40, 10, 20), (30, 200, 20)])
def test_both_answers_agree(shape):
    check(make_case(*shape))


def test_the_batch_of_the_peer_does_not_matter():
    case = make_case(30, 10, 12)
    np.testing.assert_allclose(peer(case, None)[0], peer(case, 5)[0])


def test_other_predictions_are_refused(monkeypatch):
    monkeypatch.setattr(
        encode_ridge, "peer", lambda case, _: (ours(case)[0] + 0.01, ours(case)[1])
    )
    with pytest.raises(ArithmeticError, match="predictions differ"):
        check(make_case(30, 10, 12))


def test_other_penalties_are_refused(monkeypatch):
    def stubborn(case, _):
        guess, alpha = ours(case)
        return guess, np.full_like(alpha, encode_ridge.ALPHAS[0])

    monkeypatch.setattr(encode_ridge, "peer", stubborn)
    with pytest.raises(ArithmeticError, match="penalties differ"):
        check(make_case(30, 10, 12))
