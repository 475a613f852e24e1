"""report.group_searchlight: what is said of clusters, and what stands in the table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bids_dnn.containers.space import Surface
from bids_dnn.group.choices import Choices
from bids_dnn.group.searchlight import average_searchlights
from bids_dnn.report import methods, scores
from bids_dnn.report.group_searchlight import (
    _chosen,
    _words,
    lights_text,
    searchlight_how,
    searchlight_pictures,
)
from bids_dnn.report.page import GroupReport, render_group
from bids_dnn.report.raster import make_brain
from bids_dnn.report.shown import Shown
from bids_dnn.report.slices import make_backdrop
from tests.factories.reports import make_surfaces
from tests.factories.searchlights import COMPARISONS, make_group

FIRST = "facevshouse"
QUICK = Choices(p_unit=0.01, n_maps=199)


@pytest.fixture(scope="module")
def shown():
    made = average_searchlights(*make_group(5), choices=QUICK)
    return Shown("searchlight", made, {}, "group/scores.tsv")


def test_clusters_are_counted_and_the_rarest_comes_first(shown):
    section = scores.sections(shown)
    clusters = shown.result.extras["clusters"]
    assert f"{COMPARISONS[0]}: 1 cluster (highest mean 0.7" in section.answer
    assert f"{COMPARISONS[1]}: 0 clusters" in section.answer
    table = section.tables[1]
    counts = section.tables[0]
    place = [label for label, _ in counts.heads].index("significant")
    assert [row[place].text for row in counts.rows] == ["1", "0"]
    heads = [label for label, _ in table.heads]
    assert len(table.rows) == len(clusters)
    p = [float(row[heads.index("p over the map")].order) for row in table.rows]
    assert p == sorted(p)
    assert p[0] == clusters["p_fwe"].min() <= 0.02
    assert "peak unit" not in heads
    assert "199 chance maps" in section.how
    assert "p = 0.01" in section.how
    (number,) = scores.numbers(shown)
    assert number.value.startswith("0.7")
    assert "1 cluster (p < 0.05 over the map)" in number.detail


def test_pictures_show_clusters_means_and_overlap(shown, undrawn):
    pictures = {one.name: one for one in scores.sections(shown).pictures}
    assert list(pictures) == [f"searchlight_{x}" for x in ("clusters", "maps", "overlap")]
    assert "p < 0.05 over the map" in pictures["searchlight_clusters"].caption
    assert "glass" in pictures["searchlight_clusters"].alt.casefold()
    assert "not corrected" in pictures["searchlight_overlap"].caption
    assert all(name in pictures["searchlight_maps"].alt for name in COMPARISONS)


def test_dissimilarities_are_drawn_apart_from_accuracies(shown, undrawn):
    table = shown.result.table.assign(metric=["accuracy", "spearman"])
    both = replace(shown, result=replace(shown.result, table=table))
    pictures = {one.name: one for one in searchlight_pictures(both)}
    assert {"searchlight_maps", "searchlight_rsa_maps"} <= set(pictures)
    assert "Mean accuracy above chance" in pictures["searchlight_maps"].caption
    assert "Mean Spearman's rho above chance" in pictures["searchlight_rsa_maps"].caption
    assert COMPARISONS[1] not in pictures["searchlight_maps"].alt
    assert COMPARISONS[0] not in pictures["searchlight_rsa_maps"].alt
    alone = replace(shown, result=replace(shown.result, table=table.assign(metric="spearman")))
    assert "searchlight_maps" in {one.name for one in searchlight_pictures(alone)}


def test_anatomy_lies_behind_slices_and_is_named(shown, drawn):
    space = shown.result.space
    head = make_backdrop((np.ones(space.shape), space.affine), space, "a head of wood")
    over = {one.name: one.caption for one in searchlight_pictures(replace(shown, backdrop=head))}
    names = [f"searchlight_{x}" for x in ("clusters", "clusters_slices", "maps", "overlap")]
    assert list(over) == names
    assert ["over a head of wood" in text for text in over.values()] == [False, True, True, True]
    bare = searchlight_pictures(shown)
    assert not any("of wood" in one.caption for one in bare)
    slices_over, slices_bare = drawn[2].axes[0].images, drawn[10].axes[0].images
    assert slices_over[0].get_array().max() == 1.0 != slices_bare[0].get_array().max()
    first = slices_over[1 : len(slices_over) // 2 : 2]  # of the comparison that has a cluster
    assert all(np.ma.compressed(one.get_array()).size for one in first)  # each goes through it
    other = replace(head, volume=head.volume[:-1])
    made = searchlight_pictures(replace(shown, backdrop=other))
    assert [one.caption for one in made] == [one.caption for one in bare]


def test_the_page_draws_maps_over_the_anatomy_that_it_is_given(shown, undrawn, tmp_path):
    space = shown.result.space
    data = GroupReport(
        {"searchlight": shown.result},
        {"group": {"tests": ["sign-flip"], "correct": "fdr"}, "searchlight": {"radius_mm": 9.0}},
        space=space.name,
        background=(np.ones(space.shape), space.affine),
        anatomy="a head of wood",
    )
    assert render_group(data, tmp_path).count("over a head of wood") == 3


def test_only_significant_clusters_are_drawn(shown):
    first, second = _chosen(shown, np.ones(len(shown.result.table), dtype=bool))
    clusters = shown.result.extras["clusters"]
    own = clusters[(clusters["comparison"] == COMPARISONS[0]) & (clusters["p_fwe"] < 0.05)]
    assert np.isfinite(first.clusters).sum() == own["n_units"].sum() > 10
    assert np.isnan(second.clusters).all()
    mean = next(m.values for m in shown.result.maps if (m.stat, m.model) == ("accuracy", FIRST))
    inside = np.isfinite(first.clusters)
    np.testing.assert_allclose(first.clusters[inside], mean[inside] - 0.5, rtol=1e-6)


def test_the_highest_of_many_comparisons_are_drawn(undrawn):
    many = (*COMPARISONS, "a vs b", "a vs c", "b vs c", "c vs d")
    choices = replace(QUICK, tests=("sign-flip", "prevalence"))
    made = average_searchlights(*make_group(3, comparisons=many), choices=choices)
    pictures = searchlight_pictures(Shown("searchlight", made, {}))
    assert [one.name for one in pictures][-1] == "searchlight_prevalence"
    above = made.table.sort_values("highest", ascending=False, kind="stable")["comparison"]
    for one in pictures:
        assert "of the 4 highest of 6 comparisons" in one.caption
        assert {name for name in many if name in one.alt} == set(above[:4])


def test_surfaces_are_drawn_where_there_are_meshes(undrawn):
    space = Surface("fsaverage5", (600, 600), np.arange(1200))
    made = average_searchlights(*make_group(3, space=space), choices=QUICK)
    assert searchlight_pictures(Shown("searchlight", made, {})) == []
    said = searchlight_how(Shown("searchlight", made, {}))
    assert "Means are compared with chance maps among the" in said
    assert "cluster" not in said
    brain = make_brain(make_surfaces())
    shown = Shown("searchlight", made, {}, brain=brain)
    assert [one.name for one in searchlight_pictures(shown)] == [
        "searchlight_maps", "searchlight_overlap",
    ]  # fmt: skip
    meshes = {side: mesh for side, (mesh, _) in make_surfaces().items()}
    found = average_searchlights(*make_group(3, space=space), choices=QUICK, meshes=meshes)
    names = [one.name for one in searchlight_pictures(replace(shown, result=found))]
    assert names[0] == "searchlight_clusters"


def test_what_could_not_be_looked_for_is_said():
    results, _ = make_group(3)
    made = average_searchlights(results, {}, choices=QUICK)
    section = scores.sections(Shown("searchlight", made, {}))
    assert section.answer.count("no clusters were looked for") == 2
    assert len(section.tables) == 1
    assert "chance maps" not in section.how
    heads = [label for label, _ in section.tables[0].heads]
    assert {row[heads.index("clusters")].text for row in section.tables[0].rows} == {"n/a"}
    (number,) = scores.numbers(Shown("searchlight", made, {}))
    assert "cluster" not in number.detail


def test_maps_in_no_common_space_are_an_answer():
    results, chance = make_group(2)
    bare = {name: replace(one, maps=(), space=None) for name, one in results.items()}
    made = average_searchlights(bare, chance, choices=QUICK)
    section = scores.sections(Shown("searchlight", made, {}))
    assert section.answer == "No participant has maps in a space that all share."
    assert scores.numbers(Shown("searchlight", made, {})) == []


def test_the_methods_text_tells_of_clusters_where_there_were_searchlights():
    group = {"tests": ["sign-flip"], "correct": "tfce", "p_unit": 0.005, "n_maps": 2000}
    text = methods.sentences({"group": group, "searchlight": {"radius_mm": 9.0}})[-1]
    assert "units with p < 0.005, was compared with 2,000 chance maps" in text
    assert "prevalence" not in text
    group["tests"] = ["sign-flip", "prevalence"]
    more = methods.sentences({"group": group, "searchlight": {"radius_mm": 9.0}})[-1]
    assert "lowest score of all participants" in more
    keys = methods.cited([more])
    assert {"stelzer2013", "smith2009", "allefeld2016"} <= set(keys)
    assert [work.key for work in methods.references(keys)] == keys
    assert "chance maps" not in methods.sentences({"group": group})[-1]


def test_correlations_are_named_so():
    assert _words("spearman") == "Spearman's rho"
    assert _words("balanced_accuracy") == "balanced accuracy"


def test_methods_tell_of_exchanges_that_all_share():
    told = {"tests": ["sign-flip", "prevalence"], "n_maps": 5000}
    decoded = lights_text(told, {})
    assert "5,000 chance maps" in decoded
    assert "bounded from below" in decoded
    assert "items" not in decoded
    both = lights_text(told, {"models": ["net"]})
    assert "as it is (decoding), or with means over participants" in both
    assert "not over stimuli" in both
    labels = lights_text(told, {"categories": ["animate"], "comparisons": []})
    assert "was compared with means over participants of the maps under one exchange" in labels
    assert "not over stimuli" in labels
    alone = lights_text(told, {"models": ["net"], "comparisons": []})
    assert "5,000" not in alone
    assert "bounded" not in alone


def test_methods_tell_of_no_clusters_where_none_were_looked_for():
    told = {"tests": ["sign-flip", "prevalence"], "made": ["accuracy", "p", "mean"]}
    assert lights_text(told, {}) == "Maps of searchlights were averaged over participants."
    units = lights_text(told | {"made": ["pchance"]}, {})
    assert "Each unit was compared with 10,000 chance maps" in units
    assert "cluster" not in units
    assert "bounded" not in units
    whole = lights_text(told | {"made": ["pchance", "cluster", "prevalencebound"]}, {})
    assert whole == lights_text({"tests": told["tests"]}, {})
    assert "each cluster of units" in whole
    assert "Clusters of contrasts" not in whole
    also = lights_text(told | {"made": ["pchance", "contrastcluster"]}, {})
    assert "Each unit was compared" in also
    assert "Clusters of contrasts, units with a t above that of p = 0.001" in also
