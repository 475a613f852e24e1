"""group.twin: rho over participants, exchanges of conditions, and which layer is named."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bids_dnn.errors import ConfigError, ShapeError
from bids_dnn.group.choices import Choices
from bids_dnn.group.people import ALONE
from bids_dnn.group.tests import About
from bids_dnn.group.twin import group_twin
from tests.factories.twins import PAIRS, make_people

SIX = tuple(f"{a} vs {b}" for a, b in combinations("abcdef", 2))
N = 100
MOST = stats.binom.ppf(1 - 1e-4, N, 0.05)


def on_a_line(rng, names):
    """Return scores of pairs of conditions that lie on a line."""
    place = dict(zip("abcdef", rng.normal(size=6), strict=True))
    apart = np.array([abs(place[name[0]] - place[name[-1]]) for name in names])
    return 0.5 + 0.4 * np.tanh(apart)


def nets_of(rng, names, n_layers=3):
    return {
        (f"conv{k}", snr): on_a_line(rng, names) for k in range(n_layers) for snr in (np.inf, 1.0)
    }


def people_of(rng, n=6, *, names=SIX, noise=0.02):
    """Let V1 be conv1 without noise, and another region nothing at all."""
    nets = nets_of(rng, names)
    planted = nets["conv1", np.inf]
    brains = {
        "V1": np.clip(planted + noise * rng.normal(size=(n, len(names))), 0, 1),
        "noise": rng.binomial(80, 0.5, size=(n, len(names))) / 80,
    }
    return make_people(brains, nets, names=names)


def run(people, *, expected=(), covariates=None, **choices):
    about = About(expected=expected or [*people], people=covariates or {})
    return group_twin(people, choices=Choices(**choices), about=about)


def test_the_planted_layer_is_named_and_none_for_noise(rng):
    made = run(people_of(rng), expected=["01", "09"])
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
    made = run(people, tests=("sign-flip", "t", "wilcoxon"), correct="none").table
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
    made = run(people, correct="none").table
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


def test_p_of_conditions_is_that_of_all_their_exchanges(rng):
    """Four conditions have 24 orders: each brain's scores move with the names, nets stay."""
    nets = nets_of(rng, PAIRS)
    brains = np.stack([on_a_line(rng, PAIRS) for _ in range(3)])
    made = run(make_people({"V1": brains}, nets)).table
    null = []
    for order in permutations("abcd"):
        new = dict(zip("abcd", order, strict=True))
        moved = [PAIRS.index(" vs ".join(sorted((new[x[0]], new[x[-1]])))) for x in PAIRS]
        rho = [
            np.mean([stats.spearmanr(one[moved], net).statistic for one in brains])
            for net in nets.values()
        ]
        null.append(max(rho))
    expected = [np.mean(np.array(null) >= rho - 1e-9) for rho in made["rho"]]
    np.testing.assert_allclose(made["p_conditions"], expected)
    assert (made["p_conditions_floor"] == 1 / 24).all()
    assert set(made["exchanged"]) == {"conditions"}
    assert (made["n_comparisons"] == 6).all()


def test_bounds_are_how_participants_agree(rng):
    brains = on_a_line(rng, SIX) + 0.1 * rng.normal(size=(5, 15))
    made = run(make_people({"V1": brains}, nets_of(rng, SIX), names=SIX)).table.iloc[0]
    ranks = stats.zscore(stats.rankdata(brains, axis=1), axis=1)
    others = [np.corrcoef(ranks[k], np.delete(ranks, k, axis=0).sum(0))[0, 1] for k in range(5)]
    every = [np.corrcoef(one, ranks.sum(0))[0, 1] for one in ranks]
    assert (made["lower"], made["upper"]) == pytest.approx((np.mean(others), np.mean(every)))


@pytest.mark.slow
def test_an_accident_of_the_conditions_names_no_layer():
    """All brains share a pattern that no layer has: signs flip to one side, conditions do not."""
    rng = np.random.default_rng(3)
    counts = np.zeros(2, int)
    for _ in range(N):
        shared = on_a_line(rng, SIX)
        brains = np.clip(shared + 0.02 * rng.normal(size=(6, 15)), 0, 1)
        made = run(make_people({"V1": brains}, nets_of(rng, SIX), names=SIX)).table
        counts += made["is_named"].any(), (made["p_participants"] <= 0.05).any()
    assert counts[0] <= MOST
    assert counts[1] > 2 * MOST  # flipped signs alone would name one far too often


@pytest.mark.slow
def test_noise_names_no_layer():
    rng = np.random.default_rng(4)
    n = 0
    for _ in range(N):
        brains = rng.binomial(80, 0.5, size=(6, 15)) / 80
        made = run(make_people({"V1": brains}, nets_of(rng, SIX), names=SIX)).table
        n += made["is_named"].any()
    assert n <= MOST


