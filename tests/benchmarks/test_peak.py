"""benchmarks.peak: a process of its own, and what it took."""

import sys

import pytest

from benchmarks.peak import begin_peak, peak_of, peak_so_far


@pytest.mark.skipif(sys.platform != "linux", reason="the system keeps one peak")
def test_a_peak_that_begins_anew_does_not_count_what_was_before():
    before = bytearray(400_000_000)
    before[::4096] = b"x" * len(before[::4096])
    del before
    start = begin_peak()
    assert peak_so_far() - start < 50e6
    again = bytearray(100_000_000)
    again[::4096] = b"x" * len(again[::4096])
    assert 90e6 < peak_so_far() - start < 150e6


def test_the_peak_is_that_of_the_call_alone():
    ours = bytearray(400_000_000)  # of this process, which the other must not count
    ours[::4096] = b"x" * len(ours[::4096])
    answer, little = peak_of("json:dumps", obj=[1])
    _, much = peak_of("json:dumps", obj=[1], indent=40_000_000)
    assert answer == "[1]"
    assert 2e6 < little < 300e6
    assert much > little + 75e6


def test_a_call_that_fails_is_told():
    with pytest.raises(ChildProcessError, match=r"(?s)json:loads failed: .*JSONDecodeError"):
        peak_of("json:loads", s="{")
