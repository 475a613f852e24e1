"""report.light_contrasts: what is said of contrasts of searchlights, and what is drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bids_dnn.containers.space import Surface
from bids_dnn.group.choices import Choices
from bids_dnn.group.searchlight import average_searchlights
from bids_dnn.group.tests import About
from bids_dnn.report import light_contrasts, scores
from bids_dnn.report.light_contrasts import (
    contrast_answer,
    contrast_how,
    contrast_pictures,
    contrast_tables,
)
from bids_dnn.report.shown import Shown
from tests.factories.searchlights import COMPARISONS, make_group

WITHIN = f"comparison: {COMPARISONS[0]} > {COMPARISONS[1]}"
BETWEEN = "group: old != young"


@pytest.fixture(scope="module")
def shown():
    results, chance = make_group(7)
    people = {x: {"group": "old" if x < "04" else "young"} for x in results}
    choices = Choices(p_unit=0.01, n_maps=199, contrasts=(WITHIN, BETWEEN), correct="max")
    about = About(people=people)
    made = average_searchlights(results, chance, choices=choices, about=about)
    return Shown("searchlight", made, {}, "group/scores.tsv")


def test_contrasts_are_counted_and_stand_in_a_table(shown):
    section = scores.sections(shown)
    rows = shown.result.extras["contrasts"]
    n = rows["n_significant"].tolist()
    assert n[0] > 3
    k = rows["n_clusters_significant"].tolist()
    assert k[0] == 1
    assert f"{WITHIN}: {n[0]} voxels and 1 cluster" in section.answer
    assert f"{BETWEEN} ({COMPARISONS[1]}): {n[2]} voxel" in section.answer
    *_, table, clusters = section.tables
    assert len(clusters.rows) == len(shown.result.extras["contrastClusters"])
    assert "peak unit" not in [label for label, _ in clusters.heads]
    heads = [label for label, _ in table.heads]
    assert len(table.rows) == 3
    assert not {"map", "highest unit"} & set(heads)
    assert "Contrasts are of scores less chance" in section.how


def test_vertices_are_counted_as_vertices():
    results, chance = make_group(3, space=Surface("fsaverage5", (60, 0), np.arange(60)))
    made = average_searchlights(results, chance, choices=Choices(contrasts=(WITHIN,)))
    said = contrast_answer(Shown("searchlight", made, {}))
    assert f"{WITHIN}: 0 vertices, no p can fall below 0.125." in said
    how = " ".join(contrast_how(Shown("searchlight", made, {})))
    assert "Contrasts are of scores less chance" in how
    assert "Clusters" not in how  # without a mesh none were looked for
    plain = replace(made, meta=made.meta | {"correction": "none"})
    assert "corrected" not in " ".join(contrast_how(Shown("searchlight", plain, {})))


def test_clusters_of_contrasts_alone_are_no_clusters_of_means():
    """Dissimilarities with few exchanges: clusters of contrasts, none of means."""
    results, chance = make_group(7)
    choices = Choices(p_unit=0.01, n_maps=199, contrasts=(WITHIN,))
    made = average_searchlights(results, chance, choices=choices)
    table = made.table.assign(n_clusters=-1, n_significant=-1)
    section = scores.sections(Shown("searchlight", replace(made, table=table), {}))
    assert "Means are compared with chance maps among" in section.how
    assert "A unit is part of a cluster where its mean" not in section.how


def test_what_is_significant_is_drawn(shown, monkeypatch):
    seen = []
    monkeypatch.setattr(
        light_contrasts, "found_pictures", lambda *args, **how: seen.append((args, how))
    )
    contrast_pictures(shown)
    (((name, drawn, *_), how),) = seen
    rows = shown.result.extras["contrasts"]
    assert name == "searchlight_contrasts"
    assert how["is_signed"]
    assert "largest t) is below 0.05" in how["what"]
    assert [title for title, _ in drawn] == [
        WITHIN, *(f"{BETWEEN} ({one})" for one in COMPARISONS)
    ]  # fmt: skip
    assert [int(np.isfinite(v).sum()) for _, v in drawn] == rows["n_significant"].tolist()
    first = {one.stat: one.values for one in shown.result.maps if one.model == rows["map"][0]}
    inside = np.isfinite(drawn[0][1])
    np.testing.assert_allclose(drawn[0][1][inside], first["difference"][inside])


def test_empty_brains_are_not_drawn(shown):
    rows = shown.result.extras["contrasts"].assign(n_significant=0)
    extras = shown.result.extras | {"contrasts": rows}
    assert contrast_pictures(replace(shown, result=replace(shown.result, extras=extras))) == []


def test_pictures_are_drawn(shown, undrawn):
    (one,) = contrast_pictures(shown)
    assert "furthest from zero" in one.caption
    assert "Glass" in one.alt


def test_what_cannot_be_significant_is_said(shown):
    rows = shown.result.extras["contrasts"].assign(p_floor=0.1)
    extras = shown.result.extras | {"contrasts": rows}
    weak = replace(shown, result=replace(shown.result, extras=extras))
    assert contrast_answer(weak).count("no p can fall below 0.1") == 3


def test_without_contrasts_there_is_nothing(shown):
    extras = {"clusters": shown.result.extras["clusters"]}
    bare = replace(shown, result=replace(shown.result, extras=extras))
    assert contrast_answer(bare) == ""
    assert contrast_tables(bare) == contrast_pictures(bare) == []
