"""benchmarks.decode_permutation: answers are compared before times."""

import numpy as np
import pytest

from benchmarks import decode_permutation
from benchmarks.decode_permutation import PAIRS, check_decisions, check_scores, make_case, ours


@pytest.mark.parametrize("name", PAIRS)
def test_both_answers_agree(name):
    case = make_case(30, 6)
    made = ours(case, PAIRS[name].ours)
    check_decisions(case, made, PAIRS[name].peer)
    assert made.guess.shape == case.codes.shape


def test_other_signs_are_refused(monkeypatch):
    monkeypatch.setattr(decode_permutation, "N_CHECKED", 0)
    case = make_case(30, 1)
    made = ours(case, PAIRS["lda"].ours)
    made.values[...] *= -1
    with pytest.raises(ArithmeticError, match="signs differ"):
        check_decisions(case, made, PAIRS["lda"].peer)


@pytest.mark.parametrize(
    ("score", "null", "words"),
    [(0.7, np.full(99, 0.5), "accuracy 0.6"), (0.6, np.full(99, 0.9), "p 0.01, scikit-learn's 1")],
)
def test_other_scores_are_refused(score, null, words):
    scores = np.r_[0.6, np.full(99, 0.5)]
    with pytest.raises(ArithmeticError, match=words):
        check_scores(scores, score, null)
