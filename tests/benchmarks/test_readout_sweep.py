"""benchmarks.readout_sweep: planted masks must be found before times count."""

import numpy as np
import pytest

from benchmarks import readout_sweep
from benchmarks.readout_sweep import check, make_case, peer, run

SMALL = (300, 4, 6, 2, 3, 32)


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    monkeypatch.setattr(readout_sweep, "N_EPOCHS", 3)
    monkeypatch.setattr(readout_sweep, "SETTINGS", readout_sweep.SETTINGS[1:3])


def test_planted_masks_are_found_before_times_count(monkeypatch):
    monkeypatch.setattr(readout_sweep, "SIZES", {"small": (SMALL,)})
    rows = run("small", "cpu")
    assert [row.name.partition(",")[0] for row in rows] == [
        "readout_sweep[bashivan",
        "readout_sweep[cadena",
    ]
    assert all(row.peer > 0 and row.ours > 0 for row in rows)


def test_the_case_is_what_it_says():
    case = make_case(*SMALL)
    assert [len(units) for units in case.implants] == [3, 3]
    assert case.maps.shape == (300, 4, 6, 6)
    assert abs(case.responses.var(axis=0).mean() - 1.25) < 0.1


def test_what_is_not_found_is_refused():
    case = make_case(*SMALL)
    truth = case.responses[~case.train]
    down, right = np.mgrid[:6, :6]
    square = (right - case.x[:, None, None]) ** 2 + (down - case.y[:, None, None]) ** 2
    space = np.exp(-square / 4)
    check(case, "cadena", (truth, space), truth)
    with pytest.raises(ArithmeticError, match=r"centers are [12]\.\d\d cells off"):
        check(case, "cadena", (truth, np.roll(space, -2, axis=2)), truth)
    with pytest.raises(ArithmeticError, match=r"r is -1\.000, and the peer's 1\.000"):
        check(case, "cadena", (-truth, space), truth)


def test_the_peer_learns(monkeypatch):
    monkeypatch.setattr(readout_sweep, "N_EPOCHS", 25)
    case = make_case(*SMALL)
    guess, _ = peer(case, "bashivan", "cpu")
    r = [
        np.corrcoef(a, b)[0, 1]
        for a, b in zip(guess.T, case.responses[~case.train].T, strict=True)
    ]
    assert np.mean(r) > 0.6
