"""group.hindrances: exchanges of items that all share, levels of chance that differ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from bids_dnn.containers.nulls import NullMap
from bids_dnn.containers.result import StatMap
from bids_dnn.group.choices import Choices
from bids_dnn.group.hindrances import differences, hindrance, is_coarse, weaknesses
from bids_dnn.group.lights import part_of
from bids_dnn.group.maps import alike_of
from bids_dnn.group.searchlight import average_searchlights
from tests.factories.searchlights import make_group

NAME, MODEL = "net conv1", "net+conv1"
QUICK = Choices(p_unit=0.02, n_maps=99, correct="max")


def make_rsa(n=4, *, n_maps=99, lift=0.0, seed=0):
    """Return searchlights of dissimilarities whose chance maps all participants share."""
    results, chance = make_group(n, n_maps=1, comparisons=(NAME,), seed=seed)
    rng = np.random.default_rng(seed)
    shared = 0.1 * rng.normal(size=(n_maps + 1, next(iter(results.values())).space.n_places))
    for label, one in results.items():
        own = shared[:, one.space.index]
        own = (own + 0.02 * rng.normal(size=own.shape)).astype(np.float32)
        own[0] += lift
        maps = (
            StatMap("spearman", own[0], MODEL, "Correlation."),
            replace(one.maps[1], model=MODEL),
        )
        table = one.table.assign(
            metric="spearman", chance=0.0, n_classes=0, n_samples=30, map=MODEL, n_maps=n_maps
        )
        results[label] = replace(one, maps=maps, table=table)
        chance[label] = {MODEL: NullMap(own[1:])}
    return results, chance


def part_from(results, chance, comparison=NAME, model=MODEL):
    return part_of(alike_of(results), chance, comparison, model)


def by_stat(made, stat):
    (found,) = [one.values for one in made.maps if one.stat == stat]
    return found


def test_chance_maps_of_shared_exchanges_are_their_means_row_by_row():
    results, chance = make_rsa()
    made = average_searchlights(results, chance, choices=QUICK)
    part = part_from(results, chance)
    own = np.mean([one.scores for one in part.null], axis=0, dtype=float)
    null = np.mean([one.null for one in part.null], axis=0, dtype=float)
    expected = (1 + (null >= own - 1e-6).sum(axis=0)) / 100
    np.testing.assert_allclose(by_stat(made, "pchance")[part.common], expected, rtol=1e-6)
    assert (made.table["n_clusters"] >= 0).all()
    assert made.meta["warnings"] == []
    (flipped,) = [one for one in made.maps if one.stat == "pmax"]
    assert "not over other stimuli" in flipped.description


def test_p_of_items_that_all_saw_keep_their_level():
    """Drawn apart in each participant, a quarter of p would be at most 0.05."""
    results, chance = make_rsa(6, seed=5)
    made = average_searchlights(results, chance, choices=QUICK)
    p = by_stat(made, "pchance")
    p = p[np.isfinite(p)]
    assert (p <= 0.05).sum() <= binom.isf(1e-4, len(p), 0.05)


def test_few_shared_exchanges_give_p_but_no_clusters():
    results, chance = make_rsa(n_maps=20, lift=1.0)
    made = average_searchlights(results, chance, choices=QUICK)
    assert np.nanmin(by_stat(made, "pchance")) == pytest.approx(1 / 21)
    assert made.table["n_clusters"].tolist() == [-1]
    assert "cluster" not in {one.stat for one in made.maps}
    (said,) = made.meta["warnings"]
    assert "share 20 exchanges of items" in said
    assert "Type n_maps = 49 or more under [searchlight]" in said
    part = part_from(results, chance)
    assert is_coarse(part, QUICK)
    assert not is_coarse(part, replace(QUICK, p_unit=1 / 21))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one, null: (one, {MODEL: NullMap(null.values[:90])}), "left 90 and 99 exchanged"),
        (
            lambda one, null: (
                replace(one, table=one.table.assign(n_samples=24)),
                {MODEL: null},
            ),
            "differ in items",
        ),
        (
            lambda one, null: (replace(one, meta={"rsa_exchanges": "b"}), {MODEL: null}),
            "differ in items, or in how these were exchanged",
        ),
    ],
)
def test_exchanges_that_are_not_shared_are_refused(change, said):
    results, chance = make_rsa()
    results["02"], chance["02"] = change(results["02"], chance["02"][MODEL])
    assert said in hindrance(part_from(results, chance), QUICK)
    made = average_searchlights(results, chance, choices=QUICK)
    assert said in made.meta["warnings"][0]
    assert "pchance" not in {one.stat for one in made.maps}


def test_items_that_all_saw_have_no_prevalence():
    choices = replace(QUICK, tests=("sign-flip", "prevalence"))
    made = average_searchlights(*make_rsa(), choices=choices)
    assert "prevalencebound" not in {one.stat for one in made.maps}
    assert "no prevalence" in made.meta["warnings"][0]
    assert np.isnan(made.table["prevalence_highest"]).all()


def test_each_participants_own_chance_is_taken_off():
    """Half of them tell four conditions apart, where only a part of the brain was measured."""
    results, chance = make_group(12, lift=0.0, comparisons=("all",))
    for label in list(results)[1::2]:
        one, null = results[label], chance[label]["all"]
        keep = one.space.index % 2 == 0
        first = replace(one.maps[0], values=one.maps[0].values - np.float32(0.25))
        maps = [replace(m, values=m.values[keep]) for m in (first, one.maps[1])]
        table = one.table.assign(chance=0.25, n_classes=4)
        space = one.space.select(keep)
        results[label] = replace(one, maps=tuple(maps), table=table, space=space)
        counts = np.clip(null.values[:, keep].astype(int) - 10, 0, 40).astype(np.uint8)
        chance[label] = {"all": NullMap(counts, null.share)}
    made = average_searchlights(results, chance, choices=QUICK)
    apart = made.space.index % 2 == 1  # 8.7 % of the map were below 0.05 with the mean chance
    assert (by_stat(made, "pmax")[apart] < 0.05).mean() < 0.01
    assert made.table["chance"].tolist() == [0.375]
    assert made.table["n_classes"].tolist() == [4]
    part = part_from(results, chance, "all", "all")
    (said,) = differences(part)
    assert said in made.meta["warnings"]
    assert "0.5 of 2 sides in sub-01, sub-03" in said
    assert "0.25 of 4 sides in sub-02" in said
    (mean,) = [one for one in made.maps if one.stat == "accuracy"]
    assert "chance differs between participants" in mean.description
    assert weaknesses(part, QUICK) == []
