"""group.tests: agreement with scipy, enumeration, one participant, refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from bids_dnn.errors import ConfigError, ShapeError
from bids_dnn.group import tests as group_tests
from bids_dnn.group.choices import Choices
from bids_dnn.group.people import ALONE
from bids_dnn.group.stack import stack
from bids_dnn.stats.inference import corrected_t_interval
from bids_dnn.stats.participants import compare_with_zero
from tests.factories.results import make_decode, make_encode

LABELS = ("01", "02", "03", "04", "05", "06")


def stacked(make, n):
    tables = {x: make(np.random.default_rng(i)).table for i, x in enumerate(LABELS[:n])}
    return stack(tables, LABELS[:n])[0]


@pytest.fixture
def decode():
    return stacked(make_decode, 6)


def test_means_intervals_and_t_agree_with_scipy(decode):
    made = group_tests.test_group(decode, analysis="decode").table
    part = decode[(decode["region"] == "LOC") & (decode["comparison"] == "all")]
    row = made[(made["region"] == "LOC") & (made["comparison"] == "all")].iloc[0]
    expected = stats.ttest_1samp(part["score"], 0.25, alternative="greater")
    interval = stats.ttest_1samp(part["score"], 0.0).confidence_interval(0.95)
    assert row["score"] == pytest.approx(part["score"].mean())
    assert row["p_t"] == pytest.approx(expected.pvalue)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((interval.low, interval.high))
    assert row["chance"] == 0.25
    assert row["p"] == row["p_floor"] == 1 / 2**6


def test_intervals_end_where_accuracies_do(decode):
    high = decode.assign(score=1 - 0.2 * (decode["participant"] == "01"))
    made = group_tests.test_group(high, analysis="decode").table
    assert (made["ci_high"] == 1).all()
    scores = np.array([0.8, 1, 1, 1, 1, 1])
    interval = stats.ttest_1samp(scores, 0.0).confidence_interval(0.95)
    assert interval.high > 1
    np.testing.assert_allclose(made["ci_low"], interval.low)


def test_where_chance_differs_it_is_said(decode):
    assert not any("chance" in text for text in group_tests.test_group(
        decode, analysis="decode").meta["warnings"])  # fmt: skip
    is_own = (decode["participant"] == "02") & (decode["comparison"] == "all")
    other = decode.assign(chance=decode["chance"].where(~is_own, 1 / 3))
    (said,) = group_tests.test_group(other, analysis="decode").meta["warnings"]
    assert said.startswith("all: chance differs between participants (0.25 in sub-01, sub-03, ")
    assert "0.333 in sub-02)" in said


def test_p_is_corrected_over_the_analysis(decode):
    made = group_tests.test_group(decode, analysis="decode").table
    expected = stats.false_discovery_control(made["p"])
    np.testing.assert_allclose(made["p_corrected"], expected)


def test_estimators_and_targets_are_families_of_their_own():
    """Rows of region means, other estimators and chosen layers are tested beside single layers."""
    single = stacked(make_encode, 4).assign(target="units", estimator="ridge")
    mean = single.assign(target="mean", score=single["score"] + 0.1)
    pls = single.assign(estimator="pls")
    chosen = single[single["layer"] == "features.0"].assign(
        network="*", layer="chosen layer", score=0.9
    )
    whole = pd.concat([single, chosen, mean, pls], ignore_index=True)
    made = group_tests.test_group(whole, analysis="encode").table
    assert len(made) == 3 * len(single) / 4 + len(chosen) / 4
    assert not made.loc[made["network"] == "*", "best"].any()
    own = made[(made["target"] == "mean") & (made["network"] != "*")]
    alone = group_tests.test_group(single, analysis="encode").table
    np.testing.assert_allclose(own["score"], alone["score"] + 0.1)
    family = made[(made["target"] == "units") & (made["estimator"] == "pls")]
    np.testing.assert_allclose(family["p_corrected"], alone["p_corrected"])
    assert family["best"].tolist() == alone["best"].tolist()


def test_order_of_participants_does_not_matter(decode):
    one = group_tests.test_group(decode, analysis="decode").table
    mixed = pd.concat([decode[decode["participant"] == x] for x in LABELS[::-1]])
    two = group_tests.test_group(mixed, analysis="decode").table
    pd.testing.assert_frame_equal(one, two)


def test_encode_names_the_best_layer_and_keeps_order():
    made = group_tests.test_group(stacked(make_encode, 3), analysis="encode").table
    best = made[made["best"]].set_index("region")["layer"]
    assert best["V1"] == "features.0"
    assert made["layer"].tolist()[:3] == ["features.0", "features.3", "features.6"]
    assert {"ceiling", "normalized", "p_floor"} <= set(made.columns)


def test_scores_that_nobody_has_stay_missing():
    made = group_tests.test_group(stacked(make_encode, 3), analysis="encode").table
    row = made[(made["region"] == "FFA") & (made["layer"] == "features.0")].iloc[0]
    assert row["n_participants"] == 0
    assert np.isnan(row[["score", "p", "p_corrected", "ci_low"]].astype(float)).all()
    assert row["missing"] == "01, 02, 03"
    assert not row["best"]


def test_missing_participants_are_named_in_each_row(decode):
    short = decode[~((decode["participant"] == "03") & (decode["region"] == "V1"))]
    result = group_tests.test_group(
        short, analysis="decode", about=group_tests.About([*LABELS, "07"])
    )
    missing = result.table.groupby("region")["missing"].unique()
    assert missing["V1"].tolist() == ["03, 07"]
    assert missing["LOC"].tolist() == ["07"]
    assert result.meta["missing_participants"] == ["07"]


def test_one_participant_gives_no_interval_and_a_warning():
    result = group_tests.test_group(stacked(make_decode, 1), analysis="decode")
    assert result.table[["ci_low", "ci_high", "p_t"]].isna().all(axis=None)
    assert (result.table["p_floor"] == 0.5).all()
    assert result.meta["warnings"] == [ALONE]


def test_few_participants_are_warned_of_the_floor():
    result = group_tests.test_group(stacked(make_decode, 3), analysis="decode")
    assert "below 0.125" in result.meta["warnings"][0]


def test_the_floor_is_that_of_the_first_test():
    table = stacked(make_decode, 3)
    ranked = group_tests.test_group(
        table, analysis="decode", choices=Choices(("wilcoxon", "sign-flip"))
    )
    assert (ranked.table["p_floor"] == 1 / 8).all()
    assert "signed-rank test cannot give a p below 0.125" in ranked.meta["warnings"][0]
    t = group_tests.test_group(table, analysis="decode", choices=Choices(("t", "sign-flip")))
    assert t.table["p_floor"].isna().all()
    assert t.table["p"].notna().all()
    assert t.meta["warnings"] == []


def test_a_metric_that_differs_between_participants_stays_one_row(decode):
    decode.loc[decode["participant"] == "02", "metric"] = "balanced_accuracy"
    made = group_tests.test_group(decode, analysis="decode").table
    assert len(made) == 28
    assert set(made["metric"]) == {"accuracy, balanced_accuracy"}


def test_without_flips_there_is_no_p(decode):
    made = group_tests.test_group(decode, analysis="decode", choices=Choices(("t",), "none"))
    assert made.table["p"].isna().all()
    assert made.table["p_t"].notna().all()


def test_a_wrong_analysis_is_refused(decode):
    with pytest.raises(ConfigError, match=r"'decod'.*'decode'"):
        group_tests.test_group(decode, analysis="decod")


def test_signed_ranks_are_those_of_scipy_and_can_be_corrected(decode):
    made = group_tests.test_group(decode, analysis="decode", choices=Choices(("wilcoxon",))).table
    part = decode[(decode["region"] == "V1") & (decode["comparison"] == "all")]
    row = made[(made["region"] == "V1") & (made["comparison"] == "all")].iloc[0]
    expected = stats.wilcoxon(part["score"] - 0.25, alternative="greater").pvalue
    assert row["p_wilcoxon"] == pytest.approx(expected)
    np.testing.assert_allclose(
        made["p_corrected"], stats.false_discovery_control(made["p_wilcoxon"])
    )
    assert made["p"].isna().all()


def test_the_largest_t_corrects_for_the_family(decode):
    above = decode["score"] - decode["chance"]
    values = above.to_numpy().reshape(6, 28).T
    made = group_tests.test_group(decode, analysis="decode", choices=Choices(correct="max")).table
    np.testing.assert_allclose(made["p_corrected"], compare_with_zero(values).p_corrected)


def test_single_scores_tell_how_they_vary_over_runs(decode):
    runs = np.array([0.5, 0.7, 0.6, 0.8])
    low, high = corrected_t_interval(runs, n_test=1, n_train=3, center=0.65)
    table = decode.assign(score=0.65, ci_low=low, ci_high=high, n_runs=4)
    single = group_tests.test_group(table, analysis="decode").extras["participants"]
    np.testing.assert_allclose(single["run_sd"], runs.std(ddof=1))
    assert (single["n_runs"] == 4).all()
    plain = group_tests.test_group(decode, analysis="decode").extras["participants"]
    assert "run_sd" not in plain


def test_covariates_are_fitted_and_who_lacks_one_is_named(decode):
    ages = dict(zip(LABELS, ("20", "35", "28", "n/a", "51", "33"), strict=True))
    people = {label: {"age": age} for label, age in ages.items()}
    result = group_tests.test_group(
        decode,
        analysis="decode",
        choices=Choices(covariates=("age",)),
        about=group_tests.About(people=people),
    )
    row = result.table.iloc[3]
    keep = decode["participant"] != "04"
    values = (decode["score"] - decode["chance"])[keep].to_numpy().reshape(5, 28)[:, 3]
    fit = sm.OLS(values, sm.add_constant(np.array([20, 35, 28, 51, 33]) - 33.4)).fit()
    assert row["n_participants"] == 5
    assert row["missing"] == "04"
    assert 2 * row["p_t"] == pytest.approx(fit.pvalues[0])
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(fit.conf_int()[0] + row["chance"])
    assert result.meta["covariates"] == ["age"]


def test_tables_that_do_not_fit_are_refused(decode):
    with pytest.raises(ShapeError, match=r"\['chance'\]"):
        group_tests.test_group(decode.drop(columns="chance"), analysis="decode")
    with pytest.raises(ShapeError, match=r"holds 168 row\(s\) twice, such as \['01'"):
        group_tests.test_group(pd.concat([decode, decode]), analysis="decode")
