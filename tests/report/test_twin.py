"""report.twin: what the section and the methods text say of networks beside regions."""

from dataclasses import replace

import numpy as np
import pytest

from bids_dnn.config.schema import Config
from bids_dnn.report.methods import sentences
from bids_dnn.report.page import render_participant
from bids_dnn.report.palette import region_colors
from bids_dnn.report.twin import patterns_of, twin_answer, twin_section, twin_text
from tests.factories.reports import make_participant
from tests.factories.twins import make_twin

COLORS = region_colors(["V1", "V4"])


def test_the_answer_names_layers_beyond_the_best_of_unrelated_ones():
    answer = twin_answer(make_twin())
    assert "V1: conv2 of net without noise (rho = 0.90, corrected p = 0.01)" in answer
    assert "V4: conv2" not in answer
    assert "from unrelated ones for V4 (rho = 0.20, p = 0.4)" in answer
    assert "10 of 20 scores of layers lie above chance (corrected p < 0.05)" in answer


def test_no_layer_is_named_for_a_region_at_chance(undrawn):
    result = make_twin(decoded=(False, True))
    answer = twin_answer(result)
    assert answer.startswith("No layer can be named for V1: no comparison is told above chance")
    assert "conv2" not in answer
    section = twin_section(result, COLORS)
    assert [one.name for one in section.pictures] == ["twin_noise", "twin_patterns", "twin_rho"]
    assert set(patterns_of(result)["region"]) == {"V4"}  # decoded, though no layer is named
    result.extras["regions"]["p_floor"] = 0.25
    assert "No p can fall below 0.25 here" in twin_answer(result)


def test_what_an_earlier_version_left_is_shown_as_it_is(undrawn):
    result = make_twin()
    old = result.table.drop(columns=["is_named", "is_decoded", "p_corrected", "exchanged"])
    section = twin_section(replace(result, table=old), COLORS, link="x.tsv")
    assert "Run --analysis twin again" in section.answer
    assert section.pictures == ()
    assert len(section.tables[0].rows) == len(old)


def test_without_a_correlation_the_reason_is_said(undrawn):
    result = make_twin(rho=(np.nan, np.nan))
    result.table["rho"] = np.nan
    result.table[["best", "is_named"]] = False
    result.table["n_comparisons"] = 3
    assert twin_answer(result).startswith("Nobody can tell: 3 comparisons in common make no rank")
    section = twin_section(result, COLORS)
    assert [one.name for one in section.pictures] == ["twin_noise"]


def test_the_section_shows_three_pictures_and_both_tables(undrawn):
    section = twin_section(make_twin(), COLORS, link="x.tsv")
    assert [one.name for one in section.pictures] == ["twin_noise", "twin_patterns", "twin_rho"]
    assert [len(one.rows) for one in section.tables] == [8, 20]
    assert section.tables[0].link == "x.tsv"
    bars = section.pictures[0].caption
    assert "Lines: 95 % corrected resampled t intervals over folds" in bars
    assert "means over 20 draws" in bars
    assert "first 32 principal components" in section.how
    assert "smallest p that can come out is 0.0005" in section.how


@pytest.mark.slow
def test_the_page_of_a_participant_holds_the_section(undrawn, tmp_path):
    data = make_participant(tmp_path)
    assert 'id="twin"' not in render_participant(data, tmp_path / "figures")
    page = render_participant(replace(data, twin=make_twin()), tmp_path / "figures")
    assert 'id="twin"' in page
    assert "V1: conv2 of net without noise (rho = 0.90" in page
    assert list((tmp_path / "figures").glob("*twin_noise.png"))


def test_patterns_are_those_of_the_nearest_layer():
    made = patterns_of(make_twin())
    assert len(made) == 10
    assert patterns_of(make_twin(decoded=(False, False))).empty
    own = made[made["region"] == "V1"]
    np.testing.assert_allclose(own["brain"], [0.5, 0.55, 0.6, 0.65, 0.45])
    np.testing.assert_allclose(own["network"], [0.55, 0.6, 0.65, 0.7, 0.625])


@pytest.mark.parametrize(
    ("twin", "said", "unsaid"),
    [
        ({}, "first 100 principal components", "each feature"),
        ({"components": "all"}, "as strong on each feature", "principal components were"),
        ({"noise": "proportional"}, "fixed share of that of each principal", "as strong"),
        ({"snr": [2, 0.5]}, "ratios of 2, 0.5 of the mean", "without noise"),
        ({"snr": ["inf"]}, "Scores were taken without noise. Labels", "Gaussian"),
    ],
)
def test_methods_say_what_was_done(twin, said, unsaid):
    told = Config.model_validate({"twin": twin}).twin.model_dump(mode="json")
    text = twin_text(told)
    assert said in text
    assert unsaid not in text
    assert text in sentences({"twin": told})
    assert "a linear support vector machine (C = 1) [@chang2011" in text
    assert "linear discriminant" in twin_text(told | {"decode": {"classifier": "lda"}})


def test_where_p_cannot_be_small_that_is_said():
    result = make_twin()
    result.extras["network"]["p_floor"] = 0.25
    assert "No p can fall below 0.25 here" in twin_answer(result)
    assert "lie above chance" not in twin_answer(result)
