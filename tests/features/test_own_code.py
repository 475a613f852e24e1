"""features.own_code: what the user's own code raises is said with file and line."""

import logging

import pytest

from bids_dnn.errors import ConfigError, ShapeError
from bids_dnn.features.own_code import place_of, running, text_of


def test_the_innermost_line_of_ones_own_code_is_named():
    def mine():
        return int("x")

    with pytest.raises(ValueError, match="'x'") as found:
        mine()
    line = mine.__code__.co_firstlineno + 1
    assert place_of(found.value) == f"{__file__}, line {line}"
    assert place_of(ValueError()) == ""


def test_long_texts_stand_in_one_short_line():
    assert text_of(ValueError("a\n b.")) == "a b"
    assert text_of(ValueError()) == "it says no more"
    assert len(text_of(ValueError("a" * 1000))) < 310


def test_the_traceback_goes_to_the_log(caplog):
    caplog.set_level(logging.INFO)
    told = r"It raised ZeroDivisionError .* Mend it\."
    with pytest.raises(ConfigError, match=told), running("It", mend="Mend it."):
        1 / 0  # noqa: B018
    assert "1 / 0" in caplog.text


@pytest.mark.parametrize("error", [ShapeError("a", mend="b"), KeyboardInterrupt(), MemoryError()])
def test_our_own_errors_and_the_users_stop_pass(error):
    with pytest.raises(type(error)) as found, running("It", mend="Mend it."):
        raise error
    assert found.value is error
