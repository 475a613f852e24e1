"""group.sessions: scores of sessions to columns; what is left out, and said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bids_dnn.group.choices import Choices
from bids_dnn.group.stack import stack
from bids_dnn.group.tests import About
from bids_dnn.group.tests import test_group as run
from bids_dnn.stats.mixed import mixed_mean
from tests.factories.results import make_decode

LABELS = ("01", "02", "03", "04", "05")


@pytest.fixture
def table():
    tables = {x: make_decode(np.random.default_rng(i)).table for i, x in enumerate(LABELS)}
    return stack(tables, LABELS)[0]


def sessions_of(table, rng):
    """Two to four sessions each, around the participant's score."""
    parts = []
    for k, label in enumerate(LABELS):
        own = table.loc[
            table["participant"] == label, ["participant", "region", "comparison", "score"]
        ]
        for session in ("a", "b", "c", "d")[: 2 + k % 3]:
            noise = 0.02 * rng.normal(size=len(own))
            parts.append(own.assign(session=session, score=own["score"] + noise))
    return pd.concat(parts).sample(frac=1, random_state=0)


def mixed(table, sessions):
    choices, about = Choices(("sign-flip", "mixed")), About(sessions=sessions)
    return run(table, analysis="decode", choices=choices, about=about)


def test_each_row_is_the_fit_of_its_sessions(table, rng):
    sessions = sessions_of(table, rng)
    result = mixed(table, sessions)
    row = result.table[(result.table["region"] == "V1") & (result.table["comparison"] == "all")]
    own = sessions[(sessions["region"] == "V1") & (sessions["comparison"] == "all")]
    wide = own.pivot_table(index="participant", columns="session", values="score")
    expected = mixed_mean(wide.to_numpy() - 0.25)
    assert row["mean_mixed"].item() == pytest.approx(expected.mean)
    assert row["p_mixed"].item() == pytest.approx(expected.p)
    assert row["session_sd"].item() == pytest.approx(expected.within_sd)
    assert row["n_sessions"].item() == expected.n_sessions == 14
    assert result.meta["warnings"] == []
    assert {"p_mixed", "participant_sd"} <= set(result.columns)


def test_without_sessions_the_model_is_left_out_and_said(table):
    for none in (pd.DataFrame(), table[["participant", "score"]]):
        result = mixed(table, none)
        assert "p_mixed" not in result.table
        assert "desc-decodeSessions" in result.meta["warnings"][0]


def test_one_session_each_tells_nothing(table, rng):
    sessions = sessions_of(table, rng)
    result = mixed(table, sessions[sessions["session"] == "a"])
    assert result.table["p_mixed"].isna().all()
    assert "two sessions of one" in result.meta["warnings"][0]
