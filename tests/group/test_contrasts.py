"""group.contrasts: the grammar, agreement with scipy, who is in, refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bids_dnn.errors import ConfigError
from bids_dnn.group.choices import Choices
from bids_dnn.group.contrasts import COLUMNS, parse_contrast, parse_contrasts
from bids_dnn.group.stack import stack
from bids_dnn.group.tests import About
from bids_dnn.group.tests import test_group as run
from tests.factories.results import make_decode, make_encode

LABELS = tuple(f"{i:02d}" for i in range(1, 9))
PEOPLE = {
    label: {"group": "patient" if i < 4 else "control", "age": str(20 + 3 * i % 7)}
    for i, label in enumerate(LABELS)
}


def stacked(make, n=8):
    tables = {x: make(np.random.default_rng(i)).table for i, x in enumerate(LABELS[:n])}
    return stack(tables, LABELS[:n])[0]


def contrasts_of(table, analysis, *texts, people=PEOPLE, **choices):
    made = run(
        table,
        analysis=analysis,
        choices=Choices(contrasts=texts, **choices),
        about=About(LABELS, people),
    )
    return made.extras["contrasts"], made


def scores(table, **where):
    for key, value in where.items():
        table = table[table[key] == value]
    return table.sort_values("participant")["score"].to_numpy()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("region: FFA > V1", ("region", "FFA", "V1", False)),
        ("comparison: face vs house != body vs tool",
         ("comparison", "face vs house", "body vs tool", True)),
        ("group:patient > control", ("group", "patient", "control", False)),
        ("comparison: a:b+c vs d > all", ("comparison", "a:b+c vs d", "all", False)),
    ],
)  # fmt: skip
def test_a_contrast_is_read(text, expected):
    made = parse_contrast(text)
    assert (made.what, made.first, made.second, made.is_two_sided) == expected
    assert made.is_within == (made.what != "group")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("FFA > V1", "'FFA > V1'.*region: FFA > V1"),
        ("region: FFA", "'region: FFA'"),
        ("region: FFA > V1 > LOC", "which side"),
        ("region: > V1", "which side"),
        ("region: V1 > V1", "'V1' with itself"),
        (": a > b", "which side"),
    ],
)
def test_what_is_no_contrast_is_refused(text, match):
    with pytest.raises(ConfigError, match=match):
        parse_contrast(text)


@pytest.mark.parametrize(
    ("texts", "match"),
    [
        (["agroup: patient > control"], "'agroup'.*'group'"),
        (["group: patients > control"], "'patients'.*group of no.*'patient'"),
        (["region: a > b", "region: a > b"], "twice"),
    ],
)
def test_what_nobody_knows_is_refused(texts, match):
    with pytest.raises(ConfigError, match=match):
        parse_contrasts(texts, PEOPLE)


def test_regions_are_compared_within_participants():
    table = stacked(make_decode)
    found, result = contrasts_of(table, "decode", "region: V1 > noise")
    assert found["comparison"].tolist() == list(dict.fromkeys(table["comparison"]))
    row = found[found["comparison"] == "all"].iloc[0]
    a, b = (scores(table, region=name, comparison="all") for name in ("V1", "noise"))
    expected = stats.ttest_rel(a, b, alternative="greater")
    interval = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert row["p_t"] == pytest.approx(expected.pvalue)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((interval.low, interval.high))
    assert row["difference"] == pytest.approx((a - b).mean())
    assert row["p"] == row["p_floor"] == 1 / 2**8
    np.testing.assert_allclose(found["p_corrected"], stats.false_discovery_control(found["p"]))
    assert result.extra_columns["contrasts"] == COLUMNS
    assert set(found.columns) <= {*COLUMNS, "region", "comparison"}


def test_comparisons_are_compared_less_their_chance():
    table = stacked(make_decode)
    found, _ = contrasts_of(table, "decode", "comparison: body vs face != all")
    row = found[found["region"] == "LOC"].iloc[0]
    a = scores(table, region="LOC", comparison="body vs face") - 0.5
    b = scores(table, region="LOC", comparison="all") - 0.25
    assert row["difference"] == pytest.approx((a - b).mean())
    assert row["p_t"] == pytest.approx(stats.ttest_rel(a, b).pvalue)


def test_groups_are_compared_in_each_place():
    table = stacked(make_decode)
    table.loc[table["participant"] == "02", "score"] = np.nan
    found, _ = contrasts_of(table, "decode", "group: patient != control")
    assert len(found) == table.groupby(["region", "comparison"]).ngroups
    row = found[(found["region"] == "LOC") & (found["comparison"] == "all")].iloc[0]
    values = scores(table, region="LOC", comparison="all")
    expected = stats.ttest_ind(values[[0, 2, 3]], values[4:], equal_var=False)
    assert row["p_t"] == pytest.approx(expected.pvalue)
    assert (row["n_participants"], row["n_first"], row["missing"]) == (7, 3, "02")
    assert row["n_permutations"] == 35


def test_who_belongs_to_neither_group_is_left_out():
    people = PEOPLE | {"08": {"group": "relative", "age": "30"}, "07": {"group": "n/a"}}
    found, _ = contrasts_of(
        stacked(make_decode), "decode", "group: patient > control", people=people
    )
    assert set(found["missing"]) == {"07, 08"}
    assert set(found["n_participants"]) == {6}
    assert set(found["n_permutations"]) == {15}
    table = stacked(make_decode)
    few = table[~table["participant"].isin(["07", "08"])]
    for correct in ("fdr", "max"):
        whole, some = (
            contrasts_of(
                one, "decode", "group: patient > control", people=people, correct=correct
            )[0]
            for one in (table, few)
        )
        np.testing.assert_allclose(whole["p_corrected"], some["p_corrected"])


def test_covariates_enter_contrasts():
    table = stacked(make_decode)
    plain, _ = contrasts_of(table, "decode", "group: patient > control")
    found, _ = contrasts_of(table, "decode", "group: patient > control", covariates=("age",))
    assert (found["n_permutations"] == 10_000).all()
    assert not np.allclose(found["difference"], plain["difference"])


def test_layers_are_contrasts_of_encoding_alone():
    table = stacked(make_encode)
    found, _ = contrasts_of(table, "encode", "layer: features.3 > features.10", correct="max")
    v1 = found[found["region"] == "V1"].iloc[0]
    assert v1["difference"] > 0
    assert (v1["network"], v1["layer"]) == ("alexnet", "")
    assert (found["p_corrected"] >= found["p"]).all()
    decoded = run(
        stacked(make_decode),
        analysis="decode",
        choices=Choices(contrasts=("layer: features.3 > features.10",)),
    )
    assert "contrasts" not in decoded.extras


def test_one_participant_gives_differences_without_tests():
    found, _ = contrasts_of(stacked(make_decode, 1), "decode", "region: V1 > noise")
    assert found["difference"].notna().all()
    assert found[["ci_low", "p_t"]].isna().all(axis=None)
    assert (found["p_floor"] == 0.5).all()


def test_contrasts_without_a_difference_say_why():
    asked = ("region: V1 > noise", "group: patient > control")
    found, made = contrasts_of(stacked(make_decode, 2), "decode", *asked, covariates=("age",))
    assert found["difference"].isna().all()
    within, between = made.meta["warnings"][-2:]
    assert f"{asked[0]!r} is n/a in 7 of 7 rows: it needs a participant with both" in within
    assert f"{asked[1]!r} is n/a in 28 of 28 rows: it needs two participants with" in between
    assert "each of 'patient' and 'control', and enough participants for the cov" in between
    _, whole = contrasts_of(stacked(make_decode), "decode", *asked)
    assert not any("n/a" in text for text in whole.meta["warnings"])


def test_sides_that_no_table_has_are_refused_and_lone_rows_told():
    table = stacked(make_decode)
    with pytest.raises(ConfigError, match=r"region 'FFB'.*'FFA'"):
        contrasts_of(table, "decode", "region: FFB > V1")
    left = table[~((table["region"] == "V1") & (table["comparison"] != "all"))]
    lone = left[~((left["region"] == "noise") & (left["comparison"] == "all"))]
    result = run(lone, analysis="decode", choices=Choices(contrasts=("region: V1 > noise",)))
    assert "contrasts" not in result.extras
    assert "no two rows" in result.meta["warnings"][0]


def test_rows_do_not_depend_on_order():
    table = stacked(make_decode)
    one, _ = contrasts_of(table, "decode", "region: V1 > noise")
    parts = [part for _, part in table.groupby("participant")]
    two, _ = contrasts_of(pd.concat(parts[::-1]), "decode", "region: V1 > noise")
    pd.testing.assert_frame_equal(one, two)
