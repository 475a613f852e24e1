"""group.twin_exchange: exchanges of conditions that all participants share, and their level."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
import pytest
from scipy import stats

from bids_dnn.errors import ShapeError
from bids_dnn.group.choices import Choices
from bids_dnn.group.tests import About
from bids_dnn.group.twin import group_twin
from bids_dnn.group.twin_exchange import _owns
from bids_dnn.stats.orders import N_RANDOM
from tests.factories.twins import PAIRS, SIX, make_people, nets_of, on_a_line, people_of, run_group

N = 60
MOST = stats.binom.ppf(1 - 1e-4, N, 0.05)


def test_p_of_conditions_is_that_of_all_their_exchanges(rng):
    """Four conditions have 24 orders: each brain's scores move with the names, nets stay."""
    nets = nets_of(rng, PAIRS)
    brains = np.stack([on_a_line(rng, PAIRS) for _ in range(3)])
    made = run_group(make_people({"V1": brains}, nets)).table
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


def test_progress_is_told_region_by_region(rng):
    seen = []

    def watch(what):
        return lambda k, n: seen.append((what, k, n))

    people = people_of(rng, 3)
    group_twin(people, choices=Choices(), about=About(), watch=watch)
    assert seen == [("regions under exchanges", k, 2) for k in (1, 2)]


def test_bounds_are_how_participants_agree(rng):
    brains = on_a_line(rng, SIX) + 0.1 * rng.normal(size=(5, 15))
    made = run_group(make_people({"V1": brains}, nets_of(rng, SIX), names=SIX)).table.iloc[0]
    ranks = stats.zscore(stats.rankdata(brains, axis=1), axis=1)
    others = [np.corrcoef(ranks[k], np.delete(ranks, k, axis=0).sum(0))[0, 1] for k in range(5)]
    every = [np.corrcoef(one, ranks.sum(0))[0, 1] for one in ranks]
    assert (made["lower"], made["upper"]) == pytest.approx((np.mean(others), np.mean(every)))


def test_who_lacks_comparisons_is_told_and_counts_with_the_others(rng):
    people = people_of(rng, 4)
    gone = people["02"].extras["regions"]
    kept = gone[~gone["comparison"].str.contains("f")]
    short = replace(people["02"], extras=people["02"].extras | {"regions": kept})
    made = run_group(people | {"02": short})
    assert (made.table["n_comparisons"] == 15).all()
    assert (made.table["missing_comparisons"] == "02").all()
    assert made.meta["warnings"][-1] == (
        "Twin: sub-02 lacks comparisons of V1, noise that most have (of these conditions), so "
        "that p_conditions and the bounds are without it."
    )
    others = {label: one for label, one in people.items() if label != "02"}
    for name in ("p_conditions", "lower", "upper"):
        np.testing.assert_allclose(made.table[name], run_group(others).table[name])
    assert (made.table["n_participants"] == 4).all()  # of rho, over those that each one has
    assert made.extras["regions"]["n_participants"].tolist() == [
        3 if "f" in name else 4 for name in [*SIX, *SIX]
    ]


def test_a_layer_that_one_participant_lacks_is_tested_in_the_others(rng):
    people = people_of(rng, 6)
    alone = run_group({label: one for label, one in people.items() if label != "01"}).table
    for change in ("absent", "flat"):
        one = people["01"]
        net, own = one.extras["network"], one.table.copy()
        is_it = (net["layer"] == "conv1") & np.isinf(net["snr"])
        if change == "flat":
            net = net.assign(score=net["score"].where(~is_it, 1.0))
        else:
            net = net[~is_it]
        own.loc[(own["layer"] == "conv1") & np.isinf(own["snr"]), "rho"] = np.nan
        short = replace(one, table=own, extras=one.extras | {"network": net})
        made = run_group(people | {"01": short}).table
        row, other = (t.query("region == 'V1' and best").iloc[0] for t in (made, alone))
        assert (row["layer"], row["snr"], row["n_participants"]) == ("conv1", np.inf, 5)
        assert row["is_named"]
        assert row["p_participants"] == other["p_participants"]
        assert row["p_conditions"] == pytest.approx(other["p_conditions"], abs=0.02)


def test_ties_across_chance_levels_are_ties_with_nine_digits(rng):
    """2/3 at a chance of 1/3 and 0.75 at 0.5 are one share; tables keep nine digits of each."""
    names = ("a vs b", "a vs c", "b vs c", "a vs d", "b vs d", "c vs d")
    made = []
    for digits in (9, 16):
        scores = np.array([2 / 3, 0.75, 0.6, 0.9, 0.55, 0.8]).round(digits)
        people = make_people({"V1": np.tile(scores, (3, 1))}, nets_of(rng, names), names=names)
        for label, one in people.items():
            told = one.extras["regions"]
            chance = [round(1 / 3, digits), 0.5, 0.5, 0.5, 0.5, 0.5]
            extras = one.extras | {"regions": told.assign(chance=chance)}
            people[label] = replace(one, extras=extras)
        rng = np.random.default_rng(0)
        own = next(iter(_owns(people["01"]).values()))
        made.append(own.brain.to_numpy())
    assert made[0][0] == made[0][1]
    assert made[0].tolist() == made[1].tolist()


