"""benchmarks.lss: answers are compared before times."""

import pytest

from benchmarks import lss
from benchmarks.lss import FORMS, check, make_case, ours, run


@pytest.mark.parametrize("form", FORMS)
def test_both_answers_agree(form):
    check(make_case(12, 20, 120, 5, 12), form)


def test_other_amplitudes_are_refused(monkeypatch):
    monkeypatch.setattr(lss, "peer", lambda case, form: ours(case, form)[case.some] + 0.1)
    with pytest.raises(ArithmeticError, match="amplitudes differ"):
        check(make_case(12, 20, 120, 5, 12), "lss")


def test_the_time_of_the_peer_is_that_of_all_trials(monkeypatch):
    monkeypatch.setattr(lss, "SIZES", {"small": ((12, 20, 120, 5, 3),)})
    monkeypatch.setattr(lss, "time_both", lambda *_, **__: (0.5, 2.0))
    rows = run("small", "cpu")
    assert [row.name for row in rows] == ["lss[lss,12x20x120]", "lss[lss-by-condition,12x20x120]"]
    assert [row.peer for row in rows] == [8.0, 8.0]
