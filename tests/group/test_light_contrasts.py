"""group.light_contrasts: differences of maps by place, against scipy and nilearn; false alarms."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from nilearn.mass_univariate import permuted_ols
from scipy import ndimage, stats
from scipy.stats import binom

from bids_dnn.errors import ConfigError, NotEnoughDataError
from bids_dnn.group.choices import Choices
from bids_dnn.group.flip_clusters import flip_clusters, ground_of
from bids_dnn.group.light_contrasts import CLUSTERS, COLUMNS, contrast_maps
from bids_dnn.group.lights import Part
from bids_dnn.group.searchlight import average_searchlights
from bids_dnn.group.tests import About
from bids_dnn.group.tfce import enhancement_of
from bids_dnn.stats.designs import Design
from tests.factories.searchlights import COMPARISONS, SHAPE, blob_of, make_grid, make_group

SPACE = make_grid()
HOW, GROUND = enhancement_of(SPACE), ground_of(SPACE, None)
WITHIN = f"comparison: {COMPARISONS[0]} > {COMPARISONS[1]}"
BETWEEN = "group: patient > control"
QUICK = Choices(p_unit=0.01, n_maps=199, correct="none", contrasts=(WITHIN,))


def people_of(labels, n_first):
    return {
        label: {"group": "patient" if k < n_first else "control", "age": str(20 + k * k % 7)}
        for k, label in enumerate(labels)
    }


def part_of(rng, labels, *, comparison=COMPARISONS[0], lift=0.0, base=0.5, metrics=("accuracy",)):
    """Smooth scores (n_units, n) of one comparison; `lift` is of each participant, in the blob."""
    n = len(labels)
    noise = ndimage.gaussian_filter(rng.normal(size=(n, *SHAPE)), (0, 1, 1, 1))
    values = (base + 0.1 * noise / noise.std()).reshape(n, -1)[:, SPACE.index].T
    values[blob_of(SPACE)] += lift
    return Part(
        comparison=comparison, model=comparison.replace(" ", ""), stat="accuracy",
        labels=tuple(labels), values=values, p=None, common=np.arange(len(SPACE)),
        chance=(None,) * n, base=np.full(n, base), n_classes=(2,) * n, items=("",) * n,
        metrics=metrics,
    )  # fmt: skip


def by_stat(made, stat, row=0):
    label = made.table["map"].iloc[row]
    (found,) = [one for one in made.maps if (one.stat, one.model) == (stat, label)]
    return found.values


def labels_of(n):
    return [f"{k + 1:02d}" for k in range(n)]


def run(parts, *, how=None, ground=None, people=None, expected=(), **told):
    choices = replace(QUICK, **told)
    about = About(expected=expected, people=people or {})
    return contrast_maps(parts, how=how, ground=ground, choices=choices, about=about)


def test_paired_differences_are_those_of_scipy(rng):
    labels = labels_of(8)
    first = part_of(rng, labels, base=0.25)
    second = part_of(rng, labels[1:], comparison=COMPARISONS[1])
    made = run([first, second], expected=("99",), correct="none")
    above = (first.values - 0.25)[:, 1:] - (second.values - 0.5)
    np.testing.assert_allclose(
        by_stat(made, "difference"), above.mean(axis=1), rtol=1e-5, atol=1e-7
    )
    for k in (0, 50, 200):
        expected = stats.permutation_test(
            (above[k],), lambda x, axis: x.mean(axis=axis), permutation_type="samples",
            alternative="greater", n_resamples=10_000,
        ).pvalue  # fmt: skip
        assert by_stat(made, "p")[k] == pytest.approx(expected, rel=1e-5)
    row = made.table.iloc[0]
    assert list(made.table) == list(COLUMNS)
    assert row["n_participants"] == 7
    assert row["missing"] == "01, 99"
    assert row["p_floor"] == 1 / 2**7
    assert row["highest"] == pytest.approx(above.mean(axis=1).max(), rel=1e-6)
    assert by_stat(made, "difference")[row["highest_unit"]] == pytest.approx(row["highest"])
    assert (by_stat(made, "nparticipants") == 7).all()


def test_groups_are_compared_as_by_scipy_in_each_comparison(rng):
    labels = labels_of(7)
    people = people_of(labels, 3) | {"08": {"group": "relative", "age": "40"}}
    parts = [part_of(rng, [*labels, "08"], comparison=name) for name in COMPARISONS]
    made = run(parts, people=people, contrasts=("group: patient != control",), correct="max")
    assert made.table["comparison"].tolist() == list(COMPARISONS)
    assert made.table["n_first"].tolist() == [3, 3]
    assert made.table["missing"].tolist() == ["08", "08"]
    assert len(set(made.table["map"])) == 2
    for row, part in enumerate(parts):
        values = part.values[:, :7]
        expected = values[:, :3].mean(axis=1) - values[:, 3:].mean(axis=1)
        np.testing.assert_allclose(
            by_stat(made, "difference", row), expected, rtol=1e-4, atol=1e-6
        )
        found = stats.ttest_ind(values[:, :3], values[:, 3:], axis=1, equal_var=False)
        best = np.abs(found.statistic).argmax()
        assert by_stat(made, "pmax", row)[best] == by_stat(made, "pmax", row).min()
        with np.errstate(invalid="ignore"):
            null = stats.permutation_test(
                (values[:, :3], values[:, 3:]),
                lambda a, b, axis: stats.ttest_ind(a, b, axis=axis, equal_var=False).statistic,
                axis=1, n_resamples=10_000,
            ).null_distribution  # fmt: skip
        highest = np.abs(null).max(axis=1)
        share = (highest[:, None] >= np.abs(found.statistic) * (1 - 1e-9)).mean(axis=0)
        np.testing.assert_allclose(by_stat(made, "pmax", row), share, rtol=1e-5)


def test_groups_with_a_covariate_are_those_of_nilearn(rng):
    """Random exchanges: p over the map are near to permuted_ols, by the error of both."""
    labels, n_perm = labels_of(16), 2000
    people = people_of(labels, 8)
    lift = np.where(np.arange(16) < 8, 0.25, 0.0)
    part = part_of(rng, labels, lift=lift)
    made = run([part], people=people, contrasts=(BETWEEN,), covariates=("age",), correct="max")
    age = np.array([[float(people[x]["age"])] for x in labels])
    found = permuted_ols(
        (np.arange(16) < 8).astype(float)[:, None], part.values.T, confounding_vars=age,
        n_perm=n_perm, two_sided_test=False, random_state=0, output_type="dict",
    )  # fmt: skip
    theirs = 10.0 ** -found["logp_max_t"][0]
    p = by_stat(made, "pmax")
    error = 5 * np.sqrt(theirs * (1 - theirs) * (1 / n_perm + 1 / 10_000)) + 1 / n_perm
    assert (np.abs(p - theirs) <= error).all()
    blob = blob_of(SPACE)
    assert (p[blob] < 0.05).any()
    assert p[~blob].min() > p[blob].min()
    design = np.column_stack([np.arange(16) < 8, age, np.ones(16)]).astype(float)
    slopes = np.linalg.lstsq(design, part.values.T, rcond=None)[0][0]
    np.testing.assert_allclose(by_stat(made, "difference"), slopes, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("correct", ["fdr", "max", "tfce"])
@pytest.mark.parametrize("contrast", [WITHIN, BETWEEN])
def test_a_planted_difference_is_found_where_it_lies(rng, correct, contrast):
    labels = labels_of(14)
    lift = np.where(np.arange(14) < 7, 0.3, 0.0) if contrast == BETWEEN else np.full(14, 0.25)
    parts = [part_of(rng, labels, lift=lift), part_of(rng, labels, comparison=COMPARISONS[1])]
    how = HOW if correct == "tfce" else None
    made = run(
        parts, how=how, people=people_of(labels, 7), contrasts=(contrast,), correct=correct,
        n_flips=199,
    )  # fmt: skip
    p = by_stat(made, {"fdr": "q", "max": "pmax", "tfce": "ptfce"}[correct])
    blob = blob_of(SPACE)
    far = ndimage.distance_transform_edt(~_volume(blob)).ravel()[SPACE.index] > 3
    assert (p[blob] < 0.05).mean() > 0.5
    assert (p[far] < 0.05).mean() < 0.05
    row = made.table.iloc[0]
    assert blob[row["highest_unit"]]
    assert row["n_significant"] == (p < 0.05).sum()
    assert row["p_lowest"] == pytest.approx(p.min())


def test_clusters_of_contrasts_are_those_of_flips(rng):
    labels = labels_of(8)
    parts = [part_of(rng, labels, lift=0.3), part_of(rng, labels, comparison=COMPARISONS[1])]
    people = people_of(labels, 4)
    made = run(parts, ground=GROUND, people=people, contrasts=(WITHIN, BETWEEN), n_flips=300)
    table = made.clusters
    assert list(table) == list(CLUSTERS)
    assert made.table["n_clusters"].sum() == len(table)
    above = parts[0].values - parts[1].values
    design = Design(8, covariates=np.empty((8, 0)))
    expected = flip_clusters(above, GROUND, design=design, p_unit=0.01, n_flips=300, seed=0)
    own = table[table["contrast"] == WITHIN]
    assert own["p_fwe"].tolist() == expected.table["p_fwe"].tolist()
    np.testing.assert_array_equal(by_stat(made, "cluster"), expected.labels)
    assert own["p_fwe"].iloc[0] < 0.05
    assert blob_of(SPACE)[own["peak_unit"].iloc[0]]
    assert made.table["n_clusters_significant"][0] == (own["p_fwe"] < 0.05).sum()
    assert set(made.extras()) == {"contrasts", "contrastClusters"}
    bare = run(parts, people=people)
    assert bare.table["n_clusters"].tolist() == [-1]
    assert set(bare.extras()) == {"contrasts"}


def _volume(marked):
    volume = np.zeros(SHAPE, dtype=bool)
    volume.ravel()[SPACE.index[marked]] = True
    return volume


@pytest.mark.parametrize("contrast", [WITHIN, "group: patient != control"])
def test_false_alarms_stay_at_their_level_where_both_sides_have_the_same_effect(contrast):
    """Both comparisons (or groups) are above chance in the blob, alike."""
    n, level, alarms = 100, 0.2, 0
    labels = labels_of(8)
    for k in range(n):
        rng = np.random.default_rng([7, k])
        parts = [part_of(rng, labels, comparison=name, lift=0.3) for name in COMPARISONS[:2]]
        parts = parts if contrast == WITHIN else parts[:1]
        made = run(parts, people=people_of(labels, 4), contrasts=(contrast,), correct="max")
        alarms += made.table["p_lowest"].iloc[0] <= level
    assert binom.ppf(1e-4, n, level) <= alarms <= binom.isf(1e-4, n, level)


def test_enhanced_contrasts_need_enough_participants_for_covariates(rng):
    labels = labels_of(5)
    people = {x: {f"z{i}": str(k**i) for i in (1, 2, 3, 4)} for k, x in enumerate(labels)}
    parts = [part_of(rng, labels, comparison=name) for name in COMPARISONS]
    told = {"people": people, "how": HOW, "correct": "tfce", "n_flips": 19}
    assert "ptfce" in {one.stat for one in run(parts, **told, covariates=("z1", "z2")).maps}
    many = run(parts, **told, covariates=("z1", "z2", "z3", "z4"))
    assert "pmax" in {one.stat for one in many.maps}


@pytest.mark.parametrize(
    ("contrast", "labels", "said"),
    [
        ("comparison: face vs house > cat vs dog", ("01", "02"), "no searchlight of 'cat vs dog'"),
        (WITHIN, ("07", "08"), "0 participant.s. have both"),
        (
            "group: relative > control",
            ("01", "02"),
            "fewer than two participants in face vs house",
        ),
    ],
)
def test_what_cannot_be_compared_is_said(rng, contrast, labels, said):
    own = labels_of(6)
    people = people_of(own, 3) | {"06": {"group": "relative", "age": "3"}}
    parts = [part_of(rng, own), part_of(rng, labels, comparison=COMPARISONS[1])]
    made = run(parts, people=people, contrasts=(contrast,))
    assert made.maps == ()
    assert made.extras() == {}
    assert len(made.warnings) == 1
    assert re.search(said, made.warnings[0])


def test_accuracies_are_not_compared_with_correlations(rng):
    labels = labels_of(4)
    odd = part_of(rng, labels, comparison=COMPARISONS[1], base=0.0, metrics=("spearman",))
    made = run([part_of(rng, labels), odd])
    assert "do not compare" in made.warnings[0]


def test_what_does_not_exist_is_refused(rng):
    labels = labels_of(6)
    part, people = part_of(rng, labels), people_of(labels, 3)
    with pytest.raises(ConfigError, match=r"'groups'.*'group'"):
        run([part], people=people, contrasts=("groups: patient > control",))
    people = {k: v | {"sick": str(int(v["group"] == "patient"))} for k, v in people.items()}
    with pytest.raises(NotEnoughDataError, match="tell the two groups apart"):
        run([part], people=people, contrasts=(BETWEEN,), covariates=("sick",))


def test_contrasts_of_regions_are_left_to_tables(rng):
    made = run([part_of(rng, labels_of(4))], contrasts=("region: V1 > V2",))
    assert (made.maps, made.warnings, made.extras()) == ((), (), {})


def test_a_group_of_searchlights_has_its_contrasts():
    results, chance = make_group(6)
    choices = replace(QUICK, contrasts=(WITHIN, BETWEEN), correct="max")
    about = About(expected=[*results], people=people_of([*results], 3))
    made = average_searchlights(results, chance, choices=choices, about=about)
    table = made.extras["contrasts"]
    assert table["contrast"].tolist() == [WITHIN, BETWEEN, BETWEEN]
    plain = average_searchlights(results, chance, choices=replace(choices, contrasts=()))
    assert "contrasts" not in plain.extras
    assert len(made.maps) == len(plain.maps) + 3 * 4
    for one, two in zip(plain.maps, made.maps, strict=False):
        np.testing.assert_array_equal(one.values, two.values)
    label = table["map"].iloc[0]
    found = {one.stat: one.values for one in made.maps if one.model == label}
    means = [one.values for one in made.maps if one.stat == "accuracy"]
    both = found["nparticipants"] == 6
    np.testing.assert_allclose(found["difference"][both], (means[0] - means[1])[both], atol=1e-6)