def test_random_exchanges_count_themselves(rng):
    """Eight conditions have more orders than are taken: no p is zero."""
    names = tuple(f"{a} vs {b}" for a, b in combinations("abcdefgh", 2))
    place = rng.normal(size=8)
    net = np.array(
        [abs(place["abcdefgh".index(x[0])] - place["abcdefgh".index(x[-1])]) for x in names]
    )
    nets = {("conv1", np.inf): 0.5 + 0.4 * np.tanh(net)}
    brains = nets["conv1", np.inf] + 0.001 * rng.normal(size=(5, 28))
    made = run_group(make_people({"V1": brains}, nets, names=names)).table.iloc[0]
    assert made["p_conditions"] == made["p_conditions_floor"] == 1 / (N_RANDOM + 1)


def test_most_is_more_than_half_and_flat_brains_have_no_part(rng):
    people = people_of(rng, 5)
    only = {}
    for label, one in people.items():  # two of five lack what has an f; 05 is flat
        told = one.extras["regions"]
        if label in ("01", "02", "03"):
            told = told[~told["comparison"].str.contains("f")]
        if label == "05":
            told = told.assign(score=0.5)
            own = one.table.assign(rho=np.nan)
            one = replace(one, table=own)
        only[label] = replace(one, extras=one.extras | {"regions": told})
    made = run_group(only).table
    assert (made["n_comparisons"] == 10).all()
    assert (made["missing_comparisons"] == "").all()
    assert made["p_conditions"].notna().all()
    assert (made["n_participants"] == 4).all()
    without = run_group({label: one for label, one in only.items() if label != "05"}).table
    np.testing.assert_allclose(made["p_conditions"], without["p_conditions"])


def test_results_of_earlier_versions_are_refused_or_lack_exchanges(rng):
    people = people_of(rng)
    old = people["03"].table.drop(columns="is_decoded")
    with pytest.raises(ShapeError, match=r"sub-03 lacks.*is_decoded.*--analysis twin"):
        run_group(people | {"03": replace(people["03"], table=old)})
    others = {label: one for label, one in people.items() if label != "03"}
    expected = run_group(others).table
    made = run_group(people | {"03": replace(people["03"], meta={})})
    np.testing.assert_allclose(made.table["p_conditions"], expected["p_conditions"])
    assert "The twin of sub-03 was made by an earlier version" in made.meta["warnings"][0]
    assert len(made.meta["warnings"]) == 1
    sides = people["03"].meta["sides"] | {"a vs b": [["a"], ["z"]]}
    other = run_group(people | {"03": replace(people["03"], meta={"sides": sides})})
    np.testing.assert_allclose(other.table["p_conditions"], expected["p_conditions"])
    assert (made.table["missing_comparisons"] == "03").all()
    assert (other.table["missing_comparisons"] == "03").all()
    changed = {name: [["y"], ["z"]] for name in people["03"].meta["sides"]}
    every = run_group(people | {"03": replace(people["03"], meta={"sides": changed})})
    assert (every.table["missing_comparisons"] == "03").all()
    assert "sub-03 lacks comparisons of V1, noise" in every.meta["warnings"][0]
    none = run_group({label: replace(one, meta={}) for label, one in people.items()}).table
    assert none["p_conditions"].isna().all()
    assert not none["is_named"].any()


@pytest.mark.slow
def test_an_accident_of_the_conditions_names_no_layer():
    """All brains share a pattern that no layer has: signs flip to one side, conditions do not."""
    rng = np.random.default_rng(3)
    counts = np.zeros(2, int)
    for _ in range(N):
        shared = on_a_line(rng, SIX)
        brains = np.clip(shared + 0.02 * rng.normal(size=(6, 15)), 0, 1)
        made = run_group(make_people({"V1": brains}, nets_of(rng, SIX), names=SIX)).table
        counts += made["is_named"].any(), (made["p_participants"] <= 0.05).any()
    assert counts[0] <= MOST
    assert counts[1] > 2 * MOST  # flipped signs alone would name one far too often


@pytest.mark.slow
def test_noise_names_no_layer_by_either_p():
    rng = np.random.default_rng(4)
    counts = np.zeros(2, int)
    for _ in range(N):
        brains = rng.binomial(80, 0.5, size=(6, 15)) / 80
        made = run_group(make_people({"V1": brains}, nets_of(rng, SIX), names=SIX)).table
        counts += [(made[name] <= 0.05).any() for name in ("p_participants", "p_conditions")]
    assert (counts <= MOST).all()
    assert (counts > 0).all()
