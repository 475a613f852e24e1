"""ingest.choices: what is not told has a default, and what cannot be is refused."""

import pytest

from bids_dnn.errors import ConfigError
from bids_dnn.ingest.choices import DEFAULTS, Settings, settle


def test_every_setting_has_a_default():
    assert set(DEFAULTS) == set(Settings.__annotations__)


@pytest.mark.parametrize(
    ("asked", "n_sessions", "expected"),
    [
        ("auto", 0, "none"),
        ("auto", 2, "none"),
        ("auto", 3, "session"),
        ("run", 9, "run"),
        ("none", 9, "none"),
    ],
)
def test_auto_means_sessions_where_there_are_many(asked, n_sessions, expected):
    assert settle({"standardize": asked}, n_sessions=n_sessions)["standardize"] == expected


def test_defaults_are_not_altered():
    before = dict(DEFAULTS)
    made = settle({"model": "fir"}, n_sessions=5)
    assert made["model"] == "fir"
    assert before == DEFAULTS


def test_what_is_told_twice_is_told_once():
    made = settle({"fir_window_s": (0.0, 2.0)}, n_sessions=0)
    assert settle(made, n_sessions=9) == made  # auto was settled the first time


@pytest.mark.parametrize("rest", ["run", "session", "none", "auto"])
def test_estimates_take_any_scope_but_rest(rest):
    assert settle({"model": "lss", "standardize": rest}, n_sessions=1)
    with pytest.raises(ConfigError, match=r'"rest", but trial estimates .*"lss"\) have no rest'):
        settle({"model": "lss", "standardize": "rest"}, n_sessions=1)