def test_who_lacks_comparisons_is_told_and_counts_with_the_others(rng):
    people = people_of(rng, 4)
    gone = people["02"].extras["regions"]
    kept = gone[~gone["comparison"].str.contains("f")]
    short = replace(people["02"], extras=people["02"].extras | {"regions": kept})
    made = run(people | {"02": short})
    assert (made.table["n_comparisons"] == 15).all()
    assert (made.table["missing_comparisons"] == "02").all()
    assert made.meta["warnings"][-1] == (
        "Twin: sub-02 lacks comparisons of V1, noise that most have, so that p_conditions and the "
        "bounds are without it."
    )
    others = {label: one for label, one in people.items() if label != "02"}
    for name in ("p_conditions", "lower", "upper"):
        np.testing.assert_allclose(made.table[name], run(others).table[name])
    assert (made.table["n_participants"] == 4).all()  # of rho, over those that each one has
    assert made.extras["regions"]["n_participants"].tolist() == [
        3 if "f" in name else 4 for name in [*SIX, *SIX]
    ]


def test_means_of_what_is_decoded_are_told(rng):
    people = people_of(rng, 3)
    other = people["02"].extras["network"]
    other = other.assign(score=other["score"] + 0.03, ci_high=1.0, p_corrected=0.2)
    people["02"] = replace(people["02"], extras=people["02"].extras | {"network": other})
    made = run(people)
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
    made = run(people).table
    assert made[["rho", "p", "p_conditions", "lower"]].isna().all(axis=None)
    assert not made[["best", "is_named"]].any(axis=None)
    flat = run(make_people({"V1": np.full((4, 6), 0.5)}, nets_of(rng, PAIRS))).table
    assert flat[["rho", "p_conditions", "lower"]].isna().all(axis=None)
    assert not flat["best"].any()


def test_one_participant_is_described_only(rng):
    made = run(people_of(rng, 1))
    assert not made.table["is_named"].any()
    assert ALONE in made.meta["warnings"]
    assert made.table["lower"].isna().all()


def test_contrasts_are_of_regions_levels_and_groups(rng):
    texts = ("region: V1 > noise", "snr: inf > 1", "group: x > y")
    told = {f"{k:02}": {"group": "x" if k < 4 else "y"} for k in range(1, 7)}
    made = run(people_of(rng), covariates=told, contrasts=texts).extras["contrasts"]
    counts = made.groupby("contrast")["difference"].count().to_dict()
    assert counts == {"region: V1 > noise": 6, "snr: inf > 1": 6, "group: x > y": 12}
    with pytest.raises(ConfigError, match=r"the snr '2', which no participant has"):
        run(people_of(rng), contrasts=("snr: inf > 2",))


def test_who_lacks_a_covariate_is_in_nothing(rng):
    told = {f"{k:02}": {"age": str(20 + k) if k != 2 else "n/a"} for k in range(1, 7)}
    about = About(expected=[f"{k:02}" for k in range(1, 7)], people=told)
    made = group_twin(people_of(rng), choices=Choices(covariates=("age",)), about=about)
    assert (made.table["n_participants"] == 5).all()
    assert (made.table["n_decoded"] == 5).all()
    assert (made.extras["regions"]["n_participants"] == 5).all()


def test_what_the_twin_cannot_have_is_said(rng):
    made = run(people_of(rng), tests=("sign-flip", "mixed", "prevalence"))
    assert [text.split(" was ")[0] for text in made.meta["warnings"]] == [
        "The mixed model",
        "Prevalence",
    ]
    assert made.meta["tests"] == ["sign-flip"]


def test_results_of_earlier_versions_are_refused_or_lack_exchanges(rng):
    people = people_of(rng)
    old = people["03"].table.drop(columns="is_decoded")
    with pytest.raises(ShapeError, match=r"sub-03 lacks.*is_decoded.*--analysis twin"):
        run(people | {"03": replace(people["03"], table=old)})
    others = {label: one for label, one in people.items() if label != "03"}
    expected = run(others).table
    made = run(people | {"03": replace(people["03"], meta={})})
    np.testing.assert_allclose(made.table["p_conditions"], expected["p_conditions"])
    assert "The twin of sub-03 was made by an earlier version" in made.meta["warnings"][0]
    assert len(made.meta["warnings"]) == 1
    sides = people["03"].meta["sides"] | {"a vs b": [["a"], ["z"]]}
    other = run(people | {"03": replace(people["03"], meta={"sides": sides})})
    np.testing.assert_allclose(other.table["p_conditions"], expected["p_conditions"])
    assert (other.table["missing_comparisons"] == "03").all()
    none = run({label: replace(one, meta={}) for label, one in people.items()}).table
    assert none["p_conditions"].isna().all()
    assert not none["is_named"].any()


def test_rows_that_do_not_stand_together_keep_their_order(rng):
    """A layer that only the second participant has comes last; its region comes first."""
    people = people_of(rng, 5)
    one = people["01"]
    short = one.table[~((one.table["region"] == "V1") & (one.table["layer"] == "conv2"))]
    made = run(people | {"01": replace(one, table=short)}).table
    whole = run(people).table
    key = ["region", "layer", "snr"]
    assert made["region"].tolist() == ["V1"] * 4 + ["noise"] * 6 + ["V1"] * 2
    both = made.merge(whole, on=key, suffixes=("", "_whole"))
    np.testing.assert_allclose(both["p_conditions"], both["p_conditions_whole"])
    same = both[(both["region"] == "noise") | (both["layer"] != "conv2")]
    np.testing.assert_allclose(same["rho"], same["rho_whole"])
    noise = both[both["region"] == "noise"]
    np.testing.assert_allclose(noise["p_participants"], noise["p_participants_whole"])
