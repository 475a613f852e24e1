"""benchmarks.ridge_split: answers are compared before times, memory beyond the inputs."""

import numpy as np
import pytest

from benchmarks import ridge_split
from benchmarks.ridge_split import check, make_split, memory_beyond, ours, peer


def test_both_answers_agree():
    check(make_split(300, 200, 300), "cpu")


def test_the_batch_of_the_peer_does_not_matter():
    split = make_split(300, 200, 300)
    np.testing.assert_allclose(
        peer(split, None, "cpu")[0], peer(split, 7, "cpu")[0], rtol=1e-3, atol=1e-4
    )


def test_worse_predictions_are_refused(monkeypatch):
    split = make_split(300, 200, 300)

    def noisy(given, select, device):
        guess, alpha = ours(given, select, device)
        return guess + np.random.default_rng(0).normal(size=guess.shape), alpha

    monkeypatch.setattr(ridge_split, "ours", noisy)
    with pytest.raises(ArithmeticError, match=r"held-out r by gcv is .* himalaya's"):
        check(split, "cpu")


def test_other_penalties_are_refused(monkeypatch):
    split = make_split(300, 200, 300)

    def stubborn(given, select, device):
        guess, alpha = ours(given, select, device)
        return guess, np.full_like(alpha, 1.0)

    monkeypatch.setattr(ridge_split, "ours", stubborn)
    with pytest.raises(ArithmeticError, match="of penalties are himalaya's"):
        check(split, "cpu")


def test_memory_is_counted_beyond_the_inputs():
    assert 0 <= memory_beyond(200, 50) < 2e9
