"""report.searchlight: maps of what lies above chance, and what is said of them."""

from dataclasses import replace

import numpy as np
import pytest

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.spheres import map_spheres
from bids_dnn.containers.space import Grid
from bids_dnn.report.methods import cited, sentences
from bids_dnn.report.page import render_participant
from bids_dnn.report.searchlight import searchlight_answer, searchlight_section, searchlight_text
from bids_dnn.stats.neighbours import neighbours
from bids_dnn.stats.regions import region_units
from tests.factories.reports import make_participant
from tests.factories.responses import make_patterns


def make_searchlight(rng, *, comparisons=("a vs b", "all"), n_maps=19, effect=3.0):
    made = make_patterns(rng, conditions=("a", "b", "c"), n_units=60, effect=effect)
    space = Grid("T1w", (5, 4, 3), np.diag([3.0, 3, 3, 1]), np.arange(60))
    made = replace(made, space=space)
    choices = Choices(
        comparisons=comparisons, n_permutations=n_maps, classifier=Classifier(kind="ridge"), seed=1
    )
    (centers,) = region_units(made, [])
    result = map_spheres(made, centers, neighbours(space, 4.0), choices=choices)
    return replace(result, meta=result.meta | {"radius_mm": 4.0})


@pytest.fixture
def result(rng):
    return make_searchlight(rng)


def test_the_answer_names_the_highest_and_what_is_above_chance(result):
    answer = searchlight_answer(result)
    row = result.table.iloc[int(np.argmax(result.table["highest"] - result.table["chance"]))]
    assert (
        f"Highest: {row['comparison']}, accuracy {row['highest']:.2f} around one voxel" in answer
    )
    assert "No p can fall below 0.05" in answer  # 19 maps and this one


def test_more_maps_let_significance_be_told(rng):
    answer = searchlight_answer(make_searchlight(rng, n_maps=39))
    assert (
        "Somewhere above chance (highest score of the map, corrected p < 0.05): a vs b" in answer
    )
    weak = searchlight_answer(make_searchlight(rng, n_maps=39, effect=0.0))
    assert "No map's highest score is above chance" in weak


def test_without_scores_nothing_is_claimed(result):
    result.table["highest"] = np.nan
    assert searchlight_answer(result) == "No score could be computed."


def test_maps_are_drawn_as_differences_from_chance(result, monkeypatch):
    seen = {}

    def kept(name, maps, space, behind, **how):
        seen.update(name=name, maps=maps, how=how)
        return []

    monkeypatch.setattr("bids_dnn.report.searchlight.map_pictures", kept)
    section = searchlight_section(result, (None, None), {"searchlight": "t.tsv"})
    values = dict(seen["maps"])
    chance = result.table.set_index("comparison")["chance"]
    for made in result.maps[::2]:
        (name,) = result.table.loc[result.table["map"] == made.model, "comparison"]
        np.testing.assert_allclose(values[name], made.values - chance[name], rtol=1e-6)
    assert seen["how"]["is_signed"]
    assert section.tables[0].link == "t.tsv"
    assert "within 4 mm" in section.how


def test_only_the_highest_of_many_are_drawn(rng):
    names = ("pairs", "all", "x:a vs y:b+c", "b vs x:a+c", "c vs x:a+b", "a+b vs c")
    result = make_searchlight(rng, comparisons=names, n_maps=1)
    (picture,) = searchlight_section(result, (None, None), {}).pictures
    assert "the 6 highest of 7 comparisons" in picture.caption


def test_layers_have_a_picture_and_an_answer_of_their_own(result):
    table = result.table.copy()
    table.loc[1, ["comparison", "metric", "chance"]] = "net conv1", "spearman", 0.0
    made = replace(result, table=table)
    first, second = searchlight_section(made, (None, None), {}).pictures
    assert (first.name, second.name) == ("searchlight_maps", "searchlight_models")
    assert "Correlation of dissimilarities with those of models" in second.caption
    assert "Highest: net conv1, Spearman's rho" in searchlight_answer(made)


def test_the_page_shows_it(result, tmp_path):
    data = replace(
        make_participant(tmp_path), searchlight=result, tables={"searchlight": "x_scores.tsv"}
    )
    page = render_participant(data, tmp_path)
    assert "Where in the brain can conditions be told apart?" in page
    assert "a searchlight" in page
    assert any("searchlight_maps" in path.name for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("told", "unit", "words"),
    [
        (
            {"n_maps": 100},
            "voxel",
            ["sphere of 9 mm radius around each voxel that was measured", "100 exch"],
        ),
        ({"within": ["V1", "V4"], "radius_mm": 6}, "voxel", ["6 mm", "each voxel of V1, V4"]),
        ({"decode": {"classifier": "lda"}}, "vertex", ["disk along the surface", "discriminant"]),
        (
            {"models": ["net"], "items": "condition", "comparisons": []},
            "voxel",
            ["Dissimilarities of conditions (1 - Pearson's r", "layers of net", "[@kriegesko"],
        ),
        (
            {"categories": ["animate"], "distance": "crossnobis", "comparisons": []},
            "vertex",
            ["crossnobis", "covariance of vertices", "those in a model of categories (animate)"],
        ),
    ],
)
def test_methods_say_how_it_was_done(told, unit, words):
    text = searchlight_text(told, unit=unit)
    for word in words:
        assert word in text
    paragraphs = sentences({"searchlight": told, "unit": unit})
    assert {"kriegeskorte2006", "stelzer2013", "nichols2002"} <= set(cited(paragraphs))
