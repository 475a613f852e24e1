"""group.twin: rho over participants, and which layer is named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bids_dnn.errors import ConfigError, NotEnoughDataError
from bids_dnn.group.people import ALONE
from tests.factories.twins import PAIRS, SIX, make_people, nets_of, on_a_line, people_of, run_group


def test_the_planted_layer_is_named_and_none_for_noise(rng):
    made = run_group(people_of(rng), expected=["01", "09"])
    named = made.table[made.table["is_named"]]
    assert named[["region", "layer", "snr"]].to_numpy().tolist() == [["V1", "conv1", np.inf]]
    assert made.table.groupby("region")["best"].sum().to_dict() == {"V1": 1, "noise": 1}
    assert made.meta["missing_participants"] == ["09"]
    assert set(made.table["missing"]) == {"09"}
    assert (made.table["n_decoded"] == 6).all()
    assert set(made.table.columns) == set(made.columns)
    assert made.meta["warnings"] == []


def test_means_intervals_and_p_are_those_of_scipy(rng):
    people = people_of(rng, noise=0.1)
    made = run_group(people, tests=("sign-flip", "t", "wilcoxon"), correct="none").table
    rows = pd.concat([one.table.assign(who=label) for label, one in people.items()])
    key = ["region", "layer", "snr"]
    for row in made.to_dict("records"):
        own = rows.loc[(rows[key] == [row[name] for name in key]).all(axis=1), "rho"]
        found = stats.ttest_1samp(own, 0, alternative="greater")
        ends = stats.ttest_1samp(own, 0).confidence_interval(0.95)
        assert row["rho"] == pytest.approx(own.mean())
        assert row["p_t"] == pytest.approx(found.pvalue)
        assert row["ci_low"] == pytest.approx(max(ends.low, -1))
        assert row["ci_high"] == pytest.approx(min(ends.high, 1))
        flipped = [own @ signs for signs in np.array(np.meshgrid(*[(-1, 1)] * 6)).reshape(6, -1).T]
        assert row["p"] == pytest.approx(np.mean(np.array(flipped) >= own.sum() - 1e-9))
        assert row["p_corrected"] == row["p"]
    assert (made["p_floor"] == 1 / 64).all()


def test_p_of_participants_is_by_the_largest_t_of_each_region_alone(rng):
    people = people_of(rng, 5, noise=0.2)
    made = run_group(people, correct="none").table
    rows = pd.concat([one.table.assign(who=label) for label, one in people.items()])
    for region, own in made.groupby("region"):
        told = rows[rows["region"] == region]
        rho = told.pivot(index=["layer", "snr"], columns="who", values="rho").to_numpy()
        signs = np.array(np.meshgrid(*[(-1, 1)] * 5)).reshape(5, -1).T
        null = [stats.ttest_1samp(rho * one, 0, axis=1).statistic.max() for one in signs]
        t = stats.ttest_1samp(rho, 0, axis=1).statistic
        expected = [np.mean(np.array(null) >= one - 1e-9) for one in t]
        by = own.sort_values(["layer", "snr"])["p_participants"]
        np.testing.assert_allclose(by, expected)


def test_a_layer_that_few_have_is_neither_best_nor_in_the_family(rng):
    people = people_of(rng, 5)
    one = people["01"]
    extra = one.extras["network"].query("layer == 'conv1' and snr == inf").assign(layer="conv9")
    rows = one.table.query("layer == 'conv1' and snr == inf").assign(layer="conv9", rho=1.0)
    more = replace(
        one,
        table=pd.concat([one.table, rows]),
        extras=one.extras | {"network": pd.concat([one.extras["network"], extra])},
    )
    made, whole = run_group(people | {"01": more}).table, run_group(people).table
    rare = made[made["layer"] == "conv9"]
    assert (rare["n_participants"] == 1).all()
    assert rare[["p_participants", "p_conditions"]].isna().all(axis=None)
    assert not rare["best"].any()
    both = made[made["layer"] != "conv9"].reset_index(drop=True)
    for name in ("p_participants", "p_conditions", "is_named"):
        assert both[name].tolist() == whole[name].tolist()


def test_levels_have_as_many_digits_as_tables(rng):
    nets = {("conv1", 1 / 3): on_a_line(rng, SIX), ("conv2", 1 / 3): on_a_line(rng, SIX)}
    v1 = nets["conv1", 1 / 3] + 0.01 * rng.normal(size=(6, 15))
    made = run_group(make_people({"V1": v1}, nets, names=SIX)).table
    assert made["snr"].tolist() == [0.333333333] * 2
    assert made["p_conditions"].notna().all()
    assert made.query("is_named")["layer"].tolist() == ["conv1"]


def test_decoded_participants_are_counted_by_region(rng):
    people = people_of(rng, 4)
    for label in ("01", "02"):
        own = people[label].table
        own["is_decoded"] = own["region"] == "V1"
    told = run_group(people).table.groupby("region")["n_decoded"].first()
    assert told.to_dict() == {"V1": 4, "noise": 2}


def test_means_leave_out_who_tells_other_conditions_apart(rng):
    people = people_of(rng, 4)
    sides = people["03"].meta["sides"] | {"a vs b": [["a"], ["z"]]}
    made = run_group(people | {"03": replace(people["03"], meta={"sides": sides})}).extras
    for name in ("regions", "network"):
        is_it = made[name]["comparison"] == "a vs b"
        assert set(made[name].loc[is_it, "n_participants"]) == {3}
        assert set(made[name].loc[~is_it, "n_participants"]) == {4}


def test_comparisons_of_regions_alone_are_described(rng):
    """Layers are not decoded across samples, so that nobody tells the sides of such a one."""
    people = people_of(rng, 3)
    for label, one in people.items():
        told = one.extras["regions"]
        more = told.iloc[:1].assign(comparison="a vs b -> c vs d", score=0.7)
        extras = one.extras | {"regions": pd.concat([told, more])}
        people[label] = replace(one, extras=extras)
    told = run_group(people).extras["regions"].query("comparison == 'a vs b -> c vs d'")
    assert told["n_participants"].tolist() == [3]
    assert told["score"].tolist() == pytest.approx([0.7])


def test_nobody_with_covariates_is_told(rng):
    told = {f"{k:02}": {"age": "n/a"} for k in range(1, 7)}
    with pytest.raises(NotEnoughDataError, match=r"None of the 6.*age.*participants\.tsv"):
        run_group(people_of(rng), covariates=told, asked=("age",))


def test_means_of_what_is_decoded_are_told(rng):
    people = people_of(rng, 3)
    other = people["02"].extras["network"]
    other = other.assign(score=other["score"] + 0.03, ci_high=1.0, p_corrected=0.2)
    people["02"] = replace(people["02"], extras=people["02"].extras | {"network": other})
    made = run_group(people)
    net, first = made.extras["network"], people["01"].extras["network"]
    np.testing.assert_allclose(net["score"], first["score"] + 0.01)
    np.testing.assert_allclose(net["ci_lowest"], first["ci_low"])
    assert (net["ci_highest"] == 1).all()
    assert (net["p_highest"] == 0.2).all()
    told = made.extras["regions"].set_index(["region", "comparison"]).loc["V1"]
    own = [one.extras["regions"].query("region == 'V1'")["score"] for one in people.values()]
    np.testing.assert_allclose(told["score"], np.mean(own, axis=0))
    assert list(net.columns) == list(made.extra_columns["network"])


def test_few_comparisons_and_flat_regions_have_no_rho(rng):
    three = {key: net[:3] for key, net in nets_of(rng, PAIRS).items()}
    people = make_people({"V1": rng.uniform(0.5, 1, size=(4, 3))}, three, names=PAIRS[:3])
    for one in people.values():
        one.table["rho"] = np.nan
    made = run_group(people).table
    assert made[["rho", "p", "p_conditions", "lower"]].isna().all(axis=None)
    assert not made[["best", "is_named"]].any(axis=None)
    flat = run_group(make_people({"V1": np.full((4, 6), 0.5)}, nets_of(rng, PAIRS))).table
    assert flat[["rho", "p_conditions", "lower"]].isna().all(axis=None)
    assert not flat["best"].any()


def test_one_participant_is_described_only(rng):
    made = run_group(people_of(rng, 1))
    assert not made.table["is_named"].any()
    assert ALONE in made.meta["warnings"]
    assert made.table["lower"].isna().all()


def test_contrasts_are_of_regions_levels_and_groups(rng):
    texts = ("region: V1 > noise", "snr: inf > 1", "group: x > y")
    told = {f"{k:02}": {"group": "x" if k < 4 else "y"} for k in range(1, 7)}
    made = run_group(people_of(rng), covariates=told, contrasts=texts).extras["contrasts"]
    counts = made.groupby("contrast")["difference"].count().to_dict()
    assert counts == {"region: V1 > noise": 6, "snr: inf > 1": 6, "group: x > y": 12}
    with pytest.raises(ConfigError, match=r"the snr '2', which no participant has"):
        run_group(people_of(rng), contrasts=("snr: inf > 2",))


def test_who_lacks_a_covariate_is_in_nothing(rng):
    told = {f"{k:02}": {"age": str(20 + k) if k != 2 else "n/a"} for k in range(1, 7)}
    made = run_group(people_of(rng), covariates=told, asked=("age",))
    assert (made.table["n_participants"] == 5).all()
    assert (made.table["n_decoded"] == 5).all()
    assert (made.extras["regions"]["n_participants"] == 5).all()


def test_what_the_twin_cannot_have_is_said(rng):
    made = run_group(people_of(rng), tests=("sign-flip", "mixed", "prevalence"))
    assert [text.split(" was ")[0] for text in made.meta["warnings"]] == [
        "The mixed model",
        "Prevalence",
    ]
    assert made.meta["tests"] == ["sign-flip"]


def test_rows_that_do_not_stand_together_keep_their_order(rng):
    """A layer that only the second participant has comes last; its region comes first."""
    people = people_of(rng, 5)
    one = people["01"]
    short = one.table[~((one.table["region"] == "V1") & (one.table["layer"] == "conv2"))]
    made = run_group(people | {"01": replace(one, table=short)}).table
    whole = run_group(people).table
    key = ["region", "layer", "snr"]
    assert made["region"].tolist() == ["V1"] * 4 + ["noise"] * 6 + ["V1"] * 2
    both = made.merge(whole, on=key, suffixes=("", "_whole"))
    np.testing.assert_allclose(both["p_conditions"], both["p_conditions_whole"])
    same = both[(both["region"] == "noise") | (both["layer"] != "conv2")]
    np.testing.assert_allclose(same["rho"], same["rho_whole"])
    noise = both[both["region"] == "noise"]
    np.testing.assert_allclose(noise["p_participants"], noise["p_participants_whole"])
