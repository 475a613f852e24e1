"""report.group_searchlight: what is said of clusters, and what stands in the table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bids_dnn.group.choices import Choices
from bids_dnn.group.searchlight import average_searchlights
from bids_dnn.report import scores
from bids_dnn.report.shown import Shown
from tests.factories.searchlights import COMPARISONS, make_group

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
    heads = [label for label, _ in table.heads]
    assert len(table.rows) == len(clusters)
    p = [float(row[heads.index("p fwe")].order) for row in table.rows]
    assert p == sorted(p)
    assert p[0] == 1 / 200
    assert "peak unit" not in heads
    assert "199 chance maps" in section.how
    assert "p = 0.01" in section.how
    (number,) = scores.numbers(shown)
    assert number.value.startswith("0.7")
    assert "1 cluster (p < 0.05 over the map)" in number.detail


def test_what_could_not_be_looked_for_is_said():
    results, _ = make_group(3)
    made = average_searchlights(results, {}, choices=QUICK)
    section = scores.sections(Shown("searchlight", made, {}))
    assert section.answer.count("no clusters were looked for") == 2
    assert len(section.tables) == 1
    assert "chance maps" not in section.how
    (number,) = scores.numbers(Shown("searchlight", made, {}))
    assert "cluster" not in number.detail


def test_maps_in_no_common_space_are_an_answer():
    results, chance = make_group(2)
    bare = {name: replace(one, maps=(), space=None) for name, one in results.items()}
    made = average_searchlights(bare, chance, choices=QUICK)
    section = scores.sections(Shown("searchlight", made, {}))
    assert section.answer == "No participant has maps in a space that all share."
    assert scores.numbers(Shown("searchlight", made, {})) == []
