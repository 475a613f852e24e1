"""group.searchlight: means, clusters and p by place; what hinders them is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from bids_dnn.containers.mesh import Mesh
from bids_dnn.containers.space import Surface
from bids_dnn.group.choices import Choices
from bids_dnn.group.lights import part_of
from bids_dnn.group.maps import alike_of
from bids_dnn.group.people import ALONE
from bids_dnn.group.prevalence_maps import map_prevalence
from bids_dnn.group.searchlight import CLUSTERS
from bids_dnn.group.searchlight import average_searchlights as run
from bids_dnn.group.tests import About
from bids_dnn.group.tfce import enhancement_of, tfce_p
from bids_dnn.stats.designs import Design
from bids_dnn.stats.participants import compare_with_zero
from tests.factories.searchlights import AFFINE, COMPARISONS, SHAPE, blob_of, make_group

FIRST, SECOND = "facevshouse", "bodyvstool"
DIFFERENCE = f"comparison: {COMPARISONS[0]} > {COMPARISONS[1]}"
QUICK = Choices(p_unit=0.01, n_maps=499, correct="none")


def by_stat(made, stat, model=FIRST):
    (found,) = [one for one in made.maps if (one.stat, one.model) == (stat, model)]
    return found.values


@pytest.fixture(scope="module")
def group():
    results, chance = make_group()
    about = About(expected=[*results, "99"])
    return results, chance, run(results, chance, choices=QUICK, about=about)


def test_maps_are_means_and_counts_of_each_place(group):
    results, _, made = group
    for i in (0, 5, 40, 200, len(made.space) - 1):
        place = made.space.index[i]
        own = [
            (one.maps[0].values[at][0], one.maps[1].values[at][0])
            for one in results.values()
            if (at := np.flatnonzero(one.space.index == place)).size
        ]
        scores, p = np.array(own, dtype=float).T
        assert by_stat(made, "accuracy")[i] == pytest.approx(scores.mean())
        assert by_stat(made, "nparticipants")[i] == len(scores)
        assert by_stat(made, "overlap")[i] == (p < 0.05).sum()
        flips = compare_with_zero((scores - 0.5)[None])
        assert by_stat(made, "p")[i] == pytest.approx(flips.p[0])


def test_the_blob_is_a_cluster_and_the_other_comparison_has_none(group):
    _, _, made = group
    clusters = made.extras["clusters"]
    assert list(clusters) == list(CLUSTERS)
    found = clusters[clusters["p_fwe"] < 0.05]
    assert found["comparison"].tolist() == [COMPARISONS[0]]
    first = found.iloc[0]
    blob, labels = blob_of(made.space), by_stat(made, "cluster")
    is_there = np.isfinite(labels)
    assert (labels[blob & is_there] == 1).mean() > 0.9
    assert first["n_units"] == (labels == 1).sum()
    peak = int(first["peak_unit"])
    assert labels[peak] == 1
    mean = by_stat(made, "accuracy")
    assert first["peak_score"] == pytest.approx(np.nanmax(mean[labels == 1]), rel=1e-6)
    ijk = np.unravel_index(made.space.index[peak], SHAPE)
    place = first[["peak_x_mm", "peak_y_mm", "peak_z_mm"]].to_numpy(dtype=float)
    np.testing.assert_allclose(place, (AFFINE @ [*ijk, 1])[:3])
    row = made.table.iloc[0]
    assert row["n_significant"] == 1
    assert made.table["n_significant"].tolist()[1] == 0
    assert row["missing"] == "99"
    assert row["n_common"] == is_there.sum() < row["n_units"] == len(made.space)
    assert row["highest"] == pytest.approx(mean[int(row["highest_unit"])])


def test_clusters_touch_and_lie_on_units_that_all_have(group):
    results, _, made = group
    labels = by_stat(made, "cluster")
    volume = np.zeros(SHAPE)
    volume.ravel()[made.space.index] = np.nan_to_num(labels)
    for number in np.unique(labels[labels > 0]):
        assert ndimage.label(volume == number)[1] == 1
    common = by_stat(made, "nparticipants") == len(results)
    np.testing.assert_array_equal(np.isfinite(labels), common)
    np.testing.assert_array_equal(np.isfinite(by_stat(made, "pchance")), common)


def test_the_same_seed_gives_the_same(group):
    results, chance, made = group
    about = About(expected=[*results, "99"])
    again = run(results, chance, choices=QUICK, about=about)
    for one, two in zip(made.maps, again.maps, strict=True):
        np.testing.assert_array_equal(one.values, two.values)
    assert made.extras["clusters"].equals(again.extras["clusters"])
    other = run(results, chance, choices=replace(QUICK, seed=1))
    assert (by_stat(made, "pchance") != by_stat(other, "pchance")).any()


def test_long_parts_say_how_far_they_are(group):
    results, chance, made = group
    said = {}

    def watch(noun):
        return lambda done, total: said.setdefault(noun, []).append((done, total))

    told = replace(QUICK, tests=("sign-flip", "prevalence"), contrasts=(DIFFERENCE,))
    again = run(results, chance, choices=told, about=About(expected=[*results, "99"]), watch=watch)
    np.testing.assert_array_equal(by_stat(made, "p"), by_stat(again, "p"))
    assert {noun for noun in said if FIRST in noun} == {
        f"units of {FIRST} under flips",
        f"units of {FIRST} among chance maps",
        f"units of {FIRST} for the prevalence",
        f"units of {again.extras['contrasts']['map'][0]} under flips",
        f"flips of {again.extras['contrasts']['map'][0]} for clusters",
    }
    for ticks in said.values():
        done, total = np.array(ticks).T
        assert (np.diff(done) > 0).all()
        assert len(set(total)) == 1
        assert done[-1] <= total[-1]
    said.clear()
    run(results, {}, choices=replace(QUICK, correct="tfce", n_flips=16), watch=watch)
    assert said[f"flips of {FIRST}"] == [(16, 16)]


def test_one_participant_is_described_only():
    made = run(*make_group(1), choices=QUICK)
    assert {one.stat for one in made.maps} == {"accuracy", "nparticipants", "overlap"}
    assert made.meta["warnings"][0] == ALONE
    assert made.table["n_clusters"].tolist() == [-1, -1]
    assert made.extras["clusters"].empty
    assert list(made.extras["clusters"]) == list(CLUSTERS)


@pytest.mark.parametrize(
    ("n", "n_maps", "left", "said"),
    [
        (2, 5, (), "combined in 36 ways, so that no p can be as low as 0.01"),
        (3, 20, ("02",), "sub-02 left no maps under exchanged labels"),
    ],
)
def test_too_few_exchanged_maps_leave_means(n, n_maps, left, said):
    results, chance = make_group(n, n_maps=n_maps)
    for label in left:
        del chance[label]
    made = run(results, chance, choices=QUICK)
    assert {one.stat for one in made.maps} == {"accuracy", "p", "nparticipants", "overlap"}
    assert [said in text for text in made.meta["warnings"]] == [True, True]
    assert np.isfinite(made.table["highest"]).all()


def test_few_exchanged_maps_are_warned_of():
    made = run(*make_group(3, n_maps=20), choices=QUICK)
    assert "a participant left 20 maps" in made.meta["warnings"][0]
    assert (made.table["n_clusters"] >= 0).all()


def strip(n):
    """Return a strip of triangles along n vertices."""
    vertices = np.array([[i, i % 2, 0.0] for i in range(n)])
    faces = np.array([[i, i + 1, i + 2] for i in range(n - 2)])
    return Mesh(vertices, faces)


def test_vertices_have_clusters_where_there_is_a_mesh():
    space = Surface("fsaverage5", (60, 50), np.arange(5, 100, dtype=np.int64))
    results, chance = make_group(4, space=space)
    bare = run(results, chance, choices=QUICK)
    assert "no mesh of it" in bare.meta["warnings"][0]
    assert not [one for one in bare.maps if one.stat == "cluster"]
    assert np.isfinite(by_stat(bare, "pchance")).any()
    made = run(results, chance, choices=QUICK, meshes={"L": strip(60), "R": strip(50)})
    np.testing.assert_array_equal(by_stat(bare, "pchance"), by_stat(made, "pchance"))
    first = made.extras["clusters"].iloc[0]
    assert first["p_fwe"] == 1 / 500
    peak = made.space.at(made.space.index[[int(first["peak_unit"])]])
    side = "L" if peak.in_hemisphere("L")[0] else "R"
    assert first["peak_x_mm"] == peak.vertices(side)[0]


def test_covariates_enter_flips_and_that_is_said():
    results, chance = make_group(6)
    people = {name: {"age": str(20 + i**2)} for i, name in enumerate(results)}
    choices = replace(QUICK, covariates=("age",), contrasts=("comparison: a vs b > c vs d",))
    made = run(results, chance, choices=choices, about=About(people=people))
    plain = run(results, chance, choices=QUICK)
    assert (by_stat(made, "p") != by_stat(plain, "p")).any()
    np.testing.assert_array_equal(by_stat(made, "pchance"), by_stat(plain, "pchance"))
    assert "Covariates enter" in made.meta["warnings"][0]
    assert "no searchlight of 'a vs b' and 'c vs d'" in made.meta["warnings"][1]


def test_accuracy_above_chance_is_enhanced_in_voxels():
    results, chance = make_group(5)
    choices = replace(QUICK, correct="tfce", n_flips=49)
    made = run(results, chance, choices=choices)
    alike = alike_of(results)
    values = alike.values(["accuracy"], FIRST) - 0.5
    how = enhancement_of(alike.space)
    expected = tfce_p(values, how, design=Design(5), n_flips=49, seed=0)
    np.testing.assert_allclose(by_stat(made, "ptfce"), expected, rtol=1e-6)
    assert np.nanmin(by_stat(made, "ptfce")) < 0.2


def test_prevalence_is_bounded_in_the_blob():
    results, chance = make_group(6, lift=0.3)
    choices = replace(QUICK, tests=("sign-flip", "prevalence"))
    made = run(results, chance, choices=choices)
    bound, p = by_stat(made, "prevalencebound"), by_stat(made, "pglobal")
    common = by_stat(made, "nparticipants") == len(results)
    np.testing.assert_array_equal(np.isfinite(bound), common)
    blob = blob_of(made.space) & common
    assert (bound[blob] > 0.3).mean() > 0.9
    assert (bound[~blob & common] > 0).mean() < 0.05
    assert ((bound > 0) == (p < 0.05))[common].all()
    part = part_of(alike_of(results), chance, COMPARISONS[0], FIRST)
    expected = map_prevalence(part.null)
    np.testing.assert_allclose(bound[part.common], expected.bound_corrected, rtol=1e-6)
    row = made.table.iloc[0]
    assert row["prevalence_highest"] == pytest.approx(np.nanmax(bound), rel=1e-6)
    assert (
        row["prevalence_largest"] == expected.largest_corrected > row["prevalence_highest"] - 1e-9
    )
    bare = run(results, {}, choices=choices)
    assert np.isnan(bare.table["prevalence_highest"]).all()
    assert "prevalencebound" not in {one.stat for one in bare.maps}


@pytest.mark.parametrize("odd", ["01", "03"])
def test_participants_elsewhere_are_left_out_and_named(odd):
    results, chance = make_group(4)
    space = results[odd].space
    results[odd] = replace(results[odd], space=replace(space, affine=space.affine + np.eye(4)))
    made = run(results, chance, choices=QUICK)
    assert f"sub-{odd} lie on other places than those of most" in made.meta["warnings"][0]
    assert made.table["missing"].tolist() == [odd, odd]
    assert by_stat(made, "nparticipants").max() == 3
