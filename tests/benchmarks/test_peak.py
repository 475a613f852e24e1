"""benchmarks.peak: a process of its own, and what it took."""

import pytest

from benchmarks.peak import peak_of


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
