"""group.prevalence: from participants' p and nulls to columns; what is left out, and said."""

from __future__ import annotations

import numpy as np
import pytest

from bids_dnn.containers.nulls import Nulls
from bids_dnn.group.choices import Choices
from bids_dnn.group.prevalence import COLUMNS
from bids_dnn.group.stack import stack
from bids_dnn.group.tests import About
from bids_dnn.group.tests import test_group as run
from bids_dnn.stats.prevalence import estimate_prevalence
from tests.factories.results import make_decode, make_encode

LABELS = tuple(f"{i:02d}" for i in range(1, 9))


def stacked(make, n=8):
    tables = {x: make(np.random.default_rng(i)).table for i, x in enumerate(LABELS[:n])}
    return stack(tables, LABELS[:n])[0]


def nulls_of(table, rng, n_permutations=99):
    """Scores around chance, rows in another order than the table."""
    made = {}
    for label, part in table.groupby("participant"):
        mixed = part.sample(frac=1, random_state=0)
        null = mixed["chance"].to_numpy()[:, None] + 0.03 * rng.normal(
            size=(len(mixed), n_permutations)
        )
        made[label] = Nulls(
            mixed["region"].to_numpy(dtype=str),
            mixed["comparison"].to_numpy(dtype=str),
            null.astype(np.float32),
            np.zeros(len(mixed), dtype=bool),
        )
    return made


def prevalence(table, analysis="decode", nulls=None):
    return run(
        table,
        analysis=analysis,
        choices=Choices(("sign-flip", "prevalence")),
        about=About(nulls=nulls or {}),
    )


def test_bounds_are_high_where_everybody_has_an_effect(rng):
    table = stacked(make_decode)
    result = prevalence(table, nulls=nulls_of(table, rng))
    made = result.table.set_index("region")
    p1 = 1 / 100
    most = (0.05 ** (1 / 8) - p1) / (1 - p1)
    np.testing.assert_allclose(made["prevalence_largest"], most)
    np.testing.assert_allclose(made.loc["V1", "prevalence_bound"], most)
    assert (made.loc["V1", "prevalence_bound_corrected"] > 0.9 * most).all()
    assert made.loc["noise", "prevalence_bound_corrected"].isna().sum() >= 5
    assert (made["p_global_corrected"] >= made["p_global"]).all()
    assert result.meta["warnings"] == []


def test_estimates_come_from_participants_p():
    result = prevalence(stacked(make_decode))
    made = result.table.groupby("region")[["prevalence", "n_significant", "n_able"]].first()
    assert made.loc["V1"].tolist() == [1.0, 8, 8]  # p = 0.001 in all
    assert made.loc["noise"].tolist() == [0.0, 0, 8]  # p = 0.4 in all
    told = estimate_prevalence(8, 8, alpha=0.05)
    low = result.table.set_index("region").loc["V1", "prevalence_low"].iloc[0]
    assert low == pytest.approx(told.low, abs=1e-3)
    assert "no participant has left" in result.meta["warnings"][0]
    assert "prevalence_bound" not in result.table


def test_participants_whose_p_cannot_be_low_are_no_evidence():
    table = stacked(make_decode)
    table.loc[table["participant"].isin(["01", "02"]), ["p", "p_floor"]] = 0.0625
    made = prevalence(table).table.set_index("region")
    assert (made["n_able"] == 6).all()
    assert (made.loc["V1", "n_significant"] == 6).all()
    table[["p", "p_floor"]] = 0.0625
    result = prevalence(table)
    assert result.table["prevalence"].isna().all()
    assert "nobody's own p can be as low as 0.05" in result.meta["warnings"][0]


def test_where_no_bound_can_be_proven_it_is_said(rng):
    table = stacked(make_decode, 2)
    result = prevalence(table, nulls=nulls_of(table, rng, n_permutations=2))
    assert result.table["prevalence_largest"].isna().all()
    assert "so few participants and permutations prove none" in result.meta["warnings"][-1]


def test_one_participant_says_nothing_of_a_population(rng):
    table = stacked(make_decode, 1)
    assert not {*COLUMNS} & {*prevalence(table, nulls=nulls_of(table, rng)).table}
    table = stacked(make_decode, 2)
    alone = (table["participant"] == "02") & (table["region"] == "V1")
    made = prevalence(table[~alone], nulls=nulls_of(table, rng)).table.set_index("region")
    assert made.loc["V1", ["prevalence", "p_global", "prevalence_largest"]].isna().all(axis=None)
    assert made.loc["noise", ["prevalence", "p_global"]].notna().all(axis=None)


def test_participants_without_nulls_are_named(rng):
    table = stacked(make_decode)
    nulls = nulls_of(table, rng)
    del nulls["03"]
    result = prevalence(table, nulls=nulls)
    assert "without sub-03" in result.meta["warnings"][0]
    p1 = 1 / 100
    most = (0.05 ** (1 / 7) - p1) / (1 - p1)
    np.testing.assert_allclose(result.table["prevalence_largest"], most)


def test_enumerated_nulls_of_another_length_stand_beside_others(rng):
    table = stacked(make_decode, 4)
    nulls = nulls_of(table, rng)
    own = table[table["participant"] == "02"]
    few = np.column_stack([own["score"], *[own["chance"] - 0.1] * 15]).astype(np.float32)
    nulls["02"] = Nulls(
        own["region"].to_numpy(dtype=str), own["comparison"].to_numpy(dtype=str), few,
        np.ones(len(own), bool),
    )  # fmt: skip
    made = prevalence(table, nulls=nulls).table.set_index("region")
    np.testing.assert_allclose(made.loc["V1", "p_global"], 1 / (100**3 * 16), rtol=1e-6)


def test_encoding_has_estimates_and_says_why_no_bounds():
    table = stacked(make_encode)
    result = prevalence(table, "encode")
    assert "encode does not leave" in result.meta["warnings"][0]
    made = result.table.set_index(["region", "layer"])
    assert made.loc[("V1", "features.0"), "prevalence"] == 1.0
    assert np.isnan(made.loc[("FFA", "features.0"), "prevalence"])  # nobody has a score


def test_tables_without_p_have_no_estimate(rng):
    table = stacked(make_decode)
    made = prevalence(table.drop(columns=["p", "p_floor"]), nulls=nulls_of(table, rng)).table
    assert "prevalence" not in made
    assert "prevalence_bound" in made


def test_cross_decoding_has_no_prevalence(rng):
    table = stacked(make_decode)
    first, second = list(dict.fromkeys(table["comparison"]))[:2]
    crossed = f"{first} -> c vs d"
    table["comparison"] = table["comparison"].replace(second, crossed)
    result = prevalence(table, nulls=nulls_of(table, rng))
    is_crossed = result.table["comparison"] == crossed
    for name in ("n_significant", "prevalence", "prevalence_bound", "p_global"):
        assert result.table.loc[is_crossed, name].isna().all()
        assert result.table.loc[~is_crossed, name].notna().any()
    assert result.table["p"].notna().all()
    told = [one for one in result.meta["warnings"] if "n/a: a participant's own p" in one]
    assert len(told) == 1
    assert f"('{crossed}')" in told[0]
