"""benchmarks.decode_svm: answers are compared before times."""

import pytest

from benchmarks import decode_svm
from benchmarks.decode_svm import check, make_case, ours


@pytest.mark.parametrize("n_classes", [2, 4])
def test_both_answers_agree(n_classes):
    check(make_case(n_classes, 2, 30, 5))


def test_other_accuracies_are_refused(monkeypatch):
    monkeypatch.setattr(decode_svm, "peer", lambda case: ours(case) + 0.1)
    with pytest.raises(ArithmeticError, match="6 of 6 accuracies differ"):
        check(make_case(2, 2, 30, 5))
